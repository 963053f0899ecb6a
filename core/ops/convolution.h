// What convolutions, their transposes and windows share: their sizes, checked.
#pragma once

#include <adjoint/core/shape.h>

#include "core/autograd/op.h"
#include "core/kernels/conv.h"
#include "core/ops/defined.h"

namespace adjoint {

// One number for each of `rank` dimensions from a list or from one number for all; ShapeError
// unless there are so many, and each is at least `least` and at most kMostOfWindow.
Shape each_dimension(const Op& op, const char* what, const Shape& given, int rank, int64_t least);

// The sizes of the last `rank` dimensions of a shape.
Shape spatial(const Shape& shape, int rank);

// The last dimensions of a kernel's three.
void set_dimensions(int64_t (&to)[3], const Shape& values);

// kernel, stride, padding, dilation and sizes of the input; `out` follows, and is checked. `behind`
// pads the end.
struct WindowSizes {
  Shape in, kernel, stride, padding, behind, dilation;
};
kernels::ConvShape window_shape(const Op& op, const WindowSizes& sizes);

}  // namespace adjoint
