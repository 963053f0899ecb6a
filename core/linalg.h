// Matrix products, and linear layers in one sweep.
#pragma once

#include <adjoint/core/tensor.h>

namespace adjoint {

// As torch.matmul: (k)(k), (m,k)(k), (k)(k,n), (m,k)(k,n), and batches that broadcast.
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor bmm(const Tensor& a, const Tensor& b);  // (b,m,k)(b,k,n)
// x w^T + bias: x (..., in), w (out, in), bias (out) or undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// linear(x, weight, bias) + residual in one sweep, with the same bits: residual (..., out), of the
// product's shape. Where the product is of bf16 or the residual of another dtype, it is those two
// operators. ShapeError and DTypeError as linear, and for a residual that does not fit.
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& residual);
enum class Activation { relu, gelu, gelu_tanh, silu };  // gelu is of Gelu::erf
const char* name(Activation activation);                // "relu", ...
// activation(linear(x, weight, bias)) in one sweep, forward and backward; the same bits forward.
Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         Activation activation);

}  // namespace adjoint
