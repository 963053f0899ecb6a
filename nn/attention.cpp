#include <adjoint/core/activations.h>
#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/nn/attention.h>
#include <adjoint/nn/init.h>

#include <array>
#include <cmath>

namespace adjoint::nn {

// The masks of a call as one of bools, true where a query must not see a key, and one that is added
// to the scores; either may be undefined. Both broadcast to (B, heads, L, S).
struct MultiHeadAttention::Masks {
  Tensor blocked, added;

  void block(const Tensor& mask) {
    blocked = blocked.defined() ? where(blocked, true, mask) : mask;
  }
  void add(const Tensor& mask) { added = added.defined() ? added + mask : mask; }
  void put(const Tensor& mask) { mask.dtype() == DType::boolean ? block(mask) : add(mask); }
};

namespace {

// (L, S): key's position less query's.
Tensor distances(int64_t queries, int64_t keys, int64_t past) {
  return unsqueeze(arange(keys), 0) - unsqueeze(arange(queries) + past, 1);
}

// (B, L, E) -> (B, heads, L, E / heads)
Tensor split_heads(const Tensor& x, int64_t heads) {
  return transpose(reshape(x, {x.size(0), x.size(1), heads, x.size(2) / heads}), 1, 2);
}

// The dtype in which products of the weight are computed.
DType computed_in(const Parameter& weight) {
  const bool rounds = autocast_enabled() && weight.dtype() == DType::f32;
  return rounds ? DType::bf16 : weight.dtype();
}

}  // namespace

MultiHeadAttention::MultiHeadAttention(int64_t embed_dim, int64_t num_heads,
                                       const MultiHeadAttentionOptions& options)
    : out_proj(embed_dim, embed_dim, {.bias = options.bias}),
      embed_dim_(embed_dim),
      num_heads_(num_heads),
      kv_heads_(options.num_kv_heads.value_or(num_heads)),
      kdim_(options.kdim.value_or(embed_dim)),
      vdim_(options.vdim.value_or(embed_dim)),
      dropout_(options.dropout),
      add_zero_attn_(options.add_zero_attn),
      batch_first_(options.batch_first),
      window_(options.window) {
  check<ConfigError>(embed_dim > 0 && num_heads > 0 && embed_dim % num_heads == 0,
                     "MultiHeadAttention: embed_dim ", embed_dim, " with ", num_heads,
                     " heads; expected a multiple of the heads");
  check<ConfigError>(kv_heads_ > 0 && num_heads % kv_heads_ == 0, "MultiHeadAttention: ", num_heads,
                     " heads with num_kv_heads ", kv_heads_,
                     "; expected a number that divides them");
  check<ConfigError>(dropout_ >= 0 && dropout_ <= 1, "MultiHeadAttention: dropout ", dropout_,
                     "; expected it in [0, 1]");
  check<ConfigError>(kdim_ > 0 && vdim_ > 0, "MultiHeadAttention: kdim ", kdim_, ", vdim ", vdim_,
                     "; expected 1 or more");
  const bool placed = options.rotary || options.alibi || window_.left >= 0 || window_.right >= 0;
  check<ConfigError>(
      !placed || !(options.add_bias_kv || add_zero_attn_),
      "MultiHeadAttention: keys that stand nowhere (add_bias_kv, add_zero_attn) with "
      "rotary, alibi or window; expected one or the other");
  make_projections(options.bias);
  const int64_t width = embed_dim / num_heads;
  if (options.add_bias_kv) {
    bias_k = Parameter(empty({1, 1, kv_heads_ * width}));
    bias_v = Parameter(empty({1, 1, kv_heads_ * width}));
    init::xavier_normal_(bias_k);
    init::xavier_normal_(bias_v);
  }
  if (options.rotary) rotary.emplace(width, *options.rotary);
  if (options.alibi) slopes_ = alibi_slopes(num_heads, DType::f64);
}

void MultiHeadAttention::make_projections(bool bias) {
  const int64_t e = embed_dim_, kv = kv_heads_ * (e / num_heads_);
  if (kdim_ == e && vdim_ == e) {
    in_proj_weight = Parameter(empty({e + 2 * kv, e}));
    init::xavier_uniform_(in_proj_weight);
  } else {
    q_proj_weight = Parameter(empty({e, e}));
    k_proj_weight = Parameter(empty({kv, kdim_}));
    v_proj_weight = Parameter(empty({kv, vdim_}));
    for (const Parameter* p : {&q_proj_weight, &k_proj_weight, &v_proj_weight}) {
      init::xavier_uniform_(*p);
    }
  }
  if (!bias) return;
  in_proj_bias = Parameter(zeros({e + 2 * kv}));
  init::zeros_(out_proj.bias);
}

void MultiHeadAttention::members(Visitor& v) {
  v("in_proj_weight", in_proj_weight);
  v("q_proj_weight", q_proj_weight);
  v("k_proj_weight", k_proj_weight);
  v("v_proj_weight", v_proj_weight);
  v("in_proj_bias", in_proj_bias);
  v("bias_k", bias_k);
  v("bias_v", bias_v);
  v("out_proj", out_proj);
  v("rotary", rotary);
}

AttentionCache MultiHeadAttention::make_cache(int64_t batch, int64_t max_len) const {
  check<ConfigError>(batch >= 1 && max_len >= 1, "MultiHeadAttention: a cache for ", batch,
                     " texts of ", max_len, " tokens; expected 1 or more");
  const Shape shape{batch, kv_heads_, max_len, embed_dim_ / num_heads_};
  const DType dtype = computed_in(out_proj.weight);
  return {empty(shape, dtype), empty(shape, dtype)};
}

void MultiHeadAttention::check_inputs(const Tensor& query, const Tensor& key,
                                      const Tensor& value) const {
  const int batch = batch_first_ ? 0 : 1;
  const auto fits = [&](const Tensor& x, int64_t width) {
    return x.dim() == query.dim() && x.size(-1) == width &&
           (x.dim() == 2 || x.size(batch) == query.size(batch));
  };
  const auto length = [&](const Tensor& x) { return x.size(x.dim() == 2 ? 0 : 1 - batch); };
  const char* order = batch_first_ ? "(B, L, " : "(L, B, ";
  const char* other = batch_first_ ? "(B, S, " : "(S, B, ";
  check<ShapeError>((query.dim() == 2 || query.dim() == 3) && fits(query, embed_dim_) &&
                        fits(key, kdim_) && fits(value, vdim_) && length(key) == length(value),
                    "MultiHeadAttention: query ", query.shape(), ", key ", key.shape(), ", value ",
                    value.shape(), "; expected ", order, embed_dim_, "), ", other, kdim_, "), ",
                    other, vdim_, "), or all of them without B");
}

void MultiHeadAttention::check_masks(int64_t batch, int64_t queries, int64_t keys,
                                     const MultiHeadAttentionForwardOptions& options) const {
  if (const Tensor& mask = options.attn_mask; mask.defined()) {
    check<DTypeError>(mask.dtype() == DType::boolean || is_floating_point(mask.dtype()),
                      "MultiHeadAttention: attn_mask of dtype ", mask.dtype(),
                      "; expected bool or a floating dtype");
    const Shape& s = mask.shape();
    const bool ok = s == Shape{queries, keys} || s == Shape{batch, queries, keys} ||
                    s == Shape{batch * num_heads_, queries, keys} ||
                    (s.rank() == 4 && (s[0] == batch || s[0] == 1) &&
                     (s[1] == num_heads_ || s[1] == 1) && s[2] == queries && s[3] == keys);
    check<ShapeError>(ok, "MultiHeadAttention: attn_mask of shape ", s, "; expected ",
                      Shape{queries, keys}, ", ", Shape{batch, queries, keys}, " or ",
                      Shape{batch, num_heads_, queries, keys});
  }
  if (const Tensor& padding = options.key_padding_mask; padding.defined()) {
    check<DTypeError>(padding.dtype() == DType::boolean || is_floating_point(padding.dtype()),
                      "MultiHeadAttention: key_padding_mask of dtype ", padding.dtype(),
                      "; expected bool, true for keys to ignore, or a floating dtype");
    check<ShapeError>(
        padding.shape() == Shape{batch, keys} || (batch == 1 && padding.shape() == Shape{keys}),
        "MultiHeadAttention: key_padding_mask of shape ", padding.shape(), "; expected ",
        Shape{batch, keys});
  }
}

// `positional`: with what positions keep from being seen, which the fused operator knows by itself.
MultiHeadAttention::Masks MultiHeadAttention::merge(const MultiHeadAttentionForwardOptions& options,
                                                    int64_t batch, int64_t queries, int64_t keys,
                                                    int64_t past, bool positional) const {
  Masks masks;
  if (const Tensor& mask = options.attn_mask; mask.defined()) {
    if (mask.dim() != 3) {
      masks.put(mask);
    } else {
      masks.put(mask.size(0) == batch ? unsqueeze(mask, 1)
                                      : reshape(mask, {batch, num_heads_, queries, keys}));
    }
  }
  if (options.key_padding_mask.defined()) {
    masks.put(reshape(options.key_padding_mask, {-1, 1, 1, keys}));
  }
  const bool others = bias_k.defined() || add_zero_attn_;
  if (options.is_causal &&
      (positional || others || masks.blocked.defined() || masks.added.defined())) {
    masks.block(gt(distances(queries, keys, past), 0));
  }
  if (positional && window_.left >= 0) {
    masks.block(lt(distances(queries, keys, past), -window_.left));
  }
  if (positional && window_.right >= 0) {
    masks.block(gt(distances(queries, keys, past), window_.right));
  }
  // Everybody sees the keys that stand nowhere.
  const int64_t more = (bias_k.defined() ? 1 : 0) + (add_zero_attn_ ? 1 : 0);
  if (more > 0 && masks.blocked.defined()) masks.blocked = pad(masks.blocked, {0, more});
  if (more > 0 && masks.added.defined()) masks.added = pad(masks.added, {0, more});
  return masks;
}

MultiHeadAttention::Heads MultiHeadAttention::project(const Tensor& query, const Tensor& key,
                                                      const Tensor& value, bool with_keys) const {
  const int64_t e = embed_dim_, kv = kv_heads_ * (e / num_heads_);
  const std::array<int64_t, 4> at{0, e, e + kv, e + 2 * kv};
  const std::array<int64_t, 3> sizes{e, kv, kv};
  const Tensor bias = in_proj_bias;
  const auto bias_part = [&](size_t i) {
    return bias.defined() ? slice(bias, 0, at[i], at[i + 1]) : Tensor();
  };
  const auto keys_of = [this](const Tensor& x) { return split_heads(x, kv_heads_); };
  if (!in_proj_weight.defined()) {
    const Tensor q = split_heads(linear(query, q_proj_weight, bias_part(0)), num_heads_);
    if (!with_keys) return {q, {}, {}};
    return {q, keys_of(linear(key, k_proj_weight, bias_part(1))),
            keys_of(linear(value, v_proj_weight, bias_part(2)))};
  }
  const Tensor weight = in_proj_weight;
  if (with_keys && query.impl() == key.impl() && key.impl() == value.impl()) {
    const std::vector<Tensor> parts = split(linear(query, weight, bias), sizes, -1);
    return {split_heads(parts[0], num_heads_), keys_of(parts[1]), keys_of(parts[2])};
  }
  const auto part = [&](const Tensor& x, size_t i) {
    return linear(x, slice(weight, 0, at[i], at[i + 1]), bias_part(i));
  };
  const Tensor q = split_heads(part(query, 0), num_heads_);
  if (!with_keys) return {q, {}, {}};
  return {q, keys_of(part(key, 1)), keys_of(part(value, 2))};
}

// The keys and values that do not come from the input.
MultiHeadAttention::Heads MultiHeadAttention::add_keys(Heads heads) const {
  const Shape one{heads.k.size(0), kv_heads_, 1, embed_dim_ / num_heads_};
  if (bias_k.defined()) {
    heads.k = cat({heads.k, expand(split_heads(bias_k, kv_heads_), one)}, 2);
    heads.v = cat({heads.v, expand(split_heads(bias_v, kv_heads_), one)}, 2);
  }
  if (add_zero_attn_) {
    heads.k = pad(heads.k, {0, 0, 0, 1});
    heads.v = pad(heads.v, {0, 0, 0, 1});
  }
  return heads;
}

void MultiHeadAttention::check_cache(const AttentionCache& cache, int64_t batch,
                                     int64_t added) const {
  check<AutogradError>(
      !grad_enabled(),
      "MultiHeadAttention: a cache while gradients are recorded, which cannot flow "
      "through it; expected NoGrad");
  if (cache.fixed) return;
  const int64_t end = cache.length + added;
  const auto fits = [&](const Tensor& x) {
    return x.defined() && x.dim() == 4 && x.size(0) == batch && x.size(1) == kv_heads_ &&
           x.size(3) == embed_dim_ / num_heads_ && end <= x.size(2);
  };
  check<ShapeError>(fits(cache.keys) && fits(cache.values), "MultiHeadAttention: ", added,
                    " tokens behind ", cache.length, " of a cache of shape ",
                    cache.keys.defined() ? cache.keys.shape() : Shape{},
                    "; expected it from make_cache(", batch, ", ", end, " or more)");
}

void MultiHeadAttention::append(Heads& heads, AttentionCache& cache) const {
  if (cache.fixed) {
    if (heads.k.defined()) {
      cache.keys = heads.k.contiguous();
      cache.values = heads.v.contiguous();
      cache.length = heads.k.size(2);
    }
    heads.k = cache.keys;
    heads.v = cache.values;
    return;
  }
  const int64_t past = cache.length;
  cache.length += heads.k.size(2);
  copy_(slice(cache.keys, 2, past, cache.length), heads.k);
  copy_(slice(cache.values, 2, past, cache.length), heads.v);
  heads.k = slice(cache.keys, 2, 0, cache.length);
  heads.v = slice(cache.values, 2, 0, cache.length);
}

// The same as scaled_dot_product_attention, by its definition, keeping the weights.
Tensor MultiHeadAttention::with_weights(const Heads& heads, const Masks& masks, int64_t past,
                                        const MultiHeadAttentionForwardOptions& options) const {
  const int64_t width = embed_dim_ / num_heads_, group = num_heads_ / kv_heads_;
  const double scale = 1 / std::sqrt(static_cast<double>(width));
  const auto shared = [group](const Tensor& x) {
    return group == 1 ? x : repeat_interleave(x, group, 1);
  };
  Tensor scores = matmul(heads.q * scale, transpose(shared(heads.k), -2, -1));
  Tensor unseen = masks.blocked;
  if (slopes_.defined()) {
    const Tensor distance = abs(distances(scores.size(2), scores.size(3), past));
    scores = scores - (reshape(slopes_, {-1, 1, 1}) * distance).to(scores.dtype());
  }
  if (masks.added.defined()) {
    scores = scores + masks.added;
    const Tensor never = eq(masks.added, -INFINITY);
    unseen = unseen.defined() ? where(unseen, true, never) : never;
  }
  // Not infinity: a row without any key must stay finite, also in its gradient, and becomes zeros.
  if (unseen.defined()) scores = masked_fill(scores, unseen, -1e30);
  Tensor weights = softmax(scores, -1);
  if (unseen.defined()) weights = masked_fill(weights, unseen, 0.0);
  if (is_training() && dropout_ > 0) weights = dropout(weights, dropout_);
  *options.weights = options.average_weights ? mean(weights, {1}) : weights;
  return matmul(weights, shared(heads.v));
}

Tensor MultiHeadAttention::attend(const Tensor& query, const Tensor& key, const Tensor& value,
                                  const MultiHeadAttentionForwardOptions& options) const {
  AttentionCache* const cache = options.cache;
  if (cache != nullptr) check_cache(*cache, query.size(0), key.size(1));
  const bool known = cache != nullptr && cache->fixed && cache->keys.defined();
  const int64_t past = cache != nullptr && !cache->fixed ? cache->length : 0;
  Heads heads = project(query, key, value, !known);
  if (rotary) {
    heads.q = (*rotary)(heads.q, {.offset = past});
    if (!known) heads.k = (*rotary)(heads.k, {.offset = past});
  }
  if (cache != nullptr) append(heads, *cache);
  const int64_t batch = query.size(0), queries = query.size(1), keys = heads.k.size(2);
  check_masks(batch, queries, keys, options);
  if (bias_k.defined() || add_zero_attn_) heads = add_keys(std::move(heads));
  const bool kept = options.weights != nullptr;
  const Masks masks = merge(options, batch, queries, keys, past, kept);
  Tensor y;  // (B, heads, L, E / heads)
  if (kept) {
    y = with_weights(heads, masks, past, options);
  } else {
    const bool masked = masks.blocked.defined() || masks.added.defined();
    AttentionOptions attention{.dropout_p = is_training() ? dropout_ : 0.0,
                               .is_causal = options.is_causal && !masked,
                               .enable_gqa = kv_heads_ != num_heads_,
                               .window = window_,
                               .alibi_slopes = slopes_,
                               .query_offset = past};
    if (!masks.added.defined()) {
      if (masked) attention.mask = eq(masks.blocked, false);
    } else if (!masks.blocked.defined()) {
      attention.mask = masks.added;
    } else {
      attention.mask = where(masks.blocked, -INFINITY, masks.added);
    }
    y = scaled_dot_product_attention(heads.q, heads.k, heads.v, attention);
  }
  return out_proj(reshape(transpose(y, 1, 2), {batch, queries, embed_dim_}));
}

Tensor MultiHeadAttention::forward(const Tensor& query, const Tensor& key, const Tensor& value,
                                   const MultiHeadAttentionForwardOptions& options) const {
  check_inputs(query, key, value);
  const bool single = query.dim() == 2;
  if (!single && batch_first_) return attend(query, key, value, options);
  // One sequence is a batch of one. Handles stay equal if they were: one product makes all three.
  const auto batched = [single](const Tensor& x) {
    return single ? unsqueeze(x, 0) : transpose(x, 0, 1);
  };
  const Tensor q = batched(query);
  const Tensor k = key.impl() == query.impl() ? q : batched(key);
  const Tensor v = value.impl() == key.impl() ? k : batched(value);
  const Tensor y = attend(q, k, v, options);
  if (!single) return transpose(y, 0, 1);
  if (options.weights != nullptr) *options.weights = squeeze(*options.weights, 0);
  return squeeze(y, 0);
}

}  // namespace adjoint::nn
