// The formulas of elementwise functions, said once: `value` and `derivative` are templates that are
// instantiated with Vec to be the kernel and with Tensor to be the composed definition.
//
// logistic is a sigmoid that may round a bit more; times_sigmoid(x) is x sigmoid(x), and
// times_tanh_softplus(x) is x tanh(softplus(x)).
//
// derivative(x, y, dy) is dx, where y = value(x); kUses says which of x and y it reads. A functor
// without either is constant in pieces, its derivative 0. Functions and operators are found by
// argument-dependent lookup; literals convert to either kind.
//
// A derivative is differentiated again as it is written: what where() does not choose must be
// finite, for its gradient is 0 times what it is multiplied with; and abs() would have a kink at 0.
#pragma once

#define ADJOINT_FUNCTOR \
  template <class V>    \
  [[gnu::always_inline]] static inline V

namespace adjoint::functors {

enum class Uses { none, input, output, both };
[[gnu::always_inline]] constexpr inline bool uses_input(Uses uses) {
  return uses == Uses::input || uses == Uses::both;
}
[[gnu::always_inline]] constexpr inline bool uses_output(Uses uses) {
  return uses == Uses::output || uses == Uses::both;
}

struct Neg {
  static constexpr Uses kUses = Uses::none;
  ADJOINT_FUNCTOR value(const V& x) { return -x; }
  ADJOINT_FUNCTOR derivative(const V&, const V&, const V& dy) { return -dy; }
};

// The derivative at 0 is 0.
struct Abs {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return abs(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    return where(x > 0.0, dy, where(x < 0.0, -dy, 0.0));
  }
};

// 0 for NaN, as PyTorch's.
struct Sign {
  ADJOINT_FUNCTOR value(const V& x) {
    return where(x > 0.0, V(1.0), where(x < 0.0, V(-1.0), V(0.0)));
  }
};

struct Exp {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return exp(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return dy * y; }
};

struct Expm1 {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return expm1(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return dy * (y + 1.0); }
};

struct Log {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return log(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) { return dy / x; }
};

struct Log1p {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return log1p(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) { return dy / (x + 1.0); }
};

struct Sqrt {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return sqrt(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return dy / (2.0 * y); }
};

struct Rsqrt {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return 1.0 / sqrt(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return -0.5 * dy * y * y * y; }
};

struct Square {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return x * x; }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) { return 2.0 * x * dy; }
};

struct Reciprocal {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return 1.0 / x; }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return -dy * y * y; }
};

struct Sin {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return sin(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) { return dy * cos(x); }
};

struct Cos {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return cos(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) { return -dy * sin(x); }
};

struct Tanh {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return tanh(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return dy * (1.0 - y * y); }
};

struct Sigmoid {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return sigmoid(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return dy * y * (1.0 - y); }
};

// NaN stays NaN, and its derivative is 1; that at 0 is 0.
struct Relu {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return where(x < 0.0, 0.0, x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return where(y <= 0.0, 0.0, dy); }
};

// x, or slope x below 0 (Maas, Hannun and Ng 2013, "Rectifier nonlinearities improve neural network
// acoustic models"). The derivative at 0 is that of below.
struct LeakyRelu {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 1;  // the slope
  ADJOINT_FUNCTOR value(const V& x, const double* p) { return where(x > 0.0, x, p[0] * x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double* p) {
    return where(x > 0.0, dy, p[0] * dy);
  }
};

// x sigmoid(2u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x (1 + tanh u) / 2 (Hendrycks
// and Gimpel 2016, arXiv 1606.08415, section 2).
struct GeluTanh {
  static constexpr Uses kUses = Uses::input;
  static constexpr double kTwoRoot = 1.5957691216057308;  // 2 sqrt(2 / pi)
  ADJOINT_FUNCTOR value(const V& x) {
    return x * logistic(kTwoRoot * x * (1.0 + 0.044715 * x * x));
  }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    const V square = x * x;
    const V s = logistic(kTwoRoot * x * (1.0 + 0.044715 * square));
    return dy * (s + x * s * (1.0 - s) * (kTwoRoot * (1.0 + 0.134145 * square)));
  }
};

