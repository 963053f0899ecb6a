// The register tile of the matrix product: MR rows by NV registers of C, for a block of K.
#pragma once

#include "core/kernels/functors.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gemm_pack.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The tallest and widest tile: accumulators, a row of B and one element of A fill the registers.
#if defined(ADJOINT_ISA_AVX512)
constexpr int kMr = 14, kNv = 2;  // 28 of 32 registers
constexpr int kWide = 6;          // registers of columns for kSkinny rows at most
#elif defined(ADJOINT_ISA_AVX2)
constexpr int kMr = 6, kNv = 2;  // 12 of 16
constexpr int kWide = 3;
#elif defined(ADJOINT_ISA_NEON)
constexpr int kMr = 8, kNv = 3;  // 24 of 32
constexpr int kWide = 6;
#else
constexpr int kMr = 4, kNv = 2;
constexpr int kWide = 3;
#endif
constexpr int kSkinny = 4;
template <class T>
constexpr int kNr = kNv* Vec<T>::size;
// The longest block of K: a sliver of B, kKc by kNr, stays in the first-level cache. A constant of
// the instruction set, for it decides the bits.
constexpr int64_t kKc = 384;

// What becomes of a tile's sums: x = sum (+ partial); x = x alpha + bias where `scale`;
// x += old; out = x. Null pointers leave their step out. Pointers are to the tile's first element.
template <class T>
struct Output {
  T* out;
  int64_t out_row;
  int cols;  // columns that exist, at most those of the tile
  const T* partial;
  int64_t partial_row;
  bool scale;
  T alpha;
  const T* bias;
  const T* old;
  int64_t old_row;
};

template <bool kFull, class T, int MR, int NV>
ADJOINT_INLINE void write_tile(const Output<T>& o, Vec<T> (&acc)[MR][NV]) {
  using V = Vec<T>;
  const auto lanes = [&](int v) {
    const int n = o.cols - v * V::size;
    return n >= V::size ? V::size : n > 0 ? n : 0;
  };
  const auto load = [&](const T* p, int v) {
    return kFull ? V::load(p + v * V::size) : V::load_n(p + v * V::size, lanes(v));
  };
  // f(x, i, v) for every register x of the tile.
  const auto each = [&](auto f) __attribute__((always_inline)) {
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) f(acc[i][v], i, v);
    }
  };
  if (o.partial != nullptr) {
    each([&](V& x, int i, int v) { x = load(o.partial + i * o.partial_row, v) + x; });
  }
  if (o.scale) {
    V bias[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) bias[v] = o.bias != nullptr ? load(o.bias, v) : V(0);
    const V alpha = o.alpha;
    each([&](V& x, int, int v) { x = fma(x, alpha, bias[v]); });
  }
  if (o.old != nullptr) {
    each([&](V& x, int i, int v) { x = load(o.old + i * o.old_row, v) + x; });
  }
  each([&](V& x, int i, int v) {
    T* const out = o.out + i * o.out_row + v * V::size;
    if constexpr (kFull) {
      x.store(out);
    } else {
      x.store_n(out, lanes(v));
    }
  });
}

// A's element (i, k) is a[i * a_row + k * a_col], or a[i + k * MR] where packed; B's row k is
// NV registers from b + k * b_step. Each sum takes k in order, one fma each, whatever the tile's
// shape: so a result depends neither on its place in C nor on the other rows.
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
  if (o.cols == NV * V::size) {
    write_tile<true>(o, acc);
  } else {
    write_tile<false>(o, acc);
  }
}

// The same for few rows where B's columns are contiguous (b_step apart), as a Linear's weights are
// for its input: squares of B are turned in registers, for each serves once.
template <class T, int MR>
void multiply_turned(int64_t kc, const T* a, int64_t a_row, int64_t a_col, const T* b,
                     int64_t b_step, const Output<T>& o) {
  using V = Vec<T>;
  constexpr int size = V::size;
  int cols[kNv];
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
      if (cols[v] == size) [[likely]] {
        load_transposed(corner, b_step, size, square);
      } else {
        load_transposed(corner, b_step, cols[v], square);
      }
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
  if (o.cols == kNr<T>) {
    write_tile<true>(o, acc);
  } else {
    write_tile<false>(o, acc);
  }
}

template <class T>
using TileFunction = void (*)(int64_t, const T*, int64_t, int64_t, const T*, int64_t,
                              const Output<T>&);

// of[rows - 1][registers - 1].
template <class T, bool kPacked, bool kStreams>
struct TileFunctions {
  TileFunction<T> of[kMr][kNv];

  constexpr TileFunctions() : of() { fill<kMr, kNv>(); }

 private:
  template <int MR, int NV>
  constexpr void fill() {
    of[MR - 1][NV - 1] = multiply_tile<T, MR, NV, kPacked, kStreams>;
    if constexpr (NV > 1) {
      fill<MR, NV - 1>();
    } else if constexpr (MR > 1) {
      fill<MR - 1, kNv>();
    }
  }
};
template <class T, bool kPacked, bool kStreams>
constexpr TileFunctions<T, kPacked, kStreams> kTileFunctions;

// of[rows - 1] for at most kSkinny rows: kWide registers, and turned.
template <class T>
struct SkinnyFunctions {
  TileFunction<T> wide[kSkinny], turned[kSkinny];

  constexpr SkinnyFunctions() : wide(), turned() { fill<kSkinny>(); }

 private:
  template <int MR>
  constexpr void fill() {
    wide[MR - 1] = multiply_tile<T, MR, kWide, false, false>;
    turned[MR - 1] = multiply_turned<T, MR>;
    if constexpr (MR > 1) fill<MR - 1>();
  }
};
template <class T>
constexpr SkinnyFunctions<T> kSkinnyFunctions;

struct Unchanged {
  template <class V>
  static ADJOINT_INLINE V value(V x) {
    return x;
  }
};

template <class T, class F>
void activate_rows(const Gemm<T>& g, const T* x, int x_row, int rows, int cols, T* c,
                   T* preactivation) {
  using V = Vec<T>;
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; j += V::size) {
      const int n = cols - j < V::size ? cols - j : V::size;
      const V value = V::load(x + i * x_row + j);
      if (preactivation != nullptr) value.store_n(preactivation + i * g.c_row + j, n);
      V y = F::value(value);
      if (g.accumulate) y += V::load_n(c + i * g.c_row + j, n);
      y.store_n(c + i * g.c_row + j, n);
    }
  }
}

// c = act(x) (+ c) for a tile of rows by cols, where x has rows of x_row; x is kept in
// `preactivation` (laid out as c) unless that is null. The same bits as the elementwise kernels'.
template <class T>
void activate_tile(const Gemm<T>& g, const T* x, int x_row, int rows, int cols, T* c,
                   T* preactivation) {
  switch (g.activation) {
    case Activation::none:
      return activate_rows<T, Unchanged>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::relu:
      return activate_rows<T, functors::Relu>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::gelu_tanh:
      return activate_rows<T, functors::GeluTanh>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::gelu_erf:
      return activate_rows<T, functors::GeluErf>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::silu:
      return activate_rows<T, functors::Silu>(g, x, x_row, rows, cols, c, preactivation);
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
