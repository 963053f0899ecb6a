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
}  // namespace

void add_attention(std::vector<Row>& rows) { rows.push_back(attention_row()); }

}  // namespace adjoint::catalog
