#include <adjoint/core/error.h>
#include <adjoint/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace adjoint::optim {
namespace {

void check_lr(const char* name, double lr, double min_lr) {
  check<ConfigError>(std::isfinite(lr) && lr >= 0, name, ": lr: out of range: ", lr,
                     "; expected a finite value of 0 or more");
  check<ConfigError>(std::isfinite(min_lr) && min_lr >= 0 && min_lr <= lr, name,
                     ": min_lr: out of range: ", min_lr, "; expected a value in [0, lr = ", lr,
                     "]");
}

void check_count(const char* name, const char* field, int64_t value, int64_t least) {
  check<ConfigError>(value >= least, name, ": ", field, ": out of range: ", value, "; expected ",
                     least, " or more");
}

bool warming_up(int64_t step, int64_t warmup) { return step < warmup; }

double warm(double lr, int64_t step, int64_t warmup) {
  return lr * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
}

// How much of the decay is behind: 0 after the warm-up, 1 at `steps` and later.
double progress(int64_t step, int64_t warmup, int64_t steps) {
  if (step >= steps) return 1;
  return static_cast<double>(step - warmup) / static_cast<double>(steps - warmup);
}

}  // namespace

ConstantSchedule::ConstantSchedule(const ConstantOptions& options) : options_(options) {
  check_lr("ConstantSchedule", options.lr, 0);
  check_count("ConstantSchedule", "warmup", options.warmup, 0);
}
double ConstantSchedule::lr(int64_t step) const {
  return warming_up(step, options_.warmup) ? warm(options_.lr, step, options_.warmup) : options_.lr;
}

CosineSchedule::CosineSchedule(const CosineOptions& options) : options_(options) {
  check_lr("CosineSchedule", options.lr, options.min_lr);
  check_count("CosineSchedule", "steps", options.steps, 1);
  check_count("CosineSchedule", "warmup", options.warmup, 0);
}
double CosineSchedule::lr(int64_t step) const {
  const CosineOptions& o = options_;
  if (warming_up(step, o.warmup)) return warm(o.lr, step, o.warmup);
  const double rest = 0.5 * (1 + std::cos(std::numbers::pi * progress(step, o.warmup, o.steps)));
  return o.min_lr + rest * (o.lr - o.min_lr);
}

LinearSchedule::LinearSchedule(const LinearOptions& options) : options_(options) {
  check_lr("LinearSchedule", options.lr, options.min_lr);
  check_count("LinearSchedule", "steps", options.steps, 1);
  check_count("LinearSchedule", "warmup", options.warmup, 0);
}
double LinearSchedule::lr(int64_t step) const {
  const LinearOptions& o = options_;
  if (warming_up(step, o.warmup)) return warm(o.lr, step, o.warmup);
  return o.lr + progress(step, o.warmup, o.steps) * (o.min_lr - o.lr);
}

ExponentialSchedule::ExponentialSchedule(const ExponentialOptions& options) : options_(options) {
  check_lr("ExponentialSchedule", options.lr, options.min_lr);
  check<ConfigError>(options.decay_rate > 0 && options.decay_rate <= 1,
                     "ExponentialSchedule: decay_rate: out of range: ", options.decay_rate,
                     "; expected a value in (0, 1]");
  check_count("ExponentialSchedule", "decay_steps", options.decay_steps, 1);
  check_count("ExponentialSchedule", "warmup", options.warmup, 0);
}
double ExponentialSchedule::lr(int64_t step) const {
  const ExponentialOptions& o = options_;
  if (warming_up(step, o.warmup)) return warm(o.lr, step, o.warmup);
  const double periods = static_cast<double>(step - o.warmup) / static_cast<double>(o.decay_steps);
  return std::max(o.min_lr, o.lr * std::pow(o.decay_rate, periods));
}

InverseSqrtSchedule::InverseSqrtSchedule(const InverseSqrtOptions& options) : options_(options) {
  check_count("InverseSqrtSchedule", "d_model", options.d_model, 1);
  check_count("InverseSqrtSchedule", "warmup", options.warmup, 1);
  check<ConfigError>(std::isfinite(options.scale) && options.scale >= 0,
                     "InverseSqrtSchedule: scale: out of range: ", options.scale,
                     "; expected a finite value of 0 or more");
}
double InverseSqrtSchedule::lr(int64_t step) const {
  const auto s = static_cast<double>(step + 1), w = static_cast<double>(options_.warmup);
  return options_.scale / std::sqrt(static_cast<double>(options_.d_model)) *
         std::min(1 / std::sqrt(s), s / (w * std::sqrt(w)));
}

}  // namespace adjoint::optim
