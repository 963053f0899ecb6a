// What train_gpt prints and writes where nothing goes wrong.
#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <set>

#include "tests/tools/programs.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;

class TrainGpt : public Programs {
 protected:
  static Words keys_of(const Json& object) {
    Words keys;
    for (const auto& [key, value] : object.members()) keys.push_back(key);
    return keys;
  }

  static Finished run(const Words& arguments, const ProcessOptions& options = {}) {
    return run_process(Words{ADJOINT_TRAIN_GPT} + arguments, options);
  }

  // On one text alone: of --data, which grows, tiny() gives another.
  Finished train_on(const std::string& text, const Words& more) const {
    Words words = tiny(more);
    std::replace(words.begin(), words.end(), path("text"), path(text));
    return run_process(words);
  }

  static Json config(const Words& arguments, const ProcessOptions& options = {}) {
    const Finished end = run(arguments + Words{"--print-config", "--json"}, options);
    EXPECT_EQ(end.status, 0) << end.err;
    EXPECT_EQ(end.err, "");
    return Json::parse(end.out);
  }
};

TEST_F(TrainGpt, HelpAndVersion) {
  const Finished help = run({"--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_EQ(help.err, "");
  // Everything that the project's first milestone names.
  for (const char* option : {"--data PATH...",
                             "--init DIR",
                             "--preset char|tiny|small|124m",
                             "--steps N",
                             "--batch-size N",
                             "--seq-len N",
                             "--lr X",
                             "--warmup N",
                             "--dropout X",
                             "--autocast none|bf16",
                             "--grad-clip X",
                             "--seed N",
                             "--threads N",
                             "--out DIR",
                             "--resume auto|never|must",
                             "--eval-every N",
                             "--save-every N",
                             "--sample-every N",
                             "--json",
                             "--help",
                             "--version",
                             "--print-config"}) {
    EXPECT_NE(help.out.find(std::string(" ") + option), std::string::npos) << option;
  }
  for (const std::string& line : lines_of(help.out)) EXPECT_LE(line.size(), 100U) << line;
  for (const char* words :
       {"(default \"\\n\")\n", "(default yes; --no-bias for no)", "at least 2", "background job"}) {
    EXPECT_NE(help.out.find(words), std::string::npos) << words;
  }
  EXPECT_EQ(run({"-h"}).out, help.out);
  EXPECT_EQ(run({"--steps", "3", "--help"}).out, help.out);

  const Finished version = run({"--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_TRUE(version.out.starts_with("train_gpt 0.")) << version.out;
  EXPECT_EQ(lines_of(version.out).size(), 1U);
}

// The values of the issue that asked for them: char is nanoGPT's configuration for a CPU.
TEST_F(TrainGpt, Presets) {
  struct Preset {
    const char* name;
    int64_t width, heads, layers, context;
  };
  for (const Preset& p : {Preset{"char", 128, 4, 4, 64}, Preset{"tiny", 64, 4, 2, 64},
                          Preset{"small", 128, 4, 2, 512}, Preset{"124m", 768, 12, 12, 1024}}) {
    SCOPED_TRACE(p.name);
    const Json json = config({"--preset", p.name});
    EXPECT_EQ(json.get<int64_t>("n-embd", "value"), p.width);
    EXPECT_EQ(json.get<int64_t>("n-head", "value"), p.heads);
    EXPECT_EQ(json.get<int64_t>("n-layer", "value"), p.layers);
    EXPECT_EQ(json.get<int64_t>("seq-len", "value"), p.context);
    EXPECT_EQ(json.get<std::string>("seq-len", "origin"), std::string("preset ") + p.name);
  }
  const Json json = config({"--preset", "char"});
  EXPECT_EQ(json.get<int64_t>("batch-size", "value"), 12);
  EXPECT_EQ(json.get<double>("dropout", "value"), 0);
  EXPECT_EQ(json.get<double>("lr", "value"), 1e-3);
  EXPECT_DOUBLE_EQ(json.get<double>("min-lr", "value"), 1e-4);
  EXPECT_EQ(json.get<int64_t>("warmup", "value"), 100);
  EXPECT_EQ(json.get<double>("beta1", "value"), 0.9);
  EXPECT_EQ(json.get<double>("beta2", "value"), 0.99);
  EXPECT_EQ(json.get<double>("weight-decay", "value"), 0.1);
  EXPECT_EQ(json.get<double>("grad-clip", "value"), 1);
  EXPECT_EQ(json.get<int64_t>("steps", "value"), 2000);
}

TEST_F(TrainGpt, ValuesComeFromDefaultsPresetEnvironmentAndFlags) {
  const ProcessOptions options = {.environment = {{"ADJOINT_SEQ_LEN", "32"},
                                                  {"ADJOINT_BATCH_SIZE", "7"},
                                                  {"ADJOINT_BIAS", "false"},
                                                  {"ADJOINT_DATA", "elsewhere"},
                                                  {"ADJOINT_GRAD_CLIP", ""}}};
  const Json json = config({"--preset", "tiny", "--batch-size", "5", "--batch-size=6", "--lr=0.02",
                            "--data", "a", "b", "--data", "c"},
                           options);
  const auto expect = [&](const char* name, const Json& value, const char* origin) {
    EXPECT_EQ(json.at(name, "value"), value) << name;
    EXPECT_EQ(json.get<std::string>(name, "origin"), origin) << name;
  };
  expect("dropout", 0.0, "default");
  expect("grad-clip", 1.0, "default");  // an empty variable is none
  expect("n-embd", 64, "preset tiny");
  expect("preset", "tiny", "command line");
  expect("seq-len", 32, "ADJOINT_SEQ_LEN");
  expect("bias", false, "ADJOINT_BIAS");
  expect("batch-size", 6, "command line");  // the last counts
  expect("data", Json::array({"a", "b", "c"}), "command line");
  expect("min-lr", 0.02 / 10, "a tenth of lr");
  expect("warmup", 50, "a tenth of steps");
  EXPECT_EQ(config({}, {.environment = {{"ADJOINT_PRESET", "small"}}})
                .get<std::string>("seq-len", "origin"),
            "preset small");

  const Finished text = run({"--preset", "tiny", "--batch-size", "6", "--print-config"}, options);
  EXPECT_EQ(text.status, 0);
  const std::vector<std::string> lines = lines_of(text.out);
  EXPECT_EQ(lines.size(), json.members().size());
  for (const char* line :
       {"n-embd = 64  # preset tiny", "seq-len = 32  # ADJOINT_SEQ_LEN",
        "batch-size = 6  # command line", "dropout = 0.0  # default", "prompt = \"\\n\"  # default",
        "data = elsewhere  # ADJOINT_DATA", "preset = tiny  # command line"}) {
    EXPECT_EQ(std::count(lines.begin(), lines.end(), line), 1) << line << " in\n" << text.out;
  }
}

// 0 is --threads' own word for all of them, and every option may come from the environment.
TEST_F(TrainGpt, AllThreads) {
  const Finished end = train({}, {.environment = {{"ADJOINT_THREADS", "0"}}});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.err.find(" threads, "), std::string::npos) << end.err;
  EXPECT_EQ(end.err.find(" 0 threads, "), std::string::npos) << end.err;
}

TEST_F(TrainGpt, ExtensionWithoutItsDot) {
  folder_.write("folder/a.txt", some_text(6000));
  folder_.write("folder/b.bin", "\xFF");
  const Finished end = train_on("folder", {"--extensions", "txt"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_TRUE(end.err.starts_with("data: 1 file, 5400 bytes to learn")) << end.err;
}

TEST_F(TrainGpt, TextFromAPipe) {
  const Words words = tiny();
  std::string command;
  for (const std::string& word : words) {
    command += (word == path("text") ? "/dev/stdin" : word) + " ";
  }
  const Finished end = run_process({"sh", "-c", "cat " + path("text") + " | " + command});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_TRUE(end.err.starts_with("data: 1 file, 5400 bytes to learn")) << end.err;
}

// `train_gpt --json | head -1`: nobody reads on, so there is no reason to go on.
TEST_F(TrainGpt, ReaderThatLeaves) {
  std::string command;
  for (const std::string& word : tiny({"--json", "--quiet", "--steps", "2000000"})) {
    command += word + " ";
  }
  const Finished end =
      run_process({"sh", "-c", "( " + command + "; echo status $? >&2 ) | head -n 1"});
  const std::vector<std::string> lines = lines_of(end.err);
  ASSERT_EQ(lines.size(), 3U) << end.err;
  EXPECT_TRUE(lines[0].starts_with("nobody reads stdout any more: stopped at step ")) << end.err;
  EXPECT_TRUE(lines[1].ends_with("--resume must")) << end.err;
  EXPECT_EQ(lines[2], "status 1");
  EXPECT_EQ(lines_of(end.out).size(), 1U);
  const std::string latest = bytes_of_file(path("run/latest"));
  const auto made = Json::load(path("run/" + latest.substr(0, 13) + "/state.json"));
  EXPECT_EQ(made.get<size_t>("step"), metrics_of(path("run")).size());
}

TEST_F(TrainGpt, SlashAfterTheFolder) {
  const Finished end = train({"--out", path("run//")});
  EXPECT_NE(end.err.find("done: " + path("run/step-00000012")), std::string::npos) << end.err;
}

TEST_F(TrainGpt, FolderOfARun) {
  ASSERT_EQ(train({"--save-every", "3"}).status, 0);
  std::set<std::string> expected = {"metrics.jsonl", "latest", "step-00000009", "step-00000012"};
  for (const char* step : {"step-00000009/", "step-00000012/"}) {
    for (const char* file : {"model.safetensors", "optimizer.safetensors", "state.json",
                             "config.json", "tokenizer.json", "MANIFEST.json"}) {
      expected.insert(std::string(step) + file);
    }
  }
  std::set<std::string> found;
  for (const auto& [name, bytes] : contents_of(path("run"))) found.insert(name);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(bytes_of_file(path("run/latest")), "step-00000012\n");

  ASSERT_EQ(train({"--save-every", "3", "--keep", "3", "--out", path("more")}).status, 0);
  EXPECT_TRUE(fs::exists(path("more/step-00000006")));
  EXPECT_FALSE(fs::exists(path("more/step-00000003")));
  // The bytes of the weights depend on the weights alone.
  EXPECT_EQ(bytes_of_file(path("more/step-00000012/model.safetensors")),
            bytes_of_file(path("run/step-00000012/model.safetensors")));
}

TEST_F(TrainGpt, Metrics) {
  const Finished end = train({"--eval-every", "5", "--json", "--quiet", "--warmup", "3"});
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.err, "");
  EXPECT_EQ(end.out, bytes_of_file(path("run/metrics.jsonl")));
  const std::vector<std::string> lines = lines_of(end.out);
  ASSERT_EQ(lines.size(), 12U);
  for (int64_t step = 1; step <= 12; ++step) {
    const Json line = Json::parse(lines[static_cast<size_t>(step - 1)]);
    Words keys = {"step", "train_loss", "lr", "grad_norm", "tokens_per_second"};
    if (step % 5 == 0 || step == 12) keys.push_back("val_loss");
    EXPECT_EQ(keys_of(line), keys);
    EXPECT_EQ(line.get<int64_t>("step"), step);
    EXPECT_GT(line.get<double>("tokens_per_second"), 0);
    EXPECT_GT(line.get<double>("grad_norm"), 0);
    // nanoGPT's schedule, its it = step - 1.
    const double it = static_cast<double>(step - 1);
    const double cosine = 0.5 * (1 + std::cos(std::acos(-1.0) * (it - 3) / (12 - 3)));
    const double lr = it < 3 ? 1e-3 * (it + 1) / 4 : 1e-4 + cosine * 9e-4;
    EXPECT_NEAR(line.get<double>("lr"), lr, 1e-12);
  }
  // Untrained, it knows nothing: the logarithm of the number of characters.
  const Json tokenizer = Json::load(path("run/step-00000012/tokenizer.json"));
  const auto vocab = tokenizer.get<std::string>("characters").size();  // ASCII
  EXPECT_NEAR(Json::parse(lines[0]).get<double>("train_loss"), std::log(vocab), 0.2);
}

TEST_F(TrainGpt, LearnsWhatIsThere) {
  folder_.write("pattern", [] {
    std::string text;
    for (int i = 0; i < 600; ++i) text += "abcdefgh";
    return text;
  }());
  const Finished end = train_on("pattern", {"--steps", "300", "--lr", "0.01", "--quiet", "--json",
                                            "--batch-size", "8", "--n-embd", "16"});
  ASSERT_EQ(end.status, 0);
  // What follows is certain from the second character on, and of equal chance for none.
  EXPECT_LT(Json::parse(lines_of(end.out).back()).get<double>("val_loss"), 0.05);
  const Finished text =
      adjoint({"generate", "--model", path("run"), "--prompt", "ab", "--max-tokens", "22"});
  EXPECT_EQ(text.out, "abcdefghabcdefghabcdefgh\n");
}

// Plain lines where there is no terminal: no escape codes, nothing redrawn.
TEST_F(TrainGpt, PlainLines) {
  const Finished end = train({"--eval-every", "4", "--color", "always"});
  EXPECT_EQ(end.out, "");
  EXPECT_EQ(end.err.find_first_of("\r\x1b"), std::string::npos) << end.err;
  const std::vector<std::string> lines = lines_of(end.err);
  ASSERT_GE(lines.size(), 7U);
  EXPECT_TRUE(lines[0].starts_with("data: 1 file, 5400 bytes to learn, 600 to be examined on"));
  EXPECT_TRUE(lines[1].starts_with("model: ")) << lines[1];
  EXPECT_NE(lines[1].find(", a vocabulary of "), std::string::npos) << lines[1];
  EXPECT_TRUE(lines[2].starts_with("run: " + path("run") + ", seed 1337, ")) << lines[2];
  EXPECT_TRUE(lines[3].starts_with("step 1/12  loss ")) << lines[3];
  for (const char* part : {"  val ", "  lr ", "  norm ", " tok/s", "  ETA 0:0"}) {
    EXPECT_NE(lines[4].find(part), std::string::npos) << lines[4];
  }
  EXPECT_TRUE(lines.back().starts_with("done: " + path("run") + "/step-00000012, best validation"))
      << lines.back();
  EXPECT_EQ(train({"--quiet", "--out", path("second")}).err, "");
}

TEST_F(TrainGpt, BarOnATerminal) {
  const Words words = {"--eval-every", "4", "--sample-every", "6", "--sample-len", "5"};
  const auto on_terminal = [&](const Words& more, const std::string& out,
                               std::map<std::string, std::string> environment, int columns) {
    environment.emplace("TERM", "xterm");
    return train(words + more + Words{"--out", path(out)},
                 {.environment = environment, .terminal_columns = columns});
  };
  const Finished end = on_terminal({}, "wide", {}, 140);
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(end.out, "");
  EXPECT_NE(end.err.find("\r\x1b[K\x1b[32m[=="), std::string::npos) << end.err;
  for (const char* part : {"] \x1b[0mstep 4/12  loss ", "step 12/12  loss ", "  val ", "  lr ",
                           "  norm ", " tok/s  ETA 0:00"}) {
    EXPECT_NE(end.err.find(part), std::string::npos) << part << " in " << end.err;
  }
  // A sample stands above the bar, on a cleared line.
  EXPECT_NE(end.err.find("\r\x1b[K--- sample after 6 steps\r\n"), std::string::npos) << end.err;
  EXPECT_TRUE(end.err.ends_with("\n")) << end.err;

  // The width is kept to: a line that wraps would not be redrawn but repeated.
  const Finished narrow = on_terminal({}, "narrow", {{"NO_COLOR", "1"}}, 40);
  size_t redrawn = 0;
  for (size_t at = 0; (at = narrow.err.find("\r\x1b[Kstep ", at)) != std::string::npos; ++at) {
    const size_t begin = at + 4, end_of_line = narrow.err.find_first_of("\r\n", begin);
    EXPECT_LT(end_of_line - begin, 40U);
    ++redrawn;
  }
  EXPECT_GE(redrawn, 3U) << narrow.err;

  // Without colour nothing but the clearing of the line is left.
  for (const auto& [more, environment] :
       {std::pair{Words{}, std::map<std::string, std::string>{{"NO_COLOR", "1"}}},
        std::pair{Words{"--color", "never"}, std::map<std::string, std::string>{}}}) {
    fs::remove_all(path("plain"));
    std::string text = on_terminal(more, "plain", environment, 140).err;
    EXPECT_NE(text.find("\r\x1b[K[=="), std::string::npos) << text;
    for (size_t at = 0; (at = text.find('\x1b', at)) != std::string::npos; ++at) {
      EXPECT_EQ(text.substr(at, 3), "\x1b[K");
    }
  }

  // What it comes to is the last that is printed, below the bar.
  const std::vector<std::string> lines = lines_of(end.err);
  EXPECT_TRUE(lines.back().starts_with("done: ")) << lines.back();
  EXPECT_NE(lines.at(lines.size() - 2).find("step 12/12  loss "), std::string::npos) << end.err;
  const Finished early = on_terminal({"--max-time", "0.0001"}, "early", {}, 140);
  EXPECT_NE(early.err.find("\r\ntime is up at step 1; saved; this goes on:\r\n  "),
            std::string::npos)
      << early.err;
  EXPECT_TRUE(early.err.ends_with(" --resume must\r\n")) << early.err;

  // A terminal that takes no control sequences gets lines.
  const Finished dumb = on_terminal({}, "dumb", {{"TERM", "dumb"}}, 140);
  EXPECT_EQ(dumb.err.find('\x1b'), std::string::npos) << dumb.err;
  EXPECT_NE(dumb.err.find("\nstep 12/12  loss "), std::string::npos) << dumb.err;
}

TEST_F(TrainGpt, Samples) {
  const Words words = {"--sample-every", "5", "--sample-len", "7", "--prompt", "the"};
  const Finished end = train(words);
  ASSERT_EQ(end.status, 0) << end.err;
  for (const char* step : {"5", "10"}) {
    const std::string head = std::string("--- sample after ") + step + " steps\nthe";
    const size_t at = end.err.find(head);
    ASSERT_NE(at, std::string::npos) << end.err;
    EXPECT_EQ(end.err.substr(at + head.size() + 7, 5), "\n---\n") << end.err;
  }
  // The default, a new line, may be missing in the text: any character of it will do.
  folder_.write("one-line", std::string(600, 'a') + std::string(600, 'b'));
  const Finished other =
      train_on("one-line", {"--sample-every", "5", "--sample-len", "7", "--out", path("other")});
  EXPECT_EQ(other.status, 0) << other.err;
  EXPECT_NE(other.err.find("--- sample after 5 steps\na"), std::string::npos) << other.err;
  // Drawing them changes no weight.
  ASSERT_EQ(train({"--out", path("without")}).status, 0);
  EXPECT_EQ(bytes_of_file(path("without/step-00000012/model.safetensors")),
            bytes_of_file(path("run/step-00000012/model.safetensors")));
}

// The weights of a model, with a fresh optimizer: the first loss is the old model's.
TEST_F(TrainGpt, Init) {
  ASSERT_EQ(train({"--steps", "60", "--lr", "0.01", "--n-embd", "16"}).status, 0);
  const Words from = {
      ADJOINT_TRAIN_GPT, "--data", path("text"), "--init",  path("run"), "--steps", "2",
      "--batch-size",    "2",      "--json",     "--quiet", "--warmup",  "0"};
  const Finished begun =
      run_process(from + Words{"--out", path("second"), "--eval-every", "1", "--lr", "1e-12"});
  ASSERT_EQ(begun.status, 0) << begun.err;
  const auto last_val_loss = [](const std::string& lines) {
    return Json::parse(lines_of(lines).back()).get<double>("val_loss");
  };
  const double before = last_val_loss(bytes_of_file(path("run/metrics.jsonl")));
  EXPECT_NEAR(last_val_loss(begun.out), before, 1e-6);
  EXPECT_LT(before, 2.6);  // it had learnt something that a fresh model has not
  const Json first = Json::load(path("run/step-00000060/config.json"));
  EXPECT_EQ(Json::load(path("second/step-00000002/config.json")).dump(), first.dump());
  EXPECT_EQ(bytes_of_file(path("second/step-00000002/tokenizer.json")),
            bytes_of_file(path("run/step-00000060/tokenizer.json")));
  // A shorter context, and one checkpoint instead of a run.
  EXPECT_EQ(run_process(from + Words{"--out", path("third"), "--init", path("run/step-00000060"),
                                     "--seq-len", "4"})
                .status,
            0);
}

}  // namespace
}  // namespace adjoint
