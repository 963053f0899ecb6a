#include <adjoint/core/error.h>
#include <adjoint/optim/schedule.h>
#include <gtest/gtest.h>

#include <cmath>

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
