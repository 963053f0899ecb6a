// Losses.
#include <adjoint/core/activations.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <limits>

#include "core/ops/composed.h"
#include "core/ops/loops.h"
#include "core/ops/loss.h"

namespace adjoint {
namespace {

// The dimension of the classes: (C), (N, C) or (N, C, d...).
int class_dim(const Tensor& logits) { return logits.dim() == 1 ? 0 : 1; }

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

void check_cross_entropy(const Op& op, const Tensor& logits, const Tensor& target,
                         const CrossEntropyOptions& options) {
  op.check_floating(0);
  check_targets(op, target, options.label_smoothing);
  op.check(logits.dim() >= 1, "logits of shape ", logits.shape(),
           "; expected (classes,), (N, classes) or (N, classes, ...)");
  Shape expected = logits.shape();
  expected.erase(class_dim(logits));
  op.check(target.shape() == expected, "target of shape ", target.shape(), " for logits of shape ",
           logits.shape(), "; expected ", expected);
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

double mean_of(double sum, int64_t count) {
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : sum / static_cast<double>(count);
}

struct CrossEntropySaved {
  SavedTensor logits, target;
  Tensor logsumexp;  // made here and never seen by anybody else
  CrossEntropyOptions options;
  double scale;  // of the sum of all losses
};

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
  kernel_table().loss.cross_entropy_backward[index(rows.dtype())](KernelScope(), op);
  if (logits.dim() <= 2) return dx;
  Shape order{0, logits.dim() - 1};
  for (int i = 1; i + 1 < logits.dim(); ++i) order.push_back(i);
  return permute(dx, order);
}

}  // namespace

const char* reduction_name(Reduction reduction) {
  switch (reduction) {
    case Reduction::none:
      return "none";
    case Reduction::mean:
      return "mean";
    case Reduction::sum:
      break;
  }
  return "sum";
}

void check_targets(const Op& op, const Tensor& target, double label_smoothing) {
  op.check<DTypeError>(target.dtype() == DType::i64, "target is of dtype ", target.dtype(),
                       "; expected i64 (indices of classes)");
  op.check<ConfigError>(label_smoothing >= 0 && label_smoothing <= 1, "label_smoothing ",
                        label_smoothing, "; expected a value in [0, 1]");
}

int64_t count_targets(const Op& op, const Tensor& target, int64_t classes, int64_t ignore_index) {
  const int64_t* t = target.data<int64_t>();
  int64_t counted = 0;
  for (int64_t i = 0; i < target.numel(); ++i) {
    if (t[i] == ignore_index) continue;
    op.check<IndexError>(t[i] >= 0 && t[i] < classes, "target ", t[i], " at position ", i, " for ",
                         classes, " classes; expected a value in [0, ", classes - 1,
                         "], or ignore_index ", ignore_index);
    ++counted;
  }
  return counted;
}

Tensor reduce_losses(const Tensor& losses, Reduction reduction, int64_t counted) {
  if (reduction == Reduction::none) return losses;
  const double sum = total(losses);
  return scalar_tensor(reduction == Reduction::sum ? sum : mean_of(sum, counted), losses.dtype());
}

double loss_scale(Reduction reduction, int64_t counted) {
  return reduction == Reduction::mean ? 1 / static_cast<double>(counted) : 1;
}

// loss = logsumexp(x) - x[t], smoothed: (1 - s) that + s (logsumexp(x) - mean(x));
// dx = softmax(x) - (1 - s) [class is t] - s / C, times dy, and 1 / count for the mean
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
  const Op op("cross_entropy", {logits, target},
              {{"reduction", reduction_name(options.reduction)},
               {"ignore_index", options.ignore_index},
               {"label_smoothing", options.label_smoothing}});
  check_cross_entropy(op, logits, target, options);
  const Tensor rows = class_rows(logits), target0 = packed(target);
  const int64_t classes = rows.shape().back();
  const int64_t counted = count_targets(op, target0, classes, options.ignore_index);
  const DType wide = computed_in(logits.dtype());
  Tensor losses = make_empty("cross_entropy", target.shape(), wide);
  const Tensor logsumexp = make_empty("cross_entropy", target.shape(), wide);
  kernel_table().loss.cross_entropy[index(logits.dtype())](
      KernelScope(),
      {target.numel(), classes, rows.raw_data(), target0.data<int64_t>(), options.ignore_index,
       options.label_smoothing, losses.impl()->bytes(), logsumexp.impl()->bytes()});
  CrossEntropySaved saved{op.save(logits), op.save(target), logsumexp, options,
                          loss_scale(options.reduction, counted)};
  Tensor y = to(reduce_losses(losses, options.reduction, counted),
                op.computes_in(logits.dtype(), Casts::loss));
  return op.differentiable(y, [s = std::move(saved)](const Backward& b) -> Grads {
    if (!grad_enabled()) return {fused_gradient(s, b.dy(0)), Tensor()};
    const Tensor classes_of = *s.target;
    const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
      const Tensor x = to(in[0], computed_in(in[0].dtype()));
      return {to(composed::cross_entropy(x, classes_of, s.options), b.dy(0).dtype())};
    };
    return {vjp(definition, {*s.logits}, {b.dy(0)}).second[0], Tensor()};
  });
}

