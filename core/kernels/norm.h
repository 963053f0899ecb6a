// Normalisation of rows.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// y = (x - mean) rstd weight + bias for packed rows of n elements; rstd = 1 / sqrt(variance + eps).
// Root mean square: the mean is 0, the variance the mean square.
// weight and bias have n elements or are null; mean and rstd, one for each row, likewise.
// x, residual, y and sum are of the dtype of the entry, the others of what it is computed in.
// With a residual, `sum` = x + residual is written first and normalised in the place of x.
struct Norm {
  int64_t rows, n;
  double eps;
  const void *x, *residual, *weight, *bias;
  void *y, *sum, *mean, *rstd;
};

// dx, dweight and dbias may be null; `add`, where there is one, is added to dx, and may be dx;
// so may dy.
// mean is not looked at for root mean squares. x, dy, add and dx are of the dtype of the entry, the
// others of what it is computed in.
struct NormBackward {
  int64_t rows, n;
  const void *x, *weight, *mean, *rstd, *dy, *add;
  void *dx, *dweight, *dbias;
};

struct NormTable {
  void (*layer_norm[kFloatingPlaces])(const Exec&, const Norm&);
  void (*layer_norm_backward[kFloatingPlaces])(const Exec&, const NormBackward&);
  void (*rms_norm[kFloatingPlaces])(const Exec&, const Norm&);
  void (*rms_norm_backward[kFloatingPlaces])(const Exec&, const NormBackward&);
};

}  // namespace adjoint::kernels
