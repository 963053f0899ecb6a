// Linear under InferenceWeights: what it computes, and the life of the copies.
#include <adjoint/core/activations.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/inference_weights.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/parallel.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

constexpr WeightFormat kFormats[] = {WeightFormat::bf16, WeightFormat::int8};

// The values that stand for w: the product with the identity.
Tensor rounded(const Tensor& w, WeightFormat format) {
  const NoGrad no_grad;
  const InferenceWeights weights(format);
  std::vector<float> identity(static_cast<size_t>(w.size(1) * w.size(1)));
  for (int64_t i = 0; i < w.size(1); ++i) identity[static_cast<size_t>(i * (w.size(1) + 1))] = 1;
  return transpose(linear(from_vector(identity, {w.size(1), w.size(1)}), w), 0, 1);
}

TEST(InferenceWeights, AreTheThreadsAndNest) {
  EXPECT_EQ(inference_weights(), WeightFormat::f32);
  {
    const InferenceWeights outer(WeightFormat::int8);
    EXPECT_EQ(inference_weights(), WeightFormat::int8);
    {
      const InferenceWeights inner(WeightFormat::bf16);
      EXPECT_EQ(inference_weights(), WeightFormat::bf16);
    }
    EXPECT_EQ(inference_weights(), WeightFormat::int8);
    std::thread([] { EXPECT_EQ(inference_weights(), WeightFormat::f32); }).join();
    std::vector<WeightFormat> seen(16);
    parallel_for(16, [&](int64_t i) { seen[static_cast<size_t>(i)] = inference_weights(); });
    EXPECT_EQ(seen, std::vector<WeightFormat>(16, WeightFormat::int8));
  }
  EXPECT_EQ(inference_weights(), WeightFormat::f32);
  EXPECT_STREQ(name(WeightFormat::f32), "f32");
  EXPECT_STREQ(name(WeightFormat::bf16), "bf16");
  EXPECT_STREQ(name(WeightFormat::int8), "int8");
}

// However many rows there are, a row's result is the same; and it is that of the rounded weight.
TEST(InferenceWeights, ResultsDoNotDependOnTheRowsNorOnThreads) {
  const NoGrad no_grad;
  manual_seed(1);
  const int before = num_threads();
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{2100, 130}, {65, 900}, {3, 5}}) {
    const Tensor w = randn({n, k}), bias = randn({n}), x = randn({150, k});
    for (const WeightFormat format : kFormats) {
      const Tensor exact =
          linear(x.to(DType::f64), rounded(w, format).to(DType::f64), bias.to(DType::f64));
      const std::vector<double> plain = values(linear(x, w, bias));
      const InferenceWeights weights(format);
      const std::vector<double> all = values(linear(x, w, bias));
      EXPECT_NE(all, plain);
      const Tensor wide = from_vector(all, {150, n});
      const Tensor magnitude = linear(abs(x.to(DType::f64)), abs(rounded(w, format)).to(DType::f64),
                                      abs(bias.to(DType::f64)));
      EXPECT_LT(max(abs(wide - exact) / magnitude).item(), static_cast<double>(k + 8) * 0x1p-24);
      for (const int threads : {1, 2, 3, 4}) {
        set_num_threads(threads);
        for (const int64_t rows : {1, 2, 3, 7, 8, 9, 24, 64, 65, 150}) {
          const std::vector<double> some = values(linear(slice(x, 0, 0, rows), w, bias));
          ASSERT_EQ(some, std::vector<double>(all.begin(), all.begin() + rows * n))
              << rows << " rows, " << threads << " threads, " << name(format);
        }
      }
      set_num_threads(before);
    }
  }
}

TEST(InferenceWeights, LeaveOtherDTypesAndRecordedProductsAlone) {
  manual_seed(2);
  const Tensor w = randn({9, 20}).requires_grad_(), x = randn({3, 20});
  const std::vector<double> expected = values(linear(x, w));
  const std::vector<double> expected64 = values(linear(x.to(DType::f64), w.to(DType::f64)));
  const InferenceWeights weights(WeightFormat::int8);
  EXPECT_EQ(values(linear(x, w)), expected);
  EXPECT_EQ(values(linear(x, w.detach())), expected);  // gradients are enabled
  const NoGrad no_grad;
  EXPECT_NE(values(linear(x, w)), expected);
  EXPECT_EQ(values(linear(x.to(DType::f64), w.to(DType::f64))), expected64);
}

// Views are copied as they are seen: transposed, strided, broadcast, and parts of one storage.
TEST(InferenceWeights, AnActivationFollows) {
  const NoGrad no_grad;
  manual_seed(4);
  const Tensor w = randn({40, 30}), bias = randn({40}), x = randn({5, 30});
  for (const WeightFormat format : kFormats) {
    const InferenceWeights weights(format);
    EXPECT_EQ(values(linear_activation(x, w, bias, Activation::gelu_tanh)),
              values(gelu(linear(x, w, bias), Gelu::tanh)));
    EXPECT_EQ(values(linear_activation(x, w, {}, Activation::relu)), values(relu(linear(x, w))));
  }
}

