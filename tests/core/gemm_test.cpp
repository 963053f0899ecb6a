// The matrix product of every instruction set against a plain loop in long double.
#include <adjoint/core/linalg.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
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

template <class T>
void run(const std::string& isa, const Exec& exec, const Gemm<T>& g) {
  const GemmTable& table = kernels_for(isa.c_str()).gemm;
  if constexpr (std::is_same_v<T, float>) {
    table.f32(exec, g);
  } else {
    table.f64(exec, g);
  }
}

// Numbers in [-1, 1) that repeat nowhere near a tile's size.
template <class T>
std::vector<T> numbers(int64_t count, uint32_t seed) {
  std::vector<T> values(static_cast<size_t>(count));
  uint32_t state = seed * 2654435761u + 12345u;
  for (T& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<T>(static_cast<int32_t>(state)) / static_cast<T>(2147483648.0);
  }
  return values;
}

enum class Layout { row_major, transposed, spread, reversed };

// Where elements of a matrix lie, with `slack` unused elements after each row.
struct Place {
  int64_t row, col, start, size;
};
Place place(Layout layout, int64_t rows, int64_t cols) {
  switch (layout) {
    case Layout::row_major:
      return {cols + 3, 1, 0, rows * (cols + 3)};
    case Layout::transposed:
      return {1, rows + 1, 0, cols * (rows + 1)};
    case Layout::spread:
      return {2 * cols + 1, 2, 0, rows * (2 * cols + 1) + 1};
    case Layout::reversed:
      return {-cols, 1, std::max<int64_t>(0, rows - 1) * cols, rows * cols};
  }
  return {};
}

struct Case {
  int64_t m, n, k;
  Layout a = Layout::row_major, b = Layout::row_major;
  double alpha = 1;
  bool accumulate = false, bias = false, keep = false;
  Activation activation = Activation::none;
};

std::string describe(const std::string& isa, const Case& c) {
  return isa + ' ' + std::to_string(c.m) + 'x' + std::to_string(c.n) + 'x' + std::to_string(c.k) +
         " layouts " + std::to_string(static_cast<int>(c.a)) +
         std::to_string(static_cast<int>(c.b)) + " alpha " + std::to_string(c.alpha) +
         (c.accumulate ? " accumulate" : "") + (c.bias ? " bias" : "") + (c.keep ? " keep" : "") +
         " act " + std::to_string(static_cast<int>(c.activation));
}

