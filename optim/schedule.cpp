#include <adjoint/core/error.h>
#include <adjoint/optim/optimizer.h>
#include <adjoint/optim/schedule.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

namespace adjoint::optim {
namespace {

void check_rates(const char* name, double lr, double min_lr) {
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

std::optional<double> Schedule::momentum(int64_t) const { return std::nullopt; }

void Schedule::apply(Optimizer& optimizer, int64_t step, std::span<const double> factors) const {
  check<ConfigError>(factors.empty() || factors.size() == optimizer.group_count(),
                     "Schedule: ", factors.size(), " factors; expected one for each of ",
                     optimizer.group_count(), " groups");
  const double rate = lr(step);
  for (size_t g = 0; g < optimizer.group_count(); ++g) {
    optimizer.set_lr(g, factors.empty() ? rate : rate * factors[g]);
  }
  if (const auto moved = momentum(step)) optimizer.set_momentum(*moved);
}

std::vector<double> Schedule::plot(int64_t steps) const {
  std::vector<double> rates;
  for (int64_t step = 0; step < steps; ++step) rates.push_back(lr(step));
  return rates;
}

std::string Schedule::csv(int64_t steps) const {
  std::ostringstream out;
  out.precision(17);
  out << "step,lr" << (momentum(0) ? ",momentum" : "") << '\n';
  for (int64_t step = 0; step < steps; ++step) {
    out << step << ',' << lr(step);
    if (const auto moved = momentum(step)) out << ',' << *moved;
    out << '\n';
  }
  return out.str();
}

std::string Schedule::ascii_plot(int64_t steps, int width, int height) const {
  check<ConfigError>(steps >= 1 && width >= 2 && height >= 2, "ascii_plot: steps ", steps,
                     ", width ", width, ", height ", height, "; expected 1, 2 and 2 or more");
  const std::vector<double> rates = plot(steps);
  const double top = *std::max_element(rates.begin(), rates.end());
  std::vector<std::string> rows(static_cast<size_t>(height),
                                std::string(static_cast<size_t>(width), ' '));
  for (int column = 0; column < width; ++column) {
    const auto step = static_cast<size_t>((steps - 1) * column / (width - 1));
    const double part = top > 0 ? std::max(0.0, rates[step] / top) : 0;
    const auto up = static_cast<size_t>(std::lround(part * (height - 1)));
    rows[static_cast<size_t>(height) - 1 - up][static_cast<size_t>(column)] = '*';
  }
  std::ostringstream out;
  out.precision(3);
  for (int row = 0; row < height; ++row) {
    std::ostringstream scale;
    scale.precision(3);
    scale << top * (height - 1 - row) / (height - 1);
    std::string line = scale.str();
    line.insert(0, line.size() < 10 ? 10 - line.size() : 0, ' ');
    out << line << " |" << rows[static_cast<size_t>(row)] << '\n';
  }
  const std::string last = std::to_string(steps - 1);
  const auto gap = static_cast<size_t>(width) - std::min<size_t>(last.size() + 1, width);
  out << std::string(10, ' ') << " +" << std::string(static_cast<size_t>(width), '-') << '\n'
      << std::string(12, ' ') << '0' << std::string(gap, ' ') << last << '\n';
  return out.str();
}

ConstantSchedule::ConstantSchedule(const ConstantOptions& options) : options_(options) {
  check_rates("ConstantSchedule", options.lr, 0);
  check_count("ConstantSchedule", "warmup", options.warmup, 0);
}
double ConstantSchedule::lr(int64_t step) const {
  return warming_up(step, options_.warmup) ? warm(options_.lr, step, options_.warmup) : options_.lr;
}

CosineSchedule::CosineSchedule(const CosineOptions& options) : options_(options) {
  check_rates("CosineSchedule", options.lr, options.min_lr);
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
  check_rates("LinearSchedule", options.lr, options.min_lr);
  check_count("LinearSchedule", "steps", options.steps, 1);
  check_count("LinearSchedule", "warmup", options.warmup, 0);
}
double LinearSchedule::lr(int64_t step) const {
  const LinearOptions& o = options_;
  if (warming_up(step, o.warmup)) return warm(o.lr, step, o.warmup);
  return o.lr + progress(step, o.warmup, o.steps) * (o.min_lr - o.lr);
}

ExponentialSchedule::ExponentialSchedule(const ExponentialOptions& options) : options_(options) {
  check_rates("ExponentialSchedule", options.lr, options.min_lr);
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

WarmupStableDecaySchedule::WarmupStableDecaySchedule(const WarmupStableDecayOptions& options)
    : options_(options) {
  const char* name = "WarmupStableDecaySchedule";
  check_rates(name, options.lr, options.min_lr);
  check_count(name, "warmup", options.warmup, 0);
  check_count(name, "decay_steps", options.decay_steps, 1);
  check_count(name, "steps", options.steps, options.warmup + options.decay_steps);
}
double WarmupStableDecaySchedule::lr(int64_t step) const {
  const WarmupStableDecayOptions& o = options_;
  if (warming_up(step, o.warmup)) return warm(o.lr, step, o.warmup);
  const int64_t stable = o.steps - o.decay_steps;
  if (step < stable) return o.lr;
  const double part = progress(step, stable, o.steps);
  double rest = 1 - part;
  if (o.shape == DecayShape::cosine) rest = 0.5 * (1 + std::cos(std::numbers::pi * part));
  if (o.shape == DecayShape::one_minus_sqrt) rest = 1 - std::sqrt(part);
  return o.min_lr + rest * (o.lr - o.min_lr);
}

}  // namespace adjoint::optim
