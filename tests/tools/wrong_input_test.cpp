// What is wrong ends in one line that says what, where, and what to do, with the right status, and
// leaves the disk as it was.
#include <adjoint/core/file.h>

#include <csignal>
#include <filesystem>
#include <functional>

#include "tests/tools/programs.h"

namespace adjoint {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* what;
  Words arguments;
  int status;
  Words says;  // each of these words must be in the line
};

class WrongInput : public Programs {
 protected:
  // A run of twelve steps with checkpoints 8 and 12.
  void make_run(const std::string& name = "run", const Words& more = {}) {
    const Finished made = train(Words{"--save-every", "4", "--out", path(name)} + more);
    ASSERT_EQ(made.status, 0) << made.err;
  }

  void expect_refused(const Words& command, const Case& wrong,
                      const ProcessOptions& options = {}) const {
    SCOPED_TRACE(wrong.what);
    const auto before = contents_of(path(""));
    const Finished end = run_process(command + wrong.arguments, options);
    EXPECT_EQ(end.status, wrong.status);
    EXPECT_EQ(end.out, "");
    EXPECT_EQ(lines_of(end.err).size(), 1U) << end.err;
    EXPECT_TRUE(end.err.ends_with("\n")) << end.err;
    const std::string program = fs::path(command[0]).filename().string() + ": ";
    EXPECT_TRUE(end.err.starts_with(program)) << end.err;
    for (const std::string& word : wrong.says) {
      EXPECT_NE(end.err.find(word), std::string::npos) << "no '" << word << "' in: " << end.err;
    }
    EXPECT_TRUE(contents_of(path("")) == before) << "something on the disk has changed";
  }

  void expect_all_refused(const Words& command, const std::vector<Case>& cases) const {
    for (const Case& wrong : cases) expect_refused(command, wrong);
  }
};

TEST_F(WrongInput, CommandLineOfTraining) {
  expect_all_refused(
      {ADJOINT_TRAIN_GPT},
      {
          {"unknown flag", {"--stpes", "3"}, 2, {"--stpes", "did you mean --steps?"}},
          {"unknown flag with a value", {"--batchsize=3"}, 2, {"--batch-size?"}},
          {"unknown negated flag", {"--no-bais"}, 2, {"--no-bias?"}},
          {"nothing like it", {"--qqqqqqqqqqqq"}, 2, {"--qqqqqqqqqqqq", "--help"}},
          {"one dash", {"-steps", "3"}, 2, {"-steps", "--steps?"}},
          {"no option takes it", {"text"}, 2, {"unexpected argument 'text'"}},
          {"value missing at the end", {"--steps"}, 2, {"--steps", "missing", "--steps N"}},
          {"value missing before another", {"--steps", "--json"}, 2, {"--steps", "missing"}},
          {"list without values", {"--data", "--json"}, 2, {"--data", "missing", "PATH"}},
          {"value for what takes none", {"--no-bias=1"}, 2, {"--no-bias", "no value"}},
          {"not a number", {"--steps", "ten"}, 2, {"--steps", "'ten'", "whole number"}},
          {"a number and more", {"--steps", "10k"}, 2, {"--steps", "'10k'"}},
          {"not whole", {"--steps", "1.5"}, 2, {"--steps", "'1.5'"}},
          {"beyond 64 bits", {"--steps", "99999999999999999999"}, 2, {"--steps", "between"}},
          {"beyond 64 bits, any", {"--seed=18446744073709551616"}, 2, {"--seed", "0 and 92233720"}},
          {"value for --help", {"--help=1"}, 2, {"--help: takes no value"}},
          {"empty", {"--steps="}, 2, {"--steps", "''"}},
          {"below the range", {"--steps", "0"}, 2, {"--steps", "'0'", "between 1"}},
          {"negative", {"--batch-size", "-1"}, 2, {"--batch-size", "'-1'"}},
          {"above the range", {"--dropout", "1"}, 2, {"--dropout", "'1'", "0.95"}},
          {"not finite", {"--lr", "nan"}, 2, {"--lr", "'nan'", "a number above"}},
          {"absurd", {"--lr", "1e30"}, 2, {"--lr", "'1e30'", "at most 100"}},
          {"zero where it must not be", {"--lr", "0"}, 2, {"--lr", "'0'", "above 0"}},
          {"keeping one", {"--keep", "1"}, 2, {"--keep", "between 2", "'1'"}},
          {"unknown preset", {"--preset", "tyni"}, 2, {"--preset", "'tyni'", "mean tiny?"}},
          {"empty preset", {"--preset="}, 2, {"--preset", "''", "char, tiny, small, 124m"}},
          {"unknown choice", {"--resume", "mist"}, 2, {"--resume", "'mist'", "must?"}},
          {"not yes or no", {"--json=maybe"}, 2, {"--json", "'maybe'", "true or false"}},
          {"no folder's name", {"--out="}, 2, {"--out", "empty"}},
      });
  expect_all_refused(
      tiny(), {
                  {"heads", {"--n-head", "3"}, 2, {"--n-embd: 8", "--n-head, 3"}},
                  {"rates", {"--lr", "0.1", "--min-lr", "0.2"}, 2, {"--min-lr: 0.2", "--lr, 0.1"}},
                  {"warm-up", {"--warmup", "13"}, 2, {"--warmup: 13", "--steps, 12"}},
                  {"unknown characters", {"--prompt", "a€"}, 1, {"--prompt", "U+20AC", "byte 1"}},
                  {"empty prompt", {"--prompt", ""}, 2, {"--prompt", "empty"}},
              });
}

