// What losses have in common.
#pragma once

#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>

#include "core/autograd/op.h"

namespace adjoint {

const char* reduction_name(Reduction reduction);

// Throws ConfigError for a reduction that the loss has not.
void check_reduction(const Op& op, Reduction reduction, bool batchmean = false);

// Throws ShapeError unless the weight broadcasts to the losses.
void check_fits(const char* name, const char* what, const Tensor& weight, const Shape& losses);

// The dtype of a loss of operands that promote to `promoted`, and of autocast; DTypeError where
// that is not floating.
DType loss_dtype(const Op& op, DType promoted);

// Losses, with their history, as the reduction leaves them.
Tensor reduced(const Tensor& losses, Reduction reduction);

// The mean of no losses is NaN.
double mean_of(double sum, int64_t count);

// max(0, x), with the derivative 0 at 0. NaN stays.
Tensor hinge(const Tensor& x);

// The element of each row of x, (N, classes) without gaps, that `index` (N, ...) names by its
// number in x: of index's shape. Differentiable to any order; nothing is copied where x has no
// gaps.
Tensor pick(const Tensor& x, const Tensor& index);

// --- losses of classes ---

// The dimension of the classes: (C), (N, C) or (N, C, d...).
inline int class_dim(const Tensor& logits) { return logits.dim() == 1 ? 0 : 1; }

// The shape of the targets of logits of that shape.
Shape target_shape(const Shape& logits);

// logits and target, of i64, fit.
void check_class_targets(const Op& op, const Tensor& logits, const Tensor& target);

// weight is undefined, or (classes) and floating.
void check_class_weight(const Op& op, const Tensor& weight, int64_t classes);

// How many targets count; throws IndexError for one that is no class. REQUIRES: target is packed.
double count_targets(const Op& op, const Tensor& target, int64_t classes, int64_t ignore_index);

// The losses (packed, without history) as the reduction leaves them; the mean is over `counted`.
Tensor reduce_losses(const Tensor& losses, Reduction reduction, double counted);

// What each loss is multiplied by on the way to the result.
double loss_scale(Reduction reduction, double counted);

void check_targets(const Op& op, const Tensor& target, double label_smoothing);

}  // namespace adjoint
