// The output layer of a classifier of many classes together with its loss.
//
// Note [Chunks of logits]
// The logits (N, classes) are made by chunks of rows, in one buffer, which the gradient of each
// chunk then takes over. Rows of a chunk are a constant of the shapes: they decide the order of the
// sum that is dweight.
// - One chunk: the logits wait for backward, which turns them into their gradient in place. They
//   lie between the loss and the first node of backward, so nothing is held for long.
// - Several: to keep logits would be to hold them all, to make them again a third more work. Losses
//   that are reduced have one dy, which can be multiplied in later: the gradients of the operands
//   are computed along with the losses and handed over by backward.
// - Losses that are not reduced, and a second backward through a graph that was retained: the first
//   one has taken the buffers, so the logits are made again.
#include <adjoint/core/functional.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/precision.h>

#include <algorithm>

#include "core/ops/composed.h"
#include "core/ops/contract.h"
#include "core/ops/linalg.h"
#include "core/ops/loss.h"

namespace adjoint {
namespace {

constexpr const char* kName = "linear_cross_entropy";

// Logits of a chunk: 512 rows of the 50,257 classes of GPT-2 (103 MB in f32). Each chunk reads and
// writes dweight once, which is 2 % of its work at 512 rows and 14 % at 64.
constexpr int64_t kChunkLogits = int64_t{512} * 50304, kLeastRows = 64;

// Operands without history.
struct Layer {
  Tensor x, weight, bias, target;  // (N, in), (classes, in), (classes) or undefined, (N)
  LinearCrossEntropyOptions options;
  int64_t chunk;
  double scale;  // of each loss

