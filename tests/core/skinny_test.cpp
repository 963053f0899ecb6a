// Products of few rows, and packed weights, of every instruction set against loops in double.
#include <adjoint/core/reductions.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "core/kernels/kernels.h"
#include "tests/core/kernel_execs.h"

namespace adjoint::kernels {
namespace {

Exec exec_of(void (*parallel_for)(int64_t, Body, void*), int threads) {
  Exec exec{};
  exec.parallel_for = parallel_for;
  exec.acquire = acquire;
  exec.release = release;
  exec.threads = threads;
  return exec;
}
std::vector<Exec> execs() {
  return {exec_of(serial, 1), exec_of(reversed, 2), exec_of(threaded, 3), exec_of(threaded, 4)};
}

template <class T>
std::vector<T> numbers(int64_t count, uint32_t seed) {
  std::vector<T> values(static_cast<size_t>(count));
  uint32_t state = seed * 2654435761U + 12345U;
  for (T& value : values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<T>(static_cast<int32_t>(state)) / static_cast<T>(2147483648.0);
  }
  return values;
}

struct Size {
  int64_t m, n, k;
};
// Every m; n and k beside and between the sizes of vectors, panels and blocks of K; one that is
// worth several threads.
std::vector<Size> sizes() {
  std::vector<Size> all;
  for (int64_t m = 1; m <= 8; ++m) {
    for (const int64_t n : {1, 7, 16, 64, 65, 131}) {
      for (const int64_t k : {0, 1, 5, 16, 33, 384, 385, 777}) all.push_back({m, n, k});
    }
    all.push_back({m, 1003, 801});
  }
  all.push_back({13, 70, 50});
  all.push_back({24, 333, 900});
  return all;
}

template <class T>
const auto& product_of(const SkinnyTable& table) {
  if constexpr (std::is_same_v<T, float>) {
    return table.f32;
  } else {
    return table.f64;
  }
}
template <class T>
const auto& product_of(const GemmTable& table) {
  if constexpr (std::is_same_v<T, float>) {
    return table.f32;
  } else {
    return table.f64;
  }
}

// x (m, k) by columns `spread` apart, rows with a gap; y with a gap that must not be written.
template <class T>
struct Problem {
  Size size;
  int64_t x_col, x_row, w_row, y_row;
  std::vector<T> x, w, bias, before;

  Problem(Size s, int64_t spread, int64_t w_gap)
      : size(s),
        x_col(spread),
        x_row(s.k * spread + 3),
        w_row(s.k + w_gap),
        y_row(s.n + 2),
        x(numbers<T>(s.m * x_row + 1, 1)),
        w(numbers<T>(s.n * w_row + 1, 2)),
        bias(numbers<T>(s.n, 3)),
        before(numbers<T>(s.m * y_row, 4)) {}

