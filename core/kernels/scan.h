// Scans along lines: sums, products, extrema, logarithms of sums, recurrences.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Element (o, j, i) of a packed tensor (outer, n, inner) lies at (o * n + j) * inner + i; the scan
// runs along j, from the last to the first if `reverse`.
struct Scan {
  const void* x;
  void* y;
  int64_t outer, n, inner;
  bool reverse;
};

// Of rows: inner is 1, and nothing is reversed.
struct RowScan {
  const void* x;
  void* y;
  int64_t* indices;  // of extrema
  int64_t rows, n;
};

// h_j = a_j h_(j - 1) + b_j along rows, h_(-1) = 0; from the last to the first if `reverse`.
struct Recurrence {
  const void *a, *b;
  void* h;
  int64_t rows, n;
  bool reverse;
};

// Note [Long scans]
// Long rows, where there are few of them, are cut into pieces of a fixed length: the total of each
// is found, then what comes before each, then each is scanned from there. All of it depends on the
// shape alone, so the bits do not depend on the number of threads. Products are not cut: those of a
// piece overflow where the whole product may be 0.
struct ScanTable {
  // By f32, f64, i64; f32 is kept in f64.
  void (*sum[3])(const Exec&, const Scan&);
  void (*product[3])(const Exec&, const Scan&);
  // Extrema and where they were met last; NaN wins.
  void (*max[3])(const Exec&, const RowScan&);
  void (*min[3])(const Exec&, const RowScan&);
  // By f32, f64.
  void (*logsumexp[2])(const Exec&, const RowScan&);
  void (*recurrence[2])(const Exec&, const Recurrence&);
};

}  // namespace adjoint::kernels
