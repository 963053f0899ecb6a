// Optimizer updates in one sweep over memory, and what clipping needs.
#pragma once

#include <adjoint/core/bfloat16.h>
#include <adjoint/core/update_rules.h>

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// n elements side by side: parameters and gradients of `dtype`, moments of what that is computed
// in. `rounded`: where the new parameters of f32 go in bf16 too, or nullptr.
struct ParameterSpan {
  int64_t n;
  void* p;
  const void* g;
  void* moments[kMaxMoments];
  bfloat16* rounded;
  const void* rule;  // the struct of <adjoint/core/update_rules.h>
  Place dtype;
};

struct SquaresSpan {
  int64_t n;
  const void* x;
  Place dtype;
  double sum;  // the result
};

// Each takes `count` spans, of any floating dtypes, in one job: many small parameters cost no more
// than one large one.
struct FusedOptimizerTable {
  void (*update)(const Exec&, UpdateRule rule, const ParameterSpan* spans, int64_t count);
  // The sum of squares of each span, in f64, by a tree that depends on its n only.
  void (*sum_of_squares)(const Exec&, SquaresSpan* spans, int64_t count);
};

}  // namespace adjoint::kernels
