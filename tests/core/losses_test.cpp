// What the rows of losses in the catalogue do not say: special values, kinks, what is not finite.
#include <adjoint/core/activations.h>
#include <adjoint/core/autocast.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/reductions.h>

#include <cmath>
#include <limits>

#include "core/kernels/kernels.h"
#include "core/ops/composed.h"
#include "core/tensor/thread_pool.h"
#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<double> slope(const Function& f, const Tensor& x) {
  const Tensor leaf = x.detach().clone().requires_grad_();
  f({leaf}).backward();
  return values(leaf.grad());
}

TEST(Losses, KinksArePyTorchs) {
  const Tensor zero = zeros({1}, DType::f64);
  EXPECT_EQ(slope([&](const auto& x) { return l1_loss(x[0], zero); }, zero)[0], 0);
  // Of PyTorch 2.15; older ones pass the gradient at the bound of clamp_min.
  const Tensor one = ones({1}, DType::f64);
  EXPECT_EQ(slope([&](const auto& x) { return margin_ranking_loss(x[0], zero, one); }, zero)[0], 0);
  EXPECT_EQ(slope([&](const auto& x) { return hinge_embedding_loss(x[0], -one); }, one)[0], 0);
  const Tensor two = tensor<double>({1, 0}), target = tensor<int64_t>({0});
  EXPECT_EQ(slope(
                [&](const auto& x) {
                  return multi_margin_loss(reshape(x[0], {1, 2}), target);
                },
                two),
            (std::vector<double>{0, 0}));
}

TEST(Losses, NothingIsNaNAndSumsToZero) {
  const Tensor none = zeros({0, 3});
  for (const auto& loss : {mse_loss(none, none), l1_loss(none, none), kl_div(none, none),
                           binary_cross_entropy_with_logits(none, none)}) {
    EXPECT_TRUE(std::isnan(loss.item()));
  }
  EXPECT_EQ(huber_loss(none, none, Reduction::sum).item(), 0);
}

TEST(Losses, BinaryCrossEntropyIsBounded) {
  const Tensor x = tensor<double>({0, 1, 0, 1, 0.5}), t = tensor<double>({1, 0, 0, 1, 1});
  const auto y = values(binary_cross_entropy(x, t, {}, Reduction::none));
  EXPECT_EQ(y, (std::vector<double>{100, 100, 0, 0, -std::log(0.5)}));
  const auto d =
      slope([&](const auto& in) { return binary_cross_entropy(in[0], t, {}, Reduction::sum); }, x);
  EXPECT_NEAR(d[0], -1e12, 1);
  EXPECT_EQ(d[2], 0);
  EXPECT_NE(message_of<Error>([&] { binary_cross_entropy(x, t * 2.0); }).find("target"),
            std::string::npos);
  EXPECT_THROW(binary_cross_entropy(full({2}, NAN), zeros({2})), Error);
}

TEST(Losses, LogitsDoNotOverflow) {
  const Tensor x = tensor<float>({1000, -1000, 1000, -1000, 300}),
               t = tensor<float>({1, 0, 0, 1, 1});
  const auto y = values(binary_cross_entropy_with_logits(x, t, {}, Reduction::none));
  EXPECT_EQ(y, (std::vector<double>{0, 0, 1000, 1000, 0}));
  const auto soft = values(soft_margin_loss(x, t * 2.0f - 1.0f, Reduction::none));
  EXPECT_EQ(soft[2], 1000);
  EXPECT_EQ(values(log_cosh_loss(x, zeros({5}), Reduction::none))[0],
            static_cast<double>(1000.0f - std::log(2.0f)));
  for (const double gamma : {0.5, 2.0}) {  // where sigmoid is 1 nothing is lost and nothing learnt
    const auto d = slope(
        [&](const auto& in) { return sigmoid_focal_loss(in[0], t, 0.25, gamma, Reduction::sum); },
        x);
    EXPECT_EQ(d[0], 0);
    EXPECT_TRUE(std::isfinite(d[2]) && d[2] > 0);
  }
}

TEST(Losses, DivergenceOfImpossibleTargets) {
  const Tensor x = tensor<double>({-1, -2, -kInf}), t = tensor<double>({0, 0.5, 0.25});
  const auto y = values(kl_div(x, t, Reduction::none));
  EXPECT_EQ(y[0], 0);
  EXPECT_NEAR(y[1], 0.5 * (std::log(0.5) + 2), 1e-15);
  EXPECT_EQ(y[2], kInf);
}

