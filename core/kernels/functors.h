// The formulas of elementwise functions, said once: `value` and `derivative` are templates that are
// instantiated with Vec to be the kernel and with Tensor to be the composed definition.
//
// logistic is a sigmoid that may round a bit more, times_sigmoid(x) is x sigmoid(x).
//
// derivative(x, y, dy) is dx, where y = value(x); kUses says which of x and y it reads. Functions
// and operators are found by argument-dependent lookup; literals convert to either kind.
#pragma once

#define ADJOINT_FUNCTOR \
  template <class V>    \
  [[gnu::always_inline]] static inline V

namespace adjoint::functors {

enum class Uses { none, input, output, both };

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

struct Exp {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return exp(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return dy * y; }
};

struct Log {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return log(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) { return dy / x; }
};

struct Sqrt {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return sqrt(x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return dy / (2.0 * y); }
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

// NaN stays NaN; the derivative at 0 is 0.
struct Relu {
  static constexpr Uses kUses = Uses::output;
  ADJOINT_FUNCTOR value(const V& x) { return where(x < 0.0, 0.0, x); }
  ADJOINT_FUNCTOR derivative(const V&, const V& y, const V& dy) { return where(y > 0.0, dy, 0.0); }
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

}  // namespace adjoint::functors

#undef ADJOINT_FUNCTOR

// Every function above, as F(name in the table, functor).
#define ADJOINT_UNARY_FUNCTIONS(F) \
  F(neg, Neg)                      \
  F(abs, Abs)                      \
  F(exp, Exp)                      \
  F(log, Log)                      \
  F(sqrt, Sqrt)                    \
  F(square, Square)                \
  F(reciprocal, Reciprocal)        \
  F(sin, Sin)                      \
  F(cos, Cos)                      \
  F(tanh, Tanh)                    \
  F(sigmoid, Sigmoid)              \
  F(relu, Relu)                    \
  F(leaky_relu, LeakyRelu)         \
  F(gelu_tanh, GeluTanh)           \
  F(gelu_erf, GeluErf)             \
  F(silu, Silu)                    \
  F(erf, Erf)                      \
  F(erfc, Erfc)
