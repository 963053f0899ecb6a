// What turns a piece of text into tokens.
#pragma once

#include <adjoint/core/json.h>

#include <memory>
#include <string_view>
#include <vector>

#include "data/tokenizers/vocabulary.h"

namespace adjoint::data {

// A token and the bytes of the piece that it comes from.
struct ModelToken {
  Token id;
  uint32_t begin, end;
};

class Model {
 public:
  virtual ~Model() = default;
  // Appends the tokens of a piece, which is UTF-8 and not empty. IoError where there is no token
  // for what is unknown.
  virtual void tokenize(std::string_view piece, std::vector<ModelToken>& out) const = 0;
  // Where the part of a piece ends that begins at `at` and can be tokenized by itself, to the same
  // tokens: long pieces go part by part, most of which came before.
  virtual size_t part_end(std::string_view piece, size_t /*at*/) const { return piece.size(); }
  virtual const Vocabulary& vocabulary() const = 0;
  virtual Json to_json() const = 0;
};

// From the "model" of a tokenizer.json; byte_level: pieces are bytes, the vocabulary has them as
// characters.
std::unique_ptr<Model> read_bpe(const Json& json, bool byte_level);
std::unique_ptr<Model> read_wordpiece(const Json& json);
std::unique_ptr<Model> read_unigram(const Json& json);

// "<0x0A>", the token of a byte in vocabularies that fall back to bytes.
std::string byte_token_name(uint8_t byte);

}  // namespace adjoint::data
