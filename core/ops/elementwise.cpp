// Arithmetic, comparisons, selection.
#include <adjoint/core/pointwise.h>

#include <limits>

#include "core/ops/defined.h"
#include "core/ops/pointwise.h"

namespace adjoint {
namespace {

using kernels::Binary;
using kernels::Compare;

// Which operands of a function of two are temporaries: see Note [Donation].
constexpr int kNone = 0, kLeft = 1, kRight = 2;

// a op value, or value op a where `reversed`.
Tensor scalar_value(const Op& op, Binary which, const Tensor& a, Scalar value, DType dtype,
                    bool dying = false, bool reversed = false) {
  const Cast a0(a, dtype);
  Tensor y = op.make_result(dying ? &a : nullptr, a, dtype);
  const TypedScalar typed(value, computed_in(dtype));
  kernel_table().elementwise.binary[static_cast<int>(which)][index(dtype)](
      KernelScope(), loop_with_scalar(y, *a0, typed, reversed ? 1 : 2));
  return y;
}

// Whether x is a number that a result of 16 bits is computed with as it is, as numbers of C++ are.
bool is_wider_number(const Tensor& x, DType dtype) {
  return is_half(dtype) && x.dim() == 0 && is_floating_point(x.dtype()) && !is_half(x.dtype());
}

Tensor binary_value(const Op& op, Binary which, const Tensor& a, const Tensor& b, DType dtype,
                    int dying = kNone) {
  if (is_wider_number(b, dtype)) {
    return scalar_value(op, which, a, b.item(), dtype, (dying & kLeft) != 0);
  }
  if (is_wider_number(a, dtype)) {
    return scalar_value(op, which, b, a.item(), dtype, (dying & kRight) != 0, true);
  }
  const Cast a0(a, dtype), b0(b, dtype);
  const Shape shape = broadcast_shapes(op.name(), a.shape(), b.shape());
  // What is both operands is not dying: the graph may keep it as the other one.
  if (a.impl() == b.impl()) dying = kNone;
  const bool first = a.shape() == shape, left = (dying & kLeft) != 0 && first;
  const Tensor* right = (dying & kRight) != 0 ? &b : nullptr;
  const Tensor* like = first ? &a : b.shape() == shape ? &b : nullptr;
  Tensor y = like != nullptr ? op.make_result(left ? &a : right, *like, dtype)
                             : make_empty(op.name(), shape, dtype);
  kernel_table().elementwise.binary[static_cast<int>(which)][index(dtype)](
      KernelScope(), make_loop<3>(shape, {&y, &*a0, &*b0}));
  return y;
}

// The dtype of a / b and of powers with real exponents.
DType real_dtype(DType dtype) { return is_floating_point(dtype) ? dtype : DType::f32; }

// Wraps around. As in PyTorch negative powers are 0, but for those of 1 and -1.
int64_t whole_power(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 || (base == -1 && exponent % 2 == 0) ? 1 : base == -1 ? -1 : 0;
  uint64_t result = 1, factor = static_cast<uint64_t>(base);
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result *= factor;
    factor *= factor;
  }
  return static_cast<int64_t>(result);
}

Tensor compare(const char* name, Compare which, const Tensor& a, const Tensor& b) {
  const Op op(name, {a, b});
  const DType dtype = promote(a, b);
  const Cast a0(a, dtype), b0(b, dtype);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  Tensor y = make_pointwise(name, shape, {&a, &b}, DType::boolean);
  kernel_table().elementwise.compare[static_cast<int>(which)][index(dtype)](
      KernelScope(), make_loop<3>(shape, {&y, &*a0, &*b0}));
  return op.no_gradient(std::move(y));
}

// The number as elements of the dtype, floating, hold it: bf16(0.1) == 0.1, as PyTorch compares.
Scalar rounded_number(Scalar number, DType dtype) {
  return dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    return Scalar(static_cast<T>(static_cast<float>(number.real())));
  });
}

Tensor compare(const char* name, Compare which, const Tensor& a, Scalar b) {
  const Op op(name, {a}, {{"other", b.real()}});
  const DType dtype = promote_scalar(a.dtype(), b);
  const Cast a0(a, dtype);
  Tensor y = make_like(name, a, DType::boolean);
  const TypedScalar typed(is_half(dtype) ? rounded_number(b, dtype) : b, computed_in(dtype));
  kernel_table().elementwise.compare[static_cast<int>(which)][index(dtype)](
      KernelScope(), loop_with_scalar(y, *a0, typed, 2));
  return op.no_gradient(std::move(y));
}

