// Pre-tokenizers of tokenizer.json: cut a text in the pieces that the model sees.
#pragma once

#include <adjoint/core/json.h>

#include <memory>
#include <vector>

#include "data/tokenizers/normalized.h"

namespace adjoint::data {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  // Cuts the splits that are text in smaller ones; may change the text. None is empty.
  virtual void cut(Normalized& text, std::vector<Split>& splits) const = 0;
  // Whether the model is to see bytes, as the characters that stand for them.
  virtual bool byte_level() const { return false; }
  // Whether it asks where the text comes from, so that alignment must be kept.
  virtual bool needs_origin() const { return false; }
};

// From the "pre_tokenizer" of a tokenizer.json; null for null. IoError for what is unknown.
std::unique_ptr<PreTokenizer> read_pre_tokenizer(const Json& json);

}  // namespace adjoint::data
