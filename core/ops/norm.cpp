// Normalisations.
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include "core/autograd/op.h"
#include "core/ops/composed.h"
#include "core/ops/norm.h"

namespace adjoint {
namespace {

enum class Kind { layer, root_mean_square };

// The last `rank` dimensions, as reductions take them.
Shape last_dims(int rank) {
  Shape dims;
  for (int i = 0; i < rank; ++i) dims.push_back(i - rank);
  return dims;
}

void check_norm(const Op& op, const Tensor& x, const Shape& shape, const Tensor& weight,
                const Tensor& bias) {
  op.check_floating(0);
  const int lead = x.dim() - shape.rank();
  op.check(shape.rank() >= 1 && lead >= 0, "normalized_shape ", shape, " for an input of shape ",
           x.shape(), "; expected one or more of its last dimensions");
  const Shape last(x.shape().span().subspan(static_cast<size_t>(lead)));
  op.check(last == shape, "normalized_shape ", shape, " for an input of shape ", x.shape(),
           "; expected the last dimensions of that, ", last);
  for (const Tensor* p : {&weight, &bias}) {
    op.check(!p->defined() || p->shape() == shape, p == &weight ? "weight" : "bias", " of shape ",
             p->defined() ? p->shape() : Shape(), " for normalized_shape ", shape,
             "; expected the same shape");
  }
}

// What the backward keeps.
struct Saved {
  SavedTensor x, weight, bias;  // x is what was normalised
  Tensor mean, rstd;            // made here and never seen by anybody else
  Shape shape;
  double eps;
  Kind kind;
  bool has_weight, has_bias;
};

// Normalises x, or x + residual, whose sum goes to `sum`; the rows' statistics where a gradient
// will want them.
Tensor normalise(const Op& op, const Tensor& x, const Tensor& residual, const Tensor& sum,
                 const Tensor& weight, const Tensor& bias, Saved& saved) {
  const Shape lead(x.shape().span().first(x.dim() - saved.shape.rank()));
  const Tensor x0 = packed(x), residual0 = packed(residual);
  const DType wide = computed_in(x.dtype());
  const Tensor weight0 = packed_in(weight, wide), bias0 = packed_in(bias, wide);
  Tensor y = make_empty(op.name(), x.shape(), x.dtype());
  if (op.recording()) {
    if (saved.kind == Kind::layer) saved.mean = make_empty(op.name(), lead, wide);
    saved.rstd = make_empty(op.name(), lead, wide);
  }
  const kernels::NormTable& table = kernel_table().norm;
  const auto& kernel = saved.kind == Kind::layer ? table.layer_norm : table.rms_norm;
  kernel[index(x.dtype())](
      KernelScope(),
      {lead.numel(), saved.shape.numel(), saved.eps, x0.raw_data(), data_or_null(residual0),
       data_or_null(weight0), data_or_null(bias0), y.impl()->bytes(), bytes_or_null(sum),
       bytes_or_null(saved.mean), bytes_or_null(saved.rstd)});
  saved.weight = op.save_if(weight.defined(), weight);
  saved.bias = op.save_if(bias.defined(), bias);
  saved.has_weight = weight.defined();
  saved.has_bias = bias.defined();
  return y;
}

// The gradients of x, weight and bias, differentiable again.
std::vector<Tensor> recorded_gradients(const Saved& s, const Tensor& dy) {
  std::vector<Tensor> inputs{*s.x, s.has_weight ? *s.weight : Tensor(),
                             s.has_bias ? *s.bias : Tensor()};
  const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const DType wide = computed_in(dy.dtype());
    const Tensor x = to(in[0], wide), weight = in_dtype(in[1], wide), bias = in_dtype(in[2], wide);
    const Tensor y = s.kind == Kind::layer ? composed::layer_norm(x, s.shape, weight, bias, s.eps)
                                           : composed::rms_norm(x, s.shape, weight, s.eps);
    return {to(y, dy.dtype())};
  };
  return vjp(definition, inputs, {dy}).second;
}

// dweight and dbias where they are wanted, and dx to where it is wanted: added to `add`, which may
// be dx itself. dx may be undefined, or have dy's place.
struct Wanted {
  Tensor dx, add;
  bool weight, bias;
};
std::array<Tensor, 2> fused_gradients(const char* name, const Saved& s, const Tensor& dy,
                                      const Wanted& wanted) {
  const Tensor x = packed(*s.x), dy0 = packed(dy);
  const DType wide = computed_in(x.dtype());
  const Tensor weight = s.has_weight ? packed_in(*s.weight, wide) : Tensor();
  Tensor dweight, dbias;
  if (s.has_weight && wanted.weight) dweight = make_empty(name, s.shape, wide);
  if (s.has_bias && wanted.bias) dbias = make_empty(name, s.shape, wide);
  const kernels::NormTable& table = kernel_table().norm;
  const auto& kernel = s.kind == Kind::layer ? table.layer_norm_backward : table.rms_norm_backward;
  kernel[index(x.dtype())](
      KernelScope(),
      {s.rstd.numel(), s.shape.numel(), x.raw_data(), data_or_null(weight), data_or_null(s.mean),
       s.rstd.raw_data(), dy0.raw_data(), data_or_null(wanted.add), bytes_or_null(wanted.dx),
       bytes_or_null(dweight), bytes_or_null(dbias)});
  return {dweight, dbias};
}

// For one input: its gradient, that of the weight, and that of the bias.
std::array<Tensor, 3> gradients_of_one(const char* name, const Saved& s, const Backward& b) {
  if (grad_enabled()) {
    const std::vector<Tensor> d = recorded_gradients(s, b.dy(0));
    return {d[0], d[1], d[2]};
  }
  Wanted wanted{{}, {}, s.has_weight && b.needs(1), s.has_bias && b.needs(2)};
  const Tensor dy = b.take_dy(0);
  if (b.needs(0)) {
    wanted.add = b.into(0);
    wanted.dx = wanted.add.defined() ? wanted.add : make_over(name, dy, dy.shape(), (*s.x).dtype());
  }
  const auto [dweight, dbias] = fused_gradients(name, s, dy, wanted);
  return {wanted.dx, dweight, dbias};
}

// dy(0) of the sum and dy(1) of what it was normalised to -> the gradient of the sum, which both
// terms get, and of weight and bias.
Grads gradients_of_sum(const char* name, const Saved& s, const Backward& b) {
  const Tensor& dsum = b.dy(0);
  if (!b.dy(1).defined()) return {dsum, dsum, Tensor(), Tensor()};
  if (grad_enabled()) {
    const std::vector<Tensor> d = recorded_gradients(s, b.dy(1));
    const Tensor both = dsum.defined() ? d[0] + dsum : d[0];
    return {both, both, d[1], d[2]};
  }
  Wanted wanted{{}, {}, s.has_weight && b.needs(2), s.has_bias && b.needs(3)};
  const Tensor dy = b.take_dy(1);
  if (b.needs(0) || b.needs(1)) {
    // Into the gradient that came from above, if only this node sees it: the residual stream's
    // gradient then passes through a network in one buffer.
    const TensorImpl* impl = dsum.impl();
    const bool ours = impl != nullptr && impl->unique() && impl->contiguous;
    wanted.add = packed(dsum);
    wanted.dx = ours ? dsum : make_over(name, dy, dy.shape(), (*s.x).dtype());
  }
  const auto [dweight, dbias] = fused_gradients(name, s, dy, wanted);
  return {wanted.dx, wanted.dx, dweight, dbias};
}

}  // namespace

