// Losses of two numbers, element by element, with their sums and derivatives.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"
#include "core/kernels/loop.h"
#include "core/kernels/loss_functors.h"

namespace adjoint::kernels {

#define ADJOINT_NAME(name, functor) name,
enum class PairLoss : int32_t { ADJOINT_PAIR_LOSSES(ADJOINT_NAME) count };
#undef ADJOINT_NAME

// x, the input, and t, the target, of one dtype; losses are computed in f32 or f64.
struct PairLossTable {
  // {y, x, t}
  void (*value[kFloatingPlaces])(const Exec&, const Loop<3>&, PairLoss which);
  // *sum of the losses of n elements each, in f64 across blocks.
  void (*sum[kFloatingPlaces])(const Exec&, int64_t n, const void* x, const void* t,
                               const double* parameter, PairLoss which, double* sum);
  // {d, x, t, dy}: d = the derivative by x, or by t where of_target, times dy scale.
  void (*backward[kFloatingPlaces])(const Exec&, const Loop<4>&, PairLoss which, bool of_target,
                                    double scale);
};

}  // namespace adjoint::kernels
