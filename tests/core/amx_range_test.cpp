// How exact the products on tiles are, what they take, and what they leave to f32's own.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/core/amx_probes.h"

namespace adjoint::kernels::tiles {
namespace {

Gemm<float> plain_gemm(int64_t m, int64_t n, int64_t k, const Numbers& a, const Numbers& b,
                       Numbers& c) {
  c.assign(static_cast<size_t>(m * n), 0);
  return {m, n,    k,     a.data(), k,  1,       b.data(),  n,  1,  c.data(),
          n, 1.0F, false, nullptr,  {}, nullptr, {1, 1, 1}, {}, {}, {}};
}

// The largest error relative to sum |a b|.
double worst_error(int64_t m, int64_t n, int64_t k, const Numbers& a, const Numbers& b,
                   const Numbers& c) {
  double worst = 0;
  for (int64_t i = 0; i < m; ++i) {
    std::vector<double> sums(static_cast<size_t>(n)), sizes(static_cast<size_t>(n));
    for (int64_t p = 0; p < k; ++p) {
      const double x = a[static_cast<size_t>(i * k + p)];
      for (int64_t j = 0; j < n; ++j) {
        const double term = x * static_cast<double>(b[static_cast<size_t>(p * n + j)]);
        sums[static_cast<size_t>(j)] += term;
        sizes[static_cast<size_t>(j)] += std::fabs(term);
      }
    }
    for (int64_t j = 0; j < n; ++j) {
      const double error = std::fabs(static_cast<double>(c[static_cast<size_t>(i * n + j)]) -
                                     sums[static_cast<size_t>(j)]);
      if (sizes[static_cast<size_t>(j)] > 0) {
        worst = std::max(worst, error / sizes[static_cast<size_t>(j)]);
      } else if (error > 0) {
        return std::numeric_limits<double>::infinity();
      }
    }
  }
  return worst;
}

struct Distribution {
  const char* name;
  std::function<float(std::mt19937&)> draw;
};

std::vector<Distribution> distributions() {
  const auto unit = [](std::mt19937& engine) {
    return static_cast<float>(engine()) / 4294967296.0F;
  };
  const auto normal = [](std::mt19937& engine) {
    return std::normal_distribution<float>()(engine);
  };
  return {{"positive", unit},
          {"uniform", [=](std::mt19937& engine) { return 2 * unit(engine) - 1; }},
          {"normal", normal},
          {"wide",
           [=](std::mt19937& engine) {
             return std::ldexp(normal(engine), static_cast<int>(engine() % 41) - 20);
           }},
          {"tiny", [=](std::mt19937& engine) { return std::ldexp(normal(engine), -55); }},
          {"huge", [=](std::mt19937& engine) { return std::ldexp(normal(engine), 57); }}};
}

TEST(Amx, HighIsAsExactAsF32) {
  constexpr int64_t m = 64, n = 64;
  const Probe probe = best_probe();
  const GemmTable& plain = kernels_for(probe.name.c_str()).gemm;
  for (const Distribution& distribution : distributions()) {
    for (int64_t k : {1,  2,   3,   7,   16,  31,  32,  33,  40,   48,   64,   65,  90,
                      96, 128, 200, 256, 300, 384, 500, 768, 1000, 1500, 2000, 3000}) {
      std::mt19937 engine(static_cast<uint32_t>(k));
      Numbers a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n)), high, f32;
      for (float& x : a) x = distribution.draw(engine);
      for (float& x : b) x = distribution.draw(engine);
      const Gemm<float> g = plain_gemm(m, n, k, a, b, high);
      EXPECT_TRUE(probe.probe->splits(kSerial, g));
      probe.probe->f32_high(kSerial, g);
      plain.f32(kSerial, plain_gemm(m, n, k, a, b, f32));
      const double ours = worst_error(m, n, k, a, b, high),
                   theirs = worst_error(m, n, k, a, b, f32);
      EXPECT_LE(ours, theirs) << distribution.name << ", k = " << k;
      EXPECT_EQ(same_bits(high, f32), k < 32) << "on tiles or not: " << distribution.name;
    }
  }
}

