// Word vectors as the rows of an Embedding.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/data/word_vectors.h>
#include <adjoint/nn/embedding.h>

#include <span>
#include <string>

namespace adjoint::models {

struct WordVectorOptions {
  bool freeze = true;  // the rows do not train
  // This row is zeros and gets no gradient.
  std::optional<int64_t> padding_idx = std::nullopt;
};

// A row for each word of the vocabulary, in its order: the word's vector, or, where it has none,
// normal numbers as spread out as those of the vectors.
nn::Embedding embedding_from(const data::WordVectors& vectors,
                             std::span<const std::string> vocabulary,
                             const WordVectorOptions& options = {},
                             Generator& generator = default_generator());
// The same for a tokenizer's tokens.
nn::Embedding embedding_from(const data::WordVectors& vectors, const data::Tokenizer& tokenizer,
                             const WordVectorOptions& options = {},
                             Generator& generator = default_generator());

}  // namespace adjoint::models
