#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>

#include <cmath>
#include <initializer_list>
#include <vector>

#include "core/ops/loops.h"

namespace adjoint {
namespace {

void check_fits(const char* op, const Tensor& parameter, const Tensor& x, const char* what,
                DType dtype) {
  check<ShapeError>(x.shape() == parameter.shape(), op, ": ", what, " of shape ", x.shape(),
                    "; expected the parameter's, ", parameter.shape());
  check<DTypeError>(x.dtype() == dtype, op, ": ", what, " of dtype ", x.dtype(), "; expected ",
                    dtype, " for a parameter of ", parameter.dtype());
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
  check<DTypeError>(is_floating_point(parameter.dtype()) && parameter.dtype() != DType::f16, op,
                    ": parameter of dtype ", parameter.dtype(),
                    "; expected f32, f64 or bf16: f16 keeps too little of a step");
  check<ShapeError>(parameter.is_contiguous(), op, ": parameter of shape ", parameter.shape(),
                    " with strides ", parameter.strides(), "; expected a contiguous one");
  check_fits(op, parameter, gradient, "gradient", parameter.dtype());
  for (const Tensor* moment : moments) {
    if (!moment->defined()) continue;
    check_fits(op, parameter, *moment, "moment", computed_in(parameter.dtype()));
    check<ShapeError>(moment->is_contiguous(), op, ": moment with strides ", moment->strides(),
                      "; expected a contiguous one");
  }
  return in_one_span(gradient, copies);
}

template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() ? x.impl()->data<T>() : nullptr;
}

template <class T, class M>
kernels::SgdArgs<T, M> sgd_args(const Tensor& p, const Tensor& g, const Tensor& buffer,
                                const SgdSweep& o) {
  return {.n = p.numel(),
          .p = p.impl()->data<T>(),
          .g = g.impl()->data<T>(),
          .momentum_buffer = data_or_null<M>(buffer),
          .rounded = nullptr,
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

template <class T, class M>
kernels::AdamArgs<T, M> adam_args(const AdamUpdate& u, const Tensor& g,
                                  const Corrections& corrections) {
  const AdamSweep& o = u.options;
  return {.n = u.parameter.numel(),
          .p = u.parameter.impl()->data<T>(),
          .g = g.impl()->data<T>(),
          .m = u.m.impl()->data<M>(),
          .v = u.v.impl()->data<M>(),
          .v_max = data_or_null<M>(u.v_max),
          .rounded = nullptr,
          .decay = o.decoupled_decay ? 1 - o.lr * o.weight_decay : 1,
          .l2 = o.decoupled_decay ? 0 : o.weight_decay,
          .beta1 = o.beta1,
          .beta2 = o.beta2,
          .step_size = o.lr / corrections.of_m,
          .v_scale = 1 / std::sqrt(corrections.of_v),
          .eps = o.eps,
          .gradient_scale = o.gradient_scale};
}

// The spans of a call, by the dtype of the parameters.
template <class F32, class F64, class Bf16>
struct Spans {
  std::vector<F32> f32;
  std::vector<F64> f64;
  std::vector<Bf16> bf16;

  // add(the vector of that dtype).
  template <class Add>
  void add(DType dtype, const Add& add) {
    dtype == DType::f32 ? add(f32) : dtype == DType::f64 ? add(f64) : add(bf16);
  }
};

// The bf16 copies that a sweep writes: of each parameter that products have read rounded since the
// last one.
class RoundedCopies {
 public:
  RoundedCopies() = default;
  RoundedCopies(const RoundedCopies&) = delete;
  RoundedCopies& operator=(const RoundedCopies&) = delete;
  ~RoundedCopies() {
    for (const Copy& copy : copies_) PackedWeight::destroy(copy.weight);
  }

  // Gives each span of f32 its place, or none where there is no memory for a copy that only saves
  // time. Nothing may be checked any more.
  template <class Update, class Args>
  void place(std::span<const Update> updates, std::vector<Args>& spans) {
    copies_.reserve(updates.size());
    size_t at = 0;
    for (const Update& u : updates) {
      if (u.parameter.dtype() == DType::f32) spans[at++].rounded = place_for(u.parameter);
    }
  }

  // When all are written, and their parameters marked as changed.
  void publish() {
    for (const Copy& copy : copies_) copy.storage->packed.publish(copy.weight);
    copies_.clear();
  }

 private:
  struct Copy {
    Storage* storage;
    PackedWeight* weight;
  };

  bfloat16* place_for(const Tensor& parameter) {
    Storage* storage = parameter.impl()->storage;
    if (!storage->packed.take_wanted()) return nullptr;
    const auto elements = static_cast<int64_t>(storage->bytes / sizeof(float));
    if (parameter.numel() != elements) return nullptr;
    storage->packed.clear();  // what is written now may take its place
    try {
      copies_.push_back({storage, PackedWeight::create(PackedWeight::Key::rounded(elements))});
    } catch (const Error&) {
      return nullptr;
    }
    return static_cast<bfloat16*>(copies_.back().weight->panels);
  }

  std::vector<Copy> copies_;
};

template <class Args, class Kernel>
void run(std::vector<Args>& spans, Kernel kernel) {
  if (!spans.empty()) kernel(KernelScope(), spans.data(), static_cast<int64_t>(spans.size()));
}

}  // namespace

void sgd_sweep(std::span<const SgdUpdate> updates) {
  const NoGrad guard;
  std::vector<Tensor> gradients;
  Spans<kernels::SgdArgs<float>, kernels::SgdArgs<double>, kernels::SgdArgs<bfloat16, float>> spans;
  spans.f32.reserve(updates.size());
  for (const SgdUpdate& u : updates) {
    const Tensor g = prepare("sgd_sweep", u.parameter, u.gradient, {&u.momentum_buffer}, gradients);
    const auto args = [&]<class T, class M>(std::vector<kernels::SgdArgs<T, M>>& of_dtype) {
      of_dtype.push_back(sgd_args<T, M>(u.parameter, g, u.momentum_buffer, u.options));
    };
    spans.add(u.parameter.dtype(), args);
  }
  RoundedCopies copies;
  copies.place(updates, spans.f32);
  run(spans.f32, kernel_table().fused_optimizer.sgd_f32);
  run(spans.f64, kernel_table().fused_optimizer.sgd_f64);
  run(spans.bf16, kernel_table().fused_optimizer.sgd_bf16);
  for (const SgdUpdate& u : updates) u.parameter.mark_changed("sgd_sweep");
  copies.publish();
}

void adam_sweep(std::span<const AdamUpdate> updates) {
  const NoGrad guard;
  std::vector<Tensor> gradients;
  Spans<kernels::AdamArgs<float>, kernels::AdamArgs<double>, kernels::AdamArgs<bfloat16, float>>
      spans;
  Corrections corrections;
  spans.f32.reserve(updates.size());
  for (const AdamUpdate& u : updates) {
    const Tensor g =
        prepare("adam_sweep", u.parameter, u.gradient, {&u.m, &u.v, &u.v_max}, gradients);
    check<Error>(u.m.defined() && u.v.defined(),
                 "adam_sweep: undefined moments; expected two tensors");
    check<Error>(u.options.step >= 1, "adam_sweep: step ", u.options.step, "; expected 1 or more");
    const auto args = [&]<class T, class M>(std::vector<kernels::AdamArgs<T, M>>& of_dtype) {
      of_dtype.push_back(adam_args<T, M>(u, g, corrections.at(u.options)));
    };
    spans.add(u.parameter.dtype(), args);
  }
  RoundedCopies copies;
  copies.place(updates, spans.f32);
  run(spans.f32, kernel_table().fused_optimizer.adam_f32);
  run(spans.f64, kernel_table().fused_optimizer.adam_f64);
  run(spans.bf16, kernel_table().fused_optimizer.adam_bf16);
  for (const AdamUpdate& u : updates) u.parameter.mark_changed("adam_sweep");
  copies.publish();
}

double sum_of_squares(std::span<const Tensor> tensors) {
  const NoGrad guard;
  std::vector<Tensor> copies;
  Spans<kernels::SquaresArgs<float>, kernels::SquaresArgs<double>, kernels::SquaresArgs<bfloat16>>
      spans;
  spans.f32.reserve(tensors.size());
  for (const Tensor& x : tensors) {
    check<DTypeError>(is_floating_point(x.dtype()), "sum_of_squares: dtype ", x.dtype(),
                      "; expected a floating dtype");
    const Tensor packed = in_one_span(x, copies);
    const auto args = [&packed]<class T>(std::vector<kernels::SquaresArgs<T>>& of_dtype) {
      of_dtype.push_back({packed.numel(), packed.impl()->data<T>(), 0});
    };
    spans.add(x.dtype(), args);
  }
  run(spans.f32, kernel_table().fused_optimizer.sum_of_squares_f32);
  run(spans.f64, kernel_table().fused_optimizer.sum_of_squares_f64);
  run(spans.bf16, kernel_table().fused_optimizer.sum_of_squares_bf16);
  // In the order of the tensors.
  double sum = 0;
  size_t at[kDTypes] = {};
  for (const Tensor& x : tensors) {
    const size_t i = at[index(x.dtype())]++;
    sum += x.dtype() == DType::f32   ? spans.f32[i].sum
           : x.dtype() == DType::f64 ? spans.f64[i].sum
                                     : spans.bf16[i].sum;
  }
  return sum;
}

}  // namespace adjoint
