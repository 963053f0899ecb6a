// Windows as columns, the way back, and bilinear forms.
#include <adjoint/core/convolution.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>

#include <bit>

#include "core/autograd/op.h"
#include "core/ops/convolution.h"
#include "core/ops/linalg.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

constexpr int kRank = 2;

WindowSizes sizes_of(const Op& op, const Shape& in, const Shape& kernel_size,
                     const WindowOptions& o) {
  const Shape padding = each_dimension(op, "padding", o.padding, kRank, 0);
  return {in,
          each_dimension(op, "kernel_size", kernel_size, kRank, 1),
          each_dimension(op, "stride", o.stride, kRank, 1),
          padding,
          padding,
          each_dimension(op, "dilation", o.dilation, kRank, 1)};
}

}  // namespace

// y[n, (c, t), p] = x[n, c, p stride + t dilation - padding];   dx = col2im(dy)
Tensor im2col(const Tensor& x, const Shape& kernel_size, const WindowOptions& options) {
  const Op op("im2col", {x},
              {{"kernel_size", kernel_size},
               {"dilation", options.dilation},
               {"padding", options.padding},
               {"stride", options.stride}});
  op.check(x.dim() == 3 || x.dim() == 4, "input of shape ", x.shape(),
           "; expected (n, c, h, w) or (c, h, w)");
  op.check_floating(0);
  kernels::ConvShape s =
      window_shape(op, sizes_of(op, spatial(x.shape(), kRank), kernel_size, options));
  if (x.dim() == 3) return squeeze(im2col(unsqueeze(x, 0), kernel_size, options), 0);
  s.batch = x.shape()[0];
  s.in_channels = x.shape()[1];
  Tensor y = make_empty(op.name(),
                        {s.batch, s.in_channels * s.kernel[1] * s.kernel[2], s.out[1] * s.out[2]},
                        x.dtype());
  const Tensor from = packed(x);
  kernel_table().conv.unfold[std::countr_zero(element_size(x.dtype()))](
      KernelScope(), {s, from.impl()->bytes(), y.impl()->bytes()});
  return op.differentiable(
      y, [in = spatial(x.shape(), kRank), kernel_size, options](const Backward& b) -> Grads {
        return {col2im(b.dy(0), in, kernel_size, options)};
      });
}

// y[n, c, p stride + t dilation - padding] += x[n, (c, t), p];   dx = im2col(dy)
Tensor col2im(const Tensor& x, const Shape& output_size, const Shape& kernel_size,
              const WindowOptions& options) {
  const Op op("col2im", {x},
              {{"output_size", output_size},
               {"kernel_size", kernel_size},
               {"dilation", options.dilation},
               {"padding", options.padding},
               {"stride", options.stride}});
  op.check(x.dim() == 2 || x.dim() == 3, "input of shape ", x.shape(),
           "; expected (n, c kernel, windows) or (c kernel, windows)");
  op.check_floating(0);
  const Shape size = each_dimension(op, "output_size", output_size, kRank, 1);
  const WindowSizes sizes = sizes_of(op, size, kernel_size, options);
  kernels::ConvShape s = window_shape(op, sizes);
  const int64_t taps = sizes.kernel.numel(), rows = x.shape()[x.dim() - 2];
  op.check(rows % taps == 0, "input of shape ", x.shape(), " for a kernel of size ", sizes.kernel,
           "; expected a multiple of ", taps, " rows");
  op.check(x.shape().back() == s.out[1] * s.out[2], "input of shape ", x.shape(), " with ",
           x.shape().back(), " windows; expected ", s.out[1] * s.out[2],
           ", as many as an output of size ", size, " has");
  if (x.dim() == 2) return squeeze(col2im(unsqueeze(x, 0), output_size, kernel_size, options), 0);
  s.batch = x.shape()[0];
  s.in_channels = rows / taps;
  const DType wide = computed_in(x.dtype());
  Tensor y = make_empty(op.name(), {s.batch, s.in_channels, s.in[1], s.in[2]}, wide);
  const Tensor from = packed(rounded(x, wide));
  kernel_table().conv.fold[index(wide)](KernelScope(),
                                        {s, y.impl()->bytes(), from.impl()->bytes()});
  return op.differentiable(rounded(y, x.dtype()),
                           [kernel_size, options](const Backward& b) -> Grads {
                             return {im2col(b.dy(0), kernel_size, options)};
                           });
}

// y[..., o] = bias[o] + sum over i of a[..., i] (sum over j of weight[o, i, j] b[..., j]), of
// operators that are differentiable
Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias) {
  const Op op("bilinear", {a, b, weight, optional_input(bias)});
  const Shape& w = weight.shape();
  op.check(w.rank() == 3, "weight of shape ", w, "; expected (out, in1, in2)");
  op.check(
      a.dim() > 0 && a.dim() == b.dim() && a.shape().back() == w[1] && b.shape().back() == w[2],
      "inputs of shapes ", a.shape(), " and ", b.shape(), " for a weight of shape ", w,
      "; expected (..., ", w[1], ") and (..., ", w[2], ")");
  const Shape lead(a.shape().span().first(static_cast<size_t>(a.dim() - 1)));
  op.check(Shape(b.shape().span().first(static_cast<size_t>(b.dim() - 1))) == lead,
           "inputs of shapes ", a.shape(), " and ", b.shape(),
           "; expected the same sizes but for the last");
  op.check(!bias.defined() || bias.shape() == Shape{w[0]}, "bias of shape ",
           bias.defined() ? bias.shape() : Shape(), " for a weight of shape ", w, "; expected (",
           w[0], ",)");
  const DType dtype = linalg::product_dtype(op, {&a, &b, &weight, &bias});
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype; cast with to()");
  const DType wide = computed_in(dtype);
  const int64_t rows = lead.numel();
  const Tensor right = matmul(reshape(to(b, wide), {rows, w[2]}),
                              transpose(reshape(to(weight, wide), {w[0] * w[1], w[2]}), 0, 1));
  Tensor y = squeeze(
      matmul(reshape(right, {rows, w[0], w[1]}), reshape(to(a, wide), {rows, w[1], 1})), -1);
  if (bias.defined()) y = y + to(bias, wide);
  Shape shape = lead;
  shape.push_back(w[0]);
  return to(reshape(y, shape), dtype);
}

}  // namespace adjoint
