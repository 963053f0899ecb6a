// Operators that put tensors together, turn them and write into parts of them, each made of a few
// of those in <adjoint/core/layout.h> and <adjoint/core/indexing.h>.
#pragma once

#include <adjoint/core/indexing.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

namespace adjoint {

// --- joined and taken apart ---

// Views with dimensions of size 1 added: (n) is (1, n), and (1, n, 1); (m, n) is (m, n, 1).
Tensor atleast_1d(const Tensor& x);
Tensor atleast_2d(const Tensor& x);
Tensor atleast_3d(const Tensor& x);
// cat() along dimension 1, or 0 where they have one; along 0 of matrices, numbers in a row being
// one row; along dimension 2; along 1, numbers in a row being a column.
Tensor hstack(std::span<const Tensor> tensors);
Tensor vstack(std::span<const Tensor> tensors);
Tensor dstack(std::span<const Tensor> tensors);
Tensor column_stack(std::span<const Tensor> tensors);
inline Tensor hstack(std::initializer_list<Tensor> tensors) {
  return hstack(std::span<const Tensor>(tensors.begin(), tensors.size()));
}
inline Tensor vstack(std::initializer_list<Tensor> tensors) {
  return vstack(std::span<const Tensor>(tensors.begin(), tensors.size()));
}
inline Tensor dstack(std::initializer_list<Tensor> tensors) {
  return dstack(std::span<const Tensor>(tensors.begin(), tensors.size()));
}
inline Tensor column_stack(std::initializer_list<Tensor> tensors) {
  return column_stack(std::span<const Tensor>(tensors.begin(), tensors.size()));
}
// Views: `sections` parts, of which the first size % sections are longer by one; or those before,
// between and behind the places `indices`, as Python slices.
std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim = 0);
std::vector<Tensor> tensor_split(const Tensor& x, std::span<const int64_t> indices,
                                 int64_t dim = 0);

// --- turned ---

// k quarter turns in the plane of two dimensions, from the first towards the second.
Tensor rot90(const Tensor& x, int64_t k = 1, const Shape& dims = {0, 1});
Tensor fliplr(const Tensor& x);  // flip() of dimension 1
Tensor flipud(const Tensor& x);  // of dimension 0

// --- every choice ---

// The rows (a_i, b_j, ...) of every choice of one element of each tensor (of one dimension), in
// lexicographic order of the places; of one tensor itself.
Tensor cartesian_prod(std::span<const Tensor> tensors);
inline Tensor cartesian_prod(std::initializer_list<Tensor> tensors) {
  return cartesian_prod(std::span<const Tensor>(tensors.begin(), tensors.size()));
}
// The rows of every choice of r elements of x (of one dimension), in lexicographic order of the
// places, which rise; with_replacement they may repeat.
Tensor combinations(const Tensor& x, int64_t r = 2, bool with_replacement = false);
// Powers of x (n): the row of x_i is x_i^(N-1), ..., x_i, 1, or that turned round. N is n if it is
// not given.
Tensor vander(const Tensor& x, std::optional<int64_t> n = std::nullopt, bool increasing = false);

// --- indices; no gradient ---

// (2, count): the rows and columns of a triangle's elements, as tril() and triu() keep them, in
// row-major order.
Tensor tril_indices(int64_t row, int64_t col, int64_t offset = 0, DType dtype = DType::i64);
Tensor triu_indices(int64_t row, int64_t col, int64_t offset = 0, DType dtype = DType::i64);

// --- a part written ---

// x with src in the place of slice(x, dim, start, end, step), of select(x, dim, index), or of
// diagonal(x, offset, dim1, dim2); src has that shape and x's dtype.
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim = 0, int64_t start = 0,
                     int64_t end = INT64_MAX, int64_t step = 1);
Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index);
Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset = 0, int64_t dim1 = 0,
                        int64_t dim2 = 1);
// Slices of source at index along dim, reduced as by scatter_reduce: source has x's shape, but at
// dim the size of index.
Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    ScatterReduce reduce, bool include_self = true);

}  // namespace adjoint
