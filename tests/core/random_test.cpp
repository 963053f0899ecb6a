#include <adjoint/core/autograd.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/autograd/op.h"
#include "core/kernels/kernels.h"
#include "core/tensor/thread_pool.h"

namespace adjoint {
namespace {

uint32_t word(uint64_t seed, uint64_t stream, uint64_t i) {
  return philox(seed, stream, i / 4).word[i % 4];
}

template <class F>
void for_each_isa(F f) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(isas[i]);
    f(kernels::kernels_for(isas[i]).random);
  }
}

TEST(Random, KnownAnswers) {
  // The vectors of Random123's kat_vectors file, philox4x32 with 10 rounds.
  const PhiloxBlock zero = philox(0, 0, 0);
  EXPECT_EQ(zero.word[0], 0x6627e8d5u);
  EXPECT_EQ(zero.word[1], 0xe169c58du);
  EXPECT_EQ(zero.word[2], 0xbc57ac4cu);
  EXPECT_EQ(zero.word[3], 0x9b00dbd8u);
  const PhiloxBlock pi = philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88);
  EXPECT_EQ(pi.word[0], 0xd16cfe09u);
  EXPECT_EQ(pi.word[3], 0x24126ea1u);
}

TEST(Random, WordsAreTheSameOnEveryInstructionSet) {
  for_each_isa([](const kernels::RandomTable& table) {
    const kernels::RandomKey key{0x123456789abcdef0, 77};
    for (int64_t first : {int64_t{0}, int64_t{1}, int64_t{7}, (int64_t{1} << 34) - 21}) {
      for (int64_t n : {1, 4, 63, 64, 65, 600, 1500}) {
        std::vector<uint32_t> out(static_cast<size_t>(n));
        table.words(key, first, n, out.data());
        for (int64_t i = 0; i < n; ++i) {
          ASSERT_EQ(out[static_cast<size_t>(i)],
                    word(key.seed, key.stream, static_cast<uint64_t>(first + i)))
              << first << " + " << i;
        }
      }
    }
  });
}

TEST(Random, UniformAndIntegersAreTheSameOnEveryInstructionSet) {
  for_each_isa([](const kernels::RandomTable& table) {
    const kernels::RandomKey key{5, 6};
    constexpr int64_t n = 20001;
    std::vector<float> f(n);
    std::vector<double> d(n);
    std::vector<int64_t> k(n);
    table.uniform[0](KernelScope(), key, n, 0, 1, f.data());
    table.uniform[1](KernelScope(), key, n, -1, 3, d.data());
    table.integers(KernelScope(), key, n, -3, 7, k.data());
    for (uint64_t i = 0; i < n; ++i) {
      ASSERT_EQ(f[i], static_cast<float>(word(5, 6, i) >> 8) * 0x1p-24f);
      const uint64_t bits = uint64_t{word(5, 6, 2 * i + 1)} << 32 | word(5, 6, 2 * i);
      ASSERT_EQ(d[i], static_cast<double>(bits >> 11) * 0x1p-53 * 4 - 1);
      // floor(bits 7 / 2^64) by halves.
      const uint64_t low = (bits & 0xffffffff) * 7, high = (bits >> 32) * 7 + (low >> 32);
      ASSERT_EQ(k[i], static_cast<int64_t>(high >> 32) - 3);
    }
  });
}

TEST(Random, NormalIsNormal) {
  for_each_isa([](const kernels::RandomTable& table) {
    constexpr int64_t n = 200001;
    for (int type : {0, 1}) {
      std::vector<float> f(n);
      std::vector<double> z(n);
      if (type == 0) {
        table.normal[0](KernelScope(), {1, 2}, n, 0, 1, f.data());
        std::copy(f.begin(), f.end(), z.begin());
      } else {
        table.normal[1](KernelScope(), {1, 2}, n, 0, 1, z.data());
      }
      for (uint64_t i = 0; i + 1 < 1000; i += 2) {
        if (type != 0) break;
        const double radius =
            std::sqrt(-2 * std::log((static_cast<double>(word(1, 2, i) >> 1) + 0.5) * 0x1p-31));
        const double angle = 2 * M_PI * static_cast<double>(word(1, 2, i + 1) >> 8) * 0x1p-24;
        ASSERT_NEAR(z[i], radius * std::cos(angle), 2e-6);
        ASSERT_NEAR(z[i + 1], radius * std::sin(angle), 2e-6);
      }
      // Moments 1, 2 and 4 within five standard errors, and Kolmogorov's distance.
      double m1 = 0, m2 = 0, m4 = 0;
      for (double v : z) {
        m1 += v / n;
        m2 += v * v / n;
        m4 += v * v * v * v / n;
      }
      EXPECT_NEAR(m1, 0, 5 / std::sqrt(n));
      EXPECT_NEAR(m2, 1, 5 * std::sqrt(2.0 / n));
      EXPECT_NEAR(m4, 3, 5 * std::sqrt(96.0 / n));
      std::sort(z.begin(), z.end());
      double distance = 0;
      for (size_t i = 0; i < z.size(); ++i) {
        const double cdf = 0.5 * std::erfc(-z[i] / std::sqrt(2.0));
        distance = std::max(distance, std::abs(cdf - static_cast<double>(i) / n));
      }
      EXPECT_LT(distance, 1.95 / std::sqrt(n));  // p = 0.001
    }
  });
}

