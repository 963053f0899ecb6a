// The formulas of losses of two numbers, an input x and a target t: see functors.h. dx and dt are
// the derivatives times dy.
#pragma once

#include "core/kernels/functors.h"

#define ADJOINT_FUNCTOR \
  template <class V>    \
  [[gnu::always_inline]] static inline V

namespace adjoint::functors {

// Losses that depend on x - t: dt = -dx.
template <class F>
struct OfDifference {
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double* p) { return F::of(x - t, p); }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double* p) {
    return F::slope(x - t, dy, p);
  }
  ADJOINT_FUNCTOR dt(const V& x, const V& t, const V& dy, const double* p) {
    return -F::slope(x - t, dy, p);
  }
};

// The derivative at 0 is 0.
struct AbsoluteError : OfDifference<AbsoluteError> {
  ADJOINT_FUNCTOR of(const V& d, const double*) { return abs(d); }
  ADJOINT_FUNCTOR slope(const V& d, const V& dy, const double*) {
    return where(d > 0.0, dy, where(d < 0.0, -dy, 0.0));
  }
};

struct SquaredError : OfDifference<SquaredError> {
  ADJOINT_FUNCTOR of(const V& d, const double*) { return d * d; }
  ADJOINT_FUNCTOR slope(const V& d, const V& dy, const double*) { return 2.0 * d * dy; }
};

// p[1] d^2 for |d| below p[0], p[2] (|d| - p[0] / 2) from there on: with beta, 1 / (2 beta), 1 that
// of Girshick, with delta, 1 / 2, delta that of Huber. The two meet with one slope.
struct HuberError : OfDifference<HuberError> {
  ADJOINT_FUNCTOR of(const V& d, const double* p) {
    const V z = abs(d);
    return where(z < p[0], p[1] * z * z, p[2] * (z - 0.5 * p[0]));
  }
  ADJOINT_FUNCTOR slope(const V& d, const V& dy, const double* p) {
    const V beyond = p[2] * dy;
    return where(d <= -p[0], -beyond, where(d >= p[0], beyond, 2.0 * p[1] * d * dy));
  }
};

// log(cosh(d)) = d + log(1 + exp(-2 d)) - log(2), through |d| on either side.
struct LogCosh : OfDifference<LogCosh> {
  ADJOINT_FUNCTOR of(const V& d, const double*) {
    const V z = abs(d);
    return z + log1p(exp(-2.0 * z)) - 0.69314718055994531;
  }
  ADJOINT_FUNCTOR slope(const V& d, const V& dy, const double*) { return tanh(d) * dy; }
};

// -t log(x) - (1 - t) log(1 - x), both logarithms at least -100; x (1 - x) below 1e-12 is that.
struct BinaryCrossEntropy {
  ADJOINT_FUNCTOR bounded(const V& y) { return where(y < -100.0, -100.0, y); }
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double*) {
    return (t - 1.0) * bounded(log1p(-x)) - t * bounded(log(x));
  }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double*) {
    const V variance = (1.0 - x) * x;
    return (x - t) * dy / where(variance < 1e-12, 1e-12, variance);
  }
  ADJOINT_FUNCTOR dt(const V& x, const V&, const V& dy, const double*) {
    return (bounded(log1p(-x)) - bounded(log(x))) * dy;
  }
};

// The same of the sigmoid of x: (1 - t) x + log(1 + exp(-x)).
struct BinaryCrossEntropyWithLogits {
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double*) {
    return (1.0 - t) * x + softplus(-x);
  }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double*) {
    return (logistic(x) - t) * dy;
  }
  ADJOINT_FUNCTOR dt(const V& x, const V&, const V& dy, const double*) { return -x * dy; }
};

