// Differentiation as a function of functions, as torch.autograd.functional.
//
//   const Tensor H = hessian([](const Tensor& x) { return sum(exp(x) * x); }, x);   // (n, n)
//
// fn is called with the inputs as tensors of their own: each counts by itself, whether it requires
// grad or not; it may be the same tensor as another, or depend on one. What needs no gradient is
// better captured by fn than passed as an input. An input that is undefined or not of a floating
// dtype is passed on, and everything with respect to it is undefined; one without influence has
// zeros.
//
// With grad mode on, results are recorded with respect to those inputs and vectors that require
// grad, so they can be differentiated again; otherwise they carry no history. No grad attribute is
// touched. Throws AutogradError or ShapeError where the counts or shapes of vectors do not fit.
// Any thread; fn runs on the caller's.
#pragma once

#include <adjoint/core/tensor.h>

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

namespace adjoint {

using TensorFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

struct FunctionalOptions {
  bool create_graph = false;  // record also with respect to what fn captures
  bool strict = false;        // AutogradError where zeros would stand for no influence at all
};

// The outputs of fn at `inputs`, and the vector-Jacobian product: for each input the derivative of
// the sum of outputs . grad_outputs. grad_outputs: one for each output; where undefined, or where
// the output is no function of the inputs, the output does not count. Empty: ones, and every output
// has one element.
std::pair<std::vector<Tensor>, std::vector<Tensor>> vjp(
    const TensorFunction& fn, const std::vector<Tensor>& inputs,
    const std::vector<Tensor>& grad_outputs = {}, const FunctionalOptions& options = {});

// The outputs, and the Jacobian-vector product: for each output its derivative along v, which has a
// tensor of each input's shape, or an undefined one for zeros. Empty: ones, and every input has one
// element. Costs two backwards: the product is the derivative of the vjp by its vector. What is no
// floating result has an undefined derivative.
std::pair<std::vector<Tensor>, std::vector<Tensor>> jvp(const TensorFunction& fn,
                                                        const std::vector<Tensor>& inputs,
                                                        const std::vector<Tensor>& v = {},
                                                        const FunctionalOptions& options = {});

// Of each output by each input, [output][input], of shape output.shape + input.shape. Costs a
// backward for each element of the outputs: a graph takes one gradient at a time.
std::vector<std::vector<Tensor>> jacobian(const TensorFunction& fn,
                                          const std::vector<Tensor>& inputs,
                                          const FunctionalOptions& options = {});

// The second derivatives of fn, whose result is one tensor of one element: [i][j], of shape
// inputs[i].shape + inputs[j].shape.
std::vector<std::vector<Tensor>> hessian(const TensorFunction& fn,
                                         const std::vector<Tensor>& inputs,
                                         const FunctionalOptions& options = {});

// The result of fn, of one element, and the products of its hessian with a vector: H v, and v^T H,
// which is cheaper and the same where the second derivatives are continuous. v: as jvp's.
std::pair<Tensor, std::vector<Tensor>> hvp(const TensorFunction& fn,
                                           const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& v,
                                           const FunctionalOptions& options = {});
std::pair<Tensor, std::vector<Tensor>> vhp(const TensorFunction& fn,
                                           const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& v,
                                           const FunctionalOptions& options = {});

namespace detail {
template <class F>
inline constexpr bool kMapsTensors = std::is_invocable_r_v<Tensor, const F&, const Tensor&>;
template <class F>
TensorFunction as_list_function(const F& fn) {
  return [&fn](const std::vector<Tensor>& x) -> std::vector<Tensor> { return {fn(x[0])}; };
}
}  // namespace detail

// For functions of one tensor that give one.
template <class F>
requires detail::kMapsTensors<F> std::pair<Tensor, Tensor> jvp(
    const F& fn, const Tensor& x, const Tensor& v, const FunctionalOptions& options = {}) {
  auto [y, dy] = jvp(detail::as_list_function(fn), std::vector<Tensor>{x}, {v}, options);
  return {y[0], dy[0]};
}
template <class F>
requires detail::kMapsTensors<F> Tensor jacobian(const F& fn, const Tensor& x,
                                                 const FunctionalOptions& options = {}) {
  return jacobian(detail::as_list_function(fn), std::vector<Tensor>{x}, options)[0][0];
}
template <class F>
requires detail::kMapsTensors<F> Tensor hessian(const F& fn, const Tensor& x,
                                                const FunctionalOptions& options = {}) {
  return hessian(detail::as_list_function(fn), std::vector<Tensor>{x}, options)[0][0];
}
template <class F>
requires detail::kMapsTensors<F> std::pair<Tensor, Tensor> hvp(
    const F& fn, const Tensor& x, const Tensor& v, const FunctionalOptions& options = {}) {
  auto [y, product] = hvp(detail::as_list_function(fn), std::vector<Tensor>{x}, {v}, options);
  return {y, product[0]};
}
template <class F>
requires detail::kMapsTensors<F> std::pair<Tensor, Tensor> vhp(
    const F& fn, const Tensor& x, const Tensor& v, const FunctionalOptions& options = {}) {
  auto [y, product] = vhp(detail::as_list_function(fn), std::vector<Tensor>{x}, {v}, options);
  return {y, product[0]};
}

}  // namespace adjoint
