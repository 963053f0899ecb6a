// Parameters that a backward left without gradient, and why.
//
//   const auto missing = nn::grad_audit(model, [&] { loss(model(x)).backward(); });
//   for (const nn::MissingGradient& m : missing) std::cout << m.to_string() << "\n";
//
//   // router.weight: its path ends at 'argmax' in router, whose result has no gradient
//   // unused.weight: not used
#pragma once

#include <adjoint/core/gradient_paths.h>
#include <adjoint/nn/module.h>

#include <functional>
#include <string>
#include <vector>

namespace adjoint::nn {

struct MissingGradient {
  std::string parameter;  // its path: "encoder.2.attn.q_proj.weight"
  bool frozen;            // it does not require grad
  bool used;              // an operator has read it
  // Where the ways from it end. Those of a frozen parameter are not followed.
  std::vector<PathEnd> ends;

  // A line for people.
  std::string to_string() const;
};

// Watches the operators that this thread runs while it lives: one forward and backward, since it
// remembers all results. Gradients that were there before count: zero_grad() first.
class GradAudit {
 public:
  explicit GradAudit(const ModuleBase& model);
  // The parameters without gradient, in the order of the visit. After backward, while it lives.
  std::vector<MissingGradient> missing() const;

 private:
  std::vector<NamedSlot> parameters_;
  GradientPaths paths_;
};

// The gradients are zeroed, and step, a forward and a backward, is watched.
std::vector<MissingGradient> grad_audit(const ModuleBase& model, const std::function<void()>& step);

}  // namespace adjoint::nn
