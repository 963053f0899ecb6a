#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/data/bpe.h>
#include <adjoint/data/char_tokenizer.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/data/unigram.h>
#include <adjoint/data/word_tokenizer.h>
#include <adjoint/data/wordpiece.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <thread>

#include "tests/temporary_folder.h"

namespace adjoint::data {
namespace {

using Ids = std::vector<Token>;
using Texts = std::vector<std::string>;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

std::vector<int64_t> flat(const Encoding& encoding) {
  std::vector<int64_t> all;
  for (const auto& [begin, end] : encoding.offsets) all.insert(all.end(), {begin, end});
  return all;
}

// What the `tokenizers` library makes of texts: tests/interop/tokenizers_parity.py --golden.
TEST(Tokenizer, AgreesWithTheTokenizersLibrary) {
  const Json golden = Json::load(ADJOINT_SOURCE_DIR "/tests/golden/tokenizers.json");
  ASSERT_GE(golden.size(), 15U);
  for (const auto& [name, entry] : golden.members()) {
    const auto tokenizer = Tokenizer::from_json(entry.at("file"));
    const auto again = Tokenizer::from_json(Json::parse(tokenizer->to_json().dump()));
    EXPECT_EQ(again->to_json(), tokenizer->to_json()) << name;
    for (const Json& one : entry.at("cases").elements()) {
      const auto text = one.get<std::string>(0);
      const bool special = one.get<bool>(1);
      const EncodeOptions options{.allow_special = special};
      const Encoding encoding = again->encoding(text, options);
      ASSERT_EQ(encoding.ids, one.get<Ids>(2)) << name << ": " << text;
      ASSERT_EQ(flat(encoding), one.get<std::vector<int64_t>>(3)) << name << ": " << text;
      ASSERT_EQ(tokenizer->encode(text, options), encoding.ids) << name << ": " << text;
      EXPECT_EQ(again->decode(encoding.ids, {.skip_special_tokens = special}),
                one.get<std::string>(4))
          << name << ": " << text;
    }
  }
}

const Texts kTexts = {"the cat sat on the mat. the cat!",
                      "The rat ate the cat's hat, that's that."};

TEST(Tokenizer, BytePairsAreJoinedByFrequencyAndThenByNumber) {
  // "a" "b" comes four times.
  const auto tokenizer = train_bpe(Texts{"ab abc abab"}, {.vocab_size = 260});
  EXPECT_EQ(tokenizer->vocab_size(), 260);
  const Token ab = tokenizer->token_to_id("ab").value();
  EXPECT_EQ(ab, 256);
  // " " "ab" comes twice; then " ab" "c" and " ab" "ab" once, and "c" has the smaller number.
  EXPECT_EQ(tokenizer->id_to_token(257), "\u0120ab");
  EXPECT_EQ(tokenizer->id_to_token(258), "\u0120abc");
  EXPECT_EQ(tokenizer->id_to_token(259), "\u0120abab");
  const Ids whole = tokenizer->encode("ab");
  EXPECT_EQ(whole, Ids{ab});
  // Every text has tokens: bytes at the least.
  for (const std::string text : {"z\u00e9\U0001F600", "", " \n", "abab\u0301"}) {
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
  EXPECT_EQ(tokenizer->encode("z\u00e9").size(), 3U);
  EXPECT_EQ(tokenizer->encoding("z\u00e9").offsets,
            (std::vector<TextRange>{{0, 1}, {1, 3}, {1, 3}}));
  // As many texts, another order: the same tokenizer.
  EXPECT_EQ(train_bpe(Texts{kTexts[1], kTexts[0]}, {.vocab_size = 300})->to_json(),
            train_bpe(kTexts, {.vocab_size = 300})->to_json());
}

TEST(Tokenizer, PiecesOfBytesCanBeDecodedOneAtATime) {
  const auto tokenizer = train_bpe(Texts{"a"}, {.vocab_size = 256});
  const Ids ids = tokenizer->encode("\u20ac");
  ASSERT_EQ(ids.size(), 3U);
  std::string text;
  for (const Token id : ids) text += tokenizer->decode(Ids{id}, {.raw_bytes = true});
  EXPECT_EQ(text, "\u20ac");
  EXPECT_EQ(tokenizer->decode(Ids{ids[0]}), "\uFFFD");
  EXPECT_THROW(tokenizer->decode(Ids{256}), IndexError);
  EXPECT_THROW(tokenizer->decode(Ids{-1}), IndexError);
}

TEST(Tokenizer, SpecialTokensInTextAreTextUnlessAskedFor) {
  const auto bpe = train_bpe(kTexts, {.vocab_size = 300, .special_tokens = {"<|end|>"}});
  EXPECT_EQ(bpe->token_to_id("<|end|>"), 0);
  EXPECT_TRUE(bpe->is_special(0));
  const Ids text = bpe->encode("a<|end|>b");
  EXPECT_EQ(std::count(text.begin(), text.end(), 0), 0);
  EXPECT_EQ(bpe->decode(text), "a<|end|>b");
  const Ids special = bpe->encode("a<|end|>b", {.allow_special = true});
  ASSERT_EQ(special.size(), 3U);
  EXPECT_EQ(special[1], 0);
  EXPECT_EQ(bpe->decode(special), "ab");
  EXPECT_EQ(bpe->decode(special, {.skip_special_tokens = false}), "a<|end|>b");

  const auto words = WordTokenizer::from_texts(kTexts);
  const Ids unknown = words.encode("<MASK>", {.add_special_tokens = false});
  EXPECT_EQ(unknown, (Ids{1, 1, 1}));
  EXPECT_EQ(words.encode("<MASK>", {.add_special_tokens = false, .allow_special = true}), Ids{4});
}

TEST(Tokenizer, TextThatIsNotUtf8IsAnErrorOrReplaced) {
  const auto bpe = train_bpe(kTexts, {.vocab_size = 260});
  EXPECT_TRUE(has(error_of([&] { bpe->encode("ab\xff"); }), "the byte at offset 2"));
  const EncodeOptions replace{.replace_invalid = true};
  // A truncated sequence is one U+FFFD, each byte of a surrogate one.
  EXPECT_EQ(bpe->decode(bpe->encode("a\xE2\x82z", replace)), "a\uFFFDz");
  EXPECT_EQ(bpe->decode(bpe->encode("\xED\xA0\x80", replace)), "\uFFFD\uFFFD\uFFFD");
  const Encoding encoding = bpe->encoding("\xE2\x82z", replace);
  EXPECT_EQ(encoding.offsets.front(), (TextRange{0, 2}));
  EXPECT_EQ(encoding.offsets.back(), (TextRange{2, 3}));
}

TEST(Tokenizer, TruncatesPadsAndPairs) {
  const auto tokenizer = train_wordpiece(kTexts, {.vocab_size = 80, .min_frequency = 1});
  const auto id = [&](const char* token) { return tokenizer->token_to_id(token).value(); };
  const Encoding pair = tokenizer->encoding("the cat", "the mat");
  EXPECT_EQ(pair.ids, (Ids{2, id("the"), id("cat"), 3, id("the"), id("mat"), 3}));
  EXPECT_EQ(pair.type_ids, (std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(pair.special_tokens_mask, (std::vector<uint8_t>{1, 0, 0, 1, 0, 0, 1}));
  EXPECT_EQ(pair.offsets[5], (TextRange{4, 7}));
  EXPECT_EQ(tokenizer->decode(pair.ids), "the cat the mat");

  tokenizer->set_truncation(Truncation{.max_length = 4});
  EXPECT_EQ(tokenizer->encode("the cat the cat"), (Ids{2, id("the"), id("cat"), 3}));
  tokenizer->set_truncation(Truncation{.max_length = 4, .side = Side::left});
  EXPECT_EQ(tokenizer->encode("cat mat the cat"), (Ids{2, id("the"), id("cat"), 3}));
  tokenizer->set_truncation(Truncation{.max_length = 1});
  EXPECT_TRUE(has(error_of([&] { tokenizer->encode("the"); }), "max_length is 1"));
  tokenizer->set_truncation({});

  tokenizer->set_padding(Padding{.multiple_of = 3});
  const std::vector<Encoding> batch = tokenizer->encode_batch(Texts{"the", "the cat", ""});
  ASSERT_EQ(batch.size(), 3U);
  for (const Encoding& encoding : batch) EXPECT_EQ(encoding.size(), 6U);
  EXPECT_EQ(batch[0].ids, (Ids{2, id("the"), 3, 0, 0, 0}));
  EXPECT_EQ(batch[0].attention_mask, (std::vector<uint8_t>{1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(batch[2].ids, (Ids{2, 3, 0, 0, 0, 0}));
  EXPECT_THROW(tokenizer->set_padding(Padding{.length = -1}), ConfigError);

  // Saved, and read back.
  const TemporaryFolder folder;
  tokenizer->save(folder.path("tokenizer.json"));
  const auto again = Tokenizer::load(folder.path("tokenizer.json"));
  EXPECT_EQ(again->padding(), tokenizer->padding());
  EXPECT_EQ(again->to_json(), tokenizer->to_json());
}

TEST(Tokenizer, UnigramTakesTheLikeliestPieces) {
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"\u2581a", -1},  {"b", -2},
                                            {"ab", -2.5}, {"\u2581", -1.2}, {"c", -9}};
  const auto tokenizer = make_unigram(pieces);
  // _a b is -3, _ ab -3.7.
  EXPECT_EQ(tokenizer->encode("ab"), (Ids{1, 2}));
  EXPECT_EQ(tokenizer->encode("ab b"), (Ids{1, 2, 4, 2}));
  // What is unknown side by side is one token.
  EXPECT_EQ(tokenizer->encode("axyb"), (Ids{1, 0, 2}));
  EXPECT_EQ(tokenizer->decode(Ids{1, 2, 4, 2}), "ab b");
  EXPECT_THROW(make_unigram(pieces, {.unk_id = 6}), ConfigError);
}

TEST(Tokenizer, WordsAreRankedByFrequency) {
  const auto tokenizer = WordTokenizer::from_texts(kTexts);
  // the 5, cat 3, that 2, s 2, ' 2, . 2; the others once.
  EXPECT_EQ(tokenizer.vocab_size(), 5 + 6);
  EXPECT_EQ(tokenizer.id_to_token(5), "the");
  EXPECT_EQ(tokenizer.id_to_token(6), "cat");
  EXPECT_EQ(tokenizer.id_to_token(7), "'");  // by bytes: ' . s that
  EXPECT_EQ(tokenizer.encode("THE cat, that"), (Ids{2, 5, 6, 1, 10, 3}));
  EXPECT_EQ(tokenizer.encoding("\u00c9 The").offsets,
            (std::vector<TextRange>{{0, 0}, {0, 2}, {3, 6}, {0, 0}}));
  EXPECT_EQ(tokenizer.decode(Ids{2, 5, 6, 3}), "the cat");
  EXPECT_EQ(WordTokenizer::from_texts(kTexts, {.vocab_size = 6}).vocab_size(), 6);
  const TemporaryFolder folder;
  tokenizer.save(folder.path("words.json"));
  const auto again = Tokenizer::load(folder.path("words.json"));
  EXPECT_EQ(again->to_json(), tokenizer.to_json());
  EXPECT_EQ(WordTokenizer::load(folder.path("words.json")).encode("the hat"),
            tokenizer.encode("the hat"));
}

TEST(Tokenizer, SpecialTokensAreFoundByTheirUsualNames) {
  const auto wordpiece = train_wordpiece(kTexts, {.vocab_size = 80, .min_frequency = 1});
  const auto numbers = [](const Tokenizer& tokenizer) {
    Ids all;
    for (const SpecialToken which : {SpecialToken::pad, SpecialToken::unknown, SpecialToken::begin,
                                     SpecialToken::end, SpecialToken::mask}) {
      all.push_back(tokenizer.special(which).value_or(-1));
    }
    return all;
  };
  EXPECT_EQ(numbers(*wordpiece), (Ids{0, 1, 2, 3, 4}));
  const Texts roberta = {"<s>", "<pad>", "</s>", "<unk>", "<mask>"};
  EXPECT_EQ(numbers(*train_bpe(kTexts, {.vocab_size = 270, .special_tokens = roberta})),
            (Ids{1, 3, 0, 2, 4}));
  // A token of a text, not a special one.
  const std::vector<UnigramPiece> pieces = {{"<unk>", 0}, {"<s>", -1}, {"a", -1}};
  EXPECT_EQ(numbers(*make_unigram(pieces, {.special_tokens = {"<unk>"}})),
            (Ids{-1, 0, -1, -1, -1}));
  EXPECT_EQ(error_of([&] {
              special_token(*train_bpe(kTexts, {.vocab_size = 260}), SpecialToken::pad, "Seq2Seq");
            }),
            "Seq2Seq: the tokenizer has no token for padding; expected one");
}

TEST(Tokenizer, TextAloneIsNeitherFramedNorFitted) {
  const auto tokenizer = train_wordpiece(kTexts, {.vocab_size = 80, .min_frequency = 1});
  const Ids words = {tokenizer->token_to_id("the").value(), tokenizer->token_to_id("cat").value()};
  tokenizer->set_padding(Padding{.length = 10});
  EXPECT_EQ(tokenizer->encode("the cat", text_alone()), words);
  EXPECT_EQ(tokenizer->encoding("the cat", text_alone()).ids, words);
  tokenizer->set_truncation(Truncation{.max_length = 1});
  EXPECT_EQ(tokenizer->encode("the cat", text_alone()), words);
  EXPECT_EQ(tokenizer->encode_batch(Texts{"the cat", ""}, text_alone())[0].ids, words);
  EXPECT_EQ(error_of([&] { tokenizer->encode("\xff", text_alone("--data")); }),
            "--data: not valid UTF-8: the byte at offset 0 does not belong to a character");
}

TEST(Tokenizer, CharactersAreOneOfTheKinds) {
  const TemporaryFolder folder;
  CharTokenizer::from_text("a\u00e9b").save(folder.path("tokenizer.json"));
  const auto tokenizer = Tokenizer::load(folder.path("tokenizer.json"));
  EXPECT_EQ(tokenizer->encode("b\u00e9"), (Ids{1, 2}));
  EXPECT_EQ(tokenizer->encoding("b\u00e9").offsets, (std::vector<TextRange>{{0, 1}, {1, 3}}));
  EXPECT_EQ(tokenizer->token_to_id("\u00e9"), 2);
  EXPECT_EQ(tokenizer->token_to_id("ab"), std::nullopt);
}

// A megabyte without a blank, of the kinds that make naive merging quadratic.
TEST(Tokenizer, LongRunsTakeNoQuadraticTime) {
  const auto bpe = train_bpe(Texts{"aaaaaaaaaaaaaaaa abababab"}, {.vocab_size = 270});
  const std::string run(1 << 20, 'a');
  EXPECT_EQ(bpe->decode(bpe->encode(run)), run);
  std::string marks = "e";
  for (int i = 0; i < 1 << 18; ++i) marks += i % 2 == 0 ? "\u0301" : "\u0323";
  const auto wordpiece = train_wordpiece(kTexts, {.vocab_size = 60});
  EXPECT_EQ(wordpiece->encode(marks).size(), 3U);
  EXPECT_EQ(wordpiece->encode(run).size(), 3U);
}

TEST(Tokenizer, ThreadsMayShareOne) {
  const auto bpe = train_bpe(kTexts, {.vocab_size = 300});
  const Ids expected = bpe->encode(kTexts[1]);
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::vector<int> wrong(4);
  for (int& count : wrong) {
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) count += bpe->encode(kTexts[1]) != expected ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

// A tokenizer.json whose model is {"a": 0, "b": 1, "ab": 2}, with a part replaced.
std::string error_of_file(const std::string& from, const std::string& to) {
  std::string file =
      R"({"added_tokens":[{"id":3,"content":"<s>","single_word":false,"lstrip":false,)"
      R"("rstrip":false,"normalized":false,"special":true}],"normalizer":null,)"
      R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},)"
      R"("post_processor":{"type":"TemplateProcessing","single":[],"pair":[],)"
      R"("special_tokens":{}},"decoder":null,)"
      R"("model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}})";
  const size_t at = file.find(from);
  EXPECT_NE(at, file.npos) << from;
  file.replace(at, from.size(), to);
  return error_of([&] { Tokenizer::from_json(Json::parse(file)); });
}

TEST(Tokenizer, RefusesWrongFiles) {
  EXPECT_EQ(error_of_file("null", "null"), "(no error)");
  EXPECT_EQ(error_of_file(R"([["a","b"]])", R"(["a b"])"), "(no error)");
  const std::vector<std::array<std::string, 3>> cases = {
      {"\"a\":0", "\"a\":-1", "the token -1"},
      {"\"a\":0", "\"a\":1", "the token 1 twice"},
      {"\"a\":0", "\"a\":99999999", "99999999"},
      {R"(["a","b"])", R"(["a","c"])", "not in the vocabulary"},
      {R"(["a","b"])", R"(["b","a"])", "makes what is not"},
      {R"(["a","b"])", R"(["a"])", "1 parts"},
      {R"([["a","b"]])", R"(["ab"])", "blank between"},
      {"\"id\":3", "\"id\":4", "expected 3"},
      {"\"id\":3", "\"id\":1", "which the vocabulary gives to \"b\""},
      {"\"<s>\"", "\"a\"", "in the vocabulary it is 0"},
      {"\"<s>\"", "\"\"", "is empty"},
      {"\"ByteLevel\"", "\"Bytes\"", "the pre_tokenizer is \"Bytes\""},
      {"\"normalizer\":null", "\"normalizer\":{\"type\":\"Precompiled\"}", "\"Precompiled\""},
      {"\"normalizer\":null", "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[null]}",
       "no object"},
      {"\"normalizer\":null", "\"normaliser\":null", "unknown key \"normaliser\""},
      {R"({"type":"ByteLevel","add_prefix_space":false})",
       R"({"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Isolated","invert":false})",
       "an unknown regular expression to split at: \\w+"},
      {"\"single\":[]", R"("single":[{"SpecialToken":{"id":"<x>","type_id":0}}])", "<x>"},
      {"\"single\":[]", R"("single":[{"Sequence":{"id":"B","type_id":0}}])", "\"B\""},
      {"\"type\":\"BPE\"", "\"type\":\"WordLevel\"", "ByteLevel is for BPE"},
      {"\"decoder\":null", "\"decoder\":{\"type\":\"CTC\"}", "the decoder is \"CTC\""},
      {"\"decoder\":null", "\"version\":\"2.0\"", "the version is \"2.0\""},
      {"\"decoder\":null",
       R"("padding":{"strategy":{"Fixed":-5},"pad_id":0,"pad_type_id":0,)"
       R"("pad_token":"x"})",
       "length is -5"},
  };
  for (const auto& [from, to, expected] : cases) {
    const std::string error = error_of_file(from, to);
    EXPECT_TRUE(has(error, expected)) << from << " -> " << to << ": " << error;
  }
  const TemporaryFolder folder;
  const std::string path = folder.write("t.json", R"({"format": "x"})");
  EXPECT_TRUE(has(error_of([&] { Tokenizer::load(path); }), path + ": tokenizer: the format"));
  EXPECT_TRUE(has(error_of([&] { train_bpe(kTexts, {.vocab_size = 0}); }), "vocab_size is 0"));
  EXPECT_TRUE(has(error_of([&] { train_bpe(kTexts, {.special_tokens = {"x", "x"}}); }), "twice"));
  EXPECT_TRUE(has(error_of([&] { train_bpe(Texts{"\xff"}); }), "UTF-8"));
}

}  // namespace
}  // namespace adjoint::data
