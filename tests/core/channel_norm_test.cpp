#include <adjoint/core/checkpoint.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include "core/ops/channel_norm.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

// --- batch_norm ---

TEST(BatchNorm, UpdatesRunningStatistics) {
  const Tensor x = random({4, 3, 5}, 1);
  const Tensor mean0 = random({3}, 2), var0 = random({3}, 3) + 2.0;
  const Tensor mean = mean0.clone(), var = var0.clone();
  batch_norm(x, mean, var, {}, {}, true, 0.3);
  expect_close(mean, mean0 * 0.7 + adjoint::mean(x, {0, 2}) * 0.3, 1e-14);
  expect_close(var, var0 * 0.7 + adjoint::var(x, {0, 2}) * 0.3, 1e-14);
  const Tensor kept = mean.clone();
  batch_norm(x, mean, var, {}, {}, false, 0.3);
  expect_same_bits(mean, kept);
  batch_norm(x, mean, var, {}, {}, true, 0.3);
  EXPECT_NE(values(mean), values(kept));
}

// What checkpoint() computes a second time leaves running statistics as they are.
TEST(BatchNorm, CheckpointsUpdateRunningStatisticsOnce) {
  const Tensor x = random({4, 3, 5}, 1).requires_grad_();
  const Tensor mean = random({3}, 2), var = random({3}, 3) + 2.0;
  const Tensor once = mean.clone();
  const auto norm = [](const Tensor& v, const Tensor& running, const Tensor& spread) {
    return square(batch_norm(v, running, spread, {}, {}, true, 0.3));
  };
  norm(x.detach(), once, var.clone());
  const Tensor y = checkpoint([=](const Tensor& v) { return norm(v, mean, var); }, x);
  y.sum().backward();
  EXPECT_TRUE(x.grad().defined());
  expect_same_bits(mean, once);
}

TEST(BatchNorm, RunningStatisticsOfAnotherDtype) {
  const Tensor x = random({4, 3, 5}, 1).to(DType::bf16);
  const Tensor mean = zeros({3}), var = ones({3}), weight = random({3}, 2, DType::f32);
  const Tensor y = batch_norm(x, mean, var, weight, {}, true);
  EXPECT_EQ(y.dtype(), DType::bf16);
  EXPECT_EQ(mean.dtype(), DType::f32);
  expect_close(mean, adjoint::mean(x.to(DType::f64), {0, 2}) * 0.1, 1e-7);
  EXPECT_EQ(batch_norm(x.to(DType::f32), mean, var, weight.to(DType::f64)).dtype(), DType::f64);
}

// What evaluation used is not what a later step of training leaves.
TEST(BatchNorm, BackwardOfEvaluationKeepsItsStatistics) {
  const Tensor x = random({4, 3, 5}, 1), other = random({4, 3, 5}, 2) * 9.0;
  const auto gradient = [&](bool train_between) {
    const Tensor mean = random({3}, 3), var = random({3}, 4) + 2.0;
    const Tensor leaf = x.clone().requires_grad_();
    const Tensor y = batch_norm(leaf, mean, var);
    if (train_between) batch_norm(other, mean, var, {}, {}, true);
    y.backward({.gradient = random(x.shape(), 5)});
    return leaf.grad();
  };
  expect_same_bits(gradient(true), gradient(false));
}

// A large mean beside a small deviation: in f32 too the variance is no difference of squares.
TEST(BatchNorm, LargeMean) {
  const Tensor x = (random({8, 3, 400}, 1) + 1000.0).to(DType::f32), wide = x.to(DType::f64);
  const Tensor expected = composed::batch_norm(wide, {}, {}, {}, {}, true);
  expect_close(batch_norm(x, {}, {}, {}, {}, true), expected, 2e-4);
  const Tensor dy = random(x.shape(), 2);
  const Function f = [](const std::vector<Tensor>& in) {
    return batch_norm(in[0], {}, {}, in[1], {}, true);
  };
  const Tensor w = random({3}, 3);
  const auto got = gradients(f, {x, w.to(DType::f32)}, dy.to(DType::f32));
  const auto want = gradients(f, {wide, w}, dy);
  for (size_t i = 0; i < 2; ++i) expect_close(got[i], want[i], 2e-3);
}

// Runs of every length: of one element, short, those that blocks of 4096 do not divide.
TEST(BatchNorm, MatchesItsDefinition) {
  for (const Shape& shape : {Shape{300, 5},
                             {9, 3, 7},
                             {5, 2, 255},
                             {3, 2, 257},
                             {2, 1, 5000},
                             {700, 2, 1, 9},
                             {2, 3, 70, 71}}) {
    const int64_t c = shape[1];
    const Tensor x = random(shape, 1), w = random({c}, 2), b = random({c}, 3);
    const Function fused = [](const std::vector<Tensor>& in) {
      return batch_norm(in[0], {}, {}, in[1], in[2], true);
    };
    const Function plain = [](const std::vector<Tensor>& in) {
      return composed::batch_norm(in[0], {}, {}, in[1], in[2], true);
    };
    expect_close(fused({x, w, b}), plain({x, w, b}), 1e-11, to_string(shape));
    const Tensor dy = random(shape, 4);
    const auto got = gradients(fused, {x, w, b}, dy), want = gradients(plain, {x, w, b}, dy);
    for (size_t i = 0; i < 3; ++i) expect_close(got[i], want[i], 1e-11, to_string(shape));
  }
}