TEST_F(WrongInput, Environment) {
  const auto refused = [&](const char* name, const char* value, const Words& says) {
    expect_refused(tiny(), {name, {}, 2, says}, {.environment = {{name, value}}});
  };
  refused("ADJOINT_SEQ_LEN", "long", {"ADJOINT_SEQ_LEN in the environment", "'long'", "--seq-len"});
  refused("ADJOINT_PRESET", "chars", {"ADJOINT_PRESET in the environment", "'chars'", "char?"});
}

TEST_F(WrongInput, TextOfTraining) {
  folder_.write("empty", "");
  folder_.write("folder/empty.txt", "");
  folder_.write("folder/.hidden", "text");
  folder_.write("files/a.txt", "some text");
  folder_.write("latin1", "caf\xE9 au lait");
  folder_.write("cut", std::string(70000, 'a') + "\xE2\x82");
  folder_.write("short", "a text");
  folder_.write("two", "ab");
  fs::create_directory(path("nothing"));
  folder_.write("mixed/b.bin", "\xFF");
  const auto of = [&](const char* name) {
    return Words{"--data", *name == '/' ? name : path(name)};
  };
  const Words rest = {"--n-layer", "1", "--n-head", "1",     "--n-embd", "8", "--seq-len", "8",
                      "--steps",   "2", "--quiet",  "--out", path("run")};
  expect_all_refused(
      Words{ADJOINT_TRAIN_GPT} + rest,
      {
          {"missing file", of("absent"), 1, {path("absent"), "no such file"}},
          {"missing folder", of("absent/text"), 1, {path("absent/text"), "no such file"}},
          {"below a file", of("text/text"), 1, {path("text/text"), "no such file"}},
          {"empty file", of("empty"), 1, {path("empty"), "the file is empty"}},
          {"empty folder", of("nothing"), 1, {path("nothing"), "no text files"}},
          {"only empty and hidden files", of("folder"), 1, {path("folder"), "no text files"}},
          {"no file with the ending",
           of("files") + Words{"--extensions", ".cpp"},
           1,
           {path("files"), "no text files with the extensions"}},
          {"not UTF-8", of("latin1"), 1, {path("latin1"), "not valid UTF-8", "offset 3 "}},
          {"not UTF-8 in a folder",
           of("mixed"),
           1,
           {path("mixed/b.bin"), "offset 0", "--extensions"}},
          {"a device", of("/dev/zero"), 1, {"/dev/zero: a device", "pipe"}},
          {"cut inside a character", of("cut"), 1, {path("cut"), "offset 70000 "}},
          {"context longer than the text",
           of("text") + Words{"--seq-len", "5400"},
           1,
           {"--seq-len", "5400", "at most --seq-len 5399"}},
          {"text shorter than any context", of("two"), 1, {"--seq-len"}},
          {"nothing to examine",
           of("text") + Words{"--val-data", path("nothing")},
           1,
           {path("nothing"), "no text files"}},
          {"too little to examine",
           of("text") + Words{"--val-data", folder_.write("one", "a")},
           1,
           {"held out", "--val-data"}},
          {"learnt and examined",
           of("text") + Words{"--val-data", path("") + "/./text"},
           1,
           {"--val-data", "in --data too"}},
          {"named twice",
           of("text") + of("text"),
           1,
           {path("text"), "named twice", "name it once"}},
          {"whole files of one",
           of("text") + Words{"--val-split", "files"},
           1,
           {"--val-split", "at least two"}},
          {"no run to go on with", of("text") + Words{"--resume", "must"}, 1, {"no checkpoint"}},
          {"no model to begin with",
           of("text") + Words{"--init", path("absent")},
           1,
           {path("absent"), "no such folder"}},
      });
}

