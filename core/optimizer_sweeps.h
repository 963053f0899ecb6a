// Updates of a parameter in one pass over memory: the arithmetic of <adjoint/optim/optimizer.h>.
//
// Never recorded; the parameter's version changes. ShapeError or DTypeError unless all tensors have
// the parameter's shape and dtype (f32 or f64). The parameter and the moments must be contiguous;
// a gradient may have any layout.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

struct SgdSweep {
  double lr = 0;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  double gradient_scale = 1;  // multiplies the gradient first
  bool nesterov = false;
  bool first_step = false;  // the momentum buffer becomes the gradient
};
// `momentum_buffer` is undefined where momentum is 0.
void sgd_sweep(const Tensor& parameter, const Tensor& gradient, const Tensor& momentum_buffer,
               const SgdSweep& options);

struct AdamSweep {
  double lr = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  int64_t step = 1;  // counts from 1: the bias correction
  double gradient_scale = 1;
  bool decoupled_decay = false;  // AdamW
};
// `v_max` is undefined without amsgrad.
void adam_sweep(const Tensor& parameter, const Tensor& gradient, const Tensor& m, const Tensor& v,
                const Tensor& v_max, const AdamSweep& options);

// The sum of the squares of all elements, in f64 and in a fixed order. DTypeError unless f32 or
// f64.
double sum_of_squares(const Tensor& x);

}  // namespace adjoint
