// Rows of the operators of networks: normalisation, dropout, embedding, attention, losses.
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/catalog/builders.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

// f(row) in place of each row along dim.
template <class F>
TensorFunction along(int64_t dim, F f) {
  return [dim, f](const Tensors& in) -> Tensors {
    Array x(in[0]);
    if (x.shape.rank() == 0) {
      f(x.data);
      return {x.tensor()};
    }
    const int d = static_cast<int>(dim < 0 ? dim + x.shape.rank() : dim);
    Shape starts = x.shape;
    const int64_t n = x.shape[d];
    starts[d] = n > 0 ? 1 : 0;
    for_each_index(starts, [&](Shape index) {
      std::vector<double> row;
      for (int64_t i = 0; i < n; ++i) {
        index[d] = i;
        row.push_back(x.at(index));
      }
      f(row);
      for (int64_t i = 0; i < n; ++i) {
        index[d] = i;
        x.at(index) = row[static_cast<size_t>(i)];
      }
    });
    return {x.tensor()};
  };
}

void softmax_of(std::vector<double>& row) {
  double total = 0;
  for (double& v : row) total += v = std::exp(v);
  for (double& v : row) v /= total;
}
void log_softmax_of(std::vector<double>& row) {
  double total = 0;
  for (const double v : row) total += std::exp(v);
  for (double& v : row) v -= std::log(total);
}

Row softmax_row(const std::string& name, Tensor (*f)(const Tensor&, int64_t),
                Tensor (*definition)(const Tensor&, int64_t),
                void (*reference)(std::vector<double>&)) {
  const auto sample = [=](const std::string& what, const Tensor& x, int64_t dim) {
    return Sample{what + ", " + std::to_string(dim),
                  {x},
                  unary([=](const Tensor& v) { return f(v, dim); }),
                  along(dim, reference),
                  unary([=](const Tensor& v) { return definition(v, dim); })};
  };
  Row row{name,
          {sample("(2, 3, 4)", input({2, 3, 4}, 1), 1), sample("(3, 5)", input({3, 5}, 2), -1),
           sample("(4, 3) strided", strided(input({4, 3}, 3)), 0),
           sample("(0, 3)", input({0, 3}, 4), 1), sample("()", input({}, 5), 0)}};
  row.errors = {
      error("integers", [f] { return f(arange(3), 0); },
            {name + ": ", "i64", "expected f32 or f64"}),
      error("a dimension that is not there", [f] { return f(ones({2}), 1); }, {name + ": ", "1"})};
  row.large = [=] { return sample("(1031, 257)", input({1031, 257}, 6), -1); };
  row.ulps = 8;
  row.scale = 0.1;
  return row;
}

// --- layer_norm ---

// inputs: x, weight, bias, as many as there are.
Sample layer_norm_sample(const std::string& name, const Tensors& inputs, const Shape& normalized,
                         double eps = 1e-5) {
  const auto part = [](const Tensors& in, size_t i) { return i < in.size() ? in[i] : Tensor(); };
  return {name, inputs,
          [=](const Tensors& in) -> Tensors {
            return {layer_norm(in[0], normalized, part(in, 1), part(in, 2), eps)};
          },
          [=](const Tensors& in) -> Tensors {
            Array x(in[0]);
            const auto n = static_cast<size_t>(normalized.numel());
            for (size_t start = 0; n > 0 && start < x.data.size(); start += n) {
              double mean = 0, variance = 0;
              for (size_t i = 0; i < n; ++i) mean += x.data[start + i] / static_cast<double>(n);
              for (size_t i = 0; i < n; ++i) {
                const double off = x.data[start + i] - mean;
                variance += off * off / static_cast<double>(n);
              }
              for (size_t i = 0; i < n; ++i) {
                double& v = x.data[start + i];
                v = (v - mean) / std::sqrt(variance + eps);
                if (in.size() > 1) v *= Array(in[1]).data[i];
                if (in.size() > 2) v += Array(in[2]).data[i];
              }
            }
            return {x.tensor()};
          },
          [=](const Tensors& in) -> Tensors {
            return {composed::layer_norm(in[0], normalized, part(in, 1), part(in, 2), eps)};
          }};
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
                error("integers", [] { return dropout(arange(3), 0.5); }, {"dropout: ", "i64"})};
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
  row.large = [=] {
    return embedding_sample("(4096) of (97, 128)", indices({4096}, 97, 5), input({97, 128}, 6));
  };
  return row;
}

