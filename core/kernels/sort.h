// Rows put in order, searched and counted; elements by index along a dimension.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Rows of n contiguous elements. Elements are compared by keys (see sort.inl): NaN is the largest,
// both zeros are equal; of equal elements the first comes first. So results are unique, however
// the work is divided. REQUIRES: n < 2^32.
struct Ranking {
  const void* x;
  int64_t rows, n;
  int64_t k;        // of `top` how many, of `kth` which, from 0
  bool descending;  // the largest first
  bool sorted;      // `top` in order of the elements, otherwise of their indices
};

// For each of `count` values of a row how many of the row's sorted edges are less (`right`: or
// equal).
struct Search {
  const void *edges, *values;
  int64_t* places;
  int64_t rows, count, edge_count;
  bool one_row;  // all rows have the same edges
  bool right;
};

struct Histogram {
  const void* x;
  int64_t n, bins;
  double low, high;  // low < high
};

struct SortTable {
  // Indices by rows, all n of them, or k, or one: by DType.
  void (*order[kPlaces])(const Exec&, const Ranking&, int64_t* indices);
  void (*top[kPlaces])(const Exec&, const Ranking&, int64_t* indices);
  // The first of the elements that are equal to the k-th; the first NaN where there is one.
  void (*kth[kPlaces])(const Exec&, const Ranking&, int64_t* indices);
  // By f32, f64, i64.
  void (*search[3])(const Exec&, const Search&);
  // By f32, f64. counts: `bins` of them.
  void (*histogram[2])(const Exec&, const Histogram&, int64_t* counts);
};

}  // namespace adjoint::kernels
