// A matrix product on one thread, of a size for the nearest caches, with the register tiles of
// tile.h: for kernels that multiply on the way. For kernel sources only.
#pragma once

#include "core/kernels/gemm_pack.h"
#include "core/kernels/rows.h"
#include "core/kernels/tile.h"

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

// The keys that queries see: query i key j where i + low <= j <= i + high.
struct Band {
  int64_t low, high;
};
constexpr int64_t kFar = int64_t{1} << 40;
constexpr Band kNoBand = {-kFar, kFar};

// What a product may leave out beside a band.
enum class Banded {
  scores,     // rows are queries, columns keys: columns that no row of a panel sees stay unwritten
  over_keys,  // rows are queries, the sum is over keys: over those that the panel sees
  over_queries  // rows are keys, the sum is over queries: over those that see the panel
};

// c = alpha a b (+ c where accumulate): (m, k) (k, n); c's columns are contiguous. Each element is
// a chain of fma over k in order, whatever the place in the tile.
template <Banded banded, class T>
void tile_product(int64_t m, int64_t n, int64_t k, Strided<T> a, Strided<T> b, T* c, int64_t c_row,
                  T alpha, bool accumulate, Band band) {
  constexpr int size = Vec<T>::size;
  alignas(64) T sliver[kKc * kNr<T>];
  const int64_t panels = ceil_div(m, kMr), blocks = max_of(1, ceil_div(k, kKc));
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t k0 = block * kKc, kc = min_of(kKc, k - k0);
    for (int64_t j = 0; j < n; j += kNr<T>) {
      if (banded == Banded::scores && j > m - 1 + band.high) break;
      const int cols = static_cast<int>(min_of(kNr<T>, n - j));
      if (banded == Banded::scores && j + cols <= band.low) continue;
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
        if (banded == Banded::scores && (j > end - 1 + band.high || j + cols <= i + band.low)) {
          continue;
        }
        int64_t first = 0, last = kc;
        if (banded == Banded::over_keys) {
          first = min_of(kc, max_of(0, i + band.low - k0));
          last = max_of(first, min_of(kc, end + band.high - k0));
        }
        if (banded == Banded::over_queries) {
          first = min_of(kc, max_of(0, i - band.high - k0));
          last = max_of(first, min_of(kc, end - band.low - k0));
        }
        T* const out = c + i * c_row + j;
        const bool adds = accumulate || block > 0;
        if (adds && first >= last) continue;
        const Output<T> o{out,  c_row, cols, nullptr, 0, true, alpha, nullptr, adds ? out : nullptr,
                          c_row};
        const T* const left = a.data + i * a.row + (k0 + first) * a.col;
        const auto multiply = turned
                                  ? tile_functions<T>().turned[rows - 1]
                                  : tile_functions<T>().unpacked_near[rows - 1][width / size - 1];
        multiply(last - first, left, a.row, a.col, from + first * (turned ? 1 : step), step, o);
      }
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
