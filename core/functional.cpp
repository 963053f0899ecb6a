#include <adjoint/core/autograd.h>
#include <adjoint/core/functional.h>

#include <algorithm>

#include "core/autograd/op.h"

namespace adjoint {
namespace {

bool differentiable(const Tensor& x) { return x.defined() && is_floating_point(x.dtype()); }

// The same elements as a node of its own, so that gradients with respect to it stop here: neither
// another use of x nor x's influence on other inputs counts.
Tensor separate_input(const Tensor& x, bool recorded) {
  if (!recorded || !x.requires_grad()) return x.detach().requires_grad_();
  const Op op("vjp", {x});
  return op.differentiable(make_view(x, x.shape(), x.strides(), x.impl()->offset),
                           [](const Backward& b) -> Grads { return {b.dy(0)}; });
}

}  // namespace

std::pair<std::vector<Tensor>, std::vector<Tensor>> vjp(const TensorFunction& fn,
                                                        const std::vector<Tensor>& inputs,
                                                        const std::vector<Tensor>& grad_outputs) {
  // Without history in what is given there is nothing to differentiate again.
  const bool recorded =
      grad_enabled() && (std::any_of(inputs.begin(), inputs.end(), wants_grad) ||
                         std::any_of(grad_outputs.begin(), grad_outputs.end(), wants_grad));
  const EnableGrad guard;
  std::vector<Tensor> separate = inputs, wanted;
  for (Tensor& x : separate) {
    if (!differentiable(x)) continue;
    x = separate_input(x, recorded);
    wanted.push_back(x);
  }
  std::vector<Tensor> outputs = fn(separate);
  check<AutogradError>(grad_outputs.empty() || grad_outputs.size() == outputs.size(),
                       "vjp: ", grad_outputs.size(), " gradients for ", outputs.size(),
                       " outputs; expected as many, or none");
  std::vector<Tensor> counted, gradients;
  for (size_t i = 0; i < outputs.size(); ++i) {
    const bool given = !grad_outputs.empty();
    if (!wants_grad(outputs[i]) || (given && !grad_outputs[i].defined())) continue;
    counted.push_back(outputs[i]);
    if (given) gradients.push_back(grad_outputs[i]);
  }
  std::vector<Tensor> found(wanted.size());
  if (!counted.empty() && !wanted.empty()) {
    found = grad(counted, wanted,
                 {.grad_outputs = gradients, .create_graph = recorded, .allow_unused = true});
  }
  std::vector<Tensor> results(inputs.size());
  for (size_t i = 0, next = 0; i < inputs.size(); ++i) {
    if (!differentiable(inputs[i])) continue;
    results[i] = found[next].defined() ? found[next] : zeros_like(inputs[i]);
    ++next;
  }
  if (!recorded) {
    for (Tensor& y : outputs) y = y.detach();
    for (Tensor& x : results) {
      if (x.defined()) x = x.detach();
    }
  }
  return {std::move(outputs), std::move(results)};
}

}  // namespace adjoint
