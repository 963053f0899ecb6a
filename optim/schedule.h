// Learning-rate schedules: the rate as a function of the step alone, so that a resumed run needs no
// state to go on.
//
//   const optim::CosineSchedule schedule({.lr = 1e-3, .steps = 2000, .warmup = 100});
//   schedule.apply(optimizer, step);         // step counts from 0
//
// PyTorch's schedulers are in lr_scheduler.h. All of this header but the inverse square root, whose
// own formula does it, warm up linearly over the first `warmup` steps: lr (step + 1) / (warmup +
// 1), as nanoGPT does. Constructors throw ConfigError for values out of range. Immutable: safe from
// any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace adjoint::optim {

class Optimizer;

class Schedule {
 public:
  virtual ~Schedule() = default;
  // REQUIRES: step >= 0.
  virtual double lr(int64_t step) const = 0;
  // Of schedules that move it too.
  virtual std::optional<double> momentum(int64_t step) const;

  // The rate that its options name and others are fractions of.
  virtual double base_lr() const = 0;

  // Sets the optimizer's rate, and its momentum if that moves. `factors`: of each group, 1 where
  // there are none. ConfigError for another count than the optimizer's groups.
  void apply(Optimizer& optimizer, int64_t step, std::span<const double> factors = {}) const;

  // The rates of the first steps: for a plot.
  std::vector<double> plot(int64_t steps) const;
  // The same as text: lines of `step,lr`, or `step,lr,momentum`, below a line that says so.
  std::string csv(int64_t steps) const;
  // The same as a picture of width x height characters, beside a scale.
  std::string ascii_plot(int64_t steps, int width = 72, int height = 12) const;
};

struct ConstantOptions {
  double lr = 1e-3;
  int64_t warmup = 0;
};
class ConstantSchedule final : public Schedule {
 public:
  explicit ConstantSchedule(const ConstantOptions& options);
  double lr(int64_t step) const override;
  double base_lr() const override { return options_.lr; }

 private:
  ConstantOptions options_;
};

// From lr to min_lr along half a cosine, reached at `steps` and kept (Loshchilov and Hutter 2017,
// arXiv 1608.03983, equation 5, without restarts).
struct CosineOptions {
  double lr = 1e-3;
  double min_lr = 0;
  int64_t steps = 1000;  // warm-up included
  int64_t warmup = 0;
};
class CosineSchedule final : public Schedule {
 public:
  explicit CosineSchedule(const CosineOptions& options);
  double lr(int64_t step) const override;
  double base_lr() const override { return options_.lr; }

 private:
  CosineOptions options_;
};

// From lr to min_lr along a line, reached at `steps` and kept.
struct LinearOptions {
  double lr = 1e-3;
  double min_lr = 0;
  int64_t steps = 1000;  // warm-up included
  int64_t warmup = 0;
};
class LinearSchedule final : public Schedule {
 public:
  explicit LinearSchedule(const LinearOptions& options);
  double lr(int64_t step) const override;
  double base_lr() const override { return options_.lr; }

 private:
  LinearOptions options_;
};

// lr decay_rate^((step - warmup) / decay_steps), not below min_lr.
struct ExponentialOptions {
  double lr = 1e-3;
  double decay_rate = 0.95;
  int64_t decay_steps = 1000;
  double min_lr = 0;
  int64_t warmup = 0;
};
class ExponentialSchedule final : public Schedule {
 public:
  explicit ExponentialSchedule(const ExponentialOptions& options);
  double lr(int64_t step) const override;
  double base_lr() const override { return options_.lr; }

 private:
  ExponentialOptions options_;
};

// The Transformer's: scale d_model^-0.5 min(s^-0.5, s warmup^-1.5) with s = step + 1 (Vaswani et
// al. 2017, arXiv 1706.03762, equation 3).
struct InverseSqrtOptions {
  int64_t d_model = 512;
  int64_t warmup = 4000;
  double scale = 1;
};
class InverseSqrtSchedule final : public Schedule {
 public:
  explicit InverseSqrtSchedule(const InverseSqrtOptions& options);
  double lr(int64_t step) const override;
  double base_lr() const override { return lr(options_.warmup - 1); }  // the highest

 private:
  InverseSqrtOptions options_;
};

// Warm-up, lr, then down to min_lr over the last `decay_steps` (Hu et al. 2024, arXiv 2404.06395).
// `one_minus_sqrt` is lr (1 - sqrt(part)) (Haegele et al. 2024, arXiv 2405.18392).
enum class DecayShape : uint8_t { linear, cosine, one_minus_sqrt };
struct WarmupStableDecayOptions {
  double lr = 1e-3;
  double min_lr = 0;
  int64_t steps = 1000;  // warm-up and decay included
  int64_t warmup = 0;
  int64_t decay_steps = 200;
  DecayShape shape = DecayShape::linear;
};
class WarmupStableDecaySchedule final : public Schedule {
 public:
  explicit WarmupStableDecaySchedule(const WarmupStableDecayOptions& options);
  double lr(int64_t step) const override;
  double base_lr() const override { return options_.lr; }

 private:
  WarmupStableDecayOptions options_;
};

}  // namespace adjoint::optim