// One product under three ways of running its tasks: the same bits, within the bound of a sum of K
// products, nothing written beside C.
template <class T>
void check_case(const std::string& isa, const Case& c) {
  SCOPED_TRACE(describe(isa, c) + (sizeof(T) == 4 ? " f32" : " f64"));
  const Place pa = place(c.a, c.m, c.k), pb = place(c.b, c.k, c.n);
  const std::vector<T> a = numbers<T>(pa.size + 1, 1), b = numbers<T>(pb.size + 1, 2);
  const std::vector<T> bias = numbers<T>(c.n, 3);
  const int64_t c_row = c.n + 5;
  const std::vector<T> before = numbers<T>(c.m * c_row + 1, 4);
  std::vector<T> out = before, kept = before;
  Gemm<T> g{c.m,
            c.n,
            c.k,
            a.data() + pa.start,
            pa.row,
            pa.col,
            b.data() + pb.start,
            pb.row,
            pb.col,
            out.data(),
            c_row,
            static_cast<T>(c.alpha),
            c.accumulate,
            c.bias ? bias.data() : nullptr,
            c.activation,
            c.keep ? kept.data() : nullptr,
            {1, 1, 1},
            {0, 0, 0},
            {0, 0, 0},
            {0, 0, 0}};
  run(isa, kSerial, g);
  const double eps = std::numeric_limits<T>::epsilon();
  int failures = 0;
  for (int64_t i = 0; i < c.m && failures < 3; ++i) {
    for (int64_t j = 0; j < c_row && failures < 3; ++j) {
      const int64_t at = i * c_row + j;
      if (j >= c.n) {
        EXPECT_EQ(out[at], before[at]) << "beside C at " << i << ", " << j;
        EXPECT_EQ(kept[at], before[at]);
        failures += out[at] != before[at];
        continue;
      }
      double sum = 0, size = 0;
      for (int64_t k = 0; k < c.k; ++k) {
        const double term = static_cast<double>(a[pa.start + i * pa.row + k * pa.col]) *
                            static_cast<double>(b[pb.start + k * pb.row + j * pb.col]);
        sum += term;
        size += std::fabs(term);
      }
      const double x = sum * c.alpha + (c.bias ? static_cast<double>(bias[j]) : 0.0);
      const double old = c.accumulate ? static_cast<double>(before[at]) : 0.0;
      const double want = act(c.activation, x) + old;
      // 1.2 bounds the activations' slopes; the last terms are their own rounding.
      const double bound = 1.2 * (static_cast<double>(c.k) + 4) * eps *
                               (std::fabs(c.alpha) * size + std::fabs(x) + std::fabs(old)) +
                           4 * eps * (1 + std::fabs(want));
      const bool ok = std::fabs(static_cast<double>(out[at]) - want) <= bound &&
                      (!c.keep || std::fabs(static_cast<double>(kept[at]) - x) <= bound);
      EXPECT_TRUE(ok) << "at " << i << ", " << j << ": " << out[at] << ", not " << want << "; kept "
                      << kept[at] << " of " << x;
      failures += !ok;
    }
  }
  for (const Exec* exec : {&kReversed, &kThreaded}) {
    std::vector<T> again = before, kept_again = before;
    g.c = again.data();
    g.preactivation = c.keep ? kept_again.data() : nullptr;
    run(isa, *exec, g);
    EXPECT_EQ(std::memcmp(again.data(), out.data(), out.size() * sizeof(T)), 0)
        << "bits depend on threads: " << exec->threads;
    EXPECT_EQ(std::memcmp(kept_again.data(), kept.data(), kept.size() * sizeof(T)), 0);
  }
}

void check_both(const std::string& isa, const Case& c) {
  check_case<float>(isa, c);
  check_case<double>(isa, c);
}

TEST(Gemm, SizesAndLayouts) {
  const int64_t sizes[][3] = {{1, 1, 1},    {1, 33, 70},   {2, 65, 17},   {3, 5, 400},
                              {7, 31, 16},  {13, 32, 33},  {14, 64, 48},  {15, 96, 15},
                              {29, 47, 31}, {8, 200, 385}, {97, 101, 90}, {61, 130, 771}};
  for (const std::string& isa : isas()) {
    for (const auto& s : sizes) {
      for (Layout a : {Layout::row_major, Layout::transposed, Layout::spread, Layout::reversed}) {
        for (Layout b : {Layout::row_major, Layout::transposed, Layout::spread, Layout::reversed}) {
          check_both(isa, {s[0], s[1], s[2], a, b});
        }
      }
    }
  }
}

TEST(Gemm, EveryRowCountAndColumnTail) {
  for (const std::string& isa : isas()) {
    for (int64_t m = 1; m <= 30; ++m) check_both(isa, {m, 37, 21});
    for (int64_t n = 1; n <= 70; ++n)
      check_both(isa, {9, n, 21, Layout::row_major, Layout::transposed});
    for (int64_t m = 100; m <= 114; ++m) check_both(isa, {m, 80, 90, Layout::transposed});
  }
}

