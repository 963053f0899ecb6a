// PyTorch's learning-rate schedulers (torch.optim.lr_scheduler), with its names, arguments and
// defaults, as functions of the step: `lr` is the rate that PyTorch finds in the optimizer. What
// has no default in PyTorch must be given.
//
//   const optim::SequentialLR schedule(
//       optim::schedules(optim::LinearLR({.lr = 0.1, .total_iters = 5}),
//                        optim::CosineAnnealingLR({.lr = 0.1, .T_max = 95})),
//       {5});
//   schedule.apply(optimizer, epoch);
//
// Immutable but for ReduceLROnPlateau, which depends on what was measured.
#pragma once

#include <adjoint/optim/schedule.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace adjoint::optim {

// A schedule made of options, whose first rate is options.lr times something.
template <class Options>
class ScheduleOf : public Schedule {
 public:
  double base_lr() const override { return options_.lr; }

 protected:
  explicit ScheduleOf(Options options) : options_(std::move(options)) {}
  Options options_;
};

// lr gamma^(step / step_size), rounded down.
struct StepLROptions {
  double lr = 1e-3;
  int64_t step_size = 0;
  double gamma = 0.1;
};
class StepLR final : public ScheduleOf<StepLROptions> {
 public:
  explicit StepLR(const StepLROptions& options);
  double lr(int64_t step) const override;
};

// lr gamma^(the milestones passed); one given twice counts twice.
struct MultiStepLROptions {
  double lr = 1e-3;
  std::vector<int64_t> milestones = {};
  double gamma = 0.1;
};
class MultiStepLR final : public ScheduleOf<MultiStepLROptions> {
 public:
  explicit MultiStepLR(MultiStepLROptions options);
  double lr(int64_t step) const override;
};

// lr factor, then from total_iters on lr.
struct ConstantLROptions {
  double lr = 1e-3;
  double factor = 1.0 / 3;
  int64_t total_iters = 5;
};
class ConstantLR final : public ScheduleOf<ConstantLROptions> {
 public:
  explicit ConstantLR(const ConstantLROptions& options);
  double lr(int64_t step) const override;
};

// From lr start_factor to lr end_factor along a line, reached at total_iters.
struct LinearLROptions {
  double lr = 1e-3;
  double start_factor = 1.0 / 3;
  double end_factor = 1;
  int64_t total_iters = 5;
};
class LinearLR final : public ScheduleOf<LinearLROptions> {
 public:
  explicit LinearLR(const LinearLROptions& options);
  double lr(int64_t step) const override;
};

// lr gamma^step.
struct ExponentialLROptions {
  double lr = 1e-3;
  double gamma = 0;
};
class ExponentialLR final : public ScheduleOf<ExponentialLROptions> {
 public:
  explicit ExponentialLR(const ExponentialLROptions& options);
  double lr(int64_t step) const override;
};

// lr (1 - step / total_iters)^power, then 0.
struct PolynomialLROptions {
  double lr = 1e-3;
  int64_t total_iters = 5;
  double power = 1;
};
class PolynomialLR final : public ScheduleOf<PolynomialLROptions> {
 public:
  explicit PolynomialLR(const PolynomialLROptions& options);
  double lr(int64_t step) const override;
};

// eta_min + (lr - eta_min) (1 + cos(pi step / T_max)) / 2: after T_max it rises again.
struct CosineAnnealingLROptions {
  double lr = 1e-3;
  int64_t T_max = 0;
  double eta_min = 0;
};
class CosineAnnealingLR final : public ScheduleOf<CosineAnnealingLROptions> {
 public:
  explicit CosineAnnealingLR(const CosineAnnealingLROptions& options);
  double lr(int64_t step) const override;
};

// Half a cosine in T_0 steps, then again from lr, each time T_mult times as long (Loshchilov and
// Hutter 2017, arXiv 1608.03983).
struct CosineAnnealingWarmRestartsOptions {
  double lr = 1e-3;
  int64_t T_0 = 0;
  int64_t T_mult = 1;
  double eta_min = 0;
};
class CosineAnnealingWarmRestarts final : public ScheduleOf<CosineAnnealingWarmRestartsOptions> {
 public:
  explicit CosineAnnealingWarmRestarts(const CosineAnnealingWarmRestartsOptions& options);
  double lr(int64_t step) const override;
};

enum class AnnealStrategy : uint8_t { cos, linear };

// One cycle up and down (Smith and Topin 2018, arXiv 1708.07120), the momentum the other way. After
// total_steps it stays.
struct OneCycleLROptions {
  double max_lr = 1e-3;
  int64_t total_steps = 0;
  double pct_start = 0.3;
  AnnealStrategy anneal_strategy = AnnealStrategy::cos;
  bool cycle_momentum = true;
  double base_momentum = 0.85;
  double max_momentum = 0.95;
  double div_factor = 25;
  double final_div_factor = 1e4;
  bool three_phase = false;
};
class OneCycleLR final : public Schedule {
 public:
  explicit OneCycleLR(const OneCycleLROptions& options);
  double lr(int64_t step) const override;
  std::optional<double> momentum(int64_t step) const override;
  double base_lr() const override { return options_.max_lr / options_.div_factor; }

