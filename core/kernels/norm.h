// Normalisation of rows.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// y = (x - mean) rstd weight + bias for packed rows of n elements; rstd = 1 / sqrt(variance + eps).
// Root mean square: the mean is 0, the variance the mean square.
// weight and bias have n elements or are null; mean and rstd, one for each row, likewise.
// With a residual, `sum` = x + residual is written first and normalised in the place of x.
struct Norm {
  int64_t rows, n;
  double eps;
  const void *x, *residual, *weight, *bias;
  void *y, *sum, *mean, *rstd;
};

// dx, dweight and dbias may be null; `add`, where there is one, is added to dx, and may be dx;
// so may dy.
// mean is not looked at for root mean squares.
struct NormBackward {
  int64_t rows, n;
  const void *x, *weight, *mean, *rstd, *dy, *add;
  void *dx, *dweight, *dbias;
};

// Indexed by f32, f64.
struct NormTable {
  void (*layer_norm[2])(const Exec&, const Norm&);
  void (*layer_norm_backward[2])(const Exec&, const NormBackward&);
  void (*rms_norm[2])(const Exec&, const Norm&);
  void (*rms_norm_backward[2])(const Exec&, const NormBackward&);
};

}  // namespace adjoint::kernels