TEST(Gemm, Epilogues) {
  const int64_t sizes[][3] = {{5, 19, 24}, {5, 19, 900}, {90, 83, 100}, {90, 83, 800}};
  for (const std::string& isa : isas()) {
    for (const auto& s : sizes) {
      for (Activation activation : {Activation::none, Activation::relu, Activation::gelu_tanh,
                                    Activation::gelu_erf, Activation::silu}) {
        for (int bits = 0; bits < 16; ++bits) {
          Case c{s[0], s[1], s[2]};
          c.accumulate = (bits & 1) != 0;
          c.bias = (bits & 2) != 0;
          c.keep = (bits & 4) != 0;
          c.alpha = (bits & 8) != 0 ? -0.375 : 1;
          c.activation = activation;
          check_both(isa, c);
        }
      }
    }
  }
}

// The bits of the product and then a sum, on every way through, whatever is added.
template <class T>
void check_residual(const std::string& isa, const Case& c, const int64_t (&batch)[3] = {1, 1, 1}) {
  SCOPED_TRACE(describe(isa, c) + (sizeof(T) == 4 ? " f32" : " f64"));
  const int64_t items = batch[0] * batch[1] * batch[2], c_row = c.n + 5, c_size = c.m * c_row;
  const Place pa = place(c.a, c.m, c.k), pb = place(c.b, c.k, c.n);
  const std::vector<T> a = numbers<T>(items * pa.size + 1, 1);
  const std::vector<T> b = numbers<T>(items * pb.size + 1, 2), bias = numbers<T>(c.n, 3);
  const std::vector<T> before = numbers<T>(items * c_size + 1, 4);
  std::vector<T> residual = numbers<T>(items * c_size + 1, 5), product = before;
  residual[0] = std::numeric_limits<T>::quiet_NaN();
  residual[static_cast<size_t>(c.n) - 1] = std::numeric_limits<T>::infinity();
  Gemm<T> g{c.m,
            c.n,
            c.k,
            a.data() + pa.start,
            pa.row,
            pa.col,
            b.data() + pb.start,
            pb.row,
            pb.col,
            product.data(),
            c_row,
            static_cast<T>(c.alpha),
            false,
            c.bias ? bias.data() : nullptr,
            Activation::none,
            nullptr,
            {batch[0], batch[1], batch[2]},
            {batch[1] * batch[2] * pa.size, batch[2] * pa.size, pa.size},
            {batch[1] * batch[2] * pb.size, batch[2] * pb.size, pb.size},
            {batch[1] * batch[2] * c_size, batch[2] * c_size, c_size}};
  run(isa, kSerial, g);
  g.residual = residual.data();
  for (const Exec* exec : {&kSerial, &kReversed, &kThreaded}) {
    std::vector<T> out = before;
    g.c = out.data();
    run(isa, *exec, g);
    int64_t wrong = 0;
    for (size_t i = 0; i < out.size(); ++i) {
      const bool in_c =
          static_cast<int64_t>(i) < items * c_size && static_cast<int64_t>(i) % c_row < c.n;
      const T want = in_c ? product[i] + residual[i] : before[i];
      wrong += out[i] != want && !(std::isnan(out[i]) && std::isnan(want));
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_TRUE(std::isnan(out[0]));
  }
}

TEST(Gemm, ResidualIsAddedAtTheEnd) {
  // Direct (skinny, turned, of several blocks), private with either side staying, shared.
  const int64_t sizes[][3] = {{1, 33, 70},    {3, 200, 900},  {5, 19, 900},   {90, 83, 100},
                              {60, 500, 800}, {500, 60, 800}, {250, 600, 90}, {530, 520, 390}};
  for (const std::string& isa : isas()) {
    for (const auto& s : sizes) {
      for (const Layout layout : {Layout::row_major, Layout::transposed}) {
        Case c{s[0], s[1], s[2], layout, layout};
        check_residual<float>(isa, c);
        c.bias = true;
        c.alpha = -0.375;
        check_residual<double>(isa, c);
      }
    }
    check_residual<float>(isa, {7, 20, 0});
    check_residual<float>(isa, {33, 40, 500}, {2, 3, 2});
  }
}

// Either side stays while the other flows by; and both sides too large for that.
TEST(Gemm, EveryWayThrough) {
  const int64_t sizes[][3] = {{60, 500, 800}, {500, 60, 800}, {250, 600, 90}, {530, 520, 390}};
  for (const std::string& isa : isas()) {
    for (const auto& s : sizes) {
      check_both(isa, {s[0], s[1], s[2]});
      check_both(isa, {s[0], s[1], s[2], Layout::transposed, Layout::transposed});
      check_both(isa, {s[0], s[1], s[2], Layout::spread, Layout::reversed});
    }
  }
}

TEST(Gemm, ManyBlocks) {
  for (const std::string& isa : isas()) {
    // More columns, and more rows, than one packed block.
    check_case<float>(isa, {520, 3200, 20, Layout::row_major, Layout::transposed});
    check_case<float>(isa, {4200, 520, 20, Layout::transposed});
    check_case<double>(isa, {400, 70, 900, Layout::row_major, Layout::transposed, 0.5, true, true});
  }
}

TEST(Gemm, EmptyProducts) {
  for (const std::string& isa : isas()) {
    Case c{6, 40, 0};
    check_both(isa, c);
    c.accumulate = c.bias = true;
    c.activation = Activation::silu;
    check_both(isa, c);
    check_both(isa, {100, 2000, 0});
    check_both(isa, {0, 40, 7});
    check_both(isa, {6, 0, 7});
  }
}

// Batches: sizes (2, 3, 2), B shared by the middle dimension; C interleaved as attention's heads.
template <class T>
void check_batch(const std::string& isa, int64_t m, int64_t n, int64_t k, bool transposed,
                 bool accumulate, Activation activation) {
  SCOPED_TRACE(isa + " batch of " + std::to_string(m) + 'x' + std::to_string(n) + 'x' +
               std::to_string(k));
  const int64_t sizes[3] = {2, 3, 2};
  const std::vector<T> a = numbers<T>(12 * m * k, 5), b = numbers<T>(4 * k * n, 6);
  const std::vector<T> before = numbers<T>(12 * m * n, 7);
  std::vector<T> first;
  for (const Exec* exec : {&kSerial, &kReversed, &kThreaded}) {
    std::vector<T> out = before;
    // C is (2, 3, m, 2, n): the last batch dimension lies inside the rows.
    Gemm<T> g{m,
              n,
              k,
              a.data(),
              k,
              1,
              b.data(),
              transposed ? 1 : n,
              transposed ? k : 1,
              out.data(),
              2 * n,
              T(1),
              accumulate,
              nullptr,
              activation,
              nullptr,
              {2, 3, 2},
              {6 * m * k, 2 * m * k, m * k},
              {2 * k * n, 0, k * n},
              {6 * m * n, 2 * m * n, n}};
    run(isa, *exec, g);
    if (!first.empty()) {
      EXPECT_EQ(std::memcmp(first.data(), out.data(), out.size() * sizeof(T)), 0);
      continue;
    }
    first = out;
    double worst = 0;
    for (int64_t item = 0; item < sizes[0] * sizes[1] * sizes[2]; ++item) {
      const int64_t x = item / 6, y = item / 2 % 3, z = item % 2;
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0;
          for (int64_t p = 0; p < k; ++p) {
            const T right = b[x * 2 * k * n + z * k * n + (transposed ? j * k + p : p * n + j)];
            sum += static_cast<double>(a[item * m * k + i * k + p]) * static_cast<double>(right);
          }
          const int64_t at = x * 6 * m * n + y * 2 * m * n + z * n + i * 2 * n + j;
          const double want =
              act(activation, sum) + (accumulate ? static_cast<double>(before[at]) : 0.0);
          worst = std::max(worst, std::fabs(static_cast<double>(out[at]) - want));
        }
      }
    }
    EXPECT_LT(worst,
              4 * static_cast<double>(k) * static_cast<double>(std::numeric_limits<T>::epsilon()));
  }
}

