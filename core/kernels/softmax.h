// Softmax and its logarithm along one dimension.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Element (o, j, i) of a packed tensor (outer, n, inner) lies at (o * n + j) * inner + i; the
// functions run along j.
struct Lines {
  int64_t outer, n, inner;
};

// Indexed by f32, f64. y may be x, dx may be dy.
struct SoftmaxTable {
  void (*softmax[2])(const Exec&, const Lines&, const void* x, void* y);
  void (*log_softmax[2])(const Exec&, const Lines&, const void* x, void* y);
  void (*softmax_backward[2])(const Exec&, const Lines&, const void* y, const void* dy, void* dx);
  void (*log_softmax_backward[2])(const Exec&, const Lines&, const void* y, const void* dy,
                                  void* dx);
};

}  // namespace adjoint::kernels
