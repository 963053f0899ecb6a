// Operators that read and write chosen elements.
#pragma once

#include <adjoint/core/tensor.h>

namespace adjoint {

// x with `value` where mask (bool, broadcasts to x's shape) is true.
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);

}  // namespace adjoint
