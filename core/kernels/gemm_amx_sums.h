// The innermost loop of products on tiles: 32 by 32 of C from two panels. For kernel sources only.
#pragma once

#include "core/kernels/gemm_amx_pack.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Sums of two by two tiles, 0 to 3; two of A in 4 and 5, two of B in 6 and 7.
template <class Tiles, int kRows, int kColumns>
struct TileSums {
  Tiles& tiles;

  // Calls f<0>(), ... for those that there are.
  template <class F>
  static ADJOINT_INLINE void each(F f) {
    f.template operator()<0, 0>();
    if constexpr (kColumns > 1) f.template operator()<0, 1>();
    if constexpr (kRows > 1) f.template operator()<1, 0>();
    if constexpr (kRows > 1 && kColumns > 1) f.template operator()<1, 1>();
  }
  ADJOINT_INLINE void zero() {
    each([&]<int i, int j>() __attribute__((always_inline)) { tiles.template zero<2 * i + j>(); });
  }
  // Tiles lie `down` and `right` floats apart, their rows `row`.
  ADJOINT_INLINE void load(const float* from, int64_t down, int64_t right, int64_t row) {
    each([&]<int i, int j>() __attribute__((always_inline)) {
      tiles.template load<2 * i + j>(from + i * down + j * right, row * 4);
    });
  }
  ADJOINT_INLINE void store(float* to, int64_t down, int64_t right, int64_t row) {
    each([&]<int i, int j>() __attribute__((always_inline)) {
      tiles.template store<2 * i + j>(to + i * down + j * right, row * 4);
    });
  }
  ADJOINT_INLINE void load_a(const float* a) {
    tiles.template load<4>(a, 64);
    if constexpr (kRows > 1) tiles.template load<5>(a + kTileFloats, 64);
  }
  ADJOINT_INLINE void load_b(const float* b) {
    tiles.template load<6>(b, 64);
    if constexpr (kColumns > 1) tiles.template load<7>(b + kTileFloats, 64);
  }
  ADJOINT_INLINE void dot() {
    each([&]<int i, int j>()
             __attribute__((always_inline)) { tiles.template dot<2 * i + j, 4 + i, 6 + j>(); });
  }
};

// Where sums of 32 by 32 begin and end: memory as four tiles, or rows of C.
struct SumPlace {
  float* data;
  int64_t down, right, row;
};
ADJOINT_INLINE SumPlace four_tiles(float* data) {
  return {data, 2 * kTileFloats, kTileFloats, kLines};
}

// Note [Order of the split's products]
//
// A tile's product adds its 32 terms in chains that begin at 0, and then their sum to what was
// there: each of the six would round the whole sum once a step, six times in 32 elements, where few
// terms of fma's 32 may be large enough to. So a block begins at 0 with the five small products of
// all its steps, whose sum is a 256th of the whole, and ends with a0 b0: one rounding a step.
// Blocks are added in f32. That keeps the error below fma's, at the cost of a ninth more loads of
// tiles.

// out = before (or 0) + A B for `steps` steps of the sum; of three parts, before is null.
template <class Tiles, int kParts, int kRows, int kColumns>
void multiply_panels(Tiles& tiles, int64_t steps, const float* a, const float* b,
                     const float* before, const SumPlace& out) {
  TileSums<Tiles, kRows, kColumns> sums{tiles};
  constexpr int64_t a_part = kRows * kTileFloats, b_part = kColumns * kTileFloats;
  if (before == nullptr) {
    sums.zero();
  } else {
    sums.load(before, 2 * kTileFloats, kTileFloats, kLines);
  }
  if constexpr (kParts > 1) {
    const float *a0 = a, *b0 = b;
    for (int64_t step = 0; step < steps; ++step) {
      sums.load_a(a0 + 2 * a_part);
      sums.load_b(b0);
      sums.dot();
      sums.load_a(a0 + a_part);
      sums.dot();
      sums.load_b(b0 + b_part);
      sums.dot();
      sums.load_a(a0);
      sums.dot();
      sums.load_b(b0 + 2 * b_part);
      sums.dot();
      a0 += kParts * a_part;
      b0 += kParts * b_part;
    }
  }
  for (int64_t step = 0; step < steps; ++step) {
    sums.load_b(b);
    sums.load_a(a);
    sums.dot();
    a += kParts * a_part;
    b += kParts * b_part;
  }
  sums.store(out.data, out.down, out.right, out.row);
}

template <class Tiles>
using MultiplyPanels = void (*)(Tiles&, int64_t, const float*, const float*, const float*,
                                const SumPlace&);

// [tiles of A - 1][tiles of B - 1]
template <class Tiles, int kParts>
constexpr MultiplyPanels<Tiles> kMultiplyPanels[2][2] = {
    {multiply_panels<Tiles, kParts, 1, 1>, multiply_panels<Tiles, kParts, 1, 2>},
    {multiply_panels<Tiles, kParts, 2, 1>, multiply_panels<Tiles, kParts, 2, 2>}};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