// y = sum or mean of (a - b)^2;   da = 2 (a - b) dy, divided by the count for the mean, db = -da
Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  const Op op("mse_loss", {input, target}, {{"reduction", reduction_name(reduction)}});
  op.check(input.shape() == target.shape(), "input of shape ", input.shape(),
           " and target of shape ", target.shape(),
           "; expected equal shapes; expand() one where broadcasting is meant");
  const DType dtype = promote(input.dtype(), target.dtype());
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype");
  const DType wide = computed_in(dtype);
  if (input.dtype() != wide || target.dtype() != wide) {
    return to(mse_loss(to(input, wide), to(target, wide), reduction),
              op.computes_in(dtype, Casts::loss));
  }
  if (reduction == Reduction::none) return composed::mse_loss(input, target, reduction);
  const Tensor a = packed(input), b = packed(target);
  double sum = 0;
  kernel_table().loss.squared_error[static_cast<int>(dtype)](KernelScope(), a.numel(), a.raw_data(),
                                                             b.raw_data(), &sum);
  const bool average = reduction == Reduction::mean;
  const double scale = average ? 2 / static_cast<double>(a.numel()) : 2;
  Tensor y = scalar_tensor(average ? mean_of(sum, a.numel()) : sum, dtype);
  return op.differentiable(
      y, [a = op.save(input), b = op.save(target), scale](const Backward& g) -> Grads {
        const Tensor a0 = *a, b0 = *b;
        const Tensor& dy = g.dy(0);
        Tensor da, db;
        if (grad_enabled()) {
          da = (a0 - b0) * (dy * scale);
          return {da, g.needs(1) ? -da : db};
        }
        const Tensor ap = packed(a0), bp = packed(b0);
        const auto kernel =
            kernel_table().loss.squared_error_backward[static_cast<int>(a0.dtype())];
        if (g.needs(0)) {
          da = make_empty("mse_loss", a0.shape(), a0.dtype());
          kernel(KernelScope(), ap.numel(), ap.raw_data(), bp.raw_data(), scale * dy.item(),
                 da.impl()->bytes());
        }
        if (g.needs(1)) {
          db = make_empty("mse_loss", a0.shape(), a0.dtype());
          kernel(KernelScope(), ap.numel(), bp.raw_data(), ap.raw_data(), scale * dy.item(),
                 db.impl()->bytes());
        }
        return {da, db};
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
  Tensor loss = -sum(where(is_target, log_p, 0.0), {-1});
  if (options.label_smoothing != 0) {
    const double s = options.label_smoothing;
    loss = loss * (1 - s) - sum(log_p, {-1}) * (s / static_cast<double>(classes));
  }
  const Tensor counts = target != options.ignore_index;
  loss = where(counts, loss, 0.0);
  if (options.reduction == Reduction::none) return loss;
  if (options.reduction == Reduction::sum) return sum(loss);
  return sum(loss) / to(sum(counts), logits.dtype());
}

Tensor mse_loss(const Tensor& input, const Tensor& target, Reduction reduction) {
  Tensor errors = square(input - target);
  if (reduction == Reduction::none) return errors;
  return reduction == Reduction::mean ? mean(errors) : sum(errors);
}

}  // namespace composed
}  // namespace adjoint
