// The few operators that tensors and the engine need themselves. core/ops defines them: the engine
// must not know kernels.
#pragma once

#include <adjoint/core/tensor.h>

namespace adjoint::gradient_ops {

Tensor add(const Tensor& a, const Tensor& b);
// into += x, unrecorded, marked as a change. REQUIRES: equal shapes and dtypes.
void add_in_place(const Tensor& into, const Tensor& x);
// Sums x over the dimensions that broadcasting had expanded from `shape`.
Tensor sum_to(const Tensor& x, const Shape& shape);
Tensor cast(const Tensor& x, DType dtype);
Tensor clone(const Tensor& x);
// Every element of x becomes value, unrecorded and unmarked: for tensors that are being made.
void fill(const Tensor& x, Scalar value);

}  // namespace adjoint::gradient_ops
