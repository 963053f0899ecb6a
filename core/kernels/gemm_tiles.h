// What every way through a matrix product shares: blocks of K, items of the batch, panels of rows,
// and the tile at a place of C. For kernel sources only.
#pragma once

#include "core/kernels/common.h"
#include "core/kernels/gemm_epilogue.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/tile.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Where part `i` of `parts` begins when `total` things are divided evenly.
ADJOINT_INLINE int64_t share(int64_t total, int64_t parts, int64_t i) { return total * i / parts; }

// Whether rows so far apart can be read side by side: whole pages apart they would drive each other
// out of the first cache.
template <class T>
ADJOINT_INLINE bool rows_apart(int64_t row) {
  return row * static_cast<int64_t>(sizeof(T)) % 4096 != 0;
}

// K in equal blocks of at most kKc; one empty block where K is 0.
struct KBlocks {
  int64_t k, count, size;
  explicit KBlocks(int64_t total)
      : k(total),
        count(max_of(1, ceil_div(total, kKc))),
        size(min_of(kKc, ceil_div(ceil_div(total, count), 16) * 16)) {}
  int64_t begin(int64_t block) const { return min_of(k, block * size); }
  int64_t length(int64_t block) const { return begin(block + 1) - begin(block); }
};

// One product of the batch.
template <class T>
struct Item {
  const T *a, *b;
  T *c, *preactivation;
  T* partial;  // where sums wait between blocks of K, `partial_row` apart
  int64_t partial_row;
  const T* residual;
};

template <class T>
Item<T> item_of(const Gemm<T>& g, int64_t index) {
  int64_t a = 0, b = 0, c = 0;
  for (int d = 2; d >= 0; --d) {
    const int64_t i = index % g.batch[d];
    index /= g.batch[d];
    a += i * g.a_batch[d];
    b += i * g.b_batch[d];
    c += i * g.c_batch[d];
  }
  return {g.a + a,
          g.b + b,
          g.c + c,
          g.preactivation != nullptr ? g.preactivation + c : nullptr,
          g.c + c,
          g.c_row,
          g.residual != nullptr ? g.residual + c : nullptr};
}

// A tile of rows by cols (at most kMr by kNr) at (i, j) of C: the sums of one block of K and, in
// the last one, the epilogue.
template <class T>
ADJOINT_INLINE void tile_at(const Gemm<T>& g, const Item<T>& item, bool first, bool last,
                            TileFunction<T> multiply, int64_t i, int64_t j, int rows, int cols,
                            int64_t kc, const T* a, const T* b, int64_t b_step) {
  T* const c = item.c + i * g.c_row + j;
  T* const partial = item.partial + i * item.partial_row + j;
  Output<T> o;
  o.cols = cols;
  o.partial = first ? nullptr : partial;
  o.partial_row = item.partial_row;
  o.alpha = g.alpha;
  o.bias = last && g.bias != nullptr ? g.bias + j : nullptr;
  o.old = last && item.residual != nullptr ? item.residual + i * g.c_row + j : nullptr;
  o.old_row = g.c_row;
  const bool straight = g.activation == Activation::none && g.preactivation == nullptr;
  if (straight && g.accumulate) {
    o.partial = nullptr;
    o.scale = true;
    o.old = c;
  } else {
    o.scale = last;
  }
  if (!last || straight) {
    const bool waits = !last && !(straight && g.accumulate);
    o.out = waits ? partial : c;
    o.out_row = waits ? item.partial_row : g.c_row;
    multiply(kc, a, g.a_row, g.a_col, b, b_step, o);
    return;
  }
  constexpr int kTile = kMr * kNr<T>, kSkinnyTile = kSkinny * kWide * Vec<T>::size;
  alignas(64) T x[kTile > kSkinnyTile ? kTile : kSkinnyTile];
  const int x_row = (cols + Vec<T>::size - 1) / Vec<T>::size * Vec<T>::size;
  o.out = x;
  o.out_row = x_row;
  multiply(kc, a, g.a_row, g.a_col, b, b_step, o);
  activate_tile(g, x, x_row, rows, cols, c,
                item.preactivation != nullptr ? item.preactivation + i * g.c_row + j : nullptr);
}

// Rows in panels of nearly equal height.
template <class T>
struct Panels {
  int64_t m, count;
  explicit Panels(int64_t rows) : m(rows), count(ceil_div(rows, kMr)) {}
  int64_t begin(int64_t panel) const { return share(m, count, panel); }
  int height(int64_t panel) const { return static_cast<int>(begin(panel + 1) - begin(panel)); }
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
