// Vectors along rows, for kernels that reduce over them. For kernel sources only.
#pragma once

#include "core/kernels/streams.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// x in the first lanes, `other` in those that are not there.
template <class T>
ADJOINT_INLINE Vec<T> keep(Vec<T> x, int lanes, Vec<T> other) {
  if (lanes == Vec<T>::size) return x;
  return select(Vec<T>::iota() < Vec<T>(lanes), x, other);
}

template <class T>
ADJOINT_INLINE T infinity() {
  return static_cast<T>(__builtin_inf());
}

// Rows of n elements that make one task: work enough to be worth a thread's attention.
ADJOINT_INLINE int64_t rows_per_task(int64_t n) { return max_of(1, 4096 / max_of(1, n)); }

// Calls f(row) for rows [0, rows) of n elements. `streamed`: f writes around the caches, which
// wants longer tasks, for each ends by waiting for its stores.
template <class F>
void for_each_row(const Exec& exec, int64_t rows, int64_t n, const F& f, bool streamed = false) {
  const int64_t group = streamed ? max_of(1, kGrain / n) : rows_per_task(n);
  parallel_tasks(exec, ceil_div(rows, group), [&](int64_t task) {
    const int64_t last = min_of(rows, (task + 1) * group);
    for (int64_t row = task * group; row < last; ++row) f(row);
    if (streamed) stream_fence();
  });
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
