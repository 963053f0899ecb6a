// What the losses of rows of classes have in common.
#pragma once

#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>

#include "core/autograd/op.h"

namespace adjoint {

const char* reduction_name(Reduction reduction);

// How many targets count; throws IndexError for one that is no class. REQUIRES: target is packed.
int64_t count_targets(const Op& op, const Tensor& target, int64_t classes, int64_t ignore_index);

// The losses (packed, without history) as the reduction leaves them; the mean is over `counted`.
Tensor reduce_losses(const Tensor& losses, Reduction reduction, int64_t counted);

// What each loss is multiplied by on the way to the result.
double loss_scale(Reduction reduction, int64_t counted);

void check_targets(const Op& op, const Tensor& target, double label_smoothing);

}  // namespace adjoint
