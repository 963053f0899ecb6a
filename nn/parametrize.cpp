#include <adjoint/core/autograd.h>
#include <adjoint/nn/parametrize.h>

namespace adjoint::nn {
namespace {

class OfSlot final : public Slot::Parametrization {
 public:
  OfSlot() = default;
  explicit OfSlot(const ParametrizationList& other) : list(other) {}
  Tensor value(const Tensor& original) const override { return list(original); }
  std::unique_ptr<Parametrization> clone() const override { return std::make_unique<OfSlot>(list); }
  void assign(const Parametrization& other) override {
    list = dynamic_cast<const OfSlot&>(other).list;
  }

  ParametrizationList list;
};

// The module's own handle on a slot, parametrized or not.
class FindSlot : public Visitor {
 public:
  explicit FindSlot(const std::string& name)
      : name_(name), list_("parametrizations." + name), original_(list_ + ".original") {}
  SlotRef slot;

 protected:
  bool enter(const std::string& path, ModuleBase&) override {
    return path.empty() || path == list_;
  }
  void on_slot(const std::string& path, SlotHandle& handle) override {
    const bool plain = path == name_;
    const bool last = handle.slot()->parametrization() != nullptr && path.starts_with(original_);
    if (plain || last) slot = handle.slot();
  }

 private:
  std::string name_, list_, original_;
};

SlotRef find_slot(const char* op, ModuleBase& module, const std::string& name) {
  FindSlot visitor(name);
  visit(module, visitor);
  check(visitor.slot != nullptr, op, ": ", module.type_name(), " has no parameter or buffer \"",
        name, "\" of its own; expected one of its names");
  return visitor.slot;
}

}  // namespace

Tensor ParametrizationList::forward(const Tensor& last) const {
  std::vector<Tensor> originals;
  originals.reserve(others_.size() + 1);
  for (const Parameter& other : others_) originals.push_back(other);
  originals.push_back(last);
  return value_of(originals);
}

Tensor ParametrizationList::value_of(const std::vector<Tensor>& originals) const {
  Tensor value;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const detail::ParametrizationStep& step = steps_[i];
    value = step.compute(step.module.get(), i == 0 ? std::span<const Tensor>(originals)
                                                   : std::span<const Tensor>(&value, 1));
  }
  return value;
}

void ParametrizationList::members(Visitor& v) {
  const auto name = [this](size_t i) {
    return others_.empty() ? std::string("original") : "original" + std::to_string(i);
  };
  for (size_t i = 0; i < others_.size(); ++i) v(name(i), others_[i]);
  v.original(name(others_.size()));
  for (size_t i = 0; i < steps_.size(); ++i) v(std::to_string(i), steps_[i].module);
}

void ParametrizationList::append(Slot& slot, detail::ParametrizationStep step, bool unsafe) {
  const NoGrad no_grad;
  const Tensor before = steps_.empty() ? slot.stored() : forward(slot.stored());
  const bool first = steps_.empty();
  const ModuleBase& module = step.module.get();
  std::vector<Tensor> originals{before};
  if (first) originals = step.right_inverse(module, before);
  for (const Tensor& x : originals) {
    check(x.defined(), "register_parametrization: the right_inverse of ", module.type_name(),
          " gives an undefined tensor; expected originals");
  }
  if (!unsafe) {
    const Tensor value = step.compute(module, originals);
    check<ShapeError>(value.shape() == before.shape(),
                      "register_parametrization: ", module.type_name(), " makes shape ",
                      value.shape(), " of ", before.shape(),
                      "; expected the same, or the option unsafe");
    check<DTypeError>(value.dtype() == before.dtype(),
                      "register_parametrization: ", module.type_name(), " makes dtype ",
                      value.dtype(), " of ", before.dtype(),
                      "; expected the same, or the option unsafe");
  }
  if (first) set_originals(slot, originals);
  steps_.push_back(std::move(step));
}

void ParametrizationList::set_originals(Slot& slot, const std::vector<Tensor>& originals) {
  check(!originals.empty(),
        "register_parametrization: right_inverse gives no tensor; expected one");
  for (size_t i = 0; i + 1 < originals.size(); ++i) {
    const auto other = std::make_shared<Slot>(originals[i], slot.kind(), slot.persistent());
    if (!slot.is_buffer()) other->set_trainable(slot.trainable());
    others_.emplace_back(other);
  }
  const Tensor& last = originals.back();
  if (last.impl() == slot.stored().impl()) return;
  if (last.shape() == slot.shape() && last.dtype() == slot.dtype()) {
    slot.write(last);
  } else {
    slot.replace(last);
  }
}

ParametrizationList* parametrization_of(const Slot& slot) {
  if (slot.parametrization() == nullptr) return nullptr;
  auto* found = dynamic_cast<OfSlot*>(slot.parametrization());
  return found == nullptr ? nullptr : &found->list;
}

namespace utils {

Tensor detail::value_of(ModuleBase& module, const std::string& name) {
  const NoGrad no_grad;
  return find_slot("register_parametrization", module, name)->value();
}

void detail::add_parametrization(ModuleBase& module, const std::string& name,
                                 nn::detail::ParametrizationStep step, bool unsafe) {
  const SlotRef slot = find_slot("register_parametrization", module, name);
  step.module.get().train(module.is_training());
  if (ParametrizationList* list = parametrization_of(*slot)) {
    list->append(*slot, std::move(step), unsafe);
    return;
  }
  auto made = std::make_unique<OfSlot>();
  made->list.train(module.is_training());
  made->list.append(*slot, std::move(step), unsafe);
  slot->set_parametrization(std::move(made));
}

bool is_parametrized(const ModuleBase& module, const std::string& name) {
  for (const NamedModule& child : const_cast<ModuleBase&>(module).named_children()) {
    const std::string_view prefix = "parametrizations.";
    if (!child.name.starts_with(prefix)) continue;
    if (name.empty() || child.name.substr(prefix.size()) == name) return true;
  }
  return false;
}

void remove_parametrizations(ModuleBase& module, const std::string& name, bool leave_parametrized) {
  const SlotRef slot = find_slot("remove_parametrizations", module, name);
  const ParametrizationList* list = parametrization_of(*slot);
  check(list != nullptr, "remove_parametrizations: \"", name, "\" of ", module.type_name(),
        " is not parametrized; expected a name for which is_parametrized() says so");
  check<ConfigError>(leave_parametrized || list->originals() == 1, "remove_parametrizations: \"",
                     name, "\" of ", module.type_name(), " has ", list->originals(),
                     " originals; expected leave_parametrized");
  const NoGrad no_grad;
  const Tensor value = leave_parametrized ? slot->value() : Tensor();
  slot->set_parametrization(nullptr);
  if (!value.defined()) return;
  if (value.shape() == slot->shape() && value.dtype() == slot->dtype()) {
    slot->write(value);
  } else {
    slot->replace(value);
  }
}

}  // namespace utils
}  // namespace adjoint::nn
