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

// The y with erf(y) = x: Winitzki's approximation (2008, "A handy approximation for the error
// function and its inverse", relative error 2e-3), then three steps of Halley's method, each of
// which leaves the cube of the error. Beyond 1/2 the equation is that of erfc, where 1 - |x| is
// exact.
double erfinv_of(double x) {
  const double a = std::fabs(x);
  if (!(a < 1)) return a == 1 ? std::copysign(HUGE_VAL, x) : std::nan("");
  constexpr double kA = 0.147;
  const double log = std::log1p(-a * a), half = 2 / (kA * kRootPi * kRootPi) + 0.5 * log;
  const double product = -log / kA;
  double y = std::sqrt(product / (std::sqrt(half * half + product) + half));
  // -log / kA is lost below the root of the smallest number, where erf is a straight line.
  if (a < 1e-100) return x * (kRootPi / 2);
  for (int step = 0; step < 3; ++step) {
    const double excess = a < 0.5 ? std::erf(y) - a : (1 - a) - std::erfc(y);
    const double u = excess * (kRootPi / 2) * std::exp(y * y);
    y -= u / (1 + u * y);
  }
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
