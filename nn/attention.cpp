#include <adjoint/core/activations.h>
#include <adjoint/core/attention.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/init.h>

#include <cmath>

namespace adjoint::nn {
namespace {

// The masks of a call as one of bools, true where a query must not see a key, and one that is added
// to the scores; either may be undefined. Both broadcast to (B, heads, L, S).
struct Masks {
  Tensor blocked, added;
};

Tensor either(const Tensor& a, const Tensor& b) {
  if (!a.defined()) return b;
  if (!b.defined()) return a;
  return where(a, true, b);
}

// (L, S): true above the diagonal.
Tensor future(int64_t queries, int64_t keys) {
  return gt(unsqueeze(arange(keys), 0), unsqueeze(arange(queries), 1));
}

// Room for the heads in a mask of a batch.
Tensor with_heads(const Tensor& mask) { return mask.dim() == 3 ? unsqueeze(mask, 1) : mask; }

Masks merge(const MultiHeadAttentionForwardOptions& options, int64_t queries, int64_t keys) {
  Masks masks;
  if (options.attn_mask.defined()) {
    const bool boolean = options.attn_mask.dtype() == DType::boolean;
    (boolean ? masks.blocked : masks.added) = with_heads(options.attn_mask);
  }
  if (options.key_padding_mask.defined()) {
    const Tensor& padding = options.key_padding_mask;
    masks.blocked = either(masks.blocked, reshape(padding, {-1, 1, 1, keys}));
  }
  if (options.is_causal) masks.blocked = either(masks.blocked, future(queries, keys));
  return masks;
}

// (B, L, E) -> (B, heads, L, E / heads)
Tensor split_heads(const Tensor& x, int64_t heads) {
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(int64_t embed_dim, int64_t num_heads,
                                       const MultiHeadAttentionOptions& options)
    : out_proj(embed_dim, embed_dim, {.bias = options.bias}),
      embed_dim_(embed_dim),
      num_heads_(num_heads),
      kdim_(options.kdim.value_or(embed_dim)),
      vdim_(options.vdim.value_or(embed_dim)),
      dropout_(options.dropout) {
  check<ConfigError>(embed_dim > 0 && num_heads > 0 && embed_dim % num_heads == 0,
                     "MultiHeadAttention: embed_dim ", embed_dim, " with ", num_heads,
                     " heads; expected a multiple of the heads");
  check<ConfigError>(dropout_ >= 0 && dropout_ <= 1, "MultiHeadAttention: dropout ", dropout_,
                     "; expected it in [0, 1]");
  if (kdim_ == embed_dim && vdim_ == embed_dim) {
    in_proj_weight = Parameter(empty({3 * embed_dim, embed_dim}));
    init::xavier_uniform_(in_proj_weight);
  } else {
    check<ConfigError>(kdim_ > 0 && vdim_ > 0, "MultiHeadAttention: kdim ", kdim_, ", vdim ", vdim_,
                       "; expected 1 or more");
    q_proj_weight = Parameter(empty({embed_dim, embed_dim}));
    k_proj_weight = Parameter(empty({embed_dim, kdim_}));
    v_proj_weight = Parameter(empty({embed_dim, vdim_}));
    for (const Parameter* p : {&q_proj_weight, &k_proj_weight, &v_proj_weight}) {
      init::xavier_uniform_(*p);
    }
  }
  if (!options.bias) return;
  in_proj_bias = Parameter(zeros({3 * embed_dim}));
  init::zeros_(out_proj.bias);
}

void MultiHeadAttention::members(Visitor& v) {
  v("in_proj_weight", in_proj_weight);
  v("q_proj_weight", q_proj_weight);
  v("k_proj_weight", k_proj_weight);
  v("v_proj_weight", v_proj_weight);
  v("in_proj_bias", in_proj_bias);
  v("out_proj", out_proj);
}

void MultiHeadAttention::check_inputs(const Tensor& query, const Tensor& key, const Tensor& value,
                                      const MultiHeadAttentionForwardOptions& options) const {
  const auto fits = [&](const Tensor& x, int64_t width) {
    return x.dim() == query.dim() && x.size(-1) == width &&
           (x.dim() == 2 || x.size(0) == query.size(0));
  };
  check<ShapeError>((query.dim() == 2 || query.dim() == 3) && fits(query, embed_dim_) &&
                        fits(key, kdim_) && fits(value, vdim_) && key.size(-2) == value.size(-2),
                    "MultiHeadAttention: query ", query.shape(), ", key ", key.shape(), ", value ",
                    value.shape(), "; expected (B, L, ", embed_dim_, "), (B, S, ", kdim_,
                    "), (B, S, ", vdim_, "), or all of them without B");
  const int64_t batch = query.dim() == 2 ? 1 : query.size(0);
  const int64_t queries = query.size(-2), keys = key.size(-2);
  if (const Tensor& mask = options.attn_mask; mask.defined()) {
    check<DTypeError>(mask.dtype() == DType::boolean || is_floating_point(mask.dtype()),
                      "MultiHeadAttention: attn_mask of dtype ", mask.dtype(),
                      "; expected bool or a floating dtype");
    const Shape& s = mask.shape();
    const bool ok = s == Shape{queries, keys} || s == Shape{batch, queries, keys} ||
                    (s.rank() == 4 && (s[0] == batch || s[0] == 1) &&
                     (s[1] == num_heads_ || s[1] == 1) && s[2] == queries && s[3] == keys);
    check<ShapeError>(ok, "MultiHeadAttention: attn_mask of shape ", s, "; expected ",
                      Shape{queries, keys}, ", ", Shape{batch, queries, keys}, " or ",
                      Shape{batch, num_heads_, queries, keys});
  }
  if (const Tensor& padding = options.key_padding_mask; padding.defined()) {
    check<DTypeError>(padding.dtype() == DType::boolean,
                      "MultiHeadAttention: key_padding_mask of dtype ", padding.dtype(),
                      "; expected bool, true for keys to ignore");
    check<ShapeError>(padding.shape() == Shape{batch, keys} ||
                          (query.dim() == 2 && padding.shape() == Shape{keys}),
                      "MultiHeadAttention: key_padding_mask of shape ", padding.shape(),
                      "; expected ", Shape{batch, keys});
  }
}

MultiHeadAttention::Heads MultiHeadAttention::project(const Tensor& query, const Tensor& key,
                                                      const Tensor& value) const {
  const int64_t e = embed_dim_;
  const Tensor bias = in_proj_bias;
  const auto bias_part = [&](int64_t i) {
    return bias.defined() ? slice(bias, 0, i * e, (i + 1) * e) : Tensor();
  };
  const auto heads = [this](const Tensor& x) { return split_heads(x, num_heads_); };
  if (!in_proj_weight.defined()) {
    return {heads(linear(query, q_proj_weight, bias_part(0))),
            heads(linear(key, k_proj_weight, bias_part(1))),
            heads(linear(value, v_proj_weight, bias_part(2)))};
  }
  const Tensor weight = in_proj_weight;
  if (query.impl() == key.impl() && key.impl() == value.impl()) {
    const std::vector<Tensor> parts = chunk(linear(query, weight, bias), 3, -1);
    return {heads(parts[0]), heads(parts[1]), heads(parts[2])};
  }
  const auto part = [&](const Tensor& x, int64_t i) {
    return heads(linear(x, slice(weight, 0, i * e, (i + 1) * e), bias_part(i)));
  };
  return {part(query, 0), part(key, 1), part(value, 2)};
}

// The same as scaled_dot_product_attention, by its definition, keeping the weights.
Tensor MultiHeadAttention::with_weights(const Heads& heads, const Tensor& blocked,
                                        const Tensor& added,
                                        const MultiHeadAttentionForwardOptions& options) const {
  const int64_t width = embed_dim_ / num_heads_;
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  Tensor scores = matmul(heads.q * scale, transpose(heads.k, -2, -1));
  Tensor unseen = blocked;
  if (added.defined()) {
    scores = scores + added;
    unseen = either(unseen, eq(added, -INFINITY));
  }
  // Not infinity: a row without any key must stay finite, also in its gradient, and becomes zeros.
  if (unseen.defined()) scores = masked_fill(scores, unseen, -1e30);
  Tensor weights = softmax(scores, -1);
  if (unseen.defined()) weights = masked_fill(weights, unseen, 0.0);
  if (is_training() && dropout_ > 0) weights = dropout(weights, dropout_);
  *options.weights = options.average_weights ? mean(weights, {1}) : weights;
  return matmul(weights, heads.v);
}

Tensor MultiHeadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const MultiHeadAttentionForwardOptions& options) const {
  check_inputs(query, key, value, options);
  if (query.dim() == 2) {
    // One sequence is a batch of one; its handles stay equal if they were.
    const Tensor q = unsqueeze(query, 0);
    const Tensor k = key.impl() == query.impl() ? q : unsqueeze(key, 0);
    const Tensor v = value.impl() == key.impl() ? k : unsqueeze(value, 0);
    MultiHeadAttentionForwardOptions batched = options;
    if (options.key_padding_mask.defined()) {
      batched.key_padding_mask = reshape(options.key_padding_mask, {1, key.size(0)});
    }
    Tensor y = squeeze(forward(q, k, v, batched), 0);
    if (options.weights != nullptr) *options.weights = squeeze(*options.weights, 0);
    return y;
  }
  const Heads heads = project(query, key, value);
  const int64_t batch = query.size(0), queries = query.size(1), keys = key.size(1);
  Tensor y;  // (B, heads, L, E / heads)
  const bool masked = options.attn_mask.defined() || options.key_padding_mask.defined();
  if (options.weights != nullptr) {
    const Masks masks = merge(options, queries, keys);
    y = with_weights(heads, masks.blocked, masks.added, options);
  } else {
    AttentionOptions attention{.dropout_p = is_training() ? dropout_ : 0.0};
    if (masked) {
      const Masks masks = merge(options, queries, keys);
      if (!masks.added.defined()) {
        attention.mask = eq(masks.blocked, false);
      } else if (!masks.blocked.defined()) {
        attention.mask = masks.added;
      } else {
        attention.mask = where(masks.blocked, -INFINITY, masks.added);
      }
    } else {
      attention.is_causal = options.is_causal;
    }
    y = scaled_dot_product_attention(heads.q, heads.k, heads.v, attention);
  }
  return out_proj(reshape(transpose(y, 1, 2), {batch, queries, embed_dim_}));
}

}  // namespace adjoint::nn
