// Rotary positions: pairs of elements turned by angles.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Rows of `width` elements, of which pair i < pairs, (2 i, 2 i + 1) where interleaved, else (i, i +
// pairs), is turned by the angle whose cosine and sine are element i of the row's place in the
// tables; by the opposite angle where `back`. What follows the pairs is copied.
struct Rotary {
  int64_t width, pairs;
  bool interleaved, back;
  int32_t rank;  // of the dimensions that rows are numbered by, the last one innermost
  int64_t size[8], x_stride[8], y_stride[8], table_stride[8];  // in elements
  const void *x, *cos, *sin;  // the tables are of what x is computed in
  void* y;
};

struct RotaryTable {
  void (*rotate[kFloatingPlaces])(const Exec&, const Rotary&);
};

}  // namespace adjoint::kernels
