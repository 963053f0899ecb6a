// Other names that PyTorch has for operators of <adjoint/core/ops.h>: the same in every respect,
// errors included.
#pragma once

#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

namespace adjoint {

// --- shapes ---
inline Tensor concat(std::span<const Tensor> tensors, int64_t dim = 0) { return cat(tensors, dim); }
inline Tensor concat(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return cat(tensors, dim);
}
inline Tensor concatenate(std::span<const Tensor> tensors, int64_t dim = 0) {
  return cat(tensors, dim);
}
inline Tensor concatenate(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return cat(tensors, dim);
}
inline Tensor swapaxes(const Tensor& x, int64_t dim0, int64_t dim1) {
  return transpose(x, dim0, dim1);
}
inline Tensor swapdims(const Tensor& x, int64_t dim0, int64_t dim1) {
  return transpose(x, dim0, dim1);
}
inline Tensor moveaxis(const Tensor& x, const Shape& source, const Shape& destination) {
  return movedim(x, source, destination);
}
inline Tensor ravel(const Tensor& x) { return flatten(x); }
inline Tensor broadcast_to(const Tensor& x, const Shape& shape) { return expand(x, shape); }
inline Tensor expand_as(const Tensor& x, const Tensor& other) { return expand(x, other.shape()); }
inline Tensor view_as(const Tensor& x, const Tensor& other) { return view(x, other.shape()); }
inline Tensor reshape_as(const Tensor& x, const Tensor& other) { return reshape(x, other.shape()); }
inline Tensor type_as(const Tensor& x, const Tensor& other) { return to(x, other.dtype()); }
inline Tensor argwhere(const Tensor& x) { return nonzero(x); }

// --- element by element ---
inline Tensor clip(const Tensor& x, std::optional<Scalar> min,
                   std::optional<Scalar> max = std::nullopt) {
  return clamp(x, min, max);
}
inline Tensor clip(const Tensor& x, const Tensor& min, const Tensor& max = {}) {
  return clamp(x, min, max);
}
inline Tensor absolute(const Tensor& x) { return abs(x); }
inline Tensor negative(const Tensor& x) { return neg(x); }
inline Tensor subtract(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor multiply(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor divide(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor true_divide(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor not_equal(const Tensor& a, const Tensor& b) { return ne(a, b); }
inline Tensor less(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor less_equal(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor greater(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor greater_equal(const Tensor& a, const Tensor& b) { return ge(a, b); }

}  // namespace adjoint
