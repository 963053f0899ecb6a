// Losses of two numbers, element by element: kernels of one sweep, with the derivatives of
// core/kernels/loss_functors.h, which are tensors' too where a gradient is recorded.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <array>
#include <cmath>

#include "core/ops/loops.h"
#include "core/ops/loss.h"
#include "core/ops/unary.h"

namespace adjoint {
namespace {

using kernels::PairLoss;
using Parameters = std::array<double, 3>;

struct Formula {
  using Derivative = Tensor (*)(const Tensor& x, const Tensor& t, const Tensor& dy,
                                const double* parameter);
  PairLoss which;
  Derivative dx, dt;
};

constexpr Formula kFormulas[] = {
#define ADJOINT_FORMULA(name, functor) \
  {PairLoss::name, &functors::functor::dx<Tensor>, &functors::functor::dt<Tensor>},
    ADJOINT_PAIR_LOSSES(ADJOINT_FORMULA)
#undef ADJOINT_FORMULA
};

template <int N>
kernels::Loop<N> with_parameters(kernels::Loop<N> loop, const Parameters& p) {
  std::copy(p.begin(), p.end(), loop.parameter);
  return loop;
}

// x of the shape that the loss has, packed and without history.
Tensor spread_out(const Tensor& x, const Shape& shape) {
  const NoGrad guard;
  return packed(x.shape() == shape ? x : expand(x, shape));
}

Tensor forward(const Op& op, PairLoss which, const Tensor& input, const Tensor& target,
               const Shape& shape, Reduction reduction, const Parameters& p) {
  const DType dtype = input.dtype();
  if (reduction == Reduction::none) {
    Tensor y = make_empty(op.name(), shape, dtype);
    kernel_table().pair_loss.value[index(dtype)](
        KernelScope(), with_parameters(make_loop<3>(shape, {&y, &input, &target}), p), which);
    return y;
  }
  const Tensor x = spread_out(input, shape), t = spread_out(target, shape);
  double sum = 0;
  kernel_table().pair_loss.sum[index(dtype)](KernelScope(), x.numel(), x.raw_data(), t.raw_data(),
                                             p.data(), which, &sum);
  return scalar_tensor(reduction == Reduction::mean ? mean_of(sum, x.numel()) : sum, dtype);
}

// What backward keeps.
struct Saved {
  SavedTensor x, t;
  const Formula* formula;
  Parameters parameters;
  Shape shape;
  double scale;
};

Grads gradients(const Saved& s, const Backward& b) {
  const Tensor x = *s.x, t = *s.t;
  const Tensor& dy = b.dy(0);
  Tensor d[2];
  if (grad_enabled()) {
    const Tensor wide = expand(widened(dy) * s.scale, s.shape), x0 = widened(x), t0 = widened(t);
    if (b.needs(0)) d[0] = s.formula->dx(x0, t0, wide, s.parameters.data());
    if (b.needs(1)) d[1] = s.formula->dt(x0, t0, wide, s.parameters.data());
    return {d[0], d[1]};
  }
  for (int i = 0; i < 2; ++i) {
    if (!b.needs(i)) continue;
    d[i] = make_empty("backward", s.shape, x.dtype());
    kernel_table().pair_loss.backward[index(x.dtype())](
        KernelScope(), with_parameters(make_loop<4>(s.shape, {&d[i], &x, &t, &dy}), s.parameters),
        s.formula->which, i == 1, s.scale);
  }
  return {d[0], d[1]};
}

// y = the losses of `which`, reduced;   dx, dt = their derivatives times dy, over the count for the
// mean
Tensor pair_loss(const char* name, PairLoss which, const Tensor& input, const Tensor& target,
                 Reduction reduction, const Parameters& p,
                 std::initializer_list<Attribute> attributes = {}) {
  const Op op(name, {input, target}, attributes);
  check_reduction(op, reduction);
  const DType dtype = loss_dtype(op, promote(input.dtype(), target.dtype()));
  const Shape shape = broadcast_shapes(name, input.shape(), target.shape());
  op.check(shape == input.shape() || shape == target.shape(), "input of shape ", input.shape(),
           " and target of shape ", target.shape(), " give losses of shape ", shape,
           "; expected one of them to have the shape of the losses; expand() where that is meant");
  if (input.dtype() != dtype || target.dtype() != dtype) {
    return pair_loss(name, which, to(input, dtype), to(target, dtype), reduction, p, attributes);
  }
  Tensor y = forward(op, which, input, target, shape, reduction, p);
  const double scale = reduction == Reduction::mean ? 1 / static_cast<double>(shape.numel()) : 1.0;
  return op.differentiable(
      y,
      [s = Saved{op.save(input), op.save(target), &kFormulas[static_cast<int>(which)], p, shape,
                 scale}](const Backward& b) -> Grads { return gradients(s, b); });
}

// Losses without reduction, times a weight that broadcasts to them, reduced.
Tensor weighted(const char* name, const Tensor& losses, const Tensor& weight, Reduction reduction) {
  check_fits(name, "weight", weight, losses.shape());
  return reduced(losses * to(weight, losses.dtype()), reduction);
}

// The same with a weight of the losses' shape. PyTorch divides the means of some by its sum.
Tensor weighted_errors(const char* name, const Tensor& losses, const Tensor& weight,
                       Reduction reduction, bool mean_by_weight) {
  check<ShapeError>(weight.shape() == losses.shape(), name, ": weight of shape ", weight.shape(),
                    " for losses of shape ", losses.shape(), "; expected the same shape");
  if (reduction != Reduction::mean || !mean_by_weight) {
    return weighted(name, losses, weight, reduction);
  }
  return weighted(name, losses, weight, Reduction::sum) / sum(to(weight, losses.dtype()));
}

// f(input, target) of 16 bits in f32, rounded once: for losses of several steps.
template <class F>
Tensor in_wide(const Tensor& input, const Tensor& target, const F& f) {
  const DType dtype = promote(input.dtype(), target.dtype());
  if (!is_half(dtype)) return f(input, target);
  const Tensor y = f(to(input, computed_in(dtype)), to(target, computed_in(dtype)));
  return autocast_enabled() ? y : to(y, dtype);
}

Attribute named(Reduction reduction) { return {"reduction", reduction_name(reduction)}; }

Tensor errors(const char* name, PairLoss which, const Tensor& input, const Tensor& target,
              Reduction reduction, const Tensor& weight, bool mean_by_weight = true,
              const Parameters& p = {}) {
  if (!weight.defined()) {
    return pair_loss(name, which, input, target, reduction, p, {named(reduction)});
  }
  check<ConfigError>(reduction != Reduction::batchmean, name,
                     ": reduction is batchmean; expected none, mean or sum");
  return in_wide(input, target, [&](const Tensor& x, const Tensor& t) {
    return weighted_errors(name, pair_loss(name, which, x, t, Reduction::none, p), weight,
                           reduction, mean_by_weight);
  });
}

// All of x is in [0, 1].
void check_probabilities(const char* name, const char* what, const Tensor& x) {
  if (x.numel() == 0) return;
  const NoGrad guard;
  const double low = min(x).item(), high = max(x).item();
  check<Error>(low >= 0 && high <= 1, name, ": ", what, " of shape ", x.shape(),
               " has values from ", low, " to ", high, "; expected values in [0, 1]; use ", name,
               "_with_logits for what a sigmoid has not been applied to");
}

void check_same_shape(const char* name, const Tensor& input, const Tensor& target) {
  check<Error>(input.defined() && target.defined(), name,
               ": an undefined tensor; expected tensors with elements");
  check<ShapeError>(input.shape() == target.shape(), name, ": input of shape ", input.shape(),
                    " and target of shape ", target.shape(), "; expected equal shapes");
}

}  // namespace

const char* reduction_name(Reduction reduction) {
  constexpr const char* kNames[] = {"none", "mean", "sum", "batchmean"};
  return kNames[static_cast<int>(reduction)];
}

void check_reduction(const Op& op, Reduction reduction, bool batchmean) {
  op.check<ConfigError>(batchmean || reduction != Reduction::batchmean,
                        "reduction is batchmean; expected none, mean or sum");
}

void check_fits(const char* name, const char* what, const Tensor& weight, const Shape& losses) {
  const int lead = losses.rank() - weight.dim();
  bool fits = lead >= 0;
  for (int d = 0; fits && d < weight.dim(); ++d) {
    fits = weight.shape()[d] == 1 || weight.shape()[d] == losses[lead + d];
  }
  check<ShapeError>(fits, name, ": ", what, " of shape ", weight.shape(), " for losses of shape ",
                    losses, "; expected one that broadcasts to it");
}

DType loss_dtype(const Op& op, DType promoted) {
  op.check<DTypeError>(is_floating_point(promoted), "operands of dtype ", promoted,
                       "; expected a floating dtype");
  return op.computes_in(promoted, Casts::loss);
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  return reduction == Reduction::mean ? mean(losses) : sum(losses);
}

Tensor hinge(const Tensor& x) { return clamp_min(x, 0.0); }

// d^2 with d = input - target;   dinput = 2 d dy, dtarget = -dinput
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction,
                const Tensor& weight) {
  return errors("mse_loss", PairLoss::squared_error, input, target, reduction, weight);
}

