#include <adjoint/core/error.h>
#include <adjoint/core/utf8.h>
#include <adjoint/data/char_tokenizer.h>

#include <algorithm>
#include <cstdio>

#include "data/tokenizers/unicode.h"

namespace adjoint::data {
namespace {

// All of Unicode's characters, escaped, take 13 MB.
constexpr uint64_t kMaxFile = uint64_t{16} << 20;

// Calls f(scalar, offset) for every character. Throws IoError naming source.
template <class F>
void for_each_scalar(std::string_view text, std::string_view source, F&& f) {
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_length(text, at);
    check<IoError>(length > 0, source, ": not valid UTF-8: the byte at offset ", at,
                   " does not belong to a character");
    f(scalar_at(text, at).value, at);
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
    return from_json(Json::load(path, kMaxFile));
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

void CharTokenizer::append_pieces(std::string_view text, const EncodeOptions& options, bool,
                                  std::vector<Piece>& out) const {
  out.reserve(text.size());
  for_each_scalar(text, options.source, [&](uint32_t scalar, size_t offset) {
    const Token token = find(scalar);
    check<IoError>(
        token >= 0, options.source, ": the character ", describe(scalar), " at byte ", offset,
        " is not among the ", vocab_size(),
        " characters that the model knows; leave it out, or train on a text that has it");
    const auto begin = static_cast<uint32_t>(offset);
    const size_t length = characters_[static_cast<size_t>(token)].size();
    out.push_back({token, begin, begin + static_cast<uint32_t>(length)});
  });
}

std::optional<Token> CharTokenizer::token_to_id(std::string_view token) const {
  if (token.empty() || utf8_length(token, 0) != token.size()) return std::nullopt;
  const Token found = find(scalar_at(token, 0).value);
  return found < 0 ? std::nullopt : std::optional(found);
}

std::optional<std::string> CharTokenizer::id_to_token(Token token) const {
  if (token < 0 || token >= vocab_size()) return std::nullopt;
  return characters_[static_cast<size_t>(token)];
}

const std::string& CharTokenizer::decode(Token token) const {
  check<IndexError>(token >= 0 && token < vocab_size(), "CharTokenizer: token ", token,
                    " is outside the vocabulary of ", vocab_size());
  return characters_[static_cast<size_t>(token)];
}

std::string CharTokenizer::decode(std::span<const Token> tokens, const DecodeOptions&) const {
  std::string text;
  text.reserve(tokens.size());
  for (const Token token : tokens) text += decode(token);
  return text;
}

}  // namespace adjoint::data
