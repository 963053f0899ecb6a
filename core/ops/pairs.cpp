// Functions of two tensors beside arithmetic, and of three: by the C library in f64, number by
// number, or in terms of arithmetic.
#include <adjoint/core/activations.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <cmath>

#include "core/ops/pointwise.h"

namespace adjoint {
namespace {

constexpr double kLn2 = 0.69314718055994531;

// What a closure knows of y = f(a, b).
struct Pair {
  const Tensor &a, &b, &y, &dy;
};

// What division of whole numbers cannot do: by zero, or with bools.
void check_whole_division(const Op& op, const Tensor& b, DType dtype, const Shape& shape) {
  op.check<DTypeError>(dtype != DType::boolean, "operands of ", dtype, "; expected numbers");
  op.check<Error>(shape.numel() == 0 || !any(b == 0),
                  "whole numbers divided by zero: a divisor of ", b.dtype(), " and shape ",
                  b.shape(), "; expected no 0 in it; to(x, DType::f32) divides to infinity");
}

// y = F::value(a, b), by F::integers where both are whole numbers and it has that (F::kDivides: no
// zeros and no bools then);   da = F::da, db = F::db, of what F::kSavesInputs and F::kSavesOutput
// keep.
template <class F>
Tensor mapped(const char* name, const Tensor& a, const Tensor& b) {
  const Op op(name, {a, b});
  const DType promoted = promote(a, b);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  if constexpr (requires { &F::integers; }) {
    if (!is_floating_point(promoted)) {
      if constexpr (requires { F::kDivides; }) check_whole_division(op, b, promoted, shape);
      return op.no_gradient(map_integers(op, a, b, shape, &F::integers));
    }
  }
  const DType dtype = is_floating_point(promoted) ? promoted : DType::f32;
  const Cast a0(a, dtype), b0(b, dtype);
  Tensor y = make_pointwise(name, shape, {&a, &b}, dtype);
  kernel_table().elementwise.map[index(dtype)](KernelScope(), make_loop<3>(shape, {&y, &*a0, &*b0}),
                                               &F::value);
  if constexpr (requires { F::kSavesInputs; }) {
    return op.differentiable(
        y,
        [a = op.save_if(F::kSavesInputs, a), b = op.save_if(F::kSavesInputs, b),
         y = F::kSavesOutput ? op.save_output(y) : SavedTensor()](const Backward& g) -> Grads {
          const Tensor a1 = widened(*a), b1 = widened(*b), y1 = widened(*y);
          const Tensor dy = widened(g.dy(0));
          const Pair pair{a1, b1, y1, dy};
          return {g.needs(0) ? F::da(pair) : Tensor(), g.needs(1) ? F::db(pair) : Tensor()};
        });
  } else {
    return op.no_gradient(std::move(y));
  }
}

// The sign of the dividend, as C.
struct Fmod {
  static constexpr bool kDivides = true;
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) { return std::fmod(a, b); }
  // The remainder by -1 overflows for the smallest integer.
  static int64_t integers(int64_t a, int64_t b) { return b == -1 ? 0 : a % b; }
  static Tensor da(const Pair& p) { return p.dy; }
  static Tensor db(const Pair& p) { return -p.dy * trunc(p.a / p.b); }
};

// The quotient rounded down, from what is exact: a - fmod(a, b) is a multiple of b.
struct FloorDivide {
  static constexpr bool kDivides = true;
  static double value(double a, double b) {
    if (b == 0) return a / b;
    const double rest = std::fmod(a, b);
    double quotient = (a - rest) / b;
    if (rest != 0 && (b < 0) != (rest < 0)) quotient -= 1;
    if (quotient == 0) return std::copysign(0.0, a / b);
    const double whole = std::floor(quotient);
    return quotient - whole > 0.5 ? whole + 1 : whole;
  }
  // The smallest integer wraps around.
  static int64_t integers(int64_t a, int64_t b) {
    if (b == -1) return static_cast<int64_t>(0 - static_cast<uint64_t>(a));
    return a / b - static_cast<int64_t>(a % b != 0 && (a < 0) != (b < 0));
  }
};

// The sign of the divisor, as Python's %.
struct Remainder {
  static constexpr bool kDivides = true;
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) {
    const double rest = std::fmod(a, b);
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
  }
  static int64_t integers(int64_t a, int64_t b) {
    const int64_t rest = Fmod::integers(a, b);
    return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
  }
  static Tensor da(const Pair& p) { return p.dy; }
  static Tensor db(const Pair& p) { return -p.dy * floor_divide(p.a, p.b); }
};

