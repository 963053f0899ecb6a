// Normalizers of tokenizer.json.
#pragma once

#include <adjoint/core/json.h>

#include <memory>

#include "data/tokenizers/normalized.h"

namespace adjoint::data {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void normalize(Normalized& text) const = 0;
};

// From the "normalizer" of a tokenizer.json; null for null. IoError for what is unknown.
std::unique_ptr<Normalizer> read_normalizer(const Json& json);

// A text without its origin.
std::string normalized(const Normalizer* normalizer, std::string_view text);

}  // namespace adjoint::data
