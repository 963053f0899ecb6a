// What stands around an optimizer's step: clipping, averages, early stopping, loss scaling, the
// learning-rate range test.
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/averaging.h>
#include <adjoint/optim/clip.h>
#include <adjoint/optim/grad_scaler.h>
#include <adjoint/optim/lr_range_test.h>
#include <adjoint/optim/sgd.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/optim/slots.h"

namespace adjoint::optim {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

TEST(Clip, Norm) {
  const NamedSlot a = slot("a", zeros({2})), b = slot("b", zeros({1}, DType::f64));
  a.slot->set_grad(tensor<float>({3, 0}));
  b.slot->set_grad(tensor<double>({4}));
  EXPECT_DOUBLE_EQ(clip_grad_norm_({a, b}, 10), 5);
  EXPECT_EQ(a.slot->grad().to_vector<float>(), (std::vector<float>{3, 0}));
  EXPECT_DOUBLE_EQ(clip_grad_norm_({a, b}, 1), 5);
  EXPECT_NEAR(grad_norm({a, b}), 1, 1e-6);
  EXPECT_NEAR(b.slot->grad().item(), 0.8, 1e-6);
  EXPECT_THROW(clip_grad_norm_({a}, 0), ConfigError);
}

// The factor goes into the next step, and into that only.
TEST(Clip, NormInTheNextStep) {
  const NamedSlot a = slot("a", zeros({2})), b = slot("b", zeros({2}));
  SGD folded({a}, {.lr = 1}), plain({b}, {.lr = 1});
  for (const NamedSlot& s : {a, b}) s.slot->set_grad(tensor<float>({3, 4}));
  EXPECT_DOUBLE_EQ(clip_grad_norm_(folded, 1), 5);
  EXPECT_EQ(a.slot->grad().to_vector<float>(), (std::vector<float>{3, 4}));
  folded.step();
  EXPECT_NEAR(a.slot->stored().to_vector<float>()[0], -0.6, 1e-6);
  folded.step();
  EXPECT_NEAR(a.slot->stored().to_vector<float>()[0], -3.6, 1e-6);
  EXPECT_DOUBLE_EQ(clip_grad_norm_(plain, 10), 5);
  plain.step();
  EXPECT_EQ(b.slot->stored().to_vector<float>(), (std::vector<float>{-3, -4}));
  EXPECT_THROW(clip_grad_norm_(plain, 0), ConfigError);
  a.slot->set_grad(tensor<float>({3, std::numeric_limits<float>::infinity()}));
  EXPECT_TRUE(std::isinf(clip_grad_norm_(folded, 1)));
  EXPECT_THROW(clip_grad_norm_(folded, 1, {.nonfinite = NonFinite::error}), Error);
}

TEST(Clip, NormOfManyIsThatOfEach) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const std::vector<NamedSlot> slots = many(dtype);
    double squares = 0;
    for (const NamedSlot& s : slots) squares += std::pow(grad_norm({s}), 2);
    EXPECT_NEAR(grad_norm(slots) / std::sqrt(squares), 1, 1e-14);
  }
  EXPECT_EQ(grad_norm({}), 0);
}

