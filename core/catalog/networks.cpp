// Rows of the operators of networks: softmax, normalisation, dropout, embedding.
#include <adjoint/core/activations.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/reductions.h>

#include <cmath>
#include <optional>

#include "core/catalog/along.h"
#include "core/catalog/builders.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

Row softmax_row(const std::string& name, Tensor (*f)(const Tensor&, int64_t),
                Tensor (*definition)(const Tensor&, int64_t),
                void (*reference)(std::vector<double>&)) {
  const auto sample = [=](const std::string& what, const Tensor& x, int64_t dim) {
    Sample one{what + ", " + std::to_string(dim),
               {x},
               unary([=](const Tensor& v) { return f(v, dim); }),
               along(dim, [=](std::vector<double>& line, uint64_t) { reference(line); }),
               unary([=](const Tensor& v) { return definition(v, dim); })};
    one.torch = name + "(x[0], " + std::to_string(dim) + ")";
    return one;
  };
  Row row{name,
          {sample("(2, 3, 4)", input({2, 3, 4}, 1), 1), sample("(3, 5)", input({3, 5}, 2), -1),
           sample("(4, 3) strided", strided(input({4, 3}, 3)), 0),
           sample("(0, 3)", input({0, 3}, 4), 1), sample("()", input({}, 5), 0)}};
  row.errors = {
      error("integers", [f] { return f(arange(3), 0); },
            {name + ": ", "i64", "expected a floating dtype"}),
      error("a dimension that is not there", [f] { return f(ones({2}), 1); }, {name + ": ", "1"}),
      wrong_gradient(row.name, row.samples.front())};
  row.large = [=] { return sample("(1031, 257)", input({1031, 257}, 6), -1); };
  row.ulps = 8;
  row.scale = 0.1;
  return row;
}

// --- normalisation ---

struct NormOf {
  Shape shape;
  double eps = 1e-5;
  bool centred = true;
};

// Rows of x normalised, by numbers; weight and bias where they are there.
Tensor norm_reference(Array x, const Tensors& affine, const NormOf& of) {
  const auto n = static_cast<size_t>(of.shape.numel());
  for (size_t start = 0; n > 0 && start < x.data.size(); start += n) {
    double mean = 0, variance = 0;
    for (size_t i = 0; of.centred && i < n; ++i) {
      mean += x.data[start + i] / static_cast<double>(n);
    }
    for (size_t i = 0; i < n; ++i) {
      const double off = x.data[start + i] - mean;
      variance += off * off / static_cast<double>(n);
    }
    for (size_t i = 0; i < n; ++i) {
      double& v = x.data[start + i];
      v = (v - mean) / std::sqrt(variance + of.eps);
      if (!affine.empty()) v *= Array(affine[0]).data[i];
      if (affine.size() > 1) v += Array(affine[1]).data[i];
    }
  }
  return x.tensor();
}

Tensor part(const Tensors& in, size_t i) { return i < in.size() ? in[i] : Tensor(); }
Tensors from(const Tensors& in, size_t first) {
  return {in.begin() + static_cast<std::ptrdiff_t>(first), in.end()};
}

// inputs: x, weight, bias, as many as there are.
Sample layer_norm_sample(const std::string& name, const Tensors& inputs, const Shape& normalized,
                         double eps = 1e-5) {
  const auto with = [=](auto f) {
    return [=](const Tensors& in) -> Tensors {
      return {f(in[0], normalized, part(in, 1), part(in, 2), eps)};
    };
  };
  const auto reference = [=](const Tensors& in) -> Tensors {
    return {norm_reference(Array(in[0]), from(in, 1), {normalized, eps})};
  };
  Sample sample{name, inputs, with(layer_norm), reference, with(composed::layer_norm)};
  sample.torch =
      "layer_norm(x[0], " + tuple(normalized) + ", *x[1:], eps=" + std::to_string(eps) + ")";
  return sample;
}

// inputs: x, residual, weight, bias, as many as there are.
Sample add_layer_norm_sample(const std::string& name, const Tensors& inputs,
                             const Shape& normalized, double eps = 1e-5) {
  const auto with = [=](auto f) {
    return [=](const Tensors& in) -> Tensors {
      const auto [sum, y] = f(in[0], in[1], normalized, part(in, 2), part(in, 3), eps);
      return {sum, y};
    };
  };
  const auto reference = [=](const Tensors& in) -> Tensors {
    Array sum(in[0]);
    const Array residual(in[1]);
    for (size_t i = 0; i < sum.data.size(); ++i) sum.data[i] += residual.data[i];
    return {sum.tensor(), norm_reference(sum, from(in, 2), {normalized, eps})};
  };
  return {name, inputs, with(add_layer_norm), reference, with(composed::add_layer_norm)};
}

