// The module table: one row a module type and form. What each row gets is in
// tests/nn/module_table_test.cpp and tests/interop/modules.py.
#pragma once

#include <adjoint/nn/module.h>

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "core/catalog/builders.h"

namespace adjoint::nn::table {

using Made = std::unique_ptr<ModuleBase>;
using Tensors = std::vector<Tensor>;

struct Row {
  // The same module of PyTorch, a Python expression; what the row is called by. Where PyTorch has
  // only a function, own("NAME", lambda ...: ...).
  std::string torch;
  std::function<Made()> make;
  // f64 (tests cast them) and whatever else the module takes.
  Tensors inputs;
  std::function<Tensors(const ModuleBase&, const Tensors&)> call;
  // What PyTorch is asked for: of the module m and the inputs x.
  std::string torch_call = "m(*x)";
  // How many of the inputs have gradients, from the first on, where they are floating.
  size_t differentiable = 8;
  // Random in training: compared where it is evaluated.
  bool random = false;
  // False where a call changes the parameters it reads, or a gradient is zero by definition.
  bool gradcheck = true;
};

// All tensors of a result.
template <class Result>
Tensors tensors_of(Result result) {
  Tensors all;
  auto collect = [&all](const Tensor& x) { all.push_back(x); };
  adjoint::detail::each_tensor(collect, result);
  return all;
}

// The module itself, called with as many tensors as there are inputs.
template <class M>
Tensors call_plainly(const ModuleBase& module, const Tensors& x) {
  const M& m = dynamic_cast<const M&>(module);
  using T = const Tensor&;
  if constexpr (nn::detail::kHasForward<M, T>) {
    if (x.size() == 1) return tensors_of(m(x[0]));
  }
  if constexpr (nn::detail::kHasForward<M, T, T>) {
    if (x.size() == 2) return tensors_of(m(x[0], x[1]));
  }
  if constexpr (nn::detail::kHasForward<M, T, T, T>) {
    if (x.size() == 3) return tensors_of(m(x[0], x[1], x[2]));
  }
  if constexpr (nn::detail::kHasForward<M, T, T, T, T>) {
    if (x.size() == 4) return tensors_of(m(x[0], x[1], x[2], x[3]));
  }
  throw std::logic_error(module.type_name() + ": no forward of so many inputs");
}

// A row of what make() returns by value.
template <class F>
Row row(std::string torch, F make, Tensors inputs) {
  using M = std::invoke_result_t<F>;
  Row made;
  made.torch = std::move(torch);
  made.make = [make]() -> Made { return std::make_unique<M>(make()); };
  made.inputs = std::move(inputs);
  made.call = call_plainly<M>;
  return made;
}

// Another call than the plain one, and how PyTorch writes it.
template <class M, class F>
Row with_call(Row made, std::string torch_call, F call) {
  made.torch_call = std::move(torch_call);
  made.call = [call](const ModuleBase& module, const Tensors& x) -> Tensors {
    return call(dynamic_cast<const M&>(module), x);
  };
  return made;
}

inline Row random(Row made) {
  made.random = true;
  return made;
}
// Only the first `count` inputs have gradients.
inline Row of_first(size_t count, Row made) {
  made.differentiable = count;
  return made;
}

// An input of numbers of both signs away from zero, and one in [low, high].
inline Tensor signs(const Shape& shape, uint64_t seed = 1) {
  return catalog::both_signs(shape, 0.2, 1.8, seed);
}
inline Tensor between(double low, double high, const Shape& shape, uint64_t seed = 1) {
  return catalog::spread(shape, low, high, seed);
}

void add_linear(std::vector<Row>& rows);
void add_convolutions(std::vector<Row>& rows);
void add_pools(std::vector<Row>& rows);
void add_norms(std::vector<Row>& rows);
void add_activations(std::vector<Row>& rows);
void add_shapes(std::vector<Row>& rows);
void add_losses(std::vector<Row>& rows);
void add_recurrent(std::vector<Row>& rows);

std::vector<Row> rows();

// The row's module in that dtype, with parameters that are the same numbers each time, and none of
// which is special.
Made made(const Row& row, DType dtype);
// The inputs in that dtype, leaves of their own.
Tensors leaves(const Row& row, DType dtype);

// What the row's module does, by names: "state/NAME" at first; then one step of training (of
// evaluation, where it is random): "in0", "out0", "dy0", which backward starts from, "d0" of the
// inputs, "grad/NAME" of the parameters; "after/NAME", the state then; "eval0", the outputs when
// evaluated after that.
std::map<std::string, Tensor> run(const Row& row, DType dtype);

}  // namespace adjoint::nn::table
