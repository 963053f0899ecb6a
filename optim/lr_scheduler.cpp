#include <adjoint/core/error.h>
#include <adjoint/optim/lr_scheduler.h>
#include <adjoint/optim/optimizer.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "optim/common/checks.h"

namespace adjoint::optim {
namespace {

void check_least(const char* op, const char* field, int64_t value, int64_t least) {
  check<ConfigError>(value >= least, op, ": ", field, ": out of range: ", value, "; expected ",
                     least, " or more");
}

double power_of(double base, int64_t exponent) {
  return std::pow(base, static_cast<double>(exponent));
}

double ratio(int64_t a, int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

// From 1 to 0 along half a cosine, and on.
double cosine(double part) { return (1 + std::cos(std::numbers::pi * part)) / 2; }

double anneal(AnnealStrategy how, double from, double to, double part) {
  return how == AnnealStrategy::cos ? to + (from - to) * cosine(part) : from + (to - from) * part;
}

}  // namespace

StepLR::StepLR(const StepLROptions& options) : ScheduleOf(options) {
  check_lr(options.lr);
  check_least("StepLR", "step_size", options.step_size, 1);
}
double StepLR::lr(int64_t step) const {
  return options_.lr * power_of(options_.gamma, step / options_.step_size);
}

MultiStepLR::MultiStepLR(MultiStepLROptions options) : ScheduleOf(std::move(options)) {
  check_lr(options_.lr);
  std::sort(options_.milestones.begin(), options_.milestones.end());
}
double MultiStepLR::lr(int64_t step) const {
  const std::vector<int64_t>& all = options_.milestones;
  return options_.lr *
         power_of(options_.gamma, std::upper_bound(all.begin(), all.end(), step) - all.begin());
}

ConstantLR::ConstantLR(const ConstantLROptions& options) : ScheduleOf(options) {
  check_lr(options.lr);
  check<ConfigError>(options.factor >= 0 && options.factor <= 1,
                     "ConstantLR: factor: ", options.factor, "; expected a value in [0, 1]");
}
double ConstantLR::lr(int64_t step) const {
  return step < options_.total_iters ? options_.lr * options_.factor : options_.lr;
}

LinearLR::LinearLR(const LinearLROptions& options) : ScheduleOf(options) {
  check_lr(options.lr);
  check<ConfigError>(options.start_factor > 0 && options.start_factor <= 1,
                     "LinearLR: start_factor: ", options.start_factor,
                     "; expected a value in (0, 1]");
  check<ConfigError>(options.end_factor >= 0 && options.end_factor <= 1,
                     "LinearLR: end_factor: ", options.end_factor, "; expected a value in [0, 1]");
  check_least("LinearLR", "total_iters", options.total_iters, 1);
}
double LinearLR::lr(int64_t step) const {
  const LinearLROptions& o = options_;
  const double part = ratio(std::min(step, o.total_iters), o.total_iters);
  return o.lr * (o.start_factor + (o.end_factor - o.start_factor) * part);
}

ExponentialLR::ExponentialLR(const ExponentialLROptions& options) : ScheduleOf(options) {
  check_lr(options.lr);
  check<ConfigError>(options.gamma > 0, "ExponentialLR: gamma: ", options.gamma,
                     "; expected a value above 0");
}
double ExponentialLR::lr(int64_t step) const {
  return options_.lr * power_of(options_.gamma, step);
}

PolynomialLR::PolynomialLR(const PolynomialLROptions& options) : ScheduleOf(options) {
  check_lr(options.lr);
  check_least("PolynomialLR", "total_iters", options.total_iters, 1);
}
double PolynomialLR::lr(int64_t step) const {
  const PolynomialLROptions& o = options_;
  return o.lr * std::pow(1 - ratio(std::min(step, o.total_iters), o.total_iters), o.power);
}

CosineAnnealingLR::CosineAnnealingLR(const CosineAnnealingLROptions& options)
    : ScheduleOf(options) {
  check_lr(options.lr);
  check_least("CosineAnnealingLR", "T_max", options.T_max, 1);
}
double CosineAnnealingLR::lr(int64_t step) const {
  const CosineAnnealingLROptions& o = options_;
  return o.eta_min + (o.lr - o.eta_min) * cosine(ratio(step, o.T_max));
}

CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(
    const CosineAnnealingWarmRestartsOptions& options)
    : ScheduleOf(options) {
  check_lr(options.lr);
  check_least("CosineAnnealingWarmRestarts", "T_0", options.T_0, 1);
  check_least("CosineAnnealingWarmRestarts", "T_mult", options.T_mult, 1);
}
double CosineAnnealingWarmRestarts::lr(int64_t step) const {
  const CosineAnnealingWarmRestartsOptions& o = options_;
  int64_t length = o.T_0;
  if (o.T_mult == 1) {
    step %= length;
  } else {
    for (; step >= length; length *= o.T_mult) step -= length;
  }
  return o.eta_min + (o.lr - o.eta_min) * cosine(ratio(step, length));
}

OneCycleLR::OneCycleLR(const OneCycleLROptions& options) : options_(options) {
  const OneCycleLROptions& o = options;
  check_lr(o.max_lr);
  check_least("OneCycleLR", "total_steps", o.total_steps, 1);
  check<ConfigError>(o.pct_start >= 0 && o.pct_start <= 1, "OneCycleLR: pct_start: ", o.pct_start,
                     "; expected a value in [0, 1]");
  const double first = o.max_lr / o.div_factor, last = first / o.final_div_factor;
  const auto steps = static_cast<double>(o.total_steps);
  const double peak = o.pct_start * steps - 1;
  phases_.push_back({peak, first, o.max_lr, o.max_momentum, o.base_momentum});
  if (o.three_phase) {
    phases_.push_back(
        {2 * o.pct_start * steps - 2, o.max_lr, first, o.base_momentum, o.max_momentum});
    phases_.push_back({steps - 1, first, last, o.max_momentum, o.max_momentum});
  } else {
    phases_.push_back({steps - 1, o.max_lr, last, o.base_momentum, o.max_momentum});
  }
}
double OneCycleLR::annealed(int64_t step, double Phase::*from, double Phase::*to) const {
  const double at = std::min(static_cast<double>(step), phases_.back().end);
  double start = 0;
  size_t i = 0;
  for (; i + 1 < phases_.size() && at > phases_[i].end; ++i) start = phases_[i].end;
  const Phase& phase = phases_[i];
  const double length = phase.end - start;
  const double part = length == 0 ? 1 : (at - start) / length;
  return anneal(options_.anneal_strategy, phase.*from, phase.*to, part);
}
double OneCycleLR::lr(int64_t step) const { return annealed(step, &Phase::from_lr, &Phase::to_lr); }
std::optional<double> OneCycleLR::momentum(int64_t step) const {
  if (!options_.cycle_momentum) return std::nullopt;
  return annealed(step, &Phase::from_momentum, &Phase::to_momentum);
}

CyclicLR::CyclicLR(CyclicLROptions options) : options_(std::move(options)) {
  check_lr(options_.base_lr);
  check_lr(options_.max_lr);
  check_least("CyclicLR", "step_size_up", options_.step_size_up, 1);
  check_least("CyclicLR", "step_size_down", options_.step_size_down.value_or(1), 1);
}
double CyclicLR::height(int64_t step) const {
  const CyclicLROptions& o = options_;
  const int64_t size = o.step_size_up + o.step_size_down.value_or(o.step_size_up);
  const int64_t before = step / size;  // whole cycles
  const auto cycle = static_cast<double>(before + 1), at = static_cast<double>(step);
  const double part = ratio(step % size, size), turn = ratio(o.step_size_up, size);
  const double up = part <= turn ? part / turn : (part - 1) / (turn - 1);
  if (o.scale_fn) return up * o.scale_fn(o.scale_mode == CyclicScale::cycle ? cycle : at);
  switch (o.mode) {
    case CyclicMode::triangular2:
      return up / std::exp2(cycle - 1);
    case CyclicMode::exp_range:
      return up * std::pow(o.gamma, at);
    case CyclicMode::triangular:
      break;
  }
  return up;
}
double CyclicLR::lr(int64_t step) const {
  return options_.base_lr + (options_.max_lr - options_.base_lr) * height(step);
}
std::optional<double> CyclicLR::momentum(int64_t step) const {
  if (!options_.cycle_momentum) return std::nullopt;
  return options_.max_momentum - (options_.max_momentum - options_.base_momentum) * height(step);
}

LambdaLR::LambdaLR(LambdaLROptions options) : ScheduleOf(std::move(options)) {
  check_lr(options_.lr);
  check<ConfigError>(options_.lr_lambda != nullptr, "LambdaLR: no lr_lambda; expected a function");
}
double LambdaLR::lr(int64_t step) const { return options_.lr * options_.lr_lambda(step); }

MultiplicativeLR::MultiplicativeLR(LambdaLROptions options) : ScheduleOf(std::move(options)) {
  check_lr(options_.lr);
  check<ConfigError>(options_.lr_lambda != nullptr,
                     "MultiplicativeLR: no lr_lambda; expected a function");
}
double MultiplicativeLR::lr(int64_t step) const {
  double rate = options_.lr;
  for (int64_t i = 1; i <= step; ++i) rate *= options_.lr_lambda(i);
  return rate;
}

SWALR::SWALR(const SWALROptions& options) : ScheduleOf(options) {
  check_lr(options.lr);
  check_lr(options.swa_lr);
  check_least("SWALR", "anneal_epochs", options.anneal_epochs, 0);
}
double SWALR::lr(int64_t step) const {
  const SWALROptions& o = options_;
  if (step >= o.anneal_epochs) return o.swa_lr;
  return anneal(o.anneal_strategy, o.lr, o.swa_lr, ratio(step, o.anneal_epochs));
}

ChainedScheduler::ChainedScheduler(Schedules schedules) : schedules_(std::move(schedules)) {
  check<ConfigError>(!schedules_.empty(), "ChainedScheduler: no schedules; expected at least one");
  for (const auto& s : schedules_) {
    check<ConfigError>(s->base_lr() > 0, "ChainedScheduler: a schedule of rate ", s->base_lr(),
                       "; expected rates above 0");
  }
}
double ChainedScheduler::lr(int64_t step) const {
  double rate = base_lr();
  for (const auto& s : schedules_) rate *= s->lr(step) / s->base_lr();
  return rate;
}
std::optional<double> ChainedScheduler::momentum(int64_t step) const {
  std::optional<double> last;
  for (const auto& s : schedules_) {
    if (const auto moved = s->momentum(step)) last = moved;
  }
  return last;
}

SequentialLR::SequentialLR(Schedules schedules, std::vector<int64_t> milestones)
    : schedules_(std::move(schedules)), milestones_(std::move(milestones)) {
  check<ConfigError>(schedules_.size() == milestones_.size() + 1,
                     "SequentialLR: ", schedules_.size(), " schedules and ", milestones_.size(),
                     " milestones; expected one schedule more than milestones");
  check<ConfigError>(std::is_sorted(milestones_.begin(), milestones_.end()),
                     "SequentialLR: milestones fall; expected them in order");
}
std::pair<const Schedule&, int64_t> SequentialLR::at(int64_t step) const {
  const auto next = std::upper_bound(milestones_.begin(), milestones_.end(), step);
  const auto i = static_cast<size_t>(next - milestones_.begin());
  return {*schedules_[i], i == 0 ? step : step - milestones_[i - 1]};
}
double SequentialLR::lr(int64_t step) const {
  const auto [schedule, local] = at(step);
  return schedule.lr(local);
}
std::optional<double> SequentialLR::momentum(int64_t step) const {
  const auto [schedule, local] = at(step);
  return schedule.momentum(local);
}

double worst_metric(MetricMode mode) { return mode == MetricMode::min ? INFINITY : -INFINITY; }

bool is_better(double a, double best, MetricMode mode, double threshold, ThresholdMode how) {
  const double sign = mode == MetricMode::min ? -1 : 1;
  const double least =
      how == ThresholdMode::rel ? best * (1 + sign * threshold) : best + sign * threshold;
  return mode == MetricMode::min ? a < least : a > least;
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options)
    : optimizer_(optimizer), options_(options) {
  check<ConfigError>(options.factor < 1, "ReduceLROnPlateau: factor: ", options.factor,
                     "; expected a value below 1");
  state_.best = worst_metric(options.mode);
}

void ReduceLROnPlateau::step(double metric) {
  const ReduceLROnPlateauOptions& o = options_;
  State& s = state_;
  ++s.last_epoch;
  if (is_better(metric, s.best, o.mode, o.threshold, o.threshold_mode)) {
    s.best = metric;
    s.num_bad_epochs = 0;
  } else {
    ++s.num_bad_epochs;
  }
  if (s.cooldown_counter > 0) {
    --s.cooldown_counter;
    s.num_bad_epochs = 0;
  }
  if (s.num_bad_epochs <= o.patience) return;
  s.cooldown_counter = o.cooldown;
  s.num_bad_epochs = 0;
  for (size_t g = 0; g < optimizer_.group_count(); ++g) {
    const double before = optimizer_.lr(g), after = std::max(before * o.factor, o.min_lr);
    if (before - after > o.eps) optimizer_.set_lr(g, after);
  }
}

ReduceLROnPlateau::State ReduceLROnPlateau::state() const {
  State state = state_;
  for (size_t g = 0; g < optimizer_.group_count(); ++g) state.lr.push_back(optimizer_.lr(g));
  return state;
}

void ReduceLROnPlateau::load_state(const State& state) {
  check<ConfigError>(state.lr.size() == optimizer_.group_count(),
                     "ReduceLROnPlateau: ", state.lr.size(), " rates; expected one for each of ",
                     optimizer_.group_count(), " groups");
  state_ = state;
  state_.lr.clear();
  for (size_t g = 0; g < state.lr.size(); ++g) optimizer_.set_lr(g, state.lr[g]);
}

}  // namespace adjoint::optim