// Arithmetic, with what is known of the operands' lives.

Tensor add_of(const Tensor& a, const Tensor& b, int dying) {
  const Op op("add", {a, b});
  Tensor y = binary_value(op, Binary::add, a, b, promote(a, b), dying);
  return op.differentiable(y, [](const Backward& g) -> Grads {
    // Two handles only where two are wanted: one that is alone can be written over.
    if (!g.needs(1)) return {g.take_dy(0), Tensor()};
    Tensor da = g.needs(0) ? g.dy(0) : Tensor();
    return {std::move(da), g.take_dy(0)};
  });
}

Tensor sub_of(const Tensor& a, const Tensor& b, int dying) {
  const Op op("sub", {a, b});
  check_no_bools("sub", a.dtype(), b.dtype());
  Tensor y = binary_value(op, Binary::sub, a, b, promote(a, b), dying);
  return op.differentiable(y, [](const Backward& g) -> Grads {
    Tensor db = g.needs(1) ? -g.dy(0) : Tensor();
    return {g.take_dy(0), std::move(db)};
  });
}

Tensor mul_of(const Tensor& a, const Tensor& b, int dying) {
  const Op op("mul", {a, b});
  if (op.needs(1)) dying &= ~kLeft;
  if (op.needs(0)) dying &= ~kRight;
  Tensor y = binary_value(op, Binary::mul, a, b, promote(a, b), dying);
  return op.differentiable(
      y,
      [a = op.save_if(op.needs(1), a), b = op.save_if(op.needs(0), b)](const Backward& g) -> Grads {
        if (!g.needs(1)) return {g.needs(0) ? g.take_dy(0) * *b : Tensor(), Tensor()};
        Tensor da = g.needs(0) ? g.dy(0) * *b : Tensor();
        return {std::move(da), g.take_dy(0) * *a};
      });
}

Tensor div_of(const Tensor& a, const Tensor& b, int dying) {
  const Op op("div", {a, b});
  const DType dtype = real_dtype(promote(a, b));
  Tensor y = binary_value(op, Binary::div, a, b, dtype, dying);
  return op.differentiable(y,
                           [b = op.save(b), y = op.needs(1) ? op.save_output(y) : SavedTensor()](
                               const Backward& g) -> Grads {
                             Tensor da = g.take_dy(0) / *b;
                             Tensor db = g.needs(1) ? -(da * *y) : Tensor();
                             return {std::move(da), std::move(db)};
                           });
}

Tensor add_of(const Tensor& a, Scalar b, bool dying) {
  const Op op("add", {a}, {{"other", b.real()}});
  Tensor y = scalar_value(op, Binary::add, a, b, promote_scalar(a.dtype(), b), dying);
  return op.differentiable(y, [](const Backward& g) -> Grads { return {g.take_dy(0)}; });
}

Tensor sub_of(const Tensor& a, Scalar b, bool dying) {
  const Op op("sub", {a}, {{"other", b.real()}});
  check_no_bools("sub", a.dtype(), b.kind());
  Tensor y = scalar_value(op, Binary::sub, a, b, promote_scalar(a.dtype(), b), dying);
  return op.differentiable(y, [](const Backward& g) -> Grads { return {g.take_dy(0)}; });
}

Tensor mul_of(const Tensor& a, Scalar b, bool dying) {
  const Op op("mul", {a}, {{"other", b.real()}});
  Tensor y = scalar_value(op, Binary::mul, a, b, promote_scalar(a.dtype(), b), dying);
  return op.differentiable(y, [b](const Backward& g) -> Grads { return {g.take_dy(0) * b}; });
}

Tensor div_of(const Tensor& a, Scalar b, bool dying) {
  const Op op("div", {a}, {{"other", b.real()}});
  const DType dtype = real_dtype(promote_scalar(a.dtype(), b));
  Tensor y = scalar_value(op, Binary::div, a, b, dtype, dying);
  return op.differentiable(y, [b](const Backward& g) -> Grads { return {g.take_dy(0) / b}; });
}

}  // namespace

