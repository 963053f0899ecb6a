// A module as a function of its parameters.
//
//   const std::vector<NamedSlot> slots = model.parameters();
//   const auto loss = [&](const std::vector<Tensor>& values) -> std::vector<Tensor> {
//     return {mse_loss(nn::functional_call(model, slots, values, x), y)};
//   };
//   const auto H = hessian(loss, nn::values_of(slots));   // [i][j], by parameters i and j
//
// As torch.func.functional_call: during the call forward sees other tensors in the place of some
// parameters and buffers, with their history; what the module keeps is not touched. A buffer that
// forward writes is written where it is, not in the tensor that stands for it. One thread at a time
// may use the module meanwhile.
#pragma once

#include <adjoint/core/slot.h>
#include <adjoint/nn/module.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace adjoint::nn {

// What the slots keep: leaves, those of parameters with a gradient.
std::vector<Tensor> values_of(const std::vector<NamedSlot>& slots);

// While it lives other tensors are read in the place of values. Restores what was before.
class ReplacedValues {
 public:
  // By path. Parameters and buffers that are not named stay; tied ones are replaced under any of
  // their names. Throws Error for a name that the module has not, an undefined tensor, or different
  // ones for tied names; ShapeError for another shape. A dtype may differ.
  ReplacedValues(const ModuleBase& module, const std::map<std::string, Tensor>& values);
  // One value for each slot. Errors likewise.
  ReplacedValues(const std::vector<NamedSlot>& slots, const std::vector<Tensor>& values);
  ~ReplacedValues();
  ReplacedValues(const ReplacedValues&) = delete;
  ReplacedValues& operator=(const ReplacedValues&) = delete;

 private:
  void replace(const std::string& name, const SlotRef& slot, const Tensor& value);
  void restore() noexcept;

  struct Replaced {
    SlotRef slot;
    Tensor value;
    Slot::Compute before;
  };
  std::vector<Replaced> replaced_;
};

// module(args...), with these values.
template <class M, class... Args>
auto functional_call(const M& module, const std::map<std::string, Tensor>& values, Args&&... args) {
  const ReplacedValues replaced(module, values);
  return module(std::forward<Args>(args)...);
}
template <class M, class... Args>
auto functional_call(const M& module, const std::vector<NamedSlot>& slots,
                     const std::vector<Tensor>& values, Args&&... args) {
  const ReplacedValues replaced(slots, values);
  return module(std::forward<Args>(args)...);
}

}  // namespace adjoint::nn