  int64_t rows() const { return x.shape()[0]; }
  int64_t classes() const { return weight.shape()[0]; }
};

// The gradients of x (as rows), weight and bias, where they are wanted; added to where said so.
struct Targets {
  Tensor d[3];
  bool accumulate[3] = {};
};

int64_t rows_of_chunk(int64_t rows, int64_t classes, int64_t wanted) {
  int64_t most = wanted;
  if (wanted == 0) most = std::max(kLeastRows, kChunkLogits / std::max<int64_t>(1, classes));
  if (rows <= most) return std::max<int64_t>(1, rows);
  const int64_t chunks = (rows + most - 1) / most;
  return (rows + chunks - 1) / chunks;
}

Tensor part(const Tensor& x, int64_t first, int64_t rows) {
  return make_view(x, {rows, x.shape()[1]}, x.strides(), x.impl()->offset + first * x.strides()[0]);
}

Tensor with_shape(const Tensor& x, const Shape& shape) {
  const NoGrad guard;
  return reshape(x, shape);
}

// Calls f(first, rows) for each chunk: one without rows where there are none, for sums over it.
template <class F>
void for_each_chunk(const Layer& layer, const F& f) {
  int64_t first = 0;
  do {
    f(first, std::min(layer.chunk, layer.rows() - first));
    first += layer.chunk;
  } while (first < layer.rows());
}

Tensor make_buffer(const Layer& layer) {
  return make_empty(kName, {std::min(layer.chunk, layer.rows()), layer.classes()}, layer.x.dtype());
}

// The logits of rows from `first` on, written to `logits`.
void compute_logits(const Layer& layer, int64_t first, const Tensor& logits) {
  contract(logits, part(layer.x, first, logits.shape()[0]), transposed(layer.weight),
           {.bias = layer.bias});
}

char* element(const Tensor& x, int64_t i) {
  return x.impl()->bytes() + i * static_cast<int64_t>(element_size(x.dtype()));
}

void compute_losses(const Layer& layer, int64_t first, const Tensor& logits, const Tensor& losses,
                    const Tensor& logsumexp) {
  kernel_table().loss.cross_entropy[index(logits.dtype())](
      KernelScope(),
      {logits.shape()[0], layer.classes(), logits.raw_data(), layer.target.data<int64_t>() + first,
       layer.options.ignore_index, layer.options.label_smoothing, element(losses, first),
       element(logsumexp, first)});
}

// Turns the logits of rows from `first` on into their gradient, in place, and adds what follows
// from it to the gradients of the operands. dy: one for each row, or one for all.
void add_gradients(const Layer& layer, int64_t first, const Tensor& logits, const Tensor& logsumexp,
                   const Tensor& dy, const Targets& targets) {
  const int64_t rows = logits.shape()[0];
  const bool each = layer.options.reduction == Reduction::none;
  kernels::CrossEntropyBackward op{};
  op.rows = rows;
  op.n = layer.classes();
  op.x = logits.raw_data();
  op.target = layer.target.data<int64_t>() + first;
  op.ignore_index = layer.options.ignore_index;
  op.smoothing = layer.options.label_smoothing;
  op.scale = layer.scale;
  op.logsumexp = element(logsumexp, first);
  op.dy = element(dy, each ? first : 0);
  op.dy_stride = each ? 1 : 0;
  op.dx = logits.impl()->bytes();
  kernel_table().loss.cross_entropy_backward[index(logits.dtype())](KernelScope(), op);
  const Tensor& g = logits;
  const auto adds = [&](int i) { return targets.accumulate[i] || first > 0; };
  if (targets.d[0].defined()) {
    contract(part(targets.d[0], first, rows), g, layer.weight,
             {.accumulate = targets.accumulate[0]});
  }
  if (targets.d[1].defined()) {
    contract(targets.d[1], transposed(g), part(layer.x, first, rows), {.accumulate = adds(1)});
  }
  if (targets.d[2].defined()) {
    const Tensor sums = make_view(targets.d[2], {1, op.n}, {op.n, 1}, targets.d[2].impl()->offset);
    contract(sums, ones({1, rows}, g.dtype()), g, {.accumulate = adds(2)});
  }
}

struct Saved {
  SavedTensor x, weight, bias, target;
  LinearCrossEntropyOptions options;
  int64_t chunk = 0;
  double scale = 1;
  Precision precision = Precision::highest;
  // Made here and never seen by anybody else. See Note [Chunks of logits].
  Tensor logsumexp;
  Tensor logits;   // of the only chunk, until a backward uses them up
  Tensor made[3];  // gradients for dy = 1, until a backward hands them over
};

Grads recorded_gradients(const Saved& s, const Tensor& dy) {
  const Tensor target = *s.target;
  const auto definition = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    return {composed::linear_cross_entropy(in[0], in[1], target, in[2], s.options)};
  };
  const Tensor bias = s.bias.defined() ? *s.bias : Tensor();
  std::vector<Tensor> d = vjp(definition, {*s.x, *s.weight, bias}, {dy}).second;
  return {d[0], d[1], Tensor(), d[2]};
}

// Where gradient i is among the inputs: x, weight, target, bias.
constexpr int kInput[3] = {0, 1, 3};

// Whether all that is needed was computed along with the losses.
bool handed_over(const Saved& s, const Backward& b) {
  for (int i = 0; i < 3; ++i) {
    if (b.needs(kInput[i]) && !s.made[i].defined()) return false;
  }
  return true;
}

Tensor hand_over(Tensor made, const Backward& b, int input, double dy) {
  if (dy != 1) mul_(made, dy);
  Tensor into = b.into(input);
  if (!into.defined()) return made;
  add_(into, made);
  return into;
}

Grads fused_gradients(Saved& s, const Backward& b) {
  const Tensor x = *s.x, weight = *s.weight, target = *s.target;  // unchanged, or they throw
  const Tensor bias = s.bias.defined() ? *s.bias : Tensor();
  Tensor d[3];
  if (handed_over(s, b)) {
    for (int i = 0; i < 3; ++i) {
      if (!b.needs(kInput[i])) continue;
      d[i] = hand_over(std::exchange(s.made[i], Tensor()), b, kInput[i], b.dy(0).item());
    }
    return {d[0], d[1], Tensor(), d[2]};
  }
  const int64_t rows = target.numel(), in = weight.shape()[1];
  const Layer layer{with_shape(x, {rows, in}),
                    weight.detach(),
                    packed(bias),
                    packed(target),
                    s.options,
                    s.chunk,
                    s.scale};
  const Tensor* inputs[3] = {&x, &weight, &bias};
  Targets targets;
  for (int i = 0; i < 3; ++i) {
    if (!b.needs(kInput[i])) continue;
    const Tensor into = b.into(kInput[i]);
    targets.accumulate[i] = into.defined();
    d[i] = into.defined() ? into : make_empty(kName, inputs[i]->shape(), x.dtype());
    targets.d[i] = i == 0 ? with_shape(d[i].detach(), {rows, in}) : d[i];
  }
  const Tensor kept = std::exchange(s.logits, Tensor()), dy = packed(b.dy(0));
  const Tensor buffer = kept.defined() ? kept : make_buffer(layer);
  for_each_chunk(layer, [&](int64_t first, int64_t count) {
    const Tensor logits = part(buffer, 0, count);
    if (!kept.defined()) compute_logits(layer, first, logits);
    add_gradients(layer, first, logits, s.logsumexp, dy, targets);
  });
  return {d[0], d[1], Tensor(), d[2]};
}

void check_layer(const Op& op, const Tensor& x, const Tensor& weight, const Tensor& target,
                 const Tensor& bias, const LinearCrossEntropyOptions& options) {
  check_targets(op, target, options.label_smoothing);
  op.check(weight.dim() == 2, "linear_weight of shape ", weight.shape(),
           "; expected (classes, in)");
  op.check(x.dim() >= 1 && x.shape().back() == weight.shape()[1], "input of shape ", x.shape(),
           " for a linear_weight of shape ", weight.shape(), "; expected (..., ", weight.shape()[1],
           ")");
  op.check(!bias.defined() || bias.shape() == Shape{weight.shape()[0]}, "linear_bias of shape ",
           bias.defined() ? bias.shape() : Shape(), " for a linear_weight of shape ",
           weight.shape(), "; expected (", weight.shape()[0], ",)");
  Shape expected = x.shape();
  expected.erase(x.dim() - 1);
  op.check(target.shape() == expected, "target of shape ", target.shape(),
           " for an input of shape ", x.shape(), "; expected ", expected);
  op.check<ConfigError>(options.chunk_rows >= 0, "chunk_rows ", options.chunk_rows,
                        "; expected 1 or more, or 0 to choose");
}

// The losses; what backward will want of the work goes to `saved`.
Tensor compute(const Op& op, const Layer& layer, const Tensor* const (&operands)[3], Saved& saved) {
  const DType dtype = layer.x.dtype();
  Tensor losses = make_empty(kName, op.input(2).shape(), dtype);
  saved.logsumexp = make_empty(kName, losses.shape(), dtype);
  const bool several = layer.rows() > layer.chunk;
  Targets targets;
  bool gradients = false;
  for (int i = 0; several && layer.options.reduction != Reduction::none && i < 3; ++i) {
    if (!op.needs(kInput[i])) continue;
    gradients = true;
    saved.made[i] = make_empty(kName, operands[i]->shape(), dtype);
    targets.d[i] = i == 0 ? with_shape(saved.made[i].detach(), layer.x.shape()) : saved.made[i];
  }
  const Tensor buffer = make_buffer(layer), one = ones({}, dtype);
  for_each_chunk(layer, [&](int64_t first, int64_t count) {
    const Tensor logits = part(buffer, 0, count);
    compute_logits(layer, first, logits);
    compute_losses(layer, first, logits, losses, saved.logsumexp);
    if (gradients) add_gradients(layer, first, logits, saved.logsumexp, one, targets);
  });
  if (op.recording() && !several) saved.logits = buffer;
  return losses;
}

}  // namespace

