// Cross entropy, and what losses of classes have in common.
#include <adjoint/core/activations.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <limits>
#include <vector>

#include "core/ops/composed.h"
#include "core/ops/loops.h"
#include "core/ops/loss.h"

namespace adjoint {
namespace {

Shape last_for(int rank, int dim) {
  Shape order;
  for (int i = 0; i < rank; ++i) {
    if (i != dim) order.push_back(i);
  }
  order.push_back(dim);
  return order;
}

// (N, C, d...) as packed rows of classes, (N, d..., C).
Tensor class_rows(const Tensor& logits) {
  const NoGrad guard;
  if (logits.dim() <= 2) return contiguous(logits);
  return contiguous(permute(logits, last_for(logits.dim(), 1)));
}

void check_smoothing(const Op& op, double label_smoothing) {
  op.check<ConfigError>(label_smoothing >= 0 && label_smoothing <= 1, "label_smoothing ",
                        label_smoothing, "; expected a value in [0, 1]");
}

void check_cross_entropy(const Op& op, const Tensor& logits, const Tensor& target,
                         const CrossEntropyOptions& options) {
  check_reduction(op, options.reduction);
  op.check_floating(0);
  op.check(logits.dim() >= 1, "logits of shape ", logits.shape(),
           "; expected (classes,), (N, classes) or (N, classes, ...)");
  check_class_weight(op, options.weight, logits.size(class_dim(logits)));
  if (is_floating_point(target.dtype())) {
    check_smoothing(op, options.label_smoothing);
    op.check<DTypeError>(target.shape() == logits.shape(), "target of dtype ", target.dtype(),
                         " and shape ", target.shape(), " for logits of shape ", logits.shape(),
                         "; expected i64 (indices of classes), or probabilities of that shape");
    op.check<ConfigError>(options.ignore_index < 0, "ignore_index ", options.ignore_index,
                          " for probabilities as targets; expected none");
    return;
  }
  check_targets(op, target, options.label_smoothing);
  check_class_targets(op, logits, target);
}

// The sum of all elements, in f64 and in order: losses are few.
double total(const Tensor& x) {
  return dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* p = x.impl()->data<T>();
    double sum = 0;
    for (int64_t i = 0; i < x.numel(); ++i) sum += static_cast<double>(p[i]);
    return sum;
  });
}

struct CrossEntropySaved {
  SavedTensor logits, target, weight;
  Tensor logsumexp;  // made here and never seen by anybody else
  CrossEntropyOptions options;
  double scale;  // of the sum of all losses
};

// The weight of each class as kernels read it.
Tensor class_weight(const Tensor& weight, DType dtype) {
  return weight.defined() ? packed(rounded(weight, computed_in(dtype))) : weight;
}

// The sum of the weights of the targets that count. REQUIRES: both are packed, the targets checked.
double total_weight(const Tensor& weight, const Tensor& target, int64_t ignore_index) {
  const std::vector<double> w = to(weight.detach(), DType::f64).to_vector<double>();
  const int64_t* t = target.data<int64_t>();
  double sum = 0;
  for (int64_t i = 0; i < target.numel(); ++i) {
    if (t[i] != ignore_index) sum += w[static_cast<size_t>(t[i])];
  }
  return sum;
}

Tensor fused_gradient(const CrossEntropySaved& s, const Tensor& dy) {
  const Tensor logits = *s.logits, rows = class_rows(logits);
  const Tensor target = packed(*s.target), dy0 = packed(rounded(dy, computed_in(rows.dtype())));
  Tensor dx = make_empty("cross_entropy", rows.shape(), rows.dtype());
  kernels::CrossEntropyBackward op{};
  op.rows = target.numel();
  op.n = rows.shape().back();
  op.x = rows.raw_data();
  op.target = target.data<int64_t>();
  op.ignore_index = s.options.ignore_index;
  op.smoothing = s.options.label_smoothing;
  op.scale = s.scale;
  op.logsumexp = s.logsumexp.raw_data();
  op.dy = dy0.raw_data();
  op.dy_stride = s.options.reduction == Reduction::none ? 1 : 0;
  op.dx = dx.impl()->bytes();
  const Tensor weight = class_weight(*s.weight, rows.dtype());
  op.weight = weight.defined() ? weight.raw_data() : nullptr;
  kernel_table().loss.cross_entropy_backward[index(rows.dtype())](KernelScope(), op);
  if (logits.dim() <= 2) return dx;
  Shape order{0, logits.dim() - 1};
  for (int i = 1; i + 1 < logits.dim(); ++i) order.push_back(i);
  return permute(dx, order);
}

