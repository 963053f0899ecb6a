// Whole tensors compared. No gradient.
#pragma once

#include <adjoint/core/tensor.h>

namespace adjoint {

// Of one shape and with equal elements; NaN equals nothing. DTypeError for two dtypes.
bool equal(const Tensor& a, const Tensor& b);
// |a - b| <= atol + rtol |b|, or a == b, or with equal_nan both NaN: for each element (bool), and
// for all of them. Shapes broadcast. DTypeError for two dtypes.
Tensor isclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
               bool equal_nan = false);
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false);

}  // namespace adjoint