TEST(Gemm, Batches) {
  for (const std::string& isa : isas()) {
    for (bool transposed : {false, true}) {
      for (bool accumulate : {false, true}) {
        check_batch<float>(isa, 33, 40, 32, transposed, accumulate, Activation::none);
        check_batch<double>(isa, 17, 23, 12, transposed, accumulate, Activation::gelu_erf);
        check_batch<float>(isa, 1, 50, 500, transposed, accumulate, Activation::silu);
        check_batch<float>(isa, 90, 70, 500, transposed, accumulate, Activation::silu);
      }
    }
  }
}

// A row's bits do not depend on how many rows there are: decoding one token gives what a whole
// sequence gave.
// dx = dy act'(kept) and its sums: every activation, one block of rows and many, one strip of
// columns and several; the same bits in any order, and in place.
template <class T>
void check_sweep(const std::string& isa, int64_t rows, int64_t n, Activation activation) {
  SCOPED_TRACE(isa + ' ' + std::to_string(rows) + 'x' + std::to_string(n) + " act " +
               std::to_string(static_cast<int>(activation)));
  const int64_t size = rows * n;
  const std::vector<T> kept = numbers<T>(size + 1, 1), dy = numbers<T>(size + 1, 2);
  std::vector<T> dx = dy, sums(static_cast<size_t>(n) + 1, T(7));
  ActivationBackward w{rows, n, activation, kept.data(), dy.data(), dx.data(), sums.data()};
  const GemmTable& table = kernels_for(isa.c_str()).gemm;
  const auto kernel = table.activation_backward[sizeof(T) == 8];
  kernel(kSerial, w);
  const double eps = std::numeric_limits<T>::epsilon(), h = 1e-6;
  for (int64_t j = 0; j < n; ++j) {
    double total = 0, size_of_terms = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const auto at = static_cast<size_t>(i * n + j);
      const double x = kept[at];
      // relu's derivative is of its result.
      const double slope = activation == Activation::relu
                               ? (x > 0 ? 1 : 0)
                               : (act(activation, x + h) - act(activation, x - h)) / (2 * h);
      const double want = slope * dy[at];
      ASSERT_NEAR(dx[at], want, 8 * eps * (std::fabs(want) + std::fabs(dy[at])) + 1e-9);
      total += dx[at];
      size_of_terms += std::fabs(dx[at]);
    }
    ASSERT_NEAR(sums[static_cast<size_t>(j)], total, 32 * eps * size_of_terms);
  }
  EXPECT_EQ(sums[static_cast<size_t>(n)], T(7));
  for (const Exec* exec : {&kReversed, &kThreaded}) {
    std::vector<T> in_place = dy, again(sums.size(), T(7));
    w.dy = w.dx = in_place.data();
    w.sums = again.data();
    kernel(*exec, w);
    EXPECT_EQ(in_place, dx);
    EXPECT_EQ(again, sums);
    in_place = dy;
    w.sums = nullptr;
    kernel(*exec, w);
    EXPECT_EQ(in_place, dx);
  }
}