struct Copysign {
  static constexpr bool kSavesInputs = true, kSavesOutput = true;
  static double value(double a, double b) { return std::copysign(a, b); }
  // y / a, 0 at 0: 1 or -1, and NaN where a is infinite or NaN, as PyTorch's.
  static Tensor da(const Pair& p) {
    const Tensor a = p.a.detach();
    return p.dy * where(a == 0.0, 0.0, p.y.detach() / a);
  }
  static Tensor db(const Pair& p) { return zeros_like(p.dy); }
};

struct Hypot {
  static constexpr bool kSavesInputs = true, kSavesOutput = true;
  static double value(double a, double b) { return std::hypot(a, b); }
  static Tensor da(const Pair& p) { return p.dy * (p.a / p.y); }
  static Tensor db(const Pair& p) { return p.dy * (p.b / p.y); }
};

// The derivative at (0, 0) is 0.
struct Atan2 {
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) { return std::atan2(a, b); }
  static Tensor over_square(const Pair& p) {
    const Tensor square = p.a * p.a + p.b * p.b;
    return p.dy / where(square == 0.0, 1.0, square);
  }
  static Tensor da(const Pair& p) { return over_square(p) * p.b; }
  static Tensor db(const Pair& p) { return -over_square(p) * p.a; }
};

struct Logaddexp {
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) {
    if (std::isinf(a) && a == b) return a;
    const double most = a > b ? a : b;
    return most + std::log1p(std::exp(-std::fabs(a - b)));
  }
  // Of two equal infinities each has half.
  static Tensor share(const Tensor& x, const Tensor& other, double unit) {
    return sigmoid(
        where(x == other, 0.0 * where(abs(x) < HUGE_VAL, x - other, 0.0), (x - other) * unit));
  }
  static Tensor da(const Pair& p) { return p.dy * share(p.a, p.b, 1.0); }
  static Tensor db(const Pair& p) { return p.dy * share(p.b, p.a, 1.0); }
};

struct Logaddexp2 {
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) {
    if (std::isinf(a) && a == b) return a;
    const double most = a > b ? a : b;
    return most + std::log1p(std::exp2(-std::fabs(a - b))) / kLn2;
  }
  static Tensor da(const Pair& p) { return p.dy * Logaddexp::share(p.a, p.b, kLn2); }
  static Tensor db(const Pair& p) { return p.dy * Logaddexp::share(p.b, p.a, kLn2); }
};

// a log(b), 0 where a is 0 and b is a number.
struct Xlogy {
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) {
    if (std::isnan(b)) return b;
    return a == 0 ? 0.0 : a * std::log(b);
  }
  static Tensor da(const Pair& p) {
    const Tensor none = logical_and(p.a == 0.0, p.b <= 0.0);
    return where(none, 0.0, p.dy * log(where(none, 1.0, p.b)));
  }
  static Tensor db(const Pair& p) { return p.dy * p.a / p.b; }
};

// Ties halve; beside a NaN the other one has all of it, and a that of two.
struct Fmax {
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) { return std::fmax(a, b); }
  static int64_t integers(int64_t a, int64_t b) { return a > b ? a : b; }
  static Tensor share(const Pair& p, const Tensor& own) {
    return where(p.a == p.b, p.dy * 0.5, where(own, p.dy, 0.0));
  }
  static Tensor takes_a(const Pair& p) { return logical_or(p.a > p.b, isnan(p.b)); }
  static Tensor da(const Pair& p) { return share(p, takes_a(p)); }
  static Tensor db(const Pair& p) { return share(p, logical_not(takes_a(p))); }
};
struct Fmin {
  static constexpr bool kSavesInputs = true, kSavesOutput = false;
  static double value(double a, double b) { return std::fmin(a, b); }
  static int64_t integers(int64_t a, int64_t b) { return a < b ? a : b; }
  static Tensor takes_a(const Pair& p) { return logical_or(p.a < p.b, isnan(p.b)); }
  static Tensor da(const Pair& p) { return Fmax::share(p, takes_a(p)); }
  static Tensor db(const Pair& p) { return Fmax::share(p, logical_not(takes_a(p))); }
};

struct Heaviside {
  static double value(double x, double at_zero) { return x == 0 ? at_zero : x > 0 ? 1.0 : 0.0; }
  static int64_t integers(int64_t x, int64_t at_zero) { return x == 0 ? at_zero : x > 0; }
};

// As mapped, for a choice: of two bools it is one.
template <class F>
Tensor chosen(const char* name, const Tensor& a, const Tensor& b) {
  Tensor y = mapped<F>(name, a, b);
  const bool bools = a.dtype() == DType::boolean && b.dtype() == DType::boolean;
  return bools ? rounded(y, DType::boolean) : y;
}

