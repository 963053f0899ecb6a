// The definitions of fused operators in terms of simpler ones: what they compute, what the
// catalogue compares them with, and what is differentiated when a gradient is recorded.
#pragma once

#include <adjoint/core/activations.h>
#include <adjoint/core/attention.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>

namespace adjoint::composed {

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
Tensor linear_add(const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& residual);
Tensor linear_activation(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         Activation activation);
Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);
SumAndNormalized add_layer_norm(const Tensor& x, const Tensor& residual,
                                const Shape& normalized_shape, const Tensor& weight = {},
                                const Tensor& bias = {}, double eps = 1e-5);
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                std::optional<double> eps = std::nullopt);
// The eps of rms_norm: the dtype's epsilon unless one is given.
double rms_norm_eps(const Tensor& x, std::optional<double> eps);
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {});
Tensor linear_cross_entropy(const Tensor& x, const Tensor& linear_weight, const Tensor& target,
                            const Tensor& linear_bias = {},
                            const LinearCrossEntropyOptions& options = {});
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean);
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank = 0,
                Reduction reduction = Reduction::mean, bool zero_infinity = false);
// cos and sin broadcast to the first of each pair.
Tensor rotary_embedding(const Tensor& x, const Tensor& cos, const Tensor& sin, bool interleaved);
// The mask of the dropout is that of `generator`'s next stream, which is taken.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options = {});

}  // namespace adjoint::composed
