// Gradient clipping.
#pragma once

#include <adjoint/core/slot.h>
#include <adjoint/optim/optimizer.h>

#include <vector>

namespace adjoint::optim {

// The 2-norm of all gradients together; 0 without any. Accumulated in f64 in a fixed order, so the
// number of threads does not change it.
double grad_norm(const std::vector<NamedSlot>& slots);

// Scales all gradients by max_norm / (norm + 1e-6) if the norm is larger than max_norm, as
// torch.nn.utils.clip_grad_norm_ does, and returns the norm before. With error_if_nonfinite a norm
// that is NaN or infinite throws Error and leaves the gradients as they are; without, it returns
// without scaling (PyTorch would multiply every gradient by NaN). ConfigError unless max_norm > 0.
double clip_grad_norm_(const std::vector<NamedSlot>& slots, double max_norm,
                       bool error_if_nonfinite = false);

// The same for the gradients of an optimizer, without a pass over memory: its next step multiplies
// them by the factor as it reads them; they themselves stay as they are.
double clip_grad_norm_(Optimizer& optimizer, double max_norm, bool error_if_nonfinite = false);

// Cuts every element to [-clip_value, clip_value] and returns the norm before.
double clip_grad_value_(const std::vector<NamedSlot>& slots, double clip_value);

}  // namespace adjoint::optim
