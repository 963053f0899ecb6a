// Modules one after the other.
#pragma once

#include <adjoint/nn/module.h>

#include <vector>

namespace adjoint::nn {

// Sequential net(Linear(4, 8), GELU(), Linear(8, 2)): each gets what the one before returned. The
// members are copies, named "0", "1", ...
class Sequential : public Module<Sequential> {
 public:
  Sequential() = default;
  template <class First, class... Rest>
  requires(
      std::derived_from<std::remove_cvref_t<First>, ModuleBase> &&
      (sizeof...(Rest) > 0 ||
       !std::same_as<std::remove_cvref_t<First>, Sequential>)) explicit Sequential(First&& first,
                                                                                   Rest&&... rest) {
    modules_.reserve(1 + sizeof...(Rest));
    modules_.emplace_back(std::forward<First>(first));
    (modules_.emplace_back(std::forward<Rest>(rest)), ...);
  }
  explicit Sequential(std::vector<AnyModule> modules) : modules_(std::move(modules)) {}

  Tensor forward(const Tensor& x) const {
    Tensor y = x;
    for (const AnyModule& module : modules_) y = module(y);
    return y;
  }
  void members(Visitor& v) override;

  void push_back(AnyModule module) { modules_.push_back(std::move(module)); }
  size_t size() const { return modules_.size(); }
  // IndexError outside of [0, size).
  ModuleBase& operator[](size_t i);
  const ModuleBase& operator[](size_t i) const;

 private:
  std::vector<AnyModule> modules_;
};

}  // namespace adjoint::nn
