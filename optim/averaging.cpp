#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/optim/averaging.h>

#include <algorithm>
#include <exception>
#include <iterator>
#include <optional>
#include <utility>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {

SavedWeights::SavedWeights(std::vector<NamedSlot> slots) : slots_(std::move(slots)) { save(); }

void SavedWeights::save() {
  std::vector<Tensor> values;
  for (const NamedSlot& s : slots_) values.push_back(s.slot->stored().detach().clone());
  values_ = std::move(values);
}

void SavedWeights::restore() const {
  std::exception_ptr first;
  for (size_t i = 0; i < slots_.size(); ++i) {
    try {
      slots_[i].slot->write(values_[i]);
    } catch (...) {
      if (!first) first = std::current_exception();
    }
  }
  if (first) std::rethrow_exception(first);
}

AveragedWeights::AveragedWeights(std::vector<NamedSlot> slots, std::vector<NamedSlot> buffers,
                                 bool use_buffers)
    : slots_(std::move(slots)) {
  const size_t parameters = slots_.size();
  std::move(buffers.begin(), buffers.end(), std::back_inserter(slots_));
  for (size_t i = 0; i < slots_.size(); ++i) {
    const bool floating = is_floating_point(slots_[i].slot->dtype());
    check<ConfigError>(floating || i >= parameters, "AveragedWeights: '", slots_[i].name,
                       "' is of dtype ", slots_[i].slot->dtype(), "; expected a floating dtype");
    copied_.push_back(i >= parameters && (!use_buffers || !floating));
  }
}

// Of zeros: the first update copies.
void AveragedWeights::make_averages() {
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = *slots_[i].slot;
    averages_.push_back(zeros(slot.shape(), copied_[i] ? slot.dtype() : computed_in(slot.dtype())));
  }
}

void AveragedWeights::update() {
  const NoGrad guard;
  if (averages_.empty()) make_averages();
  const double part = updates_ == 0 ? 1 : weight(updates_);
  std::vector<RuleUpdate<AverageRule>> sweeps;
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Tensor& now = slots_[i].slot->stored();
    if (copied_[i]) {
      copy_(averages_[i], now);
    } else {
      sweeps.push_back({{now, kNoGradient, {&averages_[i]}}, {.weight = part}});
    }
  }
  sweep(std::span(std::as_const(sweeps)));
  ++updates_;
}

const std::vector<Tensor>& AveragedWeights::averages() const {
  check(updates_ > 0, "AveragedWeights: no averages; expected update() first");
  return averages_;
}

void AveragedWeights::copy_to() const {
  const std::vector<Tensor>& all = averages();
  for (size_t i = 0; i < slots_.size(); ++i) slots_[i].slot->write(all[i]);
}

void AveragedWeights::store() {
  check(!stored_, "AveragedWeights: something is kept already; expected restore() first");
  stored_.emplace(slots_);
}

void AveragedWeights::restore() {
  check(stored_.has_value(), "AveragedWeights: nothing to restore; expected store() first");
  const SavedWeights saved = *std::exchange(stored_, std::nullopt);
  saved.restore();
}

OptimizerState AveragedWeights::state() const {
  OptimizerState state;
  if (updates_ == 0) return state;
  state.counts["step.average"] = updates_;
  for (size_t i = 0; i < slots_.size(); ++i) {
    state.tensors["average." + slots_[i].name] = averages_[i].clone();
  }
  return state;
}

void AveragedWeights::load_state(const OptimizerState& state) {
  StateReader reader(state);
  std::vector<Tensor> loaded;
  const int64_t* updates = reader.count("step.average");
  for (size_t i = 0; updates != nullptr && i < slots_.size(); ++i) {
    const Slot& slot = *slots_[i].slot;
    loaded.push_back(reader.tensor("average." + slots_[i].name, slot.shape(),
                                   copied_[i] ? slot.dtype() : computed_in(slot.dtype())));
  }
  reader.finish();
  averages_ = std::move(loaded);
  updates_ = updates == nullptr ? 0 : *updates;
}