TEST(Gemm, ActivationBackward) {
  const int64_t sizes[][2] = {{1, 1}, {3, 21}, {64, 70}, {67, 33}, {700, 130}, {200, 2100}, {0, 5}};
  for (const std::string& isa : isas()) {
    for (const auto& s : sizes) {
      for (Activation activation : {Activation::none, Activation::relu, Activation::gelu_tanh,
                                    Activation::gelu_erf, Activation::silu}) {
        check_sweep<float>(isa, s[0], s[1], activation);
        check_sweep<double>(isa, s[0], s[1], activation);
      }
    }
  }
}

TEST(Gemm, RowsAreIndependentOfEachOther) {
  for (const std::string& isa : isas()) {
    const int64_t n = 150, k = 800, rows = 200;
    const std::vector<float> a = numbers<float>(rows * k, 8), b = numbers<float>(n * k, 9);
    std::vector<float> whole(rows * n), one(n);
    Gemm<float> g{rows,    n,         k,         a.data(),  k,
                  1,       b.data(),  1,         k,         whole.data(),
                  n,       1.0f,      false,     nullptr,   Activation::none,
                  nullptr, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
    run(isa, kSerial, g);
    g.c = one.data();
    for (int64_t m : {1, 5}) {
      one.assign(m * n, 0);
      g.c = one.data();
      g.m = m;
      run(isa, kThreaded, g);
      EXPECT_EQ(std::memcmp(one.data(), whole.data(), one.size() * sizeof(float)), 0) << isa;
    }
  }
}

TEST(Gemm, NanAndInfinityArrive) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::string& isa : isas()) {
    std::vector<float> a(4 * 4, 0.0f), b(4 * 4, 1.0f), c(16);
    a[0] = nan;
    a[5] = std::numeric_limits<float>::infinity();
    b[1] = 0;
    Gemm<float> g{4,       4,         4,         a.data(),  4,
                  1,       b.data(),  4,         1,         c.data(),
                  4,       1.0f,      false,     nullptr,   Activation::relu,
                  nullptr, {1, 1, 1}, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}};
    run(isa, kSerial, g);
    for (int j = 0; j < 4; ++j) EXPECT_TRUE(std::isnan(c[j])) << isa;
    EXPECT_TRUE(std::isinf(c[4])) << isa;
    EXPECT_EQ(c[8], 0.0f) << isa;
  }
}

