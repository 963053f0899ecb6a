#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/ops.h>
#include <adjoint/core/optimizer_sweeps.h>

#include <cmath>
#include <initializer_list>

#include "core/ops/loops.h"

namespace adjoint {
namespace {

void check_fits(const char* op, const Tensor& parameter, const Tensor& x, const char* what) {
  check<ShapeError>(x.shape() == parameter.shape(), op, ": ", what, " of shape ", x.shape(),
                    "; expected the parameter's, ", parameter.shape());
  check<DTypeError>(x.dtype() == parameter.dtype(), op, ": ", what, " of dtype ", x.dtype(),
                    "; expected the parameter's, ", parameter.dtype());
}

// Checks everything and returns the gradient as one packed span.
Tensor prepare(const char* op, const Tensor& parameter, const Tensor& gradient,
               std::initializer_list<const Tensor*> moments) {
  check<DTypeError>(is_floating_point(parameter.dtype()), op, ": parameter of dtype ",
                    parameter.dtype(), "; expected f32 or f64");
  check<ShapeError>(parameter.is_contiguous(), op, ": parameter of shape ", parameter.shape(),
                    " with strides ", parameter.strides(), "; expected a contiguous one");
  check_fits(op, parameter, gradient, "gradient");
  for (const Tensor* moment : moments) {
    if (!moment->defined()) continue;
    check_fits(op, parameter, *moment, "moment");
    check<ShapeError>(moment->is_contiguous(), op, ": moment with strides ", moment->strides(),
                      "; expected a contiguous one");
  }
  return contiguous(gradient.detach());
}

template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() ? x.impl()->data<T>() : nullptr;
}

template <class T>
kernels::SgdArgs<T> sgd_args(const Tensor& p, const Tensor& g, const Tensor& buffer,
                             const SgdSweep& o) {
  return {.n = p.numel(),
          .p = p.impl()->data<T>(),
          .g = g.impl()->data<T>(),
          .momentum_buffer = data_or_null<T>(buffer),
          .lr = o.lr,
          .momentum = o.momentum,
          .dampening = o.dampening,
          .weight_decay = o.weight_decay,
          .gradient_scale = o.gradient_scale,
          .nesterov = o.nesterov,
          .first_step = o.first_step};
}

template <class T>
kernels::AdamArgs<T> adam_args(const Tensor& p, const Tensor& g, const Tensor& m, const Tensor& v,
                               const Tensor& v_max, const AdamSweep& o) {
  const auto t = static_cast<double>(o.step);
  return {.n = p.numel(),
          .p = p.impl()->data<T>(),
          .g = g.impl()->data<T>(),
          .m = m.impl()->data<T>(),
          .v = v.impl()->data<T>(),
          .v_max = data_or_null<T>(v_max),
          .decay = o.decoupled_decay ? 1 - o.lr * o.weight_decay : 1,
          .l2 = o.decoupled_decay ? 0 : o.weight_decay,
          .beta1 = o.beta1,
          .beta2 = o.beta2,
          .step_size = o.lr / (1 - std::pow(o.beta1, t)),
          .v_scale = 1 / std::sqrt(1 - std::pow(o.beta2, t)),
          .eps = o.eps,
          .gradient_scale = o.gradient_scale};
}

}  // namespace

void sgd_sweep(const Tensor& parameter, const Tensor& gradient, const Tensor& momentum_buffer,
               const SgdSweep& options) {
  const NoGrad guard;
  const Tensor g = prepare("sgd_sweep", parameter, gradient, {&momentum_buffer});
  if (parameter.dtype() == DType::f32) {
    kernel_table().fused_optimizer.sgd_f32(KernelScope(),
                                           sgd_args<float>(parameter, g, momentum_buffer, options));
  } else {
    kernel_table().fused_optimizer.sgd_f64(
        KernelScope(), sgd_args<double>(parameter, g, momentum_buffer, options));
  }
  parameter.mark_changed("sgd_sweep");
}

void adam_sweep(const Tensor& parameter, const Tensor& gradient, const Tensor& m, const Tensor& v,
                const Tensor& v_max, const AdamSweep& options) {
  const NoGrad guard;
  const Tensor g = prepare("adam_sweep", parameter, gradient, {&m, &v, &v_max});
  check<Error>(m.defined() && v.defined(), "adam_sweep: undefined moments; expected two tensors");
  check<Error>(options.step >= 1, "adam_sweep: step ", options.step, "; expected 1 or more");
  if (parameter.dtype() == DType::f32) {
    kernel_table().fused_optimizer.adam_f32(KernelScope(),
                                            adam_args<float>(parameter, g, m, v, v_max, options));
  } else {
    kernel_table().fused_optimizer.adam_f64(KernelScope(),
                                            adam_args<double>(parameter, g, m, v, v_max, options));
  }
  parameter.mark_changed("adam_sweep");
}

double sum_of_squares(const Tensor& x) {
  const NoGrad guard;
  check<DTypeError>(is_floating_point(x.dtype()), "sum_of_squares: dtype ", x.dtype(),
                    "; expected f32 or f64");
  const Tensor packed = contiguous(x.detach());
  return x.dtype() == DType::f32
             ? kernel_table().fused_optimizer.sum_of_squares_f32(
                   KernelScope(), packed.impl()->data<float>(), packed.numel())
             : kernel_table().fused_optimizer.sum_of_squares_f64(
                   KernelScope(), packed.impl()->data<double>(), packed.numel());
}

}  // namespace adjoint
