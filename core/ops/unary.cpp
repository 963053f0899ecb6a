// Functions of one tensor.
#include <array>

#include "core/kernels/functors.h"
#include "core/ops/pointwise.h"

namespace adjoint {

// What functors.h asks of either kind of operand.
static Tensor logistic(const Tensor& x) { return sigmoid(x); }
// The normal distribution's cumulative function, and exp(-x^2 / 2): for the composed definition of
// gelu.
static Tensor ndtr(const Tensor& x) { return 0.5 * erfc(-0.70710678118654752 * x); }
static Tensor ndtr(const Tensor& x, Tensor& exponential) {
  exponential = exp(-0.5 * x * x);
  return ndtr(x);
}

namespace {

using kernels::Unary;

// How many numbers a function takes beside x, such as a slope; at most two.
template <class F>
constexpr size_t kParameters = [] {
  if constexpr (requires { F::kParameters; }) {
    return F::kParameters;
  } else {
    return 0;
  }
}();

template <class F>
Tensor derivative(const Tensor& x, const Tensor& y, const Tensor& dy, const double* parameters) {
  if constexpr (kParameters < F >> 0) {
    return F::derivative(x, y, dy, parameters);
  } else {
    return F::derivative(x, y, dy);
  }
}

// `dying`: x is a temporary, see Note [Donation]. The attributes are F's parameters.
template <class F>
Tensor unary(const char* name, Unary which, const Tensor& x, bool dying = false,
             std::initializer_list<Attribute> attributes = {}) {
  const Op op(name, {x}, attributes);
  const auto kernel = kernel_table().elementwise.unary[static_cast<int>(which)][index(x.dtype())];
  if (kernel == nullptr) return unary<F>(name, which, as_floating(x), false, attributes);
  using functors::Uses;
  constexpr bool uses_input = F::kUses == Uses::input || F::kUses == Uses::both;
  constexpr bool uses_output = F::kUses == Uses::output || F::kUses == Uses::both;
  static_assert(kParameters<F> <= std::extent_v<decltype(kernels::Loop<2>::parameter)>);
  std::array<double, kParameters<F>> parameters;
  for (size_t i = 0; i < parameters.size(); ++i) parameters[i] = attributes.begin()[i].value.real;
  const auto with_parameters = [](auto loop, const auto& numbers) {
    for (size_t i = 0; i < numbers.size(); ++i) loop.parameter[i] = numbers[i];
    return loop;
  };
  const bool over = dying && !(uses_input && op.recording());
  Tensor y = op.make_result(over ? &x : nullptr, x.shape(), x.dtype());
  kernel(KernelScope(), with_parameters(make_loop<2>(x.shape(), {&y, &x}), parameters));
  return op.differentiable(
      y,
      [which, parameters, with_parameters, x = op.save_if(uses_input, x),
       y = uses_output ? op.save_output(y) : SavedTensor()](const Backward& b) -> Grads {
        const Tensor dy = b.take_dy(0), x0 = *x, y0 = *y;
        if (grad_enabled()) return {derivative<F>(x0, y0, dy, parameters.data())};
        Tensor dx = make_over("backward", dy, dy.shape(), dy.dtype());
        const Tensor& in = uses_input ? x0 : dy;
        const Tensor& out = uses_output ? y0 : dy;
        kernel_table().elementwise.unary_backward[static_cast<int>(which)][index(dy.dtype())](
            KernelScope(),
            with_parameters(make_loop<4>(dy.shape(), {&dx, &in, &out, &dy}), parameters));
        return {std::move(dx)};
      });
}

}  // namespace

Tensor neg(const Tensor& x) { return unary<functors::Neg>("neg", Unary::neg, x); }
Tensor abs(const Tensor& x) { return unary<functors::Abs>("abs", Unary::abs, x); }
Tensor exp(const Tensor& x) { return unary<functors::Exp>("exp", Unary::exp, x); }
Tensor log(const Tensor& x) { return unary<functors::Log>("log", Unary::log, x); }
Tensor sqrt(const Tensor& x) { return unary<functors::Sqrt>("sqrt", Unary::sqrt, x); }
Tensor square(const Tensor& x) { return unary<functors::Square>("square", Unary::square, x); }
Tensor reciprocal(const Tensor& x) {
  return unary<functors::Reciprocal>("reciprocal", Unary::reciprocal, x);
}
Tensor sin(const Tensor& x) { return unary<functors::Sin>("sin", Unary::sin, x); }
Tensor cos(const Tensor& x) { return unary<functors::Cos>("cos", Unary::cos, x); }
Tensor tanh(const Tensor& x) { return unary<functors::Tanh>("tanh", Unary::tanh, x); }
Tensor tanh(Tensor&& x) { return unary<functors::Tanh>("tanh", Unary::tanh, x, true); }
Tensor sigmoid(const Tensor& x) { return unary<functors::Sigmoid>("sigmoid", Unary::sigmoid, x); }
Tensor sigmoid(Tensor&& x) { return unary<functors::Sigmoid>("sigmoid", Unary::sigmoid, x, true); }
Tensor relu(const Tensor& x) { return unary<functors::Relu>("relu", Unary::relu, x); }
Tensor relu(Tensor&& x) { return unary<functors::Relu>("relu", Unary::relu, x, true); }
Tensor leaky_relu(const Tensor& x, double negative_slope) {
  return unary<functors::LeakyRelu>("leaky_relu", Unary::leaky_relu, x, false,
                                    {{"negative_slope", negative_slope}});
}
Tensor silu(const Tensor& x) { return unary<functors::Silu>("silu", Unary::silu, x); }
Tensor silu(Tensor&& x) { return unary<functors::Silu>("silu", Unary::silu, x, true); }
Tensor erf(const Tensor& x) { return unary<functors::Erf>("erf", Unary::erf, x); }
Tensor erfc(const Tensor& x) { return unary<functors::Erfc>("erfc", Unary::erfc, x); }
Tensor gelu(const Tensor& x, Gelu approximate) {
  return approximate == Gelu::tanh ? unary<functors::GeluTanh>("gelu", Unary::gelu_tanh, x)
                                   : unary<functors::GeluErf>("gelu", Unary::gelu_erf, x);
}
Tensor gelu(Tensor&& x, Gelu approximate) {
  return approximate == Gelu::tanh ? unary<functors::GeluTanh>("gelu", Unary::gelu_tanh, x, true)
                                   : unary<functors::GeluErf>("gelu", Unary::gelu_erf, x, true);
}

}  // namespace adjoint
