// Modules one after the other.
#pragma once

#include <adjoint/nn/containers.h>

#include <cstdint>
#include <vector>

namespace adjoint::nn {

// Sequential net(Linear(4, 8), GELU(), Linear(8, 2)): each gets what the one before returned. The
// members are copies, named "0", "1", ..., or as it is said (PyTorch's OrderedDict):
//   Sequential net(std::vector<ModuleEntry>{{"fc1", Linear(4, 8)}, {"act", GELU()}});
class Sequential : public Module<Sequential>, public ModuleSequence {
 public:
  Sequential() : ModuleSequence("Sequential") {}
  template <class First, class... Rest>
  requires(
      std::derived_from<std::remove_cvref_t<First>, ModuleBase> &&
      (sizeof...(Rest) > 0 ||
       !std::same_as<std::remove_cvref_t<First>, Sequential>)) explicit Sequential(First&& first,
                                                                                   Rest&&... rest)
      : Sequential() {
    entries_.reserve(1 + sizeof...(Rest));
    append(std::forward<First>(first));
    (append(std::forward<Rest>(rest)), ...);
  }
  explicit Sequential(std::vector<AnyModule> modules);
  explicit Sequential(std::vector<ModuleEntry> entries);

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override { visit_entries(v); }

  // A copy of elements start to stop, as Python's slices.
  Sequential slice(int64_t start, int64_t stop = INT64_MAX) const;
};

}  // namespace adjoint::nn
