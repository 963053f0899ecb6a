// The values of a model by name, as files hold them.
#pragma once

#include <adjoint/core/tensor.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace adjoint::nn {

// Parameters and persistent buffers in the order of the visit. The tensors share the model's
// elements, without history: clone() those that are to outlive the next training step.
struct StateDict {
  std::vector<std::pair<std::string, Tensor>> tensors;
  // Tied names: {"lm_head.weight", "transformer.wte.weight"}; the second one is in `tensors`.
  std::map<std::string, std::string> aliases;

  // Undefined if there is none of that name; aliases are followed.
  Tensor find(const std::string& name) const;
  // Without the aliases.
  std::map<std::string, Tensor> to_map() const;
};

// The state under other names: those that `name` gives, without the entries for which it gives "".
// Error where two get one name.
std::map<std::string, Tensor> rename_keys(
    const std::map<std::string, Tensor>& state,
    const std::function<std::string(const std::string& name)>& name);
// What stands under a prefix ("encoder."), without it: a part of a model, or what another program
// put around one ("module.", "_orig_mod.").
std::map<std::string, Tensor> below_prefix(const std::map<std::string, Tensor>& state,
                                           const std::string& prefix);

// What did not fit when a state was loaded.
struct LoadReport {
  std::vector<std::string> missing;     // the model has them, the state does not
  std::vector<std::string> unexpected;  // the other way round
  // Both have them, with other shapes, with kinds of dtype that do not convert (numbers and
  // integers), or, for names that the model ties, with different values. A line each.
  std::vector<std::string> mismatched;

  bool ok() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  // "missing: a.weight, b.bias; unexpected: ...".
  std::string message() const;
};

}  // namespace adjoint::nn