// inputs: x, and weight where there is one.
Sample rms_norm_sample(const std::string& name, const Tensors& inputs, const Shape& normalized,
                       std::optional<double> eps = std::nullopt) {
  const auto with = [=](auto f) {
    return [=](const Tensors& in) -> Tensors { return {f(in[0], normalized, part(in, 1), eps)}; };
  };
  const auto reference = [=](const Tensors& in) -> Tensors {
    return {norm_reference(Array(in[0]), from(in, 1), {normalized, eps.value_or(0), false})};
  };
  Sample sample{name, inputs, with(rms_norm), reference, with(composed::rms_norm)};
  sample.torch = "rms_norm(x[0], " + tuple(normalized) +
                 ", *x[1:], eps=" + (eps ? std::to_string(*eps) : "None") + ")";
  return sample;
}

Row layer_norm_row() {
  Row row{"layer_norm",
          {layer_norm_sample("(2, 3, 4) over (4), weight, bias",
                             {input({2, 3, 4}, 1), input({4}, 2), input({4}, 3)}, {4}),
           layer_norm_sample("(2, 3, 4) strided over (3, 4), eps 0.1",
                             {strided(input({2, 3, 4}, 4))}, {3, 4}, 0.1),
           layer_norm_sample("(3, 5) over (5), weight", {input({3, 5}, 5), input({5}, 6)}, {5}),
           layer_norm_sample("(0, 4) over (4), weight, bias",
                             {input({0, 4}, 7), input({4}, 8), input({4}, 9)}, {4})}};
  row.errors = {
      error("another shape at the end",
            [] {
              return layer_norm(ones({2, 3}), {4});
            },
            {"layer_norm: ", "(2, 3)", "(4,)"}),
      error("a weight of another shape",
            [] {
              return layer_norm(ones({2, 3}), {3}, ones({2}));
            },
            {"layer_norm: ", "(2,)"}),
      error("integers", [] { return layer_norm(arange(3), {3}); }, {"layer_norm: ", "i64"})};
  row.large = [=] {
    return layer_norm_sample("(1031, 257) over (257), weight, bias",
                             {input({1031, 257}, 10), input({257}, 11), input({257}, 12)}, {257});
  };
  row.ulps = 16;
  row.scale = 2;
  row.gradient_ulps = 256;
  return row;
}

Row add_layer_norm_row() {
  const auto x = [](const Shape& s) { return input(s, 1); };
  const auto r = [](const Shape& s) { return input(s, 2); };
  Row row{
      "add_layer_norm",
      {add_layer_norm_sample("(2, 3, 4) over (4), weight, bias",
                             {x({2, 3, 4}), r({2, 3, 4}), input({4}, 3), input({4}, 4)}, {4}),
       add_layer_norm_sample("(2, 3, 4) strided over (3, 4), eps 0.1",
                             {strided(x({2, 3, 4})), strided(r({2, 3, 4}))}, {3, 4}, 0.1),
       add_layer_norm_sample("(3, 5) over (5), weight", {x({3, 5}), r({3, 5}), input({5}, 5)}, {5}),
       add_layer_norm_sample("(0, 4) over (4), weight, bias",
                             {x({0, 4}), r({0, 4}), input({4}, 6), input({4}, 7)}, {4})}};
  row.errors = {error("another shape at the end",
                      [] {
                        return add_layer_norm(ones({2, 3}), ones({2, 3}), {4}).sum;
                      },
                      {"add_layer_norm: ", "(2, 3)", "(4,)"}),
                error("a residual of another shape",
                      [] {
                        return add_layer_norm(ones({2, 3}), ones({3}), {3}).sum;
                      },
                      {"add_layer_norm: ", "(3,)", "(2, 3)"}),
                error("integers", [] { return add_layer_norm(arange(3), arange(3), {3}).sum; },
                      {"add_layer_norm: ", "i64"})};
  row.large = [=] {
    return add_layer_norm_sample("(1031, 257) over (257), weight, bias",
                                 {x({1031, 257}), r({1031, 257}), input({257}, 8), input({257}, 9)},
                                 {257});
  };
  row.ulps = 16;
  row.scale = 2;
  row.gradient_ulps = 256;
  row.bf16_roundings = 3;  // the sum, what that does to the statistics, the result
  return row;
}

Row rms_norm_row() {
  Row row{"rms_norm",
          {rms_norm_sample("(2, 3, 4) over (4), weight", {input({2, 3, 4}, 1), input({4}, 2)}, {4}),
           rms_norm_sample("(2, 3, 4) strided over (3, 4), eps 0.1", {strided(input({2, 3, 4}, 3))},
                           {3, 4}, 0.1),
           rms_norm_sample("(3, 5) over (5), weight, eps 0", {input({3, 5}, 4), input({5}, 5)}, {5},
                           0.0),
           rms_norm_sample("(0, 4) over (4), weight", {input({0, 4}, 6), input({4}, 7)}, {4})}};
  row.errors = {error("another shape at the end",
                      [] {
                        return rms_norm(ones({2, 3}), {4});
                      },
                      {"rms_norm: ", "(2, 3)", "(4,)"}),
                error("a weight of another shape",
                      [] {
                        return rms_norm(ones({2, 3}), {3}, ones({2}));
                      },
                      {"rms_norm: ", "(2,)"}),
                error("integers", [] { return rms_norm(arange(3), {3}); }, {"rms_norm: ", "i64"})};
  row.large = [=] {
    return rms_norm_sample("(1031, 257) over (257), weight",
                           {input({1031, 257}, 8), input({257}, 9)}, {257});
  };
  row.ulps = 16;
  row.scale = 2;
  row.gradient_ulps = 256;
  return row;
}

