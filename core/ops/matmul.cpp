// Matrix products.
#include <adjoint/core/ops.h>
#include <adjoint/core/precision.h>

#include "core/autograd/op.h"
#include "core/ops/composed.h"
#include "core/ops/contract.h"
#include "core/ops/packed_linear.h"

namespace adjoint {
namespace {

void check_dtype(const Op& op, DType dtype) {
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype; cast with to()");
}

Shape product_shape(const Op& op, const Tensor& a, const Tensor& b) {
  const int ra = a.dim(), rb = b.dim();
  op.check(a.shape()[ra - 1] == b.shape()[rb - 2], "shapes ", a.shape(), " and ", b.shape(),
           " do not fit: ", a.shape()[ra - 1], " columns against ", b.shape()[rb - 2],
           " rows; expected (..., m, k) and (..., k, n)");
  Shape shape = broadcast_shapes(op.name(), Shape(a.shape().span().first(ra - 2)),
                                 Shape(b.shape().span().first(rb - 2)));
  shape.push_back(a.shape()[ra - 2]);
  shape.push_back(b.shape()[rb - 1]);
  return shape;
}

// a b into the buffer that the engine offers for this gradient, or into a new tensor of `shape`;
// what broadcasting had repeated is summed on the way.
Tensor gradient(const Backward& g, int input, const Shape& shape, const Tensor& a,
                const Tensor& b) {
  const Tensor into = g.into(input);
  Tensor dx = into.defined() ? into : make_empty("matmul", shape, a.dtype());
  contract(dx, a, b, {.accumulate = into.defined()});
  return dx;
}

// Y = A B;   dA = dY B^T, dB = A^T dY
Tensor product(const Op& op, const Tensor& a, const Tensor& b) {
  Tensor y = make_empty(op.name(), product_shape(op, a, b), a.dtype());
  contract(y, a, b);
  return op.differentiable(
      y,
      [a = op.save_if(op.needs(1), a), b = op.save_if(op.needs(0), b), a_shape = a.shape(),
       b_shape = b.shape(), precision = float32_matmul_precision()](const Backward& g) -> Grads {
        const PrecisionGuard guard(precision);
        const Tensor& dy = g.dy(0);
        Tensor da, db;
        if (grad_enabled()) {
          if (g.needs(0)) da = matmul(dy, transpose(*b, -2, -1));
          if (g.needs(1)) db = matmul(transpose(*a, -2, -1), dy);
        } else {
          if (g.needs(0)) da = gradient(g, 0, a_shape, dy, transposed(*b));
          if (g.needs(1)) db = gradient(g, 1, b_shape, transposed(*a), dy);
        }
        return {da, db};
      });
}

// x (..., in) as (rows, in), without history: a view where its layout allows.
Tensor as_rows(const Tensor& x) {
  const int64_t in = x.shape().back();
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.dim(); ++i) rows *= x.shape()[i];
  Strides strides;
  if (view_strides(x.shape(), x.strides(), {rows, in}, strides)) {
    return make_view(x, {rows, in}, strides, x.impl()->offset);
  }
  const NoGrad guard;
  return make_view(clone(x), {rows, in}, {in, 1}, 0);
}

void check_linear(const Op& op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  op.check(weight.dim() == 2, "weight of shape ", weight.shape(), "; expected (out, in)");
  op.check(x.dim() >= 1 && x.shape().back() == weight.shape()[1], "input of shape ", x.shape(),
           " for a weight of shape ", weight.shape(), "; expected (..., ", weight.shape()[1], ")");
  op.check(!bias.defined() || bias.shape() == Shape{weight.shape()[0]}, "bias of shape ",
           bias.defined() ? bias.shape() : Shape(), " for a weight of shape ", weight.shape(),
           "; expected (", weight.shape()[0], ",)");
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  const Op op("matmul", {a, b});
  op.check(a.dim() >= 1 && b.dim() >= 1, "shapes ", a.shape(), " and ", b.shape(),
           "; expected one dimension or more");
  const DType dtype = promote(a.dtype(), b.dtype());
  check_dtype(op, dtype);
  if (a.dtype() != b.dtype()) return matmul(to(a, dtype), to(b, dtype));
  // A vector is a row on the left and a column on the right.
  if (a.dim() == 1 && b.dim() == 1) {
    op.check(a.shape() == b.shape(), "vectors of shapes ", a.shape(), " and ", b.shape(),
             "; expected equal sizes");
    return reshape(matmul(unsqueeze(a, 0), unsqueeze(b, 1)), {});
  }
  if (a.dim() == 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  return product(op, a, b);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  const Op op("bmm", {a, b});
  op.check(a.dim() == 3 && b.dim() == 3 && a.shape()[0] == b.shape()[0], "shapes ", a.shape(),
           " and ", b.shape(), "; expected (b, m, k) and (b, k, n)");
  const DType dtype = promote(a.dtype(), b.dtype());
  check_dtype(op, dtype);
  if (a.dtype() != b.dtype()) return bmm(to(a, dtype), to(b, dtype));
  return product(op, a, b);
}

// y = x w^T + bias;   dx = dy w, dw = dy^T x, dbias = sum of dy over all but the last dimension
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Op op("linear", {x, weight, optional_input(bias)});
  check_linear(op, x, weight, bias);
  DType dtype = promote(x.dtype(), weight.dtype());
  if (bias.defined()) dtype = promote(dtype, bias.dtype());
  check_dtype(op, dtype);
  if (x.dtype() != dtype || weight.dtype() != dtype || (bias.defined() && bias.dtype() != dtype)) {
    return linear(to(x, dtype), to(weight, dtype), bias.defined() ? to(bias, dtype) : bias);
  }
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.shape()[0];
  Tensor y = make_empty("linear", shape, dtype);
  {
    const bool packs = wants_packed(weight);
    const NoGrad guard;
    const Tensor b = bias.defined() ? contiguous(bias) : bias;
    if (packs) {
      packed_linear(as_rows(y), as_rows(x), weight, b);
    } else {
      contract(as_rows(y), as_rows(x), transposed(weight), {.bias = b});
    }
  }
  return op.differentiable(
      y,
      [x = op.save_if(op.needs(1), x), weight = op.save_if(op.needs(0), weight),
       x_shape = x.shape(), w_shape = weight.shape(), rank = bias.defined() ? 1 : 0,
       precision = float32_matmul_precision()](const Backward& g) -> Grads {
        const PrecisionGuard guard(precision);
        const Tensor& dy = g.dy(0);
        Tensor dx, dw, db;
        if (rank == 1 && g.needs(2)) db = sum_to_size(dy, {w_shape[0]});
        if (grad_enabled()) {
          if (g.needs(0)) dx = matmul(dy, *weight);
          if (g.needs(1)) {
            const int64_t rows = Shape(x_shape.span().first(x_shape.rank() - 1)).numel();
            dw = matmul(transpose(reshape(dy, {rows, w_shape[0]}), 0, 1),
                        reshape(*x, {rows, w_shape[1]}));
          }
          return {dx, dw, db};
        }
        const Tensor rows = as_rows(dy);
        if (g.needs(0)) {
          const Tensor into = g.into(0);
          dx = into.defined() ? into : make_empty("linear", x_shape, dy.dtype());
          contract(as_rows(dx), rows, *weight, {.accumulate = into.defined()});
        }
        if (g.needs(1)) dw = gradient(g, 1, w_shape, transposed(rows), as_rows(*x));
        return {dx, dw, db};
      });
}

Tensor composed::linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor y = matmul(x, transpose(weight, 0, 1));
  return bias.defined() ? y + bias : y;
}

}  // namespace adjoint
