// What the rows of losses have in common.
#pragma once

#include <adjoint/core/losses.h>

#include "core/catalog/builders.h"

namespace adjoint::catalog {

inline std::string name_of(Reduction reduction) {
  constexpr const char* kNames[] = {"none", "mean", "sum", "batchmean"};
  return kNames[static_cast<int>(reduction)];
}

// How PyTorch is told: "reduction='mean'".
inline std::string torch_reduction(Reduction reduction) {
  return "reduction='" + name_of(reduction) + "'";
}

// Losses as their reduction leaves them; `count` of them count for the mean.
inline Tensor reduce_losses(const Array& losses, Reduction reduction, double count) {
  if (reduction == Reduction::none) return losses.tensor();
  Array total((Shape()));
  for (const double v : losses.data) total.data[0] += v;
  if (reduction == Reduction::mean) total.data[0] /= count;
  return total.tensor();
}
inline Tensor reduce_losses(const Array& losses, Reduction reduction) {
  return reduce_losses(losses, reduction, static_cast<double>(losses.data.size()));
}

// Losses in tensors, for definitions.
inline Tensor reduce_tensors(const Tensor& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::mean ? losses.mean() : losses.sum();
}

// Numbers of both signs, away from 0.
inline Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

// A sample of functions of one result.
inline Sample sample(const std::string& name, const Tensors& inputs,
                     std::function<Tensor(const Tensors&)> run,
                     std::function<Tensor(const Tensors&)> reference, const std::string& torch,
                     std::function<Tensor(const Tensors&)> composed = {}) {
  const auto one = [](std::function<Tensor(const Tensors&)> f) -> TensorFunction {
    if (!f) return {};
    return [f = std::move(f)](const Tensors& in) -> Tensors { return {f(in)}; };
  };
  return {name, inputs, one(std::move(run)), one(std::move(reference)), one(std::move(composed)),
          true, torch};
}

// A number as samples are named and PyTorch is told it.
inline std::string text(double v) { return std::to_string(v).substr(0, 5); }

}  // namespace adjoint::catalog
