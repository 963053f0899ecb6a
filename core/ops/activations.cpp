// Activations: functions of one tensor, those with weights, gated ones.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>

#include "core/ops/defined.h"
#include "core/ops/unary.h"

namespace adjoint {

using pointwise::unary;
using pointwise::Unary;

Tensor relu(const Tensor& x) { return unary<functors::Relu>("relu", Unary::relu, x); }
Tensor relu(Tensor&& x) { return unary<functors::Relu>("relu", Unary::relu, x, {}, {}, true); }
Tensor leaky_relu(const Tensor& x, double negative_slope) {
  return unary<functors::LeakyRelu>("leaky_relu", Unary::leaky_relu, x, {negative_slope},
                                    {{"negative_slope", negative_slope}});
}
Tensor silu(const Tensor& x) { return unary<functors::Silu>("silu", Unary::silu, x); }
Tensor silu(Tensor&& x) { return unary<functors::Silu>("silu", Unary::silu, x, {}, {}, true); }
Tensor gelu(const Tensor& x, Gelu approximate) {
  return approximate == Gelu::tanh ? unary<functors::GeluTanh>("gelu", Unary::gelu_tanh, x)
                                   : unary<functors::GeluErf>("gelu", Unary::gelu_erf, x);
}
Tensor gelu(Tensor&& x, Gelu approximate) {
  return approximate == Gelu::tanh
             ? unary<functors::GeluTanh>("gelu", Unary::gelu_tanh, x, {}, {}, true)
             : unary<functors::GeluErf>("gelu", Unary::gelu_erf, x, {}, {}, true);
}

Tensor elu(const Tensor& x, double alpha) {
  return unary<functors::Elu>("elu", Unary::elu, x, {alpha, 1.0, 1.0}, {{"alpha", alpha}});
}
// Klambauer et al. 2017, arXiv 1706.02515, equation 14 and below.
Tensor selu(const Tensor& x) {
  constexpr double kAlpha = 1.6732632423543772, kScale = 1.0507009873554805;
  return unary<functors::Elu>("selu", Unary::elu, x, {kScale * kAlpha, kScale, 1.0});
}
Tensor celu(const Tensor& x, double alpha) {
  check<ConfigError>(alpha != 0, "celu: alpha is 0; expected another number");
  return unary<functors::Elu>("celu", Unary::elu, x, {alpha, 1.0, 1.0 / alpha}, {{"alpha", alpha}});
}
Tensor hardtanh(const Tensor& x, double min_val, double max_val) {
  check<ConfigError>(min_val <= max_val, "hardtanh: min_val ", min_val, " and max_val ", max_val,
                     "; expected min_val <= max_val");
  return unary<functors::Clamp>("hardtanh", Unary::clamp, x,
                                {min_val, max_val, functors::Clamp::kClosed},
                                {{"min_val", min_val}, {"max_val", max_val}});
}
Tensor relu6(const Tensor& x) {
  return unary<functors::Clamp>("relu6", Unary::clamp, x, {0.0, 6.0, functors::Clamp::kClosed});
}
Tensor hardsigmoid(const Tensor& x) {
  return unary<functors::Hardsigmoid>("hardsigmoid", Unary::hardsigmoid, x);
}
Tensor hardswish(const Tensor& x) {
  return unary<functors::Hardswish>("hardswish", Unary::hardswish, x);
}
Tensor softplus(const Tensor& x, double beta, double threshold) {
  return unary<functors::Softplus>("softplus", Unary::softplus, x, {beta, threshold},
                                   {{"beta", beta}, {"threshold", threshold}});
}
Tensor logsigmoid(const Tensor& x) {
  return unary<functors::LogSigmoid>("logsigmoid", Unary::log_sigmoid, x);
}
Tensor mish(const Tensor& x) { return unary<functors::Mish>("mish", Unary::mish, x); }
Tensor softsign(const Tensor& x) {
  return unary<functors::Softsign>("softsign", Unary::softsign, x);
}
Tensor softshrink(const Tensor& x, double lambd) {
  check<ConfigError>(lambd >= 0, "softshrink: lambd is ", lambd, "; expected 0 or more");
  return unary<functors::Softshrink>("softshrink", Unary::softshrink, x, {lambd},
                                     {{"lambd", lambd}});
}
Tensor hardshrink(const Tensor& x, double lambd) {
  return unary<functors::Hardshrink>("hardshrink", Unary::hardshrink, x, {lambd},
                                     {{"lambd", lambd}});
}
Tensor tanhshrink(const Tensor& x) {
  return unary<functors::Tanhshrink>("tanhshrink", Unary::tanhshrink, x);
}
Tensor threshold(const Tensor& x, double threshold, double value) {
  return unary<functors::Threshold>("threshold", Unary::threshold, x, {threshold, value},
                                    {{"threshold", threshold}, {"value", value}});
}

namespace {

// y = x above 0, weight x below;   dx = dy or weight dy, dweight = 0 or x dy. The weight
// broadcasts.
Tensor prelu_of(const Tensor& x, const Tensor& weight) {
  const Op op("prelu", {x, weight});
  Tensor y;
  {
    const NoGrad guard;
    y = where(x > 0.0, x, weight * x);
  }
  return op.differentiable(
      y, [x = op.save(x), weight = op.save_if(op.needs(0), weight)](const Backward& b) -> Grads {
        const Tensor x0 = *x;
        const Tensor above = x0 > 0.0;
        return {b.needs(0) ? where(above, b.dy(0), *weight * b.dy(0)) : Tensor(),
                b.needs(1) ? where(above, 0.0, x0 * b.dy(0)) : Tensor()};
      });
}

// y = x above 0, u x else, u uniform in [lower, upper): by the element's number in the key's
// stream; dx = dy or u dy, by the same numbers
Tensor rrelu_of(const Tensor& x, const kernels::RandomKey& key, double lower, double upper) {
  const Op op("rrelu", {x}, {{"lower", lower}, {"upper", upper}});
  const auto slopes = [key, lower, upper](const Tensor& like) {
    const NoGrad guard;
    // The numbers of f32 whatever the dtype.
    const Tensor u = make_empty("rrelu", like.shape(), DType::f32);
    kernel_table().random.uniform[kernels::kF32](KernelScope(), key, u.numel(), lower, upper,
                                                 u.impl()->bytes());
    return where(like > 0.0, 1.0, to(u, computed_in(like.dtype())));
  };
  Tensor y;
  {
    const NoGrad guard;
    y = rounded(widened(x) * slopes(x), x.dtype());
  }
  return op.differentiable(y, [slopes, x = op.save(x)](const Backward& b) -> Grads {
    return {widened(b.dy(0)) * slopes(*x)};
  });
}

// y = other f(gate), the two halves of x along dim;   dother = dy f(gate), dgate = dy other
// f'(gate)
template <class F>
Tensor gated(const char* name, Unary which, const Tensor& x, int64_t dim, bool gate_is_first) {
  const Op op(name, {x}, {{"dim", dim}});
  op.check_floating(0);
  op.check(x.dim() > 0, "a 0-dimensional tensor; expected one dimension or more");
  const int d = normalize_dim(name, dim, x.dim());
  const int64_t half = x.size(d) / 2;
  op.check(x.size(d) % 2 == 0, "dimension ", d, " of shape ", x.shape(), " has ", x.size(d),
           " elements; expected an even number");
  const auto part = [d, half](const Tensor& of, bool first) {
    return slice(of, d, first ? 0 : half, first ? half : 2 * half);
  };
  const auto activated = [name, which](const Tensor& gate) { return unary<F>(name, which, gate); };
  Tensor y;
  {
    const NoGrad guard;
    y = part(x, !gate_is_first) * activated(part(x, gate_is_first));
  }
  return op.differentiable(
      y, [part, activated, which, d, gate_is_first, x = op.save(x)](const Backward& b) -> Grads {
        const Tensor x0 = *x, dy = b.dy(0);
        const Tensor gate = part(x0, gate_is_first), other = part(x0, !gate_is_first);
        const Tensor active = activated(gate);
        if (grad_enabled()) {
          const Tensor dgate = F::derivative(gate, active, dy * other), dother = dy * active;
          return {gate_is_first ? cat({dgate, dother}, d) : cat({dother, dgate}, d)};
        }
        Tensor dx = make_empty("backward", x0.shape(), x0.dtype());
        const Tensor dgate = part(dx, gate_is_first), dother = part(dx, !gate_is_first);
        const Tensor weighted = dy * other;
        const int place = index(dy.dtype());
        kernel_table().unary.derivative[static_cast<int>(which)][place](
            KernelScope(), make_loop<4>(dy.shape(), {&dgate, &gate, &active, &weighted}));
        kernel_table().elementwise.binary[static_cast<int>(kernels::Binary::mul)][place](
            KernelScope(), make_loop<3>(dy.shape(), {&dother, &dy, &active}));
        return {std::move(dx)};
      });
}

}  // namespace

Tensor prelu(const Tensor& x, const Tensor& weight) {
  check_defined("prelu", x, 0);
  check_defined("prelu", weight, 1);
  check<DTypeError>(is_floating_point(x.dtype()) && x.dtype() == weight.dtype(), "prelu: x is of ",
                    x.dtype(), ", weight of ", weight.dtype(), "; expected one floating dtype");
  const int64_t channels = x.dim() > 1 ? x.size(1) : 1, count = weight.numel();
  check<ShapeError>(weight.dim() <= 1 && (count == 1 || count == channels),
                    "prelu: weight of shape ", weight.shape(), " for x of shape ", x.shape(),
                    "; expected 1 or ", channels, " elements");
  Shape shape = Shape::filled(x.dim(), 1);
  if (x.dim() > 1) shape[1] = count;
  return prelu_of(x, reshape(weight, shape));
}

Tensor rrelu(const Tensor& x, double lower, double upper, bool training, Generator& generator) {
  check<ConfigError>(lower <= upper, "rrelu: lower is ", lower, ", upper ", upper,
                     "; expected lower <= upper");
  check_defined("rrelu", x, 0);
  check<DTypeError>(is_floating_point(x.dtype()), "rrelu: dtype ", x.dtype(),
                    "; expected a floating dtype");
  if (!training) return leaky_relu(x, (lower + upper) / 2);
  return rrelu_of(x, {generator.seed(), generator.next_stream()}, lower, upper);
}

// y = x sigmoid(1.702 x)
Tensor quick_gelu(const Tensor& x) {
  check_defined("quick_gelu", x, 0);
  check<DTypeError>(is_floating_point(x.dtype()), "quick_gelu: dtype ", x.dtype(),
                    "; expected a floating dtype");
  const Tensor wide = widened(x);
  return to(wide * sigmoid(1.702 * wide), x.dtype());
}

Tensor glu(const Tensor& x, int64_t dim) {
  return gated<functors::Sigmoid>("glu", Unary::sigmoid, x, dim, false);
}
Tensor swiglu(const Tensor& x, int64_t dim) {
  return gated<functors::Silu>("swiglu", Unary::silu, x, dim, true);
}

Tensor softmin(const Tensor& x, int64_t dim) {
  check_defined("softmin", x, 0);
  normalize_dim("softmin", dim, std::max(x.dim(), 1));
  return softmax(-x, dim);
}

// softmax((logits + g) / tau), g = -log(-log u) for u uniform: Jang, Gu and Poole 2016, arXiv
// 1611.01144; hard: the one-hot tensor of the largest, with the gradient of the soft one.
Tensor gumbel_softmax(const Tensor& logits, double tau, bool hard, int64_t dim,
                      Generator& generator) {
  check_defined("gumbel_softmax", logits, 0);
  check<DTypeError>(is_floating_point(logits.dtype()), "gumbel_softmax: dtype ", logits.dtype(),
                    "; expected a floating dtype");
  const int d = normalize_dim("gumbel_softmax", dim, logits.dim());
  Tensor noise;
  {
    const NoGrad guard;
    // The numbers of f32 whatever the dtype; the least step of theirs stands for 0.
    const Tensor u = to(rand(logits.shape(), DType::f32, generator), computed_in(logits.dtype()));
    noise = -log(clamp_min(-log1p(-u), 0x1p-25));
  }
  const Tensor soft = to(softmax((widened(logits) + noise) / tau, d), logits.dtype());
  if (!hard) return soft;
  Shape line = Shape::filled(logits.dim(), 1);
  line[d] = logits.size(d);
  const Tensor detached = soft.detach();
  const Tensor one = eq(argmax(detached, d, kKeepDim), reshape(arange(logits.size(d)), line));
  return to(one, soft.dtype()) - detached + soft;
}

}  // namespace adjoint
