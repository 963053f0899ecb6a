// What every tokenizer is: texts to tokens and back.
#pragma once

#include <adjoint/core/json.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace adjoint::data {

// A position in a vocabulary. Texts are kept as tokens of four bytes; tensors of them are i64.
using Token = int32_t;

// Tokens that stand for no text, in the order of their numbers where a vocabulary begins with them.
enum class SpecialToken { pad, unknown, begin, end, mask };

// What a tokenizer.json may have: all of Unicode's characters, escaped, take 13 MB.
inline constexpr uint64_t kMaxTokenizerFile = uint64_t{16} << 20;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual int64_t vocab_size() const = 0;
  // Throws IoError for what cannot be encoded; source says whose text it is. Nothing in a text
  // becomes a special token but for `unknown`.
  virtual std::vector<Token> encode(std::string_view text,
                                    std::string_view source = "text") const = 0;
  // Special tokens leave nothing. IndexError for a token outside the vocabulary.
  virtual std::string decode(std::span<const Token> tokens) const = 0;
  // Nothing where the vocabulary has no such token.
  virtual std::optional<Token> special(SpecialToken which) const = 0;
  // tokenizer.json, whose "format" names the kind.
  virtual Json to_json() const = 0;

  void save(const std::string& path) const;  // atomically
};

// Reads a tokenizer of any kind. IoError names the file and what is wrong with it.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);

// Throws ConfigError naming the tokenizer's user where there is no such token.
Token special_token(const Tokenizer& tokenizer, SpecialToken which, std::string_view user);

}  // namespace adjoint::data
