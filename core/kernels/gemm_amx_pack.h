// Packing for tiles: operands of f32 or bf16, whatever their strides, as registers of 16 by 32 bf16
// that lie in the order in which a product reads them. For kernel sources only.
#pragma once

#include "core/kernels/common.h"
#include "core/kernels/gemm.h"
#include "core/kernels/gemm_pack.h"
#include "core/kernels/narrow.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// A tile is 16 lines of 16 pairs of bf16; both come as 256 floats, of which only the bits count.
// Of A, line i holds row i, 32 elements of the sum; of B, line p holds elements 2 p and 2 p + 1 of
// the sum for 16 columns. Either is the other's transpose, in pairs.
constexpr int kLines = 16, kTileK = 32, kTileFloats = 256;
// Rows or columns of C that a product takes at a time: two tiles.
constexpr int kPanel = 2 * kLines;

// The upper halves of a register, one after another.
ADJOINT_INLINE void store_upper(Vec<float> x, void* to) {
#if defined(ADJOINT_ISA_AVX512)
  const __m512i upper = _mm512_maskz_srli_epi32(0xffff, _mm512_castps_si512(x.v), 16);
  _mm256_storeu_si256(static_cast<__m256i*>(to), _mm512_maskz_cvtepi32_epi16(0xffff, upper));
#else
  uint32_t bits[Vec<float>::size];
  uint16_t upper[Vec<float>::size];
  VecU32::bits_of(x).store(bits);
  for (int i = 0; i < Vec<float>::size; ++i) upper[i] = static_cast<uint16_t>(bits[i] >> 16);
  __builtin_memcpy(to, upper, sizeof upper);
#endif
}

// Pairs of what the upper halves of `even` and of `odd` hold.
ADJOINT_INLINE Vec<float> paired(Vec<float> even, Vec<float> odd) {
  return float_from_bits((VecU32::bits_of(even) >> 16) | (VecU32::bits_of(odd) & VecU32(kUpper)));
}

ADJOINT_INLINE Vec<float> load_wide(const float* p) { return Vec<float>::load(p); }
ADJOINT_INLINE Vec<float> load_wide(const uint16_t* p) { return Bf16::widened(p); }

// x as kParts numbers of bf16: itself rounded, or, times `scale`, the exact sum of three.
template <int kParts, class Stored>
ADJOINT_INLINE void split(Vec<float> x, float scale, Vec<float> (&parts)[kParts]) {
  if constexpr (kParts == 1) {
    parts[0] = x;
    if constexpr (sizeof(Stored) == 4) parts[0] = nearest_bf16(x);
  } else {
    x = x * Vec<float>(scale);
#pragma GCC unroll 4
    for (int p = 0; p < kParts; ++p) {
      parts[p] = nearest_bf16(x);
      x = x - parts[p];
    }
  }
}

// Line i's pair p to line p's pair i.
inline void turn_tile(const float* from, float* to) {
  constexpr int size = Vec<float>::size;
  for (int i = 0; i < kLines; i += size) {
    for (int p = 0; p < kLines; p += size) {
      Vec<float> square[size];
      load_transposed(from + i * kLines + p, kLines, size, square);
#pragma GCC unroll 16
      for (int q = 0; q < size; ++q) square[q].store(to + (p + q) * kLines + i);
    }
  }
}

// One tile from 16 rows (of A; columns of B) that are contiguous along k, `row` apart.
template <int kParts, bool kOfA, class Stored>
ADJOINT_INLINE void pack_along_k(const Stored* from, int64_t row, float scale, float* to,
                                 int64_t part_step) {
  constexpr int size = Vec<float>::size;
  float turned[kOfA ? 1 : kParts * kTileFloats];
  float* const lines = kOfA ? to : turned;
  const int64_t step = kOfA ? part_step : kTileFloats;
  for (int i = 0; i < kLines; ++i) {
    for (int k = 0; k < kTileK; k += size) {
      Vec<float> parts[kParts];
      split<kParts, Stored>(load_wide(from + i * row + k), scale, parts);
#pragma GCC unroll 4
      for (int p = 0; p < kParts; ++p) {
        store_upper(parts[p], reinterpret_cast<char*>(lines + p * step + i * kLines) + 2 * k);
      }
    }
  }
  if constexpr (!kOfA) {
    for (int p = 0; p < kParts; ++p) turn_tile(turned + p * kTileFloats, to + p * part_step);
  }
}