// Numbers rounded to bf16, to the nearest, ties to even.
class Half {
 public:
  explicit Half(const std::vector<float>& x) {
    for (float value : x) {
      uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      bits_.push_back(static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
    }
  }
  void* data() { return bits_.data(); }
  double value(int64_t i) const {
    const uint32_t bits = static_cast<uint32_t>(bits_[static_cast<size_t>(i)]) << 16;
    float x = 0;
    std::memcpy(&x, &bits, sizeof x);
    return static_cast<double>(x);
  }

 private:
  std::vector<uint16_t> bits_;
};

// Every combination of types: operands rounded to bf16, sums as f32's, C rounded once.
TEST(Gemm, MixedPrecision) {
  constexpr int64_t m = 37, n = 45, k = 401, items = 2;
  for (const std::string& isa : isas()) {
    for (int types = 0; types < 8; ++types) {
      SCOPED_TRACE(isa + ", types " + std::to_string(types));
      const std::vector<float> a = numbers<float>(items * m * k, 1),
                               b = numbers<float>(items * k * n, 2),
                               before = numbers<float>(items * m * n, 3);
      Half a_half(a), b_half(b), c_half(before);
      std::vector<float> c = before;
      // The batch's items lie side by side in A; B is given by its columns.
      const MixedGemm g{
          m,
          n,
          k,
          {(types & 1) != 0 ? a_half.data() : const_cast<float*>(a.data()), (types & 1) != 0,
           items * k, 1},
          {(types & 2) != 0 ? b_half.data() : const_cast<float*>(b.data()), (types & 2) != 0, 1, k},
          {(types & 4) != 0 ? c_half.data() : static_cast<void*>(c.data()), (types & 4) != 0, n, 1},
          0.5F,
          true,
          nullptr,
          Activation::none,
          nullptr,
          {1, 1, items},
          {0, 0, k},
          {0, 0, n * k},
          {0, 0, m * n}};
      kernels_for(isa.c_str()).gemm.mixed(kThreaded, g);
      for (int64_t item = 0; item < items; ++item) {
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            double sum = 0, size = 0;
            for (int64_t p = 0; p < k; ++p) {
              const double term =
                  a_half.value(i * items * k + item * k + p) * b_half.value((item * n + j) * k + p);
              sum += term;
              size += std::fabs(term);
            }
            const int64_t at = (item * m + i) * n + j;
            const bool narrow = (types & 4) != 0;
            const double old = narrow ? Half(before).value(at) : before[at];
            const double want = 0.5 * sum + old;
            const double got = narrow ? c_half.value(at) : c[at];
            const double bound =
                (k + 4) * 1.2e-7 * (size + std::fabs(old)) + (narrow ? std::fabs(want) / 256 : 0);
            ASSERT_NEAR(got, want, bound) << "at " << i << ", " << j;
          }
        }
      }
    }
  }
}

