// Products of few rows with a weight: y = x W^T + bias. Each element of W serves a handful of
// times, so what counts is how fast W comes from memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// What counts as few. More are right too, but a matrix product that packs is faster: up to some
// rows more while they stay in the second-level cache, for packed weights up to kFewPackedRows.
constexpr int64_t kFewRows = 8, kFewCachedRows = 24, kFewCachedBytes = int64_t{320} << 10;
constexpr int64_t kFewPackedRows = 64;
[[gnu::always_inline]] constexpr bool few_rows(int64_t m, int64_t k, int64_t element_bytes) {
  return m <= kFewRows || (m <= kFewCachedRows && m * k * element_bytes <= kFewCachedBytes);
}

// y[i, j] = sum_k x[i, k] w[j, k] + bias[j], x (m, k), w (n, k), y (m, n). The sums are those of
// Gemm bit for bit: chains of fma over k in order, in the same blocks.
// REQUIRES: rows of w and y are contiguous; w_row >= k.
template <class T, class W = T>
struct Skinny {
  int64_t m, n, k;
  const T* x;
  int64_t x_row, x_col;
  const W* w;
  int64_t w_row;
  T* y;
  int64_t y_row;
  const T* bias;  // n values, or nullptr
};

// Note [Packed weights]
// A whole weight (n, k) in fewer bytes, in the order in which it is read: panels of kPanel rows,
// each k-major, [ceil(n / kPanel)][k][kPanel], the rows that the last panel lacks being zero. The
// layout is the same for every instruction set.
//   bf16  w rounded to nearest even; a NaN stays one
//   int8  q in [-127, 127] and a scale for each row of w, largest |w| / 127: q = w / scale rounded
//         to nearest even, so |w - q scale| <= scale / 2 (1 + 2^-16). The scale of a row with a
//         value that is not finite is NaN; rows below 127 * 2^-126 are zero.
constexpr int64_t kPanel = 64;
enum class Packing : int32_t { bf16, int8 };
constexpr int kPackings = 2;

constexpr int64_t packed_elements(int64_t n, int64_t k) {
  return (n + kPanel - 1) / kPanel * kPanel * k;
}

// w (n, k), contiguous rows w_row apart -> panels, and scales (n) for int8.
struct PackWeight {
  int64_t n, k;
  const float* w;
  int64_t w_row;
  void* panels;
  float* scales;
};

// y[i, j] = (sum_k x[i, k] p[j, k]) scales[j] + bias[j], p being the packed elements widened to
// f32; sums as in Skinny. REQUIRES: scales is nullptr for bf16.
struct PackedProduct {
  int64_t m, n, k;
  const float* x;
  int64_t x_row, x_col;
  const void* panels;
  const float* scales;
  float* y;
  int64_t y_row;
  const float* bias;  // n values, or nullptr
};

// out[c, j - first] = p[j, c] for the panels that hold rows [first, first + columns): a (k,
// columns) matrix for Gemm, without the scales. REQUIRES: first % kPanel == 0, out_row >= columns.
struct UnpackWeight {
  int64_t k, first, columns;
  const void* panels;
  float* out;
  int64_t out_row;
};

// y[i, j] = y[i, j] scales[j] + bias[j].
struct ScaleColumns {
  int64_t m, n;
  const float* scales;
  const float* bias;  // or nullptr
  float* y;
  int64_t y_row;
};

struct SkinnyTable {
  void (*f32)(const Exec& exec, const Skinny<float>& product);
  void (*f64)(const Exec& exec, const Skinny<double>& product);
  // By Packing.
  void (*pack[kPackings])(const Exec& exec, const PackWeight& weight);
  void (*packed[kPackings])(const Exec& exec, const PackedProduct& product);
  void (*unpack[kPackings])(const Exec& exec, const UnpackWeight& weight);
  void (*scale_columns)(const Exec& exec, const ScaleColumns& y);
};

}  // namespace adjoint::kernels
