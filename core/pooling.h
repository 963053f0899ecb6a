// Pooling over windows. Inputs are (N, C, sizes...) or, without a batch, (C, sizes...), with as
// many sizes as the name says; sizes of windows have one entry for each or one for all.
#pragma once

#include <adjoint/core/reductions.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>

namespace adjoint {

// The largest element of each window. `stride` is by default the window's size; what `padding` adds
// on both sides, at most half a window, is minus infinity; elements of a window are `dilation`
// apart. With `ceil_mode` the last window may begin inside the input and end beyond it. NaN wins.
// The gradient goes to the first of equal maxima.
Tensor max_pool1d(const Tensor& x, const Shape& kernel_size, const Shape& stride = {},
                  const Shape& padding = 0, const Shape& dilation = 1, bool ceil_mode = false);
Tensor max_pool2d(const Tensor& x, const Shape& kernel_size, const Shape& stride = {},
                  const Shape& padding = 0, const Shape& dilation = 1, bool ceil_mode = false);
Tensor max_pool3d(const Tensor& x, const Shape& kernel_size, const Shape& stride = {},
                  const Shape& padding = 0, const Shape& dilation = 1, bool ceil_mode = false);
// The same, and where each maximum stands: its number, row-major, among the elements of its channel
// (i64), as max_unpool takes it.
ValuesAndIndices max_pool1d_with_indices(const Tensor& x, const Shape& kernel_size,
                                         const Shape& stride = {}, const Shape& padding = 0,
                                         const Shape& dilation = 1, bool ceil_mode = false);
ValuesAndIndices max_pool2d_with_indices(const Tensor& x, const Shape& kernel_size,
                                         const Shape& stride = {}, const Shape& padding = 0,
                                         const Shape& dilation = 1, bool ceil_mode = false);
ValuesAndIndices max_pool3d_with_indices(const Tensor& x, const Shape& kernel_size,
                                         const Shape& stride = {}, const Shape& padding = 0,
                                         const Shape& dilation = 1, bool ceil_mode = false);

// The mean of each window. Padding is zeros, which count in the mean unless `count_include_pad` is
// false; what ceil_mode adds beyond it never counts. `divisor_override` replaces the count.
Tensor avg_pool1d(const Tensor& x, const Shape& kernel_size, const Shape& stride = {},
                  const Shape& padding = 0, bool ceil_mode = false, bool count_include_pad = true);
Tensor avg_pool2d(const Tensor& x, const Shape& kernel_size, const Shape& stride = {},
                  const Shape& padding = 0, bool ceil_mode = false, bool count_include_pad = true,
                  std::optional<int64_t> divisor_override = std::nullopt);
Tensor avg_pool3d(const Tensor& x, const Shape& kernel_size, const Shape& stride = {},
                  const Shape& padding = 0, bool ceil_mode = false, bool count_include_pad = true,
                  std::optional<int64_t> divisor_override = std::nullopt);

// Windows such that the result has `output_size`: window i of n over s elements is
// [floor(i s / n), ceil((i + 1) s / n)). -1 keeps a size of the input.
Tensor adaptive_max_pool1d(const Tensor& x, const Shape& output_size);
Tensor adaptive_max_pool2d(const Tensor& x, const Shape& output_size);
Tensor adaptive_max_pool3d(const Tensor& x, const Shape& output_size);
ValuesAndIndices adaptive_max_pool1d_with_indices(const Tensor& x, const Shape& output_size);
ValuesAndIndices adaptive_max_pool2d_with_indices(const Tensor& x, const Shape& output_size);
ValuesAndIndices adaptive_max_pool3d_with_indices(const Tensor& x, const Shape& output_size);
Tensor adaptive_avg_pool1d(const Tensor& x, const Shape& output_size);
Tensor adaptive_avg_pool2d(const Tensor& x, const Shape& output_size);
Tensor adaptive_avg_pool3d(const Tensor& x, const Shape& output_size);

// (sum of x^p over each window)^(1 / p), without absolute values, as PyTorch computes it; a window
// that ceil_mode lets end beyond the input counts as if it were full.
Tensor lp_pool1d(const Tensor& x, double norm_type, const Shape& kernel_size,
                 const Shape& stride = {}, bool ceil_mode = false);
Tensor lp_pool2d(const Tensor& x, double norm_type, const Shape& kernel_size,
                 const Shape& stride = {}, bool ceil_mode = false);
Tensor lp_pool3d(const Tensor& x, double norm_type, const Shape& kernel_size,
                 const Shape& stride = {}, bool ceil_mode = false);

// Zeros, with each element of x where its index says: undoes max_pool_with_indices as far as that
// can be undone. `output_size` (of the sizes, or of the whole result) is by default the smallest
// that the pooling may have had, and lies within a stride of that. Of several elements with one
// index the last stays. IndexError names an index outside.
Tensor max_unpool1d(const Tensor& x, const Tensor& indices, const Shape& kernel_size,
                    const Shape& stride = {}, const Shape& padding = 0,
                    const Shape& output_size = {});
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, const Shape& kernel_size,
                    const Shape& stride = {}, const Shape& padding = 0,
                    const Shape& output_size = {});
Tensor max_unpool3d(const Tensor& x, const Tensor& indices, const Shape& kernel_size,
                    const Shape& stride = {}, const Shape& padding = 0,
                    const Shape& output_size = {});

}  // namespace adjoint
