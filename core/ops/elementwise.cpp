// Arithmetic, functions of one tensor, comparisons, selection.
#include <adjoint/core/ops.h>

#include <algorithm>

#include "core/autograd/gradient_ops.h"
#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint {

// What functors.h asks of either kind of operand.
static Tensor logistic(const Tensor& x) { return sigmoid(x); }
// The normal distribution's cumulative function, and exp(-x^2 / 2): for the composed definition of
// gelu.
static Tensor ndtr(const Tensor& x) { return 0.5 * erfc(-0.70710678118654752 * x); }
static Tensor ndtr(const Tensor& x, Tensor& exponential) {
  exponential = exp(-0.5 * x * x);
  return ndtr(x);
}

namespace {

using kernels::Binary;
using kernels::Compare;
using kernels::Unary;

// A number in memory, as a kernel reads it.
struct TypedScalar {
  alignas(8) char bytes[8];
  TypedScalar(Scalar value, DType dtype) {
    dispatch(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T typed;
      if constexpr (is_floating_point(dtype_of<T>)) {
        typed = static_cast<T>(value.real());
      } else if constexpr (std::is_same_v<T, bool>) {
        typed = value.real() != 0;
      } else {
        typed = value.integer();
      }
      std::copy_n(reinterpret_cast<const char*>(&typed), sizeof(T), bytes);
    });
  }
};

// Adds an operand that is one number to a loop.
template <int N>
kernels::Loop<N + 1> with_scalar(const kernels::Loop<N>& loop, const TypedScalar& value, int at) {
  kernels::Loop<N + 1> result;
  result.rank = loop.rank;
  result.parameter[0] = result.parameter[1] = 0;
  for (int d = 0; d < loop.rank; ++d) result.size[d] = loop.size[d];
  for (int i = 0, from = 0; i <= N; ++i) {
    const bool number = i == at;
    result.data[i] = number ? const_cast<char*>(value.bytes) : loop.data[from];
    for (int d = 0; d < loop.rank; ++d) result.stride[i][d] = number ? 0 : loop.stride[from][d];
    if (!number) ++from;
  }
  return result;
}

// The loop over y and x, of y's shape, with a number as operand `at`.
kernels::Loop<3> loop_with_scalar(const Tensor& y, const Tensor& x, const TypedScalar& value,
                                  int at) {
  kernels::Loop<3> loop;  // the one thing returned: a copy would cost as much as the kernel
  if (!x.impl()->contiguous) {
    loop = with_scalar(make_loop<2>(y.shape(), {&y, &x}), value, at);
    return loop;
  }
  loop.rank = 1;
  loop.size[0] = x.impl()->numel;
  loop.parameter[0] = loop.parameter[1] = 0;
  loop.data[0] = y.impl()->bytes();
  loop.data[at] = const_cast<char*>(value.bytes);
  loop.data[3 - at] = x.impl()->bytes();
  loop.stride[0][0] = loop.stride[3 - at][0] = 1;
  loop.stride[at][0] = 0;
  return loop;
}

// x in another dtype, or x itself: a reference, for copying a handle costs two locked instructions.
class Cast {
 public:
  Cast(const Tensor& x, DType dtype)
      : converted_(x.dtype() == dtype ? Tensor() : to(x, dtype)),
        tensor_(converted_.defined() ? converted_ : x) {}
  const Tensor& operator*() const { return tensor_; }

 private:
  const Tensor converted_;
  const Tensor& tensor_;
};

// Integers and bools become f32 where a function has only real values.
Tensor as_floating(const Tensor& x) { return is_floating_point(x.dtype()) ? x : to(x, DType::f32); }

// `dying`: x is a temporary, see Note [Donation].
template <class F>
Tensor unary(const char* name, Unary which, const Tensor& x, bool dying = false) {
  const Op op(name, {x});
  const auto kernel = kernel_table().elementwise.unary[static_cast<int>(which)][index(x.dtype())];
  if (kernel == nullptr) return unary<F>(name, which, as_floating(x));
  using functors::Uses;
  constexpr bool uses_input = F::kUses == Uses::input || F::kUses == Uses::both;
  constexpr bool uses_output = F::kUses == Uses::output || F::kUses == Uses::both;
  const bool over = dying && !(uses_input && op.recording());
  Tensor y = op.make_result(over ? &x : nullptr, x.shape(), x.dtype());
  kernel(KernelScope(), make_loop<2>(x.shape(), {&y, &x}));
  return op.differentiable(
      y,
      [which, x = op.save_if(uses_input, x),
       y = uses_output ? op.save_output(y) : SavedTensor()](const Backward& b) -> Grads {
        const Tensor dy = b.take_dy(0), x0 = *x, y0 = *y;
        if (grad_enabled()) return {F::derivative(x0, y0, dy)};
        Tensor dx = make_over("backward", dy, dy.shape(), dy.dtype());
        const Tensor& in = uses_input ? x0 : dy;
        const Tensor& out = uses_output ? y0 : dy;
        kernel_table().elementwise.unary_backward[static_cast<int>(which)][index(dy.dtype())](
            KernelScope(), make_loop<4>(dy.shape(), {&dx, &in, &out, &dy}));
        return {std::move(dx)};
      });
}