 private:
  struct Phase {
    double end, from_lr, to_lr, from_momentum, to_momentum;
  };
  double annealed(int64_t step, double Phase::*from, double Phase::*to) const;

  OneCycleLROptions options_;
  std::vector<Phase> phases_;
};

// Up and down again and again (Smith 2017, arXiv 1506.01186), the momentum the other way. What
// scales a cycle is scale_fn of its number (`cycle`, from 1) or of the step, where there is one, or
// the mode: triangular2 halves each cycle, exp_range multiplies by gamma^step.
enum class CyclicMode : uint8_t { triangular, triangular2, exp_range };
enum class CyclicScale : uint8_t { cycle, iterations };
struct CyclicLROptions {
  double base_lr = 1e-4;
  double max_lr = 1e-2;
  int64_t step_size_up = 2000;
  std::optional<int64_t> step_size_down = {};  // as step_size_up
  CyclicMode mode = CyclicMode::triangular;
  double gamma = 1;
  std::function<double(double)> scale_fn = {};
  CyclicScale scale_mode = CyclicScale::cycle;  // of scale_fn
  bool cycle_momentum = true;
  double base_momentum = 0.8;
  double max_momentum = 0.9;
};
class CyclicLR final : public Schedule {
 public:
  explicit CyclicLR(CyclicLROptions options);
  double lr(int64_t step) const override;
  std::optional<double> momentum(int64_t step) const override;
  double base_lr() const override { return options_.base_lr; }

 private:
  double height(int64_t step) const;  // from 0 to 1, scaled

  CyclicLROptions options_;
};

// lr lr_lambda(step).
struct LambdaLROptions {
  double lr = 1e-3;
  std::function<double(int64_t)> lr_lambda = {};
};
class LambdaLR final : public ScheduleOf<LambdaLROptions> {
 public:
  explicit LambdaLR(LambdaLROptions options);
  double lr(int64_t step) const override;
};

// lr lr_lambda(1) ... lr_lambda(step): a call costs that many.
class MultiplicativeLR final : public ScheduleOf<LambdaLROptions> {
 public:
  explicit MultiplicativeLR(LambdaLROptions options);
  double lr(int64_t step) const override;
};

// From lr to swa_lr in anneal_epochs, then swa_lr: while weights are averaged (Izmailov et al.
// 2018, arXiv 1803.05407).
struct SWALROptions {
  double lr = 1e-3;
  double swa_lr = 0;
  int64_t anneal_epochs = 10;
  AnnealStrategy anneal_strategy = AnnealStrategy::cos;
};
class SWALR final : public ScheduleOf<SWALROptions> {
 public:
  explicit SWALR(const SWALROptions& options);
  double lr(int64_t step) const override;
};

using Schedules = std::vector<std::shared_ptr<const Schedule>>;
template <class... S>
Schedules schedules(S... all) {
  return {std::make_shared<const S>(std::move(all))...};
}

// The first one's base_lr times what each makes of its own. Its momentum is that of the last that
// has one.
class ChainedScheduler final : public Schedule {
 public:
  explicit ChainedScheduler(Schedules schedules);
  double lr(int64_t step) const override;
  std::optional<double> momentum(int64_t step) const override;
  double base_lr() const override { return schedules_[0]->base_lr(); }

 private:
  Schedules schedules_;
};

// One after the other: schedule i + 1 begins, with its step 0, at step milestones[i].
class SequentialLR final : public Schedule {
 public:
  SequentialLR(Schedules schedules, std::vector<int64_t> milestones);
  double lr(int64_t step) const override;
  std::optional<double> momentum(int64_t step) const override;
  double base_lr() const override { return schedules_[0]->base_lr(); }

 private:
  std::pair<const Schedule&, int64_t> at(int64_t step) const;

  Schedules schedules_;
  std::vector<int64_t> milestones_;
};

enum class MetricMode : uint8_t { min, max };
enum class ThresholdMode : uint8_t { rel, abs };

// Multiplies the rates by `factor` when a metric has not become better for more than `patience`
// steps. Begins from the optimizer's rates, which it sets; the optimizer must outlive it.
struct ReduceLROnPlateauOptions {
  MetricMode mode = MetricMode::min;
  double factor = 0.1;
  int64_t patience = 10;
  double threshold = 1e-4;
  ThresholdMode threshold_mode = ThresholdMode::rel;
  int64_t cooldown = 0;
  double min_lr = 0;
  double eps = 1e-8;  // smaller changes are not made
};
class ReduceLROnPlateau {
 public:
  struct State {
    double best = 0;
    int64_t num_bad_epochs = 0;
    int64_t cooldown_counter = 0;
    int64_t last_epoch = 0;
    std::vector<double> lr = {};  // of each group
  };

  explicit ReduceLROnPlateau(Optimizer& optimizer, const ReduceLROnPlateauOptions& options = {});

  void step(double metric);

  State state() const;
  // Sets the optimizer's rates too. ConfigError for another count of them than it has groups.
  void load_state(const State& state);

 private:
  Optimizer& optimizer_;
  ReduceLROnPlateauOptions options_;
  State state_;
};

// Whether a is better than best by the threshold, as ReduceLROnPlateau sees it.
bool is_better(double a, double best, MetricMode mode, double threshold, ThresholdMode how);
// What anything is better than.
double worst_metric(MetricMode mode);

}  // namespace adjoint::optim
