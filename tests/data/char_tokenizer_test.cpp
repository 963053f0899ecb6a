#include <adjoint/core/error.h>
#include <adjoint/data/char_tokenizer.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "tests/temporary_folder.h"

namespace adjoint::data {
namespace {

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

TEST(CharTokenizer, TheVocabularyIsTheSortedCharacters) {
  const CharTokenizer tokenizer = CharTokenizer::from_text("banana split\n");
  EXPECT_EQ(tokenizer.vocab_size(), 10);
  EXPECT_EQ(tokenizer.decode(0), "\n");
  EXPECT_EQ(tokenizer.decode(1), " ");
  EXPECT_EQ(tokenizer.decode(2), "a");
  EXPECT_EQ(tokenizer.encode("ab \n"), (std::vector<Token>{2, 3, 1, 0}));
}

TEST(CharTokenizer, CharactersAreCodePoints) {
  const std::string text = "a\u00e9\u20ac\U0001F600\u20ac";
  const CharTokenizer tokenizer = CharTokenizer::from_text(text);
  EXPECT_EQ(tokenizer.vocab_size(), 4);
  EXPECT_EQ(tokenizer.encode(text), (std::vector<Token>{0, 1, 2, 3, 2}));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), text);
}

TEST(CharTokenizer, NamesTheUnknownCharacterAndItsPlace) {
  const CharTokenizer tokenizer = CharTokenizer::from_text("abc");
  EXPECT_EQ(error_of([&] { tokenizer.encode("ab\u00e9", {.source = "prompt"}); }),
            "prompt: the character '\u00e9' (U+00E9) at byte 2 is not among the 3 characters that "
            "the model knows; leave it out, or train on a text that has it");
  EXPECT_NE(error_of([&] { tokenizer.encode("\t"); }).find("U+0009"), std::string::npos);
  EXPECT_NE(error_of([&] { tokenizer.encode("a\xff", {.source = "f.txt"}); })
                .find("f.txt: not valid UTF-8: "
                      "the byte at offset 1"),
            std::string::npos);
  EXPECT_THROW(tokenizer.decode(3), IndexError);
  EXPECT_THROW(tokenizer.decode(-1), IndexError);
  EXPECT_THROW(CharTokenizer::from_text(""), IoError);
}

TEST(CharTokenizer, SurvivesSavingAndLoading) {
  const TemporaryFolder folder;
  const CharTokenizer tokenizer = CharTokenizer::from_text("x\u00e9\n\"\\\x01");
  tokenizer.save(folder.path("tokenizer.json"));
  EXPECT_EQ(CharTokenizer::load(folder.path("tokenizer.json")), tokenizer);
}

TEST(CharTokenizer, RefusesWrongFiles) {
  const auto error = [](const std::string& text) {
    return error_of([&] { CharTokenizer::from_json(Json::parse(text, "tokenizer.json")); });
  };
  const std::string head = R"({"format": "adjoint-characters", "version": )";
  EXPECT_NE(error("{}").find("format"), std::string::npos);
  EXPECT_NE(error(R"({"format": "bpe", "version": 1, "characters": "a"})").find("\"bpe\""),
            std::string::npos);
  EXPECT_NE(error(head + R"(2, "characters": "a"})").find("version is 2"), std::string::npos);
  EXPECT_NE(error(head + R"(1, "characters": ""})").find("empty"), std::string::npos);
  EXPECT_NE(error(head + R"(1, "characters": "ba"})").find("'a' (U+0061) follows 'b'"),
            std::string::npos);
  EXPECT_NE(error(head + R"(1, "characters": "aa"})").find("follows"), std::string::npos);
  EXPECT_NE(error(head + R"(1, "characters": 5})").find("characters"), std::string::npos);
  // More than all characters there are.
  const TemporaryFolder folder;
  const std::string large = folder.write("tokenizer.json", std::string((16 << 20) + 1, ' '));
  EXPECT_NE(error_of([&] { CharTokenizer::load(large); }).find(large + ": too large"),
            std::string::npos);
}

}  // namespace
}  // namespace adjoint::data
