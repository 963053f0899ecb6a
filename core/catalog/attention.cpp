// The row of attention.
#include <adjoint/core/attention.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/catalog/builders.h"
#include "core/ops/composed.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

// softmax(q k^T scale + mask) v with weights multiplied by the dropout's factors, one query at a
// time.
Tensor attention_reference(const Tensors& in, const AttentionOptions& o) {
  const Array q(in[0]);
  Array k(in[1]), v(in[2]);
  const auto batch_of = [](const Shape& s) {
    return Shape(s.span().first(static_cast<size_t>(s.rank() - 2)));
  };
  const auto heads_apart = [&](Array& x) {  // as repeat_interleave: head h reads head h / times
    const int at = x.shape.rank() - 3;
    Shape shape = x.shape;
    shape[at] = q.shape[q.shape.rank() - 3];
    const int64_t times = shape[at] / x.shape[at];
    x = make_array(shape, [&, from = x](Shape index) {
      index[at] /= times;
      return from.at(index);
    });
  };
  if (o.enable_gqa) {
    heads_apart(k);
    heads_apart(v);
  }
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
      const int64_t distance = j - query[m] - o.query_offset;
      bool seen = !o.is_causal || distance <= 0;
      if (o.window.left >= 0) seen = seen && distance >= -o.window.left;
      if (o.window.right >= 0) seen = seen && distance <= o.window.right;
      score *= scale;
      if (o.alibi_slopes.defined()) {
        Shape item = query;
        item.erase(m);
        score -= Array(o.alibi_slopes).broadcast(item) * static_cast<double>(std::abs(distance));
      }
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
                        const AttentionOptions& options = {}, const std::string& torch = "") {
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
  return {name,
          inputs,
          with([](const Tensors& in, const AttentionOptions& o) {
            return scaled_dot_product_attention(in[0], in[1], in[2], o);
          }),
          with(attention_reference),
          with([](const Tensors& in, const AttentionOptions& o) {
            return composed::scaled_dot_product_attention(in[0], in[1], in[2], o);
          }),
          true,
          torch.empty() ? torch : "F.scaled_dot_product_attention(x[0], x[1], x[2]" + torch + ")"};
}

// Grouped queries, windows and slopes; PyTorch has masks for the last two.
void add_positioned(Row& row) {
  const auto three = [](const Shape& queries, const Shape& keys, uint64_t seed) -> Tensors {
    return {input(queries, seed), input(keys, seed + 1), input(keys, seed + 2)};
  };
  const std::string distance = "(torch.arange(4)[None] - torch.arange(3)[:, None] - 1)";
  const Tensor slopes = tensor<double>({0.5, 0.125, 0.25, 0.0625});
  const std::string falling =
      "-torch.tensor([0.5, 0.125, 0.25, 0.0625], dtype=x[0].dtype)[:, None, None] * " + distance +
      ".abs().to(x[0].dtype)";
  row.samples.push_back(attention_sample("(1, 4, 3, 2)(1, 2, 4, 2), groups",
                                         three({1, 4, 3, 2}, {1, 2, 4, 2}, 11),
                                         {.enable_gqa = true}, ", enable_gqa=True"));
  row.samples.push_back(attention_sample(
      "(4, 3, 2)(1, 4, 2), groups, causal from 1, slopes", three({4, 3, 2}, {1, 4, 2}, 14),
      {.is_causal = true, .enable_gqa = true, .alibi_slopes = slopes, .query_offset = 1},
      ", " + falling + " + torch.where(" + distance +
          " > 0, -torch.inf, 0.0).to(x[0].dtype), enable_gqa=True"));
  row.samples.push_back(
      attention_sample("(2, 3, 2)(2, 4, 2), window (1, 1) from 1", three({2, 3, 2}, {2, 4, 2}, 17),
                       {.window = {1, 1}, .query_offset = 1}, ", " + distance + ".abs() <= 1"));
  Tensors strides = three({4, 3, 2}, {4, 4, 2}, 20);
  for (Tensor& x : strides) x = strided(x);
  row.samples.push_back(attention_sample(
      "(4, 3, 2)(4, 4, 2) strided, window (2, 0) from 1, slopes, dropout 0.3", strides,
      {.dropout_p = 0.3, .window = {2, 0}, .alibi_slopes = slopes, .query_offset = 1}));
  Tensors biased = three({3, 2}, {4, 2}, 23);
  biased.push_back(input({3, 4}, 26));
  row.samples.push_back(attention_sample(
      "(3, 2)(4, 2), bias (3, 4), window (1, -1) from 1", biased,
      {.window = {1, -1}, .query_offset = 1},
      ", x[3] + torch.where(" + distance + " < -1, -torch.inf, 0.0).to(x[0].dtype)"));
  row.errors.push_back(
      error("heads that do not divide",
            [] {
              return scaled_dot_product_attention(ones({4, 2, 3}), ones({3, 2, 3}), ones({3, 2, 3}),
                                                  {.enable_gqa = true});
            },
            {"scaled_dot_product_attention: ", "enable_gqa", "(4, 2, 3)", "(3, 2, 3)"}));
  row.errors.push_back(error("slopes for other heads",
                             [] {
                               return scaled_dot_product_attention(ones({4, 2, 3}), ones({4, 2, 3}),
                                                                   ones({4, 2, 3}),
                                                                   {.alibi_slopes = ones({3})});
                             },
                             {"scaled_dot_product_attention: ", "(3,)", "(4,)"}));
  row.errors.push_back(error("a negative offset",
                             [] {
                               return scaled_dot_product_attention(
                                   ones({2, 3}), ones({2, 3}), ones({2, 3}), {.query_offset = -1});
                             },
                             {"scaled_dot_product_attention: ", "query_offset", "-1"}));
}

