#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/ops.h>
#include <adjoint/core/optimizer_sweeps.h>
#include <adjoint/optim/clip.h>

#include <cmath>

namespace adjoint::optim {

double grad_norm(const std::vector<NamedSlot>& slots) {
  double squares = 0;
  for (const NamedSlot& s : slots) {
    const Tensor gradient = s.slot->grad();
    if (gradient.defined()) squares += sum_of_squares(gradient);
  }
  return std::sqrt(squares);
}

double clip_grad_norm_(const std::vector<NamedSlot>& slots, double max_norm,
                       bool error_if_nonfinite) {
  check<ConfigError>(max_norm > 0, "clip_grad_norm_: max_norm: out of range: ", max_norm,
                     "; expected a value above 0");
  const double norm = grad_norm(slots);
  if (!std::isfinite(norm)) {
    check(!error_if_nonfinite, "clip_grad_norm_: the gradients' norm is ", norm,
          "; expected a finite one");
    return norm;
  }
  const double scale = max_norm / (norm + 1e-6);
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
