// Maxima of windows.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Planes are depth by height by width; sizes of 1 where there is no such dimension. Window o of a
// dimension holds the elements first[o], first[o] + dilation, ... before last[o], which all lie in
// the plane. Where windows are regular, `stride` says so: they begin at o stride - padding, and may
// begin outside; otherwise it is 0.
struct MaxPool {
  int64_t planes;
  int64_t in[3], out[3];
  int64_t kernel[3], stride[3], padding[3], dilation[3];
  const int64_t* first[3];
  const int64_t* last[3];
  const void* x;
  void* y;
  int64_t* indices;  // of the maxima in their planes; null where nobody asks
};

struct PoolTable {
  // By DType; null for i32, u8 and bool. NaN wins (the last of a window, as in PyTorch), of equal
  // maxima the first.
  void (*max_pool[kPlaces])(const Exec&, const MaxPool&);
};

}  // namespace adjoint::kernels
