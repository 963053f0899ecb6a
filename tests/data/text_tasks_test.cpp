// Words as tokens, tables, batches of texts, and tasks that need no files.
#include <adjoint/core/error.h>
#include <adjoint/data/batches.h>
#include <adjoint/data/char_tokenizer.h>
#include <adjoint/data/generated.h>
#include <adjoint/data/table.h>
#include <adjoint/data/word_tokenizer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "tests/temporary_folder.h"

namespace adjoint::data {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Tokens = std::vector<Token>;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

// --- tokenizers ---

WordTokenizer words_of(const std::string& text, const WordTokenizerOptions& options) {
  return WordTokenizer::from_texts({&text, 1}, options);
}

Tokens encode_alone(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.encode(text, text_alone());
}

TEST(WordTokenizer, CountsSplitsAndForgetsSpace) {
  const auto tokenizer =
      words_of("The cat, the hat; THE end_2 \xC3\x89t\xC3\xA9.", {.min_frequency = 1});
  // "the" comes most often; of the others the lower first.
  EXPECT_EQ(tokenizer.to_json().at("words"),
            Json::array({"the", ",", ".", ";", "cat", "end_2", "hat", "\xC3\xA9t\xC3\xA9"}));
  EXPECT_EQ(encode_alone(tokenizer, "the  CAT\n(the)"), (Tokens{5, 9, 1, 5, 1}));
  EXPECT_EQ(tokenizer.encode("the"), (Tokens{2, 5, 3}));
  EXPECT_EQ(tokenizer.decode(Tokens{2, 5, 9, 0, 6, 3}), "the cat ,");
  Token number = 0;
  for (const SpecialToken which : {SpecialToken::pad, SpecialToken::unknown, SpecialToken::begin,
                                   SpecialToken::end, SpecialToken::mask}) {
    EXPECT_EQ(tokenizer.special(which), number++);
  }
  // No text becomes a special token.
  EXPECT_EQ(encode_alone(tokenizer, "<MASK>"), (Tokens{1, 1, 1}));
  EXPECT_THROW(tokenizer.decode(Tokens{13}), IndexError);
  EXPECT_TRUE(contains(error_of<IoError>([&] { tokenizer.encode("ab\xFF", {.source = "--data"}); }),
                       "--data: not valid UTF-8: the byte at offset 2"));
}

TEST(WordTokenizer, KeepsWhatIsFrequent) {
  const auto words = [](const WordTokenizerOptions& options) {
    return words_of("a a a b b c", options).vocab_size() - 5;
  };
  EXPECT_EQ(words({.min_frequency = 1}), 3);
  EXPECT_EQ(words({}), 2);
  EXPECT_EQ(words({.vocab_size = 6}), 1);
  EXPECT_THROW(words({.vocab_size = 5}), ConfigError);
  EXPECT_THROW(words({.min_frequency = -1}), ConfigError);
  EXPECT_THROW(words({.min_frequency = 4}), IoError);
  const auto as_written = words_of("A", {.lowercase = false, .min_frequency = 1});
  EXPECT_EQ(encode_alone(as_written, "A"), Tokens{5});
  EXPECT_EQ(encode_alone(as_written, "a"), Tokens{1});
}

TEST(WordTokenizer, OfCharacters) {
  const auto tokenizer =
      words_of("A \xC3\xA9 A", {.unit = TokenUnit::character, .min_frequency = 1});
  EXPECT_EQ(tokenizer.vocab_size(), 8);
  EXPECT_EQ(encode_alone(tokenizer, "\xC3\xA9 Ax"), (Tokens{7, 5, 6, 1}));  // ' ' and A twice
  EXPECT_EQ(encode_alone(tokenizer, "a"), Tokens{1});
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("\xC3\xA9 A")), "\xC3\xA9 A");
}