TEST(InferenceWeights, TakeViews) {
  const NoGrad no_grad;
  manual_seed(3);
  const Tensor base = randn({40, 60}), x = randn({2, 40}), y = randn({2, 60});
  for (const WeightFormat format : kFormats) {
    const InferenceWeights weights(format);
    const auto same = [](const Tensor& input, const Tensor& w) {
      EXPECT_EQ(values(linear(input, w)), values(linear(input, clone(w))));
      EXPECT_EQ(values(linear(input, w)), values(linear(input, clone(w))));  // now from the slot
    };
    same(x, transpose(base, 0, 1));
    same(y, slice(base, 0, 3, 20));
    same(y, slice(base, 0, 1, 40, 3));
    same(slice(y, 1, 0, 30), slice(base, 1, 0, 60, 2));
    same(y, expand(slice(base, 0, 5, 6), {7, 60}));
    same(slice(y, 1, 0, 0), slice(base, 1, 0, 0));
    EXPECT_EQ(linear(x, empty({0, 40})).shape(), (Shape{2, 0}));
    EXPECT_EQ(linear(empty({0, 40}), transpose(base, 0, 1)).shape(), (Shape{0, 60}));
  }
}

TEST(InferenceWeights, AWriteDropsTheCopy) {
  const NoGrad no_grad;
  manual_seed(4);
  const Tensor x = randn({2, 70});
  const std::vector<std::pair<const char*, std::function<void(const Tensor&)>>> writes = {
      {"copy_", [](const Tensor& w) { copy_(w, randn(w.shape())); }},
      {"mul_", [](const Tensor& w) { mul_(w, -2); }},
      {"a view", [](const Tensor& w) { fill_(slice(w, 0, 0, 33), 0.25); }},
      {"uniform_", [](const Tensor& w) { uniform_(w); }},
      {"raw", [](const Tensor& w) {
         w.mutable_data<float>()[3] = 100;
         w.mark_changed("test");
       }}};
  for (const WeightFormat format : kFormats) {
    const InferenceWeights weights(format);
    for (const auto& [what, write] : writes) {
      const Tensor w = randn({33, 70});
      const std::vector<double> before = values(linear(x, w));
      write(w);
      const std::vector<double> after = values(linear(x, w));
      EXPECT_NE(after, before) << what;
      EXPECT_EQ(after, values(linear(x, clone(w)))) << what;
    }
  }
}

TEST(InferenceWeights, CopiesAreCountedAndFreed) {
  const NoGrad no_grad;
  constexpr int64_t kN = 2048, kK = 2048, kMiB = int64_t{1} << 20;
  const Tensor x = ones({1, kK});
  const int64_t start = memory_stats().current;
  Tensor w = ones({kN, kK});
  const int64_t plain = memory_stats().current;
  const auto use = [&](WeightFormat format) {
    const InferenceWeights weights(format);
    return values(linear(x, w))[0];
  };
  EXPECT_EQ(use(WeightFormat::f32), kK);
  EXPECT_LT(memory_stats().current - plain, kMiB);
  EXPECT_EQ(use(WeightFormat::bf16), kK);
  const int64_t bf16 = memory_stats().current - plain;
  EXPECT_GE(bf16, kN * kK * 2);
  EXPECT_LE(bf16, kN * kK * 2 + 3 * kMiB);
  EXPECT_EQ(use(WeightFormat::bf16), kK);
  EXPECT_EQ(memory_stats().current - plain, bf16);
  EXPECT_NEAR(use(WeightFormat::int8), kK, 1e-3);
  const int64_t both = memory_stats().current - plain;
  EXPECT_GE(both - bf16, kN * kK);
  EXPECT_LE(both - bf16, kN * kK + 3 * kMiB);
  fill_(w, 2);
  EXPECT_LT(memory_stats().current - plain, kMiB);
  EXPECT_EQ(use(WeightFormat::bf16), 2 * kK);
  w = Tensor();
  EXPECT_LT(memory_stats().current - start, kMiB);
}

TEST(InferenceWeights, AnyThreadsMayBeFirst) {
  manual_seed(5);
  const Tensor x = randn({3, 100});
  for (int round = 0; round < 20; ++round) {
    const Tensor w = randn({150, 100});
    std::vector<std::vector<double>> results(6);
    std::vector<std::thread> threads;
    for (size_t t = 0; t < results.size(); ++t) {
      threads.emplace_back([&, t] {
        const NoGrad no_grad;
        const InferenceWeights weights(kFormats[t % 2]);
        results[t] = values(linear(x, w));
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (size_t t = 2; t < results.size(); ++t) EXPECT_EQ(results[t], results[t % 2]);
    EXPECT_NE(results[0], results[1]);
  }
}

}  // namespace
}  // namespace adjoint
