// A tokenizer whose tokens are whole words, or characters, with tokens that stand for no text.
//
// The file format, tokenizer.json:
//   {"format": "adjoint-words", "version": 1, "unit": "word", "lowercase": true,
//    "tokens": ["<PAD>", "<UNK>", "<BOS>", "<EOS>", "<MASK>", "the", ",", ...]}
// A token is its position.
#pragma once

#include <adjoint/data/tokenizer.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace adjoint::data {

// word: letters, digits and _, of which every byte above ASCII is one, as long as they follow each
// other; any other character alone; white space separates and is forgotten.
// character: every character, white space too.
enum class TokenUnit { word, character };

struct WordTokenizerOptions {
  TokenUnit unit = TokenUnit::word;
  bool lowercase = true;       // A to Z, of words only
  int64_t vocab_size = 50000;  // at most, the special tokens among them
  int64_t min_frequency = 1;   // rarer ones are unknown
};

class WordTokenizer : public Tokenizer {
 public:
  static constexpr const char* kFormat = "adjoint-words";

  // The vocabulary is what occurs in the text, the most frequent first, of equally frequent ones
  // the lower first. Throws IoError where nothing is left or the text is not UTF-8, ConfigError for
  // options out of range.
  static WordTokenizer from_text(std::string_view text, const WordTokenizerOptions& options = {});

  // Reads what to_json() writes. IoError says what is wrong with it.
  static WordTokenizer from_json(const Json& json);
  Json to_json() const override;

  int64_t vocab_size() const override { return static_cast<int64_t>(tokens_.size()); }
  std::vector<Token> encode(std::string_view text, std::string_view source = "text") const override;
  // Words with a space between them.
  std::string decode(std::span<const Token> tokens) const override;
  std::optional<Token> special(SpecialToken which) const override {
    return static_cast<Token>(which);
  }

 private:
  WordTokenizer(TokenUnit unit, bool lowercase, std::vector<std::string> tokens);

  TokenUnit unit_;
  bool lowercase_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, Token> numbers_;
};

}  // namespace adjoint::data
