// Optimizer updates in one sweep over memory, and what clipping needs.
#pragma once

#include <adjoint/core/bfloat16.h>

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Contiguous spans of n elements: parameters and gradients of T, moments of M, which is what T is
// computed in. Scalars are f64 and rounded once to M; a parameter is rounded where it is stored.
// `rounded`: where the new parameters of f32 go in bf16 too, or nullptr.
template <class T, class M = T>
struct SgdArgs {
  int64_t n;
  T* p;
  const T* g;
  M* momentum_buffer;  // nullptr without momentum
  bfloat16* rounded;
  double lr, momentum, dampening, weight_decay, gradient_scale;
  bool nesterov, first_step;
};

template <class T, class M = T>
struct AdamArgs {
  int64_t n;
  T* p;
  const T* g;
  M* m;
  M* v;
  M* v_max;  // nullptr without amsgrad
  bfloat16* rounded;
  double decay;  // p *= decay first; 1 for none (decoupled)
  double l2;     // g += l2 p; 0 for none
  double beta1, beta2;
  double step_size;  // lr / (1 - beta1^t)
  double v_scale;    // 1 / sqrt(1 - beta2^t)
  double eps, gradient_scale;
};

template <class T>
struct SquaresArgs {
  int64_t n;
  const T* x;
  double sum;  // the result
};

// Each takes `count` spans in one job: many small parameters cost no more than one large one.
struct FusedOptimizerTable {
  void (*sgd_f32)(const Exec&, const SgdArgs<float>* spans, int64_t count);
  void (*sgd_f64)(const Exec&, const SgdArgs<double>* spans, int64_t count);
  void (*sgd_bf16)(const Exec&, const SgdArgs<bfloat16, float>* spans, int64_t count);
  void (*adam_f32)(const Exec&, const AdamArgs<float>* spans, int64_t count);
  void (*adam_f64)(const Exec&, const AdamArgs<double>* spans, int64_t count);
  void (*adam_bf16)(const Exec&, const AdamArgs<bfloat16, float>* spans, int64_t count);
  // The sum of squares of each span, in f64, by a tree that depends on its n only.
  void (*sum_of_squares_f32)(const Exec&, SquaresArgs<float>* spans, int64_t count);
  void (*sum_of_squares_f64)(const Exec&, SquaresArgs<double>* spans, int64_t count);
  void (*sum_of_squares_bf16)(const Exec&, SquaresArgs<bfloat16>* spans, int64_t count);
};

}  // namespace adjoint::kernels
