// Losses. Unless told otherwise they give the mean over all elements.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

enum class Reduction { none, mean, sum };
struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  int64_t ignore_index = -100;   // targets that count for nothing
  double label_smoothing = 0.0;  // Szegedy et al. 2016, arXiv 1512.00567, section 7
};
// -log softmax(logits)[target]: logits (classes), (N, classes) or (N, classes, d...), targets i64
// without the class dimension. The mean is over targets that are not ignored.
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options = {});
struct LinearCrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  int64_t ignore_index = -100;
  double label_smoothing = 0.0;
  int64_t chunk_rows = 0;  // rows of logits at a time; 0: about 26 million logits
};
// cross_entropy(linear(x, linear_weight, linear_bias), target) without all logits at once: x (...,
// in), linear_weight (classes, in), linear_bias (classes) or undefined, targets i64 (...). Where
// there are several chunks and the losses are reduced, gradients are computed with the loss.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& linear_weight, const Tensor& target,
                            const Tensor& linear_bias = {},
                            const LinearCrossEntropyOptions& options = {});
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction = Reduction::mean);

}  // namespace adjoint
