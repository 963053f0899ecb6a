// Operators that treat every element by itself. What holds for all operators stands in
// <adjoint/core/ops.h>.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>
#include <utility>

namespace adjoint {

// --- arithmetic, broadcasting; sub, rsub and neg do not take bools: DTypeError ---
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);  // integers give f32
Tensor pow(const Tensor& base, const Tensor& exponent);
Tensor maximum(const Tensor& a, const Tensor& b);  // NaN wins; a tie halves the gradient
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor add(const Tensor& a, Scalar b);
Tensor sub(const Tensor& a, Scalar b);
Tensor mul(const Tensor& a, Scalar b);
Tensor div(const Tensor& a, Scalar b);
Tensor pow(const Tensor& base, Scalar exponent);
Tensor pow(Scalar base, const Tensor& exponent);
Tensor rsub(const Tensor& a, Scalar b);  // b - a
Tensor rdiv(const Tensor& a, Scalar b);  // b / a
// a + alpha b and a - alpha b, rounded once; of whole numbers with a whole alpha.
Tensor add(const Tensor& a, const Tensor& b, Scalar alpha);
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha);
// The quotient rounded towards zero, or down: of whole numbers whole, by 0 of those 0. The gradient
// is 0.
enum class RoundingMode : uint8_t { trunc, floor };
Tensor div(const Tensor& a, const Tensor& b, RoundingMode rounding_mode);
Tensor div(const Tensor& a, Scalar b, RoundingMode rounding_mode);

// The same of a temporary (or of a tensor given up by std::move): where nobody else sees its
// elements and the graph does not keep them, the result takes their place instead of fresh memory.
Tensor add(Tensor&& a, const Tensor& b);
Tensor add(const Tensor& a, Tensor&& b);
Tensor add(Tensor&& a, Tensor&& b);
Tensor sub(Tensor&& a, const Tensor& b);
Tensor mul(Tensor&& a, const Tensor& b);
Tensor mul(const Tensor& a, Tensor&& b);
Tensor mul(Tensor&& a, Tensor&& b);
Tensor div(Tensor&& a, const Tensor& b);
Tensor add(Tensor&& a, Scalar b);
Tensor sub(Tensor&& a, Scalar b);
Tensor mul(Tensor&& a, Scalar b);
Tensor div(Tensor&& a, Scalar b);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }
inline Tensor operator+(Tensor&& a, const Tensor& b) { return add(std::move(a), b); }
inline Tensor operator+(const Tensor& a, Tensor&& b) { return add(a, std::move(b)); }
inline Tensor operator+(Tensor&& a, Tensor&& b) { return add(std::move(a), std::move(b)); }
inline Tensor operator-(Tensor&& a, const Tensor& b) { return sub(std::move(a), b); }
inline Tensor operator*(Tensor&& a, const Tensor& b) { return mul(std::move(a), b); }
inline Tensor operator*(const Tensor& a, Tensor&& b) { return mul(a, std::move(b)); }
inline Tensor operator*(Tensor&& a, Tensor&& b) { return mul(std::move(a), std::move(b)); }
inline Tensor operator/(Tensor&& a, const Tensor& b) { return div(std::move(a), b); }
inline Tensor operator+(Tensor&& a, Scalar b) { return add(std::move(a), b); }
inline Tensor operator-(Tensor&& a, Scalar b) { return sub(std::move(a), b); }
inline Tensor operator*(Tensor&& a, Scalar b) { return mul(std::move(a), b); }
inline Tensor operator/(Tensor&& a, Scalar b) { return div(std::move(a), b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(Scalar a, const Tensor& b) { return rsub(b, a); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(Scalar a, const Tensor& b) { return rdiv(b, a); }

// --- functions of one tensor; whole numbers give f32 where it is not said otherwise ---
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);  // 0 for NaN
Tensor exp(const Tensor& x);
Tensor exp2(const Tensor& x);
Tensor expm1(const Tensor& x);  // exp(x) - 1 without cancellation
Tensor log(const Tensor& x);
Tensor log2(const Tensor& x);
Tensor log10(const Tensor& x);
Tensor log1p(const Tensor& x);  // log(1 + x) without cancellation
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor tanh(Tensor&& x);  // as add(Tensor&&, ...)
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor erfc(const Tensor& x);
Tensor erfinv(const Tensor& x);
// The logarithm of |Gamma(x)|, and its derivatives: for x > 0 within 8 ulp of f64 (polygamma 16),
// in other dtypes rounded once. Below 0 that is of the largest term of their reflection.
Tensor lgamma(const Tensor& x);
Tensor digamma(const Tensor& x);               // the first derivative
Tensor polygamma(int64_t n, const Tensor& x);  // the n-th derivative of digamma; n <= 170
// log(x / (1 - x)), of x clamped to [eps, 1 - eps] where one is given; NaN beside [0, 1].
Tensor logit(const Tensor& x, std::optional<double> eps = std::nullopt);
// Whole numbers stay as they are. The gradient is 0, but for that of frac, which is 1.
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x, int64_t decimals = 0);  // halves to even
Tensor trunc(const Tensor& x);
Tensor frac(const Tensor& x);  // x - trunc(x)
// NaN and infinities replaced, by default by 0 and by the largest finite numbers of the dtype.
Tensor nan_to_num(const Tensor& x, double nan = 0.0, std::optional<double> posinf = std::nullopt,
                  std::optional<double> neginf = std::nullopt);
// min(max(x, min), max); a bound may be missing (an undefined tensor), not both. Tensors broadcast.
// NaN stays. At a bound that is a number the gradient is 0, at one of a tensor half.
Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt);
Tensor clamp(const Tensor& x, const Tensor& min, const Tensor& max = {});
Tensor clamp_min(const Tensor& x, Scalar min);
Tensor clamp_min(const Tensor& x, const Tensor& min);
Tensor clamp_max(const Tensor& x, Scalar max);
Tensor clamp_max(const Tensor& x, const Tensor& max);
// No gradient; bool:
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isfinite(const Tensor& x);
Tensor signbit(const Tensor& x);  // true for -0.0 as well
inline Tensor operator-(const Tensor& x) { return neg(x); }

