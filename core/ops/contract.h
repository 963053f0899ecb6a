// Matrix products of strided tensors, on the kernel: what matmul, linear and their gradients share.
#pragma once

#include "core/ops/loops.h"

namespace adjoint {

// c (+)= a b + bias over the last two dimensions, (..., m, k) (..., k, n) -> (..., m, n).
//
// The dimensions before them broadcast to the common shape of all three; where c has size 1 (or no
// such dimension) and the others more, the products are summed: the gradient of what broadcasting
// had repeated, as one longer sum over k where strides allow. Operands may have any strides.
// REQUIRES: one floating dtype, sizes that fit; c's columns are contiguous and its elements
// distinct; bias is undefined or (n) and contiguous, and nothing is summed over the batch with it.
void contract(const Tensor& c, const Tensor& a, const Tensor& b, const Tensor& bias,
              bool accumulate);

// x with its last two dimensions exchanged, without history.
Tensor transposed(const Tensor& x);

}  // namespace adjoint
