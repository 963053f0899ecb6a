// A tokenizer whose tokens are the characters (Unicode scalar values) of a text.
//
// The file format, tokenizer.json:
//   {"format": "adjoint-characters", "version": 1, "characters": "\n !$&',-.3:;?ABC..."}
// The characters are in ascending order, each once; a character's token is its position.
#pragma once

#include <adjoint/data/tokenizer.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace adjoint::data {

class CharTokenizer : public Tokenizer {
 public:
  // The vocabulary is what occurs in the text. Throws IoError where it is empty or not UTF-8.
  static CharTokenizer from_text(std::string_view text);

  // Reads what to_json() and save() write. IoError names the source and what is wrong with it.
  static CharTokenizer from_json(const Json& json);
  static CharTokenizer load(const std::string& path);
  Json to_json() const override;

  int64_t vocab_size() const override { return static_cast<int64_t>(characters_.size()); }

  // Throws IoError naming the first character that is not in the vocabulary, or the first byte that
  // is not UTF-8, and its offset in bytes; source says whose text it is.
  std::vector<Token> encode(std::string_view text, std::string_view source = "text") const override;

  // Throws IndexError for a token outside the vocabulary.
  std::string decode(std::span<const Token> tokens) const override;
  const std::string& decode(Token token) const;

  // Every token is a character of the text.
  std::optional<Token> special(SpecialToken /*which*/) const override { return std::nullopt; }

  bool operator==(const CharTokenizer& other) const { return characters_ == other.characters_; }

 private:
  explicit CharTokenizer(const std::vector<uint32_t>& ascending);
  Token find(uint32_t scalar) const;

  std::vector<std::string> characters_;  // in UTF-8
  std::array<Token, 128> ascii_;         // -1 where there is none
  std::unordered_map<uint32_t, Token> others_;
};

}  // namespace adjoint::data