TEST(Tokenizer, IsSavedAndLoadedByItsFormat) {
  const TemporaryFolder folder;
  const std::string path = folder.path("tokenizer.json");
  const auto words = words_of("to be or not", {.unit = TokenUnit::character});
  words.save(path);
  EXPECT_EQ(Tokenizer::load(path)->to_json(), words.to_json());
  const auto characters = CharTokenizer::from_text("to be");
  characters.save(path);
  const auto loaded = Tokenizer::load(path);
  EXPECT_EQ(loaded->to_json(), characters.to_json());
  EXPECT_EQ(loaded->special(SpecialToken::pad), std::nullopt);
  EXPECT_TRUE(contains(
      error_of<ConfigError>([&] { special_token(*loaded, SpecialToken::mask, "mask_tokens"); }),
      "mask_tokens: the tokenizer has no token for what is masked"));
  for (
      const char* text :
      {R"({"format":"adjoint-words","version":2,"unit":"word","lowercase":true,"words":["a"]})",
       R"({"format":"adjoint-words","version":1,"unit":"line","lowercase":true,"words":["a"]})",
       R"({"format":"adjoint-words","version":1,"unit":"word","lowercase":true,"words":[]})",
       R"({"format":"adjoint-words","version":1,"unit":"word","words":["a"]})",
       R"({"format":"adjoint-words","version":1,"unit":"word","lowercase":true,"words":["<EOS>"]})",
       R"({"format":"adjoint-words","version":1,"unit":"word","lowercase":true,"words":["a","a"]})",
       R"({"format":"other"})", "[]"}) {
    folder.write("tokenizer.json", text);
    EXPECT_TRUE(error_of<IoError>([&] { Tokenizer::load(path); }).starts_with(path)) << text;
  }
}

// --- tables ---

TEST(LoadColumns, TakesNamesNumbersAndKeys) {
  const TemporaryFolder folder;
  const std::string named = folder.write("named.tsv", "label\ttext\r\nyes\ta b\r\n\nno\t\n");
  EXPECT_EQ(load_columns(named, {"text", "label"}), (Rows{{"a b", "yes"}, {"", "no"}}));
  EXPECT_EQ(load_columns(named, {"2"}), (Rows{{"text"}, {"a b"}, {""}}));
  const std::string objects =
      folder.write("o.jsonl", "{\"t\":\"a\\tb\",\"l\":1,\"more\":[]}\n\n{\"l\":true,\"t\":\"\"}\n");
  EXPECT_EQ(load_columns(objects, {"t", "l"}), (Rows{{"a\tb", "1"}, {"", "true"}}));
}

TEST(LoadColumns, SaysWhatIsWrong) {
  const TemporaryFolder folder;
  const auto error = [&](const char* name, const std::string& text,
                         const std::vector<std::string>& columns) {
    const std::string path = folder.write(name, text);
    std::string what = error_of<IoError>([&] { load_columns(path, columns); });
    EXPECT_TRUE(what.starts_with(path)) << what;
    return what;
  };
  EXPECT_TRUE(contains(error("a.tsv", "x\ty\n1\t2\n", {"z"}), ":1: no column is called \"z\""));
  EXPECT_TRUE(contains(error("a.tsv", "x\ty\n\n1\n", {"y"}), ":3: 1 columns; expected at least 2"));
  EXPECT_TRUE(contains(error("a.tsv", "x\ty\n", {"y"}), "no rows"));
  EXPECT_TRUE(contains(error("a.tsv", "a\xFF", {"1"}), "not valid UTF-8"));
  EXPECT_TRUE(contains(error("a.jsonl", "{\"t\":1}\n{}\n", {"t"}), ":2"));
  EXPECT_TRUE(contains(error("a.jsonl", "{\"t\":[1]}\n", {"t"}), "expected a text, a number"));
  EXPECT_TRUE(contains(error("a.jsonl", "{\"t\":", {"t"}), ":1"));
  EXPECT_THROW(load_columns(folder.path("absent"), {"1"}), IoError);
}

// --- batches ---

TEST(ShuffledIndex, HasEveryIndexOnceInEachPass) {
  for (const int64_t count : {1, 2, 7, 100}) {
    std::vector<int64_t> first, second;
    for (int64_t i = 0; i < count; ++i) {
      first.push_back(shuffled_index(i, count, 3));
      second.push_back(shuffled_index(count + i, count, 3));
    }
    EXPECT_EQ(first == second, count < 3) << count;
    for (auto* pass : {&first, &second}) {
      std::sort(pass->begin(), pass->end());
      for (int64_t i = 0; i < count; ++i) EXPECT_EQ((*pass)[static_cast<size_t>(i)], i);
    }
  }
  EXPECT_THROW(shuffled_index(0, 0, 1), ConfigError);
  EXPECT_THROW(shuffled_index(-1, 3, 1), ConfigError);
}

