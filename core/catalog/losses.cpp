// Rows of the losses.
#include <adjoint/core/losses.h>
#include <adjoint/core/reductions.h>

#include <cmath>

#include "core/catalog/losses.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

// Weights of four classes, and how PyTorch is told.
const char* const kWeights = "torch.tensor([0.5, 2.0, 1.5, 0.25], dtype=x[0].dtype)";
Tensor four_weights() { return tensor<double>({0.5, 2.0, 1.5, 0.25}); }

Tensors cross_entropy_reference(const Tensors& in, const CrossEntropyOptions& o) {
  const Array x(in[0]), target(in[1]);
  const int d = x.shape.rank() == 1 ? 0 : 1;
  const int64_t classes = x.shape[d];
  double counted = 0;
  const Array losses = make_array(target.shape, [&](const Shape& index) {
    const auto t = static_cast<int64_t>(target.at(index));
    if (t == o.ignore_index) return 0.0;
    const auto weight = [&](int64_t c) { return o.weight.defined() ? Array(o.weight).at({c}) : 1; };
    counted += weight(t);
    std::vector<double> row;
    for (int64_t c = 0; c < classes; ++c) {
      Shape at = index;
      at.insert(d, c);
      row.push_back(x.at(at));
    }
    log_softmax_of(row);
    double mean = 0;
    for (int64_t c = 0; c < classes; ++c) {
      mean += weight(c) * row[static_cast<size_t>(c)] / static_cast<double>(classes);
    }
    return -(1 - o.label_smoothing) * weight(t) * row[static_cast<size_t>(t)] -
           o.label_smoothing * mean;
  });
  return {reduce_losses(losses, o.reduction, counted)};
}

Sample cross_entropy_sample(const std::string& name, const Tensor& logits, const Tensor& target,
                            const CrossEntropyOptions& o) {
  std::string torch = "F.cross_entropy(x[0], x[1], ignore_index=" + std::to_string(o.ignore_index) +
                      ", label_smoothing=" + text(o.label_smoothing) + ", ";
  if (o.weight.defined()) torch += std::string("weight=") + kWeights + ", ";
  return {
      name + ", " + name_of(o.reduction),
      {logits, target},
      binary([o](const Tensor& x, const Tensor& t) { return cross_entropy(x, t, o); }),
      [o](const Tensors& in) { return cross_entropy_reference(in, o); },
      binary([o](const Tensor& x, const Tensor& t) { return composed::cross_entropy(x, t, o); }),
      true,
      torch + torch_reduction(o.reduction) + ")"};
}

Row cross_entropy_row() {
  const Tensor some = tensor<int64_t>({2, -100, 0}), grid = tensor<int64_t>({1, 0, 3, 2}, {2, 2});
  Row row{"cross_entropy",
          {cross_entropy_sample("(3, 5), one ignored", input({3, 5}, 1), some, {}),
           cross_entropy_sample("(3, 5) strided, smoothing 0.2", strided(input({3, 5}, 2)), some,
                                {.reduction = Reduction::sum, .label_smoothing = 0.2}),
           cross_entropy_sample("(2, 4, 2), smoothing 0.1", input({2, 4, 2}, 3), grid,
                                {.reduction = Reduction::none, .label_smoothing = 0.1}),
           cross_entropy_sample("(2, 4, 2), class 1 ignored", input({2, 4, 2}, 4), grid,
                                {.ignore_index = 1}),
           cross_entropy_sample("(4) for one number", input({4}, 5), scalar(2, DType::i64), {}),
           cross_entropy_sample("(0, 4)", input({0, 4}, 6), zeros({0}, DType::i64),
                                {.reduction = Reduction::sum})}};
  row.errors = {
      error("a class outside",
            [] {
              return cross_entropy(ones({2, 3}), tensor<int64_t>({0, 3}));
            },
            {"cross_entropy: ", "target 3", "[0, 2]"}),
      error("targets of another shape",
            [] {
              return cross_entropy(ones({2, 3}), tensor<int64_t>({0}));
            },
            {"cross_entropy: ", "(1,)", "(2, 3)"}),
      error("targets that are no integers",
            [] {
              return cross_entropy(ones({2, 3}), ones({2}));
            },
            {"cross_entropy: ", "f32", "i64"}),
      error("too much smoothing",
            [] {
              return cross_entropy(ones({1, 3}), tensor<int64_t>({0}), {.label_smoothing = 2});
            },
            {"cross_entropy: ", "label_smoothing", "2"})};
  row.large = [=] {
    return cross_entropy_sample("(1031, 257)", input({1031, 257}, 7), indices({1031}, 257, 8),
                                {.reduction = Reduction::none});
  };
  row.ulps = 8;
  row.scale = 4;
  return row;
}