// Sums that all but vanish: the second half of K takes back the first.
TEST(Amx, HighIsAsExactWhereSumsCancel) {
  constexpr int64_t m = 64, n = 64;
  const Probe probe = best_probe();
  for (int64_t k : {64, 200, 768, 2000}) {
    const Numbers left = uniform(m * k / 2, 11), right = uniform(k / 2 * n, 12);
    const Numbers noise = uniform(k / 2 * n, 13);
    Numbers a(static_cast<size_t>(m * k)), b(static_cast<size_t>(k * n)), high, f32;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t p = 0; p < k; ++p) {
        a[static_cast<size_t>(i * k + p)] = left[static_cast<size_t>(i * (k / 2) + p % (k / 2))];
      }
    }
    for (int64_t i = 0; i < k / 2 * n; ++i) {
      const float x = right[static_cast<size_t>(i)];
      b[static_cast<size_t>(i)] = x;
      b[static_cast<size_t>(k / 2 * n + i)] = -x * (1 + 1e-6F * noise[static_cast<size_t>(i)]);
    }
    probe.probe->f32_high(kSerial, plain_gemm(m, n, k, a, b, high));
    kernels_for(probe.name.c_str()).gemm.f32(kSerial, plain_gemm(m, n, k, a, b, f32));
    EXPECT_LE(worst_error(m, n, k, a, b, high), worst_error(m, n, k, a, b, f32)) << k;
  }
}

// The smallest and the largest numbers that are split as they are, those that are scaled first, and
// those that go to f32.
TEST(Amx, RangeOfTheSplit) {
  constexpr int64_t m = 64, n = 64, k = 100;
  struct Limits {
    int a_least, a_most, b_least, b_most;  // exponents
    bool splits;
  };
  const Limits limits[] = {
      {-102, 50, 4, 50, true},        {-103, 50, 5, 50, false},  // the last bit of the smallest
      {-49, 40, -49, 40, true},       {-50, 40, -49, 40, true},  // products; the second is scaled
      {-126, 0, -10, 0, true},        {-126, 0, -73, 0, false},  // softmax's; too far apart
      {-126, -120, -126, -120, true}, {-126, 25, -5, 1, true},    {-126, 27, -5, 1, false},
      {100, 126, -20, 0, true},       {100, 127, 100, 127, true}, {30, 127, 30, 127, true},
      {-30, 127, -20, 127, false}};
  for (const Probe& probe : probes()) {
    for (const Limits& l : limits) {
      SCOPED_TRACE(probe.name + ": 2^" + std::to_string(l.a_least) + " to 2^" +
                   std::to_string(l.a_most) + ", 2^" + std::to_string(l.b_least) + " to 2^" +
                   std::to_string(l.b_most));
      std::mt19937 engine(3);
      const auto fill = [&](int64_t count, int least, int most) {
        Numbers x(static_cast<size_t>(count));
        for (size_t i = 0; i < x.size(); ++i) {
          const int exponent =
              i == 0 ? least
              : i == 1
                  ? most
                  : least + static_cast<int>(engine() % static_cast<unsigned>(most - least + 1));
          x[i] = std::ldexp(1 + static_cast<float>(engine() >> 9) / 8388608.0F, exponent);
          if ((engine() & 1) != 0) x[i] = -x[i];
        }
        return x;
      };
      // Zeros and denormals do not count.
      Numbers a = fill(m * k, l.a_least, l.a_most), b = fill(k * n, l.b_least, l.b_most);
      a[5] = 0;
      b[7] = from_bits(5);
      Numbers high, f32;
      const Gemm<float> g = plain_gemm(m, n, k, a, b, high);
      EXPECT_EQ(probe.probe->splits(kSerial, g), l.splits);
      EXPECT_EQ(probe.probe->splits(kThreaded, g), l.splits);
      b[7] = 0;
      probe.probe->high(kSerial, g);
      kernels_for(probe.name == "amx" ? "avx512" : probe.name.c_str())
          .gemm.f32(kSerial, plain_gemm(m, n, k, a, b, f32));
      if (!l.splits) {
        EXPECT_TRUE(same_bits(high, f32));
        continue;
      }
      // Where the sum itself is a normal number, it is as exact as elsewhere.
      for (int64_t i = 0; i < m; ++i) {
        for (int64_t j = 0; j < n; ++j) {
          double sum = 0, terms = 0;
          for (int64_t p = 0; p < k; ++p) {
            const double term = static_cast<double>(a[static_cast<size_t>(i * k + p)]) *
                                static_cast<double>(b[static_cast<size_t>(p * n + j)]);
            sum += term;
            terms += std::fabs(term);
          }
          const double got = high[static_cast<size_t>(i * n + j)];
          if (terms < 1e38) {
            ASSERT_LE(std::fabs(got - sum), 3 * kEps * terms + 1.2e-38) << i << ", " << j;
          } else if (std::fabs(sum) > 3.5e38) {
            ASSERT_TRUE(std::isinf(got)) << i << ", " << j;
          }
        }
      }
    }
  }
}

