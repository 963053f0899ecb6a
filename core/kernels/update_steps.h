// What each optimizer does to a vector of elements: the formulas of <adjoint/core/update_rules.h>.
// For kernel sources only.
#pragma once

#include <adjoint/core/update_rules.h>

#include "core/kernels/common.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The elements of a piece: moments are of what T is computed in.
template <class T>
struct Piece {
  T* p;
  const T* g;
  Computed<T>* moments[kMaxMoments];
  bfloat16* rounded;
};

// Parameters at i, also in bf16 where the piece has a place for them.
template <class T, class V>
ADJOINT_INLINE void store_parameters(const Piece<T>& a, V x, int64_t i, int lanes) {
  store(x, a.p + i, lanes);
  if constexpr (__is_same(T, float)) {
    if (a.rounded != nullptr) store(x, a.rounded + i, lanes);
  }
}

// -1, 0 or 1; NaN for NaN.
template <class V>
ADJOINT_INLINE V sign_of(V x) {
  return select(x > 0, V(1), select(x < 0, V(-1), x));
}

// Each gives step(piece, at, lanes), with its numbers in registers.
#define ADJOINT_STEP [=](const Piece<T>& a, int64_t i, int lanes) __attribute__((always_inline))

template <class T>
auto step_of(const SgdRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, lr = r.lr, momentum = r.momentum, keep = r.keep;
  const V decay = r.weight_decay;
  const bool nesterov = r.nesterov, first = r.first;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes);
    V g = fma(decay, p, load(a.g + i, lanes) * scale);
    if (auto* b = a.moments[0]; b != nullptr) {
      const V m = first ? g : fma(momentum, load(b + i, lanes), keep * g);
      store(m, b + i, lanes);
      g = nesterov ? fma(momentum, m, g) : m;
    }
    store_parameters(a, fnma(lr, g, p), i, lanes);
  };
}

template <class T>
auto step_of(const AsgdRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, weight_decay = r.weight_decay, decay = r.decay, eta = r.eta;
  const V mu = r.mu;
  const bool copies = r.mu == 1;
  return ADJOINT_STEP {
    V p = load(a.p + i, lanes);
    const V g = fma(weight_decay, p, load(a.g + i, lanes) * scale);
    p = fnma(eta, g, p * decay);
    const V ax = load(a.moments[0] + i, lanes);
    store(copies ? p : fma(mu, p - ax, ax), a.moments[0] + i, lanes);
    store_parameters(a, p, i, lanes);
  };
}

template <class T>
auto step_of(const AdamRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, decay = r.decay, l2 = r.l2, rest1 = 1 - r.beta1;
  const V beta2 = r.beta2, rest2 = 1 - r.beta2, step_size = r.step_size;
  const V gradient_step = r.gradient_step, v_scale = r.v_scale, eps = r.eps;
  return ADJOINT_STEP {
    V p = load(a.p + i, lanes);
    const V g = fma(l2, p, load(a.g + i, lanes) * scale);
    p *= decay;
    V m = load(a.moments[0] + i, lanes), v = load(a.moments[1] + i, lanes);
    m = fma(rest1, g - m, m);
    v = fma(beta2, v, rest2 * g * g);
    store(m, a.moments[0] + i, lanes);
    store(v, a.moments[1] + i, lanes);
    if (auto* v_max = a.moments[2]; v_max != nullptr) {
      v = maximum(v, load(v_max + i, lanes));
      store(v, v_max + i, lanes);
    }
    const V step = fma(step_size, m, gradient_step * g);
    store_parameters(a, p - step / fma(sqrt(v), v_scale, eps), i, lanes);
  };
}

template <class T>
auto step_of(const AdamaxRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, weight_decay = r.weight_decay, rest1 = 1 - r.beta1;
  const V beta2 = r.beta2, step_size = r.step_size, eps = r.eps;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes);
    const V g = fma(weight_decay, p, load(a.g + i, lanes) * scale);
    V m = load(a.moments[0] + i, lanes), u = load(a.moments[1] + i, lanes);
    m = fma(rest1, g - m, m);
    u = maximum(beta2 * u, abs(g) + eps);
    store(m, a.moments[0] + i, lanes);
    store(u, a.moments[1] + i, lanes);
    store_parameters(a, fnma(step_size, m / u, p), i, lanes);
  };
}

template <class T>
auto step_of(const LambRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, weight_decay = r.weight_decay, rest1 = 1 - r.beta1;
  const V beta2 = r.beta2, rest2 = 1 - r.beta2, m_scale = r.m_scale, v_scale = r.v_scale;
  const V eps = r.eps;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes), g = load(a.g + i, lanes) * scale;
    V m = load(a.moments[0] + i, lanes), v = load(a.moments[1] + i, lanes);
    m = fma(rest1, g - m, m);
    v = fma(beta2, v, rest2 * g * g);
    store(m, a.moments[0] + i, lanes);
    store(v, a.moments[1] + i, lanes);
    const V ratio = m_scale * m / fma(sqrt(v), v_scale, eps);
    store(fma(weight_decay, p, ratio), a.moments[2] + i, lanes);
  };
}

template <class T>
auto step_of(const RmsRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, weight_decay = r.weight_decay, alpha = r.alpha, rest = r.rest;
  const V rest_alpha = 1 - r.alpha, momentum = r.momentum, lr = r.lr, eps = r.eps;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes);
    const V g = fma(weight_decay, p, load(a.g + i, lanes) * scale);
    V v = fma(alpha, load(a.moments[0] + i, lanes), rest * g * g);
    store(v, a.moments[0] + i, lanes);
    if (auto* mean = a.moments[2]; mean != nullptr) {
      V ga = load(mean + i, lanes);
      ga = fma(rest_alpha, g - ga, ga);
      store(ga, mean + i, lanes);
      v = fnma(ga, ga, v);
    }
    V d = g / (sqrt(v) + eps);
    if (auto* b = a.moments[1]; b != nullptr) {
      d = fma(momentum, load(b + i, lanes), d);
      store(d, b + i, lanes);
    }
    store_parameters(a, fnma(lr, d, p), i, lanes);
  };
}

template <class T>
auto step_of(const AdadeltaRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, weight_decay = r.weight_decay, rho = r.rho, rest = 1 - r.rho;
  const V lr = r.lr, eps = r.eps;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes);
    const V g = fma(weight_decay, p, load(a.g + i, lanes) * scale);
    const V v = fma(rho, load(a.moments[0] + i, lanes), rest * g * g);
    const V u = load(a.moments[1] + i, lanes);
    const V d = g * (sqrt(u + eps) / sqrt(v + eps));
    store(v, a.moments[0] + i, lanes);
    store(fma(rho, u, rest * d * d), a.moments[1] + i, lanes);
    store_parameters(a, fnma(lr, d, p), i, lanes);
  };
}

template <class T>
auto step_of(const RpropRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, down = r.down, up = r.up, least = r.least, most = r.most;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes), g = load(a.g + i, lanes) * scale;
    const V turn = g * load(a.moments[0] + i, lanes);
    const V factor = select(turn > 0, up, select(turn < 0, down, V(1)));
    const V s = minimum(maximum(load(a.moments[1] + i, lanes) * factor, least), most);
    const V q = select(turn < 0, V(0), g);
    store(q, a.moments[0] + i, lanes);
    store(s, a.moments[1] + i, lanes);
    store_parameters(a, fnma(sign_of(q), s, p), i, lanes);
  };
}

template <class T>
auto step_of(const LionRule& r) {
  using V = Register<T>;
  const V scale = r.gradient_scale, beta1 = r.beta1, rest1 = 1 - r.beta1, beta2 = r.beta2;
  const V rest2 = 1 - r.beta2, decay = r.decay, lr = r.lr;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes), g = load(a.g + i, lanes) * scale;
    const V m = load(a.moments[0] + i, lanes);
    store(fma(beta2, m, rest2 * g), a.moments[0] + i, lanes);
    const V direction = sign_of(fma(beta1, m, rest1 * g));
    store_parameters(a, fnma(lr, direction, p * decay), i, lanes);
  };
}

template <class T>
auto step_of(const AddRule& r) {
  using V = Register<T>;
  const V decay = r.decay, factor = r.factor;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes) * decay;
    store_parameters(a, fma(factor, load(a.moments[0] + i, lanes), p), i, lanes);
  };
}

template <class T>
auto step_of(const AverageRule& r) {
  using V = Register<T>;
  const V weight = r.weight;
  const bool copies = r.weight == 1;
  return ADJOINT_STEP {
    const V p = load(a.p + i, lanes), mean = load(a.moments[0] + i, lanes);
    store(copies ? p : fma(weight, p - mean, mean), a.moments[0] + i, lanes);
  };
}

#undef ADJOINT_STEP

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