// loss = cross_entropy(logits, target) of logits = x w^T + bias; with g its derivative by the
// logits, dx = g w, dw = g^T x, dbias = the sum of g's rows
Tensor linear_cross_entropy(const Tensor& x, const Tensor& linear_weight, const Tensor& target,
                            const Tensor& linear_bias, const LinearCrossEntropyOptions& options) {
  const Op op(kName, {x, linear_weight, target, optional_input(linear_bias)},
              {{"reduction", reduction_name(options.reduction)},
               {"ignore_index", options.ignore_index},
               {"label_smoothing", options.label_smoothing},
               {"chunk_rows", options.chunk_rows}});
  const DType dtype = linalg::product_dtype(op, {&x, &linear_weight, &linear_bias});
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype");
  check_layer(op, x, linear_weight, target, linear_bias, options);
  const Tensor* operands[3] = {&x, &linear_weight, &linear_bias};
  const DType wide = computed_in(dtype);
  for (const Tensor* operand : operands) {
    if (!operand->defined() || operand->dtype() == wide) continue;
    return to(
        linear_cross_entropy(to(x, wide), to(linear_weight, wide), target,
                             linear_bias.defined() ? to(linear_bias, wide) : linear_bias, options),
        op.computes_in(dtype, Casts::loss));
  }
  // Logits and all that follows stay in f32; autocast permits products of what rounds to bf16.
  const PrecisionGuard precision(autocast_enabled() ? Precision::medium
                                                    : float32_matmul_precision());
  const int64_t rows = target.numel(), classes = linear_weight.shape()[0];
  Layer layer{with_shape(x, {rows, linear_weight.shape()[1]}),
              linear_weight.detach(),
              packed(linear_bias),
              packed(target),
              options,
              rows_of_chunk(rows, classes, options.chunk_rows),
              1};
  const double counted = count_targets(op, layer.target, classes, options.ignore_index);
  layer.scale = loss_scale(options.reduction, counted);
  Saved saved;
  saved.x = op.save(x);
  saved.weight = op.save(linear_weight);
  saved.bias = op.save_if(linear_bias.defined(), linear_bias);
  saved.target = op.save(target);
  saved.options = options;
  saved.chunk = layer.chunk;
  saved.scale = layer.scale;
  saved.precision = float32_matmul_precision();
  const Tensor losses = compute(op, layer, operands, saved);
  return op.differentiable(reduce_losses(losses, options.reduction, counted),
                           [s = std::move(saved)](const Backward& b) mutable -> Grads {
                             const PrecisionGuard guard(s.precision);
                             return grad_enabled() ? recorded_gradients(s, b.dy(0))
                                                   : fused_gradients(s, b);
                           });
}

Tensor composed::linear_cross_entropy(const Tensor& x, const Tensor& linear_weight,
                                      const Tensor& target, const Tensor& linear_bias,
                                      const LinearCrossEntropyOptions& options) {
  const int64_t rows = target.numel(), classes = linear_weight.shape()[0];
  const Tensor logits = composed::linear(x, linear_weight, linear_bias);
  const Tensor loss =
      composed::cross_entropy(reshape(logits, {rows, classes}), reshape(target, {rows}),
                              {options.reduction, options.ignore_index, options.label_smoothing});
  return options.reduction == Reduction::none ? reshape(loss, target.shape()) : loss;
}

}  // namespace adjoint
