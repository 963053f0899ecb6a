// What attention computes, in tensors.
#include <adjoint/core/dropout.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <cmath>

#include "core/ops/attention.h"
#include "core/ops/composed.h"

namespace adjoint {
namespace {

Shape batch_of(const Tensor& x) { return Shape(x.shape().span().first(x.dim() - 2)); }

// x (..., heads, rows, columns) with each of its heads `times` times.
Tensor repeated_heads(const Tensor& x, int64_t times) {
  Shape shape = x.shape();
  const int at = shape.rank() - 3;
  shape.insert(at + 1, times);
  const Tensor each = expand(unsqueeze(x, -3), shape);
  shape[at] *= times;
  shape.erase(at + 1);
  return reshape(each, shape);
}

// The scores of keys that are seen, -infinity for the others, with what their distance costs.
Tensor placed(const Tensor& scores, const AttentionOptions& options) {
  const AttentionWindow window = window_of(options);
  const Tensor queries = arange(scores.size(-2)) + options.query_offset;
  const Tensor distance = arange(scores.size(-1)) - unsqueeze(queries, 1);
  Tensor result = scores;
  if (options.alibi_slopes.defined()) {
    const Tensor slopes = unsqueeze(unsqueeze(options.alibi_slopes, -1), -1);
    result = result - to(slopes, scores.dtype()) * to(abs(distance), scores.dtype());
  }
  if (window.right >= 0) result = where(distance <= window.right, result, -INFINITY);
  if (window.left >= 0) result = where(distance >= -window.left, result, -INFINITY);
  return result;
}

}  // namespace

Shape matrices_shape(const Shape& batch, int64_t rows, int64_t columns) {
  Shape shape = batch;
  shape.push_back(rows);
  shape.push_back(columns);
  return shape;
}

Shape whole_batch(const Tensor& q, const Tensor& k, const Tensor& v) {
  return broadcast_shapes(kAttention, broadcast_shapes(kAttention, batch_of(q), batch_of(k)),
                          batch_of(v));
}

AttentionWindow window_of(const AttentionOptions& options) {
  AttentionWindow window = options.window;
  if (options.is_causal) window.right = 0;
  return window;
}

Tensor composed::scaled_dot_product_attention(const Tensor& query, const Tensor& key,
                                              const Tensor& value,
                                              const AttentionOptions& options) {
  if (options.enable_gqa) {
    AttentionOptions repeated = options;
    repeated.enable_gqa = false;
    const int64_t times = query.size(-3) / key.size(-3);
    return composed::scaled_dot_product_attention(query, repeated_heads(key, times),
                                                  repeated_heads(value, times), repeated);
  }
  const int64_t l = query.size(-2), s = key.size(-2);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))));
  Tensor scores = matmul(query, transpose(key, -2, -1)) * scale;
  if (s == 0) return matmul(scores, value);
  if (options.mask.defined() && options.mask.dtype() == DType::boolean) {
    scores = where(options.mask, scores, -INFINITY);
  } else if (options.mask.defined()) {
    scores = scores + options.mask;
  }
  scores = placed(scores, options);
  // A softmax whose rows of -infinity become zeros.
  Tensor highest = amax(scores.detach(), {-1}, kKeepDim);
  highest = where(highest == -INFINITY, 0.0, highest);
  const Tensor e = exp(scores - highest);
  const Tensor total = sum(e, {-1}, kKeepDim);
  Tensor p = e / where(total == 0.0, 1.0, total);
  if (options.dropout_p > 0) {
    // Each item of the whole batch has a mask of its own, also where only value or mask widens it.
    p = expand(p, matrices_shape(whole_batch(query, key, value), l, s));
  }
  Generator& generator = options.generator != nullptr ? *options.generator : default_generator();
  return matmul(dropout(p, options.dropout_p, true, generator), value);
}

}  // namespace adjoint