Tensor smoothed(const Tensor& probabilities, double smoothing, int64_t classes) {
  if (smoothing == 0) return probabilities;
  return probabilities * (1 - smoothing) + smoothing / static_cast<double>(classes);
}

// -sum(w t log(softmax(x))), the targets smoothed; the mean is over all of them.
Tensor of_probabilities(const Tensor& logits, const Tensor& target,
                        const CrossEntropyOptions& options) {
  const int d = class_dim(logits);
  const int64_t classes = logits.size(d);
  Tensor terms = log_softmax(logits, d) * smoothed(target, options.label_smoothing, classes);
  if (options.weight.defined()) {
    Shape along = Shape::filled(logits.dim(), 1);
    along[d] = classes;
    terms = terms * reshape(to(options.weight, logits.dtype()), along);
  }
  return reduced(-sum(terms, {d}), options.reduction);
}

}  // namespace

double mean_of(double sum, int64_t count) {
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

Shape target_shape(const Shape& logits) {
  Shape shape = logits;
  shape.erase(logits.rank() == 1 ? 0 : 1);
  return shape;
}

void check_class_targets(const Op& op, const Tensor& logits, const Tensor& target) {
  op.check(logits.dim() >= 1, "input of shape ", logits.shape(),
           "; expected (classes,), (N, classes) or (N, classes, ...)");
  const Shape expected = target_shape(logits.shape());
  op.check(target.shape() == expected, "target of shape ", target.shape(), " for logits of shape ",
           logits.shape(), "; expected ", expected);
}

void check_class_weight(const Op& op, const Tensor& weight, int64_t classes) {
  if (!weight.defined()) return;
  op.check<DTypeError>(is_floating_point(weight.dtype()), "weight of dtype ", weight.dtype(),
                       "; expected a floating dtype");
  op.check(weight.shape() == Shape{classes}, "weight of shape ", weight.shape(), " for ", classes,
           " classes; expected (", classes, ",)");
}

void check_targets(const Op& op, const Tensor& target, double label_smoothing) {
  op.check<DTypeError>(target.dtype() == DType::i64, "target is of dtype ", target.dtype(),
                       "; expected i64 (indices of classes)");
  check_smoothing(op, label_smoothing);
}

double count_targets(const Op& op, const Tensor& target, int64_t classes, int64_t ignore_index) {
  const int64_t* t = target.data<int64_t>();
  int64_t counted = 0;
  for (int64_t i = 0; i < target.numel(); ++i) {
    if (t[i] == ignore_index) continue;
    op.check<IndexError>(t[i] >= 0 && t[i] < classes, "target ", t[i], " at position ", i, " for ",
                         classes, " classes; expected a value in [0, ", classes - 1,
                         "], or ignore_index ", ignore_index);
    ++counted;
  }
  return static_cast<double>(counted);
}

Tensor reduce_losses(const Tensor& losses, Reduction reduction, double counted) {
  if (reduction == Reduction::none) return losses;
  const double sum = total(losses);
  return scalar_tensor(reduction == Reduction::sum ? sum : sum / counted, losses.dtype());
}

double loss_scale(Reduction reduction, double counted) {
  return reduction == Reduction::mean ? 1 / counted : 1;
}

// loss = w[t] (logsumexp(x) - x[t]), smoothed: (1 - s) that + s / C sum(w (logsumexp(x) - x));
// dx = softmax(x) sum(v) - v with v = (1 - s) w[t] [class is t] + s / C w, times dy, and over the
// sum of the weights that count for the mean. Of probabilities t: the sum of -w t log(softmax(x)).
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
  const Op op("cross_entropy", {logits, target, optional_input(options.weight)},
              {{"reduction", reduction_name(options.reduction)},
               {"ignore_index", options.ignore_index},
               {"label_smoothing", options.label_smoothing}});
  check_cross_entropy(op, logits, target, options);
  const DType dtype = op.computes_in(logits.dtype(), Casts::loss), wide = computed_in(dtype);
  if (is_floating_point(target.dtype())) {
    return to(of_probabilities(to(logits, wide), to(target, wide), options), dtype);
  }
  const Tensor rows = class_rows(logits), target0 = packed(target);
  const int64_t classes = rows.shape().back();
  double counted = count_targets(op, target0, classes, options.ignore_index);
  if (op.needs(2)) return to(composed::cross_entropy(to(logits, wide), target, options), dtype);
  const Tensor weight = class_weight(options.weight, logits.dtype());
  if (weight.defined()) counted = total_weight(weight, target0, options.ignore_index);
  const DType kept = computed_in(logits.dtype());
  Tensor losses = make_empty("cross_entropy", target.shape(), kept);
  const Tensor logsumexp = make_empty("cross_entropy", target.shape(), kept);
  kernel_table().loss.cross_entropy[index(logits.dtype())](
      KernelScope(), {target.numel(), classes, rows.raw_data(), target0.data<int64_t>(),
                      options.ignore_index, options.label_smoothing, losses.impl()->bytes(),
                      logsumexp.impl()->bytes(), weight.defined() ? weight.raw_data() : nullptr});
  CrossEntropySaved saved{
      op.save(logits), op.save(target), op.save_if(weight.defined(), options.weight),
      logsumexp,       options,         loss_scale(options.reduction, counted)};
  saved.options.weight = {};
  Tensor y = to(reduce_losses(losses, options.reduction, counted), dtype);
  return op.differentiable(y, [s = std::move(saved)](const Backward& b) -> Grads {
    if (!grad_enabled()) return {fused_gradient(s, b.dy(0)), Tensor(), Tensor()};
    const Tensor classes_of = *s.target;
    CrossEntropyOptions definition_options = s.options;
    definition_options.weight = *s.weight;
    const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
      const Tensor x = to(in[0], computed_in(in[0].dtype()));
      return {to(composed::cross_entropy(x, classes_of, definition_options), b.dy(0).dtype())};
    };
    return {vjp(definition, {*s.logits}, {b.dy(0)}).second[0], Tensor(), Tensor()};
  });
}

namespace composed {

Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
  const int rank = logits.dim();
  const Tensor rows = permute(logits, last_for(rank, class_dim(logits)));
  const int64_t classes = rows.shape().back();
  const Tensor log_p = composed::log_softmax(rows, -1);
  const Tensor is_target = arange(classes) == unsqueeze(target, -1);
  const bool weighs = options.weight.defined();
  const Tensor weight = weighs ? to(options.weight, logits.dtype()) : ones({}, logits.dtype());
  const Tensor weighted = weighs ? log_p * weight : log_p;
  Tensor loss = -sum(where(is_target, weighted, 0.0), {-1});
  if (options.label_smoothing != 0) {
    const double s = options.label_smoothing;
    loss = loss * (1 - s) - sum(weighted, {-1}) * (s / static_cast<double>(classes));
  }
  const Tensor counts = target != options.ignore_index;
  loss = where(counts, loss, 0.0);
  if (options.reduction == Reduction::none) return loss;
  if (options.reduction == Reduction::sum) return sum(loss);
  const Tensor counted = logical_and(is_target, unsqueeze(counts, -1));
  return sum(loss) / sum(where(counted, weight, 0.0));
}

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  return reduced(square(input - target), reduction);
}

}  // namespace composed
}  // namespace adjoint