TEST(Losses, OneMayBroadcastToTheOther) {
  const Tensor x = random({3, 4}, 1), t = random({4}, 2);
  expect_close(mse_loss(x, t), mse_loss(x, expand(t, {3, 4})), 0);
  expect_close(l1_loss(t, x, Reduction::none), l1_loss(expand(t, {3, 4}), x, Reduction::none), 0);
  EXPECT_NE(message_of<ShapeError>([&] {
              l1_loss(random({3}, 1), random({3, 1}, 2));
            }).find("(3, 3)"),
            std::string::npos);
}

// Whole numbers as targets, and sums of many small numbers.
TEST(Losses, DtypesAndLargeSums) {
  EXPECT_EQ(mse_loss(ones({3}), tensor<int64_t>({1, 2, 3})).dtype(), DType::f32);
  EXPECT_EQ(mse_loss(ones({3}), tensor<int64_t>({1, 2, 3}), Reduction::sum).item(), 5);
  const Tensor x = full({1 << 22}, 0.1), zero = zeros({1 << 22});
  // Chains of 64 additions in f32 where a vector has one lane, their sums in f64.
  const double sum = (1 << 22) * 0.1;
  EXPECT_NEAR(l1_loss(x, zero, Reduction::sum).item(), sum, sum * 66 * 0x1p-24);
  const Tensor b = x.to(DType::bf16);
  const double each = static_cast<double>(bfloat16(0.1f));
  EXPECT_NEAR(l1_loss(b, b * 0.0).item(), each, each * 0x1p-8);
}

TEST(Losses, AutocastGivesF32) {
  const Autocast guard(DType::bf16);
  const Tensor x = random({4, 3}, 1).to(DType::bf16), t = random({4, 3}, 2).to(DType::bf16);
  const Tensor labels = tensor<int64_t>({0, 1, 2, 0});
  for (const Tensor& loss :
       {smooth_l1_loss(x, t), binary_cross_entropy_with_logits(x, sigmoid(t), ones({3})),
        nll_loss(x, labels), multi_margin_loss(x, labels), triplet_margin_loss(x, t, x * t),
        kl_div(x, sigmoid(t), Reduction::batchmean)}) {
    EXPECT_EQ(loss.dtype(), DType::f32);
  }
}

TEST(Losses, EachInstructionSet) {
  int count = 0;
  const char* const* isas = kernels::runnable_isas(&count);
  const Tensor x = random({300}, 1), t = random({300}, 2);
  const auto number = [&](size_t i) { return std::abs(values(x)[i] - values(t)[i]); };
  double expected = 0;
  for (size_t i = 0; i < 300; ++i) expected += number(i);
  for (int i = 0; i < count; ++i) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const Tensor x0 = x.to(dtype), t0 = t.to(dtype);
      const double parameters[3] = {};
      double sum = 0;
      kernels::kernels_for(isas[i]).pair_loss.sum[static_cast<int>(dtype)](
          KernelScope(), 300, x0.raw_data(), t0.raw_data(), parameters,
          kernels::PairLoss::absolute_error, &sum);
      EXPECT_NEAR(sum, expected, dtype == DType::f32 ? 1e-4 : 1e-11) << isas[i];
    }
  }
}

// One sweep: nothing is allocated but the result, and in backward the gradient.
TEST(Losses, NoTemporaries) {
  const int64_t n = 1 << 20;
  const Tensor x = random({n}, 1, DType::f32).requires_grad_(),
               t = sigmoid(random({n}, 2, DType::f32));
  for (const auto& f : std::vector<Function>{
           [&](const auto& in) { return binary_cross_entropy_with_logits(in[0], t); },
           [&](const auto& in) { return smooth_l1_loss(in[0], t); },
           [&](const auto& in) { return huber_loss(in[0], t); },
           [&](const auto& in) { return kl_div(in[0], t); }}) {
    x.zero_grad();
    reset_peak_memory();
    const int64_t before = memory_stats().current;
    const Tensor loss = f({x});
    EXPECT_LT(memory_stats().peak - before, n);
    loss.backward();
    EXPECT_LT(memory_stats().peak - before, 7 * n);
  }
}

TEST(Distances, GradientsAtZeroAreZero) {
  const Tensor x = tensor<double>({1, 2, 1, 2, 3, 4}, {3, 2});
  for (const double p : {0.5, 1.0, 1.5, 2.0, 3.0, kInf}) {
    const auto d = slope([&](const auto& in) { return sum(cdist(in[0], x, p)); }, x);
    for (const double v : d) EXPECT_TRUE(std::isfinite(v)) << p;
    const auto own =
        slope([&](const auto& in) { return sum(pairwise_distance(in[0], x, p, 0.0)); }, x);
    for (const double v : own) EXPECT_EQ(v, 0) << p;
  }
}

