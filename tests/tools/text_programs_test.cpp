// The programs that learn texts: that each learns what it generates, resumes to the same bits,
// takes real files, and says what is wrong with them.
#include <algorithm>
#include <numeric>

#include "tests/tools/programs.h"

namespace adjoint {
namespace {

struct Trial {
  const char* name;
  const char* program;
  Words options;       // of a training of a second or two
  Words tiny_options;  // of milliseconds
  // Of a training that a second is too short for; 0: what models/README.md promises.
  double factor = 0;
};

std::vector<Trial> trials() {
  const Words small = {"--n-layer", "1", "--n-head", "2", "--n-embd", "8", "--batch-size", "4"};
  const Words short_texts = small + Words{"--seq-len", "12"};
  const Words recurrent = {"--n-embd",  "6",  "--hidden-size", "8",  "--batch-size", "4",
                           "--seq-len", "12", "--dropout",     "0.2"};
  return {
      {"gpt", "train_gpt", {"--preset", "tiny", "--steps", "150", "--lr", "3e-3"}, short_texts},
      {"llama",
       "train_gpt",
       {"--arch", "llama", "--preset", "tiny", "--steps", "150", "--lr", "3e-3"},
       Words{"--arch", "llama", "--dropout", "0.2"} + short_texts},
      {"lstm", "train_lstm", {"--preset", "tiny", "--steps", "60", "--lr", "1e-2"}, recurrent},
      {"gru",
       "train_lstm",
       {"--cell", "gru", "--preset", "tiny", "--steps", "60", "--lr", "1e-2"},
       Words{"--cell", "gru"} + recurrent},
      {"masked",
       "train_bert",
       {"--preset", "tiny", "--steps", "60", "--batch-size", "16", "--lr", "3e-3", "--eval-every",
        "5"},
       Words{"--dropout", "0.2"} + short_texts,
       1.1},  // how frequent words are; which fit where takes thousands of steps
      {"classes",
       "train_bert",
       {"--task", "classify", "--preset", "tiny", "--n-layer", "1", "--steps", "120", "--seq-len",
        "24", "--lr", "3e-3"},
       Words{"--task", "classify"} + short_texts},
      {"pairs",
       "train_seq2seq",
       {"--preset", "tiny", "--steps", "60", "--pairs", "1000", "--batch-size", "32", "--lr",
        "3e-3", "--val-fraction", "0.05"},
       Words{"--pairs", "100", "--task", "dates", "--val-fraction", "0.1", "--max-length", "24"} +
           small},
  };
}

class TextPrograms : public Programs {};

class TextProgram : public TextPrograms, public testing::WithParamInterface<Trial> {};

TEST_P(TextProgram, LearnsAsTheReadmeSays) {
  const Trial& trial = GetParam();
  const double promised = promise_of(trial.program).factor;
  ASSERT_GE(promised, 1.3) << "models/README.md: the row of " << trial.program;
  const double factor = trial.factor > 0 ? trial.factor : promised;
  const Finished end = start(trial.program, trial.options);
  ASSERT_EQ(end.status, 0) << end.err;
  const std::string said = lines_of(end.err)[0];
  EXPECT_NE(said.find("generated"), std::string::npos) << said;
  std::vector<double> losses, accuracies;
  for (const Json& line : lines_in("run")) {
    if (line.contains("train_loss")) losses.push_back(line.get<double>("train_loss"));
    if (const Json* masked = line.find("val_masked_accuracy")) {
      accuracies.push_back(masked->get<double>());
    }
  }
  if (!accuracies.empty()) {
    EXPECT_GT(accuracies.back(), accuracies.front());
  }
  ASSERT_GE(losses.size(), 20U);
  // Single batches vary: the last few.
  const double last = std::accumulate(losses.end() - 5, losses.end(), 0.0) / 5;
  EXPECT_GE(losses[0] / last, factor) << losses[0] << " to " << last;
}

// A run that stops after each of its first steps ends as one that does not.
TEST_P(TextProgram, ContinuesToTheSameBits) {
  const Trial& trial = GetParam();
  const Words options =
      trial.tiny_options + Words{"--steps", "6", "--eval-every", "2", "--save-every", "3"};
  Finished end = start(trial.program, options + Words{"--quiet", "--out", path("whole")});
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.err, "");
  for (int i = 0; i < 3; ++i) {
    end = start(trial.program, options + Words{"--max-time", "0.000001"});
    ASSERT_EQ(end.status, 0) << end.err;
    ASSERT_NE(end.err.find("time is up at step " + std::to_string(i + 1)), std::string::npos)
        << end.err;
  }
  end = start(trial.program, options + Words{"--threads", "2", "--resume", "must"});
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(timeless("run"), timeless("whole"));
  for (const char* file :
       {"model.safetensors", "optimizer.safetensors", "config.json", "tokenizer.json"}) {
    const std::string name = std::string("/step-00000006/") + file;
    EXPECT_TRUE(bytes_of_file(path("run") + name) == bytes_of_file(path("whole") + name)) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(All, TextProgram, testing::ValuesIn(trials()),
                         [](const auto& made) { return std::string(made.param.name); });

TEST_F(TextPrograms, ALlamaIsExaminedAndWritesText) {
  Finished end = train({"--arch", "llama", "--quiet"});
  ASSERT_EQ(end.status, 0) << end.err;
  const Json last = lines_in("run").back();
  end = adjoint({"eval", "--model", path("run"), "--data", path("text"), "--json"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_GT(Json::parse(end.out).get<double>("loss"), 0);
  end = adjoint({"generate", "--model", path("run"), "--prompt", "the", "--max-tokens", "20"});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(end.out.size(), 3 + 20 + 1U) << end.out;
  end = adjoint({"inspect", path("run")});
  EXPECT_EQ(end.status, 0) << end.err;
  EXPECT_NE(end.out.find("model.layers.0.self_attn.k_proj.weight"), std::string::npos);
  EXPECT_NE(end.out.find("lm_head.weight is model.embed_tokens.weight"), std::string::npos);

  // The run remembers what it is.
  end = train({"--quiet"});
  EXPECT_EQ(end.status, 1);
  EXPECT_NE(end.err.find("--arch llama"), std::string::npos) << end.err;
  end = train({"--init", path("run"), "--out", path("next"), "--arch", "gpt2"});
  EXPECT_EQ(end.status, 2);
  EXPECT_NE(end.err.find("--arch: gpt2"), std::string::npos) << end.err;
  // tiny() says how wide it is, which agrees.
  EXPECT_EQ(train({"--init", path("run"), "--out", path("next"), "--quiet"}).status, 0);
}

TEST_F(TextPrograms, AClassifierStartsFromWhatFillsInWords) {
  const Words quick = {"--n-layer", "1",  "--n-head", "2", "--n-embd", "8",
                       "--seq-len", "16", "--steps",  "4", "--quiet"};
  Finished end = start("train_bert", quick + Words{"--data", path("text"), "--out", path("base")});
  ASSERT_EQ(end.status, 0) << end.err;
  end = adjoint({"generate", "--model", path("base"), "--prompt", "the"});
  EXPECT_EQ(end.status, 1);
  EXPECT_NE(end.err.find("model_type is \"bert\""), std::string::npos) << end.err;
  std::string rows = "mood\twords\n";
  for (int i = 0; i < 40; ++i) {
    rows += i % 2 == 0 ? "calm\tthe river runs on grey stone\n" : "wild\tmoss by a stone , river\n";
  }
  folder_.write("moods.tsv", rows);
  const Words classify = {"--task",        "classify", "--data",         path("moods.tsv"),
                          "--text-column", "words",    "--label-column", "mood"};
  end = start("train_bert", classify + Words{"--init", path("base"), "--steps", "60", "--lr",
                                             "0.01", "--dropout", "0", "--quiet"});
  ASSERT_EQ(end.status, 0) << end.err;
  EXPECT_EQ(lines_in("run").back().get<double>("test_accuracy"), 1.0);
  const Json config = Json::parse(bytes_of_file(path("run") + "/step-00000060/config.json"));
  EXPECT_EQ(config.at("labels"), Json::array({"calm", "wild"}));
  EXPECT_EQ(config.get<int64_t>("hidden_size"), 8);

  const auto refused = [&](const Words& more, int status, const std::string& says) {
    end = start("train_bert", quick + Words{"--out", path("other")} + more);
    EXPECT_EQ(end.status, status) << says;
    EXPECT_NE(end.err.find(says), std::string::npos) << end.err;
  };
  refused(classify + Words{"--text-column", "text"}, 1, "no column is called \"text\"");
  refused(
      classify + Words{"--label-column", "words", "--text-column", "mood", "--init", path("run")},
      2, "expected one that fills in words");
  folder_.write("one.tsv", "mood\twords\ncalm\ta\ncalm\tb\ncalm\tc\n");
  folder_.write("new.tsv", "mood\twords\nodd\ta\n");
  refused({"--task", "classify", "--data", path("one.tsv"), "--text-column", "words",
           "--label-column", "mood"},
          1, "1 different label");
  refused(classify + Words{"--val-data", path("new.tsv")}, 1, "\"odd\" is examined and never");
}

TEST_F(TextPrograms, PairsComeFromATable) {
  std::string rows;
  for (const char a : std::string("abcdefghij")) {
    for (const char b : std::string("abcdefghij")) {
      rows += std::string("{\"from\":\"") + a + b + "\",\"to\":\"" + b + a + "\"}\n";
    }
  }
  folder_.write("turn.jsonl", rows);
  const Words words = {"--data",
                       path("turn.jsonl"),
                       "--source-column",
                       "from",
                       "--target-column",
                       "to",
                       "--max-length",
                       "4",
                       "--n-layer",
                       "1",
                       "--n-head",
                       "2",
                       "--n-embd",
                       "32",
                       "--batch-size",
                       "16",
                       "--lr",
                       "5e-3",
                       "--steps",
                       "150"};
  Finished end = start("train_seq2seq", words + Words{"--json", "--sample-every", "150"});
  ASSERT_EQ(end.status, 0) << end.err;
  const Json last = Json::parse(lines_of(end.out).back());
  EXPECT_EQ(last, lines_in("run").back());
  EXPECT_GE(last.get<double>("exact_match"), 0.8) << end.err;
  EXPECT_GE(last.get<double>("beam_exact_match"), 0.8);
  EXPECT_NE(end.err.find("--- after 150 steps"), std::string::npos) << end.err;
  EXPECT_NE(lines_of(end.err).back().find("exact_match "), std::string::npos) << end.err;

  folder_.write("long.tsv", "a\tb\nabcdefg\tb\nc\td\nd\te\n");
  end = start("train_seq2seq", {"--data", path("long.tsv"), "--max-length", "4", "--out",
                                path("other"), "--val-fraction", "0.5"});
  EXPECT_EQ(end.status, 1);
  EXPECT_NE(end.err.find("a text of 7 tokens, \"abcdefg\""), std::string::npos) << end.err;
}

}  // namespace
}  // namespace adjoint
