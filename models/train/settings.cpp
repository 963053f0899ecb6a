#include "models/train/settings.h"

#include <algorithm>

namespace adjoint::train {

void add_text_options(OptionTable& table, TextSettings& s) {
  table.section("Data");
  table.add("data", &s.data, "PATH",
            "files and folders of UTF-8 text to learn; without any, generated text");
  table.add("val-data", &s.val_data, "PATH",
            "text to be examined on; without it a part of --data is held out");
  table.add("extensions", &s.extensions, ".EXT", "of a folder, only files with these endings");
  table.add("val-split", &s.val_split, {"auto", "tail", "files"},
            "hold out the text's end, or whole files; auto: files where there are ten or more");
  table.add("val-fraction", &s.val_fraction, "X", "how much is held out",
            {.least = 0, .most = 0.9, .above_least = true});
}

void add_run_options(OptionTable& table, TrainSettings& s) {
  table.section("Run");
  table.add("init", &s.init, "DIR",
            "start from the weights of this run or checkpoint, with a fresh optimizer");
  table.add("out", &s.out, "DIR", "the run's folder: metrics.jsonl and checkpoints");
  table.add("resume", &s.resume, {"auto", "never", "must"},
            "go on with the run in --out: where there is one, never, or fail where there is none");
  table.add("seed", &s.seed, "N", "of weights, batches, dropout and samples", {.least = 0});
  table.add("threads", &s.threads, "N", "0: as many as the process may use",
            {.least = 0, .most = 1024});
  table.add("max-time", &s.max_time, "SECONDS", "stop with a checkpoint after this time; 0: never",
            {.least = 0});
}

void add_training_options(OptionTable& table, TrainSettings& s, const std::string& batch) {
  table.section("Training");
  table.add("steps", &s.steps, "N", "optimizer steps", {.least = 1, .most = 4'000'000'000});
  table.add("batch-size", &s.batch_size, "N", batch + " a step", {.least = 1, .most = 1 << 20});
  table.add("lr", &s.lr, "X", "the highest learning rate (AdamW)",
            {.least = 0, .most = 100, .above_least = true});
  table.add("min-lr", &s.min_lr, "X", "where the cosine ends; without it a tenth of --lr",
            {.least = 0});
  table.add("warmup", &s.warmup, "N",
            "steps of linear warm-up; without it at most a tenth of --steps", {.least = 0});
  table.add("weight-decay", &s.weight_decay, "X", "of matrices (not of biases and norms)",
            {.least = 0, .most = 10});
  table.add("beta1", &s.beta1, "X", "AdamW's average of gradients", {.least = 0, .most = 0.999999});
  table.add("beta2", &s.beta2, "X", "AdamW's average of their squares",
            {.least = 0, .most = 0.999999});
  table.add("grad-clip", &s.grad_clip, "X", "the largest norm of all gradients together; 0: any",
            {.least = 0});
  table.add("dropout", &s.dropout, "X", "chance of zeroing an activation",
            {.least = 0, .most = 0.95});
  table.add("autocast", &s.autocast, std::vector<std::string>{"none", "bf16"},
            "bf16: products in bf16, of weights in f32; faster with AMX only, else slower");
}

void add_report_options(OptionTable& table, TrainSettings& s) {
  table.section("Reports");
  table.add("eval-every", &s.eval_every, "N",
            "steps between validations over all that is held out; 0: only at the end",
            {.least = 0});
  table.add("save-every", &s.save_every, "N", "steps between checkpoints; 0: only at the end",
            {.least = 0});
  table.add("keep", &s.keep, "N", "checkpoints to keep, at least 2",
            {.least = 2, .most = 1'000'000});
  table.add("json", &s.json, "the lines of metrics.jsonl on stdout too");
  table.add("quiet", &s.quiet, "no progress on stderr");
  table.add("color", &s.color, {"auto", "always", "never"},
            "auto: on a terminal, unless NO_COLOR is set");
  table.epilogue(
      "Any option may also be given as ADJOINT_NAME in the environment (ADJOINT_BATCH_SIZE).\n"
      "Ctrl-C saves a checkpoint and prints the command that goes on. Exit status: 0 done, 1 an\n"
      "error, 2 a command line that makes no sense, 130 and 143 interrupted. In a script's\n"
      "background job a shell makes Ctrl-C's SIGINT ignored; SIGTERM always works.");
}

void add_sample_options(OptionTable& table, SampleSettings& s) {
  table.section("Samples");
  table.add("sample-every", &s.sample_every, "N", "steps between samples of text; 0: none",
            {.least = 0});
  table.add("sample-len", &s.sample_len, "N", "tokens a sample", {.least = 1, .most = 1 << 20});
  table.add("prompt", &s.prompt, "TEXT", "what samples begin with");
}

std::string without_slashes(std::string folder) {
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  return folder;
}

void settle(OptionTable& table, TrainSettings& s) {
  if (!table.given("min-lr")) {
    s.min_lr = s.lr / 10;
    table.derived("min-lr", "a tenth of lr");
  }
  check<UsageError>(s.min_lr <= s.lr, "--min-lr: ", s.min_lr, " is above --lr, ", s.lr,
                    "; expected at most that");
  if (!table.given("warmup") && s.warmup > s.steps / 10) {
    s.warmup = s.steps / 10;
    table.derived("warmup", "a tenth of steps");
  }
  check<UsageError>(!s.out.empty(), "--out: empty; expected the name of a folder");
  s.out = without_slashes(s.out);
  check<UsageError>(s.warmup <= s.steps, "--warmup: ", s.warmup, " is above --steps, ", s.steps,
                    "; expected at most that");
}

models::TrainerOptions trainer_options(const TrainSettings& s) {
  return {.steps = s.steps,
          .grad_clip = s.grad_clip,
          .eval_every = s.eval_every,
          .save_every = s.save_every,
          .keep = s.keep,
          .max_seconds = s.max_time,
          .seed = static_cast<uint64_t>(s.seed)};
}

Json identity_of(const TrainSettings& s) {
  Json identity = Json::object({{"seed", s.seed},
                                {"steps", s.steps},
                                {"batch-size", s.batch_size},
                                {"lr", s.lr},
                                {"min-lr", s.min_lr},
                                {"warmup", s.warmup},
                                {"weight-decay", s.weight_decay},
                                {"beta1", s.beta1},
                                {"beta2", s.beta2},
                                {"grad-clip", s.grad_clip}});
  if (s.autocast != "none") identity["autocast"] = s.autocast;  // older runs have no such entry
  return identity;
}

namespace {

std::string quoted(const std::string& word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./=,:+@%").find(c) != std::string_view::npos;
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
  return text + "'";
}

}  // namespace

std::string resume_command(const std::string& program, const std::vector<std::string>& arguments,
                           const OptionTable& table, const std::string& out) {
  std::string command = quoted(program);
  // The environment comes first: of several values the last counts.
  for (const std::string& argument : table.environment_arguments()) {
    if (!argument.starts_with("--resume=") && !argument.starts_with("--out=")) {
      command += " " + quoted(argument);
    }
  }
  bool has_out = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") break;  // no argument may follow
    if (argument == "--resume") {
      ++i;
      continue;
    }
    if (argument.starts_with("--resume=")) continue;
    has_out = has_out || argument == "--out" || argument.starts_with("--out=");
    command += " " + quoted(argument);
  }
  if (!has_out) command += " --out " + quoted(out);
  return command + " --resume must";
}

}  // namespace adjoint::train
