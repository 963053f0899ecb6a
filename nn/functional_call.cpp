#include <adjoint/core/error.h>
#include <adjoint/nn/functional_call.h>

#include <algorithm>

namespace adjoint::nn {
namespace {

// The slots by every name they have.
class SlotsByName : public Visitor {
 public:
  std::map<std::string, SlotRef> slots;

 protected:
  void on_slot(const std::string& path, SlotHandle& handle) override {
    slots.emplace(path, handle.slot());
  }
};

}  // namespace

std::vector<Tensor> values_of(const std::vector<NamedSlot>& slots) {
  std::vector<Tensor> values;
  values.reserve(slots.size());
  for (const NamedSlot& s : slots) values.push_back(s.slot->stored());
  return values;
}

ReplacedValues::ReplacedValues(const ModuleBase& module,
                               const std::map<std::string, Tensor>& values) {
  SlotsByName names;
  visit(const_cast<ModuleBase&>(module), names);  // which only makes its ties
  try {
    for (const auto& [name, value] : values) {
      const auto found = names.slots.find(name);
      check(found != names.slots.end(), "functional_call: ", module.type_name(),
            " has no parameter or buffer '", name, "'; expected one of its names");
      replace(name, found->second, value);
    }
  } catch (...) {
    restore();
    throw;
  }
}

ReplacedValues::ReplacedValues(const std::vector<NamedSlot>& slots,
                               const std::vector<Tensor>& values) {
  check(slots.size() == values.size(), "functional_call: ", values.size(), " values for ",
        slots.size(), " parameters; expected as many");
  try {
    for (size_t i = 0; i < slots.size(); ++i) replace(slots[i].name, slots[i].slot, values[i]);
  } catch (...) {
    restore();
    throw;
  }
}

ReplacedValues::~ReplacedValues() { restore(); }

void ReplacedValues::replace(const std::string& name, const SlotRef& slot, const Tensor& value) {
  check(value.defined(), "functional_call: the value of '", name,
        "' is undefined; expected a tensor of shape ", slot->shape());
  check<ShapeError>(value.shape() == slot->shape(), "functional_call: a value of shape ",
                    value.shape(), " for '", name, "'; expected ", slot->shape());
  const auto tied = std::find_if(replaced_.begin(), replaced_.end(),
                                 [&slot](const Replaced& r) { return r.slot == slot; });
  if (tied != replaced_.end()) {
    check(tied->value.impl() == value.impl(), "functional_call: two values for '", name,
          "', which is tied to another name; expected one");
    return;
  }
  replaced_.push_back({slot, value, slot->set_compute([value](const Tensor&) { return value; })});
}

void ReplacedValues::restore() noexcept {
  for (Replaced& r : replaced_) r.slot->set_compute(std::move(r.before));
  replaced_.clear();
}

}  // namespace adjoint::nn
