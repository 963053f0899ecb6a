// Reduction kernels: sums, extrema, squared deviations, and where an extremum stands.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

enum class Reduction : int32_t {
  sum,                 // bool and i64 give i64
  product,             // not of i32, u8 and bool
  absolute,            // sum of |x|; floating only
  squared_deviations,  // sum of (x - center)^2, of x^2 where there is none; floating only
  finite,              // sum of 0 x: 0 if all are finite, NaN otherwise; floating only
  max,                 // NaN wins
  min,
  count
};

// y[o] = reduction of x over the reduced dimensions, for each place o of the kept ones. Dimension 0
// is the innermost of each group; operators order both groups by stride and merge neighbours that
// lie evenly. Strides are in elements. y and center are of what x is computed in: f32 for bf16.
// REQUIRES: both ranks >= 1 (a size of 1 where there is nothing).
struct Reduce {
  const void* x;
  void* y;
  const void* center;  // of y's layout: means, or the extrema that `find` looks for
  int64_t outputs, count;
  int32_t kept_rank, reduced_rank;
  int64_t kept_size[8], kept_stride[8], out_stride[8];
  int64_t reduced_size[8], reduced_stride[8];
};

// Note [Reduction trees]
// The order of a sum is a function of shape and strides alone: leaves of at most 512 elements of a
// row (64 rows of a column), leaves combined pairwise as a binary counter does, chunks of at most
// 65536 elements (4096 rows) likewise. The error of a sum of n elements therefore grows with log n,
// long reductions use all threads, and the bits do not depend on how many there are.
struct ReduceTable {
  // By operation and DType of x; a missing combination is null.
  void (*reduce[static_cast<int>(Reduction::count)][kPlaces])(const Exec&, const Reduce&);
  // The first index along the one reduced dimension at which x equals center (or is NaN as center
  // is): y is i64, and 0 where there is none. REQUIRES: reduced_rank == 1.
  void (*find[kPlaces])(const Exec&, const Reduce&);
};

}  // namespace adjoint::kernels