// Which operands of a function of two are temporaries: see Note [Donation].
constexpr int kNone = 0, kLeft = 1, kRight = 2;

Tensor binary_value(const Op& op, Binary which, const Tensor& a, const Tensor& b, DType dtype,
                    int dying = kNone) {
  const Cast a0(a, dtype), b0(b, dtype);
  const Shape shape = broadcast_shapes(op.name(), a.shape(), b.shape());
  // What is both operands is not dying: the graph may keep it as the other one.
  if (a.impl() == b.impl()) dying = kNone;
  const bool left = (dying & kLeft) != 0 && a.shape() == shape;
  const Tensor* right = (dying & kRight) != 0 ? &b : nullptr;
  Tensor y = op.make_result(left ? &a : right, shape, dtype);
  kernel_table().elementwise.binary[static_cast<int>(which)][index(dtype)](
      KernelScope(), make_loop<3>(shape, {&y, &*a0, &*b0}));
  return y;
}

// a op value, or value op a where `reversed`.
Tensor scalar_value(const Op& op, Binary which, const Tensor& a, Scalar value, DType dtype,
                    bool dying = false, bool reversed = false) {
  const Cast a0(a, dtype);
  Tensor y = op.make_result(dying ? &a : nullptr, a.shape(), dtype);
  const TypedScalar typed(value, dtype);
  kernel_table().elementwise.binary[static_cast<int>(which)][index(dtype)](
      KernelScope(), loop_with_scalar(y, *a0, typed, reversed ? 1 : 2));
  return y;
}

// The dtype of a / b and of powers with real exponents.
DType real_dtype(DType dtype) { return is_floating_point(dtype) ? dtype : DType::f32; }

Tensor compare(const char* name, Compare which, const Tensor& a, const Tensor& b) {
  const Op op(name, {a, b});
  const DType dtype = promote(a.dtype(), b.dtype());
  const Cast a0(a, dtype), b0(b, dtype);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  Tensor y = make_empty(name, shape, DType::boolean);
  kernel_table().elementwise.compare[static_cast<int>(which)][index(dtype)](
      KernelScope(), make_loop<3>(shape, {&y, &*a0, &*b0}));
  return op.no_gradient(std::move(y));
}

Tensor compare(const char* name, Compare which, const Tensor& a, Scalar b) {
  const Op op(name, {a}, {{"other", b.real()}});
  const DType dtype = promote_scalar(a.dtype(), b);
  const Cast a0(a, dtype);
  Tensor y = make_empty(name, a.shape(), DType::boolean);
  const TypedScalar typed(b, dtype);
  kernel_table().elementwise.compare[static_cast<int>(which)][index(dtype)](
      KernelScope(), loop_with_scalar(y, *a0, typed, 2));
  return op.no_gradient(std::move(y));
}

// Arithmetic, with what is known of the operands' lives.

Tensor add_of(const Tensor& a, const Tensor& b, int dying) {
  const Op op("add", {a, b});
  Tensor y = binary_value(op, Binary::add, a, b, promote(a.dtype(), b.dtype()), dying);
  return op.differentiable(y, [](const Backward& g) -> Grads {
    // Two handles only where two are wanted: one that is alone can be written over.
    if (!g.needs(1)) return {g.take_dy(0), Tensor()};
    Tensor da = g.needs(0) ? g.dy(0) : Tensor();
    return {std::move(da), g.take_dy(0)};
  });
}

Tensor sub_of(const Tensor& a, const Tensor& b, int dying) {
  const Op op("sub", {a, b});
  Tensor y = binary_value(op, Binary::sub, a, b, promote(a.dtype(), b.dtype()), dying);
  return op.differentiable(y, [](const Backward& g) -> Grads {
    Tensor db = g.needs(1) ? -g.dy(0) : Tensor();
    return {g.take_dy(0), std::move(db)};
  });
}