// --- attention ---

// softmax(q k^T scale + mask) v with weights multiplied by the dropout's factors, one query at a
// time.
Tensor attention_reference(const Tensors& in, const AttentionOptions& o) {
  const Array q(in[0]), k(in[1]), v(in[2]);
  const auto batch_of = [](const Shape& s) {
    return Shape(s.span().first(static_cast<size_t>(s.rank() - 2)));
  };
  const Shape batch = broadcast_shapes(
      "reference", broadcast_shapes("reference", batch_of(q.shape), batch_of(k.shape)),
      batch_of(v.shape));
  const int64_t l = q.shape[q.shape.rank() - 2], s = k.shape[k.shape.rank() - 2];
  const int64_t e = q.shape.back(), ev = v.shape.back();
  const double scale = o.scale.value_or(1 / std::sqrt(static_cast<double>(e)));
  const bool added = in.size() > 3;
  const Array bias = added ? Array(in[3]) : o.mask.defined() ? Array(o.mask) : Array(Shape{});
  Shape shape = batch;
  shape.push_back(l);
  shape.push_back(ev);
  Array y(shape);
  const int m = batch.rank();
  Shape queries = batch;
  queries.push_back(l);
  int64_t number = 0;  // of the row, for the dropout
  for_each_index(queries, [&](const Shape& query) {
    Shape at = query;
    at.push_back(0);
    std::vector<double> weights;
    for (int64_t j = 0; j < s; ++j) {
      double score = 0;
      Shape left = at, right = at;
      right[m] = j;
      for (int64_t c = 0; c < e; ++c) {
        left[m + 1] = right[m + 1] = c;
        score += q.broadcast(left) * k.broadcast(right);
      }
      Shape place = at;
      place[m + 1] = j;
      bool seen = !o.is_causal || j <= query[m];
      score *= scale;
      if (added) {
        score += bias.broadcast(place);
      } else if (o.mask.defined()) {
        seen = seen && bias.broadcast(place) != 0;
      }
      weights.push_back(seen ? score : -std::numeric_limits<double>::infinity());
    }
    const bool blind =
        std::none_of(weights.begin(), weights.end(), [](double w) { return std::isfinite(w); });
    if (blind) {
      std::fill(weights.begin(), weights.end(), 0.0);
    } else {
      softmax_of(weights);
    }
    for (int64_t j = 0; j < s && o.dropout_p > 0; ++j) {
      const auto element = static_cast<uint64_t>(number * s + j);
      const uint32_t word =
          philox(o.generator->seed(), o.generator->offset(), element / 4).word[element % 4];
      weights[static_cast<size_t>(j)] *= word < o.dropout_p * 0x1p32 ? 0 : 1 / (1 - o.dropout_p);
    }
    ++number;
    for (int64_t c = 0; c < ev; ++c) {
      Shape from = at, to = at;
      to[m + 1] = from[m + 1] = c;
      for (int64_t j = 0; j < s; ++j) {
        from[m] = j;
        y.at(to) += weights[static_cast<size_t>(j)] * v.broadcast(from);
      }
    }
  });
  return y.tensor();
}

