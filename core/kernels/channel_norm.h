// Normalisation of groups that are spread over memory: of a channel over the batch, of some
// channels of one sample.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Run r of group g is `length` elements from g group_step + r run_step on, of channel
// (g % (channels / channels_each)) channels_each + r % channels_each. The runs of all groups are
// all elements, each once.
struct Runs {
  int64_t groups, runs, length, group_step, run_step;
  int64_t channels, channels_each;
};

// y = (x - mean) rstd weight + bias, with rstd = 1 / sqrt(variance + eps) of each group. weight and
// bias are by channel or null. mean, variance and rstd are written, but for `given`: then mean and
// rstd are read. x and y are of the dtype of the entry, the others of what it is computed in.
struct ChannelNorm {
  Runs at;
  double eps;
  bool given;
  const void *x, *weight, *bias;
  void *y, *mean, *variance, *rstd;
};

// dx, dweight and dbias may be null; dx may be dy. `given`: mean and rstd are constants.
struct ChannelNormBackward {
  Runs at;
  bool given;
  const void *x, *weight, *mean, *rstd, *dy;
  void *dx, *dweight, *dbias;
};

struct ChannelNormTable {
  void (*forward[kFloatingPlaces])(const Exec&, const ChannelNorm&);
  void (*backward[kFloatingPlaces])(const Exec&, const ChannelNormBackward&);
};

}  // namespace adjoint::kernels