DType promote(std::initializer_list<const Tensor*> operands) {
  const auto kind = [](DType dtype) {
    return is_floating_point(dtype) ? 2 : dtype == DType::boolean ? 0 : 1;
  };
  DType dims = DType::boolean, numbers = DType::boolean;
  for (const Tensor* x : operands) {
    DType& same = x->dim() > 0 ? dims : numbers;
    same = promote(same, x->dtype());
  }
  return kind(numbers) > kind(dims) ? promote(dims, numbers) : dims;
}

DType promote_scalar(DType dtype, Scalar value) {
  if (is_floating_point(dtype)) return dtype;
  if (is_integer(dtype) && value.kind() != DType::f32) return dtype;
  return promote(dtype, value.kind());
}

Tensor scalar_tensor(Scalar value, DType dtype) {
  Tensor x = make_empty("scalar", {}, dtype);
  const TypedScalar typed(value, dtype);
  std::copy_n(typed.bytes, element_size(dtype), x.impl()->bytes());
  return x;
}

Tensor held_scalar(const char* op, Scalar value, DType dtype) {
  check_holds(op, value, dtype);
  return scalar_tensor(value, dtype);
}

// y = a + b;   da = dy, db = dy
Tensor add(const Tensor& a, const Tensor& b) { return add_of(a, b, kNone); }
Tensor add(Tensor&& a, const Tensor& b) { return add_of(a, b, kLeft); }
Tensor add(const Tensor& a, Tensor&& b) { return add_of(a, b, kRight); }
Tensor add(Tensor&& a, Tensor&& b) { return add_of(a, b, kLeft | kRight); }
Tensor add(const Tensor& a, Scalar b) { return add_of(a, b, false); }
Tensor add(Tensor&& a, Scalar b) { return add_of(a, b, true); }

// y = a - b;   da = dy, db = -dy
Tensor sub(const Tensor& a, const Tensor& b) { return sub_of(a, b, kNone); }
Tensor sub(Tensor&& a, const Tensor& b) { return sub_of(a, b, kLeft); }
Tensor sub(const Tensor& a, Scalar b) { return sub_of(a, b, false); }
Tensor sub(Tensor&& a, Scalar b) { return sub_of(a, b, true); }

// y = a b;   da = dy b, db = dy a
Tensor mul(const Tensor& a, const Tensor& b) { return mul_of(a, b, kNone); }
Tensor mul(Tensor&& a, const Tensor& b) { return mul_of(a, b, kLeft); }
Tensor mul(const Tensor& a, Tensor&& b) { return mul_of(a, b, kRight); }
Tensor mul(Tensor&& a, Tensor&& b) { return mul_of(a, b, kLeft | kRight); }
Tensor mul(const Tensor& a, Scalar b) { return mul_of(a, b, false); }
Tensor mul(Tensor&& a, Scalar b) { return mul_of(a, b, true); }

// y = a / b;   da = dy / b, db = -dy y / b
Tensor div(const Tensor& a, const Tensor& b) { return div_of(a, b, kNone); }
Tensor div(Tensor&& a, const Tensor& b) { return div_of(a, b, kLeft); }
Tensor div(const Tensor& a, Scalar b) { return div_of(a, b, false); }
Tensor div(Tensor&& a, Scalar b) { return div_of(a, b, true); }

// y = a^b;   da = dy b a^(b-1), db = dy y log(a); both are 0 where the power is constant
Tensor pow(const Tensor& base, const Tensor& exponent) {
  const Op op("pow", {base, exponent});
  const DType dtype = promote(base, exponent);
  if (!is_floating_point(dtype)) {
    op.check<DTypeError>(dtype != DType::boolean, "operands of ", dtype, "; expected numbers");
    const Shape shape = broadcast_shapes("pow", base.shape(), exponent.shape());
    return op.no_gradient(map_integers(op, base, exponent, shape, &whole_power));
  }
  Tensor y = binary_value(op, Binary::pow, base, exponent, dtype);
  return op.differentiable(
      y,
      [a = op.save(base), b = op.save(exponent),
       y = op.needs(1) ? op.save_output(y) : SavedTensor()](const Backward& g) -> Grads {
        const Tensor a0 = *a, b0 = *b;
        const Tensor& dy = g.dy(0);
        Tensor da, db;
        if (g.needs(0)) da = where(b0 == 0.0, 0.0, dy * b0 * pow(a0, b0 - 1.0));
        if (g.needs(1)) {
          // 0^b is 0 around every b > 0, though log 0 is not finite: nor may it be a factor of what
          // is not chosen, for derivatives of that are multiplied by 0.
          constexpr double kLogZero = -std::numeric_limits<double>::infinity();
          const Tensor of_zero = where(b0 >= 0.0, 0.0, full_like(b0, kLogZero));
          db = dy * *y * where(a0 == 0.0, of_zero, log(where(a0 == 0.0, 1.0, a0)));
        }
        return {da, db};
      });
}

