// Elementary functions on Vec, found by argument-dependent lookup.
//
// Vec<float>: polynomials of our own, fitted by a weighted minimax on the reduced range; the bounds
// below are the largest errors that tests/core/simd_test.cpp accepts, in units in the last place,
// for results that are normal numbers (a denormal result may be zero: kernels flush). Infinities
// and NaN behave as in C. Vec<double>: the C library's functions, lane by lane; a vector version
// needs no change elsewhere.
#pragma once

#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// p[0] + p[1] x + ... + p[n - 1] x^(n - 1), by Horner's rule.
template <class T, int n>
ADJOINT_INLINE Vec<T> polynomial(Vec<T> x, const T (&p)[n]) {
  Vec<T> y = p[n - 1];
  for (int i = n - 2; i >= 0; --i) y = fma(y, x, Vec<T>(p[i]));
  return y;
}

// f of every lane.
template <class T, class F>
ADJOINT_INLINE Vec<T> by_lane(Vec<T> x, F f) {
  T lanes[Vec<T>::size];
  x.store(lanes);
  for (T& lane : lanes) lane = f(lane);
  return Vec<T>::load(lanes);
}
template <class T, class F>
ADJOINT_INLINE Vec<T> by_lane(Vec<T> x, Vec<T> y, F f) {
  T lanes[Vec<T>::size], others[Vec<T>::size];
  x.store(lanes);
  y.store(others);
  for (int i = 0; i < Vec<T>::size; ++i) lanes[i] = f(lanes[i], others[i]);
  return Vec<T>::load(lanes);
}

// x = n ln 2 + r with |r| <= 0.35, by Cody and Waite: n ln2_high is exact.
ADJOINT_INLINE Vec<float> reduce_ln2(Vec<float> x, Vec<float>& n) {
  n = round_even(x * 1.44269504f);
  const Vec<float> r = fnma(n, Vec<float>(0.693359375f), x);
  return fnma(n, Vec<float>(-2.12194440e-4f), r);
}

// 1.1 ulp.
ADJOINT_INLINE Vec<float> exp(Vec<float> x) {
  // The bounds keep n small; they keep NaN as well, being the first argument.
  x = max(Vec<float>(-104.0f), min(Vec<float>(89.0f), x));
  Vec<float> n;
  const Vec<float> r = reduce_ln2(x, n);
  const Vec<float> q = polynomial(r, {4.999999305e-01f, 1.666651479e-01f, 4.166845679e-02f,
                                      8.369418836e-03f, 1.381314451e-03f});
  return ldexp_int(fma(q, r * r, r) + 1.0f, n);
}

// exp(x) - 1 without cancellation. 2 ulp.
ADJOINT_INLINE Vec<float> expm1(Vec<float> x) {
  const Vec<float> clamped = max(Vec<float>(-20.0f), min(Vec<float>(89.0f), x));
  Vec<float> n;
  const Vec<float> r = reduce_ln2(clamped, n);
  const Vec<float> q = polynomial(r, {5.000000047e-01f, 1.666666635e-01f, 4.166634871e-02f,
                                      8.333391638e-03f, 1.394165263e-03f, 1.984595787e-04f});
  const Vec<float> p = fma(q, r * r, r);
  // 2^n (1 + p) - 1, through half of it: 2^128 is no float.
  const Vec<float> half = ldexp_int(Vec<float>(0.5f), n);
  const Vec<float> y = fma(half, p, half - 0.5f) * 2.0f;
  return select(n == Vec<float>(0.0f), select(x == Vec<float>(0.0f), x, p), y);
}