// z = (x - mean(x)) / sqrt(var(x) + eps), y = z w + bias;   with g = dy w,
// dx = (g - mean(g) - z mean(g z)) / sqrt(var(x) + eps), dw = sum(dy z), dbias = sum(dy)
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
  const Op op("layer_norm", {x, optional_input(weight), optional_input(bias)},
              {{"normalized_shape", normalized_shape}, {"eps", eps}});
  check_norm(op, x, normalized_shape, weight, bias);
  const DType dtype = result_dtype(x, common_dtype({&x, &weight, &bias}));
  if (!is_half(dtype) && !all_of_dtype(dtype, {&x, &weight, &bias})) {
    return layer_norm(to(x, dtype), normalized_shape, in_dtype(weight, dtype),
                      in_dtype(bias, dtype), eps);
  }
  Saved saved{op.save(x), {}, {}, {}, {}, normalized_shape, eps, Kind::layer, false, false};
  Tensor y = normalise(op, x, {}, {}, weight, bias, saved);
  return op.differentiable(y, [s = std::move(saved)](const Backward& b) -> Grads {
    auto [dx, dweight, dbias] = gradients_of_one("layer_norm", s, b);
    return {dx, dweight, dbias};
  });
}

// s = x + residual, y = layer_norm(s);   dx = dresidual = ds + dlayer_norm(dy)
SumAndNormalized add_layer_norm(const Tensor& x, const Tensor& residual,
                                const Shape& normalized_shape, const Tensor& weight,
                                const Tensor& bias, double eps) {
  const Op op("add_layer_norm", {x, residual, optional_input(weight), optional_input(bias)},
              {{"normalized_shape", normalized_shape}, {"eps", eps}});
  check_norm(op, x, normalized_shape, weight, bias);
  op.check_floating(1);
  op.check(residual.shape() == x.shape(), "residual of shape ", residual.shape(),
           " for an input of shape ", x.shape(), "; expected equal shapes");
  const DType promoted = common_dtype({&x, &residual, &weight, &bias});
  const DType dtype = computed_in(promoted), of_sum = promote(x.dtype(), residual.dtype());
  if (is_half(of_sum) && promoted != DType::f64) {  // the sum is rounded before it is used
    Tensor sum = x + residual;
    Tensor y = layer_norm(sum, normalized_shape, weight, bias, eps);
    return {std::move(sum), std::move(y)};
  }
  if (!all_of_dtype(dtype, {&x, &residual, &weight, &bias})) {
    return add_layer_norm(to(x, dtype), to(residual, dtype), normalized_shape,
                          in_dtype(weight, dtype), in_dtype(bias, dtype), eps);
  }
  const Tensor sum = make_empty("add_layer_norm", x.shape(), dtype);
  Saved saved{op.save_output(sum), {},  {},          {},    {},
              normalized_shape,    eps, Kind::layer, false, false};
  Tensor y = normalise(op, x, residual, sum, weight, bias, saved);
  auto [s, normalized] = op.differentiable(std::array<Tensor, 2>{sum, y},
                                           [s = std::move(saved)](const Backward& b) -> Grads {
                                             return gradients_of_sum("add_layer_norm", s, b);
                                           });
  return {std::move(s), std::move(normalized)};
}

