// Losses with their reductions.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// -log softmax(x)[target], smoothed: (1 - s) of the weight on the target, s / n on every class.
// x: packed rows of n classes. REQUIRES: targets are in [0, n) or ignore_index, which gives 0.
struct CrossEntropy {
  int64_t rows, n;
  const void* x;
  const int64_t* target;
  int64_t ignore_index;
  double smoothing;
  void *loss, *logsumexp;  // one for each row, of what x is computed in
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
};

struct LossTable {
  void (*cross_entropy[kFloatingPlaces])(const Exec&, const CrossEntropy&);
  void (*cross_entropy_backward[kFloatingPlaces])(const Exec&, const CrossEntropyBackward&);
  // The others are indexed by f32, f64.
  // *sum = sum of (a - b)^2 over n elements, accumulated in f64 across blocks.
  void (*squared_error[2])(const Exec&, int64_t n, const void* a, const void* b, double* sum);
  // d = (a - b) scale
  void (*squared_error_backward[2])(const Exec&, int64_t n, const void* a, const void* b,
                                    double scale, void* d);
};

}  // namespace adjoint::kernels