// How an operand of a product lies, as f32, as bf16, and rounded to bf16 in f32.
struct Operand {
  int64_t row, col, step;  // of a matrix, and from one to the next
  std::vector<float> wide, rounded;
  Half half;

  Operand(int64_t r, int64_t c, int64_t matrices, int64_t between, uint32_t seed)
      : row(r), col(c), step(between), wide(numbers<float>(matrices, seed)), half(wide) {
    for (size_t i = 0; i < wide.size(); ++i) {
      rounded.push_back(static_cast<float>(half.value(static_cast<int64_t>(i))));
    }
  }
  MixedMatrix mixed(bool narrow) {
    return {narrow ? half.data() : static_cast<void*>(wide.data()), narrow, row, col};
  }
};
// Rows, columns, columns with a gap of one, and neither; of a batch, or for all of it.
Operand operand(int layout, int64_t rows, int64_t cols, bool repeats, uint32_t seed) {
  const int64_t gap = layout == 2 ? 1 : 0;
  const bool turned = layout == 1 || layout == 2;
  const int64_t col = turned ? rows + gap : layout == 3 ? 2 : 1;
  const int64_t row = turned ? 1 : layout == 3 ? 2 * cols + 1 : cols;
  const int64_t size = (rows + 2) * (cols + 2) * 2;
  return {row, col, 2 * size, repeats ? 0 : size, seed};
}

// Products that widen, and those of few rows that read a weight as it lies, have the bits of f32's
// own product of rounded operands, whatever the layouts, batches and epilogues.
TEST(Gemm, MixedPrecisionHasTheBitsOfRoundedOperands) {
  constexpr int64_t n = 37;
  for (const std::string& isa : isas()) {
    const GemmTable& table = kernels_for(isa.c_str()).gemm;
    for (int c = 0; c < 384; ++c) {
      const int types = c % 8, b_layout = c / 8 % 4, a_layout = (c / 32 + c) % 4;
      const int64_t m = std::array<int64_t, 6>{1, 3, 8, 9, 13, 2}[static_cast<size_t>(c / 64)];
      const int64_t k = std::array<int64_t, 5>{402, 33, 64, 801, 1}[static_cast<size_t>(c % 5)];
      const int64_t items = c % 7 == 0 ? 2 : 1;
      SCOPED_TRACE(isa + ", case " + std::to_string(c));
      Operand a = operand(a_layout, m, k, c % 2 == 0, 1),
              b = operand(b_layout, k, n, c % 3 != 0, 2);
      const bool narrow = (types & 4) != 0, accumulate = c % 11 < 5, keep = c % 13 < 6;
      const auto activation = static_cast<Activation>(c % 5);
      const std::vector<float> bias = numbers<float>(n, 3),
                               before = numbers<float>(items * m * n, 4);
      const Half half_before(before);
      const auto described = [&](auto g) {
        g.m = m;
        g.n = n;
        g.k = k;
        g.alpha = 1;
        g.bias = c % 2 == 0 ? bias.data() : nullptr;
        g.activation = activation;
        const int64_t batch[3] = {1, items, 1}, a_batch[3] = {0, a.step, 0},
                      b_batch[3] = {0, b.step, 0}, c_batch[3] = {0, m * n, 0};
        std::copy(batch, batch + 3, g.batch);
        std::copy(a_batch, a_batch + 3, g.a_batch);
        std::copy(b_batch, b_batch + 3, g.b_batch);
        std::copy(c_batch, c_batch + 3, g.c_batch);
        return g;
      };
      Gemm<float> f = described(Gemm<float>{});
      std::vector<float> want = before, want_kept(before.size());
      f.a = a.rounded.data();
      f.a_row = a.row;
      f.a_col = a.col;
      f.b = b.rounded.data();
      f.b_row = b.row;
      f.b_col = b.col;
      f.c = want.data();
      f.c_row = n;
      f.accumulate = accumulate && !narrow;
      f.preactivation = keep ? want_kept.data() : nullptr;
      table.f32(kSerial, f);
      for (const Exec* exec : {&kSerial, &kReversed, &kThreaded}) {
        MixedGemm g = described(MixedGemm{});
        std::vector<float> got = before, got_kept(before.size());
        Half half = half_before, half_kept(got_kept);
        g.a = a.mixed((types & 1) != 0);
        g.b = b.mixed((types & 2) != 0);
        g.c = {narrow ? half.data() : static_cast<void*>(got.data()), narrow, n, 1};
        g.accumulate = accumulate;
        g.preactivation = !keep    ? nullptr
                          : narrow ? half_kept.data()
                                   : static_cast<void*>(got_kept.data());
        table.mixed(*exec, g);
        for (int64_t i = 0; i < items * m * n; ++i) {
          const auto at = static_cast<size_t>(i);
          const auto old = static_cast<float>(half_before.value(i));
          const double expected =
              narrow ? Half({accumulate ? old + want[at] : want[at]}).value(0) : want[at];
          ASSERT_EQ(narrow ? half.value(i) : got[at], expected) << "at " << i;
          if (!keep) continue;
          ASSERT_EQ(narrow ? half_kept.value(i) : got_kept[at],
                    narrow ? Half({want_kept[at]}).value(0) : want_kept[at])
              << "at " << i;
        }
      }
    }
  }
}

