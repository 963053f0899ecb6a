// Convolutions over one to three dimensions, and their two gradients.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// What a convolution joins: the kernel slides over `in` and lands in `out`. With fewer than three
// dimensions the first ones have size 1, kernel 1, stride 1, padding 0 and dilation 1.
struct ConvShape {
  int64_t batch, groups;
  int64_t in_channels, out_channels;  // of one group
  // Padding counts elements before the first; what lies behind the last follows from `out`. It may
  // be negative: then elements are left out.
  int64_t in[3], out[3], kernel[3], stride[3], padding[3], dilation[3];
};

// Three tensors, of which two are read and one is written, all packed: in (batch, groups
// in_channels, in...), weight (groups out_channels, in_channels, kernel...), out (batch, groups
// out_channels, out...).
template <class T>
struct Conv {
  ConvShape shape;
  T *in, *weight, *out;
  const T* bias;  // of the channels of what is written, or nullptr; not for the weight
};

// Windows as columns: (batch, channels, in...) to (batch, channels, kernel..., out...), all packed;
// and back, where what falls on one element is added.
struct Windows {
  ConvShape shape;  // groups and out_channels are 1
  void *in, *columns;
};

struct ConvTable {
  // out[n, g o, p] = sum over c, t of weight[g o, c, t] in[n, g c, p stride + t dilation - padding]
  // (+ bias[g o]); its transpose, the gradient of `in` from that of `out`; and the gradient of the
  // weight from `in` and the gradient of `out`.
  void (*f32_out)(const Exec&, const Conv<float>&);
  void (*f32_in)(const Exec&, const Conv<float>&);
  void (*f32_weight)(const Exec&, const Conv<float>&);
  void (*f64_out)(const Exec&, const Conv<double>&);
  void (*f64_in)(const Exec&, const Conv<double>&);
  void (*f64_weight)(const Exec&, const Conv<double>&);
  void (*unfold[4])(const Exec&, const Windows&);  // by log2 of the bytes of an element
  void (*fold[2])(const Exec&, const Windows&);    // of f32 and f64
};

}  // namespace adjoint::kernels
