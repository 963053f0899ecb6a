#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/word_tokenizer.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "data/tokenizers/added_tokens.h"
#include "data/tokenizers/post_processor.h"
#include "data/tokenizers/unicode.h"
#include "data/tokenizers/vocabulary.h"

namespace adjoint::data {
namespace {

constexpr std::string_view kSpecial[] = {"<PAD>", "<UNK>", "<BOS>", "<EOS>", "<MASK>"};

void lower_into(std::string_view word, std::string& out) {
  out.clear();
  for (size_t at = 0; at < word.size();) {
    const Scalar scalar = scalar_at(word, at);
    const Lowered lowered = lower(scalar.value);
    for (int i = 0; i < lowered.count; ++i) append_utf8(out, lowered.scalar[i]);
    at += scalar.length;
  }
}

struct Splitter {
  TokenUnit unit;
  bool lowercase;

  // Calls f(piece, begin, end) for each word and mark, or each character, from begin to end of the
  // text.
  template <class F>
  void for_each_piece(std::string_view text, size_t begin, size_t end, F&& f) const {
    std::string piece;
    for (size_t at = begin; at < end;) {
      const Scalar first = scalar_at(text, at);
      const auto has = [&](const Scalar& scalar, uint16_t flag) {
        return unit == TokenUnit::word && (flags_of(scalar.value) & flag) != 0;
      };
      size_t stop = at + first.length;
      while (has(first, kWord) && stop < end) {
        const Scalar next = scalar_at(text, stop);
        if (!has(next, kWord)) break;
        stop += next.length;
      }
      if (!has(first, kSpace)) {
        assign(text.substr(at, stop - at), piece);
        f(piece, at, stop);
      }
      at = stop;
    }
  }

