// The register tile of the matrix product, MR rows by NV registers of C for a block of K, for all
// families that multiply. It is compiled once for each instruction set, in tile.inl, for it takes
// compilers long. For kernel sources only.
#pragma once

#include "core/simd/vec.h"

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

}  // namespace

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

// (kc, a, a_row, a_col, b, b_step, output): A's element (i, k) is a[i * a_row + k * a_col], or
// a[i + k * MR] where packed; B's row k is NV registers from b + k * b_step. Each sum takes k in
// order, one fma each, whatever the tile's shape: so a result depends neither on its place in C nor
// on the other rows.
template <class T>
using TileFunction = void (*)(int64_t, const T*, int64_t, int64_t, const T*, int64_t,
                              const Output<T>&);

template <class T>
struct TileFunctions {
  // [rows - 1][registers - 1]. B is packed and comes from the second-level cache, but where it is
  // near, in the first.
  TileFunction<T> packed[kMr][kNv], packed_near[kMr][kNv];
  TileFunction<T> unpacked[kMr][kNv], unpacked_near[kMr][kNv];
  // [rows - 1], of kWide registers, B near; and of kNv where B's columns are contiguous, b_step
  // apart.
  TileFunction<T> wide[kSkinny], turned[kSkinny];
};

struct TileFunctionTable {
  TileFunctions<float> f32;
  TileFunctions<double> f64;
};
extern const TileFunctionTable tile_table;

namespace {

template <class T>
ADJOINT_INLINE const TileFunctions<T>& tile_functions() {
  if constexpr (__is_same(T, float)) {
    return tile_table.f32;
  } else {
    return tile_table.f64;
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
