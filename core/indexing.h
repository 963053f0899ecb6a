// Operators that read and write chosen elements. What holds for all operators stands in
// <adjoint/core/ops.h>.
//
//   Tensor y = x.index({Slice(0, 10, 2), None, Ellipsis, mask, indices, 3});
//   x.index({mask, Slice(1)}) = 0.5;               // acts on x itself
//   x.index_put_({rows}, values, true);            // adds; equal rows add up
//   Tensor z = index_put(x, {rows}, values);       // x stays as it is
//
// Indices are tensors of i64 or i32. IndexError names one that is outside, and where it stands.
// What goes to one place is added, or written over, in row-major order of the indices: the same
// bits for any number of threads. (PyTorch leaves that open, and which of several values stays.)
#pragma once

#include <adjoint/core/tensor.h>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace adjoint {

// --- x.index({...}) ---

struct NoneIndex {};
struct EllipsisIndex {};
inline constexpr NoneIndex None;          // a new dimension of size 1; in a slice, no bound
inline constexpr EllipsisIndex Ellipsis;  // all dimensions that no other index is about

// Elements start, start + step, ... before stop, as Python's start:stop:step: negative bounds count
// from the end, and all are clamped. step >= 1.
class Slice {
 public:
  class Bound {
   public:
    Bound(NoneIndex) {}  // NOLINT(google-explicit-constructor)
    template <std::integral T>
    Bound(T value) : given(true), at(static_cast<int64_t>(value)) {}  // NOLINT
    bool given = false;
    int64_t at = 0;
  };
  explicit Slice(Bound from = None, Bound to = None, Bound by = None)
      : start(from), stop(to), step(by) {}
  Bound start, stop, step;
};

// One index of x.index({...}), as PyTorch's TensorIndex:
//   a number     that element; the dimension goes. So does a tensor of whole numbers without
//                dimensions.
//   Slice, None, Ellipsis
//   indices      (i64 or i32) elements by number, negative ones from the end; several such tensors
//                broadcast together
//   a mask       (bool) where it is true, over as many dimensions of x as it has
//   true, false  a new dimension of size 1 or 0
class Index {
 public:
  enum class Kind : uint8_t { number, boolean, slice, none, ellipsis, tensor };

  template <std::integral T>
  Index(T value)  // NOLINT(google-explicit-constructor)
      : kind(std::same_as<T, bool> ? Kind::boolean : Kind::number),
        number(static_cast<int64_t>(value)) {}
  Index(Slice range) : kind(Kind::slice), slice(range) {}                    // NOLINT
  Index(NoneIndex) : kind(Kind::none) {}                                     // NOLINT
  Index(EllipsisIndex) : kind(Kind::ellipsis) {}                             // NOLINT
  Index(Tensor indices) : kind(Kind::tensor), tensor(std::move(indices)) {}  // NOLINT
  Index(Indexed&& indices);                                                  // NOLINT

  Kind kind;
  int64_t number = 0;
  Slice slice;
  Tensor tensor;
};
using Indices = std::span<const Index>;

// Numbers, slices, None and Ellipsis alone give a view, x itself where that is all of it. With
// tensors the result is a copy; their dimensions stand in the place of the first where they are
// next to each other, else in front. (Numbers are no tensors here: x[0, :, rows] has the shape that
// PyTorch gives it, which is not NumPy's.)
Tensor index(const Tensor& x, Indices indices);
inline Tensor index(const Tensor& x, std::initializer_list<Index> indices) {
  return index(x, Indices(indices.begin(), indices.size()));
}
// x with values, which broadcast to the shape of index(x, indices) and are of x's dtype, in these
// places, or added to them. In place: index_put_.
Tensor index_put(const Tensor& x, Indices indices, const Tensor& values, bool accumulate = false);
Tensor index_put(const Tensor& x, Indices indices, Scalar value, bool accumulate = false);
inline Tensor index_put(const Tensor& x, std::initializer_list<Index> indices, const Tensor& values,
                        bool accumulate = false) {
  return index_put(x, Indices(indices.begin(), indices.size()), values, accumulate);
}
inline Tensor index_put(const Tensor& x, std::initializer_list<Index> indices, Scalar value,
                        bool accumulate = false) {
  return index_put(x, Indices(indices.begin(), indices.size()), value, accumulate);
}

