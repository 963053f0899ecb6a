#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>

#include <vector>

#include "core/ops/loops.h"

namespace adjoint {
namespace {

const char* name(UpdateRule rule) {
  constexpr const char* kNames[kUpdateRules] = {
      "sgd_sweep",      "asgd_sweep",  "adam_sweep", "adamax_sweep", "lamb_sweep",   "rms_sweep",
      "adadelta_sweep", "rprop_sweep", "lion_sweep", "add_sweep",    "average_sweep"};
  return kNames[static_cast<int>(rule)];
}

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

// Checks everything and returns the gradient as one packed span, undefined for a rule without.
Tensor prepare(const UpdateTraits& traits, const UpdateTensors& u, std::vector<Tensor>& copies) {
  const char* op = name(traits.rule);
  const Tensor& parameter = u.parameter;
  check<DTypeError>(is_floating_point(parameter.dtype()), op, ": parameter of dtype ",
                    parameter.dtype(), "; expected a floating dtype");
  check<ShapeError>(parameter.is_contiguous(), op, ": parameter of shape ", parameter.shape(),
                    " with strides ", parameter.strides(), "; expected a contiguous one");
  if (traits.gradient) check_fits(op, parameter, u.gradient, "gradient", parameter.dtype());
  for (int m = 0; m < kMaxMoments; ++m) {
    const Tensor* moment = u.moments[static_cast<size_t>(m)];
    const bool there = moment != nullptr && moment->defined();
    check<Error>(there || m >= traits.required, op, ": moment ", m, " is undefined; expected ",
                 traits.required, " tensors");
    if (!there) continue;
    check_fits(op, parameter, *moment, "moment", computed_in(parameter.dtype()));
    check<ShapeError>(moment->is_contiguous(), op, ": moment with strides ", moment->strides(),
                      "; expected a contiguous one");
  }
  return traits.gradient ? in_one_span(u.gradient, copies) : Tensor();
}

kernels::ParameterSpan span_of(const UpdateTensors& u, const Tensor& gradient, const void* rule) {
  kernels::ParameterSpan span = {.n = u.parameter.numel(),
                                 .p = u.parameter.impl()->bytes(),
                                 .g = gradient.defined() ? gradient.impl()->bytes() : nullptr,
                                 .moments = {},
                                 .rounded = nullptr,
                                 .rule = rule,
                                 .dtype = static_cast<kernels::Place>(u.parameter.dtype())};
  for (size_t m = 0; m < kMaxMoments; ++m) {
    const Tensor* moment = u.moments[m];
    if (moment != nullptr && moment->defined()) span.moments[m] = moment->impl()->bytes();
  }
  return span;
}

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

  // A place for the parameter, or none where there is no memory for a copy that only saves time.
  // Nothing may be checked any more.
  bfloat16* place_for(const Tensor& parameter) {
    Storage* storage = parameter.impl()->storage;
    if (parameter.dtype() != DType::f32 || !storage->packed.take_wanted()) return nullptr;
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

  std::vector<Copy> copies_;
};

}  // namespace

void detail::sweep(const UpdateTraits& traits, const UpdateTensors* tensors, const void* rules,
                   size_t stride, size_t count) {
  const NoGrad guard;
  const auto nth = [stride](const void* first, size_t i) {
    return static_cast<const void*>(static_cast<const char*>(first) + i * stride);
  };
  const auto tensors_of = [&](size_t i) -> const UpdateTensors& {
    return *static_cast<const UpdateTensors*>(nth(tensors, i));
  };
  std::vector<Tensor> gradients;
  std::vector<kernels::ParameterSpan> spans;
  spans.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const UpdateTensors& u = tensors_of(i);
    spans.push_back(span_of(u, prepare(traits, u, gradients), nth(rules, i)));
  }
  RoundedCopies copies;
  if (traits.parameter) {
    for (size_t i = 0; i < count; ++i) spans[i].rounded = copies.place_for(tensors_of(i).parameter);
  }
  kernel_table().fused_optimizer.update(KernelScope(), traits.rule, spans.data(),
                                        static_cast<int64_t>(count));
  for (size_t i = 0; i < count; ++i) {
    const UpdateTensors& u = tensors_of(i);
    if (traits.parameter) u.parameter.mark_changed(name(traits.rule));
    for (const Tensor* moment : u.moments) {
      if (moment != nullptr && moment->defined()) moment->mark_changed(name(traits.rule));
    }
  }
  copies.publish();
}

std::vector<double> sums_of_squares(std::span<const Tensor> tensors) {
  const NoGrad guard;
  std::vector<Tensor> copies;
  std::vector<kernels::SquaresSpan> spans;
  spans.reserve(tensors.size());
  for (const Tensor& x : tensors) {
    check<DTypeError>(is_floating_point(x.dtype()), "sum_of_squares: dtype ", x.dtype(),
                      "; expected a floating dtype");
    const Tensor packed = in_one_span(x, copies);
    spans.push_back(
        {packed.numel(), packed.impl()->bytes(), static_cast<kernels::Place>(x.dtype()), 0});
  }
  if (!spans.empty()) {
    kernel_table().fused_optimizer.sum_of_squares(KernelScope(), spans.data(),
                                                  static_cast<int64_t>(spans.size()));
  }
  std::vector<double> sums;
  sums.reserve(spans.size());
  for (const kernels::SquaresSpan& span : spans) sums.push_back(span.sum);
  return sums;
}

double sum_of_squares(std::span<const Tensor> tensors) {
  double sum = 0;
  for (const double part : sums_of_squares(tensors)) sum += part;
  return sum;
}

}  // namespace adjoint
