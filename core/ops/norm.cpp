// Normalisations.
#include <adjoint/core/functional.h>
#include <adjoint/core/ops.h>

#include "core/autograd/op.h"
#include "core/ops/composed.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

const void* data_or_null(const Tensor& x) { return x.defined() ? x.raw_data() : nullptr; }

Tensor in_dtype(const Tensor& x, DType dtype) { return x.defined() ? to(x, dtype) : x; }

void check_layer_norm(const Op& op, const Tensor& x, const Shape& shape, const Tensor& weight,
                      const Tensor& bias) {
  op.check_floating(0);
  const int lead = x.dim() - shape.rank();
  op.check(shape.rank() >= 1 && lead >= 0 && Shape(x.shape().span().subspan(lead)) == shape,
           "input of shape ", x.shape(), " for normalized_shape ", shape,
           "; expected its last dimensions");
  for (const Tensor* p : {&weight, &bias}) {
    op.check(!p->defined() || p->shape() == shape, p == &weight ? "weight" : "bias", " of shape ",
             p->defined() ? p->shape() : Shape(), " for normalized_shape ", shape,
             "; expected the same shape");
  }
}

// What the backward of layer_norm keeps.
struct LayerNormSaved {
  SavedTensor x, weight, bias;
  Tensor mean, rstd;  // made here and never seen by anybody else
  Shape shape;
  double eps;
  bool has_weight, has_bias;
};

Grads recorded_gradients(const LayerNormSaved& s, const Tensor& dy) {
  std::vector<Tensor> inputs{*s.x, s.has_weight ? *s.weight : Tensor(),
                             s.has_bias ? *s.bias : Tensor()};
  const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    return {composed::layer_norm(in[0], s.shape, in[1], in[2], s.eps)};
  };
  return Grads(vjp(definition, inputs, {dy}).second);
}

Grads fused_gradients(const LayerNormSaved& s, const Backward& b) {
  const Tensor x = packed(*s.x), dy = packed(b.dy(0));
  const Tensor weight = s.has_weight ? packed(*s.weight) : Tensor();
  Tensor dx, dweight, dbias;
  kernels::LayerNormBackward op{};
  op.rows = s.mean.numel();
  op.n = s.shape.numel();
  op.x = x.raw_data();
  op.weight = data_or_null(weight);
  op.mean = s.mean.raw_data();
  op.rstd = s.rstd.raw_data();
  op.dy = dy.raw_data();
  if (b.needs(0)) {
    const Tensor into = b.into(0);
    op.accumulate = into.defined();
    dx = into.defined() ? into : make_empty("layer_norm", x.shape(), x.dtype());
    op.dx = dx.impl()->bytes();
  }
  if (s.has_weight && b.needs(1)) {
    dweight = make_empty("layer_norm", s.shape, x.dtype());
    op.dweight = dweight.impl()->bytes();
  }
  if (s.has_bias && b.needs(2)) {
    dbias = make_empty("layer_norm", s.shape, x.dtype());
    op.dbias = dbias.impl()->bytes();
  }
  kernel_table().norm.layer_norm_backward[static_cast<int>(x.dtype())](KernelScope(), op);
  return {dx, dweight, dbias};
}

}  // namespace

// z = (x - mean(x)) / sqrt(var(x) + eps), y = z w + bias;   with g = dy w,
// dx = (g - mean(g) - z mean(g z)) / sqrt(var(x) + eps), dw = sum(dy z), dbias = sum(dy)
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
  const Op op("layer_norm", {x, optional_input(weight), optional_input(bias)},
              {{"normalized_shape", normalized_shape}, {"eps", eps}});
  check_layer_norm(op, x, normalized_shape, weight, bias);
  DType dtype = x.dtype();
  for (const Tensor* p : {&weight, &bias}) {
    if (p->defined()) dtype = promote(dtype, p->dtype());
  }
  if (in_dtype(x, dtype).impl() != x.impl() || in_dtype(weight, dtype).impl() != weight.impl() ||
      in_dtype(bias, dtype).impl() != bias.impl()) {
    return layer_norm(to(x, dtype), normalized_shape, in_dtype(weight, dtype),
                      in_dtype(bias, dtype), eps);
  }
  const int64_t n = normalized_shape.numel();
  const Shape lead(x.shape().span().first(x.dim() - normalized_shape.rank()));
  const Tensor x0 = packed(x), weight0 = packed(weight), bias0 = packed(bias);
  Tensor y = make_empty("layer_norm", x.shape(), dtype), mean, rstd;
  if (op.recording()) {
    mean = make_empty("layer_norm", lead, dtype);
    rstd = make_empty("layer_norm", lead, dtype);
  }
  kernel_table().norm.layer_norm[static_cast<int>(dtype)](
      KernelScope(), {lead.numel(), n, eps, x0.raw_data(), data_or_null(weight0),
                      data_or_null(bias0), y.impl()->bytes(), const_cast<void*>(data_or_null(mean)),
                      const_cast<void*>(data_or_null(rstd))});
  LayerNormSaved saved{op.save(x),
                       op.save_if(weight.defined(), weight),
                       op.save_if(bias.defined(), bias),
                       mean,
                       rstd,
                       normalized_shape,
                       eps,
                       weight.defined(),
                       bias.defined()};
  return op.differentiable(y, [s = std::move(saved)](const Backward& b) -> Grads {
    return grad_enabled() ? recorded_gradients(s, b.dy(0)) : fused_gradients(s, b);
  });
}

Tensor composed::layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                            const Tensor& bias, double eps) {
  Shape dims;
  for (int i = 0; i < normalized_shape.rank(); ++i) dims.push_back(i - normalized_shape.rank());
  const Tensor centred = x - mean(x, dims, kKeepDim);
  Tensor y = centred / sqrt(mean(square(centred), dims, kKeepDim) + eps);
  if (weight.defined()) y = y * weight;
  if (bias.defined()) y = y + bias;
  return y;
}

}  // namespace adjoint
