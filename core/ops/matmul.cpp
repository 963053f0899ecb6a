// Matrix products.
#include <adjoint/core/activations.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/precision.h>
#include <adjoint/core/reductions.h>

#include <tuple>

#include "core/autograd/op.h"
#include "core/ops/composed.h"
#include "core/ops/contract.h"
#include "core/ops/linalg.h"
#include "core/ops/packed_linear.h"

namespace adjoint {
namespace {

// Whether a product of this dtype reads x as it is: those of bf16 round f32 where they pack it.
bool reads(DType dtype, const Tensor& x) {
  return x.dtype() == dtype || (dtype == DType::bf16 && x.dtype() == DType::f32);
}

Tensor readable(DType dtype, const Tensor& x) {
  return !x.defined() || reads(dtype, x) ? x : to(x, dtype);
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

// What a gradient is like.
struct Like {
  explicit Like(const Tensor& x) : shape(x.shape()), dtype(x.dtype()) {}
  Shape shape;
  DType dtype;
};

// a b into the buffer that the engine offers for this gradient, or into a new tensor; what
// broadcasting had repeated is summed on the way.
Tensor gradient(const Backward& g, int input, const Like& like, const Tensor& a, const Tensor& b) {
  const Tensor into = g.into(input);
  Tensor dx = into.defined() ? into : make_empty("matmul", like.shape, like.dtype);
  contract(dx, a, b, {.accumulate = into.defined()});
  return dx;
}

// Y = A B;   dA = dY B^T, dB = A^T dY
Tensor product(const Op& op, const Tensor& a, const Tensor& b, DType dtype) {
  Tensor y = make_empty(op.name(), product_shape(op, a, b), dtype);
  contract(y, a, b);
  return op.differentiable(
      y,
      [a = op.save_if(op.needs(1), a), b = op.save_if(op.needs(0), b), like_a = Like(a),
       like_b = Like(b), precision = float32_matmul_precision()](const Backward& g) -> Grads {
        const PrecisionGuard guard(precision);
        const Tensor& dy = g.dy(0);
        Tensor da, db;
        if (grad_enabled()) {
          if (g.needs(0)) da = matmul(dy, transpose(to(*b, dy.dtype()), -2, -1));
          if (g.needs(1)) db = matmul(transpose(to(*a, dy.dtype()), -2, -1), dy);
        } else {
          if (g.needs(0)) da = gradient(g, 0, like_a, dy, transposed(*b));
          if (g.needs(1)) db = gradient(g, 1, like_b, transposed(*a), dy);
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
  return make_view(row_major(x), {rows, in}, {in, 1}, 0);
}

// The dtype of a linear function of these, as autocast has it.
DType check_linear(const Op& op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  op.check(weight.dim() == 2, "weight of shape ", weight.shape(), "; expected (out, in)");
  op.check(x.dim() >= 1 && x.shape().back() == weight.shape()[1], "input of shape ", x.shape(),
           " for a weight of shape ", weight.shape(), "; expected (..., ", weight.shape()[1], ")");
  op.check(!bias.defined() || bias.shape() == Shape{weight.shape()[0]}, "bias of shape ",
           bias.defined() ? bias.shape() : Shape(), " for a weight of shape ", weight.shape(),
           "; expected (", weight.shape()[0], ",)");
  return op.computes_in(linalg::product_dtype(op, {&x, &weight, &bias}), Casts::product);
}

bool all_read(DType dtype, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return reads(dtype, x) && reads(dtype, weight) && (!bias.defined() || reads(dtype, bias));
}

// y = act(x w^T + bias) or x w^T + bias + residual, with what `e` has of these: preactivation
// (contiguous) and residual are of y's shape.
void linear_to(const Tensor& y, const Tensor& x, const Tensor& weight, const Epilogue& e) {
  const bool packs = y.dtype() == weight.dtype() && wants_packed(weight);
  const NoGrad guard;
  const auto rows = [](const Tensor& t) { return t.defined() ? as_rows(contiguous(t)) : t; };
  const Tensor bias = e.bias.defined() ? contiguous(e.bias) : e.bias;
  if (!packs) {
    contract(as_rows(y), as_rows(x), transposed(weight),
             {.bias = bias,
              .activation = e.activation,
              .preactivation = e.preactivation.defined() ? as_rows(e.preactivation) : Tensor(),
              .residual = rows(e.residual)});
    return;
  }
  const Tensor& sums = e.preactivation.defined() ? e.preactivation : y;
  packed_linear(as_rows(sums), as_rows(x), weight, bias);
  if (e.activation != kernels::Activation::none) activate(y, sums, e.activation);
  if (e.residual.defined()) add_(y, e.residual);
}

Shape linear_shape(const Tensor& x, const Tensor& weight) {
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.shape()[0];
  return shape;
}

// The gradients of x and weight, where dp, of the shape of the result, is the gradient of
// x w^T + bias: not differentiable again.
std::pair<Tensor, Tensor> linear_gradients(const Backward& g, const Tensor& dp,
                                           const SavedTensor& x, const SavedTensor& weight,
                                           const Like& like_x, const Like& like_w) {
  Tensor dx, dw;
  const Tensor rows = as_rows(dp);
  if (g.needs(0)) {
    const Tensor into = g.into(0);
    dx = into.defined() ? into : make_empty("linear", like_x.shape, like_x.dtype);
    contract(as_rows(dx), rows, *weight, {.accumulate = into.defined()});
  }
  if (g.needs(1)) dw = gradient(g, 1, like_w, transposed(rows), as_rows(*x));
  return {std::move(dx), std::move(dw)};
}

// dx = dy act'(.) and, where `sums` is defined, its sums over the rows: one sweep. dx may be dy,
// and is not written without an activation. REQUIRES: all contiguous; sums of what dy is computed
// in.
void sweep(kernels::Activation activation, const Tensor& kept, const Tensor& dy, const Tensor& dx,
           const Tensor& sums) {
  const int64_t n = dy.shape().back();
  kernel_table().gemm.activation_backward[index(dy.dtype())](
      KernelScope(),
      {n > 0 ? dy.numel() / n : 0, n, activation, kept.defined() ? kept.raw_data() : nullptr,
       dy.raw_data(), dx.impl()->bytes(), sums.defined() ? sums.impl()->bytes() : nullptr});
}

// What the backward of x w^T + bias keeps.
struct SavedLinear {
  SavedLinear(const Op& op, const Tensor& x_in, const Tensor& w_in, const Tensor& bias)
      : x(op.save_if(op.needs(1), x_in)),
        weight(op.save_if(op.needs(0), w_in)),
        like_x(x_in),
        like_w(w_in),
        has_bias(bias.defined()),
        precision(float32_matmul_precision()) {}

  struct Gradients {
    Tensor dx, dw, db;
  };
  // dx = dy w, dw = dy^T x, dbias = sum of dy over all but the last dimension
  Gradients gradients(const Backward& g) const {
    const PrecisionGuard guard(precision);
    const Tensor& dy = g.dy(0);
    Tensor dx, dw, db;
    if (has_bias && g.needs(2)) {
      if (!grad_enabled() && dy.is_contiguous()) {
        db = make_empty("linear", {like_w.shape[0]}, computed_in(dy.dtype()));
        sweep(kernels::Activation::none, {}, dy, dy, db);
      } else {
        db = sum_to_size(dy, {like_w.shape[0]});
      }
    }
    if (!grad_enabled()) {
      std::tie(dx, dw) = linear_gradients(g, dy, x, weight, like_x, like_w);
    } else {
      if (g.needs(0)) dx = matmul(dy, to(*weight, dy.dtype()));
      if (g.needs(1)) {
        const Shape lead(like_x.shape.span().first(like_x.shape.rank() - 1));
        dw = matmul(transpose(reshape(dy, {lead.numel(), like_w.shape[0]}), 0, 1),
                    reshape(to(*x, dy.dtype()), {lead.numel(), like_w.shape[1]}));
      }
    }
    return {std::move(dx), std::move(dw), std::move(db)};
  }

  SavedTensor x, weight;
  Like like_x, like_w;
  bool has_bias;
  Precision precision;
};

kernels::Activation in_kernels(Activation activation) {
  switch (activation) {
    case Activation::relu:
      return kernels::Activation::relu;
    case Activation::gelu:
      return kernels::Activation::gelu_erf;
    case Activation::gelu_tanh:
      return kernels::Activation::gelu_tanh;
    case Activation::silu:
      break;
  }
  return kernels::Activation::silu;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  const Op op("matmul", {a, b});
  op.check(a.dim() >= 1 && b.dim() >= 1, "shapes ", a.shape(), " and ", b.shape(),
           "; expected one dimension or more");
  const DType dtype = op.computes_in(linalg::product_dtype(op, {&a, &b}), Casts::product);
  if (!reads(dtype, a) || !reads(dtype, b)) return matmul(readable(dtype, a), readable(dtype, b));
  // A vector is a row on the left and a column on the right.
  if (a.dim() == 1 && b.dim() == 1) {
    op.check(a.shape() == b.shape(), "vectors of shapes ", a.shape(), " and ", b.shape(),
             "; expected equal sizes");
    return reshape(matmul(unsqueeze(a, 0), unsqueeze(b, 1)), {});
  }
  if (a.dim() == 1) return squeeze(matmul(unsqueeze(a, 0), b), -2);
  if (b.dim() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  return product(op, a, b, dtype);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
  const Op op("bmm", {a, b});
  op.check(a.dim() == 3 && b.dim() == 3 && a.shape()[0] == b.shape()[0], "shapes ", a.shape(),
           " and ", b.shape(), "; expected (b, m, k) and (b, k, n)");
  const DType dtype = op.computes_in(linalg::product_dtype(op, {&a, &b}), Casts::product);
  if (!reads(dtype, a) || !reads(dtype, b)) return bmm(readable(dtype, a), readable(dtype, b));
  return product(op, a, b, dtype);
}

// y = x w^T + bias;   dx = dy w, dw = dy^T x, dbias = sum of dy over all but the last dimension
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Op op("linear", {x, weight, optional_input(bias)});
  const DType dtype = check_linear(op, x, weight, bias);
  if (!all_read(dtype, x, weight, bias)) {
    return linear(readable(dtype, x), readable(dtype, weight), readable(dtype, bias));
  }
  Tensor y = make_empty("linear", linear_shape(x, weight), dtype);
  linear_to(y, x, weight, {.bias = bias});
  return op.differentiable(y,
                           [saved = SavedLinear(op, x, weight, bias)](const Backward& g) -> Grads {
                             auto [dx, dw, db] = saved.gradients(g);
                             return {std::move(dx), std::move(dw), std::move(db)};
                           });
}

// y = x w^T + bias + residual;   dresidual = dy, the others as linear's
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& residual) {
  const Op op("linear_add", {x, weight, optional_input(bias), residual});
  const DType dtype = check_linear(op, x, weight, bias);
  const Shape shape = linear_shape(x, weight);
  op.check_floating(3);
  op.check(residual.shape() == shape, "residual of shape ", residual.shape(),
           " for a result of shape ", shape, "; expected equal shapes");
  // A product of 16 bits is rounded before it is added to a residual, which may be wider.
  if (is_half(dtype) || residual.dtype() != dtype || !all_read(dtype, x, weight, bias)) {
    return composed::linear_add(x, weight, bias, residual);
  }
  Tensor y = make_empty(op.name(), shape, dtype);
  linear_to(y, x, weight, {.bias = bias, .residual = residual});
  return op.differentiable(
      y, [saved = SavedLinear(op, x, weight, bias)](const Backward& g) -> Grads {
        auto [dx, dw, db] = saved.gradients(g);
        return {std::move(dx), std::move(dw), std::move(db), g.needs(3) ? g.take_dy(0) : Tensor()};
      });
}

const char* name(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::silu:
      return "silu";
    case Activation::relu:
      break;
  }
  return "relu";
}

// y = act(p), p = x w^T + bias;   dp = dy act'(p), and from it as in linear
//
// For the backward p is kept, or y in the place of p where the derivative is a function of it.
Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         Activation activation) {
  const Op op("linear_activation", {x, weight, optional_input(bias)},
              {{"activation", name(activation)}});
  const DType dtype = check_linear(op, x, weight, bias);
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype; cast with to()");
  if (!all_read(dtype, x, weight, bias)) {
    return linear_activation(readable(dtype, x), readable(dtype, weight), readable(dtype, bias),
                             activation);
  }
  const Shape shape = linear_shape(x, weight);
  Tensor y = make_empty(op.name(), shape, dtype);
  const bool keeps = op.recording() && activation != Activation::relu;
  const Tensor p = keeps ? make_empty(op.name(), shape, dtype) : Tensor();
  linear_to(y, x, weight, {.bias = bias, .activation = in_kernels(activation), .preactivation = p});
  return op.differentiable(
      y,
      [x = op.save(x), weight = op.save(weight), bias = op.save_if(bias.defined(), bias),
       kept = keeps ? op.save(p) : op.save_output(y), x_like = Like(x), w_like = Like(weight),
       has_bias = bias.defined(), activation,
       precision = float32_matmul_precision()](const Backward& g) -> Grads {
        const PrecisionGuard guard(precision);
        if (grad_enabled()) {
          const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            const DType narrow = g.dy(0).dtype();
            return {composed::linear_activation(to(in[0], narrow), to(in[1], narrow),
                                                has_bias ? to(in[2], narrow) : Tensor(),
                                                activation)};
          };
          const std::vector<Tensor> d =
              vjp(definition, {*x, *weight, has_bias ? *bias : Tensor()}, {g.dy(0)}).second;
          return {d[0], d[1], d[2]};
        }
        const Tensor dy = packed(g.take_dy(0));
        const Tensor dp = make_over("backward", dy, dy.shape(), dy.dtype());
        Tensor db;
        if (has_bias && g.needs(2))
          db = make_empty("backward", {w_like.shape[0]}, computed_in(dy.dtype()));
        sweep(in_kernels(activation), *kept, dy, dp, db);
        auto [dx, dw] = linear_gradients(g, dp, x, weight, x_like, w_like);
        return {std::move(dx), std::move(dw), std::move(db)};
      });
}

Tensor composed::linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor y = matmul(x, transpose(weight, 0, 1));
  return bias.defined() ? y + bias : y;
}

Tensor composed::linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const Tensor& residual) {
  return adjoint::linear(x, weight, bias) + residual;
}

Tensor composed::linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                                   Activation activation) {
  const Tensor p = composed::linear(x, weight, bias);
  switch (activation) {
    case Activation::gelu:
      return gelu(p);
    case Activation::gelu_tanh:
      return gelu(p, Gelu::tanh);
    case Activation::silu:
      return silu(p);
    case Activation::relu:
      break;
  }
  return relu(p);
}

}  // namespace adjoint