 private:
  void assign(std::string_view text, std::string& piece) const {
    if (lowercase) {
      lower_into(text, piece);
    } else {
      piece = text;
    }
  }
};

Json special_json() {
  Json all = Json::array();
  for (size_t i = 0; i < std::size(kSpecial); ++i) {
    all.push_back(Json::object({{"id", i},
                                {"content", kSpecial[i]},
                                {"single_word", false},
                                {"lstrip", false},
                                {"rstrip", false},
                                {"normalized", false},
                                {"special", true}}));
  }
  return all;
}

}  // namespace

struct WordTokenizer::Parts {
  Splitter splitter;
  Vocabulary vocabulary;
  AddedTokens special;
};

WordTokenizer::WordTokenizer(TokenUnit unit, bool lowercase, std::vector<std::string> words) {
  words.insert(words.begin(), std::begin(kSpecial), std::end(kSpecial));
  auto parts = std::make_shared<Parts>();
  parts->splitter = {unit, lowercase && unit == TokenUnit::word};
  parts->vocabulary = Vocabulary(std::move(words));
  parts->special = AddedTokens(special_json(), parts->vocabulary, nullptr);
  parts_ = std::move(parts);
}

WordTokenizer WordTokenizer::from_texts(std::span<const std::string> texts,
                                        const WordTokenizerOptions& options) {
  constexpr auto kLeast = static_cast<int64_t>(std::size(kSpecial)) + 1;
  check<ConfigError>(options.vocab_size >= kLeast && options.vocab_size <= INT32_MAX,
                     "WordTokenizer: vocab_size is ", options.vocab_size, "; expected ", kLeast,
                     " (the special tokens and a word) to ", INT32_MAX);
  check<ConfigError>(options.min_frequency >= 0, "WordTokenizer: min_frequency is ",
                     options.min_frequency, "; expected 0 or more");
  const Splitter splitter{options.unit, options.lowercase && options.unit == TokenUnit::word};
  std::unordered_map<std::string, int64_t> counts;
  for (const std::string& text : texts) {
    const auto wrong = find_invalid_utf8(text);
    check<IoError>(!wrong, "WordTokenizer: not valid UTF-8: the byte at offset ", wrong.value_or(0),
                   " does not belong to a character");
    splitter.for_each_piece(text, 0, text.size(),
                            [&](const std::string& piece, size_t, size_t) { ++counts[piece]; });
  }
  std::vector<std::pair<int64_t, std::string>> ranked;
  for (const auto& [text, count] : counts) {
    if (count >= options.min_frequency) ranked.emplace_back(-count, text);
  }
  check<IoError>(!ranked.empty(), "WordTokenizer: the texts have nothing that comes ",
                 std::max<int64_t>(options.min_frequency, 1), " times; a vocabulary needs words");
  std::sort(ranked.begin(), ranked.end());
  ranked.resize(std::min(ranked.size(), static_cast<size_t>(options.vocab_size - kLeast + 1)));
  std::vector<std::string> words;
  words.reserve(ranked.size());
  for (auto& [count, text] : ranked) words.push_back(std::move(text));
  return {options.unit, options.lowercase, std::move(words)};
}

WordTokenizer WordTokenizer::from_json(const Json& json) {
  const auto format = json.get<std::string>("format");
  check_file(format == kFormat, "the format is \"", format, "\"; expected \"", kFormat, "\"");
  const auto version = json.get<int64_t>("version");
  check_file(version == 1, "the version is ", version, "; this program reads 1");
  const auto unit = json.get<std::string>("unit");
  check_file(unit == "word" || unit == "character", "the unit is \"", unit,
             "\"; expected \"word\" or \"character\"");
  auto words = json.get<std::vector<std::string>>("words");
  check_file(!words.empty(), "\"words\" is empty");
  WordTokenizer tokenizer(unit == "word" ? TokenUnit::word : TokenUnit::character,
                          json.get<bool>("lowercase"), std::move(words));
  const Vocabulary& vocabulary = tokenizer.parts_->vocabulary;
  check_file(vocabulary.count() == vocabulary.size(), "\"words\" has a word twice");
  return tokenizer;
}

WordTokenizer WordTokenizer::load(const std::string& path) {
  const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::load(path);
  const auto* words = dynamic_cast<const WordTokenizer*>(tokenizer.get());
  check<IoError>(words != nullptr, path, ": another kind of tokenizer; expected \"", kFormat, "\"");
  return *words;
}

Json WordTokenizer::to_json() const {
  Json words = Json::array();
  for (Token token = kMask + 1; token < parts_->vocabulary.size(); ++token) {
    words.push_back(parts_->vocabulary.text(token));
  }
  const auto& [unit, lowercase] = parts_->splitter;
  return Json::object({{"format", kFormat},
                       {"version", 1},
                       {"unit", unit == TokenUnit::word ? "word" : "character"},
                       {"lowercase", lowercase},
                       {"words", std::move(words)}});
}

void WordTokenizer::append_pieces(std::string_view text, const EncodeOptions& options, bool,
                                  std::vector<Piece>& out) const {
  std::vector<Split> segments;
  parts_->special.cut(text, false, options.allow_special, segments);
  for (const Split& segment : segments) {
    if (segment.token >= 0) {
      out.push_back({segment.token, segment.begin, segment.end});
      continue;
    }
    parts_->splitter.for_each_piece(
        text, segment.begin, segment.end, [&](const std::string& piece, size_t begin, size_t end) {
          const Token found = parts_->vocabulary.find(piece);
          out.push_back({found < 0 ? kUnknown : found, static_cast<uint32_t>(begin),
                         static_cast<uint32_t>(end)});
        });
  }
}

Encoding WordTokenizer::around_text(Encoding first, std::optional<Encoding> second,
                                    bool add) const {
  Encoding whole;
  if (add) append_special(whole, kBegin, 0);
  append(whole, first);
  if (add) append_special(whole, kEnd, 0);
  if (!second) return whole;
  append(whole, *second);
  if (add) append_special(whole, kEnd, 1);
  return whole;
}

std::string WordTokenizer::decode(std::span<const Token> tokens,
                                  const DecodeOptions& options) const {
  std::string text;
  for (const Token token : tokens) {
    check<IndexError>(parts_->vocabulary.contains(token), "decode: there is no token ", token,
                      " in the vocabulary of ", vocab_size());
    if (options.skip_special_tokens && is_special(token)) continue;
    if (parts_->splitter.unit == TokenUnit::word && !text.empty()) text += ' ';
    text += parts_->vocabulary.text(token);
  }
  return text;
}

int64_t WordTokenizer::vocab_size() const { return parts_->vocabulary.size(); }

std::optional<Token> WordTokenizer::token_to_id(std::string_view token) const {
  const Token found = parts_->vocabulary.find(token);
  return found < 0 ? std::nullopt : std::optional(found);
}

std::optional<std::string> WordTokenizer::id_to_token(Token token) const {
  if (!parts_->vocabulary.contains(token)) return std::nullopt;
  return std::string(parts_->vocabulary.text(token));
}

}  // namespace adjoint::data
