// The register tile of the matrix product.
#include "core/kernels/tile.h"

#include "core/kernels/gemm_pack.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// A tile whose last columns do not exist, its sums in memory, `sums_row` apart. Once for all tiles,
// for it would be half of their code.
template <class T>
__attribute__((noinline)) void write_edge(const Output<T>& o, int rows, const T* sums,
                                          int sums_row) {
  using V = Vec<T>;
  for (int j = 0; j < o.cols; j += V::size) {
    const int lanes = o.cols - j < V::size ? o.cols - j : V::size;
    const V bias = o.scale && o.bias != nullptr ? V::load_n(o.bias + j, lanes) : V(0);
    for (int i = 0; i < rows; ++i) {
      V x = V::load(sums + i * sums_row + j);
      if (o.partial != nullptr) x = V::load_n(o.partial + i * o.partial_row + j, lanes) + x;
      if (o.scale) x = fma(x, V(o.alpha), bias);
      if (o.old != nullptr) x = V::load_n(o.old + i * o.old_row + j, lanes) + x;
      x.store_n(o.out + i * o.out_row + j, lanes);
    }
  }
}

template <class T, int MR, int NV>
ADJOINT_INLINE void write_tile(const Output<T>& o, Vec<T> (&acc)[MR][NV]) {
  using V = Vec<T>;
  // f(x, i, v) for every register x of the tile.
  const auto each = [&](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) f(acc[i][v], i, v);
    }
  };
  if (o.cols != NV * V::size) {
    alignas(64) T sums[MR][NV * V::size];
    each([&](V& x, int i, int v) { x.store(sums[i] + v * V::size); });
    return write_edge(o, MR, sums[0], NV * V::size);
  }
  if (o.partial != nullptr) {
    each([&](V& x, int i, int v) { x = V::load(o.partial + i * o.partial_row + v * V::size) + x; });
  }
  if (o.scale) {
    V bias[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      bias[v] = o.bias != nullptr ? V::load(o.bias + v * V::size) : V(0);
    }
    const V alpha = o.alpha;
    each([&](V& x, int, int v) { x = fma(x, alpha, bias[v]); });
  }
  if (o.old != nullptr) {
    each([&](V& x, int i, int v) { x = V::load(o.old + i * o.old_row + v * V::size) + x; });
  }
  each([&](V& x, int i, int v) { x.store(o.out + i * o.out_row + v * V::size); });
}

// kStreams: B is packed and comes from the second-level cache.
template <class T, int MR, int NV, bool kPacked, bool kStreams>
void multiply_tile(int64_t kc, const T* a, int64_t a_row, int64_t a_col, const T* b, int64_t b_step,
                   const Output<T>& o) {
  using V = Vec<T>;
  V acc[MR][NV];
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    __builtin_prefetch(o.out + i * o.out_row, 1);
    __builtin_prefetch(o.out + i * o.out_row + NV * V::size - 1, 1);
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) acc[i][v] = V(0);
  }
#pragma GCC unroll 4
  for (int64_t k = 0; k < kc; ++k) {
    V row[NV];
    if constexpr (kStreams) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) __builtin_prefetch(b + 8 * b_step + v * V::size);
      if constexpr (!kPacked) __builtin_prefetch(a + 8 * a_col);
    }
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) row[v] = V::load(b + v * V::size);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const V x = kPacked ? a[i] : a[i * a_row];
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) acc[i][v] = fma(x, row[v], acc[i][v]);
    }
    a += kPacked ? MR : a_col;
    b += b_step;
  }
  write_tile(o, acc);
}

// For few rows where B's columns are contiguous (b_step apart), as a Linear's weights are
// for its input: squares of B are turned in registers, for each serves once.
template <class T, int MR>
void multiply_turned(int64_t kc, const T* a, int64_t a_row, int64_t a_col, const T* b,
                     int64_t b_step, const Output<T>& o) {
  using V = Vec<T>;
  constexpr int size = V::size;
  int cols[kNv];
  alignas(64) T edge[size * size];  // the columns that there are, of the last register
  if (o.cols < kNr<T>) __builtin_memset(edge, 0, sizeof(edge));
  V acc[MR][kNv];
  for (int v = 0; v < kNv; ++v) {
    const int n = o.cols - v * size;
    cols[v] = n >= size ? size : n > 0 ? n : 0;
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) acc[i][v] = V(0);
  }
  const auto add = [&](int64_t k, int v, V row) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) acc[i][v] = fma(V(a[i * a_row + k * a_col]), row, acc[i][v]);
  };
  int64_t k = 0;
  for (; k + size <= kc; k += size) {
#pragma GCC unroll 8
    for (int v = 0; v < kNv; ++v) {
      V square[size];
      const T* const corner = b + v * size * b_step + k;
      // Four lines ahead in each row, and at its end in the next sliver's.
      const T* const ahead =
          k + 64 < kc ? corner + 64 : corner + kNr<T> * b_step + (k + 64 - kc) - k;
#pragma GCC unroll 16
      for (int r = 0; r < size; ++r) __builtin_prefetch(ahead + r * b_step);
      const T* from = corner;
      int64_t step = b_step;
      if (cols[v] < size) [[unlikely]] {
        for (int r = 0; r < cols[v]; ++r) V::load(corner + r * b_step).store(edge + r * size);
        from = edge;
        step = size;
      }
      load_transposed(from, step, size, square);
#pragma GCC unroll 16
      for (int r = 0; r < size; ++r) add(k + r, v, square[r]);
    }
  }
  for (; k < kc; ++k) {
    for (int v = 0; v < kNv; ++v) {
      T row[size] = {};
      for (int j = 0; j < cols[v]; ++j) row[j] = b[(v * size + j) * b_step + k];
      add(k, v, V::load(row));
    }
  }
  write_tile(o, acc);
}

template <class T, int MR, int NV>
constexpr void fill(TileFunctions<T>& of) {
  of.packed[MR - 1][NV - 1] = multiply_tile<T, MR, NV, true, true>;
  of.packed_near[MR - 1][NV - 1] = multiply_tile<T, MR, NV, true, false>;
  of.unpacked_near[MR - 1][NV - 1] = multiply_tile<T, MR, NV, false, false>;
  of.unpacked[MR - 1][NV - 1] = of.unpacked_near[MR - 1][NV - 1];
  // Panels of equal height are at least half as tall as the tallest.
  if constexpr (2 * MR >= kMr) of.unpacked[MR - 1][NV - 1] = multiply_tile<T, MR, NV, false, true>;
  if constexpr (NV > 1) {
    fill<T, MR, NV - 1>(of);
  } else if constexpr (MR > 1) {
    fill<T, MR - 1, kNv>(of);
  }
}

template <class T, int MR>
constexpr void fill_skinny(TileFunctions<T>& of) {
  of.wide[MR - 1] = multiply_tile<T, MR, kWide, false, false>;
  of.turned[MR - 1] = multiply_turned<T, MR>;
  if constexpr (MR > 1) fill_skinny<T, MR - 1>(of);
}

constexpr TileFunctionTable make_table() {
  TileFunctionTable t{};
  fill<float, kMr, kNv>(t.f32);
  fill<double, kMr, kNv>(t.f64);
  fill_skinny<float, kSkinny>(t.f32);
  fill_skinny<double, kSkinny>(t.f64);
  return t;
}

}  // namespace

constinit const TileFunctionTable ADJOINT_TABLE = make_table();

}  // namespace adjoint::kernels::ADJOINT_ISA
