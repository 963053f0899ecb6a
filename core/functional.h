// Differentiation as a function of functions.
#pragma once

#include <adjoint/core/tensor.h>

#include <functional>
#include <utility>
#include <vector>

namespace adjoint {

using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

// The outputs of fn at `inputs`, and the vector-Jacobian product: for each input the derivative of
// the sum of outputs . grad_outputs, whether the input requires grad or not. Each input counts by
// itself: it may be the same tensor as another, or depend on one. What needs no gradient is better
// captured by fn than passed as an input.
//
// An input that is undefined or not of a floating dtype is passed on and has an undefined gradient;
// one without influence has zeros. grad_outputs: one for each output; where undefined, or where the
// output is no function of the inputs, the output does not count. Empty: ones, and every output has
// one element.
//
// With grad mode on, outputs and gradients are recorded with respect to inputs and grad_outputs
// alike, so they can be differentiated again. Otherwise they carry no history. No grad attribute is
// touched. Throws AutogradError or ShapeError where the counts or shapes do not fit.
std::pair<std::vector<Tensor>, std::vector<Tensor>> vjp(
    const TensorFunction& fn, const std::vector<Tensor>& inputs,
    const std::vector<Tensor>& grad_outputs = {});

}  // namespace adjoint
