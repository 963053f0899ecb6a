// Operators that change dtype, layout or shape, and that put tensors together.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace adjoint {

// --- dtype and layout ---
Tensor to(const Tensor& x, DType dtype);  // x itself if it has the dtype
Tensor clone(const Tensor& x);
Tensor contiguous(const Tensor& x);  // x itself if it is contiguous

// --- shape ---
// One size may be -1. `view` shares elements or throws; `reshape` copies where it must.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor view(const Tensor& x, const Shape& shape);
Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
// Views:
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& x, const Shape& dims);
Tensor squeeze(const Tensor& x, int64_t dim);
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor expand(const Tensor& x, const Shape& shape);  // -1 keeps a size
// Elements start, start + step, ... before end along dim, clamped as Python slices; step >= 1.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end = INT64_MAX,
             int64_t step = 1);
Tensor select(const Tensor& x, int64_t dim, int64_t index);
std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim = 0);
std::vector<Tensor> split(const Tensor& x, std::span<const int64_t> sizes, int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
// Copies:
Tensor cat(std::span<const Tensor> tensors, int64_t dim = 0);
Tensor stack(std::span<const Tensor> tensors, int64_t dim = 0);
inline Tensor cat(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return cat(std::span<const Tensor>(tensors.begin(), tensors.size()), dim);
}
inline Tensor stack(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return stack(std::span<const Tensor>(tensors.begin(), tensors.size()), dim);
}

// --- triangles ---
// Lower triangle of the last two dimensions, on and below the diagonal; zeros elsewhere.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);

}  // namespace adjoint
