// Reductions: over all elements, or over dims.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

inline constexpr bool kKeepDim = true;
Tensor sum(const Tensor& x);  // integers and bools give i64
Tensor sum(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, const Shape& dims, bool keepdim = false);
// The gradient goes to all equal maxima alike for `amax` (over all, or several dims) and to the
// first one for `max` over one dim, which also gives its index (i64).
Tensor amax(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor amin(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
struct ValuesAndIndices {
  Tensor values, indices;
};
ValuesAndIndices max(const Tensor& x, int64_t dim, bool keepdim = false);
ValuesAndIndices min(const Tensor& x, int64_t dim, bool keepdim = false);
Tensor argmax(const Tensor& x, int64_t dim, bool keepdim = false);  // no gradient; first maximum
// Divides by (count - correction). Over all elements, other corrections: var(x, Shape{}, 0).
Tensor var(const Tensor& x, const Shape& dims, double correction = 1, bool keepdim = false);
Tensor var(const Tensor& x);
Tensor sum_to_size(const Tensor& x, const Shape& shape);  // what broadcasting had expanded
// Over all elements of a bool tensor; no gradient.
bool any(const Tensor& x);
bool all(const Tensor& x);
bool all_finite(const Tensor& x);

}  // namespace adjoint