// What x.index({...}) gives: to be read, as a tensor, or to be written to, at once. It cannot be
// kept: `auto y = x.index(...)` is of no use, `Tensor y = x.index(...)` is. A tensor could not
// tell reading from writing, and writing into the copy that reading by a mask gives would be lost.
class [[nodiscard]] Indexed {
 public:
  Indexed(Tensor x, std::initializer_list<Index> indices)
      : x_(std::move(x)), indices_(indices.begin(), indices.end()) {}
  Indexed(const Indexed&) = delete;
  ~Indexed() = default;

  operator Tensor() && { return adjoint::index(x_, indices_); }  // NOLINT
  Shape shape() && { return read().shape(); }
  int dim() && { return read().dim(); }
  int64_t size(int64_t dim) && { return read().size(dim); }
  int64_t numel() && { return read().numel(); }
  DType dtype() && { return x_.dtype(); }
  template <class T>
  T item() && {
    return read().template item<T>();
  }
  double item() && { return read().item(); }
  template <class T>
  std::vector<T> to_vector() && {
    return read().template to_vector<T>();
  }

  // Broadcast and cast to x's dtype, as copy_ does; recorded as index_put_ is.
  void operator=(const Tensor& values) &&;
  void operator=(Scalar value) &&;
  // NOLINTNEXTLINE(performance-noexcept-move-constructor): it writes elements.
  void operator=(Indexed&& values) && { std::move(*this) = values.read(); }
  // Read, computed and written: of several values for one place the last one stays, as in Python.
  template <class V>
  void operator+=(const V& value) && {
    std::move(*this) = copy() + value;
  }
  template <class V>
  void operator-=(const V& value) && {
    std::move(*this) = copy() - value;
  }
  template <class V>
  void operator*=(const V& value) && {
    std::move(*this) = copy() * value;
  }
  template <class V>
  void operator/=(const V& value) && {
    std::move(*this) = copy() / value;
  }

 private:
  Tensor read() const { return adjoint::index(x_, indices_); }
  Tensor copy() const;  // with elements of its own

  Tensor x_;
  std::vector<Index> indices_;
};

inline Index::Index(Indexed&& indices) : Index(Tensor(std::move(indices))) {}

// --- along one dimension ---

// Slices of x along dim by index (one dimension or none).
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
// x with the slices of source added (alpha times), written, or with value written, at index.
// source has x's shape, but at dim the size of index, and x's dtype.
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 Scalar alpha = 1);
Tensor index_copy(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
// Negative indices count from the end.
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
Tensor index_fill(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);

// An index for each element. y[i, j, k] = x[i, index[i, j, k], k] for dim 1: index has x's number
// of dimensions, and but at dim no size above x's.
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
// The other way: x with x[i, index[i, j, k], k] = src[i, j, k] for dim 1. src has no size below
// index's, and x's dtype.
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
Tensor scatter(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
enum class ScatterReduce : uint8_t { sum, prod, mean, amax, amin };
// What goes to one place is reduced, with what x has there or, without include_self, without. The
// mean of whole numbers is rounded down. Equal extrema share the gradient.
Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                      ScatterReduce reduce, bool include_self = true);

// gather, where x and indices broadcast but at dim, and negative indices count from the end.
Tensor take_along_dim(const Tensor& x, const Tensor& indices, int64_t dim);
Tensor take_along_dim(const Tensor& x, const Tensor& indices);  // of x flattened; one dimension
// Elements of x by their number in row-major order, in the shape of index; negative ones count from
// the end.
Tensor take(const Tensor& x, const Tensor& index);

// --- masks (bool) ---

// x with `value` where mask, which broadcasts to x's shape, is true.
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);  // no dimensions
// The elements where mask is true, in row-major order; both broadcast.
Tensor masked_select(const Tensor& x, const Tensor& mask);
// x with the elements of source one after the other where mask is true; x and mask broadcast.
Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source);
// The coordinates of the elements that are not 0, (count, x.dim()) of i64 in row-major order; no
// gradient.
Tensor nonzero(const Tensor& x);
// The same, a tensor for each dimension (one for a tensor without any).
std::vector<Tensor> where(const Tensor& condition);

// x.shape + (num_classes) of i64: 1 at x's number, else 0; -1: one more than the largest number. No
// gradient.
Tensor one_hot(const Tensor& x, int64_t num_classes = -1);

}  // namespace adjoint
