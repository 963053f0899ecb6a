// How optimizers hand their parameters to core's sweep.
#pragma once

#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/tensor.h>

#include <span>
#include <utility>
#include <vector>

namespace adjoint::optim {

// A moment in what the parameter's dtype is computed in, made at first use.
inline const Tensor* moment(Tensor& tensor, const Tensor& parameter, double initial = 0) {
  if (!tensor.defined()) {
    tensor = full(parameter.shape(), initial, computed_in(parameter.dtype()));
  }
  return &tensor;
}

// A number that is remembered of a parameter.
inline double number(Tensor& tensor, double initial) {
  if (!tensor.defined()) tensor = full({}, initial, DType::f64);
  return *tensor.data<double>();
}
inline void set_number(const Tensor& tensor, double value) {
  *tensor.mutable_data<double>() = value;
}

// The factor of g, which turns an ascent into a descent.
inline double signed_scale(double gradient_scale, bool maximize) {
  return maximize ? -gradient_scale : gradient_scale;
}

// For rules that read no gradient.
inline const Tensor kNoGradient;

// One rule for all updates: prepare(update) is the RuleUpdate of each.
template <class Update, class F>
void sweep_all(std::span<const Update> updates, const F& prepare) {
  std::vector<decltype(prepare(updates[0]))> sweeps;
  sweeps.reserve(updates.size());
  for (const Update& u : updates) sweeps.push_back(prepare(u));
  sweep(std::span(std::as_const(sweeps)));
}

}  // namespace adjoint::optim