TEST(BatchNorm, EmptyBatch) {
  const Tensor x = random({0, 3, 4}, 1), mean = zeros({3}, DType::f64), var = ones({3}, DType::f64);
  const auto got = gradients(
      [&](const std::vector<Tensor>& in) {
        return batch_norm(in[0], mean, var, in[1], in[2], true);
      },
      {x, random({3}, 2), random({3}, 3)}, x);
  EXPECT_EQ(values(got[1]), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(values(mean), (std::vector<double>{0, 0, 0}));
}

// --- group_norm and instance_norm ---

TEST(GroupNorm, MatchesItsDefinition) {
  for (const Shape& shape : {Shape{3, 6}, {2, 6, 7}, {2, 6, 300}, {2, 6, 41, 40}}) {
    const Tensor x = random(shape, 1), w = random({6}, 2), b = random({6}, 3);
    for (const int64_t groups : {1, 2, 3, 6}) {
      if (shape.rank() == 2 && groups == 6) continue;  // one value each
      const Function fused = [=](const std::vector<Tensor>& in) {
        return group_norm(in[0], groups, in[1], in[2]);
      };
      const Function plain = [=](const std::vector<Tensor>& in) {
        return composed::group_norm(in[0], groups, in[1], in[2]);
      };
      expect_close(fused({x, w, b}), plain({x, w, b}), 1e-11, to_string(shape));
      const Tensor dy = random(shape, 4);
      const auto got = gradients(fused, {x, w, b}, dy), want = gradients(plain, {x, w, b}, dy);
      for (size_t i = 0; i < 3; ++i) expect_close(got[i], want[i], 1e-11, to_string(shape));
    }
  }
}

TEST(InstanceNorm, UpdatesRunningStatistics) {
  const Tensor x = random({4, 3, 5}, 1);
  const Tensor mean = zeros({3}, DType::f64), var = zeros({3}, DType::f64);
  instance_norm(x, mean, var, {}, {}, true, 1.0);
  expect_close(mean, adjoint::mean(x, {0, 2}), 1e-14);
  expect_close(var, adjoint::mean(adjoint::var(x, {2}), {0}), 1e-14);
}

// --- dropout ---

TEST(AlphaDropout, KeepsMeanAndVariance) {
  manual_seed(1);
  const Tensor x = catalog::spread({200000}, -1.7320508, 1.7320508);  // mean 0, variance 1
  for (const double p : {0.1, 0.5}) {
    const Tensor y = alpha_dropout(x, p);
    EXPECT_NEAR(y.mean().item(), 0, 0.01);
    EXPECT_NEAR(var(y).item(), 1, 0.02);
  }
  EXPECT_EQ(values(alpha_dropout(ones({3}), 1.0)), (std::vector<double>{0, 0, 0}));
}

TEST(Dropout, OfChannelsIsAllOrNothing) {
  const Tensor y = dropout2d(ones({8, 16, 3, 3}), 0.5);
  const Tensor sums = sum(y, {2, 3});
  for (const double s : values(sums)) EXPECT_TRUE(s == 0 || s == 18) << s;
  EXPECT_GT(sum(y).item(), 0);
}

// --- embedding_bag ---

TEST(EmbeddingBag, IndicesOfBothTypes) {
  const Tensor table = random({5, 3}, 1), ids = tensor<int64_t>({4, 1, 1, 0});
  const Tensor offsets = tensor<int64_t>({0, 3});
  expect_same_bits(embedding_bag(ids.to(DType::i32), table, {offsets.to(DType::i32)}),
                   embedding_bag(ids, table, {offsets}));
}

TEST(EmbeddingBag, SkippedRowsHaveNoGradient) {
  const Tensor ids = tensor<int64_t>({4, 1, 1, 0}, {2, 2});
  for (const EmbeddingBagMode mode :
       {EmbeddingBagMode::sum, EmbeddingBagMode::mean, EmbeddingBagMode::max}) {
    const Tensor table = random({5, 3}, 1).requires_grad_();
    embedding_bag(ids, table, {.mode = mode, .padding_idx = -4}).sum().backward();
    EXPECT_EQ(values(select(table.grad(), 0, 1)), (std::vector<double>{0, 0, 0}));
    EXPECT_EQ(values(select(table.grad(), 0, 4)), (std::vector<double>{1, 1, 1}));
  }
}

// Of equal maxima the first has the gradient.
TEST(EmbeddingBag, TiesOfMaxima) {
  const Tensor table = tensor<double>({1, 2, 1, 3}, {2, 2}).requires_grad_();
  const Tensor ids = tensor<int64_t>({1, 0}, {1, 2});
  embedding_bag(ids, table, {.mode = EmbeddingBagMode::max}).sum().backward();
  EXPECT_EQ(values(table.grad()), (std::vector<double>{0, 0, 1, 1}));
}

}  // namespace
}  // namespace adjoint
