// The sweep before the products of a Linear's backward: the derivative of its activation, and the
// bias's gradient while it is in registers. For kernel sources only.
#pragma once

#include "core/kernels/gemm_tiles.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows that one partial sum takes in order, four at a time; partial sums are added pairwise. Both
// depend on the shape alone. Columns of a task: a row's sums stay in the first-level cache.
constexpr int64_t kSumRows = 64, kSumColumns = 2048;

// kRows rows from `at`, columns [0, n): written to dx, and their sums (+ sums unless `first`).
template <class T, class F, int kRows>
ADJOINT_INLINE void sweep_rows(const ActivationBackward& w, int64_t at, int64_t n, bool first,
                               Computed<T>* sums) {
  using V = Register<T>;
  constexpr bool kDerives = !__is_same(F, Unchanged);
  const T* const kept = kDerives ? static_cast<const T*>(w.kept) + at : nullptr;
  const T* const dy = static_cast<const T*>(w.dy) + at;
  T* const dx = kDerives ? static_cast<T*>(w.dx) + at : nullptr;
  for_vectors<V::size>(
      n, [&](int64_t j, int lanes) __attribute__((always_inline)) {
        V total = 0;
        V d[kRows];
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          d[r] = load(dy + r * w.n + j, lanes);
          if constexpr (kDerives) {
            const V x = load(kept + r * w.n + j, lanes);
            d[r] = F::derivative(x, x, d[r]);
            store(d[r], dx + r * w.n + j, lanes);
          }
        }
        if (sums == nullptr) return;
        if constexpr (kRows == 4) {
          total = (d[0] + d[1]) + (d[2] + d[3]);
        } else {
          total = d[0];
        }
        store(first ? total : load(sums + j, lanes) + total, sums + j, lanes);
      });
}

// Rows [row, row + count) of columns [column, column + n).
template <class T, class F>
void sweep_block(const ActivationBackward& w, int64_t row, int64_t count, int64_t column, int64_t n,
                 Computed<T>* sums) {
  int64_t r = 0;
  for (; r + 4 <= count; r += 4) {
    sweep_rows<T, F, 4>(w, (row + r) * w.n + column, n, r == 0, sums);
  }
  for (; r < count; ++r) sweep_rows<T, F, 1>(w, (row + r) * w.n + column, n, r == 0, sums);
}

template <class T, class F>
void sweep(const Exec& exec, const ActivationBackward& w) {
  using A = Computed<T>;
  if (w.n <= 0) return;
  A* const sums = static_cast<A*>(w.sums);
  const int64_t blocks = ceil_div(w.rows, kSumRows), strips = ceil_div(w.n, kSumColumns);
  if (blocks == 0) {
    for (int64_t j = 0; sums != nullptr && j < w.n; ++j) sums[j] = 0;
    return;
  }
  A* partial = sums;
  if (sums != nullptr && blocks > 1) {
    partial = static_cast<A*>(exec.acquire(static_cast<size_t>(blocks * w.n) * sizeof(A)));
  }
  const int64_t columns = min_of(w.n, kSumColumns);
  const int64_t group = max_of(1, kGrain / (kSumRows * columns));  // narrow blocks together
  const int64_t groups = ceil_div(blocks, group);
  parallel_tasks(exec, groups * strips, [&](int64_t task) {
    const int64_t column = task % strips * kSumColumns, first = task / strips * group;
    for (int64_t block = first; block < min_of(blocks, first + group); ++block) {
      const int64_t row = block * kSumRows;
      sweep_block<T, F>(w, row, min_of(kSumRows, w.rows - row), column,
                        min_of(kSumColumns, w.n - column),
                        partial == nullptr ? nullptr : partial + block * w.n + column);
    }
  });
  if (partial == sums) return;
  parallel_tasks(exec, strips, [&](int64_t strip) {
    const int64_t column = strip * kSumColumns, n = min_of(kSumColumns, w.n - column);
    for (int64_t step = 1; step < blocks; step *= 2) {
      const bool last = 2 * step >= blocks;
      for (int64_t block = 0; block + step < blocks; block += 2 * step) {
        A* const to = partial + block * w.n + column;
        const A* const from = to + step * w.n;
        for_vectors<Vec<A>::size>(n, [&](int64_t j, int lanes) {
          store(load(to + j, lanes) + load(from + j, lanes), (last ? sums + column : to) + j,
                lanes);
        });
      }
    }
  });
  exec.release(partial);
}

template <class T>
void activation_backward(const Exec& exec, const ActivationBackward& w) {
  switch (w.activation) {
    case Activation::none:
      return sweep<T, Unchanged>(exec, w);
    case Activation::relu:
      return sweep<T, functors::Relu>(exec, w);
    case Activation::gelu_tanh:
      return sweep<T, functors::GeluTanh>(exec, w);
    case Activation::gelu_erf:
      return sweep<T, functors::GeluErf>(exec, w);
    case Activation::silu:
      return sweep<T, functors::Silu>(exec, w);
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