// |d|;   dinput = sign(d) dy
Tensor l1_loss(const Tensor& input, const Tensor& target, Reduction reduction,
               const Tensor& weight) {
  return errors("l1_loss", PairLoss::absolute_error, input, target, reduction, weight);
}

// d^2 / (2 beta), or |d| - beta / 2 where |d| >= beta;   dinput = d / beta dy, or sign(d) dy
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, Reduction reduction, double beta) {
  check<ConfigError>(beta >= 0, "smooth_l1_loss: beta is ", beta, "; expected 0 or more");
  const PairLoss which = beta == 0 ? PairLoss::absolute_error : PairLoss::huber;
  return pair_loss("smooth_l1_loss", which, input, target, reduction, {beta, 0.5 / beta, 1.0},
                   {named(reduction), {"beta", beta}});
}

// d^2 / 2, or delta (|d| - delta / 2) where |d| >= delta;   dinput = d dy, or delta sign(d) dy
Tensor huber_loss(const Tensor& input, const Tensor& target, Reduction reduction, double delta,
                  const Tensor& weight) {
  check<ConfigError>(delta > 0, "huber_loss: delta is ", delta, "; expected more than 0");
  return errors("huber_loss", PairLoss::huber, input, target, reduction, weight, false,
                {delta, 0.5, delta});
}