Ema::Ema(std::vector<NamedSlot> slots, const EmaOptions& options, std::vector<NamedSlot> buffers)
    : AveragedWeights(std::move(slots), std::move(buffers), options.use_buffers),
      options_(options) {
  check<ConfigError>(options.decay >= 0 && options.decay <= 1,
                     "Ema: decay: out of range: ", options.decay, "; expected a value in [0, 1]");
}

double Ema::weight(int64_t n) const {
  const auto updates = static_cast<double>(n);
  return 1 - (options_.warmup ? std::min(options_.decay, (1 + updates) / (10 + updates))
                              : options_.decay);
}

Swa::Swa(std::vector<NamedSlot> slots, std::vector<NamedSlot> buffers, bool use_buffers)
    : AveragedWeights(std::move(slots), std::move(buffers), use_buffers) {}

double Swa::weight(int64_t n) const { return 1 / static_cast<double>(n + 1); }

UseAverage::UseAverage(AveragedWeights& average) : average_(average.stored() ? nullptr : &average) {
  if (average_ == nullptr) return;
  average_->averages();  // or an error, before anything is kept
  average_->store();
  average_->copy_to();
}

UseAverage::~UseAverage() {
  if (average_ == nullptr || !average_->stored()) return;  // restore() may have been called
  try {
    average_->restore();
  } catch (const Error&) {  // a slot of another shape keeps what it has
  }
}

EarlyStopping::EarlyStopping(const EarlyStoppingOptions& options, std::vector<NamedSlot> slots)
    : options_(options), weights_(std::move(slots)), best_(worst_metric(options.mode)) {
  check_range("EarlyStopping", "patience", static_cast<double>(options.patience), 0, kNoLimit);
  check_range("EarlyStopping", "min_delta", options.min_delta, 0, kNoLimit);
}

bool EarlyStopping::step(double metric) {
  if (is_better(metric, best_, options_.mode, options_.min_delta, ThresholdMode::abs)) {
    best_ = metric;
    best_step_ = steps_;
    bad_steps_ = 0;
    weights_.save();
  } else {
    ++bad_steps_;
  }
  ++steps_;
  return stopped();
}

void EarlyStopping::restore_best() const {
  check(best_step_ >= 0 && !weights_.slots().empty(),
        "EarlyStopping: no best weights; expected slots and a step()");
  weights_.restore();
}

OptimizerState EarlyStopping::state() const {
  OptimizerState state;
  state.tensors["best_metric"] = full({}, best_, DType::f64);
  state.tensors["steps"] = full({}, steps_, DType::i64);
  state.tensors["best_step"] = full({}, best_step_, DType::i64);
  state.tensors["bad_steps"] = full({}, bad_steps_, DType::i64);
  for (size_t i = 0; i < weights_.slots().size(); ++i) {
    state.tensors["best." + weights_.slots()[i].name] = weights_.values()[i].clone();
  }
  return state;
}

void EarlyStopping::load_state(const OptimizerState& state) {
  StateReader reader(state);
  const Tensor best = reader.tensor("best_metric", {}, DType::f64);
  const Tensor steps = reader.tensor("steps", {}, DType::i64);
  const Tensor best_step = reader.tensor("best_step", {}, DType::i64);
  const Tensor bad_steps = reader.tensor("bad_steps", {}, DType::i64);
  std::vector<Tensor> values;
  for (const NamedSlot& s : weights_.slots()) {
    values.push_back(reader.tensor("best." + s.name, s.slot->shape(), s.slot->dtype()));
  }
  reader.finish();
  best_ = best.item();
  steps_ = steps.item<int64_t>();
  best_step_ = best_step.item<int64_t>();
  bad_steps_ = bad_steps.item<int64_t>();
  weights_.set_values(std::move(values));
}

}  // namespace adjoint::optim
