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

}  // namespace adjoint
