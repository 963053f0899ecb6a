// Activations beside those that products apply: see functors.h.
#pragma once

#include "core/kernels/functors.h"

#define ADJOINT_FUNCTOR \
  template <class V>    \
  [[gnu::always_inline]] static inline V

namespace adjoint::functors {

// p[1] x above 0, p[0] (exp(p[2] x) - 1) below: with 1, alpha, 1 the unit of Clevert, Unterthiner
// and Hochreiter 2015 (arXiv 1511.07289), with alpha, 1, 1 / alpha that of Barron 2017 (arXiv
// 1704.07483), with the constants of Klambauer et al. 2017 (arXiv 1706.02515) theirs.
struct Elu {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 3;
  ADJOINT_FUNCTOR value(const V& x, const double* p) {
    return where(x > 0.0, p[1] * x, p[0] * expm1(p[2] * x));
  }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double* p) {
    const V below = where(x > 0.0, 0.0, x);
    return where(x > 0.0, p[1] * dy, p[0] * p[2] * dy * exp(p[2] * below));
  }
};

// min(max(x + 3, 0), 6) / 6
struct Hardsigmoid {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return minimum(maximum(x + 3.0, V(0.0)), V(6.0)) / 6.0; }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    return where(x > -3.0, where(x < 3.0, dy / 6.0, 0.0), 0.0);
  }
};

// x min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, arXiv 1905.02244, section 5.2).
struct Hardswish {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return x * minimum(maximum(x + 3.0, V(0.0)), V(6.0)) / 6.0; }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    return where(x <= -3.0, 0.0, where(x >= 3.0, dy, dy * (x / 3.0 + 0.5)));
  }
};

// log(1 + exp(beta x)) / beta, x where beta x > threshold.
struct Softplus {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 2;  // beta, threshold
  ADJOINT_FUNCTOR value(const V& x, const double* p) {
    const V z = p[0] * x;
    return where(z > p[1], x, softplus(z) / p[0]);
  }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double* p) {
    const V z = p[0] * x;
    return where(z > p[1], dy, dy * logistic(z));
  }
};

struct LogSigmoid {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return -softplus(-x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) { return dy * logistic(-x); }
};

// x tanh(log(1 + exp(x))) (Misra 2019, arXiv 1908.08681).
struct Mish {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return times_tanh_softplus(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    const V t = tanh_softplus(x);
    return dy * (t + x * logistic(x) * (1.0 - t * t));
  }
};

struct Softsign {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return x / (abs(x) + 1.0); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    const V d = abs(x) + 1.0;
    return dy / (d * d);
  }
};

// x nearer to 0 by p[0], and 0 within that. NaN stays.
struct Softshrink {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 1;
  ADJOINT_FUNCTOR value(const V& x, const double* p) {
    return where(x > p[0], x - p[0], where(x < -p[0], x + p[0], x * 0.0));
  }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double* p) {
    return where(abs(x) > p[0], dy, 0.0);
  }
};

// x, and 0 where |x| <= p[0].
struct Hardshrink {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 1;
  ADJOINT_FUNCTOR value(const V& x, const double* p) { return where(abs(x) <= p[0], 0.0, x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double* p) {
    return where(abs(x) > p[0], dy, 0.0);
  }
};

// x - tanh(x)
struct Tanhshrink {
  static constexpr Uses kUses = Uses::input;
  ADJOINT_FUNCTOR value(const V& x) { return tanhshrink(x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy) {
    const V t = tanh(x);
    return dy * t * t;
  }
};

// x above p[0], else p[1].
struct Threshold {
  static constexpr Uses kUses = Uses::input;
  static constexpr int kParameters = 2;
  ADJOINT_FUNCTOR value(const V& x, const double* p) { return where(x <= p[0], V(p[1]), x); }
  ADJOINT_FUNCTOR derivative(const V& x, const V&, const V& dy, const double* p) {
    return where(x <= p[0], 0.0, dy);
  }
};

}  // namespace adjoint::functors

#undef ADJOINT_FUNCTOR
