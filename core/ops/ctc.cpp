// Connectionist temporal classification: see Note [Alignments] in core/kernels/ctc.h.
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ops/composed.h"
#include "core/ops/loops.h"
#include "core/ops/loss.h"

namespace adjoint {
namespace {

constexpr const char* kName = "ctc_loss";

// What the loss is of, beside the probabilities.
struct Alignment {
  std::vector<int64_t> labels, starts, input_lengths, target_lengths;
  int64_t longest = 0, blank = 0;
};

std::vector<int64_t> lengths_of(const Op& op, const char* what, const Tensor& x, int64_t items,
                                int64_t most) {
  op.check<DTypeError>(is_integer(x.dtype()), what, " of dtype ", x.dtype(), "; expected i64");
  op.check(x.numel() == items && x.dim() <= 1, what, " of shape ", x.shape(), " for ", items,
           " sequences; expected (", items, ",)");
  std::vector<int64_t> lengths = packed(rounded(x, DType::i64)).to_vector<int64_t>();
  for (const int64_t length : lengths) {
    op.check(length >= 0 && length <= most, what, " has ", length, "; expected a value in [0, ",
             most, "]");
  }
  return lengths;
}

Alignment alignment_of(const Op& op, const Tensor& log_probs, const Tensor& targets,
                       const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank) {
  op.check(log_probs.dim() == 2 || log_probs.dim() == 3, "log_probs of shape ", log_probs.shape(),
           "; expected (T, N, classes) or (T, classes)");
  const int64_t classes = log_probs.size(-1);
  const int64_t items = log_probs.dim() == 3 ? log_probs.size(1) : 1;
  op.check<IndexError>(blank >= 0 && blank < classes, "blank ", blank, " for ", classes,
                       " classes; expected a value in [0, ", classes - 1, "]");
  op.check<DTypeError>(is_integer(targets.dtype()), "targets of dtype ", targets.dtype(),
                       "; expected i64");
  const bool in_rows = targets.dim() == 2;
  op.check(targets.dim() == 1 || (in_rows && targets.size(0) == items), "targets of shape ",
           targets.shape(), " for ", items, " sequences; expected (", items,
           ", S), or all one after the other");
  Alignment a;
  a.blank = blank;
  a.input_lengths = lengths_of(op, "input_lengths", input_lengths, items, log_probs.size(0));
  a.target_lengths = lengths_of(op, "target_lengths", target_lengths, items, targets.size(-1));
  a.labels = packed(rounded(targets, DType::i64)).to_vector<int64_t>();
  int64_t start = 0;
  for (int64_t n = 0; n < items; ++n) {
    const int64_t length = a.target_lengths[static_cast<size_t>(n)];
    a.longest = std::max(a.longest, length);
    a.starts.push_back(in_rows ? n * targets.size(1) : start);
    start += length;
    op.check(in_rows || start <= targets.numel(), "targets of shape ", targets.shape(),
             " are shorter than the sum of target_lengths; expected (sum,)");
    for (int64_t i = 0; i < length; ++i) {
      const int64_t label = a.labels[static_cast<size_t>(a.starts.back() + i)];
      op.check<IndexError>(label >= 0 && label < classes && label != blank, "target ", label,
                           " of sequence ", n, " for ", classes,
                           " classes; expected a value in [0, ", classes - 1,
                           "] that is not blank ", blank);
    }
  }
  return a;
}

kernels::Ctc kernel_of(const Alignment& a, const Tensor& log_probs) {
  kernels::Ctc op{};
  op.times = log_probs.size(0);
  op.items = log_probs.size(1);
  op.classes = log_probs.size(2);
  op.log_probs = log_probs.raw_data();
  op.labels = a.labels.data();
  op.starts = a.starts.data();
  op.input_lengths = a.input_lengths.data();
  op.target_lengths = a.target_lengths.data();
  op.longest = a.longest;
  op.blank = a.blank;
  return op;
}

// --- the definition, in tensors ---

// The logarithm of 0: of a size that sums of a few hundred thousand of them leave finite in f32.
constexpr double kNever = -1e30;

// The states of all sequences, side by side: (N, 2 longest + 1).
struct StatesOfAll {
  std::vector<int64_t> label;
  std::vector<double> may_skip;  // 0, or kNever
  std::vector<int64_t> is_end;   // 1 for the last two of each sequence
};

StatesOfAll states_of_all(const Alignment& a) {
  const size_t items = a.starts.size(), count = static_cast<size_t>(2 * a.longest + 1);
  StatesOfAll s{std::vector<int64_t>(items * count, a.blank),
                std::vector<double>(items * count, kNever), std::vector<int64_t>(items * count, 0)};
  for (size_t n = 0; n < items; ++n) {
    const int64_t* label = a.labels.data() + a.starts[n];
    const auto length = static_cast<size_t>(a.target_lengths[n]);
    for (size_t k = 0; k < length; ++k) {
      const size_t at = n * count + 2 * k + 1;
      s.label[at] = label[k];
      if (k > 0 && label[k] != label[k - 1]) s.may_skip[at] = 0;
    }
    s.is_end[n * count + 2 * length] = 1;
    if (length > 0) s.is_end[n * count + 2 * length - 1] = 1;
  }
  return s;
}

// x (N, S) moved by `steps` states, kNever where nothing comes from.
Tensor moved(const Tensor& x, int64_t steps) {
  const int64_t states = x.size(1);
  const Tensor gap = full({x.size(0), std::min(steps, states)}, kNever, x.dtype());
  return steps >= states ? gap : cat({gap, slice(x, 1, 0, states - steps)}, 1);
}

// The losses (N), infinity where nothing fits.
Tensor definition(const Alignment& a, const Tensor& log_probs) {
  const int64_t times = log_probs.size(0), items = log_probs.size(1), classes = log_probs.size(2);
  const StatesOfAll states = states_of_all(a);
  const int64_t count = 2 * a.longest + 1;
  const DType dtype = log_probs.dtype();
  std::vector<int64_t> place(states.label.size());
  for (size_t i = 0; i < place.size(); ++i) {
    place[i] = static_cast<int64_t>(i) / count * classes + states.label[i];
  }
  const Tensor places = from_vector(place, {items, count});
  const Tensor skip = to(from_vector(states.may_skip, {items, count}), dtype);
  const Tensor lengths = from_vector(a.input_lengths, {items});
  const Tensor bounded = where(log_probs < kNever, kNever, log_probs);
  Tensor alpha =
      where(expand(arange(count) == 0, {items, count}), zeros({items, count}, dtype), kNever);
  for (int64_t t = 0; t < times; ++t) {
    const Tensor emission = pick(contiguous(select(bounded, 0, t)), places);
    Tensor next;
    if (t == 0) {
      next = where(arange(count) < 2, emission, kNever);
    } else {
      const Tensor step = moved(alpha, 1), leap = moved(alpha, 2) + skip;
      const Tensor top = maximum(maximum(alpha, step), leap).detach();
      next = top + log(exp(alpha - top) + exp(step - top) + exp(leap - top)) + emission;
    }
    alpha = where(unsqueeze(lengths > t, 1), next, alpha);
  }
  const Tensor is_end = from_vector(states.is_end, {items, count}) == 1;
  const Tensor ends = where(is_end, alpha, kNever), top = amax(ends.detach(), {1}, kKeepDim);
  const Tensor likelihood = squeeze(top + log(sum(exp(ends - top), {1}, kKeepDim)), 1);
  return where(likelihood < kNever / 2, INFINITY, -likelihood);
}

struct Saved {
  SavedTensor log_probs;
  Tensor alpha, loss;  // made here and never seen by anybody else
  Alignment alignment;
  bool zero_infinity;
};

// The definition's losses as the option leaves them.
Tensor composed_losses(const Alignment& a, const Tensor& log_probs, bool zero_infinity) {
  const Tensor losses = definition(a, log_probs);
  return zero_infinity ? where(losses == INFINITY, 0.0, losses) : losses;
}

Tensor gradient(const Saved& s, const Tensor& dy) {
  const Tensor x = packed(*s.log_probs), dy0 = packed(dy);
  if (grad_enabled()) {
    return vjp(
               [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
                 return {composed_losses(s.alignment, in[0], s.zero_infinity)};
               },
               {*s.log_probs}, {dy})
        .second[0];
  }
  Tensor d = make_empty(kName, x.shape(), x.dtype());
  kernels::Ctc op = kernel_of(s.alignment, x);
  op.alpha = s.alpha.impl()->bytes();
  op.loss = s.loss.impl()->bytes();
  op.dy = dy0.raw_data();
  op.d = d.impl()->bytes();
  op.zero_infinity = s.zero_infinity;
  kernel_table().ctc.backward[index(x.dtype())](KernelScope(), op);
  return d;
}

// The losses of log_probs (T, N, classes), f32 or f64.
Tensor losses_of(const Tensor& log_probs, Alignment a, bool zero_infinity) {
  const Op op(kName, {log_probs}, {{"blank", a.blank}, {"zero_infinity", zero_infinity}});
  const Tensor x = packed(log_probs);
  const int64_t items = x.size(1);
  Tensor y = make_empty(kName, {items}, x.dtype());
  const Tensor alpha = make_empty(kName, {items, x.size(0), 2 * a.longest + 3}, x.dtype());
  kernels::Ctc ctc = kernel_of(a, x);
  ctc.alpha = alpha.impl()->bytes();
  ctc.loss = y.impl()->bytes();
  kernel_table().ctc.forward[index(x.dtype())](KernelScope(), ctc);
  const Tensor loss = y;  // which backward keeps: the result is another
  {
    const NoGrad guard;
    y = zero_infinity ? where(loss == INFINITY, 0.0, loss) : clone(loss);
  }
  Saved saved{op.save(log_probs), alpha, loss, std::move(a), zero_infinity};
  return op.differentiable(
      y, [s = std::move(saved)](const Backward& b) -> Grads { return {gradient(s, b.dy(0))}; });
}

Tensor reduced_ctc(const Tensor& losses, const Alignment& a, Reduction reduction) {
  if (reduction != Reduction::mean) return reduced(losses, reduction);
  std::vector<double> lengths;
  for (const int64_t length : a.target_lengths) {
    lengths.push_back(static_cast<double>(std::max<int64_t>(1, length)));
  }
  return mean(losses / to(from_vector(lengths), losses.dtype()));
}

}  // namespace

// -log(the sum over all alignments of the product of their probabilities);   dlog_probs[t][c] =
// -(the share of the alignments that are at c at time t) dy
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, int64_t blank, Reduction reduction,
                bool zero_infinity) {
  const Op op(kName, {log_probs, targets, input_lengths, target_lengths},
              {{"blank", blank}, {"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  const DType dtype = loss_dtype(op, log_probs.dtype());
  const Alignment a = alignment_of(op, log_probs, targets, input_lengths, target_lengths, blank);
  const bool single = log_probs.dim() == 2;
  const Tensor x = to(single ? unsqueeze(log_probs, 1) : log_probs, computed_in(dtype));
  Tensor losses = losses_of(x, a, zero_infinity);
  if (single && reduction == Reduction::none) losses = squeeze(losses, 0);
  return to(reduced_ctc(losses, a, reduction), dtype);
}

Tensor composed::ctc_loss(const Tensor& log_probs, const Tensor& targets,
                          const Tensor& input_lengths, const Tensor& target_lengths, int64_t blank,
                          Reduction reduction, bool zero_infinity) {
  const Op op(kName, {log_probs, targets, input_lengths, target_lengths});
  const Alignment a = alignment_of(op, log_probs, targets, input_lengths, target_lengths, blank);
  const bool single = log_probs.dim() == 2;
  Tensor losses = composed_losses(a, single ? unsqueeze(log_probs, 1) : log_probs, zero_infinity);
  if (single && reduction == Reduction::none) losses = squeeze(losses, 0);
  return reduced_ctc(losses, a, reduction);
}

}  // namespace adjoint