TEST_F(WrongInput, FolderOfTraining) {
  fs::create_directory(path("nothing"));
  const Words command = tiny({"--quiet"});
  const auto out = [&](const std::string& name) { return Words{"--out", path(name)}; };
  expect_all_refused(
      command,
      {
          {"a file", out("text"), 1, {path("text"), "is a file", "--out"}},
          {"below a file", out("text/deeper/run"), 1, {path("text"), "folder"}},
          {"must go on", out("nothing") + Words{"--resume", "must"}, 1, {path("nothing"), "must"}},
      });
  make_run();
  expect_all_refused(
      command, {
                   {"must not", {"--resume", "never"}, 1, {path("run"), "a run already", "--out"}},
                   {"another seed", {"--seed", "2"}, 1, {"seed", "1337", "2", "--out"}},
                   {"another width", {"--n-embd", "16"}, 1, {"--n-embd was 8", "16", "--out"}},
                   {"another rate", {"--lr", "0.5"}, 1, {"lr", "0.5", "--out"}},
                   {"more steps", {"--steps", "20"}, 1, {"steps", "12", "20", "--init"}},
                   {"other batches", {"--batch-size", "3"}, 1, {"batch-size", "2", "3"}},
                   {"other dropout", {"--dropout", "0.5"}, 1, {"dropout", "0.5"}},
               });
  folder_.write("text", some_text(6001));
  expect_refused(command, {"another text", {}, 1, {"the text is another one than", "--out"}});
}

TEST_F(WrongInput, ModelToBeginWith) {
  make_run();
  folder_.write("other", "characters of € another text, which is long enough to be examined");
  const Words command = {ADJOINT_TRAIN_GPT, "--data", path("text"), "--init", path("run"),
                         "--steps",         "2",      "--quiet",    "--out",  path("second")};
  const std::string where = path("run");
  expect_all_refused(
      command,
      {
          {"width", {"--n-embd", "16"}, 2, {"--n-embd: 16", where, "has 8", "leave it out"}},
          {"depth", {"--n-layer", "3"}, 2, {"--n-layer: 3", where, "has 1"}},
          {"heads", {"--n-head", "4"}, 2, {"--n-head: 4", where, "has 2"}},
          {"biases", {"--no-bias"}, 2, {"--bias: 0", where}},
          {"context", {"--seq-len", "9"}, 2, {"--seq-len: 9", where, "8"}},
          {"preset", {"--preset", "tiny"}, 2, {"--n-layer: 2 (preset tiny)", where, "has 1"}},
          {"text", {"--data", path("other")}, 1, {"'c'", "characters that the model knows"}},
      });
}

TEST_F(WrongInput, OutputThatCannotBeWritten) {
  make_run();
  const Finished generated =
      adjoint({"generate", "--model", path("run"), "--prompt", "a"}, {.stdout_file = "/dev/full"});
  EXPECT_EQ(generated.status, 1);
  EXPECT_EQ(lines_of(generated.err).size(), 1U) << generated.err;
  EXPECT_NE(generated.err.find("stdout"), std::string::npos) << generated.err;
  // The training itself is not lost.
  const Finished trained =
      train({"--json", "--quiet", "--out", path("other")}, {.stdout_file = "/dev/full"});
  EXPECT_EQ(trained.status, 1);
  EXPECT_EQ(lines_of(trained.err).size(), 1U) << trained.err;
  EXPECT_EQ(metrics_of(path("other")), metrics_of(path("run")));
}

