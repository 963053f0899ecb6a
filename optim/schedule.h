// Learning-rate schedules: the rate as a function of the step alone, so that a resumed run needs no
// state to go on.
//
//   const optim::CosineSchedule schedule({.lr = 1e-3, .steps = 2000, .warmup = 100});
//   optimizer.set_lr(schedule.lr(step));     // step counts from 0
//
// All but the inverse square root, whose own formula does it, warm up linearly over the first
// `warmup` steps: lr (step + 1) / (warmup + 1), as nanoGPT does. Constructors throw ConfigError for
// values out of range. Immutable: safe from any thread.
#pragma once

#include <cstdint>

namespace adjoint::optim {

class Schedule {
 public:
  virtual ~Schedule() = default;
  // REQUIRES: step >= 0.
  virtual double lr(int64_t step) const = 0;
};

struct ConstantOptions {
  double lr = 1e-3;
  int64_t warmup = 0;
};
class ConstantSchedule final : public Schedule {
 public:
  explicit ConstantSchedule(const ConstantOptions& options);
  double lr(int64_t step) const override;

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

 private:
  InverseSqrtOptions options_;
};

}  // namespace adjoint::optim
