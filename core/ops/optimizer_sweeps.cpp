#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/ops.h>
#include <adjoint/core/optimizer_sweeps.h>

#include <cmath>
#include <initializer_list>
#include <vector>

#include "core/ops/loops.h"

namespace adjoint {
namespace {

void check_fits(const char* op, const Tensor& parameter, const Tensor& x, const char* what) {
  check<ShapeError>(x.shape() == parameter.shape(), op, ": ", what, " of shape ", x.shape(),
                    "; expected the parameter's, ", parameter.shape());
  check<DTypeError>(x.dtype() == parameter.dtype(), op, ": ", what, " of dtype ", x.dtype(),
                    "; expected the parameter's, ", parameter.dtype());
}

// x itself where it is one packed span, or else a copy, which `copies` keeps for the kernel.
Tensor in_one_span(const Tensor& x, std::vector<Tensor>& copies) {
  if (x.is_contiguous()) return x;
  copies.push_back(contiguous(x.detach()));
  return copies.back();
}

// Checks everything and returns the gradient as one packed span.
Tensor prepare(const char* op, const Tensor& parameter, const Tensor& gradient,
               std::initializer_list<const Tensor*> moments, std::vector<Tensor>& copies) {
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
  return in_one_span(gradient, copies);
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

// 1 - beta^step of both moments; parameters are mostly at the same step.
struct Corrections {
  double beta1 = 0, beta2 = 0, of_m = 0, of_v = 0;
  int64_t step = 0;

  const Corrections& at(const AdamSweep& o) {
    if (o.step != step || o.beta1 != beta1 || o.beta2 != beta2) {
      const auto t = static_cast<double>(o.step);
      *this = {o.beta1, o.beta2, 1 - std::pow(o.beta1, t), 1 - std::pow(o.beta2, t), o.step};
    }
    return *this;
  }
};

template <class T>
kernels::AdamArgs<T> adam_args(const AdamUpdate& u, const Tensor& g,
                               const Corrections& corrections) {
  const AdamSweep& o = u.options;
  return {.n = u.parameter.numel(),
          .p = u.parameter.impl()->data<T>(),
          .g = g.impl()->data<T>(),
          .m = u.m.impl()->data<T>(),
          .v = u.v.impl()->data<T>(),
          .v_max = data_or_null<T>(u.v_max),
          .decay = o.decoupled_decay ? 1 - o.lr * o.weight_decay : 1,
          .l2 = o.decoupled_decay ? 0 : o.weight_decay,
          .beta1 = o.beta1,
          .beta2 = o.beta2,
          .step_size = o.lr / corrections.of_m,
          .v_scale = 1 / std::sqrt(corrections.of_v),
          .eps = o.eps,
          .gradient_scale = o.gradient_scale};
}

template <class Args, class Kernel>
void run(std::vector<Args>& spans, Kernel kernel) {
  if (!spans.empty()) kernel(KernelScope(), spans.data(), static_cast<int64_t>(spans.size()));
}

}  // namespace

void sgd_sweep(std::span<const SgdUpdate> updates) {
  const NoGrad guard;
  std::vector<Tensor> gradients;
  std::vector<kernels::SgdArgs<float>> f32;
  std::vector<kernels::SgdArgs<double>> f64;
  f32.reserve(updates.size());
  for (const SgdUpdate& u : updates) {
    const Tensor g = prepare("sgd_sweep", u.parameter, u.gradient, {&u.momentum_buffer}, gradients);
    if (u.parameter.dtype() == DType::f32) {
      f32.push_back(sgd_args<float>(u.parameter, g, u.momentum_buffer, u.options));
    } else {
      f64.push_back(sgd_args<double>(u.parameter, g, u.momentum_buffer, u.options));
    }
  }
  run(f32, kernel_table().fused_optimizer.sgd_f32);
  run(f64, kernel_table().fused_optimizer.sgd_f64);
  for (const SgdUpdate& u : updates) u.parameter.mark_changed("sgd_sweep");
}

void adam_sweep(std::span<const AdamUpdate> updates) {
  const NoGrad guard;
  std::vector<Tensor> gradients;
  std::vector<kernels::AdamArgs<float>> f32;
  std::vector<kernels::AdamArgs<double>> f64;
  Corrections corrections;
  f32.reserve(updates.size());
  for (const AdamUpdate& u : updates) {
    const Tensor g =
        prepare("adam_sweep", u.parameter, u.gradient, {&u.m, &u.v, &u.v_max}, gradients);
    check<Error>(u.m.defined() && u.v.defined(),
                 "adam_sweep: undefined moments; expected two tensors");
    check<Error>(u.options.step >= 1, "adam_sweep: step ", u.options.step, "; expected 1 or more");
    if (u.parameter.dtype() == DType::f32) {
      f32.push_back(adam_args<float>(u, g, corrections.at(u.options)));
    } else {
      f64.push_back(adam_args<double>(u, g, corrections.at(u.options)));
    }
  }
  run(f32, kernel_table().fused_optimizer.adam_f32);
  run(f64, kernel_table().fused_optimizer.adam_f64);
  for (const AdamUpdate& u : updates) u.parameter.mark_changed("adam_sweep");
}

double sum_of_squares(std::span<const Tensor> tensors) {
  const NoGrad guard;
  std::vector<Tensor> copies;
  std::vector<kernels::SquaresArgs<float>> f32;
  std::vector<kernels::SquaresArgs<double>> f64;
  f32.reserve(tensors.size());
  for (const Tensor& x : tensors) {
    check<DTypeError>(is_floating_point(x.dtype()), "sum_of_squares: dtype ", x.dtype(),
                      "; expected f32 or f64");
    const Tensor packed = in_one_span(x, copies);
    if (x.dtype() == DType::f32) {
      f32.push_back({packed.numel(), packed.impl()->data<float>(), 0});
    } else {
      f64.push_back({packed.numel(), packed.impl()->data<double>(), 0});
    }
  }
  run(f32, kernel_table().fused_optimizer.sum_of_squares_f32);
  run(f64, kernel_table().fused_optimizer.sum_of_squares_f64);
  // In the order of the tensors.
  double sum = 0;
  size_t single = 0, twice = 0;
  for (const Tensor& x : tensors) {
    sum += x.dtype() == DType::f32 ? f32[single++].sum : f64[twice++].sum;
  }
  return sum;
}

}  // namespace adjoint