TEST(Random, TensorsAdvanceTheGenerator) {
  Generator a(9), b(9);
  const Tensor x = rand({3, 5}, DType::f32, a);
  EXPECT_EQ(a.offset(), 1u);
  EXPECT_EQ(rand({3, 5}, DType::f32, b).to_vector<float>(), x.to_vector<float>());
  EXPECT_NE(rand({3, 5}, DType::f32, b).to_vector<float>(), x.to_vector<float>());
  manual_seed(9);
  EXPECT_EQ(rand({3, 5}).to_vector<float>(), x.to_vector<float>());
  EXPECT_EQ(randn({0, 4}, DType::f64).shape(), Shape({0, 4}));
  EXPECT_THROW(rand({2}, DType::i64), DTypeError);
  EXPECT_THROW(rand({-2}), ShapeError);
}

// The operators seen while f runs, with the outputs each ended with: "rand 1".
template <class F>
std::vector<std::string> operators_of(F&& f) {
  struct Observer : OpObserver {
    std::vector<std::string> seen;
    int outputs = 0;
    void on_begin(const Op& op) override {
      seen.emplace_back(op.name());
      outputs = 0;
    }
    void on_output(const Op& /*op*/, const Tensor& y) override { outputs += y.defined() ? 1 : 0; }
    void on_end(const Op& op) override {
      seen.push_back("end of " + std::string(op.name()) + ", outputs: " + std::to_string(outputs));
    }
  } observer;
  OpObserver* before = set_op_observer(&observer);
  f();
  set_op_observer(before);
  return observer.seen;
}

TEST(Observers, SeeOneOperatorACall) {
  const auto once = [](const std::string& name) {
    return std::vector<std::string>{name, "end of " + name + ", outputs: 1"};
  };
  Generator g(3);
  EXPECT_EQ(operators_of([&] { rand({2, 3}, DType::f32, g); }), once("rand"));
  EXPECT_EQ(operators_of([&] { randn({2, 3}, DType::f64, g); }), once("randn"));
  EXPECT_EQ(operators_of([&] { randint(0, 5, {4}, g); }), once("randint"));
  EXPECT_EQ(operators_of([&] { randperm(5, g); }), once("randperm"));
  for (const bool records : {false, true}) {
    const Tensor x = rand({3, 4}, DType::f64, g).requires_grad_(records);
    EXPECT_EQ(operators_of([&] { mean(x); }), once("mean"));
    EXPECT_EQ(operators_of([&] { mean(x, {1}); }), once("mean"));
    EXPECT_EQ(operators_of([&] { var(x); }), once("var"));
    EXPECT_EQ(operators_of([&] { var(x, {0}, 0, true); }), once("var"));
  }
}

TEST(Random, RandintStaysInside) {
  Generator g(3);
  std::vector<int> counts(6);
  for (int64_t v : randint(-2, 4, {60000}, g).to_vector<int64_t>()) {
    ASSERT_GE(v, -2);
    ASSERT_LT(v, 4);
    ++counts[static_cast<size_t>(v + 2)];
  }
  for (int c : counts) EXPECT_NEAR(c, 10000, 500);
  randint(INT64_MIN, INT64_MAX, {10}, g);
  EXPECT_THROW(randint(3, 3, {1}, g), ConfigError);
}

TEST(Random, RandpermIsAPermutation) {
  Generator g(4);
  for (int64_t n : {0, 1, 2, 255, 256, 257, 3000}) {
    std::vector<int64_t> p = randperm(n, g).to_vector<int64_t>();
    std::sort(p.begin(), p.end());
    EXPECT_EQ(p, arange(n).to_vector<int64_t>());
  }
  // All six orders of three, alike.
  std::vector<int> counts(27);
  for (int i = 0; i < 6000; ++i) {
    const auto p = randperm(3, g).to_vector<int64_t>();
    ++counts[static_cast<size_t>(p[0] * 9 + p[1] * 3 + p[2])];
  }
  int orders = 0;
  for (int c : counts) {
    if (c == 0) continue;
    ++orders;
    EXPECT_NEAR(c, 1000, 150);
  }
  EXPECT_EQ(orders, 6);
  EXPECT_THROW(randperm(-1, g), ConfigError);
}

