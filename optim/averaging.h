// Averages of weights along the training, copies of them, and stopping early.
//
//   optim::Ema average(model.parameters(), {.decay = 0.999});
//   ... optimizer.step(); average.update(); ...
//   {
//     const optim::UseAverage scope(average);  // the model has the averaged weights
//     evaluate(model);
//   }
#pragma once

#include <adjoint/core/slot.h>
#include <adjoint/optim/lr_scheduler.h>
#include <adjoint/optim/optimizer.h>

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace adjoint::optim {

// The values that slots had, to be written back. Gradients are left out.
class SavedWeights {
 public:
  explicit SavedWeights(std::vector<NamedSlot> slots);
  void save();  // what they have now, in place of what was saved
  // ShapeError where a slot has another shape since; the others are restored.
  void restore() const;

  const std::vector<NamedSlot>& slots() const { return slots_; }
  const std::vector<Tensor>& values() const { return values_; }
  void set_values(std::vector<Tensor> values) { values_ = std::move(values); }

 private:
  std::vector<NamedSlot> slots_;
  std::vector<Tensor> values_;
};

// Averages of what slots hold, updated in one pass over memory: those of 16 bits are averaged in
// f32. Buffers are copied at each update, or averaged too if they are floating and use_buffers. The
// first update copies.
class AveragedWeights {
 public:
  virtual ~AveragedWeights() = default;

  // Adds what the slots hold now: after each step, or each epoch.
  void update();
  int64_t updates() const { return updates_; }
  // In the order of the slots, then of the buffers. Error before the first update.
  const std::vector<Tensor>& averages() const;

  // Writes the averages into the slots. Error before the first update.
  void copy_to() const;
  // Keeps what the slots hold; restore() writes it back, and forgets it. Error where something is
  // kept already, or nothing.
  void store();
  void restore();
  bool stored() const { return stored_.has_value(); }

  // `average.NAME`, and the count `step.average`.
  OptimizerState state() const;
  // ConfigError for entries that are missing, unexpected or of another shape or dtype.
  void load_state(const OptimizerState& state);

 protected:
  AveragedWeights(std::vector<NamedSlot> slots, std::vector<NamedSlot> buffers, bool use_buffers);
  // The part of the new value, after n updates.
  virtual double weight(int64_t n) const = 0;

 private:
  void make_averages();

  std::vector<NamedSlot> slots_;  // then buffers
  std::vector<bool> copied_;
  std::vector<Tensor> averages_;
  std::optional<SavedWeights> stored_;
  int64_t updates_ = 0;
};

// decay average + (1 - decay) value, as torch.optim.swa_utils.get_ema_avg_fn. With warmup the decay
// is at most (1 + n) / (10 + n), so that early weights are soon forgotten.
struct EmaOptions {
  double decay = 0.999;
  bool warmup = false;
  bool use_buffers = false;
};
class Ema final : public AveragedWeights {
 public:
  // ConfigError unless 0 <= decay <= 1.
  explicit Ema(std::vector<NamedSlot> slots, const EmaOptions& options = {},
               std::vector<NamedSlot> buffers = {});

 private:
  double weight(int64_t n) const override;
  EmaOptions options_;
};

// The mean of all updates (Izmailov et al. 2018, arXiv 1803.05407), as torch.optim.swa_utils. The
// rate for it is SWALR's. Statistics of batches want a pass over data with the averaged weights.
class Swa final : public AveragedWeights {
 public:
  explicit Swa(std::vector<NamedSlot> slots, std::vector<NamedSlot> buffers = {},
               bool use_buffers = false);

 private:
  double weight(int64_t n) const override;
};

// The slots hold the averages while it lives. Inside of another one it changes nothing. Slots whose
// shape was changed meanwhile keep what they have.
class UseAverage {
 public:
  explicit UseAverage(AveragedWeights& average);
  ~UseAverage();
  UseAverage(const UseAverage&) = delete;
  UseAverage& operator=(const UseAverage&) = delete;

 private:
  AveragedWeights* average_;  // none inside of another one
};

// Says when a metric has not become better, by more than min_delta, for `patience` steps, and keeps
// the weights of the best.
struct EarlyStoppingOptions {
  MetricMode mode = MetricMode::min;
  int64_t patience = 10;
  double min_delta = 0;
};
class EarlyStopping {
 public:
  // Without slots no weights are kept. ConfigError for patience or min_delta below 0.
  explicit EarlyStopping(const EarlyStoppingOptions& options = {},
                         std::vector<NamedSlot> slots = {});

  // After each validation. Whether to stop; NaN is never better.
  bool step(double metric);
  bool stopped() const { return bad_steps_ > 0 && bad_steps_ >= options_.patience; }
  double best() const { return best_; }
  // Which step() was the best, from 0; -1 for none yet.
  int64_t best_step() const { return best_step_; }
  // Writes the best weights into the slots. Error where none are kept.
  void restore_best() const;

  // `best.NAME` and `best_metric`, counts of steps as numbers of i64.
  OptimizerState state() const;
  void load_state(const OptimizerState& state);

 private:
  EarlyStoppingOptions options_;
  SavedWeights weights_;
  double best_;
  int64_t steps_ = 0, best_step_ = -1, bad_steps_ = 0;
};

}  // namespace adjoint::optim
