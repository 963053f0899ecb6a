// Scans: element i of the result is made of the elements up to i along a dimension.
#pragma once

#include <adjoint/core/reductions.h>
#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

// Whole numbers and bools give i64; f32 is added and multiplied in f64.
Tensor cumsum(const Tensor& x, int64_t dim);
Tensor cumprod(const Tensor& x, int64_t dim);  // the gradient is right beside zeros too
// The same of x converted first.
inline Tensor cumsum(const Tensor& x, int64_t dim, DType dtype) { return cumsum(x.to(dtype), dim); }
inline Tensor cumprod(const Tensor& x, int64_t dim, DType dtype) {
  return cumprod(x.to(dtype), dim);
}
// The largest (smallest) so far and its index (i64): of equal ones the last, to which the gradient
// goes. NaN wins.
ValuesAndIndices cummax(const Tensor& x, int64_t dim);
ValuesAndIndices cummin(const Tensor& x, int64_t dim);
Tensor logcumsumexp(const Tensor& x, int64_t dim);  // log(cumsum(exp(x)))

}  // namespace adjoint