// A number as an operand of x.
Tensor beside(const Tensor& x, Scalar number) {
  return scalar_tensor(number, x.defined() ? promote_scalar(x.dtype(), number) : DType::f32);
}

// What the sizes of three operands broadcast to, or an error of the operator.
void check_broadcast(const Op& op) {
  broadcast_shapes(op.name(), broadcast_shapes(op.name(), op.input(0).shape(), op.input(1).shape()),
                   op.input(2).shape());
}

// The ends that lerp goes between are of one dtype, and the result is floating.
void check_ends(const Op& op, DType result) {
  const DType a = op.input(0).dtype(), b = op.input(1).dtype();
  op.check<DTypeError>(a == b && is_floating_point(result), "ends of ", a, " and ", b,
                       "; expected one floating dtype; convert with to()");
}

}  // namespace

Tensor fmod(const Tensor& a, const Tensor& b) { return mapped<Fmod>("fmod", a, b); }
Tensor fmod(const Tensor& a, Scalar b) { return fmod(a, beside(a, b)); }
Tensor remainder(const Tensor& a, const Tensor& b) { return mapped<Remainder>("remainder", a, b); }
Tensor remainder(const Tensor& a, Scalar b) { return remainder(a, beside(a, b)); }
Tensor floor_divide(const Tensor& a, const Tensor& b) {
  return mapped<FloorDivide>("floor_divide", a, b);
}
Tensor floor_divide(const Tensor& a, Scalar b) { return floor_divide(a, beside(a, b)); }
Tensor copysign(const Tensor& a, const Tensor& b) { return mapped<Copysign>("copysign", a, b); }
Tensor copysign(const Tensor& a, Scalar b) { return copysign(a, beside(a, b)); }
Tensor hypot(const Tensor& a, const Tensor& b) { return mapped<Hypot>("hypot", a, b); }
Tensor atan2(const Tensor& a, const Tensor& b) { return mapped<Atan2>("atan2", a, b); }
Tensor logaddexp(const Tensor& a, const Tensor& b) { return mapped<Logaddexp>("logaddexp", a, b); }
Tensor logaddexp2(const Tensor& a, const Tensor& b) {
  return mapped<Logaddexp2>("logaddexp2", a, b);
}
Tensor xlogy(const Tensor& a, const Tensor& b) { return mapped<Xlogy>("xlogy", a, b); }
Tensor xlogy(const Tensor& a, Scalar b) { return xlogy(a, beside(a, b)); }
Tensor xlogy(Scalar a, const Tensor& b) { return xlogy(beside(b, a), b); }

Tensor fmax(const Tensor& a, const Tensor& b) { return chosen<Fmax>("fmax", a, b); }
Tensor fmin(const Tensor& a, const Tensor& b) { return chosen<Fmin>("fmin", a, b); }
Tensor heaviside(const Tensor& x, const Tensor& values) {
  return chosen<Heaviside>("heaviside", x, values);
}
Tensor pow(Scalar base, const Tensor& exponent) { return pow(beside(exponent, base), exponent); }

Tensor signbit(const Tensor& x) {
  const Op op("signbit", {x});
  const NoGrad guard;
  if (!is_floating_point(x.dtype())) return op.no_gradient(x < 0);
  return op.no_gradient(copysign(scalar_tensor(1.0, x.dtype()), x) < 0.0);
}

namespace {

// y = min(max(x, low), high);   dy goes to that of the three which y is, half to x and half to a
// bound that x is on; where both bounds are x, to x; where something is NaN, as PyTorch's
Tensor clamp_between(const Tensor& x, const Tensor& low, const Tensor& high) {
  const Op op("clamp", {x, low, high});
  check_broadcast(op);
  Tensor y;
  {
    const NoGrad guard;
    y = minimum(maximum(x, low), high);
  }
  return op.differentiable(
      y, [x = op.save(x), low = op.save(low), high = op.save(high)](const Backward& g) -> Grads {
        const Tensor x0 = *x, l = *low, h = *high, dy = g.dy(0), half = dy * 0.5;
        const Tensor below = x0<l, above = x0> h, apart = l < h;
        const auto shared = [&](const Tensor& tie, const Tensor& rest) {
          return where(logical_and(apart, tie), half, rest);
        };
        Tensor dx, dl, dh;
        if (g.needs(0)) {
          dx = shared(logical_or(x0 == l, x0 == h), dy);
          dx = where(logical_or(below, above), 0.0, dx);
        }
        if (g.needs(1)) dl = shared(x0 == l, where(logical_and(l <= h, below), dy, 0.0));
        if (g.needs(2)) dh = shared(x0 == h, where(logical_or(above, l > h), dy, 0.0));
        return {dx, dl, dh};
      });
}

}  // namespace

