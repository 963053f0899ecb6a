#include "tests/nn/modules/table.h"

#include <adjoint/core/autograd.h>
#include <adjoint/core/layout.h>

namespace adjoint::nn::table {
namespace {

bool floating(const Tensor& x) { return is_floating_point(x.dtype()); }

std::string numbered(const char* what, size_t i) { return what + std::to_string(i); }

}  // namespace

std::vector<Row> rows() {
  std::vector<Row> all;
  add_linear(all);
  add_convolutions(all);
  add_pools(all);
  add_norms(all);
  add_activations(all);
  add_shapes(all);
  add_losses(all);
  add_recurrent(all);
  return all;
}

Made made(const Row& row, DType dtype) {
  Made module = row.make();
  uint64_t seed = 50;
  for (const NamedSlot& p : module->parameters()) {
    p.slot->write(catalog::both_signs(p.slot->shape(), 0.1, 0.9, ++seed));
  }
  module->to(dtype);
  return module;
}

Tensors leaves(const Row& row, DType dtype) {
  Tensors result;
  for (const Tensor& x : row.inputs) {
    Tensor leaf = (floating(x) ? x.to(dtype) : x).detach().clone();
    if (floating(x) && result.size() < row.differentiable) leaf.requires_grad_();
    result.push_back(std::move(leaf));
  }
  return result;
}

std::map<std::string, Tensor> run(const Row& row, DType dtype) {
  std::map<std::string, Tensor> out;
  const auto put = [&out](const std::string& name, const Tensor& x) {
    out[name] = x.detach().clone().contiguous();
  };
  const Made module = made(row, dtype);
  module->train(!row.random);
  for (const auto& [name, x] : module->state_dict().tensors) put("state/" + name, x);
  const Tensors inputs = leaves(row, dtype);
  for (size_t i = 0; i < inputs.size(); ++i) put(numbered("in", i), inputs[i]);

  const Tensors y = row.call(*module, inputs);
  Tensors outputs, directions;
  for (size_t i = 0; i < y.size(); ++i) {
    put(numbered("out", i), y[i]);
    if (!y[i].requires_grad()) continue;
    outputs.push_back(y[i]);
    directions.push_back(catalog::both_signs(y[i].shape(), 0.2, 1.8, 90 + i).to(y[i].dtype()));
    put(numbered("dy", i), directions.back());
  }
  if (!outputs.empty()) backward(outputs, directions);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].grad().defined()) put(numbered("d", i), inputs[i].grad());
  }
  for (const NamedSlot& p : module->parameters()) {
    if (p.slot->grad().defined()) put("grad/" + p.name, p.slot->grad());
  }
  for (const auto& [name, x] : module->state_dict().tensors) put("after/" + name, x);

  module->eval();
  const NoGrad no_grad;
  const Tensors evaluated = row.call(*module, inputs);
  for (size_t i = 0; i < evaluated.size(); ++i) put(numbered("eval", i), evaluated[i]);
  return out;
}

}  // namespace adjoint::nn::table
