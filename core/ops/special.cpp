// The gamma function's logarithm and its derivatives, and the inverse of the logistic function:
// number by number in f64, with derivatives in tensors.
//
// Polynomials are fitted through Chebyshev's points to 60 digits. The errors that are stated hold
// against numbers of 60 digits.
#include <adjoint/core/pointwise.h>

#include <array>
#include <cmath>
#include <limits>

#include "core/ops/unary.h"

namespace adjoint {
namespace {

using functors::Uses;

constexpr double kPi = 3.14159265358979324;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A polynomial of degree N - 1, its constant last.
template <size_t N>
double polynomial(const double (&c)[N], double t) {
  double y = c[0];
  for (size_t i = 1; i < N; ++i) y = y * t + c[i];
  return y;
}

double from_nearest_whole(double x) { return x - std::nearbyint(x); }  // NaN for infinities

// log Gamma(2 + z) for |z| <= 1/2: z times a polynomial, off by less than 2e-18.
double lgamma_beside_2(double z) {
  constexpr double kC[] = {
      -1.32199456661178745e-7, 2.78740805211358998e-7,  -4.32523934456048164e-7,
      9.20052789496810049e-7,  -2.04390481070299067e-6, 4.38470440459836033e-6,
      -9.43871509921153266e-6, 2.05055907558334531e-5,  -4.49263133791556975e-5,
      9.94576735581949821e-5,  -2.23154754005205077e-4, 5.09669515411545835e-4,
      -1.19275391184281569e-3, 2.89051033103426686e-3,  -7.3855510286719984e-3,
      2.05808084277803801e-2,  -6.73523010531981034e-2, 0.322467033424113236,
      0.422784335098467139};
  return z * polynomial(kC, z);
}

// Stirling's series for x >= 10; what is left out is below 3e-17.
double lgamma_of_large(double x) {
  constexpr double kC[] = {0.00641025641025641026, -0.00191752691752691753,
                           8.41750841750841751e-4, -5.95238095238095238e-4,
                           7.93650793650793651e-4, -0.00277777777777777778,
                           0.0833333333333333333};
  constexpr double kHalfLog2PiLessHalf = 0.418938533204672742;
  const double inverse = 1 / x;
  return (x - 0.5) * (std::log(x) - 1) +
         (kHalfLog2PiLessHalf + inverse * polynomial(kC, inverse * inverse));
}

// For x > 0: by Gamma(x + 1) = x Gamma(x) from where it is a polynomial, each sum being of numbers
// of one sign or without loss, also beside the zeros at 1 and 2.
double lgamma_of_positive(double x) {
  if (x >= 10) return std::isinf(x) ? x : lgamma_of_large(x);
  if (x < 0.5) return lgamma_beside_2(x) - std::log1p(x) - std::log(x);
  if (x < 1.5) return lgamma_beside_2(x - 1) - std::log1p(x - 1);
  double product = 1;
  while (x >= 2.5) product *= x -= 1;
  return lgamma_beside_2(x - 2) + (product == 1 ? 0.0 : std::log(product));
}

// log |Gamma(x)|, infinite at 0, -1, -2, ...; within 8 ulp for x > 0 (6.6 between 1.4 and 1.5).
// Below 0 by Gamma(x) Gamma(-x) = -pi / (x sin(pi x)), within 8 ulp of the larger term.
double lgamma_of(double x) {
  if (std::isnan(x)) return x;
  if (x > 0) return lgamma_of_positive(x);
  if (std::isinf(x) || x == std::floor(x)) return kInfinity;
  const double sine = std::sin(kPi * std::fabs(from_nearest_whole(x)));
  return std::log(kPi / sine) - std::log(-x) - lgamma_of_positive(-x);
}

// d log Gamma / dx for x > 0. Between 1 and 2: a polynomial, off by 2e-17, times the distance from
// the zero, which two f64 hold.
double digamma_of_positive(double x) {
  constexpr double kZero = 0x1.762d86356be3fp+0, kRestOfZero = 9.54999542996569772e-17;
  constexpr double kC[] = {
      -1.73122618027273933e-4, 2.59684821264307466e-4,  -1.51485868367733659e-4,
      2.27233166098737588e-4,  -4.82199053056678888e-4, 7.23326627928755416e-4,
      -1.03763740984186047e-3, 1.55663174744868393e-3,  -2.34526763254076904e-3,
      3.51900640150227605e-3,  -5.27996487325740421e-3, 7.92694464640379604e-3,
      -1.19082180015686448e-2, 1.79072524394511994e-2,  -2.69757967561382488e-2,
      4.0760833812420736e-2,   -6.19221332730645317e-2, 9.49887244549412133e-2,
      -0.148404923053908857,   0.240542484240774219,    -0.423627421281460505,
      0.951055876031832893};
  constexpr double kFar[] = {0.0833333333333333333,  -0.0210927960927960928,
                             0.00757575757575757576, -0.00416666666666666667,
                             0.00396825396825396825, -0.00833333333333333333,
                             0.0833333333333333333};
  if (x >= 10) {
    const double inverse = 1 / x, square = inverse * inverse;
    return std::log(x) - 0.5 * inverse - square * polynomial(kFar, square);
  }
  if (x < 1) return digamma_of_positive(x + 1) - 1 / x;
  double sum = 0;
  while (x > 2) sum += 1 / (x -= 1);
  return (x - kZero - kRestOfZero) * polynomial(kC, x - 1.5) + sum;
}

// Within 4 ulp for x > 0. Below 0 by psi(1 - x) - psi(x) = pi cot(pi x), within 8 ulp of the larger
// term; NaN at whole numbers, and infinite at 0, as PyTorch's.
double digamma_of(double x) {
  if (x > 0) return std::isinf(x) ? x : digamma_of_positive(x);
  if (x == 0) return std::copysign(kInfinity, -x);
  const double r = from_nearest_whole(x);
  if (!(r != 0)) return kNaN;
  return digamma_of_positive(1 - x) - kPi / std::tan(kPi * r);
}

// The sum of (x + k)^-s over k >= 0, x > 0, s > 1: the first terms, and from y = x + k >= 12 + s on
// Euler and Maclaurin's y^(1 - s) / (s - 1) + y^-s / 2 + sum of B_2j / (2j)! s ... (s + 2j - 2)
// y^(1 - s - 2j).
double hurwitz_zeta(double s, double x) {
  constexpr double kC[] = {0.0833333333333333333,   -0.00138888888888888889,
                           3.30687830687830688e-5,  -8.26719576719576720e-7,
                           2.08767569878680990e-8,  -5.28419013868749318e-10,
                           1.33825365306846788e-11, -3.38968029632258287e-13};
  double sum = 0, y = x;
  for (; y < 12 + s; ++y) sum += std::pow(y, -s);
  const double power = std::pow(y, -s);
  double factor = s * power / y, tail = 0;
  for (int j = 0; j < 8; ++j) {
    tail += kC[j] * factor;
    factor *= (s + 2 * j + 1) * (s + 2 * j + 2) / (y * y);
  }
  return sum + (std::pow(y, 1 - s) / (s - 1) + (power / 2 + tail));
}

constexpr int kMostDerivatives = 170;  // 171! is not finite

// Within 16 ulp for x > 0 and n up to 40. The n-th derivative of digamma, (-1)^(n + 1) n! zeta(n +
// 1, x) for x > 0, n >= 1. Below 0 by the n-th derivative of pi cot(pi x), which is pi^(n + 1)
// P_n(cot(pi x)): P_0 = c, P_(k + 1) = -(1 + c^2) P_k', whose coefficients have one sign.
double polygamma_of(double number, double x) {
  const int n = static_cast<int>(number);
  if (n == 0) return digamma_of(x);
  const double sign = n % 2 == 0 ? -1 : 1;
  if (x > 0) {
    double factorial = 1;
    for (int i = 2; i <= n; ++i) factorial *= i;
    return sign * factorial * hurwitz_zeta(n + 1, x);
  }
  const double r = from_nearest_whole(x);
  if (r == 0) return sign * kInfinity;
  if (std::isnan(r)) return kNaN;
  const double c = 1 / std::tan(kPi * r);
  std::array<double, kMostDerivatives + 2> p{};
  p[1] = 1;
  for (int k = 0; k < n; ++k) {
    std::array<double, kMostDerivatives + 2> next{};
    for (size_t i = 1; i <= static_cast<size_t>(k) + 1; ++i) {
      const double slope = static_cast<double>(i) * p[i];
      next[i - 1] -= slope;
      next[i + 1] -= slope;
    }
    p = next;
  }
  double cotangent = 0;
  for (size_t i = static_cast<size_t>(n) + 2; i-- > 0;) cotangent = cotangent * c + p[i];
  return -sign * polygamma_of(number, 1 - x) - std::pow(kPi, n + 1) * cotangent;
}

struct Lgamma {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return lgamma_of(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy * digamma(x);
  }
};
struct Digamma {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return digamma_of(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy * polygamma(1, x);
  }
};

// y = log(x / (1 - x)), beside 1/2 without cancellation;   dx = dy / (x (1 - x)), NaN beside [0, 1]
struct Logit {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) {
    return x > 0.25 && x < 0.75 ? 2 * std::atanh(2 * x - 1) : std::log(x) - std::log1p(-x);
  }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    const Tensor outside = logical_or(x<0.0, x> 1.0);
    return dy / where(outside, kNaN, x * (1.0 - x));
  }
};

}  // namespace