// Of one bound the gradients are those of maximum or minimum, in which a tie halves.
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max) {
  check<ConfigError>(min.defined() || max.defined(),
                     "clamp: neither min nor max; expected one of them or both");
  if (!min.defined()) return minimum(x, max);
  return max.defined() ? clamp_between(x, min, max) : maximum(x, min);
}
Tensor clamp_min(const Tensor& x, const Tensor& min) { return clamp(x, min, Tensor()); }
Tensor clamp_max(const Tensor& x, const Tensor& max) { return clamp(x, Tensor(), max); }

// y = a + w (b - a), from the nearer end;   da = dy (1 - w), db = dy w, dw = dy (b - a)
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight) {
  const Op op("lerp", {a, b, weight});
  check_broadcast(op);
  const DType dtype = promote({&a, &b, &weight});
  check_ends(op, dtype);
  op.check<DTypeError>(weight.dtype() == a.dtype() || weight.dim() == 0, "weight of ",
                       weight.dtype(), " for operands of ", a.dtype(),
                       "; expected that dtype, or 0 dimensions; convert it with to()");
  Tensor y;
  {
    const NoGrad guard;
    const DType wide = computed_in(dtype);
    const Tensor a0 = to(a, wide), b0 = to(b, wide), w0 = to(weight, wide), difference = b0 - a0;
    const Tensor value = where(abs(w0) < 0.5, a0 + w0 * difference, b0 - difference * (1.0 - w0));
    y = rounded(value, dtype);
  }
  return op.differentiable(y,
                           [a = op.save_if(op.needs(2), a), b = op.save_if(op.needs(2), b),
                            w = op.save(weight)](const Backward& g) -> Grads {
                             const Tensor w0 = *w;
                             const Tensor& dy = g.dy(0);
                             return {g.needs(0) ? dy * (1.0 - w0) : Tensor(),
                                     g.needs(1) ? dy * w0 : Tensor(),
                                     g.needs(2) ? dy * (*b - *a) : Tensor()};
                           });
}
Tensor lerp(const Tensor& a, const Tensor& b, double weight) {
  const Op op("lerp", {a, b}, {{"weight", weight}});
  broadcast_shapes("lerp", a.shape(), b.shape());
  check_ends(op, a.dtype());
  Tensor y;
  {
    const NoGrad guard;
    const Tensor a0 = widened(a), b0 = widened(b), difference = b0 - a0;
    y = rounded(
        std::abs(weight) < 0.5 ? a0 + difference * weight : b0 - difference * (1.0 - weight),
        a.dtype());
  }
  return op.differentiable(y, [weight](const Backward& g) -> Grads {
    return {g.needs(0) ? g.dy(0) * (1.0 - weight) : Tensor(),
            g.needs(1) ? g.dy(0) * weight : Tensor()};
  });
}

// y = x + value a b;   da = dy value b, db = dy value a
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
  const Op op("addcmul", {x, a, b}, {{"value", value}});
  check_broadcast(op);
  const DType dtype = promote({&x, &a, &b});
  op.check<DTypeError>(dtype != DType::boolean, "operands of ", dtype, "; expected numbers");
  Tensor y;
  {
    const NoGrad guard;
    const Tensor product = widened(a) * widened(b);
    y = rounded(widened(x) + (value == 1.0 ? product : product * value), dtype);
  }
  return op.differentiable(y,
                           [value, a = op.save_if(op.needs(2), a),
                            b = op.save_if(op.needs(1), b)](const Backward& g) -> Grads {
                             return {g.dy(0), g.needs(1) ? g.dy(0) * *b * value : Tensor(),
                                     g.needs(2) ? g.dy(0) * *a * value : Tensor()};
                           });
}

// y = x + value a / b;   da = dy value / b, db = -dy value a / b^2
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value) {
  const Op op("addcdiv", {x, a, b}, {{"value", value}});
  check_broadcast(op);
  op.check<DTypeError>(is_floating_point(promote(a, b)), "a is of ", a.dtype(), ", b of ",
                       b.dtype(), "; expected a floating dtype");
  Tensor y;
  {
    const NoGrad guard;
    const Tensor quotient = widened(a) / widened(b);
    y = rounded(widened(x) + (value == 1.0 ? quotient : quotient * value), promote({&x, &a, &b}));
  }
  return op.differentiable(
      y, [value, a = op.save_if(op.needs(2), a), b = op.save(b)](const Backward& g) -> Grads {
        const Tensor b0 = *b, da = g.dy(0) * value / b0;
        return {g.dy(0), da, g.needs(2) ? -da * *a / b0 : Tensor()};
      });
}

}  // namespace adjoint
