// How the operators of one tensor are written: by a functor of core/kernels/functors.h, which has
// kernels, or by a function of one number.
#pragma once

#include <adjoint/core/activations.h>

#include <array>
#include <utility>

#include "core/kernels/activation_functors.h"
#include "core/kernels/functors.h"
#include "core/ops/pointwise.h"

namespace adjoint {

// What functors.h asks of either kind of operand.
inline Tensor logistic(const Tensor& x) { return sigmoid(x); }
inline Tensor tanh_softplus(const Tensor& x) { return tanh(softplus(x)); }
inline Tensor times_tanh_softplus(const Tensor& x) { return x * tanh_softplus(x); }
// The normal distribution's cumulative function, and exp(-x^2 / 2): for the composed definition of
// gelu.
inline Tensor ndtr(const Tensor& x) { return 0.5 * erfc(-0.70710678118654752 * x); }
inline Tensor ndtr(const Tensor& x, Tensor& exponential) {
  exponential = exp(-0.5 * x * x);
  return ndtr(x);
}

namespace pointwise {

using functors::Uses;
using kernels::Unary;

template <class F>
concept HasDerivative = requires {
  F::kUses;
};
template <class F>
constexpr bool uses_input() {
  if constexpr (HasDerivative<F>) return functors::uses_input(F::kUses);
  return false;
}
template <class F>
constexpr bool uses_output() {
  if constexpr (HasDerivative<F>) return functors::uses_output(F::kUses);
  return false;
}

// How many numbers a function takes beside x, such as a slope; at most three.
template <class F>
constexpr size_t kParameters = [] {
  if constexpr (requires { F::kParameters; }) {
    return F::kParameters;
  } else {
    return 0;
  }
}();
template <class F>
using Parameters = std::array<double, kParameters<F>>;

template <class F>
Tensor derivative(const Tensor& x, const Tensor& y, const Tensor& dy, const double* parameters) {
  if constexpr (kParameters < F >> 0) {
    return F::derivative(x, y, dy, parameters);
  } else {
    return F::derivative(x, y, dy);
  }
}

template <class L, size_t n>
L with_parameters(L loop, const std::array<double, n>& numbers) {
  for (size_t i = 0; i < n; ++i) loop.parameter[i] = numbers[i];
  return loop;
}

// y = F(x);   dx = F's derivative. The attributes are what a user calls the parameters. `dying`: x
// is a temporary, see Note [Donation].
template <class F>
Tensor unary(const char* name, Unary which, const Tensor& x, const Parameters<F>& parameters = {},
             std::initializer_list<Attribute> attributes = {}, bool dying = false) {
  const Op op(name, {x}, attributes);
  const auto kernel = kernel_table().unary.value[static_cast<int>(which)][index(x.dtype())];
  if (kernel == nullptr) return unary<F>(name, which, as_floating(x), parameters, attributes);
  const bool over = dying && !(uses_input<F>() && op.recording());
  Tensor y = op.make_result(over ? &x : nullptr, x, x.dtype());
  kernel(KernelScope(), with_parameters(make_loop<2>(x.shape(), {&y, &x}), parameters));
  if constexpr (HasDerivative<F>) {
    return op.differentiable(
        y,
        [which, parameters, x = op.save_if(uses_input<F>(), x),
         y = uses_output<F>() ? op.save_output(y) : SavedTensor()](const Backward& b) -> Grads {
          const Tensor dy = b.take_dy(0), x0 = *x, y0 = *y;
          if (grad_enabled()) return {derivative<F>(x0, y0, dy, parameters.data())};
          Tensor dx = make_like("backward", dy, dy.dtype(), &dy);
          const Tensor& in = uses_input<F>() ? x0 : dy;
          const Tensor& out = uses_output<F>() ? y0 : dy;
          kernel_table().unary.derivative[static_cast<int>(which)][index(dy.dtype())](
              KernelScope(),
              with_parameters(make_loop<4>(dy.shape(), {&dx, &in, &out, &dy}), parameters));
          return {std::move(dx)};
        });
  } else {
    return op.differentiable(y, [](const Backward& b) -> Grads { return {zeros_like(b.dy(0))}; });
  }
}

// y = F::value(x), number by number in f64;   dx = F::derivative(x, y, dy), in tensors.
template <class F>
Tensor mapped(const char* name, const Tensor& x) {
  const Op op(name, {x});
  if (!is_floating_point(x.dtype())) return mapped<F>(name, as_floating(x));
  Tensor y = make_like(name, x, x.dtype());
  kernel_table().unary.map[index(x.dtype())](KernelScope(), make_loop<2>(x.shape(), {&y, &x}),
                                             &F::value);
  return op.differentiable(
      y,
      [x = op.save_if(uses_input<F>(), x),
       y = uses_output<F>() ? op.save_output(y) : SavedTensor()](const Backward& b) -> Grads {
        return {F::derivative(widened(*x), widened(*y), widened(b.dy(0)))};
      });
}

}  // namespace pointwise
}  // namespace adjoint
