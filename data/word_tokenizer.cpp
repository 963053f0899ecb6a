#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/word_tokenizer.h>

#include <algorithm>
#include <array>

namespace adjoint::data {
namespace {

constexpr std::array<const char*, 5> kSpecial = {"<PAD>", "<UNK>", "<BOS>", "<EOS>", "<MASK>"};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

void check_utf8(std::string_view text, std::string_view source) {
  const std::optional<size_t> bad = find_invalid_utf8(text);
  check<IoError>(!bad, source, ": not valid UTF-8: the byte at offset ", bad.value_or(0),
                 " does not belong to a character");
}

// Calls f(piece) for every piece of a text of valid UTF-8.
template <class F>
void for_each_piece(std::string_view text, TokenUnit unit, bool lowercase, F&& f) {
  std::string piece;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (unit == TokenUnit::character) {
      end = at + utf8_length(text, at);
    } else if (is_space(text[at])) {
      ++at;
      continue;
    } else if (is_word(text[at])) {
      while (end < text.size() && is_word(text[end])) ++end;
    }
    piece = text.substr(at, end - at);
    if (lowercase) std::transform(piece.begin(), piece.end(), piece.begin(), lower);
    f(piece);
    at = end;
  }
}

}  // namespace

WordTokenizer::WordTokenizer(TokenUnit unit, bool lowercase, std::vector<std::string> tokens)
    : unit_(unit), lowercase_(lowercase), tokens_(std::move(tokens)) {
  for (size_t i = kSpecial.size(); i < tokens_.size(); ++i) {
    const bool added = numbers_.emplace(tokens_[i], static_cast<Token>(i)).second;
    check<IoError>(added, "tokenizer: the token \"", tokens_[i], "\" comes twice");
  }
}

WordTokenizer WordTokenizer::from_text(std::string_view text, const WordTokenizerOptions& options) {
  const auto least = static_cast<int64_t>(kSpecial.size());
  check<ConfigError>(options.vocab_size > least && options.vocab_size <= (int64_t{1} << 24),
                     "WordTokenizer: vocab_size is ", options.vocab_size,
                     "; expected a value between ", least + 1, " and ", int64_t{1} << 24);
  check<ConfigError>(options.min_frequency >= 1, "WordTokenizer: min_frequency is ",
                     options.min_frequency, "; expected at least 1");
  check_utf8(text, "WordTokenizer");
  const bool lowercase = options.lowercase && options.unit == TokenUnit::word;
  std::unordered_map<std::string, int64_t> counts;
  for_each_piece(text, options.unit, lowercase, [&](const std::string& piece) { ++counts[piece]; });
  std::vector<std::pair<int64_t, std::string>> found;  // minus the count, piece
  for (const auto& [piece, count] : counts) {
    if (count >= options.min_frequency) found.emplace_back(-count, piece);
  }
  check<IoError>(!found.empty(), "WordTokenizer: the text has nothing that comes ",
                 options.min_frequency, " times; a vocabulary needs words");
  std::sort(found.begin(), found.end());
  std::vector<std::string> tokens(kSpecial.begin(), kSpecial.end());
  for (const auto& [count, piece] : found) {
    if (static_cast<int64_t>(tokens.size()) == options.vocab_size) break;
    tokens.push_back(piece);
  }
  return {options.unit, lowercase, std::move(tokens)};
}

WordTokenizer WordTokenizer::from_json(const Json& json) {
  const auto format = json.get<std::string>("format");
  check<IoError>(format == kFormat, "tokenizer: the format is \"", format, "\"; expected \"",
                 kFormat, "\"");
  const auto version = json.get<int64_t>("version");
  check<IoError>(version == 1, "tokenizer: the version is ", version, "; this program reads 1");
  const auto unit = json.get<std::string>("unit");
  check<IoError>(unit == "word" || unit == "character", "tokenizer: the unit is \"", unit,
                 "\"; expected \"word\" or \"character\"");
  auto tokens = json.get<std::vector<std::string>>("tokens");
  const bool begins = tokens.size() > kSpecial.size() &&
                      std::equal(kSpecial.begin(), kSpecial.end(), tokens.begin());
  check<IoError>(begins,
                 "tokenizer: \"tokens\" must begin with <PAD>, <UNK>, <BOS>, <EOS> and <MASK>, and "
                 "have more");
  return {unit == "word" ? TokenUnit::word : TokenUnit::character, json.get<bool>("lowercase"),
          std::move(tokens)};
}

Json WordTokenizer::to_json() const {
  return Json::object({{"format", kFormat},
                       {"version", 1},
                       {"unit", unit_ == TokenUnit::word ? "word" : "character"},
                       {"lowercase", lowercase_},
                       {"tokens", tokens_}});
}

std::vector<Token> WordTokenizer::encode(std::string_view text, std::string_view source) const {
  check_utf8(text, source);
  std::vector<Token> tokens;
  for_each_piece(text, unit_, lowercase_, [&](const std::string& piece) {
    const auto found = numbers_.find(piece);
    tokens.push_back(found == numbers_.end() ? *special(SpecialToken::unknown) : found->second);
  });
  return tokens;
}

std::string WordTokenizer::decode(std::span<const Token> tokens) const {
  std::string text;
  for (const Token token : tokens) {
    check<IndexError>(token >= 0 && token < vocab_size(), "WordTokenizer: token ", token,
                      "; expected one below ", vocab_size());
    if (static_cast<size_t>(token) < kSpecial.size()) continue;
    if (unit_ == TokenUnit::word && !text.empty()) text += ' ';
    text += tokens_[static_cast<size_t>(token)];
  }
  return text;
}

}  // namespace adjoint::data