// log(1 + f) for f in [sqrt(1/2) - 1, sqrt(2) - 1], plus e ln 2.
ADJOINT_INLINE Vec<float> log_of(Vec<float> f, Vec<float> e) {
  const Vec<float> q = polynomial(f, {3.333331260e-01f, -2.500000960e-01f, 2.000211866e-01f,
                                      -1.666799585e-01f, 1.421955235e-01f, -1.240558890e-01f,
                                      1.188816230e-01f, -1.167565202e-01f, 6.746640787e-02f});
  const Vec<float> square = f * f;
  Vec<float> y = q * f * square;
  y = fma(e, Vec<float>(-2.12194440e-4f), y);
  y = fnma(square, Vec<float>(0.5f), y);
  return fma(e, Vec<float>(0.693359375f), f + y);
}

// x = (1 + f) 2^e for finite x > 0.
ADJOINT_INLINE Vec<float> split_log(Vec<float> x, Vec<float>& e) {
  const Vec<float> m = frexp_int(x, e);
  const Mask<float> large = m > Vec<float>(1.41421356f);
  e = select(large, e + 1.0f, e);
  return select(large, m * 0.5f, m) - 1.0f;
}

// The values of a logarithm of u >= 0 at the ends of its domain, else y.
ADJOINT_INLINE Vec<float> log_ends(Vec<float> u, Vec<float> y) {
  const Vec<float> infinity = __builtin_inff();
  y = select(u == infinity, infinity, y);
  y = select(u == Vec<float>(0.0f), -infinity, y);
  return select(u >= Vec<float>(0.0f), y, __builtin_nanf(""));
}

// 1 ulp.
ADJOINT_INLINE Vec<float> log(Vec<float> x) {
  Vec<float> e;
  const Vec<float> f = split_log(x, e);
  return log_ends(x, log_of(f, e));
}

// log(1 + x). 2 ulp: the rounding of 1 + x is put back to first order.
ADJOINT_INLINE Vec<float> log1p(Vec<float> x) {
  const Vec<float> u = 1.0f + x;
  const Vec<float> lost = select(x > Vec<float>(1.0f), 1.0f - (u - x), x - (u - 1.0f));
  Vec<float> e;
  const Vec<float> f = split_log(u, e);
  const Vec<float> y = log_ends(u, log_of(f, e) + select(u < Vec<float>(0x1p60f), lost / u, 0.0f));
  return select(abs(x) < Vec<float>(0x1p-24f), x, y);
}

// 2 ulp.
ADJOINT_INLINE Vec<float> tanh(Vec<float> x) {
  const Vec<float> a = abs(x);
  const Vec<float> s = x * x;
  const Vec<float> q = polynomial(s, {-3.333333057e-01f, 1.333319653e-01f, -5.394552096e-02f,
                                      2.169368363e-02f, -8.159560415e-03f, 2.126231483e-03f});
  const Vec<float> near = fma(q * s, a, a);
  const Vec<float> far = 1.0f - 2.0f / (exp(a + a) + 1.0f);
  return copysign(select(a < Vec<float>(0.625f), near, far), x);
}

// 1 / (1 + exp(-x)), for x < 0 as exp(x) / (1 + exp(x)): exp(-x) would overflow. 2.5 ulp: for
// functions whose other roundings are larger.
ADJOINT_INLINE Vec<float> logistic(Vec<float> x) {
  const Vec<float> e = exp(-abs(x));
  return select(x < Vec<float>(0.0f), e, 1.0f) / (1.0f + e);
}

// exp(-|x|) as a sum of two, head + low: the last rounding is put back.
ADJOINT_INLINE Vec<float> decay_parts(Vec<float> x, Vec<float>& low) {
  const Vec<float> one = 1.0f;
  Vec<float> n;
  const Vec<float> r = reduce_ln2(max(Vec<float>(-104.0f), -abs(x)), n);
  const Vec<float> c = polynomial(r, {5.000000047e-01f, 1.666666635e-01f, 4.166634871e-02f,
                                      8.333391638e-03f, 1.394165263e-03f, 1.984595787e-04f});
  const Vec<float> p = fma(c, r * r, r), sum = one + p;
  low = ldexp_int(p - (sum - one), n);
  return ldexp_int(sum, n);
}

