// Norms of layers, of channels over a batch, and of groups of channels.
#pragma once

#include <adjoint/core/tensor.h>

#include <optional>

namespace adjoint {

// Over the last dims, which have `normalized_shape`; weight and bias of that shape or undefined.
// Ba, Kiros, Hinton 2016, arXiv 1607.06450.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
// A residual connection and the norm that follows it: x + residual (of one shape), and
// layer_norm(x + residual).
struct SumAndNormalized {
  Tensor sum, normalized;
};
SumAndNormalized add_layer_norm(const Tensor& x, const Tensor& residual,
                                const Shape& normalized_shape, const Tensor& weight = {},
                                const Tensor& bias = {}, double eps = 1e-5);
// x / sqrt(mean(x^2) + eps) weight over the last dims, as layer_norm; eps is by default the
// dtype's epsilon. Zhang, Sennrich 2019, arXiv 1910.07467.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                std::optional<double> eps = std::nullopt);

// x / max(norm(x, p, dim), eps): lines along dim of length 1.
Tensor normalize(const Tensor& x, double p = 2, const Shape& dim = 1, double eps = 1e-12);

// Each channel of x (N, C, ...) over the batch and all places; weight and bias (C) or undefined. In
// training by the batch's own mean and variance, of which the running ones (C; may be undefined)
// take a part: running = (1 - momentum) running + momentum batch, the variance divided by
// (count - 1). Otherwise by the running ones, which have no gradient. Ioffe, Szegedy 2015,
// arXiv 1502.03167.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight = {}, const Tensor& bias = {}, bool training = false,
                  double momentum = 0.1, double eps = 1e-5);
// Each of `num_groups` groups of channels of each sample of x (N, C, ...) over all its places;
// weight and bias (C) or undefined. Wu, He 2018, arXiv 1803.08494.
Tensor group_norm(const Tensor& x, int64_t num_groups, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
// Each channel of each sample of x (N, C, sizes...); by running statistics, as batch_norm, unless
// `use_input_stats`. Where those are given they take a part of the batch's average. Ulyanov and
// others 2016, arXiv 1607.08022.
Tensor instance_norm(const Tensor& x, const Tensor& running_mean = {},
                     const Tensor& running_var = {}, const Tensor& weight = {},
                     const Tensor& bias = {}, bool use_input_stats = true, double momentum = 0.1,
                     double eps = 1e-5);
// x / (k + alpha mean(x^2))^beta, the mean over `size` channels around each of x (N, C, sizes...),
// zeros beyond the first and last. Krizhevsky and others 2012.
Tensor local_response_norm(const Tensor& x, int64_t size, double alpha = 1e-4, double beta = 0.75,
                           double k = 1.0);

}  // namespace adjoint