// inputs: x, weight, target, and bias where there is one.
Sample linear_cross_entropy_sample(const std::string& name, const Tensors& inputs,
                                   const LinearCrossEntropyOptions& o) {
  const auto with = [o](auto f) {
    return [=](const Tensors& in) -> Tensors {
      return {f(in[0], in[1], in[2], in.size() > 3 ? in[3] : Tensor(), o)};
    };
  };
  const auto reference = [o](const Tensors& in) -> Tensors {
    const Array x(in[0]), w(in[1]), target(in[2]);
    const int64_t rows = target.shape.numel(), classes = w.shape[0], width = w.shape[1];
    Array logits(Shape{rows, classes});
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t c = 0; c < classes; ++c) {
        double& logit = logits.at({i, c});
        if (in.size() > 3) logit = Array(in[3]).at({c});
        for (int64_t k = 0; k < width; ++k) {
          logit += x.data[static_cast<size_t>(i * width + k)] * w.at({c, k});
        }
      }
    }
    Array flat = target;
    flat.shape = {rows};
    Array losses(cross_entropy_reference({logits.tensor(), flat.tensor(DType::i64)},
                                         {o.reduction, o.ignore_index, o.label_smoothing})[0]);
    if (o.reduction == Reduction::none) losses.shape = target.shape;
    return {losses.tensor()};
  };
  return {name + ", " + name_of(o.reduction),
          inputs,
          with(linear_cross_entropy),
          reference,
          with(composed::linear_cross_entropy),
          true,
          "F.cross_entropy(F.linear(x[0], x[1]" + std::string(inputs.size() > 3 ? ", x[3]" : "") +
              ").reshape(x[2].numel(), x[1].shape[0]), x[2].reshape(-1), ignore_index=" +
              std::to_string(o.ignore_index) + ", label_smoothing=" + text(o.label_smoothing) +
              ", " + torch_reduction(o.reduction) + ")" +
              (o.reduction == Reduction::none ? ".reshape(x[2].shape)" : "")};
}

Row linear_cross_entropy_row() {
  const Tensor some = tensor<int64_t>({2, -100, 0, 4, 1}),
               grid = tensor<int64_t>({1, 0, 3, 2}, {2, 2});
  const Tensor x = input({5, 3}, 1), w = input({6, 3}, 2), b = input({6}, 3);
  Row row{
      "linear_cross_entropy",
      {linear_cross_entropy_sample("(5, 3)(6, 3), one ignored, bias", {x, w, some, b}, {}),
       linear_cross_entropy_sample("(5, 3)(6, 3), bias, smoothing 0.2, two rows at a time",
                                   {x, w, some, b}, {.label_smoothing = 0.2, .chunk_rows = 2}),
       linear_cross_entropy_sample(
           "(2, 2, 3)(4, 3) strided, class 1 ignored",
           {strided(input({2, 2, 3}, 4)), strided(input({4, 3}, 5)), grid},
           {.reduction = Reduction::sum, .ignore_index = 1, .chunk_rows = 3}),
       linear_cross_entropy_sample(
           "(5, 3)(6, 3), smoothing 0.1, three rows at a time", {x, w, some},
           {.reduction = Reduction::none, .label_smoothing = 0.1, .chunk_rows = 3}),
       linear_cross_entropy_sample("(3)(4, 3) for one number",
                                   {input({3}, 6), input({4, 3}, 7), scalar(2, DType::i64)}, {}),
       linear_cross_entropy_sample(
           "(0, 3)(4, 3), bias",
           {input({0, 3}, 8), input({4, 3}, 9), zeros({0}, DType::i64), input({4}, 10)},
           {.reduction = Reduction::sum})}};
  row.errors = {
      error("a class outside",
            [] {
              return linear_cross_entropy(ones({2, 3}), ones({4, 3}), tensor<int64_t>({0, 4}));
            },
            {"linear_cross_entropy: ", "target 4", "[0, 3]"}),
      error("widths that differ",
            [] {
              return linear_cross_entropy(ones({2, 3}), ones({4, 2}), tensor<int64_t>({0, 1}));
            },
            {"linear_cross_entropy: ", "(2, 3)", "(4, 2)"}),
      error("targets of another shape",
            [] {
              return linear_cross_entropy(ones({2, 3}), ones({4, 3}), tensor<int64_t>({0}));
            },
            {"linear_cross_entropy: ", "(1,)", "(2, 3)", "(2,)"}),
      error("a bias of another size",
            [] {
              return linear_cross_entropy(ones({1, 3}), ones({4, 3}), tensor<int64_t>({0}),
                                          ones({3}));
            },
            {"linear_cross_entropy: ", "linear_bias", "(3,)", "(4,)"}),
      error("targets that are no integers",
            [] {
              return linear_cross_entropy(ones({2, 3}), ones({4, 3}), ones({2}));
            },
            {"linear_cross_entropy: ", "f32", "i64"}),
      error("chunks of less than a row",
            [] {
              return linear_cross_entropy(ones({1, 3}), ones({4, 3}), tensor<int64_t>({0}), {},
                                          {.chunk_rows = -1});
            },
            {"linear_cross_entropy: ", "chunk_rows", "-1"})};
  row.large = [=] {
    return linear_cross_entropy_sample(
        "(331, 37)(257, 37), 100 rows at a time",
        {input({331, 37}, 11), input({257, 37}, 12), indices({331}, 257, 13), input({257}, 14)},
        {.chunk_rows = 100});
  };
  row.ulps = 16;
  row.scale = 4;
  row.gradient_ulps = 256;
  return row;
}