Tensor mul_of(const Tensor& a, const Tensor& b, int dying) {
  const Op op("mul", {a, b});
  if (op.needs(1)) dying &= ~kLeft;
  if (op.needs(0)) dying &= ~kRight;
  Tensor y = binary_value(op, Binary::mul, a, b, promote(a.dtype(), b.dtype()), dying);
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
  const DType dtype = real_dtype(promote(a.dtype(), b.dtype()));
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

DType promote_scalar(DType dtype, Scalar value) {
  if (is_floating_point(dtype)) return dtype;
  return promote(dtype, value.kind());
}

Tensor scalar_tensor(Scalar value, DType dtype) {
  Tensor x = make_empty("scalar", {}, dtype);
  const TypedScalar typed(value, dtype);
  std::copy_n(typed.bytes, element_size(dtype), x.impl()->bytes());
  return x;
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
  const DType dtype = real_dtype(promote(base.dtype(), exponent.dtype()));
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
          // 0^b is 0 around every b > 0, though log 0 is not finite.
          const Tensor base_log = log(where(a0 == 0.0, 1.0, a0));
          db = where(a0 == 0.0, where(b0 >= 0.0, 0.0, dy * *y * log(a0)), dy * *y * base_log);
        }
        return {da, db};
      });
}

// y = max(a, b);   da = dy where a > b, dy / 2 where equal
Tensor maximum(const Tensor& a, const Tensor& b) {
  const Op op("maximum", {a, b});
  Tensor y = binary_value(op, Binary::maximum, a, b, promote(a.dtype(), b.dtype()));
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
  Tensor y = binary_value(op, Binary::minimum, a, b, promote(a.dtype(), b.dtype()));
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
  const DType dtype = real_dtype(base.dtype());
  Tensor y = p == 2.0 ? binary_value(op, Binary::mul, base, base, dtype)
                      : scalar_value(op, Binary::pow, base, exponent, dtype);
  return op.differentiable(y, [p, x = op.save_if(p != 0.0, base)](const Backward& g) -> Grads {
    if (p == 0.0) return {g.dy(0) * 0.0};
    if (p == 1.0) return {g.take_dy(0)};
    const Tensor x0 = *x;
    return {g.take_dy(0) * p * (p == 2.0 ? x0 : pow(x0, p - 1.0))};
  });
}

Tensor neg(const Tensor& x) { return unary<functors::Neg>("neg", Unary::neg, x); }
Tensor abs(const Tensor& x) { return unary<functors::Abs>("abs", Unary::abs, x); }
Tensor exp(const Tensor& x) { return unary<functors::Exp>("exp", Unary::exp, x); }
Tensor log(const Tensor& x) { return unary<functors::Log>("log", Unary::log, x); }
Tensor sqrt(const Tensor& x) { return unary<functors::Sqrt>("sqrt", Unary::sqrt, x); }
Tensor square(const Tensor& x) { return unary<functors::Square>("square", Unary::square, x); }
Tensor reciprocal(const Tensor& x) {
  return unary<functors::Reciprocal>("reciprocal", Unary::reciprocal, x);
}
Tensor sin(const Tensor& x) { return unary<functors::Sin>("sin", Unary::sin, x); }
Tensor cos(const Tensor& x) { return unary<functors::Cos>("cos", Unary::cos, x); }
Tensor tanh(const Tensor& x) { return unary<functors::Tanh>("tanh", Unary::tanh, x); }
Tensor tanh(Tensor&& x) { return unary<functors::Tanh>("tanh", Unary::tanh, x, true); }
Tensor sigmoid(const Tensor& x) { return unary<functors::Sigmoid>("sigmoid", Unary::sigmoid, x); }
Tensor sigmoid(Tensor&& x) { return unary<functors::Sigmoid>("sigmoid", Unary::sigmoid, x, true); }
Tensor relu(const Tensor& x) { return unary<functors::Relu>("relu", Unary::relu, x); }
Tensor relu(Tensor&& x) { return unary<functors::Relu>("relu", Unary::relu, x, true); }
Tensor silu(const Tensor& x) { return unary<functors::Silu>("silu", Unary::silu, x); }
Tensor silu(Tensor&& x) { return unary<functors::Silu>("silu", Unary::silu, x, true); }
Tensor erf(const Tensor& x) { return unary<functors::Erf>("erf", Unary::erf, x); }
Tensor erfc(const Tensor& x) { return unary<functors::Erfc>("erfc", Unary::erfc, x); }
Tensor gelu(const Tensor& x, Gelu approximate) {
  return approximate == Gelu::tanh ? unary<functors::GeluTanh>("gelu", Unary::gelu_tanh, x)
                                   : unary<functors::GeluErf>("gelu", Unary::gelu_erf, x);
}
Tensor gelu(Tensor&& x, Gelu approximate) {
  return approximate == Gelu::tanh ? unary<functors::GeluTanh>("gelu", Unary::gelu_tanh, x, true)
                                   : unary<functors::GeluErf>("gelu", Unary::gelu_erf, x, true);
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
  const DType dtype = promote(a.dtype(), b.dtype());
  const Cast a0(a, dtype), b0(b, dtype);
  const Shape shape =
      broadcast_shapes("where", broadcast_shapes("where", condition.shape(), a.shape()), b.shape());
  Tensor y = make_empty("where", shape, dtype);
  kernel_table().elementwise.where[index(dtype)](KernelScope(),
                                                 make_loop<4>(shape, {&y, &condition, &*a0, &*b0}));
  return op.differentiable(y, [c = op.save(condition)](const Backward& g) -> Grads {
    const Tensor c0 = *c;
    return {Tensor(), g.needs(1) ? where(c0, g.dy(0), 0.0) : Tensor(),
            g.needs(2) ? where(c0, 0.0, g.dy(0)) : Tensor()};
  });
}

