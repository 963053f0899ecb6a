#include <adjoint/nn/functional_call.h>
#include <adjoint/nn/grad_audit.h>

namespace adjoint::nn {

std::string MissingGradient::to_string() const {
  if (frozen) return parameter + ": frozen";
  if (!used) return parameter + ": not used";
  std::string text = parameter + ": its path ";
  for (size_t i = 0; i < ends.size(); ++i) {
    text += (i == 0 ? "" : "; it ") + adjoint::to_string(ends[i]);
  }
  return text;
}

GradAudit::GradAudit(const ModuleBase& model)
    : parameters_(model.parameters()), paths_(values_of(parameters_)) {}

std::vector<MissingGradient> GradAudit::missing() const {
  std::vector<MissingGradient> all;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Slot& slot = *parameters_[i].slot;
    if (slot.grad().defined()) continue;
    const bool frozen = !slot.trainable();
    all.push_back({parameters_[i].name, frozen, paths_.used(i),
                   frozen ? std::vector<PathEnd>() : paths_.ends(i)});
  }
  return all;
}

std::vector<MissingGradient> grad_audit(const ModuleBase& model,
                                        const std::function<void()>& step) {
  model.zero_grad();
  const GradAudit audit(model);
  step();
  return audit.missing();
}

}  // namespace adjoint::nn