// inputs: query, key, value, and an additive mask where it is differentiated.
Sample attention_sample(const std::string& name, const Tensors& inputs,
                        const AttentionOptions& options = {}) {
  constexpr uint64_t kSeed = 11, kOffset = 2;
  const auto with = [=](auto f) {
    return [=](const Tensors& in) -> Tensors {
      Generator generator(kSeed, kOffset);
      AttentionOptions o = options;
      o.generator = &generator;
      if (in.size() > 3) o.mask = in[3];
      return {f(in, o)};
    };
  };
  return {name, inputs, with([](const Tensors& in, const AttentionOptions& o) {
            return scaled_dot_product_attention(in[0], in[1], in[2], o);
          }),
          with(attention_reference), with([](const Tensors& in, const AttentionOptions& o) {
            return composed::scaled_dot_product_attention(in[0], in[1], in[2], o);
          })};
}

Row attention_row() {
  const auto q = [](const Shape& s) { return input(s, 1); };
  const auto k = [](const Shape& s) { return input(s, 2); };
  const auto v = [](const Shape& s) { return input(s, 3); };
  Tensor allowed = mask({3, 4}, 5);
  Row row{
      "scaled_dot_product_attention",
      {attention_sample("(2, 3, 2)(1, 4, 2)(2, 4, 3)", {q({2, 3, 2}), k({1, 4, 2}), v({2, 4, 3})}),
       attention_sample("(3, 2)(3, 2)(3, 2) causal", {q({3, 2}), k({3, 2}), v({3, 2})},
                        {.is_causal = true}),
       attention_sample("(3, 2)(4, 2)(4, 2) strided, allowed",
                        {strided(q({3, 2})), strided(k({4, 2})), strided(v({4, 2}))},
                        {.mask = allowed}),
       attention_sample("(2, 3, 2)(2, 4, 2)(2, 4, 2), bias (3, 4), scale 0.3",
                        {q({2, 3, 2}), k({2, 4, 2}), v({2, 4, 2}), input({3, 4}, 6)},
                        {.scale = 0.3}),
       attention_sample("(2, 3, 2)(2, 4, 2)(2, 4, 2), dropout 0.3",
                        {q({2, 3, 2}), k({2, 4, 2}), v({2, 4, 2})}, {.dropout_p = 0.3}),
       attention_sample("(1, 3, 2)(4, 2)(2, 4, 2), dropout 0.3",
                        {q({1, 3, 2}), k({4, 2}), v({2, 4, 2})}, {.dropout_p = 0.3}),
       attention_sample("(0, 2)(3, 2)(3, 2)", {q({0, 2}), k({3, 2}), v({3, 2})})}};
  row.errors = {
      error("widths that differ",
            [] {
              return scaled_dot_product_attention(ones({2, 3}), ones({2, 4}), ones({2, 4}));
            },
            {"scaled_dot_product_attention: ", "(2, 3)", "(2, 4)"}),
      error("lengths that differ",
            [] {
              return scaled_dot_product_attention(ones({2, 3}), ones({4, 3}), ones({5, 3}));
            },
            {"scaled_dot_product_attention: ", "(4, 3)", "(5, 3)"}),
      error("a mask and causal",
            [] {
              return scaled_dot_product_attention(
                  ones({2, 3}), ones({2, 3}), ones({2, 3}),
                  {.mask = ones({2, 2}, DType::boolean), .is_causal = true});
            },
            {"scaled_dot_product_attention: ", "is_causal"})};
  row.large = [=] {
    return attention_sample("(2, 4, 150, 16) causal",
                            {q({2, 4, 150, 16}), k({2, 4, 150, 16}), v({2, 4, 150, 16})},
                            {.is_causal = true});
  };
  row.ulps = 16;
  row.scale = 2;
  row.gradient_ulps = 256;
  return row;
}

// --- losses ---

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

void add_networks(std::vector<Row>& rows) {
  rows.push_back(softmax_row("softmax", &softmax, &composed::softmax, softmax_of));
  rows.push_back(softmax_row("log_softmax", &log_softmax, &composed::log_softmax, log_softmax_of));
  rows.push_back(layer_norm_row());
  rows.push_back(dropout_row());
  rows.push_back(embedding_row());
}

void add_losses(std::vector<Row>& rows) {
  rows.push_back(cross_entropy_row());
  rows.push_back(mse_row());
  rows.push_back(attention_row());
}

}  // namespace adjoint::catalog