TEST(Clip, NonFiniteGradientsAreLeftAlone) {
  const NamedSlot a = slot("a", zeros({2}));
  a.slot->set_grad(tensor<float>({3, std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_TRUE(std::isnan(clip_grad_norm_({a}, 1)));
  EXPECT_EQ(a.slot->grad().to_vector<float>()[0], 3);
  EXPECT_THROW(clip_grad_norm_({a}, 1, {.nonfinite = NonFinite::error}), Error);
  EXPECT_EQ(a.slot->grad().to_vector<float>()[0], 3);
}

TEST(Clip, Value) {
  const NamedSlot a = slot("a", zeros({3}));
  a.slot->set_grad(tensor<float>({3, -4, 0.5F}));
  EXPECT_NEAR(clip_grad_value_({a}, 1), std::sqrt(25.25), 1e-12);
  EXPECT_EQ(a.slot->grad().to_vector<float>(), (std::vector<float>{1, -1, 0.5F}));
}

TEST(Clip, NormOfManyElementsIsExactEnough) {
  const int64_t n = 1'000'003;
  const Tensor g = full({n}, 0.1);
  const NamedSlot a = slot("a", zeros({n}));
  a.slot->set_grad(g);
  const double value = static_cast<double>(0.1F);
  EXPECT_NEAR(grad_norm({a}) / (value * std::sqrt(static_cast<double>(n))), 1, 1e-13);
}

TEST(Clip, AnyNorm) {
  const NamedSlot a = slot("a", zeros({3})), b = slot("b", zeros({1}, DType::bf16));
  const auto set = [&] {
    a.slot->set_grad(tensor<float>({3, -4, 1}));
    b.slot->set_grad(tensor<float>({-2}).to(DType::bf16));
  };
  set();
  EXPECT_DOUBLE_EQ(grad_norm({a, b}, 1), 10);
  EXPECT_NEAR(grad_norm({a, b}, 3), std::cbrt(27 + 64 + 1 + 8), 1e-6);
  EXPECT_DOUBLE_EQ(grad_norm({a, b}, INFINITY), 4);
  EXPECT_DOUBLE_EQ(clip_grad_norm_({a, b}, 1, {.norm_type = INFINITY}), 4);
  EXPECT_NEAR(a.slot->grad().to_vector<float>()[0], 0.75, 1e-6);
  set();
  SGD optimizer({a, b}, {.lr = 1});
  optimizer.scale_gradients_once(0.5);  // the norm is 5 then
  EXPECT_DOUBLE_EQ(clip_grad_norm_(optimizer, 1, {.norm_type = 1}), 5);
  optimizer.step();
  EXPECT_NEAR(a.slot->stored().to_vector<float>()[1], 0.4, 1e-6);
  EXPECT_THROW(clip_grad_norm_({a}, 1, {.norm_type = 0}), ConfigError);
  a.slot->set_grad(tensor<float>({3, NAN, kInf}));
  EXPECT_TRUE(std::isnan(grad_norm({a, b}, INFINITY)));
}

TEST(Clip, NonFinitePolicies) {
  const NamedSlot a = slot("a", zeros({3})), b = slot("b", zeros({1}));
  const auto set = [&] {
    a.slot->set_grad(tensor<float>({3, NAN, kInf}));
    b.slot->set_grad(tensor<float>({4}));
  };
  set();
  EXPECT_TRUE(std::isnan(clip_grad_norm_({a, b}, 1, {.nonfinite = NonFinite::zero})));
  const std::vector<float> left = a.slot->grad().to_vector<float>();
  EXPECT_NEAR(left[0], 0.6, 1e-6);
  EXPECT_EQ(left[1], 0);
  EXPECT_EQ(left[2], 0);
  set();
  SGD optimizer({a, b}, {.lr = 1, .momentum = 0.9});
  clip_grad_norm_(optimizer, 1, {.nonfinite = NonFinite::skip});
  optimizer.step();
  EXPECT_FALSE(b.slot->grad().defined());
  EXPECT_EQ(b.slot->stored().item(), 0);
}

// --- averages ---

TEST(Averages, EmaIsItsFormula) {
  const NamedSlot w = slot("w", tensor<double>({1, 2})), n = slot("n", tensor<int64_t>({7}));
  Ema ema({w}, {.decay = 0.9, .warmup = true}, {n});
  EXPECT_THROW(ema.copy_to(), Error);
  double expected = 1;
  ema.update();
  for (int64_t i = 1; i < 30; ++i) {
    fill_(w.slot->stored().detach(), static_cast<double>(i));
    fill_(n.slot->stored(), i);
    ema.update();
    const double decay =
        std::min(0.9, (1.0 + static_cast<double>(i)) / (10.0 + static_cast<double>(i)));
    expected = decay * expected + (1 - decay) * static_cast<double>(i);
    ASSERT_NEAR(ema.averages()[0].to_vector<double>()[0], expected, 1e-12);
  }
  {
    const UseAverage scope(ema);
    EXPECT_NEAR(w.slot->stored().to_vector<double>()[0], expected, 1e-12);
    EXPECT_EQ(n.slot->stored().item<int64_t>(), 29);
  }
  EXPECT_EQ(w.slot->stored().to_vector<double>()[0], 29);
  EXPECT_THROW(ema.restore(), Error);
  {
    const UseAverage scope(ema);
    { const UseAverage inner(ema); }
    EXPECT_NEAR(w.slot->stored().to_vector<double>()[0], expected, 1e-12);
    EXPECT_THROW(ema.store(), Error);
  }
  EXPECT_EQ(w.slot->stored().to_vector<double>()[0], 29);
  {
    const UseAverage scope(ema);
    w.slot->replace(zeros({7}, DType::f64));
  }
  EXPECT_EQ(w.slot->stored().shape(), Shape{7});
  EXPECT_EQ(n.slot->stored().item<int64_t>(), 29);
  EXPECT_THROW(Ema({w}, {.decay = 1.5}), ConfigError);
}

TEST(Averages, SwaIsTheMean) {
  const NamedSlot w = slot("w", zeros({2}, DType::bf16)), s = slot("s", zeros({1}));
  Swa swa({w}, {s}, true);
  double sum = 0;
  for (int i = 1; i <= 5; ++i) {
    const double value = 1 + 0.0078125 * i;  // of bf16, whose mean is none
    fill_(w.slot->stored().detach(), value);
    fill_(s.slot->stored().detach(), value);
    swa.update();
    sum += value;
  }
  EXPECT_EQ(swa.averages()[0].dtype(), DType::f32);
  EXPECT_NEAR(swa.averages()[0].to_vector<float>()[1], sum / 5, 1e-6);
  EXPECT_NEAR(swa.averages()[1].item(), sum / 5, 1e-6);
  swa.store();
  swa.copy_to();
  EXPECT_NEAR(s.slot->stored().item(), sum / 5, 1e-6);
  swa.restore();
  EXPECT_NEAR(s.slot->stored().item(), 1 + 0.0078125 * 5, 1e-6);
  // A loaded one goes on with the same bits.
  Swa other({w}, {s}, true);
  other.load_state(swa.state());
  fill_(s.slot->stored().detach(), 9);
  swa.update();
  other.update();
  EXPECT_EQ(other.updates(), 6);
  EXPECT_EQ(swa.averages()[1].item(), other.averages()[1].item());
  OptimizerState wrong = swa.state();
  wrong.tensors.erase("average.s");
  EXPECT_THROW(other.load_state(wrong), ConfigError);
}

// --- early stopping ---

TEST(EarlyStopping, KeepsTheBest) {
  const NamedSlot w = slot("w", zeros({1}));
  EarlyStopping stopping({.patience = 2, .min_delta = 0.1}, {w});
  EXPECT_THROW(stopping.restore_best(), Error);
  const auto tell = [&](double metric, double weight) {
    fill_(w.slot->stored().detach(), weight);
    return stopping.step(metric);
  };
  EXPECT_FALSE(tell(3, 1));
  EXPECT_FALSE(tell(2, 2));
  EXPECT_FALSE(tell(1.95, 3));  // not better enough
  const OptimizerState state = stopping.state();
  EXPECT_TRUE(tell(NAN, 4));
  EXPECT_EQ(stopping.best(), 2);
  EXPECT_EQ(stopping.best_step(), 1);
  stopping.restore_best();
  EXPECT_EQ(w.slot->stored().item(), 2);
  EarlyStopping again({.patience = 2, .min_delta = 0.1}, {w});
  again.load_state(state);
  EXPECT_FALSE(again.stopped());
  fill_(w.slot->stored().detach(), 5);
  EXPECT_FALSE(again.step(1.8));
  again.restore_best();
  EXPECT_EQ(w.slot->stored().item(), 5);
  EarlyStopping highest({.mode = MetricMode::max, .patience = 0});
  EXPECT_FALSE(highest.stopped());
  EXPECT_FALSE(highest.step(1));
  EXPECT_TRUE(highest.step(1));
  EXPECT_THROW(EarlyStopping({.patience = -1}), ConfigError);
}

// --- loss scaling ---

TEST(GradScaler, GrowsAndBacksOff) {
  const NamedSlot w = slot("w", zeros({1}));
  SGD optimizer({w}, {.lr = 1});
  GradScaler scaler({.init_scale = 8, .growth_interval = 2});
  EXPECT_THROW(scaler.update(), Error);
  EXPECT_EQ(scaler.scale(ones({1})).item(), 8);
  const auto iterate = [&](float gradient) {
    w.slot->set_grad(tensor<float>({gradient}));
    const bool made = scaler.step(optimizer);
    scaler.update();
    return made;
  };
  EXPECT_TRUE(iterate(4));
  EXPECT_EQ(w.slot->stored().item(), -0.5);
  EXPECT_EQ(scaler.get_scale(), 8);
  EXPECT_TRUE(iterate(0));
  EXPECT_EQ(scaler.get_scale(), 16);
  EXPECT_FALSE(iterate(kInf));
  EXPECT_EQ(w.slot->stored().item(), -0.5);
  EXPECT_EQ(scaler.get_scale(), 8);
  EXPECT_TRUE(iterate(8));
  const GradScaler::State state = scaler.state();
  EXPECT_EQ(state.growth_tracker, 1);
  GradScaler other({.growth_interval = 2});
  other.load_state(state);
  EXPECT_EQ(other.get_scale(), 8);
  EXPECT_EQ(w.slot->stored().item(), -1.5);  // the skipped step's factor is forgotten
}

TEST(GradScaler, ClippingSeesTheUnscaled) {
  const NamedSlot w = slot("w", zeros({2}, DType::f16));
  SGD optimizer({w}, {.lr = 1});
  GradScaler scaler({.init_scale = 1024});
  w.slot->set_grad(tensor<float>({3072, 4096}).to(DType::f16));
  scaler.unscale_(optimizer);
  EXPECT_THROW(scaler.unscale_(optimizer), Error);
  EXPECT_NEAR(clip_grad_norm_(optimizer, 1), 5, 1e-6);
  EXPECT_TRUE(scaler.step(optimizer));
  EXPECT_NEAR(w.slot->stored().to(DType::f32).to_vector<float>()[1], -0.8, 1e-3);
  GradScaler off({.enabled = false});
  EXPECT_EQ(off.get_scale(), 1);
  w.slot->set_grad(tensor<float>({1, 1}).to(DType::f16));
  EXPECT_TRUE(off.step(optimizer));
  off.update();
  EXPECT_THROW(GradScaler({.growth_factor = 1}), ConfigError);
  EXPECT_THROW(GradScaler({.init_scale = 0}), ConfigError);
}

// Squares of finite f64 that overflow are no reason to skip.
TEST(GradScaler, LargeIsNotInfinite) {
  const NamedSlot w = slot("w", zeros({1}, DType::f64));
  SGD optimizer({w}, {.lr = 1});
  GradScaler scaler({.init_scale = 1});
  w.slot->set_grad(tensor<double>({1e200}));
  EXPECT_TRUE(scaler.step(optimizer));
}

// --- the learning-rate range test ---

// f(w) = 5 w^2 by gradient descent with momentum.
TEST(LrRangeTest, FindsWhatIsKnownAndRestores) {
  const NamedSlot w = slot("w", full({1}, 3, DType::f64)), count = slot("count", zeros({1}));
  SGD optimizer({w}, {.lr = 0.25, .momentum = 0.5});
  w.slot->set_grad(tensor<double>({1}));
  optimizer.step();
  const double before = w.slot->stored().item();
  double expected = before, momentum = 1;
  const LrRangeTest found =
      lr_range_test(optimizer,
                    [&](int64_t) {
                      add_(count.slot->stored().detach(), 1);
                      const Tensor loss = sum(square(w.slot->value())) * 5;
                      loss.backward();
                      EXPECT_NEAR(w.slot->stored().item(), expected, 1e-12 * before);
                      momentum = 0.5 * momentum + 10 * expected;
                      expected -= optimizer.lr() * momentum;
                      return loss.item();
                    },
                    {.start_lr = 1e-4, .end_lr = 10, .num_iter = 51, .smooth_f = 1}, {count});
  EXPECT_NEAR(found.lr[10], 1e-3, 1e-12);
  EXPECT_TRUE(found.diverged);  // heavy balls do from 2 (1 + 0.5) / 10 on
  EXPECT_GT(found.lr.back(), 0.3);
  EXPECT_LT(found.lr.back(), 10);
  EXPECT_EQ(found.lr.size(), found.loss.size());
  // Nothing falls far at the first rates.
  EXPECT_GT(found.steepest_lr, 1e-3);
  EXPECT_GT(found.least_lr, found.steepest_lr);
  EXPECT_EQ(w.slot->stored().item(), before);
  EXPECT_EQ(count.slot->stored().item(), 0);
  EXPECT_EQ(optimizer.lr(), 0.25);
  EXPECT_FALSE(w.slot->grad().defined());
  EXPECT_EQ(optimizer.state().tensors.at("momentum_buffer.w").item(), 1);
  EXPECT_THROW(lr_range_test(optimizer, [](int64_t) -> double { throw Error("no batch"); }), Error);
  EXPECT_EQ(optimizer.lr(), 0.25);
  EXPECT_THROW(lr_range_test(optimizer, {}, {.start_lr = 1, .end_lr = 0.5}), ConfigError);
}

}  // namespace
}  // namespace adjoint::optim