// log(cosh(d));   dinput = tanh(d) dy
Tensor log_cosh_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  return errors("log_cosh_loss", PairLoss::log_cosh, input, target, reduction, {});
}

// -t log(x) - (1 - t) log(1 - x);   dx = (x - t) / (x (1 - x)) dy, dt = (log(1 - x) - log(x)) dy
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            Reduction reduction) {
  constexpr const char* kName = "binary_cross_entropy";
  check_same_shape(kName, input, target);
  check_probabilities(kName, "input", input);
  check_probabilities(kName, "target", target);
  const auto which = PairLoss::binary_cross_entropy;
  if (!weight.defined()) return errors(kName, which, input, target, reduction, {});
  return in_wide(input, target, [&](const Tensor& x, const Tensor& t) {
    return weighted(kName, errors(kName, which, x, t, Reduction::none, {}), weight, reduction);
  });
}

// (1 - t) x + log(1 + exp(-x));   dx = (sigmoid(x) - t) dy, dt = -x dy
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target,
                                        const Tensor& weight, Reduction reduction,
                                        const Tensor& pos_weight) {
  constexpr const char* kName = "binary_cross_entropy_with_logits";
  check_same_shape(kName, input, target);
  const auto which = PairLoss::binary_cross_entropy_with_logits;
  if (!weight.defined() && !pos_weight.defined()) {
    return errors(kName, which, input, target, reduction, {});
  }
  return in_wide(input, target, [&](const Tensor& x, const Tensor& t) {
    Tensor losses = errors(kName, which, x, t, Reduction::none, {});
    if (pos_weight.defined()) {
      check_fits(kName, "pos_weight", pos_weight, losses.shape());
      // What a positive costs is counted pos_weight times: once in the losses already.
      losses = losses - (to(pos_weight, losses.dtype()) - 1.0) * t * logsigmoid(x);
    }
    return weight.defined() ? weighted(kName, losses, weight, reduction)
                            : reduced(losses, reduction);
  });
}