// One tile from 32 elements of the sum, `k_step` apart, of which each has its 16 rows contiguous.
template <int kParts, bool kOfA, class Stored>
ADJOINT_INLINE void pack_across_k(const Stored* from, int64_t k_step, float scale, float* to,
                                  int64_t part_step) {
  constexpr int size = Vec<float>::size;
  float turned[kOfA ? kParts * kTileFloats : 1];
  float* const lines = kOfA ? turned : to;
  const int64_t step = kOfA ? kTileFloats : part_step;
  for (int pair = 0; pair < kLines; ++pair) {
    for (int i = 0; i < kLines; i += size) {
      Vec<float> even[kParts], odd[kParts];
      split<kParts, Stored>(load_wide(from + 2 * pair * k_step + i), scale, even);
      split<kParts, Stored>(load_wide(from + (2 * pair + 1) * k_step + i), scale, odd);
#pragma GCC unroll 4
      for (int p = 0; p < kParts; ++p) {
        paired(even[p], odd[p]).store(lines + p * step + pair * kLines + i);
      }
    }
  }
  if constexpr (kOfA) {
    for (int p = 0; p < kParts; ++p) turn_tile(turned + p * kTileFloats, to + p * part_step);
  }
}

ADJOINT_INLINE float widened(float x) { return x; }
ADJOINT_INLINE float widened(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float y;
  __builtin_memcpy(&y, &bits, sizeof y);
  return y;
}

// One side of a product: rows of A, or columns of B.
template <class Stored>
struct TileSide {
  const Stored* data;
  int64_t step, k_step;  // from one row (column) to the next, and along the sum
  float scale;
};

// One tile, of which `rows` and `k` elements exist; the others are zero.
template <int kParts, bool kOfA, class Stored>
void pack_tile(const TileSide<Stored>& side, int64_t row, int64_t k0, int64_t rows, int64_t k,
               float* to, int64_t part_step) {
  const Stored* const from = side.data + row * side.step + k0 * side.k_step;
  if (rows >= kLines && k >= kTileK) {
    if (side.k_step == 1) {
      pack_along_k<kParts, kOfA>(from, side.step, side.scale, to, part_step);
      return;
    }
    if (side.step == 1) {
      pack_across_k<kParts, kOfA>(from, side.k_step, side.scale, to, part_step);
      return;
    }
  }
  float whole[kLines * kTileK] = {};
  for (int64_t i = 0; i < min_of(rows, kLines); ++i) {
    for (int64_t j = 0; j < min_of(k, kTileK); ++j) {
      whole[i * kTileK + j] = widened(from[i * side.step + j * side.k_step]);
    }
  }
  pack_along_k<kParts, kOfA>(whole, int64_t{kTileK}, side.scale, to, part_step);
}

// ---- Panels. ----

// A length of the sum in steps of 32, in blocks that a product goes through one after another.
struct TileSteps {
  int64_t steps, size, blocks;
  TileSteps(int64_t k, int64_t block)
      : steps(ceil_div(k, kTileK)), size(block), blocks(max_of(1, ceil_div(steps, block))) {}
  int64_t begin(int64_t block) const { return min_of(steps, size * block); }
};

// Where the panels of one side lie: [block of the sum][panel][step][part][tile]. The last panel
// may have one tile instead of two.
struct Panels16 {
  int64_t size;  // rows (columns)
  int parts;
  int64_t panels() const { return ceil_div(size, kPanel); }
  int64_t tiles() const { return ceil_div(size, kLines); }
  int tiles_of(int64_t panel) const { return static_cast<int>(min_of(2, tiles() - 2 * panel)); }
  // The panel's floats for the block of the sum [begin, end), counted in steps.
  int64_t offset(int64_t panel, int64_t begin, int64_t end) const {
    return (begin * tiles() + 2 * panel * (end - begin)) * parts * kTileFloats;
  }
  int64_t floats(int64_t steps) const { return steps * tiles() * parts * kTileFloats; }
};

// Packs steps [begin, end) of the block [block_begin, block_end) for panels [first, last).
// `row0` and `k0` are where the panels and the sum's steps begin in the operand, which has `k`.
template <int kParts, bool kOfA, class Stored>
void pack_panels(const TileSide<Stored>& side, const Panels16& panels, int64_t row0, int64_t k0,
                 int64_t k, int64_t first, int64_t last, int64_t block_begin, int64_t block_end,
                 int64_t begin, int64_t end, float* packed) {
  for (int64_t step = begin; step < end; ++step) {
    for (int64_t panel = first; panel < last; ++panel) {
      const int tiles = panels.tiles_of(panel);
      float* const to = packed + panels.offset(panel, block_begin, block_end) +
                        (step - block_begin) * tiles * kParts * kTileFloats;
      for (int t = 0; t < tiles; ++t) {
        const int64_t row = panel * kPanel + t * kLines;
        pack_tile<kParts, kOfA>(side, row0 + row, k0 + step * kTileK, panels.size - row,
                                k - k0 - step * kTileK, to + t * kTileFloats,
                                int64_t{tiles} * kTileFloats);
      }
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
