// The definitions of the norms of channels in simpler operators.
#pragma once

#include <adjoint/core/tensor.h>

namespace adjoint::composed {

// As the operators; `training` of instance_norm is what they are for.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double eps = 1e-5);
Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);

}  // namespace adjoint::composed
