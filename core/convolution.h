// Convolutions and their transposes, windows as columns, and bilinear forms.
//
// Arguments of each dimension are one number for all of them or a list:
//   conv2d(x, w, b, {.stride = 2, .padding = {1, 0}})
// x has a batch, (n, channels, ...), or none, (channels, ...), and the result likewise. Groups
// divide channels: each group of the result sees its group of the input only; as many groups as
// channels make a depthwise convolution.
//
// ShapeError, DTypeError and ConfigError name what does not fit. Results of bf16 and f16 are
// computed in f32 and rounded once.
#pragma once

#include <adjoint/core/shape.h>
#include <adjoint/core/tensor.h>

#include <concepts>
#include <cstdint>

namespace adjoint {

// Zeros around the input of a convolution: so many at both ends of each dimension, or "valid"
// (none), or "same" (as many as keep the size, for stride 1; of an odd number the last comes at the
// end).
class ConvPadding {
 public:
  template <std::integral T>
  requires(!std::same_as<T, bool>) ConvPadding(T number) : numbers_(number) {}  // NOLINT
  ConvPadding(const Shape& numbers) : numbers_(numbers) {}                      // NOLINT
  template <std::integral... T>
  requires(sizeof...(T) > 1) ConvPadding(T... numbers) : numbers_(numbers...) {}  // NOLINT
  ConvPadding(const char* mode) : mode_(mode) {}  // NOLINT: a literal; checked by the operator

  const Shape& numbers() const { return numbers_; }
  const char* mode() const { return mode_; }  // nullptr for numbers

 private:
  Shape numbers_;
  const char* mode_ = nullptr;
};

struct ConvOptions {
  Shape stride = 1;
  ConvPadding padding = 0;
  Shape dilation = 1;
  int64_t groups = 1;
};

// y[n, o, p] = bias[o] + sum over c, t of weight[o, c, t] x[n, c, p stride + t dilation - padding];
// weight (out, in / groups, kernel...), bias (out) or undefined. As torch.nn.functional's.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const ConvOptions& options = {});

struct ConvTransposeOptions {
  Shape stride = 1;
  Shape padding = 0;         // of the convolution that this transposes: it makes the result smaller
  Shape output_padding = 0;  // makes the result larger at the end; below stride or dilation
  int64_t groups = 1;
  Shape dilation = 1;
};

// The transposed convolution, what the gradient of a convolution's input is:
// y[n, o, p stride + t dilation - padding] += weight[c, o, t] x[n, c, p], from bias[o]; weight (in,
// out / groups, kernel...), bias (out) or undefined. Sizes: (in - 1) stride - 2 padding +
// dilation (kernel - 1) + output_padding + 1.
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});
Tensor conv_transpose3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTransposeOptions& options = {});

struct WindowOptions {
  Shape dilation = 1;
  Shape padding = 0;
  Shape stride = 1;
};

// Windows of two dimensions as columns: x (n, c, h, w) -> (n, c kernel_h kernel_w, windows), or
// without n, as torch.nn.functional.unfold. Not Tensor.unfold, which is a view.
Tensor im2col(const Tensor& x, const Shape& kernel_size, const WindowOptions& options = {});
// Its transpose: columns that fall on the same element are added, as torch.nn.functional.fold.
Tensor col2im(const Tensor& x, const Shape& output_size, const Shape& kernel_size,
              const WindowOptions& options = {});
// The same by PyTorch's names.
inline Tensor unfold(const Tensor& x, const Shape& kernel_size, const WindowOptions& options = {}) {
  return im2col(x, kernel_size, options);
}
inline Tensor fold(const Tensor& x, const Shape& output_size, const Shape& kernel_size,
                   const WindowOptions& options = {}) {
  return col2im(x, output_size, kernel_size, options);
}

// y[..., o] = bias[o] + sum over i, j of a[..., i] weight[o, i, j] b[..., j]; weight (out, in1,
// in2), bias (out) or undefined.
Tensor bilinear(const Tensor& a, const Tensor& b, const Tensor& weight, const Tensor& bias = {});

}  // namespace adjoint
