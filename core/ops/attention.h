// What operators around attention have in common.
#pragma once

#include <adjoint/core/attention.h>

namespace adjoint {

inline constexpr const char* kAttention = "scaled_dot_product_attention";

// An empty tensor of `shape` whose dimensions lie in memory in the order of x's, the last one
// innermost; errors name `name`.
Tensor empty_like_layout(const char* name, const Tensor& x, const Shape& shape);

// (batch..., rows, columns)
Shape matrices_shape(const Shape& batch, int64_t rows, int64_t columns);

// The batch that query, key and value broadcast to.
Shape whole_batch(const Tensor& q, const Tensor& k, const Tensor& v);

// How far queries see, causal or not.
AttentionWindow window_of(const AttentionOptions& options);

}  // namespace adjoint
