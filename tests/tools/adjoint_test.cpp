// The command line `adjoint`: generate, eval and inspect on a small trained model.
#include <adjoint/core/safetensors.h>

#include <cmath>
#include <filesystem>

#include "tests/tools/programs.h"

namespace adjoint {
namespace {

class AdjointCli : public Programs {
 protected:
  void SetUp() override {
    const Finished made = train({"--steps", "40", "--lr", "0.01", "--n-layer", "2", "--seq-len",
                                 "16", "--n-embd", "16", "--quiet"});
    ASSERT_EQ(made.status, 0) << made.err;
  }

  std::string generated(const Words& more, const std::string& prompt = "the grey") const {
    const Finished end =
        adjoint(Words{"generate", "--model", path("run"), "--prompt", prompt} + more);
    EXPECT_EQ(end.status, 0) << end.err;
    EXPECT_EQ(end.err, "");
    return end.out;
  }
};

TEST_F(AdjointCli, HelpAndVersion) {
  const Finished help = adjoint({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* command : {"generate", "eval", "inspect", "tokenize", "tokenizer"}) {
    EXPECT_NE(help.out.find(std::string("\n  ") + command), std::string::npos) << command;
    const Finished own = adjoint({command, "--help"});
    EXPECT_EQ(own.status, 0);
    EXPECT_NE(own.out.find(std::string("usage: adjoint ") + command), std::string::npos) << own.out;
    EXPECT_TRUE(adjoint({command, "--version"}).out.starts_with("adjoint "));
  }
  EXPECT_TRUE(adjoint({"--version"}).out.starts_with("adjoint 0."));
  const std::string options = adjoint({"generate", "--help"}).out;
  for (const char* option : {"--model DIR", "--prompt TEXT", "--max-tokens N", "--temperature X",
                             "--top-k N", "--top-p X", "--seed N", "--stop TEXT...", "--weights"}) {
    EXPECT_NE(options.find(option), std::string::npos) << option;
  }
  EXPECT_EQ(options.find("...."), std::string::npos) << options;
  // Only where --json is there.
  EXPECT_EQ(options.find("JSON"), std::string::npos) << options;
  EXPECT_NE(adjoint({"eval", "--help"}).out.find("with --json as JSON"), std::string::npos);
  EXPECT_NE(adjoint({"generate", "--top-k=5", "--print-config"}).out.find("top-k = 5  # command"),
            std::string::npos);
}

TEST_F(AdjointCli, GenerateIsAFunctionOfTheSeed) {
  const std::string text = generated({"--max-tokens", "50", "--seed", "5"});
  EXPECT_TRUE(text.starts_with("the grey"));
  EXPECT_EQ(text.size(), 8 + 50 + 1U);  // prompt, tokens, end of line
  EXPECT_EQ(generated({"--max-tokens", "50", "--seed", "5"}), text);
  EXPECT_EQ(generated({"--max-tokens", "50", "--seed=5", "--model", path("run/step-00000040")}),
            text);
  EXPECT_NE(generated({"--max-tokens", "50", "--seed", "6"}), text);
  EXPECT_EQ(generated({"--max-tokens", "20", "--seed", "5"}), text.substr(0, 28) + "\n");
}

TEST_F(AdjointCli, GenerateGreedily) {
  const std::string text = generated({"--max-tokens", "40", "--temperature", "0"});
  // All of these leave the most probable token alone, whatever the seed.
  for (const Words& greedy : {Words{"--top-k", "1"}, Words{"--top-p", "1e-9"},
                              Words{"--temperature", "0", "--seed", "9"}}) {
    EXPECT_EQ(generated(Words{"--max-tokens", "40"} + greedy), text);
  }
  EXPECT_NE(generated({"--max-tokens", "40", "--temperature", "5"}), text);
}

TEST_F(AdjointCli, GenerateWithWeightsOfFewerBytes) {
  const Words words = {"--max-tokens", "50", "--seed", "5"};
  EXPECT_EQ(generated(words + Words{"--weights", "f32"}), generated(words));
  for (const char* weights : {"bf16", "int8"}) {
    const std::string text = generated(words + Words{"--weights", weights});
    EXPECT_TRUE(text.starts_with("the grey"));
    EXPECT_EQ(text.size(), 8 + 50 + 1U) << weights;
  }
  const Finished wrong =
      adjoint(Words{"generate", "--model", path("run"), "--prompt", "the", "--weights", "int4"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.err.find("int8"), std::string::npos) << wrong.err;
}

TEST_F(AdjointCli, GenerateStops) {
  const std::string text = generated({"--max-tokens", "200", "--seed", "3"});
  const std::string body = text.substr(8, 200);
  const std::string stop = body.substr(60, 3);
  const std::string expected = "the grey" + body.substr(0, body.find(stop)) + "\n";
  EXPECT_EQ(generated({"--max-tokens", "200", "--seed", "3", "--stop", stop}), expected);
  EXPECT_EQ(generated({"--max-tokens", "200", "--seed", "3", "--stop", "#", stop}), expected);
}

// In order, every character but the first once: the number that training reported.
TEST_F(AdjointCli, EvalIsTheValidationLossOfTheRun) {
  const std::string text = some_text(6000);
  folder_.write("held-out", text.substr(5400));  // the last tenth
  const std::string last = lines_of(bytes_of_file(path("run/metrics.jsonl"))).back();
  const Finished end =
      adjoint({"eval", "--model", path("run"), "--data", path("held-out"), "--json"});
  ASSERT_EQ(end.status, 0) << end.err;
  const Json json = Json::parse(end.out);
  EXPECT_EQ(json.get<double>("loss"), Json::parse(last).get<double>("val_loss"));
  EXPECT_DOUBLE_EQ(json.get<double>("perplexity"), std::exp(json.get<double>("loss")));
  EXPECT_EQ(json.get<int64_t>("targets"), 599);
  folder_.write("folder/a.txt", text.substr(5400));
  folder_.write("folder/b.bin", "\xFF");
  EXPECT_EQ(adjoint({"eval", "--model", path("run"), "--data", path("folder"), "--extensions",
                     "txt", "--json"})
                .out,
            end.out);
  const Finished plain = adjoint({"eval", "--model", path("run"), "--data", path("held-out")});
  EXPECT_EQ(plain.status, 0);
  EXPECT_TRUE(plain.out.starts_with("loss ")) << plain.out;
  EXPECT_TRUE(plain.out.ends_with(", over 599 characters\n")) << plain.out;
}

TEST_F(AdjointCli, Inspect) {
  const Finished end = adjoint({"inspect", path("run")});
  ASSERT_EQ(end.status, 0) << end.err;
  const std::vector<std::string> lines = lines_of(end.out);
  EXPECT_EQ(lines.at(0), path("run/step-00000040"));
  // A line without runs of blanks.
  const auto has = [&](const std::string& expected) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) {
      std::string single;
      for (const char c : line) {
        if (c != ' ' || (!single.empty() && single.back() != ' ')) single += c;
      }
      return single == expected;
    });
  };
  const auto vocab = static_cast<int64_t>(
      Json::load(path("run/step-00000040/tokenizer.json")).get<std::string>("characters").size());
  const std::string v = std::to_string(vocab);
  EXPECT_TRUE(has("transformer.wte.weight F32 (" + v + ", 16)")) << end.out;
  EXPECT_TRUE(has("transformer.wpe.weight F32 (16, 16)")) << end.out;
  EXPECT_TRUE(has("transformer.h.1.attn.c_attn.weight F32 (48, 16)")) << end.out;
  EXPECT_TRUE(has("transformer.h.0.mlp.c_proj.bias F32 (16,)")) << end.out;
  EXPECT_TRUE(has("lm_head.weight is transformer.wte.weight")) << end.out;
  // GPT-2's counts: 12 c^2 + 13 c a block with its biases, 2 c for the last norm.
  const int64_t c = 16, block = 12 * c * c + 13 * c;
  EXPECT_TRUE(has("transformer.h.0 " + std::to_string(block))) << end.out;
  EXPECT_TRUE(has("transformer.h.1 " + std::to_string(block))) << end.out;
  EXPECT_TRUE(has("transformer.ln_f " + std::to_string(2 * c))) << end.out;
  EXPECT_TRUE(has("transformer.wte " + std::to_string(vocab * c))) << end.out;
  EXPECT_TRUE(has("all " + std::to_string((vocab + 16) * c + 2 * block + 2 * c))) << end.out;

  const Finished as_json = adjoint({"inspect", "--json", path("run/")});
  ASSERT_EQ(as_json.status, 0) << as_json.err;
  const Json json = Json::parse(as_json.out);
  EXPECT_EQ(json.get<std::string>("path"), lines.at(0));
  EXPECT_EQ(json.get<int64_t>("parameters"), (vocab + 16) * c + 2 * block + 2 * c);
  EXPECT_EQ(json.get<int64_t>("groups", "transformer.h.1"), block);
  EXPECT_EQ(json.get<std::string>("aliases", "lm_head.weight"), "transformer.wte.weight");
  const auto& tensors = json.at("tensors").elements();
  EXPECT_EQ(std::count(tensors.begin(), tensors.end(),
                       Json::object({{"name", "transformer.h.1.attn.c_attn.weight"},
                                     {"dtype", "F32"},
                                     {"shape", Json::array({48, 16})}})),
            1);
}

}  // namespace
}  // namespace adjoint