// x Phi(x), Phi being the normal distribution's cumulative function, which does not cancel for
// negative x.
struct GeluErf {
  static constexpr Uses kUses = Uses::input;
  static constexpr double kDensity = 0.3989422804014327;  // 1 / sqrt(2 pi)
  ADJOINT_FUNCTOR value(const V& x) { return x * ndtr(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    V exponential;  // exp(-x^2 / 2)
    const V phi = ndtr(x, exponential);
    return dy * (phi + kDensity * x * exponential);
  }
};

struct Silu {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return times_sigmoid(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    const V s = logistic(x);
    return dy * s * (1.0 + x * (1.0 - s));
  }
};

struct Erf {
  static constexpr Uses kUses = Uses::input;
  static constexpr double kSlope = 1.1283791670955126;  // 2 / sqrt(pi)
  ADJOINT_FUNCTOR value(const V& x) { return erf(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    return kSlope * dy * exp(-x * x);
  }
};

struct Erfc {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return erfc(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    return -Erf::kSlope * dy * exp(-x * x);
  }
};

struct Floor {
  ADJOINT_FUNCTOR value(const V& x) { return floor(x); }
};
struct Ceil {
  ADJOINT_FUNCTOR value(const V& x) { return -floor(-x); }
};
// Halves to even.
struct Round {
  ADJOINT_FUNCTOR value(const V& x) { return round_even(x); }
};
// To a multiple of p[1] / p[0], one of which is 1.
struct RoundDecimals {
  static constexpr int kParameters = 2;
  ADJOINT_FUNCTOR value(const V& x, const double* p) {
    return round_even(x * p[0] / p[1]) * p[1] / p[0];
  }
};
struct Trunc {
  ADJOINT_FUNCTOR value(const V& x) { return trunc(x); }
};
struct Frac {
  static constexpr Uses kUses = Uses::none;
  ADJOINT_FUNCTOR value(const V& x) { return x - trunc(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V&, const V& dy) { return dy; }
};

struct NanToNum {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 3;  // what NaN, infinity and minus infinity become
  static constexpr double kInfinity = __builtin_inf();
  ADJOINT_FUNCTOR value(const V& x, const double* p) {
    const V finite = where(x == kInfinity, V(p[1]), where(x == -kInfinity, V(p[2]), x));
    return where(x != x, V(p[0]), finite);
  }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double*) {
    return where(abs(x) < kInfinity, dy, 0.0);
  }
};

// p[1] where p[0] > p[1]; NaN of any of the three stays. At the bounds the derivative is 0, but for
// an infinite one that nobody gave, which p[2] is.
struct Clamp {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 3;
  static constexpr double kClosed = __builtin_nan("");  // p[2] where both bounds are given
  ADJOINT_FUNCTOR value(const V& x, const double* p) {
    return minimum(maximum(x, V(p[0])), V(p[1]));
  }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double* p) {
    return where(x == p[2], dy, where(x > p[0], where(x < p[1], dy, 0.0), 0.0));
  }
};

}  // namespace adjoint::functors

#undef ADJOINT_FUNCTOR

// Every function above and in activation_functors.h, as F(name in the table, functor).
#define ADJOINT_UNARY_FUNCTIONS(F) \
  F(neg, Neg)                      \
  F(abs, Abs)                      \
  F(sign, Sign)                    \
  F(exp, Exp)                      \
  F(expm1, Expm1)                  \
  F(log, Log)                      \
  F(log1p, Log1p)                  \
  F(sqrt, Sqrt)                    \
  F(rsqrt, Rsqrt)                  \
  F(square, Square)                \
  F(reciprocal, Reciprocal)        \
  F(sin, Sin)                      \
  F(cos, Cos)                      \
  F(tanh, Tanh)                    \
  F(sigmoid, Sigmoid)              \
  F(erf, Erf)                      \
  F(erfc, Erfc)                    \
  F(floor, Floor)                  \
  F(ceil, Ceil)                    \
  F(round, Round)                  \
  F(round_decimals, RoundDecimals) \
  F(trunc, Trunc)                  \
  F(frac, Frac)                    \
  F(nan_to_num, NanToNum)          \
  F(clamp, Clamp)                  \
  F(relu, Relu)                    \
  F(leaky_relu, LeakyRelu)         \
  F(gelu_tanh, GeluTanh)           \
  F(gelu_erf, GeluErf)             \
  F(silu, Silu)                    \
  F(elu, Elu)                      \
  F(hardsigmoid, Hardsigmoid)      \
  F(hardswish, Hardswish)          \
  F(softplus, Softplus)            \
  F(log_sigmoid, LogSigmoid)       \
  F(mish, Mish)                    \
  F(softsign, Softsign)            \
  F(softshrink, Softshrink)        \
  F(hardshrink, Hardshrink)        \
  F(tanhshrink, Tanhshrink)        \
  F(threshold, Threshold)
