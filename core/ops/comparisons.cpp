// Whole tensors compared.
#include <adjoint/core/comparisons.h>
#include <adjoint/core/layout.h>

#include <cmath>

#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

void check_pair(const Op& op) {
  const DType a = op.input(0).dtype(), b = op.input(1).dtype();
  op.check<DTypeError>(a == b, "tensors of ", a, " and ", b,
                       "; expected one dtype; convert with to()");
}

struct Tolerance {
  double rtol, atol;
  bool equal_nan;

  bool holds(double a, double b) const {
    if (a == b || (equal_nan && std::isnan(a) && std::isnan(b))) return true;
    const double apart = std::fabs(a - b);
    return std::isfinite(apart) && apart <= atol + std::fabs(rtol * b);
  }
};

Tolerance checked(const Op& op, double rtol, double atol, bool equal_nan) {
  check_pair(op);
  op.check<ConfigError>(rtol >= 0 && atol >= 0, "rtol is ", rtol, " and atol ", atol,
                        "; expected 0 or more");
  return {rtol, atol, equal_nan};
}

// Calls f(i, a, b) for each pair of elements, broadcast, until it returns false; whether it never
// did.
template <class F>
bool for_pairs(const Tensor& a, const Tensor& b, const Shape& shape, const F& f) {
  const NoGrad guard;
  const Tensor a0 = packed(expand(a, shape)), b0 = packed(expand(b, shape));
  return dispatch(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T *x = a0.impl()->data<T>(), *y = b0.impl()->data<T>();
    for (int64_t i = 0; i < a0.numel(); ++i) {
      if (!f(i, x[i], y[i])) return false;
    }
    return true;
  });
}

}  // namespace

bool equal(const Tensor& a, const Tensor& b) {
  const Op op("equal", {a, b});
  check_pair(op);
  if (a.shape() != b.shape()) return false;
  return for_pairs(a, b, a.shape(), [](int64_t, auto x, auto y) {
    if constexpr (is_half(dtype_of<decltype(x)>)) {
      return static_cast<float>(x) == static_cast<float>(y);
    } else {
      return x == y;
    }
  });
}

Tensor isclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  const Op op("isclose", {a, b}, {{"rtol", rtol}, {"atol", atol}, {"equal_nan", equal_nan}});
  const Tolerance tolerance = checked(op, rtol, atol, equal_nan);
  const Shape shape = broadcast_shapes("isclose", a.shape(), b.shape());
  Tensor y = make_empty("isclose", shape, DType::boolean);
  bool* close = y.impl()->data<bool>();
  for_pairs(a, b, shape, [&](int64_t i, auto x, auto z) {
    close[i] = tolerance.holds(static_cast<double>(x), static_cast<double>(z));
    return true;
  });
  return op.no_gradient(y);
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
  const Op op("allclose", {a, b}, {{"rtol", rtol}, {"atol", atol}, {"equal_nan", equal_nan}});
  const Tolerance tolerance = checked(op, rtol, atol, equal_nan);
  const Shape shape = broadcast_shapes("allclose", a.shape(), b.shape());
  return for_pairs(a, b, shape, [&](int64_t, auto x, auto z) {
    return tolerance.holds(static_cast<double>(x), static_cast<double>(z));
  });
}

}  // namespace adjoint