TEST(Distances, ProductsAgreeWithDifferences) {
  const Tensor a = random({40, 7}, 1), b = random({30, 7}, 2);
  const Tensor apart = pairwise_distance(reshape(a, {40, 1, 7}), b, 2.0, 0.0);
  expect_close(cdist(a, b), apart, 1e-7);
  const Tensor same = cdist(a, a);
  for (int64_t i = 0; i < 40; ++i) EXPECT_LT(select(select(same, 0, i), 0, i).item(), 1e-6);
  EXPECT_EQ(cdist(zeros({3, 0}), zeros({2, 0})).shape(), (Shape{3, 2}));
}

TEST(Distances, CosineOfNothing) {
  const Tensor x = zeros({1, 3}, DType::f64), y = tensor<double>({3, 4, 0}, {1, 3});
  EXPECT_EQ(cosine_similarity(x, y).item(), 0);
  const auto d = slope([&](const auto& in) { return sum(cosine_similarity(in[0], y)); }, x);
  EXPECT_NEAR(d[0], 0.6 / 1e-8, 1);
}

TEST(NllLoss, IgnoredTargetsAreNotRead) {
  const Tensor x = tensor<double>({NAN, -1, -2, kInf, -3, -4}, {2, 3});
  const Tensor loss = nll_loss(x, tensor<int64_t>({0, 1}), {}, 0);
  EXPECT_EQ(loss.item(), 3);
  EXPECT_TRUE(std::isnan(nll_loss(x, tensor<int64_t>({-100, -100})).item()));
  // It is what cross_entropy makes of logits.
  const Tensor logits = random({5, 4, 3}, 1), w = sigmoid(random({4}, 2));
  const Tensor target = catalog::indices({5, 3}, 4, 3);
  expect_close(nll_loss(log_softmax(logits, 1), target, w, 2),
               cross_entropy(logits, target, {.ignore_index = 2, .weight = w}), 1e-14);
}

TEST(CrossEntropy, WeightsMatchTheirDefinition) {
  const Tensor x = random({33, 70}, 1) * 3.0, w = sigmoid(random({70}, 2));
  const Tensor target = catalog::indices({33}, 70, 3);
  for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
    for (const double smoothing : {0.0, 0.3, 1.0}) {
      const CrossEntropyOptions options{reduction, 5, smoothing, w};
      const Tensor expected = composed::cross_entropy(x, target, options);
      expect_close(cross_entropy(x, target, options), expected, 1e-13);
      expect_close(cross_entropy(x.to(DType::f32), target, options), expected, 5e-6);
      const Tensor dy = random(expected.shape(), 4);
      const auto with = [&](bool fused) -> Function {
        return [&, fused](const std::vector<Tensor>& in) {
          return fused ? cross_entropy(in[0], target, options)
                       : composed::cross_entropy(in[0], target, options);
        };
      };
      expect_close(gradients(with(true), {x}, dy)[0], gradients(with(false), {x}, dy)[0], 1e-13);
    }
  }
  // A weight that is trained has its gradient.
  expect_gradients(
      [&](const std::vector<Tensor>& in) {
        return cross_entropy(x, target, {.label_smoothing = 0.1, .weight = in[0]});
      },
      {w});
}

TEST(CrossEntropy, OneHotTargetsAreClasses) {
  const Tensor x = random({3, 4}, 1), target = tensor<int64_t>({2, 0, 1});
  const Tensor hot = to(arange(4) == reshape(target, {3, 1}), DType::f64);
  for (const double smoothing : {0.0, 0.2}) {
    expect_close(cross_entropy(x, hot, {.label_smoothing = smoothing}),
                 cross_entropy(x, target, {.label_smoothing = smoothing}), 1e-15);
  }
}

// --- ctc_loss ---

struct Sequences {
  Tensor logits, targets, input_lengths, target_lengths;
};
Sequences sequences() {
  return {random({40, 5, 11}, 1) * 2.0, catalog::indices({5, 12}, 10, 2) + 1,
          tensor<int64_t>({40, 33, 30, 1, 40}), tensor<int64_t>({12, 9, 12, 1, 0})};
}