// logistic(x) as a sum of two, head + low: what exp, the divisor and the quotient lose to rounding
// is put back to first order. The scalar table, which has no fma to find it, divides in double.
ADJOINT_INLINE Vec<float> sigmoid_parts(Vec<float> x, Vec<float>& low) {
  const Vec<float> one = 1.0f, zero = 0.0f;
  Vec<float> e_low;
  const Vec<float> e = decay_parts(x, e_low);
  if constexpr (Vec<float>::size == 1) {
    float lane, high, rest;
    x.store_n(&lane, 1);
    e.store_n(&high, 1);
    e_low.store_n(&rest, 1);
    const double whole = double{high} + double{rest};
    const double s = (lane < 0.0f ? whole : 1.0) / (1.0 + whole);
    const auto head = static_cast<float>(s);
    low = static_cast<float>(s - double{head});
    return head;
  }
  const Mask<float> negative = x < zero;
  const Vec<float> d = one + e, d_low = (one - d) + e + e_low, inverse = one / d;
  const Vec<float> above = select(negative, e, one), above_low = select(negative, e_low, zero);
  const Vec<float> q = above * inverse;
  low = (fnma(q, d, above) + fnma(q, d_low, above_low)) * inverse;
  return q;
}

// 1 ulp.
ADJOINT_INLINE Vec<float> sigmoid(Vec<float> x) {
  Vec<float> low;
  const Vec<float> head = sigmoid_parts(x, low);
  return head + low;
}

// x sigmoid(x). 1.5 ulp (scalar: 2).
ADJOINT_INLINE Vec<float> times_sigmoid(Vec<float> x) {
  Vec<float> low;
  const Vec<float> head = sigmoid_parts(x, low);
  return fma(x, head,
             min(Vec<float>(1e30f), x) * low);  // low is 0 far out, where x may be infinite
}

// erf(x) / x - 1 for |x| <= 0.92.
ADJOINT_INLINE Vec<float> erf_excess(Vec<float> x) {
  return polynomial(x * x,
                    {1.283791666e-01f, -3.761263319e-01f, 1.128368720e-01f, -2.685894196e-02f,
                     5.199907524e-03f, -8.130020497e-04f, 8.316802811e-05f});
}

// 1 ulp (scalar: 1.5). Near zero x times a polynomial in x^2, else 1 - exp(x times another).
ADJOINT_INLINE Vec<float> erf(Vec<float> x) {
  const Vec<float> a = abs(x);
  Vec<float> near = fma(erf_excess(x), x, x);
  if constexpr (Vec<float>::size == 1) {
    // Without an fma the smaller product may be denormal, and flushed, where the sum is not.
    near = select(a < Vec<float>(1e-30f), x * 1.128379167f, near);
  }
  const Vec<float> b = min(Vec<float>(4.0f), a);
  const Vec<float> tail =
      polynomial(b, {-1.286484916e-01f, -6.351513108e-01f, -1.062368873e-01f, 2.376207160e-02f,
                     -3.642463305e-03f, 3.228049501e-04f, -1.123141930e-05f});
  const Vec<float> far = copysign(1.0f - exp(fma(tail, b, -b)), x);
  return select(a < Vec<float>(0.92f), near, select(is_nan(x), x, far));
}

