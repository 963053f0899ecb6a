#include <adjoint/core/autograd.h>
#include <adjoint/core/comparisons.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/optim/clip.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace adjoint::optim {
namespace {

std::vector<Tensor> gradients_of(const std::vector<NamedSlot>& slots) {
  std::vector<Tensor> gradients;
  gradients.reserve(slots.size());
  for (const NamedSlot& s : slots) {
    Tensor gradient = s.slot->grad();
    if (gradient.defined()) gradients.push_back(gradient.detach());
  }
  return gradients;
}

double norm_of(const std::vector<Tensor>& gradients, double p) {
  if (p == 2) return std::sqrt(sum_of_squares(gradients));
  const NoGrad guard;
  double total = 0;
  for (const Tensor& g : gradients) {
    if (g.numel() == 0) continue;
    const Tensor wide = g.dtype() == DType::f64 ? g : g.to(DType::f32);
    if (std::isinf(p)) {
      const double most = norm(wide, p).item();
      total = std::isnan(most) || most > total ? most : total;
      if (std::isnan(total)) break;
    } else {
      total += sum(pow(abs(wide), p).to(DType::f64)).item();
    }
  }
  return std::isinf(p) ? total : std::pow(total, 1 / p);
}

void zero_nonfinite(const std::vector<Tensor>& gradients) {
  const NoGrad guard;
  for (const Tensor& g : gradients) masked_fill_(g, logical_not(isfinite(g)), 0);
}

struct Clip {
  double norm;
  double scale;  // 1 where nothing is to be scaled
};

// `pending`: what the gradients will be multiplied by anyway.
Clip clip_of(const std::vector<NamedSlot>& slots, double max_norm, const ClipOptions& options,
             double pending) {
  check<ConfigError>(max_norm > 0, "clip_grad_norm_: max_norm: out of range: ", max_norm,
                     "; expected a value above 0");
  check<ConfigError>(options.norm_type > 0,
                     "clip_grad_norm_: norm_type: out of range: ", options.norm_type,
                     "; expected a value above 0 or infinity");
  const std::vector<Tensor> gradients = gradients_of(slots);
  const double norm = norm_of(gradients, options.norm_type) * std::abs(pending);
  double clipped = norm;
  if (!std::isfinite(norm)) {
    check(options.nonfinite != NonFinite::error, "clip_grad_norm_: the gradients' norm is ", norm,
          "; expected a finite one");
    if (options.nonfinite == NonFinite::skip) {
      for (const NamedSlot& s : slots) s.slot->zero_grad();
    }
    if (options.nonfinite != NonFinite::zero) return {norm, 1};
    zero_nonfinite(gradients);
    clipped = norm_of(gradients, options.norm_type) * std::abs(pending);
  }
  return {norm, std::min(1.0, max_norm / (clipped + 1e-6))};
}

}  // namespace

double grad_norm(const std::vector<NamedSlot>& slots, double norm_type) {
  return norm_of(gradients_of(slots), norm_type);
}

double clip_grad_norm_(Optimizer& optimizer, double max_norm, const ClipOptions& options) {
  const Clip clip = clip_of(optimizer.slots(), max_norm, options, optimizer.gradient_scale());
  if (clip.scale < 1) optimizer.scale_gradients_once(clip.scale);
  return clip.norm;
}

double clip_grad_norm_(const std::vector<NamedSlot>& slots, double max_norm,
                       const ClipOptions& options) {
  const auto [norm, scale] = clip_of(slots, max_norm, options, 1);
  if (scale >= 1) return norm;
  const NoGrad guard;
  for (const Tensor& gradient : gradients_of(slots)) mul_(gradient, scale);
  return norm;
}

double clip_grad_value_(const std::vector<NamedSlot>& slots, double clip_value) {
  check<ConfigError>(clip_value > 0, "clip_grad_value_: clip_value: out of range: ", clip_value,
                     "; expected a value above 0");
  const std::vector<Tensor> gradients = gradients_of(slots);
  const double norm = norm_of(gradients, 2);
  const NoGrad guard;
  for (const Tensor& gradient : gradients) {
    copy_(gradient, clamp(gradient, -clip_value, clip_value));
  }
  return norm;
}

}  // namespace adjoint::optim
