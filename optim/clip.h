// Gradient clipping.
#pragma once

#include <adjoint/core/slot.h>
#include <adjoint/optim/optimizer.h>

#include <cstdint>
#include <vector>

namespace adjoint::optim {

// The p-norm of all gradients together, p > 0 or INFINITY; 0 without any. Accumulated in f64 in a
// fixed order, so the number of threads does not change it. With p = 2, one pass over memory.
double grad_norm(const std::vector<NamedSlot>& slots, double norm_type = 2);

// What is done about a norm that is NaN or infinite.
enum class NonFinite : uint8_t {
  keep,   // nothing is scaled (PyTorch would multiply every gradient by NaN)
  error,  // Error, as PyTorch's error_if_nonfinite; the gradients stay as they are
  skip,   // all gradients are dropped, so that the next step changes nothing
  zero,   // elements that are not finite become 0; the norm of the others is clipped
};

struct ClipOptions {
  double norm_type = 2;
  NonFinite nonfinite = NonFinite::keep;
};

// Scales all gradients by max_norm / (norm + 1e-6) if the norm is larger than max_norm, as
// torch.nn.utils.clip_grad_norm_ does, and returns the norm before. ConfigError unless max_norm >
// 0.
double clip_grad_norm_(const std::vector<NamedSlot>& slots, double max_norm,
                       const ClipOptions& options = {});

// The same for the gradients of an optimizer, without a pass over memory: its next step multiplies
// them by the factor as it reads them; they themselves stay as they are. What the step would scale
// them by already (scale_gradients_once) counts.
double clip_grad_norm_(Optimizer& optimizer, double max_norm, const ClipOptions& options = {});

// Cuts every element to [-clip_value, clip_value] and returns the norm before.
double clip_grad_value_(const std::vector<NamedSlot>& slots, double clip_value);

}  // namespace adjoint::optim
