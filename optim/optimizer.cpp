#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/optim/optimizer.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace adjoint::optim {
namespace {

void check_range(const char* op, const char* field, double value, double low, double high) {
  check<ConfigError>(value >= low && value < high, op, ": ", field, ": out of range: ", value,
                     "; expected a value in [", low, ", ", high, ")");
}

void check_lr(double lr) {
  check<ConfigError>(std::isfinite(lr) && lr >= 0, "optimizer: lr: out of range: ", lr,
                     "; expected a finite value of 0 or more");
}

constexpr double kNoLimit = 1e300;

template <class Options>
void check_adam(const char* op, const Options& o) {
  check_lr(o.lr);
  check_range(op, "betas[0]", o.betas[0], 0, 1);
  check_range(op, "betas[1]", o.betas[1], 0, 1);
  check_range(op, "eps", o.eps, 0, kNoLimit);
  check_range(op, "weight_decay", o.weight_decay, 0, kNoLimit);
}

template <class Options>
std::vector<ParamGroup<Options>> one_group(std::vector<NamedSlot> slots, const Options& options) {
  std::vector<ParamGroup<Options>> groups;
  groups.push_back({std::move(slots), options});
  return groups;
}

// A moment of zeros in what the parameter's dtype is computed in, at first use.
Tensor& moment(Tensor& tensor, const Tensor& parameter) {
  if (!tensor.defined()) tensor = zeros(parameter.shape(), computed_in(parameter.dtype()));
  return tensor;
}

const Tensor kNone;

}  // namespace

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
  const double scale = std::exchange(gradient_scale_, 1.0);
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

size_t Optimizer::group_count() const { return groups_.size(); }

OptimizerState Optimizer::state() const {
  OptimizerState state;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    const MomentNames moments = moment_names(g);
    for (size_t i = 0; i < group.slots.size(); ++i) {
      const Memory& memory = group.memory[i];
      if (memory.step == 0) continue;
      const std::string& name = group.slots[i].name;
      state.counts["step." + name] = memory.step;
      for (int m = 0; m < moments.count; ++m) {
        const Tensor& tensor = memory.moments[static_cast<size_t>(m)];
        if (tensor.defined()) {
          state.tensors[std::string(moments.names[static_cast<size_t>(m)]) + "." + name] =
              tensor.detach().clone();
        }
      }
    }
  }
  return state;
}

void Optimizer::load_state(const OptimizerState& state) {
  std::string problems;
  const auto complain = [&problems](const std::string& text) {
    problems += (problems.empty() ? "" : "; ") + text;
  };
  std::set<std::string> used;
  std::vector<std::vector<Memory>> loaded;
  for (size_t g = 0; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    const MomentNames moments = moment_names(g);
    auto& memories = loaded.emplace_back(group.slots.size());
    for (size_t i = 0; i < group.slots.size(); ++i) {
      const std::string& name = group.slots[i].name;
      const Tensor& parameter = group.slots[i].slot->stored();
      const auto step = state.counts.find("step." + name);
      if (step == state.counts.end()) continue;  // never updated
      used.insert(step->first);
      memories[i].step = step->second;
      if (step->second < 1) {
        complain("'" + step->first + "' is " + std::to_string(step->second) +
                 ", a count of updates; expected 1 or more");
      }
      for (int m = 0; m < moments.count; ++m) {
        const std::string key = std::string(moments.names[static_cast<size_t>(m)]) + "." + name;
        const auto tensor = state.tensors.find(key);
        if (tensor == state.tensors.end()) {
          complain("missing '" + key + "'");
          continue;
        }
        used.insert(key);
        if (tensor->second.shape() != parameter.shape() ||
            tensor->second.dtype() != computed_in(parameter.dtype())) {
          complain("'" + key + "' has shape " + to_string(tensor->second.shape()) + " and dtype " +
                   adjoint::name(tensor->second.dtype()) + ", the parameter's would be " +
                   to_string(parameter.shape()) + " and " +
                   adjoint::name(computed_in(parameter.dtype())));
          continue;
        }
        memories[i].moments[static_cast<size_t>(m)] = tensor->second.detach().clone();
      }
    }
  }
  for (const auto& entry : state.tensors) {
    if (!used.contains(entry.first)) complain("unexpected '" + entry.first + "'");
  }
  for (const auto& entry : state.counts) {
    if (!used.contains(entry.first)) complain("unexpected '" + entry.first + "'");
  }
  check<ConfigError>(problems.empty(), "optimizer: state does not fit: ", problems,
                     "; expected the state of an optimizer of the same kind and parameters");
  for (size_t g = 0; g < groups_.size(); ++g) groups_[g].memory = std::move(loaded[g]);
}

