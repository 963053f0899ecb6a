// Products of whole numbers, which wrap around where they are stored: any order of a sum gives the
// same bits. Counts and indices, nothing that is trained on: one loop for all shapes. For kernel
// sources only.
#pragma once

#include "core/kernels/gemm_tiles.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// What sums are kept in: unsigned, for these may wrap.
template <class T>
struct WholeSum {
  using type = uint32_t;
};
template <>
struct WholeSum<int64_t> {
  using type = uint64_t;
};

// A task's part of C, and how much of B lies packed beside it in the first cache.
constexpr int64_t kWholeRows = 64, kWholeColumns = 64, kWholeSteps = 32;

template <class T>
void whole_block(const Gemm<T>& g, const Item<T>& item, int64_t i0, int64_t j0) {
  using U = typename WholeSum<T>::type;
  const int64_t m = min_of(kWholeRows, g.m - i0), n = min_of(kWholeColumns, g.n - j0);
  alignas(64) U b[kWholeSteps][kWholeColumns] = {};
  int64_t k0 = 0;
  do {
    const int64_t steps = min_of(kWholeSteps, g.k - k0);
    for (int64_t k = 0; k < steps; ++k) {
      const T* const row = item.b + (k0 + k) * g.b_row + j0 * g.b_col;
      for (int64_t j = 0; j < n; ++j) b[k][j] = static_cast<U>(row[j * g.b_col]);
    }
    for (int64_t i = 0; i < m; ++i) {
      const T* const a = item.a + (i0 + i) * g.a_row + k0 * g.a_col;
      T* const c = item.c + (i0 + i) * g.c_row + j0;
      alignas(64) U sums[kWholeColumns] = {};
      if (k0 > 0 || g.accumulate) {
        for (int64_t j = 0; j < n; ++j) sums[j] = static_cast<U>(c[j]);
      }
      if (k0 == 0 && g.bias != nullptr) {
        for (int64_t j = 0; j < n; ++j) sums[j] += static_cast<U>(g.bias[j0 + j]);
      }
      for (int64_t k = 0; k < steps; ++k) {
        const U factor = static_cast<U>(a[k * g.a_col]);
        for (int64_t j = 0; j < kWholeColumns; ++j) sums[j] += factor * b[k][j];
      }
      for (int64_t j = 0; j < n; ++j) c[j] = static_cast<T>(sums[j]);
    }
    k0 += steps;
  } while (k0 < g.k);
}

template <class T>
void whole_product(const Exec& exec, const Gemm<T>& g) {
  const int64_t items = g.batch[0] * g.batch[1] * g.batch[2];
  if (items <= 0 || g.m <= 0 || g.n <= 0) return;
  const int64_t rows = ceil_div(g.m, kWholeRows), columns = ceil_div(g.n, kWholeColumns);
  const int64_t blocks = rows * columns, work = min_of(g.m * g.n, kWholeRows * kWholeColumns) * g.k;
  const int64_t group = max_of(1, kGrain / max_of(1, work));  // small products together
  parallel_tasks(exec, ceil_div(items * blocks, group), [&](int64_t task) {
    for (int64_t t = task * group; t < min_of(items * blocks, (task + 1) * group); ++t) {
      const int64_t block = t % blocks;
      whole_block(g, item_of(g, t / blocks), block / columns * kWholeRows,
                  block % columns * kWholeColumns);
    }
  });
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
