// Updates of parameters in one pass over memory: the arithmetic of <adjoint/optim/optimizer.h>.
// All parameters of a call are one job for the threads.
//
// Never recorded; the parameters' versions change. ShapeError or DTypeError unless all tensors of
// an update have the parameter's shape and dtype, before anything is changed. Moments of a
// parameter in bf16 are of f32, as are the sums: the parameter is rounded where it is stored, to
// the nearest, so steps below 2^-9 of it are lost. Training wants weights in f32 and
// <adjoint/core/autocast.h>. The parameter and the moments must be contiguous; a gradient may have
// any layout. A parameter of f32 that products under Autocast have read since the last sweep is
// also written in bf16, into a copy beside it that the next products read instead: half the bytes,
// the same bits. The tensors that an update refers to must outlive the call, and each storage be
// in one update only.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <span>

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
struct SgdUpdate {
  const Tensor& parameter;
  const Tensor& gradient;
  const Tensor& momentum_buffer;  // undefined where momentum is 0
  SgdSweep options;
};
void sgd_sweep(std::span<const SgdUpdate> updates);

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
struct AdamUpdate {
  const Tensor& parameter;
  const Tensor& gradient;
  const Tensor& m;
  const Tensor& v;
  const Tensor& v_max;  // undefined without amsgrad
  AdamSweep options;
};
void adam_sweep(std::span<const AdamUpdate> updates);

// The sum of the squares of all elements of all tensors, in f64 and in a fixed order. DTypeError
// unless each is of a floating dtype.
double sum_of_squares(std::span<const Tensor> tensors);

}  // namespace adjoint
