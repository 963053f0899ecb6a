// Functions of one tensor that have kernels of their own.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include "core/ops/unary.h"

#include <cmath>
#include <limits>

namespace adjoint {

using pointwise::unary;
using pointwise::Unary;

Tensor neg(const Tensor& x) {
  check<DTypeError>(!x.defined() || x.dtype() != DType::boolean, "neg: a tensor of ",
                    DType::boolean, "; expected numbers; logical_not(x) inverts a mask");
  return unary<functors::Neg>("neg", Unary::neg, x);
}
Tensor abs(const Tensor& x) { return unary<functors::Abs>("abs", Unary::abs, x); }
Tensor exp(const Tensor& x) { return unary<functors::Exp>("exp", Unary::exp, x); }
Tensor expm1(const Tensor& x) { return unary<functors::Expm1>("expm1", Unary::expm1, x); }
Tensor log(const Tensor& x) { return unary<functors::Log>("log", Unary::log, x); }
Tensor log1p(const Tensor& x) { return unary<functors::Log1p>("log1p", Unary::log1p, x); }
Tensor sqrt(const Tensor& x) { return unary<functors::Sqrt>("sqrt", Unary::sqrt, x); }
Tensor rsqrt(const Tensor& x) { return unary<functors::Rsqrt>("rsqrt", Unary::rsqrt, x); }
Tensor square(const Tensor& x) { return unary<functors::Square>("square", Unary::square, x); }
Tensor reciprocal(const Tensor& x) {
  return unary<functors::Reciprocal>("reciprocal", Unary::reciprocal, x);
}
Tensor sin(const Tensor& x) { return unary<functors::Sin>("sin", Unary::sin, x); }
Tensor cos(const Tensor& x) { return unary<functors::Cos>("cos", Unary::cos, x); }
Tensor tanh(const Tensor& x) { return unary<functors::Tanh>("tanh", Unary::tanh, x); }
Tensor tanh(Tensor&& x) { return unary<functors::Tanh>("tanh", Unary::tanh, x, {}, {}, true); }
Tensor sigmoid(const Tensor& x) { return unary<functors::Sigmoid>("sigmoid", Unary::sigmoid, x); }
Tensor sigmoid(Tensor&& x) {
  return unary<functors::Sigmoid>("sigmoid", Unary::sigmoid, x, {}, {}, true);
}
Tensor erf(const Tensor& x) { return unary<functors::Erf>("erf", Unary::erf, x); }
Tensor erfc(const Tensor& x) { return unary<functors::Erfc>("erfc", Unary::erfc, x); }

namespace {

// A function of real numbers under which whole ones stay what they are.
template <class F>
Tensor to_whole(const char* name, Unary which, const Tensor& x) {
  return x.defined() && !is_floating_point(x.dtype()) ? clone(x) : unary<F>(name, which, x);
}

}  // namespace

Tensor sign(const Tensor& x) {
  if (x.defined() && x.dtype() == DType::boolean) return clone(x);
  return unary<functors::Sign>("sign", Unary::sign, x);
}
Tensor floor(const Tensor& x) { return to_whole<functors::Floor>("floor", Unary::floor, x); }
Tensor ceil(const Tensor& x) { return to_whole<functors::Ceil>("ceil", Unary::ceil, x); }
Tensor trunc(const Tensor& x) { return to_whole<functors::Trunc>("trunc", Unary::trunc, x); }
Tensor frac(const Tensor& x) { return unary<functors::Frac>("frac", Unary::frac, x); }

Tensor round(const Tensor& x, int64_t decimals) {
  if (decimals == 0) return to_whole<functors::Round>("round", Unary::round, x);
  check<DTypeError>(!x.defined() || is_floating_point(x.dtype()), "round: dtype ",
                    x.defined() ? x.dtype() : DType::f32, " with decimals ", decimals,
                    "; expected a floating dtype, or no decimals");
  const double power = std::pow(10.0, std::abs(static_cast<double>(decimals)));
  return unary<functors::RoundDecimals>("round", Unary::round_decimals, x,
                                        {decimals > 0 ? power : 1.0, decimals > 0 ? 1.0 : power},
                                        {{"decimals", decimals}});
}

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  const double most = x.defined() ? largest(x.dtype()) : 0.0;
  const double above = posinf.value_or(most), below = neginf.value_or(-most);
  if (x.defined() && !is_floating_point(x.dtype())) return clone(x);
  return unary<functors::NanToNum>("nan_to_num", Unary::nan_to_num, x, {nan, above, below},
                                   {{"nan", nan}, {"posinf", above}, {"neginf", below}});
}

Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double low = min ? min->real() : -kInfinity, high = max ? max->real() : kInfinity;
  check<ConfigError>(min || max, "clamp: neither min nor max; expected one of them or both");
  if (x.defined() && !is_floating_point(x.dtype())) {
    // Bounds that f64 does not hold are taken as they are.
    const Tensor bounded =
        min ? maximum(x, scalar_tensor(*min, promote_scalar(x.dtype(), *min))) : x;
    return max ? minimum(bounded, scalar_tensor(*max, promote_scalar(x.dtype(), *max))) : bounded;
  }
  // A bound that is NaN makes all of it NaN.
  const bool nan = std::isnan(low) || std::isnan(high);
  // The side of a bound that is not given is open, unless the other bound is there.
  const bool closed = (min && max) || low == high;
  const double open = closed ? functors::Clamp::kClosed : min ? kInfinity : -kInfinity;
  return unary<functors::Clamp>("clamp", Unary::clamp, x, {nan ? low + high : low, high, open},
                                {{"min", low}, {"max", high}});
}
Tensor clamp_min(const Tensor& x, Scalar min) { return clamp(x, min); }
Tensor clamp_max(const Tensor& x, Scalar max) { return clamp(x, std::nullopt, max); }

}  // namespace adjoint
