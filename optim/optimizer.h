// Optimizers: what changes parameters from their gradients. This is what all have in common; each
// is in the header of its family (adam.h, sgd.h, ...).
//
//   optim::AdamW optimizer({{.slots = matrices, .options = {.lr = 1e-3, .weight_decay = 0.1}},
//                           {.slots = vectors, .options = {.lr = 1e-3, .weight_decay = 0}}});
//   loss.backward();
//   optim::clip_grad_norm_(optimizer, 1.0);
//   optimizer.step();
//   optimizer.zero_grad();
//
// An optimizer holds the slots, not the module: moving the module leaves it valid. A parameter
// without gradient is left alone, as in PyTorch. Options have PyTorch's names and defaults;
// `maximize` climbs instead of descending. Parameters may be of f32, f64, bf16 or f16: those of 16
// bits have their moments in f32. Not safe from several threads at once.
#pragma once

#include <adjoint/core/slot.h>
#include <adjoint/core/tensor.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace adjoint::optim {

// Slots with options of their own.
template <class Options>
struct ParamGroup {
  std::vector<NamedSlot> slots;
  Options options = {};
};

// What an optimizer remembers. Tensors are named `KIND.PARAMETER` (`exp_avg.fc1.weight`), counts
// likewise (`step.fc1.weight`).
struct OptimizerState {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, int64_t> counts;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // Updates every parameter that has a gradient. Not recorded.
  virtual void step();
  // As torch's step(closure): the closure computes the loss anew, with grad mode on, and its
  // gradients (zero_grad, forward, backward). Returns its first loss.
  virtual double step(const std::function<Tensor()>& closure);

  // Forgets the gradients: they become undefined, so the next backward moves its own in.
  void zero_grad();

  // The learning rate of all groups, or of one. ConfigError for a value that is negative or not
  // finite, IndexError for a group that is not there.
  void set_lr(double lr);
  void set_lr(size_t group, double lr);
  double lr(size_t group = 0) const;
  size_t group_count() const;
  // The momentum of all groups, or the first beta. ConfigError for an optimizer without, or a value
  // outside of [0, 1).
  void set_momentum(double momentum);

  // All slots, group by group.
  const std::vector<NamedSlot>& slots() const { return slots_; }

  // Multiplies every gradient in the next step only, without a pass over memory: what clipping,
  // loss scaling and the mean over accumulated batches want. Factors of several calls are
  // multiplied.
  void scale_gradients_once(double factor) { gradient_scale_ *= factor; }
  double gradient_scale() const { return gradient_scale_; }
  // Forgets the factor, as a step does, and returns it.
  double take_gradient_scale() { return std::exchange(gradient_scale_, 1.0); }

  // Clones; only for parameters that have been updated.
  virtual OptimizerState state() const;
  // Replaces the state. ConfigError naming every entry that is missing, unexpected or of another
  // shape or dtype, before anything changes.
  virtual void load_state(const OptimizerState& state);

 protected:
  static constexpr size_t kMoments = 3;

  // One parameter's memory.
  struct Memory {
    int64_t step = 0;
    std::array<Tensor, kMoments> moments;
  };

  // What an optimizer keeps of a parameter in one place of `moments`: a tensor of the parameter's
  // shape in what its dtype is computed in, unless it says otherwise.
  struct Moment {
    Moment(const char* kind, const Tensor& parameter, size_t at);
    Moment(const char* kind, const Shape& sizes, DType of, size_t at);

    const char* name;
    Shape shape;
    DType dtype;
    size_t place;
  };

  struct Group {
    std::vector<NamedSlot> slots;
    std::vector<Memory> memory;
  };

  // Throws ConfigError for an empty group list, a parameter in two groups, or one that is not
  // floating.
  void add_group(std::vector<NamedSlot> slots);
  virtual double& group_lr(size_t group) = 0;
  // nullptr for an optimizer without.
  virtual double* group_momentum(size_t group) = 0;
  virtual std::vector<Moment> moments(size_t group, const Tensor& parameter) const = 0;
  // One parameter with a gradient, and what is remembered of it; memory.step counts the updates
  // before this one.
  struct Update {
    size_t group;
    const Tensor& parameter;
    Tensor gradient;
    Memory& memory;
  };
  // Updates all of these, or throws before it changes one.
  virtual void update(std::span<const Update> updates, double gradient_scale) = 0;

 private:
  std::vector<Group> groups_;
  std::vector<NamedSlot> slots_;
  double gradient_scale_ = 1;
};

// The part that depends on the type of the options only, which has a `check() const` that throws
// ConfigError.
template <class Options>
class OptimizerOf : public Optimizer {
 public:
  explicit OptimizerOf(std::vector<NamedSlot> slots, const Options& options = {}) {
    add(std::move(slots), options);
  }
  explicit OptimizerOf(std::vector<ParamGroup<Options>> groups) {
    for (ParamGroup<Options>& group : groups) add(std::move(group.slots), group.options);
  }

  // The options of a group, which may be changed between steps.
  Options& options(size_t group = 0) { return options_.at(group); }

 protected:
  const Options& group_options(size_t group) const { return options_[group]; }

 private:
  void add(std::vector<NamedSlot> slots, const Options& options) {
    options.check();
    options_.push_back(options);
    add_group(std::move(slots));
  }
  double& group_lr(size_t group) override { return options_.at(group).lr; }
  double* group_momentum(size_t group) override {
    if constexpr (requires(Options & o) { o.momentum; }) {
      return &options_.at(group).momentum;
    } else if constexpr (requires(Options & o) { o.betas; }) {
      return &options_.at(group).betas[0];
    } else {
      return nullptr;
    }
  }

  std::vector<Options> options_;
};

}  // namespace adjoint::optim
