#include <adjoint/core/dropout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/transformer.h>

namespace adjoint::nn {

FeedForward::FeedForward(int64_t d_model, int64_t dim_feedforward,
                         const FeedForwardOptions& options)
    : linear1(d_model, dim_feedforward, {.bias = options.bias}),
      dropout(options.dropout),
      linear2(dim_feedforward, d_model, {.bias = options.bias}),
      activation_(options.activation) {}

Tensor FeedForward::forward(const Tensor& x) const {
  return linear2(dropout(linear1.activated(x, activation_)));
}

void FeedForward::members(Visitor& v) {
  v("linear1", linear1);
  v("dropout", dropout);
  v("linear2", linear2);
}

TransformerBlock::TransformerBlock(int64_t d_model, int64_t nhead,
                                   const TransformerBlockOptions& options)
    : self_attn(d_model, nhead, {.dropout = options.dropout, .bias = options.bias}),
      linear1(d_model, options.dim_feedforward, {.bias = options.bias}),
      dropout(options.dropout),
      linear2(options.dim_feedforward, d_model, {.bias = options.bias}),
      norm1(d_model, {.eps = options.layer_norm_eps, .bias = options.bias}),
      norm2(d_model, {.eps = options.layer_norm_eps, .bias = options.bias}),
      dropout1(options.dropout),
      dropout2(options.dropout),
      activation_(options.activation),
      norm_first_(options.norm_first),
      causal_(options.causal) {}

Tensor TransformerBlock::attend(const Tensor& x,
                                const TransformerBlockForwardOptions& options) const {
  const Tensor y = self_attn(x, {.attn_mask = options.src_mask,
                                 .key_padding_mask = options.src_key_padding_mask,
                                 .is_causal = causal_ || options.is_causal});
  return dropout1(y);
}

Tensor TransformerBlock::feed_forward(const Tensor& x) const {
  return dropout2(linear2(dropout(linear1.activated(x, activation_))));
}

Tensor TransformerBlock::forward(const Tensor& x,
                                 const TransformerBlockForwardOptions& options) const {
  if (norm_first_) {
    const auto [y, normalized] = norm2.add(x, attend(norm1(x), options));
    return y + feed_forward(normalized);
  }
  const Tensor y = norm1.add(x, attend(x, options)).normalized;
  return norm2.add(y, feed_forward(y)).normalized;
}

void TransformerBlock::members(Visitor& v) {
  v("self_attn", self_attn);
  v("linear1", linear1);
  v("dropout", dropout);
  v("linear2", linear2);
  v("norm1", norm1);
  v("norm2", norm2);
  v("dropout1", dropout1);
  v("dropout2", dropout2);
}

}  // namespace adjoint::nn
