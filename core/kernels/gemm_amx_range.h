// Which f32 operands may be split into three bf16, and by what power of two they are multiplied
// first. For kernel sources only.
#pragma once

#include "core/kernels/batch.h"
#include "core/kernels/common.h"
#include "core/kernels/gemm.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Note [Range of the split]
//
// x = x0 + x1 + x2, each the bf16 nearest to what is left, is exact while the last bit of x,
// 2^(e - 23), is a normal number: e >= -102, and 2^-103 has a bit to spare. Of the nine products
// a0 b0, a0 b1, a1 b0, a1 b1, a0 b2 and a2 b0 are taken; the rest are below 2^-26 |a b|. Tiles
// flush what is below 2^-126 to zero: at most 12 such sums for each k, which stays below 2^-24 |a
// b| where |a b| >= 2^-98. Sums stay finite while the operands are below 2^51 and K at most 2^24.
//
// Operands outside that are multiplied by a power of two, which is exact, such that their largest
// lies in [2^50, 2^51), and the sums are divided by it; where even that leaves a number too small,
// or one is not finite, the product is computed in f32. Denormals count as zero, as they do
// wherever kernels run.
constexpr int kLeastExponent = -102, kLeastProduct = -98, kMostExponent = 50;
constexpr int64_t kMostTerms = int64_t{1} << 24;

// Of the numbers that are not zero: their exponents, or none.
struct Range {
  float least = __builtin_inff(), most = 0;
  bool finite = true;
};

ADJOINT_INLINE int exponent_of(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return static_cast<int>(bits >> 23 & 0xff) - 127;
}
ADJOINT_INLINE float power_of_two(int exponent) {
  const uint32_t bits = static_cast<uint32_t>(exponent + 127) << 23;
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// The range of one operand over the whole batch, found by rows, `parts` at once.
struct RangeScan {
  const float* data;
  int64_t rows, cols, row, col;  // col is the smaller stride
  int64_t batch[3], strides[3];
  int64_t items, parts;
  Range* found;
};

ADJOINT_INLINE void widen_range(Range& r, const Range& other) {
  r.least = other.least < r.least ? other.least : r.least;
  r.most = other.most > r.most ? other.most : r.most;
  r.finite = r.finite && other.finite;
}

template <class V>
struct RangeOf {
  V least = V(__builtin_inff()), most = V(0), poison = V(0);

  ADJOINT_INLINE void add(V x) {
    const V size = abs(x);
    poison = fma(size, V(0), poison);  // NaN once anything is not finite
    most = max(size, most);
    least = min(select(size < V(1.17549435e-38f), V(__builtin_inff()), size), least);
  }
};

ADJOINT_INLINE void scan_row(const float* p, int64_t n, int64_t step, RangeOf<Vec<float>>& r) {
  using V = Vec<float>;
  int64_t j = 0;
  if (step == 1) {
    for (; j + V::size <= n; j += V::size) r.add(V::load(p + j));
    if (j < n) r.add(V::load_n(p + j, static_cast<int>(n - j)));
    return;
  }
  for (; j < n; ++j) r.add(V(p[j * step]));
}

inline void scan_task(void* context, int64_t task) {
  const RangeScan& s = *static_cast<RangeScan*>(context);
  RangeOf<Vec<float>> lanes;
  const int64_t all = s.items * s.rows;
  for (int64_t i = all * task / s.parts; i < all * (task + 1) / s.parts; ++i) {
    scan_row(s.data + batch_offset(s.batch, s.strides, i / s.rows) + i % s.rows * s.row, s.cols,
             s.col, lanes);
  }
  Range r;
  float values[3 * Vec<float>::size];
  lanes.least.store(values);
  lanes.most.store(values + Vec<float>::size);
  lanes.poison.store(values + 2 * Vec<float>::size);
  for (int i = 0; i < Vec<float>::size; ++i) {
    const float least = values[i], most = values[Vec<float>::size + i];
    const bool finite = values[2 * Vec<float>::size + i] == 0;
    widen_range(r, {least, most < 1.17549435e-38f ? 0 : most, finite});
  }
  s.found[task] = r;
}

inline Range range_of(const Exec& exec, const float* data, int64_t rows, int64_t cols, int64_t row,
                      int64_t col, const int64_t* batch, const int64_t* strides) {
  constexpr int64_t kParts = 64, kWorthPart = 1 << 14;
  Range found[kParts];
  RangeScan s{data, rows, cols, row, col, {}, {}, 1, 1, found};
  const auto size = [](int64_t x) { return x < 0 ? -x : x; };
  if (size(row) < size(col)) s = {data, cols, rows, col, row, {}, {}, 1, 1, found};
  // What is repeated is looked at once.
  if (s.row == 0) s.rows = 1;
  if (s.col == 0) s.cols = 1;
  for (int d = 0; d < 3; ++d) {
    s.batch[d] = strides[d] == 0 ? 1 : batch[d];
    s.strides[d] = strides[d];
    s.items *= s.batch[d];
  }
  s.parts =
      max_of(1, min_of(min_of(kParts, s.items * s.rows), s.items * s.rows * s.cols / kWorthPart));
  if (s.parts == 1 || exec.threads == 1) {
    for (int64_t part = 0; part < s.parts; ++part) scan_task(&s, part);
  } else {
    exec.parallel_for(s.parts, scan_task, &s);
  }
  for (int64_t part = 1; part < s.parts; ++part) widen_range(found[0], found[part]);
  return found[0];
}

// What a and b are multiplied by before they are split, and their sums after.
struct Scales {
  bool possible;
  float a = 1, b = 1, sum[2] = {1, 1};
};

ADJOINT_INLINE bool fits(int least_a, int most_a, int least_b, int most_b) {
  return least_a >= kLeastExponent && least_b >= kLeastExponent &&
         least_a + least_b >= kLeastProduct && most_a <= kMostExponent && most_b <= kMostExponent;
}

ADJOINT_INLINE Scales scales_of(const Range& a, const Range& b, int64_t k) {
  if (!a.finite || !b.finite || k > kMostTerms) return {false};
  // Nothing but zeros on one side: the other is split as it is.
  if (a.most == 0 || b.most == 0) {
    return {(a.most == 0 || exponent_of(a.most) <= kMostExponent) &&
            (b.most == 0 || exponent_of(b.most) <= kMostExponent)};
  }
  const int least_a = exponent_of(a.least), most_a = exponent_of(a.most);
  const int least_b = exponent_of(b.least), most_b = exponent_of(b.most);
  if (fits(least_a, most_a, least_b, most_b)) return {true};
  // No further up than 2^100, whose inverse is a normal number still.
  const int up_a = static_cast<int>(min_of(kMostExponent - most_a, 100));
  const int up_b = static_cast<int>(min_of(kMostExponent - most_b, 100));
  if (!fits(least_a + up_a, most_a + up_a, least_b + up_b, most_b + up_b)) return {false};
  const int down = -(up_a + up_b), half = down / 2;
  return {true,
          power_of_two(up_a),
          power_of_two(up_b),
          {power_of_two(half), power_of_two(down - half)}};
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