// --- dropout ---

Sample dropout_sample(const std::string& name, const Tensor& x, double p, bool training = true) {
  constexpr uint64_t kSeed = 7, kOffset = 3;
  return {name,
          {x},
          unary([=](const Tensor& v) {
            Generator generator(kSeed, kOffset);
            return dropout(v, p, training, generator);
          }),
          [=](const Tensors& in) -> Tensors {
            Array y(in[0]);
            for (size_t i = 0; training && i < y.data.size(); ++i) {
              const uint32_t word = philox(kSeed, kOffset, i / 4).word[i % 4];
              y.data[i] = word < p * 0x1p32 ? 0 : y.data[i] / (1 - p);
            }
            return {y.tensor()};
          }};
}

Row dropout_row() {
  Row row{"dropout",
          {dropout_sample("(3, 5), p 0.4", input({3, 5}, 1), 0.4),
           dropout_sample("(4, 3) strided, p 0.5", strided(input({4, 3}, 2)), 0.5),
           dropout_sample("(0, 3), p 0.5", input({0, 3}, 3), 0.5),
           dropout_sample("(2, 3), p 0.5, not training", input({2, 3}, 4), 0.5, false),
           dropout_sample("(), p 0.1", input({}, 5), 0.1)}};
  row.errors = {error("a probability above 1", [] { return dropout(ones({2}), 1.5); },
                      {"dropout: ", "1.5", "[0, 1]"}),
                error("integers", [] { return dropout(arange(3), 0.5); }, {"dropout: ", "i64"}),
                wrong_gradient(row.name, row.samples.front())};
  row.large = [=] { return dropout_sample("(257, 1031), p 0.2", input({257, 1031}, 6), 0.2); };
  return row;
}

// --- embedding ---

Sample embedding_sample(const std::string& name, const Tensor& ids, const Tensor& weight) {
  return {name,
          {ids, weight},
          binary([](const Tensor& i, const Tensor& w) { return embedding(i, w); }),
          [](const Tensors& in) -> Tensors {
            const Array i(in[0]), w(in[1]);
            Shape shape = i.shape;
            shape.push_back(w.shape[1]);
            return {make_array(shape, [&](Shape index) {
                      const int64_t column = index.back();
                      index.erase(index.rank() - 1);
                      return w.at({static_cast<int64_t>(i.at(index)), column});
                    }).tensor()};
          }};
}

Row embedding_row() {
  // With rows that are read twice, and one that is not read.
  const Tensor ids = tensor<int64_t>({0, 2, 2, 1, 4, 0}, {2, 3});
  Row row{"embedding",
          {embedding_sample("(2, 3) of (5, 4)", ids, input({5, 4}, 1)),
           embedding_sample("(3, 2) strided of (5, 3) strided", transpose(ids, 0, 1),
                            strided(input({5, 3}, 2))),
           embedding_sample("(0) of (3, 2)", zeros({0}, DType::i64), input({3, 2}, 3)),
           embedding_sample("() of (3, 2)", scalar(1, DType::i64), input({3, 2}, 4))}};
  // The gradient of the row padding_idx is zero by definition, which differences do not know:
  // index_test.cpp has it.
  row.errors = {error("an index outside",
                      [] {
                        return embedding(tensor<int64_t>({0, 3}), ones({3, 2}));
                      },
                      {"embedding: ", "index 3", "[0, 3)"}),
                error("a negative index",
                      [] {
                        return embedding(tensor<int64_t>({-1}), ones({3, 2}));
                      },
                      {"embedding: ", "-1"}),
                error("indices that are no integers",
                      [] {
                        return embedding(ones({2}), ones({3, 2}));
                      },
                      {"embedding: ", "f32", "i64"}),
                error("a weight that is no matrix", [] { return embedding(arange(2), ones({3})); },
                      {"embedding: ", "(3,)"})};
  row.torch = "F.embedding(*x)";
  row.large = [=] {
    return embedding_sample("(4096) of (97, 128)", indices({4096}, 97, 5), input({97, 128}, 6));
  };
  return row;
}

}  // namespace

void add_networks(std::vector<Row>& rows) {
  rows.push_back(softmax_row("softmax", &softmax, &composed::softmax, softmax_of));
  rows.push_back(softmax_row("log_softmax", &log_softmax, &composed::log_softmax, log_softmax_of));
  rows.push_back(layer_norm_row());
  rows.push_back(add_layer_norm_row());
  rows.push_back(rms_norm_row());
  rows.push_back(dropout_row());
  rows.push_back(embedding_row());
}

}  // namespace adjoint::catalog