// A checkpoint that cannot be written is not there, and the one before it is.
TEST_F(WrongInput, DiskThatIsFull) {
  const Words command = tiny({"--steps", "100", "--save-every", "10", "--quiet"});
  const Finished begun = run_process(command + Words{"--max-time", "0.0001"});
  ASSERT_EQ(begun.status, 0) << begun.err;
  const std::string first = "step-00000001";
  const auto before = contents_of(path("run/" + first));
  const auto size = static_cast<uint64_t>(before.at("optimizer.safetensors").size());
  for (const uint64_t limit : {size - 1, size / 2 + 100, uint64_t{4000}}) {
    SCOPED_TRACE(limit);
    const Finished end = run_process(command, {.file_limit = limit});
    EXPECT_EQ(end.status, 1);
    ASSERT_EQ(lines_of(end.err).size(), 1U) << end.err;
    EXPECT_NE(end.err.find(path("run") + "/"), std::string::npos) << end.err;
    EXPECT_NE(end.err.find(".safetensors: "), std::string::npos) << end.err;
    EXPECT_TRUE(contents_of(path("run/" + first)) == before);
    EXPECT_EQ(bytes_of_file(path("run/latest")), first + "\n");
    for (const auto& entry : fs::directory_iterator(path("run"))) {
      const std::string name = entry.path().filename().string();
      EXPECT_TRUE(name == first || name == "latest" || name == "metrics.jsonl") << name;
    }
  }
  // Room has been made: it goes on, to the same end.
  ASSERT_EQ(run_process(command).status, 0);
  ASSERT_EQ(run_process(command + Words{"--out", path("whole")}).status, 0);
  EXPECT_TRUE(bytes_of_file(path("run/step-00000100/model.safetensors")) ==
              bytes_of_file(path("whole/step-00000100/model.safetensors")));
  EXPECT_EQ(metrics_of(path("run")), metrics_of(path("whole")));
}

// A loss that is NaN: nothing of the last good checkpoint is lost, and it says so.
TEST_F(WrongInput, DivergingTraining) {
  const Words diverging =
      tiny({"--lr", "100", "--min-lr", "100", "--weight-decay", "10", "--warmup", "0",
            "--grad-clip", "0", "--quiet", "--save-every", "1"});
  const Finished end = run_process(diverging);
  EXPECT_EQ(end.status, 1);
  ASSERT_EQ(lines_of(end.err).size(), 1U) << end.err;
  const std::vector<std::string> metrics = metrics_of(path("run"));
  const std::string step = std::to_string(metrics.size() + 1);
  EXPECT_NE(end.err.find(" is nan at step " + step + "; "), std::string::npos) << end.err;
  EXPECT_NE(end.err.find("first appears in the output of transformer."), std::string::npos)
      << end.err;
  EXPECT_NE(end.err.find("a lower learning rate"), std::string::npos) << end.err;
  const std::string latest = bytes_of_file(path("run/latest"));
  EXPECT_EQ(Json::load(path("run/" + latest.substr(0, 13) + "/state.json")).get<int64_t>("step"),
            static_cast<int64_t>(metrics.size()));
  EXPECT_EQ(adjoint({"inspect", path("run/" + latest.substr(0, 13))}).status, 0);
  // Going on from it comes to the same end, and leaves the same.
  const auto before = contents_of(path("run"));
  const Finished again = run_process(diverging);
  EXPECT_EQ(again.status, 1);
  EXPECT_EQ(again.err, end.err);
  EXPECT_TRUE(contents_of(path("run")) == before);
}