Tensor where(const Tensor& condition, const Tensor& a, Scalar b) {
  return where(condition, a, scalar_tensor(b, promote_scalar(a.dtype(), b)));
}

Tensor where(const Tensor& condition, Scalar a, const Tensor& b) {
  return where(condition, scalar_tensor(a, promote_scalar(b.dtype(), a)), b);
}

// y = mask ? value : x;   dx = mask ? 0 : dy
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  const Op op("masked_fill", {x, mask}, {{"value", value.real()}});
  op.check<DTypeError>(mask.dtype() == DType::boolean, "mask is of dtype ", mask.dtype(),
                       "; expected bool");
  op.check(broadcast_shapes("masked_fill", x.shape(), mask.shape()) == x.shape(), "mask of shape ",
           mask.shape(), " for a tensor of ", x.shape(), "; expected one that broadcasts to it");
  Tensor y = make_empty("masked_fill", x.shape(), x.dtype());
  const TypedScalar typed(value, x.dtype());
  kernel_table().elementwise.where[index(x.dtype())](
      KernelScope(), with_scalar(make_loop<3>(x.shape(), {&y, &mask, &x}), typed, 2));
  return op.differentiable(y, [mask = op.save(mask)](const Backward& g) -> Grads {
    return {masked_fill(g.dy(0), *mask, 0), Tensor()};
  });
}

// y = x in another dtype;   dx = dy, cast back by the engine
Tensor to(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  const Op op("to", {x}, {{"dtype", name(dtype)}});
  Tensor y = rounded(x, dtype);
  if (!is_floating_point(dtype)) return op.no_gradient(y);
  return op.differentiable(y, [](const Backward& g) -> Grads { return {g.take_dy(0)}; });
}

Tensor clone(const Tensor& x) {
  const Op op("clone", {x});
  Tensor y = make_empty("clone", x.shape(), x.dtype());
  kernel_table().elementwise.copy[index(x.dtype())][index(x.dtype())](
      KernelScope(), make_loop<2>(x.shape(), {&y, &x}));
  return op.differentiable(y, [](const Backward& g) -> Grads { return {g.take_dy(0)}; });
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone(x); }

Tensor packed(const Tensor& x) {
  if (!x.defined()) return x;
  const NoGrad guard;
  return contiguous(x);
}

Tensor rounded(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = make_empty("to", x.shape(), dtype);
  kernel_table().elementwise.copy[index(x.dtype())][index(dtype)](
      KernelScope(), make_loop<2>(x.shape(), {&y, &x}));
  return y;
}

namespace gradient_ops {

Tensor add(const Tensor& a, const Tensor& b) { return adjoint::add(a, b); }

void add_in_place(const Tensor& into, const Tensor& x) {
  kernel_table().elementwise.binary[static_cast<int>(Binary::add)][index(into.dtype())](
      KernelScope(), make_loop<3>(into.shape(), {&into, &into, &x}));
  into.mark_changed("backward");
}

Tensor cast(const Tensor& x, DType dtype) { return to(x, dtype); }
Tensor clone(const Tensor& x) { return adjoint::clone(x); }

void fill(const Tensor& x, Scalar value) {
  const TypedScalar typed(value, x.dtype());
  constexpr int64_t kFew = 64;  // not worth a kernel's call
  if (x.is_contiguous() && x.numel() <= kFew) {
    const size_t size = element_size(x.dtype());
    char* to = x.impl()->bytes();
    for (int64_t i = 0; i < x.numel(); ++i, to += size) std::copy_n(typed.bytes, size, to);
    return;
  }
  kernel_table().elementwise.copy[index(x.dtype())][index(x.dtype())](
      KernelScope(), with_scalar(make_loop<1>(x.shape(), {&x}), typed, 1));
}

}  // namespace gradient_ops
}  // namespace adjoint