namespace {

// What a sum of a and alpha b is computed in, and the two in that.
struct Scaled {
  Scaled(const char* op, const Tensor& x, const Tensor& y, Scalar alpha) {
    check_defined(op, x, 0);
    check_defined(op, y, 1);
    dtype = promote(x.dtype(), y.dtype());
    check<DTypeError>(is_floating_point(dtype) || alpha.kind() != DType::f32, op,
                      ": the real alpha ", alpha.real(), " for tensors of dtype ", x.dtype(),
                      " and ", y.dtype(), "; expected a whole number");
    a = to(x, computed_in(dtype));
    b = mul(to(y, computed_in(dtype)), alpha);
  }
  DType dtype;
  Tensor a, b;
};

// Of whole numbers: what fmod leaves goes without a rest.
Tensor towards_zero(const Tensor& a, const Tensor& b, DType dtype) {
  if (!is_floating_point(dtype)) return floor_divide(sub(a, fmod(a, b)), b);
  const DType wide = computed_in(dtype);
  return to(trunc(div(to(a, wide), to(b, wide))), dtype);
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b, Scalar alpha) {
  const Scaled s("add", a, b, alpha);
  return to(add(s.a, s.b), s.dtype);
}
Tensor sub(const Tensor& a, const Tensor& b, Scalar alpha) {
  const Scaled s("sub", a, b, alpha);
  return to(sub(s.a, s.b), s.dtype);
}

// y = trunc(a / b), or floor(a / b);   da = db = 0
Tensor div(const Tensor& a, const Tensor& b, RoundingMode rounding_mode) {
  const bool floor = rounding_mode == RoundingMode::floor;
  const Op op("div", {a, b}, {{"rounding_mode", floor ? "floor" : "trunc"}});
  Tensor y;
  {
    const NoGrad guard;
    y = floor ? floor_divide(a, b) : towards_zero(a, b, promote(a.dtype(), b.dtype()));
  }
  return op.differentiable(y, [](const Backward& g) -> Grads {
    return {g.needs(0) ? zeros_like(g.dy(0)) : Tensor(),
            g.needs(1) ? zeros_like(g.dy(0)) : Tensor()};
  });
}
Tensor div(const Tensor& a, Scalar b, RoundingMode rounding_mode) {
  check_defined("div", a, 0);
  return div(a, scalar_tensor(b, promote_scalar(a.dtype(), b)), rounding_mode);
}

// y = max(a, b);   da = dy where a > b, dy / 2 where equal
Tensor maximum(const Tensor& a, const Tensor& b) {
  const Op op("maximum", {a, b});
  Tensor y = binary_value(op, Binary::maximum, a, b, promote(a, b));
  return op.differentiable(y, [a = op.save(a), b = op.save(b)](const Backward& g) -> Grads {
    const Tensor a0 = *a, b0 = *b;
    const Tensor& dy = g.dy(0);
    const Tensor shared = where(a0 == b0, dy * 0.5, dy);
    return {g.needs(0) ? where(a0 < b0, 0.0, shared) : Tensor(),
            g.needs(1) ? where(b0 < a0, 0.0, shared) : Tensor()};
  });
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  const Op op("minimum", {a, b});
  Tensor y = binary_value(op, Binary::minimum, a, b, promote(a, b));
  return op.differentiable(y, [a = op.save(a), b = op.save(b)](const Backward& g) -> Grads {
    const Tensor a0 = *a, b0 = *b;
    const Tensor& dy = g.dy(0);
    const Tensor shared = where(a0 == b0, dy * 0.5, dy);
    return {g.needs(0) ? where(a0 > b0, 0.0, shared) : Tensor(),
            g.needs(1) ? where(b0 > a0, 0.0, shared) : Tensor()};
  });
}

Tensor rsub(const Tensor& a, Scalar b) {
  const Op op("rsub", {a}, {{"other", b.real()}});
  check_no_bools("rsub", a.dtype(), b.kind());
  Tensor y = scalar_value(op, Binary::sub, a, b, promote_scalar(a.dtype(), b), false, true);
  return op.differentiable(y, [](const Backward& g) -> Grads { return {-g.take_dy(0)}; });
}

// y = c / x;   dx = -dy y / x
Tensor rdiv(const Tensor& a, Scalar b) {
  const Op op("rdiv", {a}, {{"other", b.real()}});
  Tensor y =
      scalar_value(op, Binary::div, a, b, real_dtype(promote_scalar(a.dtype(), b)), false, true);
  return op.differentiable(y, [a = op.save(a), y = op.save_output(y)](const Backward& g) -> Grads {
    return {-(g.take_dy(0) * *y) / *a};
  });
}

// y = x^p;   dx = dy p x^(p-1)
Tensor pow(const Tensor& base, Scalar exponent) {
  const double p = exponent.real();
  const Op op("pow", {base}, {{"exponent", p}});
  const DType dtype = promote_scalar(base.dtype(), exponent);
  if (!is_floating_point(dtype)) {
    op.check<DTypeError>(exponent.integer() >= 0, "the power ", exponent.integer(),
                         " of a tensor of dtype ", base.dtype(),
                         "; expected 0 or more; convert it with to()");
    const Tensor whole = scalar_tensor(exponent, DType::i64);
    return op.no_gradient(
        rounded(map_integers(op, base, whole, base.shape(), &whole_power), dtype));
  }
  Tensor y = p == 2.0 ? binary_value(op, Binary::mul, base, base, dtype)
                      : scalar_value(op, Binary::pow, base, exponent, dtype);
  return op.differentiable(y, [p, x = op.save_if(p != 0.0, base)](const Backward& g) -> Grads {
    if (p == 0.0) return {g.dy(0) * 0.0};
    if (p == 1.0) return {g.take_dy(0)};
    const Tensor x0 = *x;
    return {g.take_dy(0) * p * (p == 2.0 ? x0 : pow(x0, p - 1.0))};
  });
}

Tensor eq(const Tensor& a, const Tensor& b) { return compare("eq", Compare::eq, a, b); }
Tensor ne(const Tensor& a, const Tensor& b) { return compare("ne", Compare::ne, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return compare("lt", Compare::lt, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return compare("le", Compare::le, a, b); }
Tensor gt(const Tensor& a, const Tensor& b) { return compare("gt", Compare::gt, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return compare("ge", Compare::ge, a, b); }
Tensor eq(const Tensor& a, Scalar b) { return compare("eq", Compare::eq, a, b); }
Tensor ne(const Tensor& a, Scalar b) { return compare("ne", Compare::ne, a, b); }
Tensor lt(const Tensor& a, Scalar b) { return compare("lt", Compare::lt, a, b); }
Tensor le(const Tensor& a, Scalar b) { return compare("le", Compare::le, a, b); }
Tensor gt(const Tensor& a, Scalar b) { return compare("gt", Compare::gt, a, b); }
Tensor ge(const Tensor& a, Scalar b) { return compare("ge", Compare::ge, a, b); }

// y = c ? a : b;   da = c ? dy : 0, db = c ? 0 : dy
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const Op op("where", {condition, a, b});
  op.check<DTypeError>(condition.dtype() == DType::boolean, "condition is of dtype ",
                       condition.dtype(), "; expected bool; compare with 0 to get one");
  const DType dtype = promote(a, b);
  const Cast a0(a, dtype), b0(b, dtype);
  const Shape shape =
      broadcast_shapes("where", broadcast_shapes("where", condition.shape(), a.shape()), b.shape());
  Tensor y = make_pointwise("where", shape, {&condition, &a, &b}, dtype);
  kernel_table().elementwise.where[index(dtype)](KernelScope(),
                                                 make_loop<4>(shape, {&y, &condition, &*a0, &*b0}));
  return op.differentiable(y, [c = op.save(condition)](const Backward& g) -> Grads {
    const Tensor c0 = *c;
    return {Tensor(), g.needs(1) ? where(c0, g.dy(0), 0.0) : Tensor(),
            g.needs(2) ? where(c0, 0.0, g.dy(0)) : Tensor()};
  });
}

Tensor where(const Tensor& condition, const Tensor& a, Scalar b) {
  return where(condition, a, held_scalar("where", b, promote_scalar(a.dtype(), b)));
}

Tensor where(const Tensor& condition, Scalar a, const Tensor& b) {
  return where(condition, held_scalar("where", a, promote_scalar(b.dtype(), a)), b);
}

}  // namespace adjoint
