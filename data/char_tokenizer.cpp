#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/char_tokenizer.h>

#include <algorithm>
#include <cstdio>

namespace adjoint::data {
namespace {

constexpr const char* kFormat = "adjoint-characters";

// The scalar value of a well-formed sequence.
uint32_t scalar_of(std::string_view sequence) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(sequence[i]) & 0xFFU; };
  const auto tail = [&](size_t i) { return byte(i) & 0x3FU; };
  switch (sequence.size()) {
    case 1:
      return byte(0);
    case 2:
      return (byte(0) & 0x1FU) << 6 | tail(1);
    case 3:
      return (byte(0) & 0x0FU) << 12 | tail(1) << 6 | tail(2);
    default:
      return (byte(0) & 0x07U) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
  }
}

// Calls f(scalar, offset) for every character. Throws IoError naming source.
template <class F>
void for_each_scalar(std::string_view text, std::string_view source, F&& f) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    check<IoError>(length > 0, source, ": not valid UTF-8: the byte at offset ", at,
                   " does not belong to a character");
    f(scalar_of(text.substr(at, length)), at);
    at += length;
  }
}

// "'é' (U+00E9)"; control characters by number alone.
std::string describe(uint32_t scalar) {
  char number[16];
  std::snprintf(number, sizeof(number), "U+%04X", static_cast<unsigned>(scalar));
  if (scalar < 0x20 || scalar == 0x7F) return number;
  std::string text = "'";
  append_utf8(text, scalar);
  return text + "' (" + number + ")";
}

}  // namespace

CharTokenizer::CharTokenizer(const std::vector<uint32_t>& ascending) {
  ascii_.fill(-1);
  characters_.reserve(ascending.size());
  for (const uint32_t scalar : ascending) {
    const auto token = static_cast<Token>(characters_.size());
    append_utf8(characters_.emplace_back(), scalar);
    if (scalar < ascii_.size()) {
      ascii_[scalar] = token;
    } else {
      others_.emplace(scalar, token);
    }
  }
}

CharTokenizer CharTokenizer::from_text(std::string_view text) {
  check<IoError>(!text.empty(), "CharTokenizer: the text is empty; a vocabulary needs characters");
  std::vector<bool> seen(0x110000);
  for_each_scalar(text, "CharTokenizer", [&](uint32_t scalar, size_t) { seen[scalar] = true; });
  std::vector<uint32_t> scalars;
  for (uint32_t scalar = 0; scalar < seen.size(); ++scalar) {
    if (seen[scalar]) scalars.push_back(scalar);
  }
  return CharTokenizer(scalars);
}

CharTokenizer CharTokenizer::from_json(const Json& json) {
  const auto format = json.get<std::string>("format");
  check<IoError>(format == kFormat, "tokenizer: the format is \"", format, "\"; expected \"",
                 kFormat, "\"");
  const auto version = json.get<int64_t>("version");
  check<IoError>(version == 1, "tokenizer: the version is ", version, "; this program reads 1");
  const auto characters = json.get<std::string>("characters");
  check<IoError>(!characters.empty(), "tokenizer: \"characters\" is empty");
  std::vector<uint32_t> scalars;
  for_each_scalar(characters, "tokenizer", [&](uint32_t scalar, size_t) {
    check<IoError>(scalars.empty() || scalar > scalars.back(),
                   "tokenizer: \"characters\" must ascend, each once, but ", describe(scalar),
                   " follows ", describe(scalars.empty() ? 0 : scalars.back()));
    scalars.push_back(scalar);
  });
  return CharTokenizer(scalars);
}

CharTokenizer CharTokenizer::load(const std::string& path) {
  try {
    return from_json(Json::load(path, kMaxTokenizerFile));
  } catch (const IoError& error) {
    const std::string what = error.what();
    if (what.starts_with(path)) throw;
    fail<IoError>(path, ": ", what);
  }
}

Json CharTokenizer::to_json() const {
  std::string all;
  for (const std::string& character : characters_) all += character;
  return Json::object({{"format", kFormat}, {"version", 1}, {"characters", all}});
}

Token CharTokenizer::find(uint32_t scalar) const {
  if (scalar < ascii_.size()) return ascii_[scalar];
  const auto found = others_.find(scalar);
  return found == others_.end() ? -1 : found->second;
}

std::vector<Token> CharTokenizer::encode(std::string_view text, std::string_view source) const {
  std::vector<Token> tokens;
  tokens.reserve(text.size());
  for_each_scalar(text, source, [&](uint32_t scalar, size_t offset) {
    const Token token = find(scalar);
    check<IoError>(
        token >= 0, source, ": the character ", describe(scalar), " at byte ", offset,
        " is not among the ", vocab_size(),
        " characters that the model knows; leave it out, or train on a text that has it");
    tokens.push_back(token);
  });
  return tokens;
}

const std::string& CharTokenizer::decode(Token token) const {
  check<IndexError>(token >= 0 && token < vocab_size(), "CharTokenizer: token ", token,
                    " is outside the vocabulary of ", vocab_size());
  return characters_[static_cast<size_t>(token)];
}

std::string CharTokenizer::decode(std::span<const Token> tokens) const {
  std::string text;
  text.reserve(tokens.size());
  for (const Token token : tokens) text += decode(token);
  return text;
}

}  // namespace adjoint::data
