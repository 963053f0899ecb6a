// Functions of one tensor that are rarely hot: by the C library in f64, number by number, with
// derivatives in tensors.
#include <adjoint/core/pointwise.h>

#include <cmath>

#include "core/ops/unary.h"

namespace adjoint {
namespace {

using functors::Uses;

constexpr double kLn2 = 0.69314718055994531, kLn10 = 2.30258509299404568;
constexpr double kRootPi = 1.77245385090551603;  // sqrt(pi)

struct Exp2 {
  static constexpr Uses kUses = Uses::output;
  static double value(double x) { return std::exp2(x); }
  static Tensor derivative(const Tensor&, const Tensor& y, const Tensor& dy) {
    return dy * y * kLn2;
  }
};
struct Log2 {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::log2(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy / (x * kLn2);
  }
};
struct Log10 {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::log10(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy / (x * kLn10);
  }
};
struct Tan {
  static constexpr Uses kUses = Uses::output;
  static double value(double x) { return std::tan(x); }
  static Tensor derivative(const Tensor&, const Tensor& y, const Tensor& dy) {
    return dy * (y * y + 1.0);
  }
};
struct Asin {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::asin(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy * rsqrt((1.0 - x) * (x + 1.0));
  }
};
struct Acos {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::acos(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return -dy * rsqrt((1.0 - x) * (x + 1.0));
  }
};
struct Atan {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::atan(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy / (x * x + 1.0);
  }
};
struct Sinh {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::sinh(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy * cosh(x);
  }
};
struct Cosh {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::cosh(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy * sinh(x);
  }
};
struct Asinh {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::asinh(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy * rsqrt(x * x + 1.0);
  }
};
struct Acosh {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::acosh(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy * rsqrt((x - 1.0) * (x + 1.0));
  }
};
struct Atanh {
  static constexpr Uses kUses = Uses::input;
  static double value(double x) { return std::atanh(x); }
  static Tensor derivative(const Tensor& x, const Tensor&, const Tensor& dy) {
    return dy / ((1.0 - x) * (x + 1.0));
  }
};

// A polynomial of degree N - 1, its constant first.
template <size_t N>
double polynomial(const double (&c)[N], double t) {
  double y = c[N - 1];
  for (size_t i = N - 1; i-- > 0;) y = y * t + c[i];
  return y;
}

// The y with erf(y) = x: y / x is smooth in w = -log(1 - x^2), and in the root of that where it is
// large; polynomials through Chebyshev's points are off by less than 2e-7 of y (fitted to 40 digits
// for w up to 6.25 and roots up to 6.1, where f64 ends). One step of Halley's method leaves the
// cube of that. Beyond 1/2 the equation is that of erfc, where 1 - |x| is exact.
double erfinv_of(double x) {
  const double a = std::fabs(x);
  if (!(a < 1)) return a == 1 ? std::copysign(HUGE_VAL, x) : std::nan("");
  // erf is a straight line there, and 1e-100 squared is 0.
  if (a < 1e-100) return x * (kRootPi / 2);
  constexpr double kNear[] = {1.65365469,      0.240158182,     -0.006034321,    -0.000740697887,
                              0.000187276501,  -1.38876039e-05, -1.52713119e-06, 4.25769406e-07,
                              -8.52794706e-09, -4.61340219e-09};
  constexpr double kFar[] = {4.14272466,     1.0100451,       0.000615116358,  -0.000566970822,
                             0.000221550941, -5.91290385e-05, -4.41801763e-06, -6.17715706e-06,
                             1.37373257e-05, -4.12246367e-06};
  const double w = a < 0.5 ? -std::log1p(-a * a) : -std::log((1 - a) * (1 + a));
  double y = a * (w < 6.25 ? polynomial(kNear, w - 3.125) : polynomial(kFar, std::sqrt(w) - 4.3));
  const double excess = a < 0.5 ? std::erf(y) - a : (1 - a) - std::erfc(y);
  const double u = excess * (kRootPi / 2) * std::exp(y * y);
  y -= u / (1 + u * y);
  return std::copysign(y, x);
}
struct Erfinv {
  static constexpr Uses kUses = Uses::output;
  static double value(double x) { return erfinv_of(x); }
  static Tensor derivative(const Tensor&, const Tensor& y, const Tensor& dy) {
    return dy * exp(y * y) * (kRootPi / 2);
  }
};

}  // namespace

using pointwise::mapped;

Tensor exp2(const Tensor& x) { return mapped<Exp2>("exp2", x); }
Tensor log2(const Tensor& x) { return mapped<Log2>("log2", x); }
Tensor log10(const Tensor& x) { return mapped<Log10>("log10", x); }
Tensor tan(const Tensor& x) { return mapped<Tan>("tan", x); }
Tensor asin(const Tensor& x) { return mapped<Asin>("asin", x); }
Tensor acos(const Tensor& x) { return mapped<Acos>("acos", x); }
Tensor atan(const Tensor& x) { return mapped<Atan>("atan", x); }
Tensor sinh(const Tensor& x) { return mapped<Sinh>("sinh", x); }
Tensor cosh(const Tensor& x) { return mapped<Cosh>("cosh", x); }
Tensor asinh(const Tensor& x) { return mapped<Asinh>("asinh", x); }
Tensor acosh(const Tensor& x) { return mapped<Acosh>("acosh", x); }
Tensor atanh(const Tensor& x) { return mapped<Atanh>("atanh", x); }
Tensor erfinv(const Tensor& x) { return mapped<Erfinv>("erfinv", x); }

}  // namespace adjoint
