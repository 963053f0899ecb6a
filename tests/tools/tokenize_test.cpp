// adjoint tokenizer train, and adjoint tokenize with what it made.
#include <adjoint/data/tokenizer.h>

#include <string>

#include "tests/tools/programs.h"

namespace adjoint {
namespace {

class Tokenize : public Programs {
 protected:
  Finished made(const std::string& type, const Words& more = {}) const {
    return adjoint(
        Words{"tokenizer", "train", path("text"), "--type", type, "--out", path(type + ".json")} +
        more);
  }

  // With a text as standard input.
  Finished tokenize(const std::string& type, const std::string& input, const std::string& more) {
    folder_.write("input", input);
    return run_process({"sh", "-c",
                        std::string(ADJOINT_CLI) + " tokenize --tokenizer " + path(type + ".json") +
                            " " + more + " < " + path("input")});
  }
};

TEST_F(Tokenize, EveryKindThereAndBack) {
  for (const std::string type : {"bpe", "wordpiece", "word", "char"}) {
    const Finished end = made(type, {"--vocab-size", "300"});
    ASSERT_EQ(end.status, 0) << end.err;
    const auto tokenizer = data::Tokenizer::load(path(type + ".json"));
    EXPECT_NE(end.err.find(std::to_string(tokenizer->vocab_size()) + " tokens"), end.err.npos);
    const std::string text = "the grey river runs on moss";
    const Finished ids = tokenize(type, text, "");
    ASSERT_EQ(ids.status, 0) << ids.err;
    std::string expected;
    for (const data::Token id : tokenizer->encode(text)) expected += std::to_string(id) + " ";
    expected.back() = '\n';
    EXPECT_EQ(ids.out, expected);
    EXPECT_EQ(tokenize(type, ids.out, "--decode").out, text) << type;
  }
}

TEST_F(Tokenize, AsJson) {
  ASSERT_EQ(made("bpe", {"--vocab-size", "280", "--special-tokens", "<|end|>"}).status, 0);
  const Finished end = tokenize("bpe", "the\u00e9<|end|>", "--json --allow-special");
  ASSERT_EQ(end.status, 0) << end.err;
  const Json json = Json::parse(end.out);
  EXPECT_EQ(json.get<std::string>("tokens", json.at("tokens").size() - 1), "<|end|>");
  EXPECT_EQ(json.get<std::vector<int>>("offsets", json.at("ids").size() - 1),
            (std::vector<int>{5, 12}));
  EXPECT_EQ(Json::parse(tokenize("bpe", end.out, "--json --decode").out).get<std::string>("text"),
            "the\u00e9");
  EXPECT_EQ(tokenize("bpe", "[0]", "--json --decode --no-add-special-tokens").out,
            "{\"text\":\"<|end|>\"}\n");
}

TEST_F(Tokenize, WhatIsWrongIsSaid) {
  ASSERT_EQ(made("char").status, 0);
  const auto says = [](const Finished& end, int status, const std::string& part) {
    EXPECT_EQ(end.status, status) << end.err;
    EXPECT_NE(end.err.find(part), end.err.npos) << end.err;
    EXPECT_EQ(end.out, "");
  };
  says(adjoint({"tokenize"}), 2, "--tokenizer: missing");
  says(tokenize("none", "a", ""), 1, "none.json");
  says(tokenize("char", "#", ""), 1, "'#' (U+0023) at byte 0");
  says(tokenize("char", "1 x", "--decode"), 1, "\"x\" is no token");
  says(tokenize("char", "99", "--decode"), 1, "token 99");
  says(adjoint({"tokenizer", "train", path("text")}), 2, "--out: missing");
  says(adjoint({"tokenizer", "train", "--out", "x"}), 2, "no texts");
  says(adjoint({"tokenizer", "learn", path("text"), "--out", "x"}), 2, "\"learn\": unknown");
  says(made("bpes"), 2, "wordpiece");
  says(made("bpe", {"--vocab-size", "0"}), 2, "vocab-size");
}

}  // namespace
}  // namespace adjoint
