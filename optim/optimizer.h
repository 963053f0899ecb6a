// Optimizers: what changes parameters from their gradients.
//
//   optim::AdamW optimizer({{.slots = matrices, .options = {.lr = 1e-3, .weight_decay = 0.1}},
//                           {.slots = vectors, .options = {.lr = 1e-3, .weight_decay = 0}}});
//   loss.backward();
//   optim::clip_grad_norm_(optimizer, 1.0);
//   optimizer.step();
//   optimizer.zero_grad();
//
// An optimizer holds the slots, not the module: moving the module leaves it valid. A parameter
// without gradient is left alone, as in PyTorch. Not safe from several threads at once.
#pragma once

#include <adjoint/core/slot.h>
#include <adjoint/core/tensor.h>

#include <array>
#include <cstdint>
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
  void step();

  // Forgets the gradients: they become undefined, so the next backward moves its own in.
  void zero_grad();

  // The learning rate of all groups, or of one. ConfigError for a value that is negative or not
  // finite, IndexError for a group that is not there.
  void set_lr(double lr);
  void set_lr(size_t group, double lr);
  double lr(size_t group = 0) const;
  size_t group_count() const;

  // All slots, group by group.
  const std::vector<NamedSlot>& slots() const { return slots_; }

  // Multiplies every gradient in the next step only: clipping without a pass of its own.
  void scale_gradients_once(double factor) { gradient_scale_ = factor; }

  // Clones; only for parameters that have been updated.
  OptimizerState state() const;
  // Replaces the state. ConfigError naming every entry that is missing, unexpected or of another
  // shape or dtype, before anything changes.
  void load_state(const OptimizerState& state);

 protected:
  static constexpr int kMoments = 3;

  // One parameter's memory.
  struct Memory {
    int64_t step = 0;
    std::array<Tensor, kMoments> moments;
  };

  // The names of the moments that this optimizer keeps, in order; `count` of them.
  struct MomentNames {
    std::array<const char*, kMoments> names;
    int count;
  };

  struct Group {
    std::vector<NamedSlot> slots;
    std::vector<Memory> memory;
  };

  // Throws ConfigError for an empty group list, a parameter in two groups, or one that is not
  // floating.
  void add_group(std::vector<NamedSlot> slots);
  virtual double& group_lr(size_t group) = 0;
  virtual MomentNames moment_names(size_t group) const = 0;
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

// The part that depends on the type of the options only.
template <class Options>
class OptimizerOf : public Optimizer {
 public:
  // The options of a group, which may be changed between steps.
  Options& options(size_t group = 0) { return options_.at(group); }

 protected:
  explicit OptimizerOf(std::vector<ParamGroup<Options>> groups) {
    for (ParamGroup<Options>& group : groups) {
      options_.push_back(group.options);
      add_group(std::move(group.slots));
    }
  }
  const Options& group_options(size_t group) const { return options_[group]; }

 private:
  double& group_lr(size_t group) override { return options_.at(group).lr; }

  std::vector<Options> options_;
};

// Stochastic gradient descent with momentum, as torch.optim.SGD:
//   g += weight_decay p;  m = momentum m + (1 - dampening) g (m = g at first);
//   p -= lr (nesterov ? g + momentum m : m).
struct SgdOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};
class Sgd final : public OptimizerOf<SgdOptions> {
 public:
  explicit Sgd(std::vector<NamedSlot> slots, const SgdOptions& options = {});
  explicit Sgd(std::vector<ParamGroup<SgdOptions>> groups);

 private:
  MomentNames moment_names(size_t group) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};
using SGD = Sgd;

// What Adam and AdamW share.
template <class Options>
class AdamOf : public OptimizerOf<Options> {
 protected:
  using typename Optimizer::MomentNames;
  using typename Optimizer::Update;

  AdamOf(const char* name, bool decoupled_decay, std::vector<ParamGroup<Options>> groups);

 private:
  MomentNames moment_names(size_t group) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;

  bool decoupled_decay_;
};

// Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1), as torch.optim.Adam: weight decay is
// added to the gradient. `amsgrad`: Reddi et al. 2018, arXiv 1904.09237.
struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
};
class Adam final : public AdamOf<AdamOptions> {
 public:
  explicit Adam(std::vector<NamedSlot> slots, const AdamOptions& options = {});
  explicit Adam(std::vector<ParamGroup<AdamOptions>> groups);
};

// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2), as
// torch.optim.AdamW: p -= lr weight_decay p comes first.
struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
};
class AdamW final : public AdamOf<AdamWOptions> {
 public:
  explicit AdamW(std::vector<NamedSlot> slots, const AdamWOptions& options = {});
  explicit AdamW(std::vector<ParamGroup<AdamWOptions>> groups);
};

// Splits parameters for weight decay as nanoGPT does: two or more dimensions decay, the others do
// not. {decay, no_decay}.
std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> split_by_dimension(
    const std::vector<NamedSlot>& slots);

}  // namespace adjoint::optim