// alpha_t q^gamma entropy, q being the probability of what the target is not;   the product's rule
Tensor sigmoid_focal_loss(const Tensor& input, const Tensor& target, double alpha, double gamma,
                          Reduction reduction) {
  constexpr const char* kName = "sigmoid_focal_loss";
  check_same_shape(kName, input, target);
  check<ConfigError>(alpha <= 1, kName, ": alpha is ", alpha,
                     "; expected a value in [0, 1], or a negative one for none");
  check<ConfigError>(gamma >= 0, kName, ": gamma is ", gamma, "; expected 0 or more");
  const bool balanced = alpha >= 0;
  return pair_loss(kName, PairLoss::focal, input, target, reduction,
                   {balanced ? 1 - alpha : 1.0, balanced ? 2 * alpha - 1 : 0.0, gamma},
                   {named(reduction), {"alpha", alpha}, {"gamma", gamma}});
}

// t (log(t) - x);   dx = -t dy, dt = (log(t) + 1 - x) dy. Of logarithms: exp(t) (t - x);
// dx = -exp(t) dy, dt = exp(t) (t - x + 1) dy
Tensor kl_div(const Tensor& input, const Tensor& target, Reduction reduction, bool log_target) {
  const auto losses = [&](const Tensor& x, const Tensor& t, Reduction to_what) {
    return pair_loss("kl_div", log_target ? PairLoss::kl_of_logs : PairLoss::kl, x, t, to_what, {},
                     {named(to_what), {"log_target", log_target}});
  };
  if (reduction != Reduction::batchmean) return losses(input, target, reduction);
  return in_wide(input, target, [&](const Tensor& x, const Tensor& t) {
    const Tensor y = losses(x, t, Reduction::sum);
    return x.dim() > 0 ? y / static_cast<double>(x.size(0)) : y;
  });
}

// exp(x) - t x;   dx = (exp(x) - t) dy, dt = -x dy. Without logarithms x - t log(x + eps);
// dx = (1 - t / (x + eps)) dy, dt = -log(x + eps) dy
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input, bool full,
                        double eps, Reduction reduction) {
  const auto which = log_input ? PairLoss::poisson_of_logs : PairLoss::poisson;
  const auto losses = [&](const Tensor& x, const Tensor& t, Reduction to_what) {
    return pair_loss("poisson_nll_loss", which, x, t, to_what, {eps},
                     {named(to_what), {"log_input", log_input}, {"full", full}});
  };
  if (!full) return losses(input, target, reduction);
  check<ConfigError>(reduction != Reduction::batchmean,
                     "poisson_nll_loss: reduction is batchmean; expected none, mean or sum");
  return in_wide(input, target, [&](const Tensor& x, const Tensor& t) {
    const Tensor y = losses(x, t, Reduction::none);
    const Tensor above = t > 1.0, large = where(above, to(t, y.dtype()), 1.0);
    constexpr double kLogRoot = 0.91893853320467274;  // log(2 pi) / 2
    const Tensor stirling = (large + 0.5) * log(large) - large + kLogRoot;
    return reduced(y + where(above, stirling, 0.0), reduction);
  });
}

// log(1 + exp(-t x));   dx = -t sigmoid(-t x) dy, dt = -x sigmoid(-t x) dy
Tensor soft_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  return errors("soft_margin_loss", PairLoss::soft_margin, input, target, reduction, {});
}

// x where t is 1, max(0, margin - x) where it is -1;   dx = dy, or -dy up to the margin
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin,
                            Reduction reduction) {
  return pair_loss("hinge_embedding_loss", PairLoss::hinge_embedding, input, target, reduction,
                   {margin}, {named(reduction), {"margin", margin}});
}

}  // namespace adjoint
