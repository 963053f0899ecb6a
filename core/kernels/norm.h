// Normalisation of rows.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// y = (x - mean) rstd weight + bias for packed rows of n elements; rstd = 1 / sqrt(variance + eps).
// weight and bias have n elements or are null; mean and rstd, one for each row, likewise.
struct LayerNorm {
  int64_t rows, n;
  double eps;
  const void *x, *weight, *bias;
  void *y, *mean, *rstd;
};

// dx, dweight and dbias may be null; `accumulate` adds to dx.
struct LayerNormBackward {
  int64_t rows, n;
  const void *x, *weight, *mean, *rstd, *dy;
  void *dx, *dweight, *dbias;
  bool accumulate;
};

// Indexed by f32, f64.
struct NormTable {
  void (*layer_norm[2])(const Exec&, const LayerNorm&);
  void (*layer_norm_backward[2])(const Exec&, const LayerNormBackward&);
};

}  // namespace adjoint::kernels