Sample nll_sample(const std::string& name, const Tensor& x, const Tensor& target, bool weighs,
                  int64_t ignore_index, Reduction r) {
  const Tensor weight = weighs ? four_weights() : Tensor();
  return sample(
      name + (weighs ? ", weight" : "") + ", ignore " + std::to_string(ignore_index) + ", " +
          name_of(r),
      {x, target},
      [=](const Tensors& in) { return nll_loss(in[0], in[1], weight, ignore_index, r); },
      [=](const Tensors& in) {
        const Array a(in[0]), t(in[1]);
        double counted = 0;
        const Array losses = make_array(t.shape, [&](const Shape& index) {
          const auto own = static_cast<int64_t>(t.at(index));
          if (own == ignore_index) return 0.0;
          const double w = weighs ? Array(weight).at({own}) : 1;
          counted += w;
          Shape at = index;
          at.insert(a.shape.rank() == 1 ? 0 : 1, own);
          return -w * a.at(at);
        });
        return reduce_losses(losses, r, counted);
      },
      std::string("F.nll_loss(x[0], x[1], ") + (weighs ? "weight=" : "") +
          (weighs ? kWeights : "weight=None") + ", ignore_index=" + std::to_string(ignore_index) +
          ", " + torch_reduction(r) + ")");
}

Row nll_row() {
  const Tensor some = tensor<int64_t>({2, -100, 0}), grid = tensor<int64_t>({1, 0, 3, 2}, {2, 2});
  Row row{
      "nll_loss",
      {nll_sample("(3, 4)", input({3, 4}, 1), some, false, -100, Reduction::mean),
       nll_sample("(3, 4) strided", strided(input({3, 4}, 2)), some, true, -100, Reduction::none),
       nll_sample("(2, 4, 2)", input({2, 4, 2}, 3), grid, true, 1, Reduction::mean),
       nll_sample("(2, 4, 2)", input({2, 4, 2}, 4), grid, false, -100, Reduction::sum),
       nll_sample("(4)", input({4}, 5), scalar(2, DType::i64), true, -100, Reduction::mean),
       nll_sample("(0, 4)", input({0, 4}, 6), zeros({0}, DType::i64), false, -100,
                  Reduction::sum)}};
  row.errors = {error("a class outside",
                      [] {
                        return nll_loss(ones({2, 3}), tensor<int64_t>({0, 3}));
                      },
                      {"nll_loss: ", "target 3", "[0, 2]"}),
                error("targets of another shape",
                      [] {
                        return nll_loss(ones({2, 3}), tensor<int64_t>({0}));
                      },
                      {"nll_loss: ", "(1,)", "(2, 3)"}),
                error("targets that are no integers",
                      [] {
                        return nll_loss(ones({2, 3}), ones({2}));
                      },
                      {"nll_loss: ", "f32", "i64"}),
                error("a weight of another size",
                      [] {
                        return nll_loss(ones({1, 3}), tensor<int64_t>({0}), ones({2}));
                      },
                      {"nll_loss: ", "weight", "(2,)", "(3,)"})};
  row.large = [] {
    return nll_sample("(70001, 4)", input({70001, 4}, 7), indices({70001}, 4, 8), true, 1,
                      Reduction::none);
  };
  row.scale = 4;
  return row;
}

// Targets that are probabilities, as an input that is differentiated.
Sample probabilities_sample(const std::string& name, const Tensor& x, const Tensor& target,
                            const CrossEntropyOptions& o) {
  const bool weighs = o.weight.defined();
  const auto losses_in_tensors = [=](const Tensors& in) {
    const int d = in[0].dim() == 1 ? 0 : 1;
    const auto classes = static_cast<double>(in[0].size(d));
    Tensor terms = composed::log_softmax(in[0], d) *
                   (in[1] * (1 - o.label_smoothing) + o.label_smoothing / classes);
    if (weighs)
      terms = terms * o.weight.reshape(d == 0 || in[0].dim() == 2 ? Shape{4} : Shape{4, 1});
    return reduce_tensors(-sum(terms, {d}), o.reduction);
  };
  return sample(
      name + ", probabilities" + (weighs ? ", weight" : "") + ", smoothing " +
          text(o.label_smoothing) + ", " + name_of(o.reduction),
      {x, target}, [=](const Tensors& in) { return cross_entropy(in[0], in[1], o); },
      [=](const Tensors& in) {
        const Array a(in[0]), t(in[1]);
        const int d = a.shape.rank() == 1 ? 0 : 1;
        const int64_t classes = a.shape[d];
        Shape lead = a.shape;
        lead.erase(d);
        const Array losses = make_array(lead, [&](const Shape& index) {
          std::vector<double> row, chance;
          for (int64_t c = 0; c < classes; ++c) {
            Shape at = index;
            at.insert(d, c);
            row.push_back(a.at(at));
            chance.push_back((1 - o.label_smoothing) * t.at(at) +
                             o.label_smoothing / static_cast<double>(classes));
          }
          log_softmax_of(row);
          double loss = 0;
          for (size_t c = 0; c < row.size(); ++c) {
            loss -= row[c] * chance[c] * (weighs ? Array(o.weight).data[c] : 1);
          }
          return loss;
        });
        return reduce_losses(losses, o.reduction);
      },
      std::string("F.cross_entropy(x[0], x[1], weight=") + (weighs ? kWeights : "None") +
          ", label_smoothing=" + text(o.label_smoothing) + ", " + torch_reduction(o.reduction) +
          ")",
      losses_in_tensors);
}

void add_weights_and_probabilities(Row& row) {
  const Tensor some = tensor<int64_t>({2, -100, 0}), grid = tensor<int64_t>({1, 0, 3, 2}, {2, 2});
  const auto chances = [](const Shape& s, uint64_t seed) { return spread(s, 0.05, 0.45, seed); };
  row.samples.push_back(cross_entropy_sample("(3, 4), one ignored, weight", input({3, 4}, 11), some,
                                             {.weight = four_weights()}));
  row.samples.push_back(cross_entropy_sample("(3, 4), one ignored, weight, smoothing 0.2",
                                             input({3, 4}, 12), some,
                                             {.label_smoothing = 0.2, .weight = four_weights()}));
  row.samples.push_back(cross_entropy_sample(
      "(2, 4, 2), weight, smoothing 0.1", input({2, 4, 2}, 13), grid,
      {.reduction = Reduction::none, .label_smoothing = 0.1, .weight = four_weights()}));
  row.samples.push_back(probabilities_sample("(3, 4)", input({3, 4}, 14), chances({3, 4}, 15), {}));
  row.samples.push_back(probabilities_sample(
      "(2, 4, 2)", input({2, 4, 2}, 16), chances({2, 4, 2}, 17),
      {.reduction = Reduction::none, .label_smoothing = 0.1, .weight = four_weights()}));
  row.samples.push_back(
      probabilities_sample("(4)", input({4}, 18), chances({4}, 19),
                           {.reduction = Reduction::sum, .label_smoothing = 0.2}));
  row.errors.push_back(
      error("a weight of another size",
            [] {
              return cross_entropy(ones({1, 3}), tensor<int64_t>({0}), {.weight = ones({2})});
            },
            {"cross_entropy: ", "weight", "(2,)", "(3,)"}));
  row.errors.push_back(
      error("probabilities and a class to ignore",
            [] {
              return cross_entropy(ones({1, 3}), ones({1, 3}), {.ignore_index = 1});
            },
            {"cross_entropy: ", "ignore_index 1"}));
}
}  // namespace

void add_losses(std::vector<Row>& rows) {
  rows.push_back(cross_entropy_row());
  add_weights_and_probabilities(rows.back());
  rows.push_back(linear_cross_entropy_row());
  rows.push_back(nll_row());
}

}  // namespace adjoint::catalog
