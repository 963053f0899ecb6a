// Cross entropy.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// -w[target] log softmax(x)[target], smoothed: (1 - s) of that, and s / n of it for every class.
// x: packed rows of n classes. REQUIRES: targets are in [0, n) or ignore_index, which gives 0.
struct CrossEntropy {
  int64_t rows, n;
  const void* x;
  const int64_t* target;
  int64_t ignore_index;
  double smoothing;
  void *loss, *logsumexp;        // one for each row, of what x is computed in
  const void* weight = nullptr;  // of each class, of the same type; null: all 1
};

// dx = (softmax(x) - weight of the class) scale dy[row]; zero in ignored rows.
struct CrossEntropyBackward {
  int64_t rows, n;
  const void* x;
  const int64_t* target;
  int64_t ignore_index;
  double smoothing, scale;
  const void *logsumexp, *dy;  // of what x is computed in
  int64_t dy_stride;           // 0: one dy for all rows
  void* dx;
  const void* weight = nullptr;
};

struct LossTable {
  void (*cross_entropy[kFloatingPlaces])(const Exec&, const CrossEntropy&);
  void (*cross_entropy_backward[kFloatingPlaces])(const Exec&, const CrossEntropyBackward&);
};

}  // namespace adjoint::kernels