TEST(PadBatch, FillsUpBehindTheEnds) {
  const Tokens a = {5, 6, 7}, b = {8};
  const PaddedBatch batch = pad_batch(std::vector<std::span<const Token>>{a, b, {}}, 9);
  EXPECT_EQ(batch.tokens.to_vector<int64_t>(), (std::vector<int64_t>{5, 6, 7, 8, 9, 9, 9, 9, 9}));
  EXPECT_EQ(batch.padding.to(DType::i64).to_vector<int64_t>(),
            (std::vector<int64_t>{0, 0, 0, 0, 1, 1, 1, 1, 1}));
  EXPECT_EQ(pad_batch({}, 0).tokens.shape(), (Shape{0, 1}));
}

// --- generated tasks ---

TEST(NumberInWords, IsEnglish) {
  for (const auto& [number, words] : std::vector<std::pair<int64_t, const char*>>{
           {0, "zero"},
           {13, "thirteen"},
           {40, "forty"},
           {99, "ninety-nine"},
           {100, "one hundred"},
           {342, "three hundred forty-two"},
           {1000, "one thousand"},
           {40301, "forty thousand three hundred one"},
           {700012, "seven hundred thousand twelve"},
           {999999, "nine hundred ninety-nine thousand nine hundred ninety-nine"}}) {
    EXPECT_EQ(number_in_words(number), words);
  }
  EXPECT_THROW(number_in_words(-1), ConfigError);
  EXPECT_THROW(number_in_words(1'000'000), ConfigError);
}

TEST(GeneratedPairs, FollowTheirRules) {
  for (const std::string& task : pair_tasks()) {
    const auto pairs = generated_pairs(task, 500, 4);
    EXPECT_EQ(pairs, generated_pairs(task, 500, 4));
    EXPECT_NE(pairs, generated_pairs(task, 500, 5));
    std::set<std::string> sources;
    for (const TextPair& pair : pairs) {
      sources.insert(pair.source);
      if (task == "numbers") {
        EXPECT_EQ(pair.target, number_in_words(std::stoll(pair.source)));
      } else if (task == "addition") {
        const size_t plus = pair.source.find('+');
        EXPECT_EQ(std::stoll(pair.target),
                  std::stoll(pair.source) + std::stoll(pair.source.substr(plus + 1)));
      } else if (task == "dates") {
        // The year ends the one and begins the other; the day is a number of the source.
        EXPECT_EQ(pair.target.size(), 10U);
        EXPECT_TRUE(pair.source.ends_with(pair.target.substr(0, 4))) << pair.source;
        EXPECT_TRUE(contains(pair.source, std::to_string(std::stoi(pair.target.substr(8)))));
      } else {
        const auto numbers_of = [](std::string text) {
          std::vector<int> numbers;
          for (size_t at = 0; at < text.size(); at = text.find(' ', at), at += at < text.size()) {
            numbers.push_back(std::stoi(text.substr(at)));
          }
          return numbers;
        };
        std::vector<int> numbers = numbers_of(pair.source);
        std::sort(numbers.begin(), numbers.end());
        EXPECT_EQ(numbers_of(pair.target), numbers) << pair.source;
      }
    }
    EXPECT_EQ(sources.size(), 500U);
  }
  EXPECT_TRUE(contains(error_of<ConfigError>([] { generated_pairs("dances", 1, 1); }), "dances"));
  EXPECT_THROW(generated_pairs("dates", 0, 1), ConfigError);
}

TEST(GeneratedOpinions, AreBalancedAndHeldOutOnesDiffer) {
  const auto known = generated_opinions(600, 1, false), other = generated_opinions(600, 1, true);
  EXPECT_EQ(known, generated_opinions(600, 1, false));
  std::set<std::string> texts;
  int64_t positive = 0;
  for (const LabelledText& text : known) {
    texts.insert(text.text);
    positive += text.label == "positive" ? 1 : 0;
    EXPECT_TRUE(text.label == "positive" || text.label == "negative");
    // A plain word of praise without a negation.
    EXPECT_TRUE(text.text != "the film was wonderful" || text.label == "positive");
  }
  EXPECT_NEAR(static_cast<double>(positive), 300, 5 * 12.3);  // five standard deviations
  for (const LabelledText& text : other) EXPECT_EQ(texts.count(text.text), 0U) << text.text;
}

TEST(GeneratedText, IsAsLongAsItShouldBe) {
  const std::string text = generated_text(5000, 2);
  EXPECT_GE(text.size(), 5000U);
  EXPECT_EQ(text, generated_text(5000, 2));
  EXPECT_NE(text, generated_text(5000, 3));
  EXPECT_EQ(text.find('{'), std::string::npos);
}

}  // namespace
}  // namespace adjoint::data