TEST(CtcLoss, MatchesItsDefinition) {
  const Sequences s = sequences();
  const auto with = [&](bool fused, Reduction r) -> Function {
    return [&, fused, r](const std::vector<Tensor>& in) {
      const Tensor p = log_softmax(in[0], -1);
      return fused ? ctc_loss(p, s.targets, s.input_lengths, s.target_lengths, 0, r)
                   : composed::ctc_loss(p, s.targets, s.input_lengths, s.target_lengths, 0, r);
    };
  };
  for (const Reduction r : {Reduction::none, Reduction::mean, Reduction::sum}) {
    const Tensor expected = with(false, r)({s.logits});
    expect_close(with(true, r)({s.logits}), expected, 1e-12);
    expect_close(with(true, r)({s.logits.to(DType::f32)}), expected, 1e-5);
    const Tensor dy = random(expected.shape(), 3);
    const Tensor d = gradients(with(false, r), {s.logits}, dy)[0];
    expect_close(gradients(with(true, r), {s.logits}, dy)[0], d, 1e-11);
    expect_close(gradients(with(true, r), {s.logits}, dy, true)[0], d, 1e-11);
    expect_close(gradients(with(true, r), {s.logits.to(DType::f32)}, dy.to(DType::f32))[0], d,
                 1e-4);
  }
}

TEST(CtcLoss, EachInstructionSetAndThreads) {
  const Sequences s = sequences();
  const Function f = [&](const std::vector<Tensor>& in) {
    return ctc_loss(in[0], s.targets, s.input_lengths, s.target_lengths);
  };
  expect_same_on_threads([&] {
    return std::vector<Tensor>{f({s.logits.to(DType::f32)}),
                               gradients(f, {s.logits.to(DType::f32)}, scalar(1.0))[0]};
  });
}

// Targets in a row, of lengths that differ, are the padded ones.
TEST(CtcLoss, JoinedTargets) {
  const Tensor p = log_softmax(random({6, 2, 4}, 1), -1), times = tensor<int64_t>({6, 6});
  const Tensor lengths = tensor<int64_t>({2, 3});
  expect_close(ctc_loss(p, tensor<int64_t>({1, 2, 3, 3, 1}), times, lengths),
               ctc_loss(p, tensor<int64_t>({1, 2, 0, 3, 3, 1}, {2, 3}), times, lengths), 0);
}

TEST(CtcLoss, WhatCannotBeAligned) {
  const Tensor p = log_softmax(random({2, 2, 3}, 1), -1);
  const Tensor targets = tensor<int64_t>({1, 1, 1, 2}, {2, 2}), two = tensor<int64_t>({2, 2});
  const auto y = values(ctc_loss(p, targets, two, two, 0, Reduction::none));
  EXPECT_EQ(y[0], kInf);  // two of the same label need a blank between them
  EXPECT_TRUE(std::isfinite(y[1]));
  EXPECT_EQ(values(ctc_loss(p, targets, two, two, 0, Reduction::none, true))[0], 0);
  for (const bool zero : {false, true}) {
    const Tensor leaf = p.detach().requires_grad_();
    ctc_loss(leaf, targets, two, two, 0, Reduction::sum, zero).backward();
    const Tensor d = select(leaf.grad(), 1, 0);
    for (const double v : values(d)) EXPECT_TRUE(zero ? v == 0 : std::isnan(v));
    for (const double v : values(select(leaf.grad(), 1, 1))) EXPECT_TRUE(std::isfinite(v));
  }
  // No input: only the empty target fits.
  const Tensor none = tensor<int64_t>({0, 0});
  EXPECT_EQ(values(ctc_loss(p, targets, none, tensor<int64_t>({0, 1}), 0, Reduction::none)),
            (std::vector<double>{0, kInf}));
}

// Probabilities of 0 rule out paths without NaN.
TEST(CtcLoss, ImpossibleLabels) {
  const Tensor p = log(tensor<double>({0, 0.5, 0.5, 0, 0.5, 0.5}, {2, 1, 3}));
  const Tensor leaf = p.detach().requires_grad_();
  const Tensor loss = ctc_loss(leaf, tensor<int64_t>({1, 2}), tensor<int64_t>({2}),
                               tensor<int64_t>({2}), 0, Reduction::sum);
  EXPECT_NEAR(loss.item(), -std::log(0.25), 1e-15);
  loss.backward();
  EXPECT_EQ(values(leaf.grad()), (std::vector<double>{0, -1, 0, 0, 0, -1}));
}

}  // namespace
}  // namespace adjoint
