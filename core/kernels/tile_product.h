// A matrix product on one thread, of a size for the nearest caches, with the register tiles of
// gemm_micro.h: for kernels that multiply on the way. For kernel sources only.
#pragma once

#include "core/kernels/gemm_micro.h"
#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T>
struct Strided {
  const T* data;
  int64_t row, col;
};
template <class T>
ADJOINT_INLINE Strided<T> transposed(Strided<T> x) {
  return {x.data, x.col, x.row};
}

// What a causal product may leave out, key j being visible to query i when j <= i + diagonal.
enum class Causal {
  scores,     // rows are queries, columns keys: columns that no row of a panel sees are not written
  over_keys,  // rows are queries, the sum is over keys: it ends at the last that the panel sees
  over_queries  // rows are keys, the sum is over queries: it begins at the first that sees the
                // panel
};
constexpr int64_t kNoDiagonal = int64_t{1} << 40;

// c = alpha a b (+ c where accumulate): (m, k) (k, n); c's columns are contiguous. Each element is
// a chain of fma over k in order, whatever the place in the tile.
template <Causal causal, class T>
void tile_product(int64_t m, int64_t n, int64_t k, Strided<T> a, Strided<T> b, T* c, int64_t c_row,
                  T alpha, bool accumulate, int64_t diagonal) {
  constexpr int size = Vec<T>::size;
  alignas(64) T sliver[kKc * kNr<T>];
  const int64_t panels = ceil_div(m, kMr), blocks = max_of(1, ceil_div(k, kKc));
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t k0 = block * kKc, kc = min_of(kKc, k - k0);
    for (int64_t j = 0; j < n; j += kNr<T>) {
      if (causal == Causal::scores && j > m - 1 + diagonal) break;
      const int cols = static_cast<int>(min_of(kNr<T>, n - j));
      const int width = (cols + size - 1) / size * size;
      const T* from = b.data + k0 * b.row + j * b.col;
      int64_t step = b.row;
      const bool turned = m <= kSkinny && b.row == 1;
      if (turned) {
        step = b.col;
      } else if (b.col != 1 || cols != width) {
        pack(from, b.col, b.row, cols, width, kc, sliver);
        from = sliver;
        step = width;
      }
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t i = m * p / panels, end = m * (p + 1) / panels;
        const int rows = static_cast<int>(end - i);
        if (causal == Causal::scores && j > end - 1 + diagonal) continue;
        int64_t first = 0, last = kc;
        if (causal == Causal::over_keys) last = max_of(0, min_of(kc, end + diagonal - k0));
        if (causal == Causal::over_queries) first = min_of(kc, max_of(0, i - diagonal - k0));
        T* const out = c + i * c_row + j;
        const bool adds = accumulate || block > 0;
        if (adds && first >= last) continue;
        const Output<T> o{out,  c_row, cols, nullptr, 0, true, alpha, nullptr, adds ? out : nullptr,
                          c_row};
        const T* const left = a.data + i * a.row + (k0 + first) * a.col;
        const auto multiply = turned
                                  ? kSkinnyFunctions<T>.turned[rows - 1]
                                  : kTileFunctions<T, false, false>.of[rows - 1][width / size - 1];
        multiply(last - first, left, a.row, a.col, from + first * (turned ? 1 : step), step, o);
      }
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