// --- SGD ---

Sgd::Sgd(std::vector<NamedSlot> slots, const SgdOptions& options)
    : Sgd(one_group(std::move(slots), options)) {}

Sgd::Sgd(std::vector<ParamGroup<SgdOptions>> groups) : OptimizerOf(std::move(groups)) {
  for (size_t g = 0; g < group_count(); ++g) {
    const SgdOptions& o = group_options(g);
    check_lr(o.lr);
    check_range("Sgd", "momentum", o.momentum, 0, kNoLimit);
    check_range("Sgd", "weight_decay", o.weight_decay, 0, kNoLimit);
    check<ConfigError>(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
                       "Sgd: nesterov: momentum ", o.momentum, " and dampening ", o.dampening,
                       "; expected momentum > 0 and dampening 0");
  }
}

Optimizer::MomentNames Sgd::moment_names(size_t group) const {
  return {{"momentum_buffer"}, group_options(group).momentum != 0 ? 1 : 0};
}

void Sgd::update(std::span<const Update> updates, double gradient_scale) {
  std::vector<SgdUpdate> sweeps;
  sweeps.reserve(updates.size());
  for (const Update& u : updates) {
    const SgdOptions& o = group_options(u.group);
    Tensor& buffer = u.memory.moments[0];
    const bool first = !buffer.defined();
    if (o.momentum != 0) moment(buffer, u.parameter);
    sweeps.push_back({u.parameter,
                      u.gradient,
                      o.momentum != 0 ? buffer : kNone,
                      {.lr = o.lr,
                       .momentum = o.momentum,
                       .dampening = o.dampening,
                       .weight_decay = o.weight_decay,
                       .gradient_scale = gradient_scale,
                       .nesterov = o.nesterov,
                       .first_step = first}});
  }
  sgd_sweep(sweeps);
}

// --- Adam and AdamW ---

template <class Options>
AdamOf<Options>::AdamOf(const char* name, bool decoupled_decay,
                        std::vector<ParamGroup<Options>> groups)
    : OptimizerOf<Options>(std::move(groups)), decoupled_decay_(decoupled_decay) {
  for (size_t g = 0; g < this->group_count(); ++g) check_adam(name, this->group_options(g));
}

template <class Options>
Optimizer::MomentNames AdamOf<Options>::moment_names(size_t group) const {
  return {{"exp_avg", "exp_avg_sq", "max_exp_avg_sq"}, this->group_options(group).amsgrad ? 3 : 2};
}

template <class Options>
void AdamOf<Options>::update(std::span<const Update> updates, double gradient_scale) {
  std::vector<AdamUpdate> sweeps;
  sweeps.reserve(updates.size());
  for (const Update& u : updates) {
    const Options& o = this->group_options(u.group);
    auto& moments = u.memory.moments;
    sweeps.push_back({u.parameter,
                      u.gradient,
                      moment(moments[0], u.parameter),
                      moment(moments[1], u.parameter),
                      o.amsgrad ? moment(moments[2], u.parameter) : kNone,
                      {.lr = o.lr,
                       .beta1 = o.betas[0],
                       .beta2 = o.betas[1],
                       .eps = o.eps,
                       .weight_decay = o.weight_decay,
                       .step = u.memory.step + 1,
                       .gradient_scale = gradient_scale,
                       .decoupled_decay = decoupled_decay_}});
  }
  adam_sweep(sweeps);
}

template class AdamOf<AdamOptions>;
template class AdamOf<AdamWOptions>;

Adam::Adam(std::vector<NamedSlot> slots, const AdamOptions& options)
    : Adam(one_group(std::move(slots), options)) {}

Adam::Adam(std::vector<ParamGroup<AdamOptions>> groups)
    : AdamOf("Adam", false, std::move(groups)) {}

AdamW::AdamW(std::vector<NamedSlot> slots, const AdamWOptions& options)
    : AdamW(one_group(std::move(slots), options)) {}

AdamW::AdamW(std::vector<ParamGroup<AdamWOptions>> groups)
    : AdamOf("AdamW", true, std::move(groups)) {}

std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> split_by_dimension(
    const std::vector<NamedSlot>& slots) {
  std::pair<std::vector<NamedSlot>, std::vector<NamedSlot>> result;
  for (const NamedSlot& s : slots) {
    (s.slot->stored().dim() >= 2 ? result.first : result.second).push_back(s);
  }
  return result;
}

}  // namespace adjoint::optim
