// Products of few rows with a weight that is read once, as it lies: f32, f64, or with sums of f32
// bf16, and f32 that is rounded to it. For kernel sources only.
#pragma once

#include "core/kernels/gemm_tiles.h"
#include "core/kernels/narrow.h"
#include "core/kernels/skinny.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows of x at a time: at most as many accumulators as the registers hold beside a square.
#if defined(ADJOINT_ISA_AVX512)
constexpr int kTurnedRows = 8;
#else
constexpr int kTurnedRows = 4;
#endif

// An f32 that counts as the nearest bf16.
struct RoundedFloat {
  float value;
};
// Half the functions for what is seldom of many rows.
template <class W>
constexpr int kRowsAtOnce = __is_same(W, RoundedFloat) ? 4 : kTurnedRows;

// Calls f(first, last) for runs of panels of about `bytes` each, or of as many as keep the threads
// evenly busy. Elements do not depend on the runs.
template <class F>
void for_panels(const Exec& exec, int64_t n, int64_t panel_bytes, int64_t bytes, const F& f) {
  const int64_t panels = ceil_div(n, kPanel), total = panels * panel_bytes;
  // Below, waking a thread costs more than it saves.
  constexpr int64_t kWorthWaking = 1 << 17;
  if (exec.threads == 1 || total < kWorthWaking) {
    f(0, panels);
    return;
  }
  const int64_t even = ceil_div(total / bytes, exec.threads) * exec.threads;
  const int64_t tasks = min_of(panels, max_of(exec.threads, min_of(even, 32 * exec.threads)));
  parallel_tasks(exec, tasks,
                 [&](int64_t task) { f(panels * task / tasks, panels * (task + 1) / tasks); });
}

// How many elements of each row are turned at once: of bf16 pairs, each of which is moved as one
// f32. Such rows must lie a whole number of pairs apart.
template <class T, class W>
constexpr int kSquare = Vec<T>::size > 1 ? Vec<T>::size* int{sizeof(T)} / int{sizeof(W)} : 1;

template <class T, class W>
ADJOINT_INLINE T widened(W w) {
  if constexpr (__is_same(W, RoundedFloat)) {
    return w.value;
  } else {
    return static_cast<T>(w);
  }
}
// A column of a weight as it counts.
template <class W, class V>
ADJOINT_INLINE V rounded(V column) {
  if constexpr (__is_same(W, RoundedFloat)) {
    return nearest_bf16(column);
  } else {
    return column;
  }
}

// Calls add(c, column c of w as a register) for c < kSquare; a lane for each row.
template <class T, class W, class F>
ADJOINT_INLINE void turn_square(const W* w, int64_t row, const F& add) {
  constexpr int size = Vec<T>::size;
  if constexpr (sizeof(T) == sizeof(W)) {
    Vec<T> square[size];
    load_transposed(reinterpret_cast<const T*>(w), row, size, square);
#pragma GCC unroll 16
    for (int c = 0; c < size; ++c) add(c, rounded<W>(square[c]));
  } else if constexpr (size == 1) {
    add(0, Vec<T>::load(w));
  } else {
    Vec<T> pairs[size];
    load_transposed(reinterpret_cast<const float*>(w), row / 2, size, pairs);
#pragma GCC unroll 16
    for (int c = 0; c < size; ++c) {
      const VecU32 bits = VecU32::bits_of(pairs[c]);
      add(2 * c, float_from_bits(bits << 16));
      add(2 * c + 1, float_from_bits(bits & VecU32(kUpper)));
    }
  }
}

