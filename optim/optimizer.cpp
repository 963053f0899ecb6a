#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/optim/optimizer.h>

#include <cmath>
#include <set>

#include "optim/common/checks.h"

namespace adjoint::optim {

Optimizer::Moment::Moment(const char* kind, const Tensor& parameter, size_t at)
    : Moment(kind, parameter.shape(), computed_in(parameter.dtype()), at) {}

Optimizer::Moment::Moment(const char* kind, const Shape& sizes, DType of, size_t at)
    : name(kind), shape(sizes), dtype(of), place(at) {}

void Optimizer::add_group(std::vector<NamedSlot> slots) {
  check<ConfigError>(!slots.empty(), "optimizer: group ", groups_.size(),
                     " has no parameters; expected at least one");
  std::set<const Slot*> known;
  for (const Group& group : groups_) {
    for (const NamedSlot& s : group.slots) known.insert(s.slot.get());
  }
  for (const NamedSlot& s : slots) {
    check<ConfigError>(known.insert(s.slot.get()).second, "optimizer: parameter '", s.name,
                       "' is given twice; expected each in one group");
    check<ConfigError>(is_floating_point(s.slot->stored().dtype()), "optimizer: parameter '",
                       s.name, "' is of dtype ", s.slot->stored().dtype(),
                       "; expected a floating dtype");
  }
  Group group;
  group.memory.resize(slots.size());
  slots_.insert(slots_.end(), slots.begin(), slots.end());
  group.slots = std::move(slots);
  groups_.push_back(std::move(group));
}

void Optimizer::step() {
  const NoGrad guard;
  const double scale = take_gradient_scale();
  size_t count = 0;
  for (const Group& group : groups_) count += group.slots.size();
  std::vector<Update> updates;
  updates.reserve(count);
  for (size_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    for (size_t i = 0; i < group.slots.size(); ++i) {
      const Tensor& parameter = group.slots[i].slot->stored();
      Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      updates.push_back({g, parameter, std::move(gradient), group.memory[i]});
    }
  }
  update(updates, scale);
  for (const Update& u : updates) ++u.memory.step;
}

double Optimizer::step(const std::function<Tensor()>& closure) {
  double loss = 0;
  {
    const EnableGrad recorded;
    loss = closure().item();
  }
  step();
  return loss;
}

void Optimizer::zero_grad() {
  for (const Group& group : groups_) {
    for (const NamedSlot& s : group.slots) s.slot->stored().zero_grad();
  }
}

void Optimizer::set_lr(double lr) {
  for (size_t g = 0; g < groups_.size(); ++g) set_lr(g, lr);
}

void Optimizer::set_lr(size_t group, double lr) {
  check_lr(lr);
  check<IndexError>(group < groups_.size(), "set_lr: no group ", group, "; expected one of ",
                    groups_.size());
  group_lr(group) = lr;
}

double Optimizer::lr(size_t group) const {
  check<IndexError>(group < groups_.size(), "lr: no group ", group, "; expected one of ",
                    groups_.size());
  return const_cast<Optimizer*>(this)->group_lr(group);
}

void Optimizer::set_momentum(double momentum) {
  check_range("optimizer", "momentum", momentum, 0, 1);
  for (size_t g = 0; g < groups_.size(); ++g) {
    double* of_group = group_momentum(g);
    check<ConfigError>(of_group != nullptr,
                       "set_momentum: the optimizer has none; expected options with momentum or "
                       "betas");
    *of_group = momentum;
  }
}

size_t Optimizer::group_count() const { return groups_.size(); }

namespace {

std::string key_of(const char* kind, const std::string& parameter) {
  return std::string(kind) + "." + parameter;
}

}  // namespace

OptimizerState Optimizer::state() const {
  OptimizerState state;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    for (size_t i = 0; i < group.slots.size(); ++i) {
      const Memory& memory = group.memory[i];
      if (memory.step == 0) continue;
      const NamedSlot& slot = group.slots[i];
      state.counts[key_of("step", slot.name)] = memory.step;
      for (const Moment& moment : moments(g, slot.slot->stored())) {
        const Tensor& tensor = memory.moments[moment.place];
        if (tensor.defined()) {
          state.tensors[key_of(moment.name, slot.name)] = tensor.detach().clone();
        }
      }
    }
  }
  return state;
}

void Optimizer::load_state(const OptimizerState& state) {
  StateReader reader(state);
  std::vector<std::vector<Memory>> loaded;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    auto& memories = loaded.emplace_back(group.slots.size());
    for (size_t i = 0; i < group.slots.size(); ++i) {
      const NamedSlot& slot = group.slots[i];
      const int64_t* step = reader.count(key_of("step", slot.name));
      if (step == nullptr) continue;  // never updated
      memories[i].step = *step;
      for (const Moment& moment : moments(g, slot.slot->stored())) {
        memories[i].moments[moment.place] =
            reader.tensor(key_of(moment.name, slot.name), moment.shape, moment.dtype);
      }
    }
  }
  reader.finish();
  for (size_t g = 0; g < groups_.size(); ++g) groups_[g].memory = std::move(loaded[g]);
}

}  // namespace adjoint::optim
