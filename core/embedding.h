// Rows of a table by their numbers.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>

namespace adjoint {

// Rows of weight (rows, width) by indices (i64 or i32, any shape): indices.shape + (width).
// IndexError names an index outside. The gradient of row padding_idx is zero.
Tensor embedding(const Tensor& indices, const Tensor& weight,
                 std::optional<int64_t> padding_idx = std::nullopt);

enum class EmbeddingBagMode : uint8_t { sum, mean, max };

struct EmbeddingBagOptions {
  // Where each bag begins among indices of one dimension, from 0 on; undefined where the rows of
  // two-dimensional indices are the bags.
  Tensor offsets = {};
  EmbeddingBagMode mode = EmbeddingBagMode::mean;
  Tensor per_sample_weights = {};    // of the indices' shape; of mode sum only
  bool include_last_offset = false;  // whether the last offset is the end of the last bag
  std::optional<int64_t> padding_idx = std::nullopt;  // a row that no bag counts
};

// Sums, means or maxima of the rows of weight (rows, width) that a bag of indices (i64 or i32)
// names: (bags, width), 0 where a bag is empty.
Tensor embedding_bag(const Tensor& indices, const Tensor& weight,
                     const EmbeddingBagOptions& options = {});

}  // namespace adjoint
