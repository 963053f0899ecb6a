// Norms of layers.
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

}  // namespace adjoint