// z = x / sqrt(mean(x^2) + eps), y = z w;   with g = dy w,
// dx = (g - z mean(g z)) / sqrt(mean(x^2) + eps), dw = sum(dy z)
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                std::optional<double> eps) {
  const Op op("rms_norm", {x, optional_input(weight)}, {{"normalized_shape", normalized_shape}});
  check_norm(op, x, normalized_shape, weight, {});
  const DType dtype = result_dtype(x, common_dtype({&x, &weight}));
  if (!is_half(dtype) && !all_of_dtype(dtype, {&x, &weight})) {
    return rms_norm(to(x, dtype), normalized_shape, in_dtype(weight, dtype),
                    composed::rms_norm_eps(x, eps));
  }
  Saved saved{op.save(x),
              {},
              {},
              {},
              {},
              normalized_shape,
              composed::rms_norm_eps(x, eps),
              Kind::root_mean_square,
              false,
              false};
  Tensor y = normalise(op, x, {}, {}, weight, {}, saved);
  return op.differentiable(y, [s = std::move(saved)](const Backward& b) -> Grads {
    auto [dx, dweight, dbias] = gradients_of_one("rms_norm", s, b);
    return {dx, dweight};
  });
}

namespace composed {

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps) {
  const Shape dims = last_dims(normalized_shape.rank());
  const Tensor centred = x - mean(x, dims, kKeepDim);
  Tensor y = centred / sqrt(mean(square(centred), dims, kKeepDim) + eps);
  if (weight.defined()) y = y * weight;
  if (bias.defined()) y = y + bias;
  return y;
}

SumAndNormalized add_layer_norm(const Tensor& x, const Tensor& residual,
                                const Shape& normalized_shape, const Tensor& weight,
                                const Tensor& bias, double eps) {
  const Tensor sum = x + residual;
  return {sum, composed::layer_norm(sum, normalized_shape, weight, bias, eps)};
}

double rms_norm_eps(const Tensor& x, std::optional<double> eps) {
  return eps.value_or(epsilon(computed_in(x.dtype())));
}

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                std::optional<double> eps) {
  const Shape dims = last_dims(normalized_shape.rank());
  const Tensor y = x / sqrt(mean(square(x), dims, kKeepDim) + rms_norm_eps(x, eps));
  return weight.defined() ? y * weight : y;
}

}  // namespace composed
}  // namespace adjoint
