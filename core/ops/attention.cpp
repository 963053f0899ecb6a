// Scaled dot-product attention.
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/ops.h>

#include <cmath>
#include <limits>

#include "core/autograd/op.h"

namespace adjoint {
namespace {

constexpr double kMinusInfinity = -std::numeric_limits<double>::infinity();

void check_arguments(const Op& op, const Tensor& q, const Tensor& k, const Tensor& v,
                     const AttentionOptions& options) {
  for (int i = 0; i < 3; ++i) op.check_floating(i);
  op.check(q.dim() >= 2 && k.dim() >= 2 && v.dim() >= 2, "query ", q.shape(), ", key ", k.shape(),
           ", value ", v.shape(), "; expected at least (L, E), (S, E) and (S, Ev)");
  op.check(q.size(-1) == k.size(-1), "query ", q.shape(), " and key ", k.shape(),
           " differ in their last size; expected equal ones");
  op.check(k.size(-2) == v.size(-2), "key ", k.shape(), " and value ", v.shape(),
           " differ in their number of keys; expected equal ones");
  op.check<Error>(!(options.is_causal && options.mask.defined()),
                  "is_causal with a mask; expected one of them");
  op.check<Error>(options.dropout_p >= 0 && options.dropout_p <= 1, "dropout_p is ",
                  options.dropout_p, "; expected a value in [0, 1]");
  if (!options.mask.defined()) return;
  op.check<DTypeError>(
      options.mask.dtype() == DType::boolean || is_floating_point(options.mask.dtype()),
      "mask of dtype ", options.mask.dtype(), "; expected bool or a floating dtype");
}

// -infinity where a key takes no part.
Tensor masked_scores(const Tensor& scores, const AttentionOptions& options) {
  if (options.is_causal) {
    const Tensor seen = tril(ones({scores.size(-2), scores.size(-1)}, DType::boolean));
    return masked_fill(scores, seen == false, kMinusInfinity);
  }
  if (!options.mask.defined()) return scores;
  if (options.mask.dtype() == DType::boolean) {
    return where(options.mask, scores, kMinusInfinity);
  }
  return scores + options.mask;
}

}  // namespace

// y = softmax(q k^T scale + mask) v, composed: each part records itself.
Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    const AttentionOptions& options) {
  {
    const Op op("scaled_dot_product_attention", {query, key, value});
    check_arguments(op, query, key, value, options);
  }
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(query.size(-1))));
  Tensor scores = masked_scores(matmul(query, transpose(key, -2, -1)) * scale, options);
  Tensor probabilities;
  if (options.mask.defined() && scores.size(-1) > 0) {
    // A row without any key would be 0 / 0: it gives zeros, and no gradient.
    const Tensor empty_row = amax(scores.detach(), {-1}, kKeepDim) == kMinusInfinity;
    probabilities = masked_fill(softmax(masked_fill(scores, empty_row, 0), -1), empty_row, 0);
  } else {
    probabilities = softmax(scores, -1);
  }
  if (options.dropout_p > 0) {
    Generator& generator = options.generator != nullptr ? *options.generator : default_generator();
    probabilities = dropout(probabilities, options.dropout_p, true, generator);
  }
  return matmul(probabilities, value);
}

}  // namespace adjoint
