// A model in eval mode for a while.
#pragma once

#include <adjoint/nn/module.h>

#include <utility>
#include <vector>

namespace adjoint::models {

// The model and all below it are in eval mode while it lives; then each is in its own mode again.
class EvalMode {
 public:
  explicit EvalMode(nn::ModuleBase& model) {
    for (const nn::NamedModule& entry : model.named_modules()) {
      before_.emplace_back(entry.module, entry.module->is_training());
    }
    model.eval();
  }
  // train() reaches below: parents come before their children.
  ~EvalMode() {
    for (const auto& [module, training] : before_) module->train(training);
  }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  std::vector<std::pair<nn::ModuleBase*, bool>> before_;
};

}  // namespace adjoint::models