// exp(head + tail), the `exponential`, times g(u) / (1 + 2 (a + a_low)), for 0 <= a <= 10.2, where
// u = (a - 2) / (a + 2) and g is a polynomial: erfc(a + a_low) where head + tail is minus its
// square, head a number whose remainder by ln 2 is exact and a_low the rounding of a. What the last
// step of g, the divisor and the quotient lose to rounding is put back to first order; not by the
// scalar table, which has no fma to find it.
ADJOINT_INLINE Vec<float> erfc_of(Vec<float> a, Vec<float> a_low, Vec<float> head, Vec<float> tail,
                                  Vec<float>& exponential) {
  const Vec<float> u = (a - 2.0f) / (a + 2.0f);
  const Vec<float> slope =
      polynomial(u, {-9.276382066e-02f, -1.660305223e-01f, 1.640510405e-01f, -5.421781740e-02f,
                     -8.030875100e-03f, 8.709037112e-03f, 1.252717696e-03f, -1.420654960e-03f,
                     -4.007281512e-04f, 1.692717119e-04f, 7.936346158e-05f});
  const Vec<float> g0 = 1.276978383f, g0_low = 1.0e-8f, one = 1.0f, two = 2.0f;
  const Vec<float> g = fma(slope, u, g0), d = fma(a, two, one);
  Vec<float> w, w_low;
  if constexpr (Vec<float>::size == 1) {
    w = g / d;
    w_low = 0.0f;
  } else {
    const Vec<float> inverse = one / d;
    w = g * inverse;
    const Vec<float> g_low = fma(slope, u, g0 - g) + g0_low;
    // Of 2 a and 1 the larger is taken from the sum first.
    const Vec<float> rounding =
        select(a > Vec<float>(0.5f), one - fma(a, -two, d), fma(a, two, one - d));
    w_low = (fnma(w, d, g) + fnma(w, fma(a_low, two, rounding), g_low)) * inverse;
  }
  const Vec<float> n = round_even((head + tail) * 1.44269504f);
  const Vec<float> r =
      fnma(n, Vec<float>(0.693359375f), head) + fnma(n, Vec<float>(-2.12194440e-4f), tail);
  const Vec<float> q = polynomial(r, {5.000000047e-01f, 1.666666635e-01f, 4.166634871e-02f,
                                      8.333391638e-03f, 1.394165263e-03f, 1.984595787e-04f});
  const Vec<float> p = fma(q, r * r, r);
  exponential = ldexp_int(one + p, n);
  return ldexp_int(w + fma(p, w, w_low), n);
}

// The first 12 bits of a >= 0, whose square is exact.
ADJOINT_INLINE Vec<float> first_bits(Vec<float> a) {
  return float_from_bits(VecU32::bits_of(a) & VecU32(0xfffff000u));
}

// 1 - erf(x) without cancellation. 2.1 ulp (5 in the scalar table).
ADJOINT_INLINE Vec<float> erfc(Vec<float> x) {
  const Vec<float> a = min(Vec<float>(10.2f), abs(x)), high = first_bits(a);
  Vec<float> e;
  const Vec<float> far = erfc_of(a, 0.0f, -high * high, (high - a) * (high + a), e);
  const Vec<float> y = select(x < Vec<float>(0.0f), 2.0f - far, far);
  return select(a < Vec<float>(0.65f), 1.0f - fma(erf_excess(x), x, x), select(is_nan(x), x, y));
}

// The normal distribution's cumulative function: erfc(-x / sqrt 2) / 2, but for the rounding of
// that argument, which erfc would magnify by x^2. 2.5 ulp (5 in the scalar table). Gives exp(-x^2 /
// 2) as well.
ADJOINT_INLINE Vec<float> ndtr(Vec<float> x, Vec<float>& exponential) {
  const Vec<float> root = 0.707106781f, root_low = 1.21016175e-8f;  // their sum is sqrt(1/2)
  const Vec<float> b = min(Vec<float>(14.4f), abs(x)), high = first_bits(b), a = b * root;
  const Vec<float> a_low = fma(b, root_low, fma(b, root, -a));
  const Vec<float> y =
      0.5f * erfc_of(a, a_low, -0.5f * high * high, 0.5f * ((high - b) * (high + b)), exponential);
  return select(is_nan(x), x, select(x > Vec<float>(0.0f), 1.0f - y, y));
}
ADJOINT_INLINE Vec<float> ndtr(Vec<float> x) {
  Vec<float> exponential;
  return ndtr(x, exponential);
}

