#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/optim/clip.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace adjoint::optim {

double grad_norm(const std::vector<NamedSlot>& slots) {
  std::vector<Tensor> gradients;
  gradients.reserve(slots.size());
  for (const NamedSlot& s : slots) {
    Tensor gradient = s.slot->grad();
    if (gradient.defined()) gradients.push_back(std::move(gradient));
  }
  return std::sqrt(sum_of_squares(gradients));
}

namespace {

struct Clip {
  double norm;
  double scale;  // 1 where nothing is to be scaled
};

Clip clip_of(const std::vector<NamedSlot>& slots, double max_norm, bool error_if_nonfinite) {
  check<ConfigError>(max_norm > 0, "clip_grad_norm_: max_norm: out of range: ", max_norm,
                     "; expected a value above 0");
  const double norm = grad_norm(slots);
  if (!std::isfinite(norm)) {
    check(!error_if_nonfinite, "clip_grad_norm_: the gradients' norm is ", norm,
          "; expected a finite one");
    return {norm, 1};
  }
  return {norm, std::min(1.0, max_norm / (norm + 1e-6))};
}

}  // namespace

double clip_grad_norm_(Optimizer& optimizer, double max_norm, bool error_if_nonfinite) {
  const Clip clip = clip_of(optimizer.slots(), max_norm, error_if_nonfinite);
  if (clip.scale < 1) optimizer.scale_gradients_once(clip.scale);
  return clip.norm;
}

double clip_grad_norm_(const std::vector<NamedSlot>& slots, double max_norm,
                       bool error_if_nonfinite) {
  const auto [norm, scale] = clip_of(slots, max_norm, error_if_nonfinite);
  if (scale >= 1) return norm;
  const NoGrad guard;
  for (const NamedSlot& s : slots) {
    const Tensor gradient = s.slot->grad();
    if (gradient.defined()) mul_(gradient.detach(), scale);
  }
  return norm;
}

double clip_grad_value_(const std::vector<NamedSlot>& slots, double clip_value) {
  check<ConfigError>(clip_value > 0, "clip_grad_value_: clip_value: out of range: ", clip_value,
                     "; expected a value above 0");
  const double norm = grad_norm(slots);
  const NoGrad guard;
  for (const NamedSlot& s : slots) {
    const Tensor gradient = s.slot->grad();
    if (!gradient.defined()) continue;
    const Tensor plain = gradient.detach();
    const Tensor low = scalar(-clip_value, plain.dtype()), high = scalar(clip_value, plain.dtype());
    copy_(plain, minimum(maximum(plain, low), high));
  }
  return norm;
}

}  // namespace adjoint::optim