TEST_F(WrongInput, CommandLineOfAdjoint) {
  make_run();
  const std::string run = path("run");
  const auto generate = [&](const Words& more) {
    return Words{"generate", "--model", run, "--prompt", "a"} + more;
  };
  expect_all_refused(
      {ADJOINT_CLI},
      {
          {"no command", {}, 2, {"no command", "generate"}},
          {"unknown command", {"genrate"}, 2, {"'genrate'", "'generate'?"}},
          {"nothing like it", {"frobnicate"}, 2, {"'frobnicate'", "--help"}},
          {"help without dashes", {"help"}, 2, {"'help'", "'--help'?"}},
          {"help misspelt", {"--hlp"}, 2, {"'--hlp'", "'--help'?"}},
          {"unknown flag", generate({"--topk", "3"}), 2, {"--topk", "--top-k?"}},
          {"no model", {"generate", "--prompt", "a"}, 2, {"--model", "missing"}},
          {"no prompt", {"generate", "--model", run}, 2, {"--prompt", "missing"}},
          {"empty prompt", generate({"--prompt", ""}), 2, {"--prompt", "empty"}},
          {"nothing to write", generate({"--max-tokens", "0"}), 2, {"--max-tokens", "'0'"}},
          {"cold", generate({"--temperature", "-1"}), 2, {"--temperature", "'-1'"}},
          {"no token", generate({"--top-p", "0"}), 2, {"--top-p", "'0'", "above 0"}},
          {"more than all", generate({"--top-p", "1.5"}), 2, {"--top-p", "'1.5'"}},
          {"top-k", generate({"--top-k", "-1"}), 2, {"--top-k", "'-1'"}},
          {"empty stop", generate({"--stop", ""}), 2, {"--stop", "empty"}},
          {"unknown character", generate({"--prompt", "a€"}), 1, {"--prompt", "U+20AC", "byte 1"}},
          {"prompt not UTF-8", generate({"--prompt", "a\xFF"}), 1, {"--prompt", "offset 1"}},
          {"model missing", generate({"--model", path("no")}), 1, {path("no"), "no such folder"}},
          {"model a file", generate({"--model", path("text")}), 1, {path("text"), "a file"}},
          {"no checkpoint in it", generate({"--model", path("")}), 1, {"no checkpoint in it"}},
          {"nothing to inspect", {"inspect"}, 2, {"DIR", "missing"}},
          {"two to inspect", {"inspect", run, run}, 2, {"unexpected argument"}},
          {"inspect what is not there", {"inspect", path("no")}, 1, {path("no")}},
          {"no text", {"eval", "--model", run}, 2, {"--data", "missing"}},
          {"no model to eval", {"eval", "--data", path("text")}, 2, {"--model", "missing"}},
          {"missing text", {"eval", "--model", run, "--data", path("no")}, 1, {path("no")}},
          {"one character",
           {"eval", "--model", run, "--data", folder_.write("one", "a")},
           1,
           {"one character", "at least two"}},
          {"unknown characters",
           {"eval", "--model", run, "--data", folder_.write("other", "a river Ω")},
           1,
           {"U+03A9", "byte 8"}},
      });
}

// Of every file of a checkpoint: cut off, gone, and with one bit flipped.
class DamagedCheckpoint : public WrongInput {
 protected:
  using Damage = std::function<void(const std::string& what)>;

