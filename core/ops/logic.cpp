// Predicates of numbers, logic, and bits. Nothing here has a gradient.
#include <adjoint/core/pointwise.h>

#include <cmath>
#include <limits>

#include "core/ops/defined.h"
#include "core/ops/pointwise.h"

namespace adjoint {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// x != 0, of any dtype.
Tensor truth(const Tensor& x) { return x.dtype() == DType::boolean ? x : ne(x, 0); }

using Combine = Tensor (*)(const Tensor&, const Tensor&);

// Sums and products of bools are or and and; where they differ is exclusive or.
Tensor logical(const char* name, const Tensor& a, const Tensor& b, Combine combine) {
  check_defined(name, a, 0);
  check_defined(name, b, 1);
  broadcast_shapes(name, a.shape(), b.shape());
  return combine(truth(a), truth(b));
}

void check_bits(const char* name, const Tensor& x, int input) {
  check_defined(name, x, input);
  check<DTypeError>(!is_floating_point(x.dtype()), name, ": input ", input, " is of ", x.dtype(),
                    "; expected i64, i32, u8 or bool");
}

Tensor bits(const char* name, const Tensor& a, const Tensor& b, Combine of_bools,
            int64_t (*of_integers)(int64_t, int64_t)) {
  check_bits(name, a, 0);
  check_bits(name, b, 1);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  if (promote(a, b) == DType::boolean) {
    check<DTypeError>(of_bools != nullptr, name, ": operands of ", DType::boolean,
                      "; expected i64, i32 or u8");
    return of_bools(a, b);
  }
  const Op op(name, {a, b});
  return op.no_gradient(map_integers(op, a, b, shape, of_integers));
}

int64_t and_of(int64_t a, int64_t b) { return a & b; }
int64_t or_of(int64_t a, int64_t b) { return a | b; }
int64_t xor_of(int64_t a, int64_t b) { return a ^ b; }
// By 64 places and more, or by fewer than none, nothing is left but the sign of what goes right.
int64_t left_of(int64_t a, int64_t b) {
  return b < 0 || b >= 64 ? 0 : static_cast<int64_t>(static_cast<uint64_t>(a) << b);
}
int64_t right_of(int64_t a, int64_t b) { return a >> (b < 0 || b >= 64 ? 63 : b); }

Tensor beside(const char* name, const Tensor& x, Scalar number) {
  check_defined(name, x, 0);
  return scalar_tensor(number, promote_scalar(x.dtype(), number));
}

}  // namespace

Tensor isnan(const Tensor& x) {
  check_defined("isnan", x, 0);
  return ne(x, x);
}
Tensor isinf(const Tensor& x) {
  check_defined("isinf", x, 0);
  const NoGrad guard;
  return is_floating_point(x.dtype()) ? eq(abs(x), kInfinity) : ne(x, x);
}
Tensor isfinite(const Tensor& x) {
  check_defined("isfinite", x, 0);
  const NoGrad guard;
  return is_floating_point(x.dtype()) ? lt(abs(x), kInfinity) : eq(x, x);
}

Tensor logical_not(const Tensor& x) {
  check_defined("logical_not", x, 0);
  return eq(x, 0);
}
Tensor logical_and(const Tensor& a, const Tensor& b) { return logical("logical_and", a, b, &mul); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return logical("logical_or", a, b, &add); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return logical("logical_xor", a, b, &ne); }

Tensor bitwise_not(const Tensor& x) {
  check_bits("bitwise_not", x, 0);
  return x.dtype() == DType::boolean ? eq(x, false) : rsub(x, -1);
}
Tensor bitwise_and(const Tensor& a, const Tensor& b) {
  return bits("bitwise_and", a, b, &mul, &and_of);
}
Tensor bitwise_and(const Tensor& a, Scalar b) {
  return bitwise_and(a, beside("bitwise_and", a, b));
}
Tensor bitwise_or(const Tensor& a, const Tensor& b) {
  return bits("bitwise_or", a, b, &add, &or_of);
}
Tensor bitwise_or(const Tensor& a, Scalar b) { return bitwise_or(a, beside("bitwise_or", a, b)); }
Tensor bitwise_xor(const Tensor& a, const Tensor& b) {
  return bits("bitwise_xor", a, b, &ne, &xor_of);
}
Tensor bitwise_xor(const Tensor& a, Scalar b) {
  return bitwise_xor(a, beside("bitwise_xor", a, b));
}
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b) {
  return bits("bitwise_left_shift", a, b, nullptr, &left_of);
}
Tensor bitwise_left_shift(const Tensor& a, Scalar b) {
  return bitwise_left_shift(a, beside("bitwise_left_shift", a, b));
}
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b) {
  return bits("bitwise_right_shift", a, b, nullptr, &right_of);
}
Tensor bitwise_right_shift(const Tensor& a, Scalar b) {
  return bitwise_right_shift(a, beside("bitwise_right_shift", a, b));
}

}  // namespace adjoint