// (p[0] + p[1] t) q^p[2] times that, q = t (1 - sigmoid(x)) + (1 - t) sigmoid(x). Where q is 0 so
// is the derivative.
struct Focal {
  ADJOINT_FUNCTOR miss(const V& x, const V& t) {
    return t * logistic(-x) + (1.0 - t) * logistic(x);
  }
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double* p) {
    const V entropy = (1.0 - t) * x + softplus(-x);
    return (p[0] + p[1] * t) * pow(miss(x, t), p[2]) * entropy;
  }
  // d(q^p[2] entropy) = q^p[2] dentropy + p[2] q^(p[2] - 1) dq entropy
  ADJOINT_FUNCTOR product_rule(const V& q, const V& dq, const V& entropy, const V& dentropy,
                               const double* p) {
    const V safe = where(q > 0.0, q, 1.0);
    return where(q > 0.0, pow(safe, p[2]) * dentropy + p[2] * pow(safe, p[2] - 1.0) * dq * entropy,
                 0.0);
  }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double* p) {
    const V s = logistic(x), entropy = (1.0 - t) * x + softplus(-x);
    const V dq = (1.0 - 2.0 * t) * s * (1.0 - s);
    return dy * (p[0] + p[1] * t) * product_rule<V>(miss(x, t), dq, entropy, s - t, p);
  }
  ADJOINT_FUNCTOR dt(const V& x, const V& t, const V& dy, const double* p) {
    const V entropy = (1.0 - t) * x + softplus(-x), q = miss(x, t);
    const V dq = 1.0 - 2.0 * logistic(x);
    return dy * ((p[0] + p[1] * t) * product_rule<V>(q, dq, entropy, -x, p) +
                 p[1] * pow(q, p[2]) * entropy);
  }
};

// t (log(t) - x), 0 where t is.
struct KlDivergence {
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double*) {
    return where(t == 0.0, 0.0, t * log(t)) - t * x;
  }
  ADJOINT_FUNCTOR dx(const V&, const V& t, const V& dy, const double*) { return -t * dy; }
  ADJOINT_FUNCTOR dt(const V& x, const V& t, const V& dy, const double*) {
    return (log(t) + 1.0 - x) * dy;
  }
};

// exp(t) (t - x)
struct KlDivergenceOfLogs {
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double*) { return exp(t) * (t - x); }
  ADJOINT_FUNCTOR dx(const V&, const V& t, const V& dy, const double*) { return -exp(t) * dy; }
  ADJOINT_FUNCTOR dt(const V& x, const V& t, const V& dy, const double*) {
    return exp(t) * (t - x + 1.0) * dy;
  }
};

struct PoissonOfLogs {
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double*) { return exp(x) - t * x; }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double*) {
    return (exp(x) - t) * dy;
  }
  ADJOINT_FUNCTOR dt(const V& x, const V&, const V& dy, const double*) { return -x * dy; }
};

struct Poisson {  // p[0]: eps
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double* p) { return x - t * log(x + p[0]); }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double* p) {
    return (1.0 - t / (x + p[0])) * dy;
  }
  ADJOINT_FUNCTOR dt(const V& x, const V&, const V& dy, const double* p) {
    return -log(x + p[0]) * dy;
  }
};

// log(1 + exp(-t x))
struct SoftMargin {
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double*) { return softplus(-t * x); }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double*) {
    return -t * logistic(-t * x) * dy;
  }
  ADJOINT_FUNCTOR dt(const V& x, const V& t, const V& dy, const double*) {
    return -x * logistic(-t * x) * dy;
  }
};

// x where t is 1, max(0, p[0] - x) where it is -1, the sum of both elsewhere; constant in t.
struct HingeEmbedding {
  ADJOINT_FUNCTOR value(const V& x, const V& t, const double* p) {
    const V z = p[0] - x;
    return where(t != 1.0, where(z < 0.0, 0.0, z), 0.0) + where(t != -1.0, x, 0.0);
  }
  ADJOINT_FUNCTOR dx(const V& x, const V& t, const V& dy, const double* p) {
    return where(t != -1.0, dy, 0.0) - where(t != 1.0, where(x < p[0], dy, 0.0), 0.0);
  }
  ADJOINT_FUNCTOR dt(const V&, const V&, const V& dy, const double*) { return dy * 0.0; }
};

}  // namespace adjoint::functors

#undef ADJOINT_FUNCTOR

// clang-format off
#define ADJOINT_PAIR_LOSSES(X)                                      \
  X(absolute_error, AbsoluteError)                                  \
  X(squared_error, SquaredError)                                    \
  X(huber, HuberError)                                              \
  X(log_cosh, LogCosh)                                              \
  X(binary_cross_entropy, BinaryCrossEntropy)                       \
  X(binary_cross_entropy_with_logits, BinaryCrossEntropyWithLogits) \
  X(focal, Focal)                                                   \
  X(kl, KlDivergence)                                               \
  X(kl_of_logs, KlDivergenceOfLogs)                                 \
  X(poisson_of_logs, PoissonOfLogs)                                 \
  X(poisson, Poisson)                                               \
  X(soft_margin, SoftMargin)                                        \
  X(hinge_embedding, HingeEmbedding)
// clang-format on