  // Calls with the checkpoint damaged in one way after the other, and mends it.
  static void for_each_damage(const std::string& checkpoint, const Damage& look) {
    for (const char* name : {"model.safetensors", "optimizer.safetensors", "state.json",
                             "config.json", "tokenizer.json", "MANIFEST.json"}) {
      const std::string file = checkpoint + "/" + name, bytes = bytes_of_file(file);
      ASSERT_GT(bytes.size(), 8U) << file;
      const auto with = [&](const std::string& damaged, const std::string& what) {
        std::ofstream(file, std::ios::binary) << damaged;
        look(std::string(name) + ", " + what);
      };
      for (const size_t size : {size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
        with(bytes.substr(0, size), "cut to " + std::to_string(size));
      }
      const size_t places = long_tests() ? 40 : 2;
      for (size_t i = 0; i <= places; ++i) {
        std::string flipped = bytes;
        const size_t at = (bytes.size() - 1) * i / places;
        flipped[at] = static_cast<char>(flipped[at] ^ (1 << i % 8));
        with(flipped, "a bit of byte " + std::to_string(at));
      }
      fs::remove(file);
      look(std::string(name) + ", gone");
      std::ofstream(file, std::ios::binary) << bytes;
    }
  }

  static Words file_of(const std::string& what) { return {what.substr(0, what.find(','))}; }
};

TEST_F(DamagedCheckpoint, NamedItself) {
  make_run();
  const std::string checkpoint = path("run/step-00000012");
  for_each_damage(checkpoint, [&](const std::string& what) {
    expect_refused({ADJOINT_CLI}, {what.c_str(),
                                   {"inspect", checkpoint},
                                   1,
                                   file_of(what) + Words{"use another checkpoint of the run"}});
  });
  EXPECT_EQ(adjoint({"inspect", checkpoint}).status, 0);
}

TEST_F(DamagedCheckpoint, TheOnlyOneOfARun) {
  make_run();
  fs::remove_all(path("run/step-00000008"));
  for_each_damage(path("run/step-00000012"), [&](const std::string& what) {
    for (const char* resume : {"auto", "must"}) {
      expect_refused(tiny({"--quiet"}),
                     {what.c_str(),
                      {"--resume", resume},
                      1,
                      file_of(what) + Words{path("run"), "whole", "another --out"}});
    }
    expect_refused({ADJOINT_CLI}, {what.c_str(),
                                   {"generate", "--model", path("run"), "--prompt", "a"},
                                   1,
                                   file_of(what) + Words{path("run")}});
  });
}

// The one before serves, with a line about the damaged one, and the training ends with the same.
TEST_F(DamagedCheckpoint, TheNewestOfARun) {
  make_run();
  const std::string newest = path("run/step-00000012");
  const Words files = {"/model.safetensors", "/optimizer.safetensors"};
  Words expected;
  for (const std::string& file : files) expected.push_back(bytes_of_file(newest + file));
  const std::vector<std::string> metrics = metrics_of(path("run"));
  const auto backup = path("backup");
  fs::copy(path("run"), backup, fs::copy_options::recursive);
  for_each_damage(newest, [&](const std::string& what) {
    SCOPED_TRACE(what);
    const Finished text = adjoint({"generate", "--model", path("run"), "--prompt", "a"});
    EXPECT_EQ(text.status, 0);
    ASSERT_EQ(lines_of(text.err).size(), 1U) << text.err;
    EXPECT_NE(text.err.find("passed over: step-00000012: "), std::string::npos) << text.err;
    EXPECT_NE(text.err.find(file_of(what)[0]), std::string::npos) << text.err;

    const Finished trained = train({"--quiet", "--save-every", "4"});
    EXPECT_EQ(trained.status, 0);
    EXPECT_EQ(lines_of(trained.err).size(), 1U) << trained.err;
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_TRUE(bytes_of_file(newest + files[i]) == expected[i]) << files[i];
    }
    EXPECT_EQ(metrics_of(path("run")), metrics);
    fs::remove_all(path("run"));
    fs::copy(backup, path("run"), fs::copy_options::recursive);
  });
}

// Whole, as the checksums say, but of two different models.
TEST_F(DamagedCheckpoint, FilesThatDoNotFitEachOther) {
  make_run();
  make_run("wide", {"--n-embd", "16"});
  const auto mix = [&](const Words& files) {
    // As a model that somebody put together: without manifest.
    fs::remove_all(path("mixed"));
    fs::create_directory(path("mixed"));
    for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
      fs::copy(path("run/step-00000012/") + name, path("mixed/") + name);
    }
    for (const std::string& name : files) {
      fs::copy(path("wide/step-00000012/") + name, path("mixed/") + name,
               fs::copy_options::overwrite_existing);
    }
  };
  const Words generate = {"generate", "--model", path("mixed"), "--prompt", "a"};
  mix({"model.safetensors"});
  expect_refused({ADJOINT_CLI}, {"weights", generate, 1, {"model.safetensors", "config.json"}});
  mix({"config.json"});
  expect_refused({ADJOINT_CLI}, {"config", generate, 1, {"model.safetensors", "config.json"}});
  mix({});
  ASSERT_EQ(adjoint(generate).status, 0);
  folder_.write("mixed/tokenizer.json",
                R"({"format": "adjoint-characters", "version": 1, "characters": "ab"})");
  expect_refused({ADJOINT_CLI}, {"tokenizer", generate, 1, {"tokenizer.json", "2 characters"}});
  expect_refused(tiny({"--quiet", "--out", path("new"), "--init", path("mixed")}),
                 {"init", {}, 1, {"tokenizer.json", "2 characters"}});
  folder_.write("mixed/tokenizer.json", "{");
  expect_refused({ADJOINT_CLI}, {"tokenizer cut", generate, 1, {"mixed/tokenizer.json"}});
}

}  // namespace
}  // namespace adjoint
