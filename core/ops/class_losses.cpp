// Losses of classes and of several labels beside cross entropy, by picking elements of rows.
#include <adjoint/core/activations.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <vector>

#include "core/ops/loops.h"
#include "core/ops/loss.h"

namespace adjoint {
namespace {

// (classes) as (1, classes).
Tensor as_rows(const Tensor& x) { return x.dim() == 1 ? unsqueeze(x, 0) : x; }

// The number of each target's element in logits (N, classes, d...), 0 where it is ignored.
// REQUIRES: the targets are checked and packed.
Tensor places(const Tensor& target, const Shape& logits, int64_t ignore_index) {
  const int d = logits.rank() == 1 ? 0 : 1;
  const int64_t classes = logits[d];
  int64_t inner = 1;
  for (int i = d + 1; i < logits.rank(); ++i) inner *= logits[i];
  const int64_t* t = target.data<int64_t>();
  std::vector<int64_t> index(static_cast<size_t>(target.numel()));
  for (int64_t i = 0; i < target.numel(); ++i) {
    const int64_t row = i / inner;
    index[static_cast<size_t>(i)] =
        t[i] == ignore_index ? 0 : (row * classes + t[i]) * inner + i % inner;
  }
  return from_vector(index, target.shape());
}

// The weight of each target, 0 where it is ignored.
Tensor weights_of(const Tensor& target, const Tensor& weight, const Tensor& counts, DType dtype) {
  const Tensor classes = where(counts, target, 0);
  return where(counts, pick(to(weight, dtype), classes), 0.0);
}

// Rows of labels (N, classes), each up to its first -1.
struct Labels {
  Tensor place;     // (N, most): the number of the label's element in the input, 0 beyond
  Tensor is_there;  // (N, most)
  Tensor is_label;  // (N, classes)
};

Labels labels_of(const Op& op, const Tensor& target) {
  const int64_t rows = target.shape()[0], classes = target.shape()[1];
  const Tensor t0 = packed(target);
  const int64_t* t = t0.data<int64_t>();
  int64_t most = 1;
  std::vector<int64_t> count(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) {
    int64_t& own = count[static_cast<size_t>(i)];
    while (own < classes && t[i * classes + own] != -1) {
      const int64_t label = t[i * classes + own];
      op.check<IndexError>(label >= 0 && label < classes, "target ", label, " at (", i, ", ", own,
                           ") for ", classes, " classes; expected a value in [0, ", classes - 1,
                           "], or -1 after the last");
      ++own;
    }
    most = std::max(most, own);
  }
  std::vector<int64_t> place(static_cast<size_t>(rows * most)), there(place.size());
  std::vector<int64_t> label(static_cast<size_t>(rows * classes));
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t k = 0; k < count[static_cast<size_t>(i)]; ++k) {
      const int64_t element = i * classes + t[i * classes + k];
      place[static_cast<size_t>(i * most + k)] = element;
      there[static_cast<size_t>(i * most + k)] = 1;
      label[static_cast<size_t>(element)] = 1;
    }
  }
  return {from_vector(place, {rows, most}), from_vector(there, {rows, most}) == 1,
          from_vector(label, {rows, classes}) == 1};
}

}  // namespace

Tensor pick(const Tensor& x, const Tensor& index) {
  return squeeze(embedding(index, reshape(x, {x.numel(), 1})), -1);
}