// sin(x + quarter pi / 2) by reduction to [-pi/4, pi/4] in four parts of pi / 2, for |x| <= 8192.
ADJOINT_INLINE Vec<float> sin_shifted(Vec<float> x, float quarter) {
  const Vec<float> n = round_even(x * 0.636619772f);
  Vec<float> r = fnma(n, Vec<float>(1.5703125f), x);
  r = fnma(n, Vec<float>(4.837512969970703125e-4f), r);
  r = fnma(n, Vec<float>(7.54953362e-8f), r);
  r = fnma(n, Vec<float>(2.563344068e-12f), r);
  const Vec<float> s = r * r;
  const Vec<float> sine =
      fma(polynomial(s, {-1.666666664e-01f, 8.333329281e-03f, -1.983930452e-04f, 2.718047338e-06f}),
          s * r, r);
  const Vec<float> cosine =
      fma(polynomial(s, {4.166664555e-02f, -1.388730987e-03f, 2.443241298e-05f}), s * s,
          fnma(s, Vec<float>(0.5f), Vec<float>(1.0f)));
  const Vec<float> turn = n + quarter;
  const Vec<float> turn4 = turn - floor(turn * 0.25f) * 4.0f;
  const Mask<float> odd = (turn4 == Vec<float>(1.0f)) | (turn4 == Vec<float>(3.0f));
  const Vec<float> y = select(odd, cosine, sine);
  return select(turn4 >= Vec<float>(2.0f), -y, y);
}

// 2 ulp, or 1e-9 absolutely where that is more (next to a multiple of pi / 2); the C library's
// beyond 8192.
ADJOINT_INLINE Vec<float> sin(Vec<float> x) {
  if ((abs(x) <= Vec<float>(8192.0f)).all()) [[likely]] {
    return select(x == Vec<float>(0.0f), x, sin_shifted(x, 0.0f));  // the sign of zero
  }
  return by_lane(x, [](float v) { return __builtin_sinf(v); });
}
ADJOINT_INLINE Vec<float> cos(Vec<float> x) {
  if ((abs(x) <= Vec<float>(8192.0f)).all()) [[likely]]
    return sin_shifted(x, 1.0f);
  return by_lane(x, [](float v) { return __builtin_cosf(v); });
}

ADJOINT_INLINE Vec<float> pow(Vec<float> x, Vec<float> y) {
  return by_lane(x, y, [](float a, float b) { return __builtin_powf(a, b); });
}

ADJOINT_INLINE Vec<double> exp(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_exp(v); });
}
ADJOINT_INLINE Vec<double> expm1(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_expm1(v); });
}
ADJOINT_INLINE Vec<double> log(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_log(v); });
}
ADJOINT_INLINE Vec<double> log1p(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_log1p(v); });
}
ADJOINT_INLINE Vec<double> tanh(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_tanh(v); });
}
ADJOINT_INLINE Vec<double> sigmoid(Vec<double> x) { return 1.0 / (1.0 + exp(-x)); }
ADJOINT_INLINE Vec<double> logistic(Vec<double> x) { return sigmoid(x); }
ADJOINT_INLINE Vec<double> times_sigmoid(Vec<double> x) { return x * sigmoid(x); }
ADJOINT_INLINE Vec<double> erf(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_erf(v); });
}
ADJOINT_INLINE Vec<double> erfc(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_erfc(v); });
}
ADJOINT_INLINE Vec<double> ndtr(Vec<double> x) { return 0.5 * erfc(x * -0.70710678118654752); }
ADJOINT_INLINE Vec<double> ndtr(Vec<double> x, Vec<double>& exponential) {
  exponential = exp(-0.5 * x * x);
  return ndtr(x);
}
ADJOINT_INLINE Vec<double> sin(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_sin(v); });
}
ADJOINT_INLINE Vec<double> cos(Vec<double> x) {
  return by_lane(x, [](double v) { return __builtin_cos(v); });
}
ADJOINT_INLINE Vec<double> pow(Vec<double> x, Vec<double> y) {
  return by_lane(x, y, [](double a, double b) { return __builtin_pow(a, b); });
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
