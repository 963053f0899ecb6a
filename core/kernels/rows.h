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

// step(so far, at, lanes) from vector to vector of a row, beginning with `first`: four chains, for
// one would wait for each of its steps before the next, which combine merges; then what is left.
template <class V, class C, class F>
ADJOINT_INLINE V fold_row(int64_t n, V first, const C& combine, const F& step) {
  constexpr int size = V::size;
  V a = first, b = first, c = first, d = first;
  int64_t j = 0;
  for (; j + 4 * size <= n; j += 4 * size) {
    a = step(a, j, size);
    b = step(b, j + size, size);
    c = step(c, j + 2 * size, size);
    d = step(d, j + 3 * size, size);
  }
  a = combine(combine(a, b), combine(c, d));
  for (; j + size <= n; j += size) a = step(a, j, size);
  if (j < n) {
    const auto rest = static_cast<int>(n - j);
    a = combine(a, keep(step(first, j, rest), rest, first));
  }
  return a;
}

// Whether rows go around the caches: see streams; not rows of a few lines.
ADJOINT_INLINE bool streams_rows(const Exec& exec, int64_t rows, int64_t row_bytes, bool apart) {
  return row_bytes >= 16 * kLine && streams(exec, rows * row_bytes, apart);
}

// y[j] = f(j, lanes), vector by vector. Where y is not an input, around the caches if `streamed`.
template <class T, class F>
ADJOINT_INLINE void write_row(T* y, int64_t n, bool streamed, const F& f) {
  if (!streamed) {
    for_vectors<Register<T>::size>(n,
                                   [&](int64_t j, int lanes) { store(f(j, lanes), y + j, lanes); });
    return;
  }
  Out<T> out(y, 0, 1, true);
  for (int64_t i = 0, m; i < n; i += m) {
    m = out.count(i, n);
    T* const to = out.block(i);
    for_vectors<Register<T>::size>(
        m, [&](int64_t j, int lanes) { store(f(i + j, lanes), to + j, lanes); });
    out.flush(i, m);
  }
}

// Rows of n elements that make one task: work enough to be worth a thread's attention.
ADJOINT_INLINE int64_t rows_per_task(int64_t n) { return max_of(1, 4096 / max_of(1, n)); }

// Calls f(row) for rows [0, rows) of n elements, each on its own: tasks do not show in the bits.
// Where there is enough to share, tasks are long: rows that are asked for ahead of their turn are
// then mostly the thread's own. `streamed`: f writes around the caches.
template <class F>
void for_each_row(const Exec& exec, int64_t rows, int64_t n, const F& f, bool streamed = false) {
  const bool large = rows * n >= 64 * kGrain;
  const int64_t group = streamed || large ? max_of(1, kGrain / n) : rows_per_task(n);
  parallel_tasks(exec, ceil_div(rows, group), [&](int64_t task) {
    const int64_t last = min_of(rows, (task + 1) * group);
    for (int64_t row = task * group; row < last; ++row) f(row);
    if (streamed) stream_fence();
  });
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
