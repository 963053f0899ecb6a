// Random tensors: their distributions, and what they depend on.
#include <adjoint/core/layout.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>

#include <cmath>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

double mean_of(const Tensor& x) { return x.to(DType::f64).mean().item(); }
double deviation_of(const Tensor& x) { return std::sqrt(var(x.to(DType::f64)).item()); }

constexpr int64_t kMany = 200000;

// Means of n numbers are off by more than 5 deviations / sqrt(n) once in two million times.
TEST(RandomTensors, MeansAndDeviations) {
  Generator g(3);
  const double root = std::sqrt(static_cast<double>(kMany));
  for (const DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16}) {
    const double rounding = epsilon(dtype);
    const Tensor u = uniform(-1, 3, {kMany}, dtype, g);
    EXPECT_NEAR(mean_of(u), 1, 5 * 4 / std::sqrt(12) / root + rounding);
    EXPECT_GE(u.min().item(), -1);
    EXPECT_LE(u.max().item(), 3);
    const Tensor z = normal(2, 0.5, {kMany}, dtype, g);
    EXPECT_NEAR(mean_of(z), 2, 5 * 0.5 / root + rounding);
    EXPECT_NEAR(deviation_of(z), 0.5, 5 * 0.5 / root + rounding);
    // The deviation of normal numbers in [-1, 1].
    const Tensor t = trunc_normal(0, 1, -1, 1, {kMany}, dtype, g);
    EXPECT_NEAR(mean_of(t), 0, 5 * 0.54 / root + rounding);
    EXPECT_NEAR(deviation_of(t), 0.5395599, 5 * 0.54 / root + rounding);
    EXPECT_LE(t.max().item(), 1);
    EXPECT_GE(t.min().item(), -1);
    const Tensor b = bernoulli(full({kMany}, 0.25, dtype), g);
    EXPECT_EQ(b.dtype(), dtype);
    EXPECT_NEAR(mean_of(b), 0.25, 5 * 0.44 / root);
  }
  EXPECT_EQ(mean_of(bernoulli(zeros({1000}), g)), 0);
  EXPECT_EQ(mean_of(bernoulli(ones({1000}), g)), 1);
}

TEST(RandomTensors, FarTails) {
  Generator g(4);
  const Tensor x = trunc_normal(0, 1, 3, 4, {1000}, DType::f64, g);
  EXPECT_GE(x.min().item(), 3);
  EXPECT_LE(x.max().item(), 4);
  // The mean of normal numbers in [3, 4] is 3.2661.
  EXPECT_NEAR(x.mean().item(), 3.2661, 5 * 0.23 / std::sqrt(1000.0));
  const Tensor far = trunc_normal(0, 1, 30, 40, {10}, DType::f64, g);
  EXPECT_TRUE(far.min().item() >= 30 && far.max().item() <= 40);
}

TEST(RandomTensors, Multinomial) {
  Generator g(5);
  const Tensor weights = tensor<float>({1, 0, 3, 4});
  const std::vector<int64_t> drawn = multinomial(weights, kMany, true, g).to_vector<int64_t>();
  double counts[4] = {};
  for (const int64_t c : drawn) counts[c] += 1.0 / kMany;
  for (int c = 0; c < 4; ++c) {
    EXPECT_NEAR(counts[c], weights.span<float>()[static_cast<size_t>(c)] / 8, 5 * 0.5 / 447);
  }
  // Without replacement: each row has each column once, the first with the weights' chances.
  const Tensor rows = multinomial(expand(tensor({1.0, 2.0, 5.0}), {20000, 3}), 3, false, g);
  double first = 0;
  for (const Tensor row : rows) {
    EXPECT_EQ(row.sum().item(), 3);
    first += select(row, 0, 0).item() == 2 ? 1.0 / 20000 : 0;
  }
  EXPECT_NEAR(first, 5.0 / 8, 5 * 0.49 / std::sqrt(20000.0));
}

TEST(RandomTensors, AreFunctionsOfSeedAndStream) {
  const auto all = [] {
    Generator g(7, 3);
    const Tensor p = rand({300, 100}, DType::f32, g);
    return std::vector<Tensor>{p,
                               randn_like(p, DType::f64, g),
                               randint_like(p, 0, 9, DType::i32, g),
                               uniform(0, 2, {70000}, DType::f32, g),
                               normal(p, p, g),
                               trunc_normal(0, 1, -1, 2, {70000}, DType::f32, g),
                               bernoulli(p, g),
                               multinomial(p, 5, false, g),
                               multinomial(p, 5, true, g)};
  };
  numeric::expect_same_on_threads(all);
  Generator g(7, 3);
  rand({2}, DType::f32, g);
  normal(zeros({3}), 1.0, g);
  EXPECT_EQ(g.offset(), 5u);
}

}  // namespace
}  // namespace adjoint