// What is not finite goes to f32's own product, bit for bit, wherever in the operand it stands.
TEST(Amx, HighLeavesWhatIsNotFiniteToF32) {
  constexpr int64_t m = 70, n = 65, k = 99;
  const float inf = std::numeric_limits<float>::infinity();
  for (const Probe& probe : probes()) {
    for (float special : {inf, -inf, std::numeric_limits<float>::quiet_NaN()}) {
      for (int64_t at : {int64_t{0}, int64_t{4000}, k * n - 1}) {
        Numbers a = uniform(m * k, 1), b = uniform(k * n, 2), high, f32;
        (at == 4000 ? a : b)[static_cast<size_t>(at)] = special;
        const Gemm<float> g = plain_gemm(m, n, k, a, b, high);
        EXPECT_FALSE(probe.probe->splits(kThreaded, g));
        probe.probe->f32_high(kThreaded, g);
        kernels_for(probe.name.c_str()).gemm.f32(kSerial, plain_gemm(m, n, k, a, b, f32));
        EXPECT_TRUE(same_bits(high, f32)) << probe.name << ' ' << special << ' ' << at;
      }
    }
    // Finite, and infinite as bf16: scaled, and finite in the end.
    Numbers a(32 * 32, 0.0F), b(32 * 32, 0.0F), c;
    for (int64_t i = 0; i < 32; ++i) {
      a[static_cast<size_t>(i * 33)] = std::numeric_limits<float>::max();
      b[static_cast<size_t>(i * 33)] = 1;
    }
    const Gemm<float> g = plain_gemm(32, 32, 32, a, b, c);
    EXPECT_TRUE(probe.probe->splits(kSerial, g));
    probe.probe->high(kSerial, g);
    EXPECT_TRUE(same_bits(c, a)) << probe.name;
    // Beside nothing but zeros, on either side, there is nothing to scale: f32 gives zeros.
    const Numbers zeros(32 * 32, 0.0F);
    Numbers left, right;
    probe.probe->f32_high(kSerial, plain_gemm(32, 32, 32, a, zeros, left));
    probe.probe->f32_high(kSerial, plain_gemm(32, 32, 32, zeros, a, right));
    EXPECT_TRUE(same_bits(left, zeros) && same_bits(right, zeros)) << probe.name;
  }
}

TEST(Amx, NanAndInfinityArriveInBf16) {
  const float inf = std::numeric_limits<float>::infinity();
  for (const Probe& probe : probes()) {
    Numbers a(40 * 40, 0.0F), b(40 * 40, 1.0F), c;
    a[0] = std::numeric_limits<float>::quiet_NaN();
    a[41] = inf;
    a[82] = -inf;
    a[123] = from_bits(0x7f800001U);  // NaN whose upper half alone would be infinite
    a[164] = std::numeric_limits<float>::max();
    probe.probe->f32_medium(kSerial, plain_gemm(40, 40, 40, a, b, c));
    for (size_t j = 0; j < 40; ++j) {
      EXPECT_TRUE(std::isnan(c[j])) << probe.name;
      EXPECT_EQ(c[40 + j], inf);
      EXPECT_EQ(c[80 + j], -inf);
      EXPECT_TRUE(std::isnan(c[120 + j]));
      EXPECT_EQ(c[160 + j], inf);  // rounded to bf16
      EXPECT_EQ(c[200 + j], 0);
    }
  }
}

// What is too small for tiles is f32's own product, to the bit.
TEST(Amx, SmallProductsStayOffTiles) {
  const int64_t sizes[][3] = {{15, 500, 64}, {500, 15, 64}, {300, 300, 31}, {20, 20, 200}};
  for (const Probe& probe : probes()) {
    for (const auto& s : sizes) {
      const Numbers a = uniform(s[0] * s[2], 1), b = uniform(s[2] * s[1], 2);
      Numbers want, high, medium;
      kernels_for(probe.name.c_str()).gemm.f32(kSerial, plain_gemm(s[0], s[1], s[2], a, b, want));
      probe.probe->f32_high(kThreaded, plain_gemm(s[0], s[1], s[2], a, b, high));
      probe.probe->f32_medium(kThreaded, plain_gemm(s[0], s[1], s[2], a, b, medium));
      EXPECT_TRUE(same_bits(high, want)) << probe.name;
      EXPECT_TRUE(same_bits(medium, want)) << probe.name;
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::tiles