Row attention_row() {
  const auto q = [](const Shape& s) { return input(s, 1); };
  const auto k = [](const Shape& s) { return input(s, 2); };
  const auto v = [](const Shape& s) { return input(s, 3); };
  Tensor allowed = mask({3, 4}, 5);
  std::string bools = ", attn_mask=torch.tensor([";
  for (const double one : Array(allowed).data) bools += one != 0 ? "True, " : "False, ";
  bools += "]).reshape(3, 4)";
  Row row{"scaled_dot_product_attention",
          {attention_sample("(2, 3, 2)(1, 4, 2)(2, 4, 3)",
                            {q({2, 3, 2}), k({1, 4, 2}), v({2, 4, 3})}, {}, ", scale=None"),
           attention_sample("(3, 2)(3, 2)(3, 2) causal", {q({3, 2}), k({3, 2}), v({3, 2})},
                            {.is_causal = true}, ", is_causal=True"),
           attention_sample("(3, 2)(4, 2)(4, 2) strided, allowed",
                            {strided(q({3, 2})), strided(k({4, 2})), strided(v({4, 2}))},
                            {.mask = allowed}, bools),
           attention_sample("(2, 3, 2)(2, 4, 2)(2, 4, 2), bias (3, 4), scale 0.3",
                            {q({2, 3, 2}), k({2, 4, 2}), v({2, 4, 2}), input({3, 4}, 6)},
                            {.scale = 0.3}, ", x[3], scale=0.3"),
           attention_sample("(2, 3, 2)(2, 4, 2)(2, 4, 2), dropout 0.3",
                            {q({2, 3, 2}), k({2, 4, 2}), v({2, 4, 2})}, {.dropout_p = 0.3}),
           attention_sample("(1, 3, 2)(4, 2)(2, 4, 2), dropout 0.3",
                            {q({1, 3, 2}), k({4, 2}), v({2, 4, 2})}, {.dropout_p = 0.3}),
           attention_sample("(0, 2)(3, 2)(3, 2)", {q({0, 2}), k({3, 2}), v({3, 2})}, {},
                            ", scale=None")}};
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
  add_positioned(row);
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
}  // namespace

void add_attention(std::vector<Row>& rows) { rows.push_back(attention_row()); }

}  // namespace adjoint::catalog
