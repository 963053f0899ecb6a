// Matrix products of strided tensors, on the kernel: what matmul, linear and their gradients share.
#pragma once

#include "core/ops/loops.h"

namespace adjoint {

// What becomes of the sums before they are written.
struct Epilogue {
  Tensor bias = {};                                            // (n), contiguous; or undefined
  bool accumulate = false;                                     // added to what c holds
  kernels::Activation activation = kernels::Activation::none;  // after the bias
  Tensor preactivation = {};  // laid out as c, gets the activation's argument; or undefined
  Tensor residual = {};       // laid out as c, added after the bias; or undefined
};

// c (+)= act(a b + bias) over the last two dimensions, (..., m, k) (..., k, n) -> (..., m, n); f32
// at the precision of the thread's mode.
//
// The dimensions before them broadcast to the common shape of all three; where c has size 1 (or no
// such dimension) and the others more, the products are summed: the gradient of what broadcasting
// had repeated, as one longer sum over k where strides allow. Operands may have any strides.
// Operands and c of f32 and bf16 may be mixed: where one of the three is of bf16, all operands are
// rounded to it, sums are of f32 and c is rounded once. What is of f16 is computed in f32.
// REQUIRES: otherwise one dtype, not bool, and for whole numbers, which wrap around, nothing in the
// epilogue but a bias and `accumulate`; sizes that fit; c's columns are contiguous and its
// elements distinct; nothing is summed over the batch with a bias or an activation; a residual is
// apart from c, c and it are contiguous matrices of f32 or f64, and there is nothing else in the
// epilogue but a bias.
void contract(const Tensor& c, const Tensor& a, const Tensor& b, const Epilogue& epilogue = {});

// y = act(x), element by element. REQUIRES: equal shapes and dtypes; y may be x.
void activate(const Tensor& y, const Tensor& x, kernels::Activation activation);

// x with its last two dimensions exchanged, without history.
Tensor transposed(const Tensor& x);

}  // namespace adjoint
