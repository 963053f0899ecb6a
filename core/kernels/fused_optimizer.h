// Optimizer updates in one sweep over memory, and what clipping needs.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Contiguous spans of n elements. Scalars are f64 and rounded once to the spans' type.
template <class T>
struct SgdArgs {
  int64_t n;
  T* p;
  const T* g;
  T* momentum_buffer;  // nullptr without momentum
  double lr, momentum, dampening, weight_decay, gradient_scale;
  bool nesterov, first_step;
};

template <class T>
struct AdamArgs {
  int64_t n;
  T* p;
  const T* g;
  T* m;
  T* v;
  T* v_max;      // nullptr without amsgrad
  double decay;  // p *= decay first; 1 for none (decoupled)
  double l2;     // g += l2 p; 0 for none
  double beta1, beta2;
  double step_size;  // lr / (1 - beta1^t)
  double v_scale;    // 1 / sqrt(1 - beta2^t)
  double eps, gradient_scale;
};

struct FusedOptimizerTable {
  void (*sgd_f32)(const Exec&, const SgdArgs<float>&);
  void (*sgd_f64)(const Exec&, const SgdArgs<double>&);
  void (*adam_f32)(const Exec&, const AdamArgs<float>&);
  void (*adam_f64)(const Exec&, const AdamArgs<double>&);
  // The sum of squares, in f64, by a tree that depends on n only.
  double (*sum_of_squares_f32)(const Exec&, const float* x, int64_t n);
  double (*sum_of_squares_f64)(const Exec&, const double* x, int64_t n);
};

}  // namespace adjoint::kernels
