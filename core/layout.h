// Operators that change dtype, layout or shape, and that put tensors together.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

namespace adjoint {

// --- dtype and layout ---
Tensor to(const Tensor& x, DType dtype);  // x itself if it has the dtype
Tensor clone(const Tensor& x);            // in the same order of memory, if that has no gaps
// x itself if it lies so. Of channels_last, x has four dimensions; of channels_last_3d, five.
Tensor contiguous(const Tensor& x, MemoryFormat format = MemoryFormat::contiguous);

// --- shape ---
// One size may be -1. `view` shares elements or throws; `reshape` copies where it must.
Tensor reshape(const Tensor& x, const Shape& shape);
Tensor view(const Tensor& x, const Shape& shape);
Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
// Views:
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor permute(const Tensor& x, const Shape& dims);
// Dimension source[i] becomes destination[i]; the others keep their order.
Tensor movedim(const Tensor& x, const Shape& source, const Shape& destination);
Tensor unflatten(const Tensor& x, int64_t dim, const Shape& sizes);  // one of them may be -1
// Without the dimensions of size 1: all, or those of `dims`.
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, int64_t dim);
Tensor squeeze(const Tensor& x, const Shape& dims);
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor expand(const Tensor& x, const Shape& shape);  // -1 keeps a size
// Elements start, start + step, ... before end along dim, clamped as Python slices; step >= 1.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end = INT64_MAX,
             int64_t step = 1);
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);  // a negative start
                                                                             // counts from the end
Tensor select(const Tensor& x, int64_t dim, int64_t index);
// Elements (i, i + offset) of the matrices over dim1 and dim2, as a last dimension.
Tensor diagonal(const Tensor& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);
// Windows of `size` elements along dim, each `step` after the one before, as a last dimension:
// PyTorch's Tensor.unfold.
Tensor unfold_dim(const Tensor& x, int64_t dim, int64_t size, int64_t step);
// Elements offset + sum_d i_d strides[d] of x's storage, offset being x's own if none is given.
// IndexError where they leave the storage. Where several elements of the result are one of the
// storage, its gradient is their sum; what x does not show gets none.
Tensor as_strided(const Tensor& x, const Shape& shape, const Shape& strides,
                  std::optional<int64_t> offset = std::nullopt);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim = 0);
std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim = 0);
std::vector<Tensor> split(const Tensor& x, std::span<const int64_t> sizes, int64_t dim = 0);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim = 0);
// Copies. As in PyTorch cat() leaves out tensors of shape (0,), whatever the others' shapes are.
Tensor cat(std::span<const Tensor> tensors, int64_t dim = 0);
Tensor stack(std::span<const Tensor> tensors, int64_t dim = 0);
inline Tensor cat(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return cat(std::span<const Tensor>(tensors.begin(), tensors.size()), dim);
}
inline Tensor stack(std::initializer_list<Tensor> tensors, int64_t dim = 0) {
  return stack(std::span<const Tensor>(tensors.begin(), tensors.size()), dim);
}

// The views of n tensors of up to one dimension expanded to all their sizes; as matrices (ij), or
// with the first two dimensions exchanged, as of images (xy).
enum class Indexing : uint8_t { ij, xy };
std::vector<Tensor> meshgrid(std::span<const Tensor> tensors, Indexing indexing = Indexing::ij);
inline std::vector<Tensor> meshgrid(std::initializer_list<Tensor> tensors,
                                    Indexing indexing = Indexing::ij) {
  return meshgrid(std::span<const Tensor>(tensors.begin(), tensors.size()), indexing);
}

// --- copies, arranged ---
// sizes[d] copies after one another along each dimension; sizes longer than x's shape add
// dimensions before it. tile() takes fewer as well, for the last dimensions.
Tensor repeat(const Tensor& x, const Shape& sizes);
Tensor tile(const Tensor& x, const Shape& sizes);
// Each element so many times in a row, along dim or, without one, of x flattened. `repeats` of one
// dimension (i64 or i32) says it for each index, or for all where it has one element.
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim = {});
Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim = {});
// Element i goes to i + shift, and around the end; without dims as if x were flattened.
Tensor roll(const Tensor& x, const Shape& shifts, const Shape& dims = {});
Tensor flip(const Tensor& x, const Shape& dims);
// `pad` has numbers before and after the last dimension, then the one before it, and so on;
// negative ones cut off. `reflect` (without the edge), `replicate` (the edge) and `circular` are
// for the last one, two or three dimensions of a tensor of one or two more. `value` is for
// `constant`.
enum class PadMode : uint8_t { constant, reflect, replicate, circular };
Tensor pad(const Tensor& x, const std::vector<int64_t>& pad, PadMode mode = PadMode::constant,
           Scalar value = 0);

// --- diagonals and triangles ---
// Of one dimension: the matrix with x on its diagonal; of a matrix: a copy of its diagonal.
Tensor diag(const Tensor& x, int64_t diagonal = 0);
// Zero but for x's last dimension on the diagonal of dim1 and dim2 of the result.
Tensor diag_embed(const Tensor& x, int64_t offset = 0, int64_t dim1 = -2, int64_t dim2 = -1);
// Lower triangle of the last two dimensions, on and below the diagonal; zeros elsewhere.
Tensor tril(const Tensor& x, int64_t diagonal = 0);
Tensor triu(const Tensor& x, int64_t diagonal = 0);

}  // namespace adjoint