// One register of columns of y, j to j + cols, for rows i to i + MR of x. Squares of w are turned
// in registers. `ahead`: what is read next, of which each square fetches its share in the order of
// memory, for the rows of a square are as many streams, too many for the hardware's own fetching;
// or nullptr.
template <class T, class W, int MR>
void turned_columns(const Skinny<T, W>& p, int64_t i, int64_t j, int cols, const char* ahead) {
  using V = Vec<T>;
  constexpr int size = V::size, square = kSquare<T, W>;
  constexpr int64_t kLines = size * square * static_cast<int64_t>(sizeof(W)) / kLine;
  const T* const x = p.x + i * p.x_row;
  const W* const w = p.w + j * p.w_row;
  const int64_t block = max_of(1, KBlocks(p.k).size);
  alignas(kLine) W edge[size * square];  // the rows that there are, of the last ones
  if (cols < size) __builtin_memset(static_cast<void*>(edge), 0, sizeof(edge));
  V total[MR];
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r) total[r] = V(0);
  for (int64_t k0 = 0; k0 < p.k; k0 += block) {
    const int64_t end = min_of(p.k, k0 + block);
    V acc[MR];
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) acc[r] = V(0);
    const auto add = [&](int64_t k, V column) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int r = 0; r < MR; ++r) acc[r] = fma(V(x[r * p.x_row + k * p.x_col]), column, acc[r]);
    };
    int64_t k = k0;
    for (; k + square <= end; k += square) {
      const auto add_here = [&](int c, V column) __attribute__((always_inline)) {
        add(k + c, column);
      };
      if (size > 1 && ahead != nullptr) {
#pragma GCC unroll 16
        for (int64_t l = 0; l < kLines; ++l) __builtin_prefetch(ahead + l * kLine, 0, 2);
        ahead += kLines * kLine;
      }
      const W* from = w + k;
      int64_t step = p.w_row;
      if (cols < size) [[unlikely]] {
        for (int r = 0; r < cols; ++r) {
          __builtin_memcpy(edge + r * square, from + r * step, sizeof(W) * square);
        }
        from = edge;
        step = square;
      }
      turn_square<T>(from, step, add_here);
    }
    for (; k < end; ++k) {
      T column[size] = {};
      for (int r = 0; r < cols; ++r) column[r] = widened<T>(w[r * p.w_row + k]);
      add(k, rounded<W>(V::load(column)));
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) total[r] = k0 == 0 ? acc[r] : total[r] + acc[r];
  }
  const V bias = p.bias != nullptr ? load(p.bias + j, cols) : V(0);
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r) {
    store(fma(total[r], V(1), bias), p.y + (i + r) * p.y_row + j, cols);
  }
}

// of[rows - 1].
template <class T, class W>
struct TurnedFunctions {
  void (*of[kRowsAtOnce<W>])(const Skinny<T, W>&, int64_t, int64_t, int, const char*);

  constexpr TurnedFunctions() : of() { fill<kRowsAtOnce<W>>(); }

 private:
  template <int MR>
  constexpr void fill() {
    of[MR - 1] = turned_columns<T, W, MR>;
    if constexpr (MR > 1) fill<MR - 1>();
  }
};
template <class T, class W>
constexpr TurnedFunctions<T, W> kTurned;

// REQUIRES: w_row is even where w is of bf16.
template <class T, class W>
void streamed(const Exec& exec, const Skinny<T, W>& p) {
  constexpr int size = Vec<T>::size;
  const int64_t row_bytes = p.w_row * static_cast<int64_t>(sizeof(W));
  for_panels(exec, p.n, kPanel * row_bytes, 1 << 19, [&](int64_t first, int64_t last) {
    const int64_t end = min_of(p.n, last * kPanel);
    for (int64_t j = first * kPanel; j < end; j += size) {
      // Only where rows follow each other without gaps; and nothing beyond this task's own.
      const bool fetches = p.w_row == p.k && j + 2 * size <= end;
      const auto* ahead =
          fetches ? reinterpret_cast<const char*>(p.w + (j + size) * p.w_row) : nullptr;
      const int cols = static_cast<int>(min_of(size, end - j));
      for (int64_t i = 0; i < p.m; i += kRowsAtOnce<W>) {
        const int64_t rows = min_of(kRowsAtOnce<W>, p.m - i);
        kTurned<T, W>.of[rows - 1](p, i, j, cols, i == 0 ? ahead : nullptr);
      }
    }
  });
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
