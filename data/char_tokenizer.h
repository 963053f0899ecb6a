// A tokenizer whose tokens are the characters (Unicode scalar values) of a text.
//
// The file format, tokenizer.json:
//   {"format": "adjoint-characters", "version": 1, "characters": "\n !$&',-.3:;?ABC..."}
// The characters are in ascending order, each once; a character's token is its position.
#pragma once

#include <adjoint/core/json.h>
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
  static constexpr std::string_view kFormat = "adjoint-characters";

  // The vocabulary is what occurs in the text. Throws IoError where it is empty or not UTF-8.
  static CharTokenizer from_text(std::string_view text);

  // Reads what to_json() and save() write. IoError names the source and what is wrong with it.
  static CharTokenizer from_json(const Json& json);
  static CharTokenizer load(const std::string& path);
  Json to_json() const override;

  int64_t vocab_size() const override { return static_cast<int64_t>(characters_.size()); }
  std::optional<Token> token_to_id(std::string_view token) const override;
  std::optional<std::string> id_to_token(Token token) const override;

  // Throws IndexError for a token outside the vocabulary.
  using Tokenizer::decode;
  std::string decode(std::span<const Token> tokens, const DecodeOptions& options) const override;
  const std::string& decode(Token token) const;

  bool operator==(const CharTokenizer& other) const { return characters_ == other.characters_; }

 protected:
  // IoError names the first character that is not in the vocabulary and its offset in bytes.
  void append_pieces(std::string_view text, const EncodeOptions& options, bool with_ranges,
                     std::vector<Piece>& out) const override;

 private:
  explicit CharTokenizer(const std::vector<uint32_t>& ascending);
  Token find(uint32_t scalar) const;

  std::vector<std::string> characters_;  // in UTF-8
  std::array<Token, 128> ascii_;         // -1 where there is none
  std::unordered_map<uint32_t, Token> others_;
};

}  // namespace adjoint::data
