#include <adjoint/core/error.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/optim/lr_scheduler.h>
#include <adjoint/optim/schedule.h>
#include <adjoint/optim/sgd.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>

#include "tests/optim/slots.h"

namespace adjoint::optim {
namespace {

TEST(Schedule, CosineIsNanoGptsFormula) {
  const CosineSchedule s({.lr = 1e-3, .min_lr = 1e-4, .steps = 2000, .warmup = 100});
  EXPECT_DOUBLE_EQ(s.lr(0), 1e-3 * 1 / 101);
  EXPECT_DOUBLE_EQ(s.lr(99), 1e-3 * 100 / 101);
  EXPECT_DOUBLE_EQ(s.lr(100), 1e-3);
  EXPECT_DOUBLE_EQ(s.lr(1050), 5.5e-4);
  EXPECT_NEAR(s.lr(575), 1e-4 + 9e-4 * (1 + std::sqrt(0.5)) / 2, 1e-15);
  EXPECT_DOUBLE_EQ(s.lr(2000), 1e-4);
  EXPECT_DOUBLE_EQ(s.lr(5000), 1e-4);
}

TEST(Schedule, Linear) {
  const LinearSchedule s({.lr = 1, .min_lr = 0.2, .steps = 10, .warmup = 2});
  EXPECT_DOUBLE_EQ(s.lr(0), 1.0 / 3);
  EXPECT_DOUBLE_EQ(s.lr(2), 1);
  EXPECT_DOUBLE_EQ(s.lr(6), 0.6);
  EXPECT_DOUBLE_EQ(s.lr(10), 0.2);
}

TEST(Schedule, Exponential) {
  const ExponentialSchedule s(
      {.lr = 1, .decay_rate = 0.5, .decay_steps = 10, .min_lr = 0.1, .warmup = 5});
  EXPECT_DOUBLE_EQ(s.lr(5), 1);
  EXPECT_DOUBLE_EQ(s.lr(15), 0.5);
  EXPECT_DOUBLE_EQ(s.lr(20), std::pow(0.5, 1.5));
  EXPECT_DOUBLE_EQ(s.lr(500), 0.1);
}

TEST(Schedule, InverseSqrtIsThePapers) {
  const InverseSqrtSchedule s({.d_model = 512, .warmup = 4000});
  EXPECT_DOUBLE_EQ(s.lr(0), std::pow(512, -0.5) * std::pow(4000, -1.5));
  EXPECT_NEAR(s.lr(3999), std::pow(512, -0.5) * std::pow(4000, -0.5), 1e-18);
  EXPECT_NEAR(s.lr(15999), s.lr(3999) / 2, 1e-18);
}

TEST(Schedule, Constant) {
  const ConstantSchedule s({.lr = 0.3, .warmup = 2});
  EXPECT_DOUBLE_EQ(s.lr(0), 0.1);
  EXPECT_DOUBLE_EQ(s.lr(2), 0.3);
}

TEST(Schedule, WarmupStableDecay) {
  const auto with = [](DecayShape shape) {
    return WarmupStableDecaySchedule(
        {.lr = 1, .min_lr = 0.2, .steps = 100, .warmup = 9, .decay_steps = 40, .shape = shape});
  };
  const WarmupStableDecaySchedule linear = with(DecayShape::linear);
  EXPECT_DOUBLE_EQ(linear.lr(0), 0.1);
  EXPECT_DOUBLE_EQ(linear.lr(9), 1);
  EXPECT_DOUBLE_EQ(linear.lr(60), 1);
  EXPECT_DOUBLE_EQ(linear.lr(80), 0.6);
  EXPECT_DOUBLE_EQ(linear.lr(100), 0.2);
  EXPECT_DOUBLE_EQ(linear.lr(300), 0.2);
  EXPECT_DOUBLE_EQ(with(DecayShape::cosine).lr(80), 0.6);
  EXPECT_DOUBLE_EQ(with(DecayShape::one_minus_sqrt).lr(70), 0.6);
}

TEST(Schedule, Plots) {
  const CosineSchedule s({.lr = 1, .steps = 40});
  const std::vector<double> rates = s.plot(41);
  ASSERT_EQ(rates.size(), 41U);
  for (int64_t i = 0; i < 41; ++i) EXPECT_EQ(rates[static_cast<size_t>(i)], s.lr(i));
  EXPECT_EQ(LinearSchedule({.lr = 1, .steps = 4}).csv(3), "step,lr\n0,1\n1,0.75\n2,0.5\n");
  const std::string cycle = OneCycleLR({.total_steps = 10}).csv(1);
  EXPECT_EQ(cycle.find("step,lr,momentum\n0,"), 0U) << cycle;
  EXPECT_EQ(LinearSchedule({.lr = 2, .steps = 8}).ascii_plot(9, 9, 3),
            "         2 |***      \n"
            "         1 |   ****  \n"
            "         0 |       **\n"
            "           +---------\n"
            "            0       8\n");
  EXPECT_THROW(s.ascii_plot(0), ConfigError);
}

TEST(Schedule, AppliesRatesAndMomentum) {
  SGD optimizer({{.slots = {slot("a", ones({1}))}, .options = {.momentum = 0.5}},
                 {.slots = {slot("b", ones({1}))}, .options = {.momentum = 0.5}}});
  const OneCycleLR cycle({.max_lr = 1, .total_steps = 11, .pct_start = 1});
  cycle.apply(optimizer, 10);
  EXPECT_DOUBLE_EQ(optimizer.lr(1), 1);
  EXPECT_DOUBLE_EQ(optimizer.options(1).momentum, 0.85);
  const double factors[] = {1, 0.1};
  ConstantSchedule({.lr = 0.5}).apply(optimizer, 3, factors);
  EXPECT_DOUBLE_EQ(optimizer.lr(0), 0.5);
  EXPECT_DOUBLE_EQ(optimizer.lr(1), 0.05);
  EXPECT_DOUBLE_EQ(optimizer.options(1).momentum, 0.85);
  EXPECT_THROW(cycle.apply(optimizer, 0, std::span(factors, 1)), ConfigError);
}

// --- PyTorch's, by tests/golden/schedules.py ---

using Made = std::map<std::string, std::shared_ptr<const Schedule>>;

template <class S, class Options>
std::shared_ptr<const Schedule> made(const Options& options) {
  return std::make_shared<const S>(options);
}

Made configurations() {
  using Cyclic = CyclicLROptions;
  const auto one_over = [](int64_t step) { return 1.0 / static_cast<double>(1 + step); };
  const auto shrinking = [](int64_t step) { return 1 - 1.0 / static_cast<double>(step + 10); };
  return {
      {"step", made<StepLR>(StepLROptions{.lr = 0.1, .step_size = 30, .gamma = 0.5})},
      {"multi_step", made<MultiStepLR>(MultiStepLROptions{
                         .lr = 0.1, .milestones = {10, 40, 40, 70}, .gamma = 0.3})},
      {"constant", made<ConstantLR>(ConstantLROptions{.lr = 0.1})},
      {"constant_long",
       made<ConstantLR>(ConstantLROptions{.lr = 0.1, .factor = 0.5, .total_iters = 40})},
      {"linear", made<LinearLR>(LinearLROptions{.lr = 0.1})},
      {"linear_down", made<LinearLR>(LinearLROptions{
                          .lr = 0.1, .start_factor = 0.9, .end_factor = 0.2, .total_iters = 60})},
      {"exponential", made<ExponentialLR>(ExponentialLROptions{.lr = 0.1, .gamma = 0.95})},
      {"polynomial", made<PolynomialLR>(PolynomialLROptions{.lr = 0.1})},
      {"polynomial_square",
       made<PolynomialLR>(PolynomialLROptions{.lr = 0.1, .total_iters = 80, .power = 2})},
      {"cosine", made<CosineAnnealingLR>(CosineAnnealingLROptions{.lr = 0.1, .T_max = 40})},
      {"cosine_above",
       made<CosineAnnealingLR>(CosineAnnealingLROptions{.lr = 0.1, .T_max = 70, .eta_min = 0.02})},
      {"restarts",
       made<CosineAnnealingWarmRestarts>(CosineAnnealingWarmRestartsOptions{.lr = 0.1, .T_0 = 15})},
      {"restarts_longer", made<CosineAnnealingWarmRestarts>(CosineAnnealingWarmRestartsOptions{
                              .lr = 0.1, .T_0 = 10, .T_mult = 2, .eta_min = 0.01})},
      {"one_cycle", made<OneCycleLR>(OneCycleLROptions{.max_lr = 0.1, .total_steps = 100})},
      {"one_cycle_linear",
       made<OneCycleLR>(OneCycleLROptions{.max_lr = 0.1,
                                          .total_steps = 101,
                                          .pct_start = 0.4,
                                          .anneal_strategy = AnnealStrategy::linear,
                                          .base_momentum = 0.5,
                                          .max_momentum = 0.7,
                                          .div_factor = 10,
                                          .final_div_factor = 100,
                                          .three_phase = true})},
      {"cyclic", made<CyclicLR>(Cyclic{.base_lr = 0.01, .max_lr = 0.1, .step_size_up = 12})},
      {"cyclic_halves", made<CyclicLR>(Cyclic{.base_lr = 0.01,
                                              .max_lr = 0.1,
                                              .step_size_up = 7,
                                              .step_size_down = 13,
                                              .mode = CyclicMode::triangular2,
                                              .base_momentum = 0.5,
                                              .max_momentum = 0.7})},
      {"cyclic_range", made<CyclicLR>(Cyclic{.base_lr = 0.01,
                                             .max_lr = 0.1,
                                             .step_size_up = 9,
                                             .mode = CyclicMode::exp_range,
                                             .gamma = 0.98,
                                             .cycle_momentum = false})},
      {"cyclic_function", made<CyclicLR>(Cyclic{.base_lr = 0.01,
                                                .max_lr = 0.1,
                                                .step_size_up = 9,
                                                .scale_fn = [](double x) { return 1 / (1 + x); },
                                                .scale_mode = CyclicScale::iterations})},
      {"lambda", made<LambdaLR>(LambdaLROptions{.lr = 0.1, .lr_lambda = one_over})},
      {"multiplicative",
       made<MultiplicativeLR>(LambdaLROptions{.lr = 0.1, .lr_lambda = shrinking})},
      {"swa", made<SWALR>(SWALROptions{.lr = 0.1, .swa_lr = 0.02})},
      {"swa_linear", made<SWALR>(SWALROptions{.lr = 0.1,
                                              .swa_lr = 0.02,
                                              .anneal_epochs = 33,
                                              .anneal_strategy = AnnealStrategy::linear})},
      {"chained",
       std::make_shared<const ChainedScheduler>(schedules(
           ConstantLR({.lr = 0.1, .factor = 0.5, .total_iters = 20}),
           ExponentialLR({.lr = 0.1, .gamma = 0.97}), StepLR({.lr = 0.1, .step_size = 25})))},
      {"sequential",
       std::make_shared<const SequentialLR>(schedules(LinearLR({.lr = 0.1, .total_iters = 10}),
                                                      CosineAnnealingLR({.lr = 0.1, .T_max = 50}),
                                                      ExponentialLR({.lr = 0.1, .gamma = 0.9})),
                                            std::vector<int64_t>{10, 60})},
  };
}

std::map<std::string, Tensor> golden() {
  return load_safetensors(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/schedules.safetensors");
}

TEST(LrScheduler, RatesArePyTorchs) {
  const std::map<std::string, Tensor> expected = golden();
  const Made all = configurations();
  for (const auto& [name, tensor] : expected) {
    if (name == "metrics" || name.starts_with("plateau") || name.ends_with(".momentum")) continue;
    ASSERT_TRUE(all.contains(name)) << name;
    const Schedule& schedule = *all.at(name);
    const std::vector<double> rates = tensor.to_vector<double>();
    const auto moved = expected.find(name + ".momentum");
    EXPECT_EQ(moved != expected.end(), schedule.momentum(0).has_value()) << name;
    for (size_t i = 0; i < rates.size(); ++i) {
      const auto step = static_cast<int64_t>(i);
      ASSERT_NEAR(schedule.lr(step), rates[i], 1e-14) << name << ", step " << i;
      if (moved == expected.end()) continue;
      ASSERT_NEAR(*schedule.momentum(step), moved->second.to_vector<double>()[i], 1e-14)
          << name << ", step " << i;
    }
  }
  for (const auto& entry : all) EXPECT_TRUE(expected.contains(entry.first)) << entry.first;
}

TEST(LrScheduler, PlateausArePyTorchs) {
  const std::map<std::string, ReduceLROnPlateauOptions> all = {
      {"plateau", {.patience = 3}},
      {"plateau_max",
       {.mode = MetricMode::max,
        .factor = 0.5,
        .patience = 2,
        .threshold = 0.05,
        .threshold_mode = ThresholdMode::abs,
        .cooldown = 4,
        .min_lr = 0.01}},
      {"plateau_rel_max",
       {.mode = MetricMode::max, .factor = 0.7, .patience = 1, .threshold = 0.1}}};
  const std::map<std::string, Tensor> expected = golden();
  const std::vector<double> metrics = expected.at("metrics").to_vector<double>();
  for (const auto& [name, options] : all) {
    SGD optimizer({slot("a", ones({1}))}, {.lr = 0.1});
    auto plateau = std::make_unique<ReduceLROnPlateau>(optimizer, options);
    const std::vector<double> rates = expected.at(name).to_vector<double>();
    for (size_t i = 0; i < rates.size(); ++i) {
      ASSERT_NEAR(optimizer.lr(), rates[i], 1e-15) << name << ", step " << i;
      plateau->step(metrics[i]);
      if (i % 7 != 0) continue;
      const ReduceLROnPlateau::State state = plateau->state();
      optimizer.set_lr(9);
      plateau = std::make_unique<ReduceLROnPlateau>(optimizer, options);
      plateau->load_state(state);
    }
    EXPECT_LT(rates.back(), 0.1) << name;
  }
}

TEST(LrScheduler, Errors) {
  EXPECT_THROW(StepLR({.lr = 1}), ConfigError);  // no step_size
  EXPECT_THROW(LinearLR({.start_factor = 0}), ConfigError);
  EXPECT_THROW(ExponentialLR({.lr = 1}), ConfigError);
  EXPECT_THROW(CosineAnnealingLR({.lr = 1}), ConfigError);
  EXPECT_THROW(OneCycleLR({.total_steps = 10, .pct_start = 2}), ConfigError);
  EXPECT_THROW(LambdaLR({.lr = 1}), ConfigError);
  EXPECT_THROW(ChainedScheduler(Schedules{}), ConfigError);
  EXPECT_THROW(SequentialLR(schedules(ConstantLR({.lr = 1})), {3}), ConfigError);
  SGD optimizer({slot("a", ones({1}))});
  EXPECT_THROW(ReduceLROnPlateau(optimizer, {.factor = 1}), ConfigError);
  EXPECT_THROW(ReduceLROnPlateau(optimizer).load_state({}), ConfigError);
}

TEST(Schedule, Errors) {
  EXPECT_THROW(CosineSchedule({.lr = -1}), ConfigError);
  EXPECT_THROW(CosineSchedule({.lr = 1, .min_lr = 2}), ConfigError);
  EXPECT_THROW(CosineSchedule({.steps = 0}), ConfigError);
  EXPECT_THROW(LinearSchedule({.warmup = -1}), ConfigError);
  EXPECT_THROW(ExponentialSchedule({.decay_rate = 0}), ConfigError);
  EXPECT_THROW(InverseSqrtSchedule({.warmup = 0}), ConfigError);
  EXPECT_THROW(ConstantSchedule({.lr = NAN}), ConfigError);
}

}  // namespace
}  // namespace adjoint::optim