TEST(Dropout, MaskIsTheStreams) {
  for (DType dtype : {DType::f32, DType::f64}) {
    Generator g(11, 40);
    const Tensor x = to(arange(2 * 301) + 1, dtype).reshape({2, 301});
    const Tensor y = dropout(x, 0.25, true, g);
    EXPECT_EQ(g.offset(), 41u);
    const auto in = to(x, DType::f64).to_vector<double>();
    const auto out = to(y, DType::f64).to_vector<double>();
    const double scale = dtype == DType::f32 ? double{float(1 / 0.75)} : 1 / 0.75;
    for (uint64_t i = 0; i < in.size(); ++i) {
      const bool kept = word(11, 40, i) >= 0x40000000u;
      ASSERT_NEAR(out[i], kept ? in[i] * scale : 0.0, 1e-4) << i;
    }
  }
}

TEST(Dropout, FactorsAreTheMaskInPieces) {
  for_each_isa([](const kernels::RandomTable& table) {
    const kernels::Dropout d{{8, 9}, 0x80000000u, 2.0};
    std::vector<float> ones(1000, 1.0f), whole(1000), pieces(1000);
    table.dropout[0](KernelScope(), d, 1000, ones.data(), whole.data());
    for (int64_t i = 0; i < 1000; i += 37) {
      table.dropout_factors[0](d, i, std::min<int64_t>(37, 1000 - i), pieces.data() + i);
    }
    EXPECT_EQ(whole, pieces);
    for (uint64_t i = 0; i < 1000; ++i) {
      ASSERT_EQ(whole[i], word(8, 9, i) >= 0x80000000u ? 2.0f : 0.0f);
    }
  });
}

TEST(Dropout, Edges) {
  const Tensor x = ones({4, 4});
  Generator g(1);
  EXPECT_EQ(dropout(x, 0.5, false, g).impl(), x.impl());
  EXPECT_EQ(dropout(x, 0.0, true, g).impl(), x.impl());
  EXPECT_EQ(g.offset(), 0u);
  EXPECT_EQ(sum(dropout(x, 1.0, true, g)).item(), 0.0);
  EXPECT_THROW(dropout(x, 1.5, true, g), ConfigError);
  EXPECT_THROW(dropout(x, -0.1, true, g), ConfigError);
  EXPECT_THROW(dropout(arange(3), 0.5, true, g), DTypeError);
  EXPECT_EQ(dropout(zeros({0}), 0.5, true, g).numel(), 0);
  // A strided input drops by logical position.
  const Tensor wide = rand({6, 8});
  Generator a(2), b(2);
  EXPECT_EQ(dropout(wide.transpose(0, 1), 0.5, true, a).to_vector<float>(),
            dropout(wide.transpose(0, 1).contiguous(), 0.5, true, b).to_vector<float>());
}

TEST(Dropout, GradientsUseTheSameMask) {
  Generator g(5);
  const Tensor x = rand({300}, DType::f64, g).requires_grad_();
  const Tensor y = dropout(x, 0.3, true, g);
  const Tensor dx = grad({sum(y * y)}, {x}, {.create_graph = true})[0];
  const auto yv = y.to_vector<double>(), xv = x.to_vector<double>(), gv = dx.to_vector<double>();
  for (size_t i = 0; i < yv.size(); ++i) EXPECT_NEAR(gv[i], 2 * yv[i] * yv[i] / xv[i], 1e-12);
  const auto hv = grad({sum(dx)}, {x})[0].to_vector<double>();
  for (size_t i = 0; i < yv.size(); ++i) {
    EXPECT_NEAR(hv[i], yv[i] == 0 ? 0 : 2 / (0.7 * 0.7), 1e-12);
  }
}

TEST(Random, BitsDoNotDependOnThreads) {
  const int before = num_threads();
  std::vector<std::vector<float>> results;
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    Generator g(21);
    std::vector<float> all;
    for (const Tensor& x : {rand({100003}, DType::f32, g), randn({100003}, DType::f32, g),
                            dropout(ones({100003}), 0.1, true, g)}) {
      const auto v = x.to_vector<float>();
      all.insert(all.end(), v.begin(), v.end());
    }
    results.push_back(all);
  }
  set_num_threads(before);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

}  // namespace
}  // namespace adjoint
