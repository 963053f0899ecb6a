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
// divided by exp(2 x), which would overflow.
template <class T>
ADJOINT_INLINE Vec<T> tanh_softplus(Vec<T> x) {
  const Vec<T> u = exp(-abs(x)), one = 1.0, two = 2.0;
  const Mask<T> above = x > Vec<T>(0.0);
  const Vec<T> n = select(above, fma(two, u, one), u * (u + two));
  return n / (n + select(above, two * u * u, two));
}

// a + b = sum + low, in whichever order of size (Knuth).
ADJOINT_INLINE Vec<float> two_sum(Vec<float> a, Vec<float> b, Vec<float>& low) {
  const Vec<float> sum = a + b, of_b = sum - a;
  low = (a - (sum - of_b)) + (b - of_b);
  return sum;
}

// x tanh_softplus(x). 1.8 ulp: u, n and the divisor n + d are sums of two. The scalar table, which
// has no fma to find the lower one, divides in double.
ADJOINT_INLINE Vec<float> times_tanh_softplus(Vec<float> x) {
  const Vec<float> one = 1.0f, two = 2.0f, zero = 0.0f;
  Vec<float> u_low;
  const Vec<float> u = decay_parts(x, u_low);
  if constexpr (Vec<float>::size == 1) {
    float lane, high, rest;
    x.store_n(&lane, 1);
    u.store_n(&high, 1);
    u_low.store_n(&rest, 1);
    const double w = double{high} + double{rest};
    const double n = lane > 0.0f ? 1.0 + 2.0 * w : w * (w + 2.0);
    return static_cast<float>(double{lane} * (n / (n + (lane > 0.0f ? 2.0 * w * w : 2.0))));
  }
  const Mask<float> above = x > zero;
  const Vec<float> square = u * u, square_low = fma(two * u, u_low, fma(u, u, -square));
  Vec<float> n_low, sum_low;
  const Vec<float> n = two_sum(two * u, select(above, one, square), n_low);
  n_low = n_low + fma(two, u_low, select(above, zero, square_low));
  const Vec<float> sum = two_sum(n, two * select(above, square, one), sum_low);
  sum_low = sum_low + fma(two, select(above, square_low, zero), n_low);
  const Vec<float> inverse = one / sum, q = n * inverse;
  const Vec<float> q_low = (fnma(q, sum, n) + fnma(q, sum_low, n_low)) * inverse;
  return fma(x, q, min(Vec<float>(1e30f), x) * q_low);  // as times_sigmoid
}
ADJOINT_INLINE Vec<double> times_tanh_softplus(Vec<double> x) { return x * tanh_softplus(x); }

// x - tanh(x) without cancellation. 2 ulp (scalar: 3), or 1e-28 |x| where that is more. Near 0 the
// cube times a polynomial in x^2, both sums of two; else |x| - 1 + 2 / (exp(2 |x|) + 1), where the
// last term is the smaller.
ADJOINT_INLINE Vec<float> tanhshrink(Vec<float> x) {
  const Vec<float> a = abs(x), s = x * x, cube = s * a;
  const Vec<float> cube_low = fma(fma(x, x, -s), a, fma(s, a, -cube));
  const Vec<float> third = 0.333333343f, third_low = -1.0134e-8f;
  const Vec<float> slope = polynomial(s, {-1.333332982e-01f, 5.396743677e-02f, -2.186201647e-02f,
                                          8.827961263e-03f, -3.494202810e-03f, 1.284117531e-03f,
                                          -3.914337555e-04f, 8.247936930e-05f, -8.532840373e-06f});
  const Vec<float> p = fma(slope, s, third), p_low = fma(slope, s, third - p) + third_low;
  const Vec<float> near = fma(cube, p, fma(cube, p_low, cube_low * p));
  const Vec<float> far = (a - 1.0f) + 2.0f / (exp(a + a) + 1.0f);
  return copysign(select(a < Vec<float>(1.2f), near, far), x);
}
// tanh(x) = x / (1 + f), f = x^2 / (3 + x^2 / (5 + ...)): Lambert 1761.
ADJOINT_INLINE Vec<double> tanhshrink(Vec<double> x) {
  constexpr int kLast = 31;  // enough for |x| < 3
  const Vec<double> s = x * x;
  Vec<double> f = 0.0;
  for (int k = kLast; k >= 3; k -= 2) f = s / (f + Vec<double>(k));
  return select(abs(x) < Vec<double>(3.0), x * (f / (f + Vec<double>(1.0))), x - tanh(x));
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