// Rows of more columns than one task's: activations of what few rows stream.
TEST(Gemm, MixedPrecisionOfManyColumns) {
  constexpr int64_t m = 2, n = 16384 + 37, k = 6;
  const std::vector<float> x = numbers<float>(m * k, 1), w = numbers<float>(n * k, 2);
  Half x_half(x), w_half(w);
  std::vector<float> x_rounded, w_rounded;
  for (int64_t i = 0; i < m * k; ++i) x_rounded.push_back(static_cast<float>(x_half.value(i)));
  for (int64_t i = 0; i < n * k; ++i) w_rounded.push_back(static_cast<float>(w_half.value(i)));
  for (const std::string& isa : isas()) {
    const GemmTable& table = kernels_for(isa.c_str()).gemm;
    std::vector<float> want(m * n), want_kept(m * n);
    Gemm<float> f{};
    f.m = m;
    f.n = n;
    f.k = k;
    f.a = x_rounded.data();
    f.a_row = k;
    f.a_col = 1;
    f.b = w_rounded.data();
    f.b_row = 1;
    f.b_col = k;
    f.c = want.data();
    f.c_row = n;
    f.alpha = 1;
    f.activation = Activation::silu;
    f.preactivation = want_kept.data();
    std::fill_n(f.batch, 3, 1);
    table.f32(kSerial, f);
    for (const bool narrow : {false, true}) {
      std::vector<float> got(m * n), got_kept(m * n);
      MixedGemm g{};
      g.m = m;
      g.n = n;
      g.k = k;
      g.a = {const_cast<float*>(x.data()), false, k, 1};
      g.b = {narrow ? w_half.data() : const_cast<float*>(w.data()), narrow, 1, k};
      g.c = {got.data(), false, n, 1};
      g.alpha = 1;
      g.activation = Activation::silu;
      g.preactivation = got_kept.data();
      std::fill_n(g.batch, 3, 1);
      table.mixed(kThreaded, g);
      EXPECT_EQ(got, want) << isa << narrow;
      EXPECT_EQ(got_kept, want_kept) << isa << narrow;
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels
