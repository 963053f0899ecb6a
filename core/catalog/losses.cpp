// Rows of the losses.
#include <adjoint/core/losses.h>

#include <cmath>

#include "core/catalog/builders.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

std::string name_of(Reduction reduction) {
  return reduction == Reduction::none ? "none" : reduction == Reduction::mean ? "mean" : "sum";
}

// Losses as their reduction leaves them; `count` of them count for the mean.
Tensor reduce_losses(const Array& losses, Reduction reduction, double count) {
  if (reduction == Reduction::none) return losses.tensor();
  Array total((Shape()));
  for (const double v : losses.data) total.data[0] += v;
  if (reduction == Reduction::mean) total.data[0] /= count;
  return total.tensor();
}

Tensors cross_entropy_reference(const Tensors& in, const CrossEntropyOptions& o) {
  const Array x(in[0]), target(in[1]);
  const int d = x.shape.rank() == 1 ? 0 : 1;
  const int64_t classes = x.shape[d];
  double counted = 0;
  const Array losses = make_array(target.shape, [&](const Shape& index) {
    const auto t = static_cast<int64_t>(target.at(index));
    if (t == o.ignore_index) return 0.0;
    counted += 1;
    std::vector<double> row;
    for (int64_t c = 0; c < classes; ++c) {
      Shape at = index;
      at.insert(d, c);
      row.push_back(x.at(at));
    }
    log_softmax_of(row);
    double mean = 0;
    for (const double v : row) mean += v / static_cast<double>(classes);
    return -(1 - o.label_smoothing) * row[static_cast<size_t>(t)] - o.label_smoothing * mean;
  });
  return {reduce_losses(losses, o.reduction, counted)};
}

Sample cross_entropy_sample(const std::string& name, const Tensor& logits, const Tensor& target,
                            const CrossEntropyOptions& o) {
  return {
      name + ", " + name_of(o.reduction),
      {logits, target},
      binary([o](const Tensor& x, const Tensor& t) { return cross_entropy(x, t, o); }),
      [o](const Tensors& in) { return cross_entropy_reference(in, o); },
      binary([o](const Tensor& x, const Tensor& t) { return composed::cross_entropy(x, t, o); })};
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
  return {name + ", " + name_of(o.reduction), inputs, with(linear_cross_entropy), reference,
          with(composed::linear_cross_entropy)};
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

Sample mse_sample(const std::string& name, const Tensor& a, const Tensor& b, Reduction reduction) {
  return {name + ", " + name_of(reduction),
          {a, b},
          binary([=](const Tensor& x, const Tensor& y) { return mse_loss(x, y, reduction); }),
          [=](const Tensors& in) -> Tensors {
            const Array x(in[0]), y(in[1]);
            const Array losses = make_array(
                x.shape, [&](const Shape& i) { return (x.at(i) - y.at(i)) * (x.at(i) - y.at(i)); });
            return {reduce_losses(losses, reduction, static_cast<double>(x.data.size()))};
          },
          binary([=](const Tensor& x, const Tensor& y) {
            return composed::mse_loss(x, y, reduction);
          })};
}

Row mse_row() {
  Row row{"mse_loss",
          {mse_sample("(2, 3)", input({2, 3}, 1), input({2, 3}, 2), Reduction::mean),
           mse_sample("(4, 3) strided", strided(input({4, 3}, 3)), strided(input({4, 3}, 4)),
                      Reduction::sum),
           mse_sample("(2, 3, 2)", input({2, 3, 2}, 5), input({2, 3, 2}, 6), Reduction::none),
           mse_sample("(0, 3)", input({0, 3}, 7), input({0, 3}, 8), Reduction::sum),
           mse_sample("()", input({}, 9), input({}, 10), Reduction::mean)}};
  row.errors = {
      error("shapes that differ",
            [] {
              return mse_loss(ones({2}), ones({2, 1}));
            },
            {"mse_loss: ", "(2,)", "(2, 1)"}),
      error("integers", [] { return mse_loss(arange(2), arange(2)); }, {"mse_loss: ", "i64"})};
  row.large = [=] {
    return mse_sample("(257, 1031)", input({257, 1031}, 11), input({257, 1031}, 12),
                      Reduction::mean);
  };
  row.ulps = 8;
  row.scale = 4;
  return row;
}
}  // namespace

void add_losses(std::vector<Row>& rows) {
  rows.push_back(cross_entropy_row());
  rows.push_back(linear_cross_entropy_row());
  rows.push_back(mse_row());
}

}  // namespace adjoint::catalog