// -w[t] x[t], 0 where t is ignored;   dx = -w[t] dy at t, 0 elsewhere
Tensor nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                int64_t ignore_index, Reduction reduction) {
  const Op op("nll_loss", {input, target, optional_input(weight)},
              {{"ignore_index", ignore_index}, {"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  op.check_floating(0);
  check_targets(op, target, 0);
  check_class_targets(op, input, target);
  const int64_t classes = input.size(class_dim(input));
  check_class_weight(op, weight, classes);
  const Tensor target0 = packed(target);
  const double counted = count_targets(op, target0, classes, ignore_index);
  const DType dtype = loss_dtype(op, input.dtype()), wide = computed_in(dtype);
  const Tensor picked = pick(input, places(target0, input.shape(), ignore_index));
  const bool all_count = counted == static_cast<double>(target.numel());
  Tensor losses = -to(picked, wide), weights;
  if (weight.defined() || !all_count) {
    const Tensor counts = target0 != ignore_index;
    if (weight.defined()) {
      weights = weights_of(target0, weight, counts, wide);
      losses = losses * weights;
    }
    if (!all_count) losses = where(counts, losses, 0.0);
  }
  if (reduction != Reduction::mean) return to(reduced(losses, reduction), dtype);
  return to(weights.defined() ? sum(losses) / sum(weights) : sum(losses) / counted, dtype);
}

// The mean over classes but t of w[t] max(0, margin - x[t] + x)^p;   by its parts
Tensor multi_margin_loss(const Tensor& input, const Tensor& target, int64_t p, double margin,
                         const Tensor& weight, Reduction reduction) {
  const Op op("multi_margin_loss", {input, target, optional_input(weight)},
              {{"p", p}, {"margin", margin}, {"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  op.check_floating(0);
  check_targets(op, target, 0);
  op.check<ConfigError>(p == 1 || p == 2, "p is ", p, "; expected 1 or 2");
  op.check(input.dim() == 1 || input.dim() == 2, "input of shape ", input.shape(),
           "; expected (classes,) or (N, classes)");
  check_class_targets(op, input, target);
  const int64_t classes = input.size(-1);
  check_class_weight(op, weight, classes);
  const DType dtype = loss_dtype(op, input.dtype()), wide = computed_in(dtype);
  const Tensor x = to(as_rows(input), wide);
  const Tensor target0 = reshape(packed(target), {x.size(0)});
  constexpr int64_t kNone = INT64_MIN;  // no target is ignored
  count_targets(op, target0, classes, kNone);
  const Tensor own = pick(x, places(target0, x.shape(), kNone));
  Tensor z = relu(x - unsqueeze(own - margin, -1));
  z = where(arange(classes) == unsqueeze(target0, -1), 0.0, z);
  if (p == 2) z = square(z);
  Tensor losses = sum(z, {1}) / static_cast<double>(classes);
  if (weight.defined()) losses = losses * pick(to(weight, wide), target0);
  if (input.dim() == 1 && reduction == Reduction::none) losses = squeeze(losses, 0);
  return to(reduced(losses, reduction), dtype);
}

// The sum over labels l and other classes c of max(0, 1 - x[l] + x[c]), over the number of classes;
// by its parts
Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const Op op("multilabel_margin_loss", {input, target},
              {{"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  op.check_floating(0);
  check_targets(op, target, 0);
  op.check(input.dim() == 1 || input.dim() == 2, "input of shape ", input.shape(),
           "; expected (classes,) or (N, classes)");
  op.check(target.shape() == input.shape(), "target of shape ", target.shape(),
           " for an input of shape ", input.shape(), "; expected the same shape");
  const DType dtype = loss_dtype(op, input.dtype());
  const Tensor x = to(as_rows(input), computed_in(dtype));
  const Labels labels = labels_of(op, as_rows(target.detach()));
  const Tensor own = unsqueeze(pick(x, labels.place), 2);  // (N, most, 1)
  const Tensor z = relu(unsqueeze(x, 1) - (own - 1.0));    // (N, most, classes)
  const Tensor counts =
      logical_and(unsqueeze(labels.is_there, 2), unsqueeze(logical_not(labels.is_label), 1));
  Tensor losses = sum(where(counts, z, 0.0), {1, 2}) / static_cast<double>(input.size(-1));
  if (input.dim() == 1 && reduction == Reduction::none) losses = squeeze(losses, 0);
  return to(reduced(losses, reduction), dtype);
}

// The mean over the last dimension of (1 - t) x + log(1 + exp(-x));   by its parts
Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                                   Reduction reduction) {
  const Op op("multilabel_soft_margin_loss", {input, target, optional_input(weight)},
              {{"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  op.check(input.dim() >= 1, "input of shape ", input.shape(), "; expected (..., classes)");
  op.check(target.shape() == input.shape(), "target of shape ", target.shape(),
           " for an input of shape ", input.shape(), "; expected the same shape");
  if (weight.defined()) check_fits(op.name(), "weight", weight, input.shape());
  const DType dtype = loss_dtype(op, promote(input.dtype(), target.dtype()));
  const DType wide = computed_in(dtype);
  Tensor losses =
      binary_cross_entropy_with_logits(to(input, wide), to(target, wide), {}, Reduction::none);
  if (weight.defined()) losses = losses * to(weight, wide);
  return to(reduced(mean(losses, {-1}), reduction), dtype);
}

}  // namespace adjoint
