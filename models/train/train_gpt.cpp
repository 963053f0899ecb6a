// train_gpt: trains a GPT on text, from its characters.
#include <adjoint/core/autocast.h>
#include <adjoint/core/device_info.h>
#include <adjoint/core/parallel.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/generation.h>
#include <adjoint/models/gpt.h>
#include <adjoint/models/gpt_task.h>
#include <adjoint/models/trainer.h>
#include <adjoint/optim/groups.h>

#include <cstdlib>
#include <iostream>
#include <memory>

#include "models/train/corpus.h"
#include "models/train/option_table.h"
#include "models/train/progress.h"
#include "models/train/run_folder.h"
#include "models/train/saved_model.h"
#include "models/train/settings.h"
#include "models/train/system.h"

namespace adjoint::train {
namespace {

constexpr const char* kProgram = "train_gpt";

struct GptSettings : TrainSettings {
  int64_t n_layer = 4;
  int64_t n_head = 4;
  int64_t n_embd = 128;
  bool bias = true;
};

OptionTable make_table(GptSettings& settings) {
  OptionTable table(kProgram,
                    "Trains a GPT to predict text, character by character, and saves checkpoints "
                    "that resume to the same bits.");
  add_train_options(table, settings);
  table.section("Model");
  table.add("n-layer", &settings.n_layer, "N", "Transformer blocks", {.least = 1, .most = 4096});
  table.add("n-head", &settings.n_head, "N", "attention heads", {.least = 1, .most = 4096});
  table.add("n-embd", &settings.n_embd, "N", "width", {.least = 1, .most = 1 << 18});
  table.add("bias", &settings.bias, "biases in linear layers and norms");
  // char is nanoGPT's configuration for a CPU; 124m is GPT-2's smallest.
  table.preset("char", {{"n-layer", "4"},
                        {"n-head", "4"},
                        {"n-embd", "128"},
                        {"seq-len", "64"},
                        {"batch-size", "12"},
                        {"dropout", "0"},
                        {"lr", "1e-3"},
                        {"warmup", "100"},
                        {"beta1", "0.9"},
                        {"beta2", "0.99"},
                        {"weight-decay", "0.1"},
                        {"grad-clip", "1"},
                        {"steps", "2000"}});
  table.preset("tiny", {{"n-layer", "2"},
                        {"n-head", "4"},
                        {"n-embd", "64"},
                        {"seq-len", "64"},
                        {"batch-size", "12"},
                        {"steps", "500"}});
  table.preset("small", {{"n-layer", "2"},
                         {"n-head", "4"},
                         {"n-embd", "128"},
                         {"seq-len", "512"},
                         {"batch-size", "4"},
                         {"steps", "2000"}});
  table.preset("124m", {{"n-layer", "12"},
                        {"n-head", "12"},
                        {"n-embd", "768"},
                        {"seq-len", "1024"},
                        {"batch-size", "4"},
                        {"lr", "6e-4"},
                        {"beta2", "0.95"},
                        {"warmup", "2000"},
                        {"steps", "100000"}});
  table.epilogue(
      "Any option may also be given as ADJOINT_NAME in the environment (ADJOINT_BATCH_SIZE).\n"
      "Ctrl-C saves a checkpoint and prints the command that goes on. Exit status: 0 done, 1 an\n"
      "error, 2 a command line that makes no sense, 130 and 143 interrupted. In a script's\n"
      "background job a shell makes Ctrl-C's SIGINT ignored; SIGTERM always works.");
  return table;
}

models::GptConfig config_of(const GptSettings& s, int64_t vocab_size) {
  return {.vocab_size = vocab_size,
          .block_size = s.seq_len,
          .n_layer = s.n_layer,
          .n_head = s.n_head,
          .n_embd = s.n_embd,
          .dropout = s.dropout,
          .bias = s.bias};
}

// The configuration of the model in `source` to start from; options that were given, one by one or
// by a preset, must agree with it.
models::GptConfig initial_config(const OptionTable& table, GptSettings& s,
                                 const std::string& source, const models::GptConfig& config) {
  const auto agree = [&](const char* option, auto given, auto there) {
    const std::string& origin = table.origin(option);
    check<UsageError>(origin == "default" || given == there, "--", option, ": ", given, " (",
                      origin, "), but the model in ", source, " has ", there, "; leave it out");
  };
  agree("n-layer", s.n_layer, config.n_layer);
  agree("n-head", s.n_head, config.n_head);
  agree("n-embd", s.n_embd, config.n_embd);
  agree("bias", s.bias, config.bias);
  if (table.origin("seq-len") == "default") s.seq_len = config.block_size;
  check<UsageError>(s.seq_len <= config.block_size, "--seq-len: ", s.seq_len,
                    " is longer than the context of the model in ", source, ", ", config.block_size,
                    "; expected at most that");
  models::GptConfig result = config;
  result.dropout = s.dropout;
  return result;
}

// What a run is made of, in the order in which it is found.
struct Session {
  LearningText text;
  std::optional<data::CharTokenizer> tokenizer;
  std::unique_ptr<models::Gpt> model;
};

// A run that began with --init goes on from its own checkpoint: the other folder may be gone.
Session prepare(const OptionTable& table, GptSettings& s,
                const std::optional<std::string>& checkpoint) {
  Session session;
  session.text = load_text(s);
  const data::TextSplit& split = session.text.split;
  Generator generator(static_cast<uint64_t>(s.seed));
  if (s.init.empty()) {
    session.tokenizer = data::CharTokenizer::from_text(split.train + split.validation);
    const models::GptConfig config = config_of(s, session.tokenizer->vocab_size());
    check<UsageError>(s.n_embd % s.n_head == 0, "--n-embd: ", s.n_embd,
                      " is not a multiple of --n-head, ", s.n_head, "; expected one");
    try {
      config.validate();
    } catch (const ConfigError& error) {
      fail<UsageError>(error.what());
    }
    session.model = std::make_unique<models::Gpt>(config, generator);
    return session;
  }
  const std::string source = checkpoint ? *checkpoint : open_checkpoint(kProgram, "--init", s.init);
  SavedModel start = load_saved_model(source);
  session.tokenizer = std::move(start.tokenizer);
  session.model = std::make_unique<models::Gpt>(
      initial_config(table, s, source, start.model.config()), generator);
  session.model->load_state_dict(start.model.state_dict());
  return session;
}

// Texts as tokens, long enough for the training.
struct Tokens {
  std::vector<data::Token> train, validation;
};

Tokens tokens_of(const GptSettings& s, const Session& session) {
  const data::TextSplit& split = session.text.split;
  Tokens tokens{session.tokenizer->encode(split.train, "--data"),
                session.tokenizer->encode(split.validation, "the text to be examined on")};
  const auto learnt = static_cast<int64_t>(tokens.train.size());
  check<ConfigError>(learnt > s.seq_len, "--seq-len: a context of ", s.seq_len,
                     " is longer than the text to learn, which has ", learnt,
                     " characters; expected more text, or at most --seq-len ", learnt - 1);
  check<ConfigError>(tokens.validation.size() >= 2, "--val-fraction: of the text, ",
                     tokens.validation.size(),
                     " characters are held out to be examined on; expected more text, a larger "
                     "fraction, or --val-data");
  return tokens;
}

// Everything that makes this run what it is.
Json identity(const GptSettings& s, const Session& session) {
  Json all = identity_of(s);
  all["data"] = session.text.fingerprint;
  all["model"] = session.model->config().to_json();
  all["init"] = s.init;
  return all;
}

void print_start(const GptSettings& s, const Session& session) {
  if (s.quiet) return;
  const models::Gpt& model = *session.model;
  const auto [matrices, vectors] = optim::split_by_dimension(model.parameters());
  const auto count = [](const std::vector<NamedSlot>& slots) {
    int64_t sum = 0;
    for (const NamedSlot& slot : slots) sum += slot.slot->numel();
    return sum;
  };
  std::cerr << session.text.description << "\n"
            << "model: " << model.parameter_count() << " parameters (" << count(matrices)
            << " with weight decay, " << count(vectors) << " without), a vocabulary of "
            << model.config().vocab_size << " characters, context " << model.config().block_size
            << "\n"
            << "run: " << s.out << ", seed " << s.seed << ", " << num_threads() << " threads, "
            << instruction_set() << "\n";
}

// What samples begin with: --prompt, or where the default is not in the text, any character of it.
std::string sample_prompt(const OptionTable& table, const GptSettings& s, const Session& session) {
  const bool given = table.given("prompt");
  check<UsageError>(!given || !s.prompt.empty(), "--prompt: empty; expected some text");
  try {
    session.tokenizer->encode(s.prompt, "--prompt");
    return s.prompt;
  } catch (const IoError&) {
    if (given) throw;
    return session.tokenizer->decode(0);
  }
}

std::string sample_text(const GptSettings& s, Session& session, const std::string& prompt,
                        int64_t step) {
  models::GenerationOptions options{.max_tokens = s.sample_len,
                                    .sampling = {.temperature = 0.8, .top_k = 40},
                                    .seed = static_cast<uint64_t>(s.seed + step)};
  return prompt + models::generate_text(*session.model, *session.tokenizer, prompt, options);
}

int report_end(models::TrainingEnd end, const GptSettings& s, const models::Trainer& trainer,
               const std::string& command, Progress& progress) {
  const models::TrainingState& state = trainer.state();
  switch (end) {
    case models::TrainingEnd::was_finished:
      progress.finish("nothing to do: the run in " + s.out + " has made all of its " +
                      std::to_string(s.steps) + " steps");
      return 0;
    case models::TrainingEnd::finished:
      if (!s.quiet) {
        progress.finish("done: " + s.out + "/" + models::checkpoint_name(state.step) +
                        (state.best_loss
                             ? ", best validation loss " + std::to_string(*state.best_loss) +
                                   " at step " + std::to_string(state.best_step)
                             : ""));
      }
      return 0;
    case models::TrainingEnd::out_of_time:
      progress.finish("time is up at step " + std::to_string(state.step) +
                      "; saved; this goes on:\n  " + command);
      return 0;
    case models::TrainingEnd::stopped:
      break;
  }
  if (stop_signal() == 0) {
    std::cout.clear();  // what is to be said of it is said here
    progress.finish("nobody reads stdout any more: stopped at step " + std::to_string(state.step) +
                    "; saved; this goes on:\n  " + command);
    return 1;
  }
  progress.finish("interrupted at step " + std::to_string(state.step) +
                  "; saved; this goes on:\n  " + command);
  return 128 + stop_signal();
}

int train(const OptionTable& table, GptSettings& s, const std::vector<std::string>& arguments,
          const std::string& program) {
  if (s.threads > 0) set_num_threads(static_cast<int>(s.threads));
  RunFolder folder(kProgram, s);
  const std::optional<std::string>& checkpoint = folder.checkpoint();
  Session session = prepare(table, s, checkpoint);
  const std::string prompt = sample_prompt(table, s, session);

  Tokens tokens = tokens_of(s, session);
  models::GptTask task(
      *session.model, *session.tokenizer, std::move(tokens.train), std::move(tokens.validation),
      {.batch_size = s.batch_size, .seq_len = s.seq_len, .seed = static_cast<uint64_t>(s.seed)});
  optim::AdamW optimizer = models::make_gpt_optimizer(
      *session.model,
      {.lr = s.lr, .beta1 = s.beta1, .beta2 = s.beta2, .weight_decay = s.weight_decay});
  const optim::CosineSchedule schedule(
      {.lr = s.lr, .min_lr = s.min_lr, .steps = s.steps, .warmup = s.warmup});
  models::Trainer trainer(task, optimizer, schedule, trainer_options(s), s.out,
                          identity(s, session),
                          Json::object({{"version", version()},
                                        {"instruction_set", instruction_set()},
                                        {"options", table.config_json()}}));
  folder.make();
  if (checkpoint) {
    trainer.resume(*checkpoint);
    folder.name_latest();
  }
  print_start(s, session);
  if (checkpoint && !s.quiet) std::cerr << "going on from " << *checkpoint << "\n";

  const bool live = stderr_is_terminal();
  const char* no_color = std::getenv("NO_COLOR");
  const bool color = s.color == "always" ||
                     (s.color == "auto" && live && (no_color == nullptr || *no_color == '\0'));
  Progress progress({.steps = s.steps,
                     .first_step = trainer.step(),
                     .live = live,
                     .color = color,
                     .quiet = s.quiet,
                     .width = terminal_width});
  models::TrainerEvents events;
  bool abandoned = false;
  events.stop = [&] { return abandoned || stop_signal() != 0; };
  events.on_step = [&](const models::StepReport& report) {
    if (s.json) std::cout << report.to_json().dump() + "\n" << std::flush;
    abandoned = !std::cout.good() && stdout_is_abandoned();
    progress.step(report);
    if (s.sample_every > 0 && report.step % s.sample_every == 0) {
      progress.message("--- sample after " + std::to_string(report.step) + " steps\n" +
                       sample_text(s, session, prompt, report.step) + "\n---");
    }
  };
  const std::string command = resume_command(program, arguments, table, s.out);
  const Autocast autocast(s.autocast == "bf16");
  return report_end(trainer.run(events), s, trainer, command, progress);
}

int run(const std::string& program, const std::vector<std::string>& arguments) {
  GptSettings settings;
  OptionTable table = make_table(settings);
  if (table.answers(arguments, [&] { settle(table, settings); })) return 0;
  catch_stop_signals();
  return train(table, settings, arguments, program);
}

}  // namespace
}  // namespace adjoint::train

int main(int argc, char** argv) {
  return adjoint::train::run_program(adjoint::train::kProgram, [&] {
    return adjoint::train::run(argv[0], std::vector<std::string>(argv + 1, argv + argc));
  });
}