using pointwise::mapped;

Tensor lgamma(const Tensor& x) { return mapped<Lgamma>("lgamma", x); }
Tensor digamma(const Tensor& x) { return mapped<Digamma>("digamma", x); }

// y = d^n digamma(x) / dx^n;   dx = dy times the next one
Tensor polygamma(int64_t n, const Tensor& x) {
  const Op op("polygamma", {x}, {{"n", n}});
  op.check<ConfigError>(n >= 0 && n <= kMostDerivatives, "n is ", n, "; expected 0 to ",
                        kMostDerivatives);
  if (!is_floating_point(x.dtype())) return polygamma(n, as_floating(x));
  Tensor y = make_like("polygamma", x, x.dtype());
  const Tensor number = scalar_tensor(n, x.dtype());
  kernel_table().elementwise.map[index(x.dtype())](
      KernelScope(), make_loop<3>(x.shape(), {&y, &number, &x}), &polygamma_of);
  return op.differentiable(y, [x = op.save(x), n](const Backward& b) -> Grads {
    return {widened(b.dy(0)) * polygamma(n + 1, widened(*x))};
  });
}

Tensor logit(const Tensor& x, std::optional<double> eps) {
  if (!eps.has_value()) return mapped<Logit>("logit", x);
  const Op op("logit", {x}, {{"eps", *eps}});
  const Tensor wide = widened(as_floating(x));
  return to(mapped<Logit>("logit", clamp(wide, *eps, 1.0 - *eps)), as_floating(x).dtype());
}

}  // namespace adjoint