// --- functions of two and three tensors, broadcasting ---
// fmod, remainder and floor_divide of whole numbers by 0: Error.
Tensor fmod(const Tensor& a, const Tensor& b);          // the sign of a
Tensor remainder(const Tensor& a, const Tensor& b);     // the sign of b, as Python's %
Tensor floor_divide(const Tensor& a, const Tensor& b);  // no gradient
Tensor copysign(const Tensor& a, const Tensor& b);
Tensor hypot(const Tensor& a, const Tensor& b);
Tensor atan2(const Tensor& a, const Tensor& b);  // the angle of (b, a)
Tensor logaddexp(const Tensor& a, const Tensor& b);
Tensor logaddexp2(const Tensor& a, const Tensor& b);
Tensor xlogy(const Tensor& a, const Tensor& b);  // a log(b), 0 where a is 0
// The larger (smaller) one, and the other one of NaN; a tie halves the gradient.
Tensor fmax(const Tensor& a, const Tensor& b);
Tensor fmin(const Tensor& a, const Tensor& b);
// 0 where x < 0, 1 where x > 0, values where x is 0, 0 for NaN; no gradient.
Tensor heaviside(const Tensor& x, const Tensor& values);
Tensor fmod(const Tensor& a, Scalar b);
Tensor remainder(const Tensor& a, Scalar b);
Tensor floor_divide(const Tensor& a, Scalar b);
Tensor copysign(const Tensor& a, Scalar b);
Tensor xlogy(const Tensor& a, Scalar b);
Tensor xlogy(Scalar a, const Tensor& b);
inline Tensor operator%(const Tensor& a, const Tensor& b) { return remainder(a, b); }
inline Tensor operator%(const Tensor& a, Scalar b) { return remainder(a, b); }
// a + weight (b - a); a and b of one floating dtype, weight of that or 0-dimensional.
Tensor lerp(const Tensor& a, const Tensor& b, const Tensor& weight);
Tensor lerp(const Tensor& a, const Tensor& b, double weight);
Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b,
               double value = 1.0);  // + value a b
Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1.0);

// --- logic and bits, broadcasting; no gradient ---
Tensor logical_not(const Tensor& x);  // of any dtype; bool
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_not(const Tensor& x);  // of i64 and bool
Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);   // of i64
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);  // keeps the sign
Tensor bitwise_and(const Tensor& a, Scalar b);
Tensor bitwise_or(const Tensor& a, Scalar b);
Tensor bitwise_xor(const Tensor& a, Scalar b);
Tensor bitwise_left_shift(const Tensor& a, Scalar b);
Tensor bitwise_right_shift(const Tensor& a, Scalar b);
inline Tensor operator~(const Tensor& x) { return bitwise_not(x); }
inline Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise_and(a, b); }
inline Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise_or(a, b); }
inline Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise_xor(a, b); }
inline Tensor operator&(const Tensor& a, Scalar b) { return bitwise_and(a, b); }
inline Tensor operator|(const Tensor& a, Scalar b) { return bitwise_or(a, b); }
inline Tensor operator^(const Tensor& a, Scalar b) { return bitwise_xor(a, b); }

// --- comparisons, broadcasting; no gradient; bool ---
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, Scalar b);
Tensor ne(const Tensor& a, Scalar b);
Tensor lt(const Tensor& a, Scalar b);
Tensor le(const Tensor& a, Scalar b);
Tensor gt(const Tensor& a, Scalar b);
Tensor ge(const Tensor& a, Scalar b);
inline Tensor operator==(const Tensor& a, const Tensor& b) { return eq(a, b); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return ne(a, b); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
inline Tensor operator==(const Tensor& a, Scalar b) { return eq(a, b); }
inline Tensor operator!=(const Tensor& a, Scalar b) { return ne(a, b); }
inline Tensor operator<(const Tensor& a, Scalar b) { return lt(a, b); }
inline Tensor operator<=(const Tensor& a, Scalar b) { return le(a, b); }
inline Tensor operator>(const Tensor& a, Scalar b) { return gt(a, b); }
inline Tensor operator>=(const Tensor& a, Scalar b) { return ge(a, b); }

// --- choice, broadcasting ---
// condition (bool) ? a : b.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
Tensor where(const Tensor& condition, Scalar a, const Tensor& b);

}  // namespace adjoint
