// Reductions: over all elements, or over dims (none: all of them).
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <string>

namespace adjoint {

inline constexpr bool kKeepDim = true;
struct ValuesAndIndices {
  Tensor values, indices;
};

// --- sums and products; whole numbers and bools give i64 ---
Tensor sum(const Tensor& x);
Tensor sum(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor prod(const Tensor& x);
Tensor prod(const Tensor& x, int64_t dim, bool keepdim = false);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, const Shape& dims, bool keepdim = false);
// The same of x converted first: torch.sum(x, dims, keepdim, dtype=dtype).
inline Tensor sum(const Tensor& x, DType dtype) { return sum(x.to(dtype)); }
inline Tensor sum(const Tensor& x, const Shape& dims, bool keepdim, DType dtype) {
  return sum(x.to(dtype), dims, keepdim);
}
inline Tensor prod(const Tensor& x, DType dtype) { return prod(x.to(dtype)); }
inline Tensor prod(const Tensor& x, int64_t dim, bool keepdim, DType dtype) {
  return prod(x.to(dtype), dim, keepdim);
}
inline Tensor mean(const Tensor& x, DType dtype) { return mean(x.to(dtype)); }
inline Tensor mean(const Tensor& x, const Shape& dims, bool keepdim, DType dtype) {
  return mean(x.to(dtype), dims, keepdim);
}
Tensor sum_to_size(const Tensor& x, const Shape& shape);        // what broadcasting had expanded
Tensor count_nonzero(const Tensor& x, const Shape& dims = {});  // no gradient; NaN counts

// --- spread and size ---
// Divides by (count - correction). Over all elements, other corrections: var(x, Shape{}, 0).
Tensor var(const Tensor& x, const Shape& dims, double correction = 1, bool keepdim = false);
Tensor var(const Tensor& x);
// The root of that; its gradient is 0 where all elements are equal. Beside `using namespace
// adjoint` it is called adjoint::std, for ::std is near too.
Tensor std(const Tensor& x, const Shape& dims, double correction = 1, bool keepdim = false);
Tensor std(const Tensor& x);
// (sum of |x|^p)^(1/p); for p = infinity the largest |x|, for -infinity the smallest, for 0 the
// number of elements that are not 0. The gradient at 0 is 0.
Tensor norm(const Tensor& x, double p = 2);
Tensor norm(const Tensor& x, double p, const Shape& dims, bool keepdim = false);
// "fro", that of p = 2; "nuc", the sum of the singular values of the matrices in two dimensions.
Tensor norm(const Tensor& x, const std::string& p, const Shape& dims = {}, bool keepdim = false);
// As torch.linalg.vector_norm: that of p = ord.
Tensor vector_norm(const Tensor& x, double ord = 2, const Shape& dims = {}, bool keepdim = false);
// log(sum of exp(x)); -infinity, with gradient 0, where all elements are -infinity.
Tensor logsumexp(const Tensor& x, const Shape& dims, bool keepdim = false);

// --- choice; NaN wins ---
// The gradient goes to all equal extrema alike for `amax`, and for `max` of all elements, and to
// the first one for `max` over one dim, which also gives its index (i64). The larger of each two
// elements is `maximum`.
Tensor amax(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor amin(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor max(const Tensor& x);
Tensor min(const Tensor& x);
ValuesAndIndices max(const Tensor& x, int64_t dim, bool keepdim = false);
ValuesAndIndices min(const Tensor& x, int64_t dim, bool keepdim = false);
// The first maximum (minimum); of all elements, its place in row-major order. No gradient.
Tensor argmax(const Tensor& x);
Tensor argmin(const Tensor& x);
Tensor argmax(const Tensor& x, int64_t dim, bool keepdim = false);
Tensor argmin(const Tensor& x, int64_t dim, bool keepdim = false);
// Of an even number of elements the lower one of the middle. The gradient is shared as that of max,
// the index the first.
Tensor median(const Tensor& x);
ValuesAndIndices median(const Tensor& x, int64_t dim, bool keepdim = false);

// --- questions; no gradient ---
// Over all elements, answered with a bool; of any dtype, where what is not 0 is true (NaN too).
bool any(const Tensor& x);
bool all(const Tensor& x);
bool all_finite(const Tensor& x);
// Along dims, as a bool tensor.
Tensor any(const Tensor& x, const Shape& dims, bool keepdim = false);
Tensor all(const Tensor& x, const Shape& dims, bool keepdim = false);

}  // namespace adjoint
