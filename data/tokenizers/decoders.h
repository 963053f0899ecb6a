// Decoders of tokenizer.json: the texts of tokens to a text.
#pragma once

#include <adjoint/core/json.h>

#include <memory>
#include <string>
#include <vector>

namespace adjoint::data {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Rewrites the texts, which are put one behind the other in the end. What are bytes and no
  // characters stays as it is where raw, and becomes U+FFFD otherwise.
  virtual void decode(std::vector<std::string>& tokens, bool raw) const = 0;
};

// From the "decoder" of a tokenizer.json; null for null. IoError for what is unknown.
std::unique_ptr<Decoder> read_decoder(const Json& json);

}  // namespace adjoint::data