  // The sum of row i and column j, with `weight(j, c)`, and of the magnitudes.
  template <class W>
  std::pair<double, double> sum(int64_t i, int64_t j, const W& weight) const {
    double total = 0, magnitude = 0;
    for (int64_t c = 0; c < size.k; ++c) {
      const double term = static_cast<double>(x[at(i * x_row + c * x_col)]) * weight(j, c);
      total += term;
      magnitude += std::abs(term);
    }
    return {total, magnitude};
  }
  static size_t at(int64_t i) { return static_cast<size_t>(i); }
};

std::string describe(const std::string& isa, const Size& s) {
  return isa + ' ' + std::to_string(s.m) + 'x' + std::to_string(s.n) + 'x' + std::to_string(s.k);
}

// y against the sums with `weight`, within the bound of a sum of k products; the gaps as before.
template <class T, class W>
void expect_sums(const Problem<T>& p, const std::vector<T>& y, bool with_bias, const W& weight) {
  const auto eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (int64_t i = 0; i < p.size.m; ++i) {
    for (int64_t j = 0; j < p.y_row; ++j) {
      const auto here = Problem<T>::at(i * p.y_row + j);
      if (j >= p.size.n) {
        ASSERT_EQ(y[here], p.before[here]);
        continue;
      }
      const double bias = with_bias ? static_cast<double>(p.bias[static_cast<size_t>(j)]) : 0;
      const auto [total, magnitude] = p.sum(i, j, weight);
      const double bound =
          (static_cast<double>(p.size.k) + 3) * eps / 2 * (magnitude + std::abs(bias));
      ASSERT_NEAR(static_cast<double>(y[here]), total + bias, bound * 1.01) << i << ' ' << j;
    }
  }
}

template <class T>
void check_streamed() {
  for (const std::string& isa : isas()) {
    const KernelTable& table = kernels_for(isa.c_str());
    for (const Size& s : sizes()) {
      SCOPED_TRACE(describe(isa, s));
      const Problem<T> p(s, s.n % 2 == 0 ? 2 : 1, s.k % 2 == 0 ? 0 : 3);
      const bool with_bias = s.m % 2 == 0;
      std::vector<T> first;
      for (const Exec& exec : execs()) {
        std::vector<T> y = p.before;
        product_of<T>(table.skinny)(
            exec, {s.m, s.n, s.k, p.x.data(), p.x_row, p.x_col, p.w.data(), p.w_row, y.data(),
                   p.y_row, with_bias ? p.bias.data() : nullptr});
        if (first.empty()) first = y;
        ASSERT_EQ(std::memcmp(y.data(), first.data(), y.size() * sizeof(T)), 0);
      }
      expect_sums(p, first, with_bias, [&](int64_t j, int64_t c) {
        return static_cast<double>(p.w[static_cast<size_t>(j * p.w_row + c)]);
      });
      // The matrix product's bits.
      std::vector<T> y = p.before;
      Gemm<T> g{};
      g.m = s.m;
      g.n = s.n;
      g.k = s.k;
      g.a = p.x.data();
      g.a_row = p.x_row;
      g.a_col = p.x_col;
      g.b = p.w.data();
      g.b_row = 1;
      g.b_col = p.w_row;
      g.c = y.data();
      g.c_row = p.y_row;
      g.alpha = 1;
      g.bias = with_bias ? p.bias.data() : nullptr;
      std::fill(std::begin(g.batch), std::end(g.batch), 1);
      product_of<T>(table.gemm)(execs()[0], g);
      ASSERT_EQ(std::memcmp(y.data(), first.data(), y.size() * sizeof(T)), 0);
    }
  }
}

TEST(Skinny, SumsAreRightAndThoseOfTheMatrixProduct) { check_streamed<float>(); }
TEST(Skinny, SumsAreRightInF64) { check_streamed<double>(); }

struct Packed {
  std::vector<uint8_t> panels;
  std::vector<float> scales;
};
Packed pack(const SkinnyTable& table, const Exec& exec, Packing packing, const float* w, int64_t n,
            int64_t k, int64_t w_row) {
  const auto elements = static_cast<size_t>(packed_elements(n, k));
  Packed packed;
  packed.panels.assign(elements * (packing == Packing::bf16 ? 2 : 1) + 1, 0xa5);
  packed.scales.assign(static_cast<size_t>(n) + 1, -1);
  table.pack[static_cast<int>(packing)](
      exec, {n, k, w, w_row, packed.panels.data(), packed.scales.data()});
  EXPECT_EQ(packed.panels.back(), 0xa5);
  EXPECT_EQ(packed.scales.back(), -1);
  return packed;
}
// What stands for w[j, c].
double element(const Packed& packed, Packing packing, int64_t k, int64_t j, int64_t c) {
  const auto at = static_cast<size_t>((j / kPanel * k + c) * kPanel + j % kPanel);
  if (packing == Packing::int8) {
    const auto q = static_cast<int8_t>(packed.panels[at]);
    return static_cast<double>(q) * static_cast<double>(packed.scales[static_cast<size_t>(j)]);
  }
  uint16_t half;
  std::memcpy(&half, packed.panels.data() + 2 * at, 2);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return static_cast<double>(value);
}

TEST(Skinny, PackedProductsAreThoseOfTheRoundedWeights) {
  for (const std::string& isa : isas()) {
    const SkinnyTable& table = kernels_for(isa.c_str()).skinny;
    for (const Size& s : sizes()) {
      SCOPED_TRACE(describe(isa, s));
      const Problem<float> p(s, s.n % 2 == 0 ? 2 : 1, 1);
      for (const Packing packing : {Packing::bf16, Packing::int8}) {
        const bool int8 = packing == Packing::int8, with_bias = s.m % 2 == 0;
        const Packed packed = pack(table, execs()[0], packing, p.w.data(), s.n, s.k, p.w_row);
        // Rounded to nearest, whatever runs the tasks and the instruction set.
        const Packed again =
            pack(kernels_for("scalar").skinny, execs()[2], packing, p.w.data(), s.n, s.k, p.w_row);
        ASSERT_EQ(packed.panels, again.panels);
        if (int8) {
          ASSERT_EQ(packed.scales, again.scales);
        }
        for (int64_t j = 0; j < s.n; ++j) {
          for (int64_t c = 0; c < s.k; ++c) {
            const auto exact = static_cast<double>(p.w[static_cast<size_t>(j * p.w_row + c)]);
            const double step = int8 ? static_cast<double>(packed.scales[static_cast<size_t>(j)])
                                     : std::ldexp(1.0, std::ilogb(exact) - 7);
            ASSERT_LE(std::abs(element(packed, packing, s.k, j, c) - exact),
                      step / 2 * (1 + (int8 ? 0x1p-16 : 0.0)));
          }
        }
        std::vector<float> first;
        for (const Exec& exec : execs()) {
          std::vector<float> y = p.before;
          table.packed[static_cast<int>(packing)](
              exec, {s.m, s.n, s.k, p.x.data(), p.x_row, p.x_col, packed.panels.data(),
                     int8 ? packed.scales.data() : nullptr, y.data(), p.y_row,
                     with_bias ? p.bias.data() : nullptr});
          if (first.empty()) first = y;
          ASSERT_EQ(std::memcmp(y.data(), first.data(), y.size() * sizeof(float)), 0);
        }
        expect_sums(p, first, with_bias,
                    [&](int64_t j, int64_t c) { return element(packed, packing, s.k, j, c); });
      }
    }
  }
}

TEST(Skinny, WhatIsNotFiniteStaysSo) {
  constexpr int64_t kN = 70, kK = 40;
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::string& isa : isas()) {
    const SkinnyTable& table = kernels_for(isa.c_str()).skinny;
    for (const float wrong : {infinity, -infinity, nan}) {
      for (int64_t m = 1; m <= 8; ++m) {
        for (const bool in_x : {false, true}) {
          SCOPED_TRACE(isa + ' ' + std::to_string(m) + (in_x ? " x" : " w"));
          std::vector<float> x = numbers<float>(m * kK, 1), w = numbers<float>(kN * kK, 2);
          // In the last row of x, or in row 66 of w: the others stay as they are.
          (in_x ? x[static_cast<size_t>((m - 1) * kK + 39)] : w[66 * kK + 39]) = wrong;
          const Exec exec = execs()[0];
          std::vector<std::vector<float>> ys(3, std::vector<float>(static_cast<size_t>(m * kN)));
          table.f32(exec, {m, kN, kK, x.data(), kK, 1, w.data(), kK, ys[0].data(), kN, nullptr});
          for (const Packing packing : {Packing::bf16, Packing::int8}) {
            const Packed packed = pack(table, exec, packing, w.data(), kN, kK, kK);
            const int at = static_cast<int>(packing);
            table.packed[at](exec, {m, kN, kK, x.data(), kK, 1, packed.panels.data(),
                                    packing == Packing::int8 ? packed.scales.data() : nullptr,
                                    ys[static_cast<size_t>(at) + 1].data(), kN, nullptr});
          }
          for (const std::vector<float>& y : ys) {
            for (int64_t i = 0; i < m; ++i) {
              for (int64_t j = 0; j < kN; ++j) {
                ASSERT_EQ(std::isfinite(y[static_cast<size_t>(i * kN + j)]),
                          in_x ? i < m - 1 : j != 66)
                    << i << ' ' << j;
              }
            }
          }
        }
      }
    }
  }
}

TEST(Skinny, PackingAtTheEdgesOfTheFormats) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const std::string& isa : isas()) {
    SCOPED_TRACE(isa);
    const SkinnyTable& table = kernels_for(isa.c_str()).skinny;
    // Ties to even, a carry into the exponent, beyond the largest, both zeros.
    const std::vector<float> halves = {0x1.01p0F, 0x1.03p0F, 0x1.ffp0F, 3.4e38F, -0.0F, infinity};
    const std::vector<double> expected = {1, 0x1.04p0, 2, infinity, -0.0, infinity};
    const Packed bf16 = pack(table, execs()[0], Packing::bf16, halves.data(), 1, 6, 6);
    for (int64_t c = 0; c < 6; ++c) {
      const double got = element(bf16, Packing::bf16, 6, 0, c);
      EXPECT_EQ(got, expected[static_cast<size_t>(c)]);
      EXPECT_EQ(std::signbit(got), std::signbit(expected[static_cast<size_t>(c)]));
    }
    // Rows: zeros, the largest at both ends of the range, too small for a scale.
    const std::vector<float> rows = {0, 0, 0, -127, 63.5F, 64.5F, 1e-37F, 0, -1e-37F};
    const Packed int8 = pack(table, execs()[0], Packing::int8, rows.data(), 3, 3, 3);
    EXPECT_EQ(int8.scales[0], 0);
    EXPECT_EQ(int8.scales[1], 1);
    EXPECT_EQ(int8.scales[2], 0);
    const std::vector<double> whole = {0, 0, 0, -127, 64, 64, 0, 0, 0};
    for (int64_t i = 0; i < 9; ++i) {
      EXPECT_EQ(element(int8, Packing::int8, 3, i / 3, i % 3), whole[static_cast<size_t>(i)]) << i;
    }
  }
}

TEST(Skinny, UnpackedColumnsAreTheElements) {
  constexpr int64_t kN = 200, kK = 37, kFirst = 64, kColumns = 130, kRow = 133;
  const std::vector<float> w = numbers<float>(kN * kK, 5);
  for (const std::string& isa : isas()) {
    const SkinnyTable& table = kernels_for(isa.c_str()).skinny;
    for (const Packing packing : {Packing::bf16, Packing::int8}) {
      Packed packed = pack(table, execs()[0], packing, w.data(), kN, kK, kK);
      std::vector<float> out(kK * kRow, -9);
      table.unpack[static_cast<int>(packing)](
          execs()[2], {kK, kFirst, kColumns, packed.panels.data(), out.data(), kRow});
      std::fill(packed.scales.begin(), packed.scales.end(), 1);
      for (int64_t c = 0; c < kK; ++c) {
        for (int64_t j = 0; j < kRow; ++j) {
          const auto got = static_cast<double>(out[static_cast<size_t>(c * kRow + j)]);
          ASSERT_EQ(got, j < kColumns ? element(packed, packing, kK, kFirst + j, c) : -9.0);
        }
      }
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels
