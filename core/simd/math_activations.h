// Functions on Vec that activations are made of, found by argument-dependent lookup. The bounds are
// those of math.h: the largest errors that tests/core/simd_test.cpp accepts for Vec<float>.
#pragma once

#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Towards zero. Exact.
template <class T>
ADJOINT_INLINE Vec<T> trunc(Vec<T> x) {
  return copysign(floor(abs(x)), x);
}

// log(1 + exp(x)). 2 ulp.
template <class T>
ADJOINT_INLINE Vec<T> softplus(Vec<T> x) {
  return max(Vec<T>(0.0), x) + log1p(exp(-abs(x)));
}

// tanh(log(1 + exp(x))), which is n / (n + 2) with n = exp(x) (exp(x) + 2); for x > 0 both are
// divided by exp(2 x), which would overflow. x times it is mish, within 4 ulp.
template <class T>
ADJOINT_INLINE Vec<T> tanh_softplus(Vec<T> x) {
  const Vec<T> u = exp(-abs(x)), one = 1.0, two = 2.0;
  const Mask<T> above = x > Vec<T>(0.0);
  const Vec<T> n = select(above, fma(two, u, one), u * (u + two));
  return n / (n + select(above, two * u * u, two));
}

// x - tanh(x) without cancellation: tanh(x) = x / (1 + f), f = x^2 / (3 + x^2 / (5 + ...)), Lambert
// 1761. 3.5 ulp.
template <class T>
ADJOINT_INLINE Vec<T> tanhshrink(Vec<T> x) {
  constexpr int kLast = sizeof(T) == 4 ? 21 : 31;  // enough for |x| < 3
  const Vec<T> s = x * x;
  Vec<T> f = 0.0;
  for (int k = kLast; k >= 3; k -= 2) f = s / (f + Vec<T>(k));
  return select(abs(x) < Vec<T>(3.0), x * (f / (f + Vec<T>(1.0))), x - tanh(x));
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
