#include <adjoint/nn/lazy.h>

namespace adjoint::nn::detail {

Evaluating::Evaluating(ModuleBase& model) {
  for (const NamedModule& named : model.named_modules()) {
    before_.emplace_back(named.module, named.module->is_training());
  }
  model.eval();
}

// Parents before children, for a parent's mode reaches all below it.
Evaluating::~Evaluating() {
  for (const auto& [module, training] : before_) module->train(training);
}

}  // namespace adjoint::nn::detail
