// The row of connectionist temporal classification.
#include <adjoint/core/activations.h>
#include <adjoint/core/losses.h>

#include <cmath>
#include <limits>

#include "core/catalog/losses.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

struct Ctc {
  Tensor targets, input_lengths, target_lengths;
  int64_t blank = 0;
  Reduction reduction = Reduction::mean;
  bool zero_infinity = false;
};

// The probability that a path of `times` labels, collapsed, is the target: by trying all paths.
double likelihood(const std::vector<std::vector<double>>& p, const std::vector<int64_t>& target,
                  int64_t blank) {
  const size_t classes = p.empty() ? 0 : p[0].size();
  size_t paths = 1;
  for (size_t t = 0; t < p.size(); ++t) paths *= classes;
  double sum = 0;
  for (size_t path = 0; path < paths; ++path) {
    std::vector<int64_t> collapsed;
    double product = 1;
    int64_t before = -1;
    for (size_t t = 0, rest = path; t < p.size(); ++t, rest /= classes) {
      const auto label = static_cast<int64_t>(rest % classes);
      product *= p[t][rest % classes];
      if (label != before && label != blank) collapsed.push_back(label);
      before = label;
    }
    if (collapsed == target) sum += product;
  }
  return sum;
}

Tensor reference(const Tensors& in, const Ctc& o) {
  const Array x(in[0]), targets(o.targets), lengths(o.target_lengths), times(o.input_lengths);
  const bool single = x.shape.rank() == 2;
  const int64_t items = single ? 1 : x.shape[1], classes = x.shape.back();
  Array losses(single ? Shape() : Shape{items});
  size_t start = 0;
  for (int64_t n = 0; n < items; ++n) {
    const auto item = static_cast<size_t>(n);
    std::vector<std::vector<double>> p;
    for (int64_t t = 0; t < static_cast<int64_t>(times.data[item]); ++t) {
      std::vector<double> row;
      for (int64_t c = 0; c < classes; ++c) {
        row.push_back(x.at(single ? Shape{t, c} : Shape{t, n, c}));
      }
      log_softmax_of(row);
      for (double& v : row) v = std::exp(v);
      p.push_back(row);
    }
    if (targets.shape.rank() == 2) start = static_cast<size_t>(n * targets.shape[1]);
    std::vector<int64_t> target;
    for (size_t i = 0; i < static_cast<size_t>(lengths.data[item]); ++i) {
      target.push_back(static_cast<int64_t>(targets.data[start++]));
    }
    double loss = -std::log(likelihood(p, target, o.blank));
    if (std::isinf(loss) && o.zero_infinity) loss = 0;
    if (o.reduction == Reduction::mean) loss /= std::max(1.0, lengths.data[item]);
    losses.data[item] = loss;
  }
  return reduce_losses(losses, o.reduction);
}

std::string list_of(const Tensor& x) {
  std::string list = "torch.tensor([";
  for (const int64_t v : x.to_vector<int64_t>()) list += std::to_string(v) + ", ";
  const std::string rows = std::to_string(x.dim() == 2 ? x.size(0) : 0);
  return list + "], dtype=torch.int64)" +
         (x.dim() == 2   ? ".reshape(" + rows + ", -1)"
          : x.dim() == 0 ? ".reshape(())"
                         : "");
}

// Of logits: what PyTorch calls the gradient of log_probs is that only behind log_softmax.
Sample ctc_sample(const std::string& name, const Tensor& logits, const Ctc& o) {
  const std::string options = "blank=" + std::to_string(o.blank) + ", " +
                              torch_reduction(o.reduction) +
                              ", zero_infinity=" + (o.zero_infinity ? "True" : "False");
  return sample(
      name + ", " + options, {logits},
      [=](const Tensors& in) {
        return ctc_loss(log_softmax(in[0], -1), o.targets, o.input_lengths, o.target_lengths,
                        o.blank, o.reduction, o.zero_infinity);
      },
      [=](const Tensors& in) { return reference(in, o); },
      "F.ctc_loss(F.log_softmax(x[0], -1), " + list_of(o.targets) + ", " +
          list_of(o.input_lengths) + ", " + list_of(o.target_lengths) + ", " + options + ")",
      [=](const Tensors& in) {
        return composed::ctc_loss(composed::log_softmax(in[0], -1), o.targets, o.input_lengths,
                                  o.target_lengths, o.blank, o.reduction, o.zero_infinity);
      });
}

Row ctc_row() {
  const Tensor padded = tensor<int64_t>({1, 2, 0, 2, 2, 0, 1, 1, 2}, {3, 3});
  const Tensor joined = tensor<int64_t>({1, 2, 0, 0, 1}), times = tensor<int64_t>({5, 5, 4});
  const Tensor none = zeros({0}, DType::i64);
  Row row{
      "ctc_loss",
      {ctc_sample("(5, 3, 3), padded", input({5, 3, 3}, 1),
                  {padded, times, tensor<int64_t>({2, 2, 3})}),
       ctc_sample("(5, 2, 4) strided, joined", strided(input({5, 2, 4}, 2)),
                  {joined, tensor<int64_t>({5, 4}), tensor<int64_t>({3, 2}), 3, Reduction::none}),
       ctc_sample("(4, 2, 3), one does not fit", input({4, 2, 3}, 3),
                  {tensor<int64_t>({1, 1, 2, 2, 1, 2}, {2, 3}), tensor<int64_t>({4, 2}),
                   tensor<int64_t>({2, 3}), 0, Reduction::sum, true}),
       ctc_sample("(4, 3), one sequence", input({4, 3}, 4),
                  {tensor<int64_t>({2, 1}), scalar(4, DType::i64), scalar(2, DType::i64)}),
       ctc_sample("(3, 2, 3), no target and half an input", input({3, 2, 3}, 5),
                  {tensor<int64_t>({1}), tensor<int64_t>({3, 2}), tensor<int64_t>({0, 1}), 0,
                   Reduction::sum}),
       ctc_sample("(3, 0, 3)", input({3, 0, 3}, 6), {none, none, none, 0, Reduction::sum})}};
  row.samples.back().torch = "";  // which refuses to have no sequences
  const auto call = [](const Tensor& x, const Tensor& targets, const Tensor& target_lengths,
                       int64_t blank) {
    return ctc_loss(x, targets, tensor<int64_t>({4, 4}), target_lengths, blank);
  };
  row.errors = {
      error("a class outside",
            [=] {
              return call(zeros({4, 2, 3}), tensor<int64_t>({1, 3}), tensor<int64_t>({1, 1}), 0);
            },
            {"ctc_loss: ", "target 3", "[0, 2]"}),
      error("another number of lengths",
            [=] {
              return call(zeros({4, 2, 3}), tensor<int64_t>({1, 2}), tensor<int64_t>({1}), 0);
            },
            {"ctc_loss: ", "target_lengths", "(1,)", "(2,)"}),
      error("a blank outside",
            [=] {
              return call(zeros({4, 2, 3}), tensor<int64_t>({1, 2}), tensor<int64_t>({1, 1}), 3);
            },
            {"ctc_loss: ", "blank 3", "[0, 2]"}),
      error("an input that is too long",
            [=] {
              return call(zeros({3, 2, 3}), tensor<int64_t>({1, 2}), tensor<int64_t>({1, 1}), 0);
            },
            {"ctc_loss: ", "input_lengths", "4", "[0, 3]"})};
  row.ulps = 32;
  row.scale = 4;
  row.gradient_ulps = 256;
  return row;
}

}  // namespace

void add_ctc(std::vector<Row>& rows) { rows.push_back(ctc_row()); }

}  // namespace adjoint::catalog
