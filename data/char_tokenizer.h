// A tokenizer whose tokens are the characters (Unicode scalar values) of a text.
//
// The file format, tokenizer.json:
//   {"format": "adjoint-characters", "version": 1, "characters": "\n !$&',-.3:;?ABC..."}
// The characters are in ascending order, each once; a character's token is its position.
#pragma once

#include <adjoint/core/json.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace adjoint::data {

// A position in a vocabulary. Texts are kept as tokens of four bytes; tensors of them are i64.
using Token = int32_t;

class CharTokenizer {
 public:
  // The vocabulary is what occurs in the text. Throws IoError where it is empty or not UTF-8.
  static CharTokenizer from_text(std::string_view text);

  // Reads what to_json() and save() write. IoError names the source and what is wrong with it.
  static CharTokenizer from_json(const Json& json);
  static CharTokenizer load(const std::string& path);
  Json to_json() const;
  void save(const std::string& path) const;  // atomically

  int64_t vocab_size() const { return static_cast<int64_t>(characters_.size()); }

  // Throws IoError naming the first character that is not in the vocabulary, or the first byte that
  // is not UTF-8, and its offset in bytes; source says whose text it is.
  std::vector<Token> encode(std::string_view text, std::string_view source = "text") const;

  // Throws IndexError for a token outside the vocabulary.
  std::string decode(std::span<const Token> tokens) const;
  const std::string& decode(Token token) const;

  bool operator==(const CharTokenizer& other) const { return characters_ == other.characters_; }

 private:
  explicit CharTokenizer(const std::vector<uint32_t>& ascending);
  Token find(uint32_t scalar) const;

  std::vector<std::string> characters_;  // in UTF-8
  std::array<Token, 128> ascii_;         // -1 where there is none
  std::unordered_map<uint32_t, Token> others_;
};

}  // namespace adjoint::data
