#include <adjoint/core/dropout.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/init.h>
#include <adjoint/nn/transformer.h>

#include <cmath>

namespace adjoint::nn {
namespace {

MultiHeadAttentionOptions attention(const TransformerLayerOptions& options) {
  return {.dropout = options.dropout, .bias = options.bias, .batch_first = options.batch_first};
}

LayerNorm layer_norm(int64_t d_model, const TransformerLayerOptions& options) {
  return LayerNorm(d_model, {.eps = options.layer_norm_eps, .bias = options.bias});
}

template <class Layer>
std::vector<Layer> copies(const char* stack, const Layer& layer, int64_t count) {
  check<ConfigError>(count >= 0, stack, ": ", count, " layers; expected 0 or more");
  return std::vector<Layer>(static_cast<size_t>(count), layer);
}

// The cache of each layer, or none.
template <class Cache>
Cache* cache_of(const char* stack, std::vector<Cache>* caches, size_t layer, size_t layers) {
  if (caches == nullptr) return nullptr;
  check(caches->size() == layers, stack, ": caches of ", caches->size(), " layers; expected ",
        layers, ", as make_cache() gives");
  return &(*caches)[layer];
}

}  // namespace

// --- feed-forward ---

FeedForward::FeedForward(int64_t d_model, int64_t dim_feedforward,
                         const FeedForwardOptions& options)
    : linear1(d_model, dim_feedforward, {.bias = options.bias}),
      dropout(options.dropout),
      linear2(dim_feedforward, d_model, {.bias = options.bias}),
      activation_(options.activation) {}

Tensor FeedForward::forward(const Tensor& x) const {
  return linear2(dropout(activation_.after(linear1, x)));
}

void FeedForward::members(Visitor& v) {
  v("linear1", linear1);
  v("dropout", dropout);
  v("linear2", linear2);
}

SwiGLU::SwiGLU(int64_t d_model, int64_t hidden, const SwiGluOptions& options)
    : gate_proj(d_model, hidden, {.bias = options.bias}),
      up_proj(d_model, hidden, {.bias = options.bias}),
      down_proj(hidden, d_model, {.bias = options.bias}) {}

Tensor SwiGLU::forward(const Tensor& x) const {
  return down_proj(gate_proj.activated(x, Activation::silu) * up_proj(x));
}

void SwiGLU::members(Visitor& v) {
  v("gate_proj", gate_proj);
  v("up_proj", up_proj);
  v("down_proj", down_proj);
}

// --- layer of an encoder ---

TransformerEncoderLayer::TransformerEncoderLayer(int64_t d_model, int64_t nhead,
                                                 const TransformerLayerOptions& options)
    : self_attn(d_model, nhead, attention(options)),
      linear1(d_model, options.dim_feedforward, {.bias = options.bias}),
      dropout(options.dropout),
      linear2(options.dim_feedforward, d_model, {.bias = options.bias}),
      norm1(layer_norm(d_model, options)),
      norm2(layer_norm(d_model, options)),
      dropout1(options.dropout),
      dropout2(options.dropout),
      activation_(options.activation),
      norm_first_(options.norm_first),
      causal_(options.causal) {}

Tensor TransformerEncoderLayer::attend(const Tensor& x,
                                       const TransformerEncoderLayerForwardOptions& options) const {
  const Tensor y = self_attn(x, {.attn_mask = options.src_mask,
                                 .key_padding_mask = options.src_key_padding_mask,
                                 .is_causal = causal_ || options.is_causal,
                                 .cache = options.cache});
  return dropout1(y);
}

Tensor TransformerEncoderLayer::feed_forward(const Tensor& x) const {
  return dropout2(linear2(dropout(activation_.after(linear1, x))));
}

Tensor TransformerEncoderLayer::forward(
    const Tensor& x, const TransformerEncoderLayerForwardOptions& options) const {
  if (norm_first_) {
    const auto [y, normalized] = norm2.add(x, attend(norm1(x), options));
    return y + feed_forward(normalized);
  }
  const Tensor y = norm1.add(x, attend(x, options)).normalized;
  return norm2.add(y, feed_forward(y)).normalized;
}

void TransformerEncoderLayer::members(Visitor& v) {
  v("self_attn", self_attn);
  v("linear1", linear1);
  v("dropout", dropout);
  v("linear2", linear2);
  v("norm1", norm1);
  v("norm2", norm2);
  v("dropout1", dropout1);
  v("dropout2", dropout2);
}

// --- layer of a decoder ---

TransformerDecoderLayer::TransformerDecoderLayer(int64_t d_model, int64_t nhead,
                                                 const TransformerLayerOptions& options)
    : self_attn(d_model, nhead, attention(options)),
      multihead_attn(d_model, nhead, attention(options)),
      linear1(d_model, options.dim_feedforward, {.bias = options.bias}),
      dropout(options.dropout),
      linear2(options.dim_feedforward, d_model, {.bias = options.bias}),
      norm1(layer_norm(d_model, options)),
      norm2(layer_norm(d_model, options)),
      norm3(layer_norm(d_model, options)),
      dropout1(options.dropout),
      dropout2(options.dropout),
      dropout3(options.dropout),
      activation_(options.activation),
      norm_first_(options.norm_first),
      causal_(options.causal) {}

Tensor TransformerDecoderLayer::attend(const Tensor& x,
                                       const TransformerDecoderLayerForwardOptions& options) const {
  AttentionCache* const cache = options.cache == nullptr ? nullptr : &options.cache->self;
  const Tensor y = self_attn(x, {.attn_mask = options.tgt_mask,
                                 .key_padding_mask = options.tgt_key_padding_mask,
                                 .is_causal = causal_ || options.tgt_is_causal,
                                 .cache = cache});
  return dropout1(y);
}

Tensor TransformerDecoderLayer::attend_memory(
    const Tensor& x, const Tensor& memory,
    const TransformerDecoderLayerForwardOptions& options) const {
  AttentionCache* const cache = options.cache == nullptr ? nullptr : &options.cache->memory;
  const Tensor y = multihead_attn(x, memory, memory,
                                  {.attn_mask = options.memory_mask,
                                   .key_padding_mask = options.memory_key_padding_mask,
                                   .is_causal = options.memory_is_causal,
                                   .cache = cache});
  return dropout2(y);
}

Tensor TransformerDecoderLayer::feed_forward(const Tensor& x) const {
  return dropout3(linear2(dropout(activation_.after(linear1, x))));
}

Tensor TransformerDecoderLayer::forward(
    const Tensor& tgt, const Tensor& memory,
    const TransformerDecoderLayerForwardOptions& options) const {
  if (norm_first_) {
    const auto own = norm2.add(tgt, attend(norm1(tgt), options));
    const auto both = norm3.add(own.sum, attend_memory(own.normalized, memory, options));
    return both.sum + feed_forward(both.normalized);
  }
  const Tensor own = norm1.add(tgt, attend(tgt, options)).normalized;
  const Tensor both = norm2.add(own, attend_memory(own, memory, options)).normalized;
  return norm3.add(both, feed_forward(both)).normalized;
}

void TransformerDecoderLayer::members(Visitor& v) {
  v("self_attn", self_attn);
  v("multihead_attn", multihead_attn);
  v("linear1", linear1);
  v("dropout", dropout);
  v("linear2", linear2);
  v("norm1", norm1);
  v("norm2", norm2);
  v("norm3", norm3);
  v("dropout1", dropout1);
  v("dropout2", dropout2);
  v("dropout3", dropout3);
}

// --- stacks ---

TransformerEncoder::TransformerEncoder(const TransformerEncoderLayer& layer, int64_t num_layers,
                                       std::optional<AnyModule> last)
    : layers(copies("TransformerEncoder", layer, num_layers)), norm(std::move(last)) {}

Tensor TransformerEncoder::forward(const Tensor& src,
                                   const TransformerEncoderForwardOptions& options) const {
  Tensor x = src;
  for (size_t i = 0; i < layers.size(); ++i) {
    x = layers[i](x, {.src_mask = options.mask,
                      .src_key_padding_mask = options.src_key_padding_mask,
                      .is_causal = options.is_causal,
                      .cache = cache_of("TransformerEncoder", options.cache, i, layers.size())});
  }
  return norm ? (*norm)(x) : x;
}

void TransformerEncoder::members(Visitor& v) {
  v("layers", layers);
  v("norm", norm);
}

std::vector<AttentionCache> TransformerEncoder::make_cache(int64_t batch, int64_t max_len) const {
  std::vector<AttentionCache> caches;
  for (const auto& layer : layers) caches.push_back(layer.self_attn.make_cache(batch, max_len));
  return caches;
}

TransformerDecoder::TransformerDecoder(const TransformerDecoderLayer& layer, int64_t num_layers,
                                       std::optional<AnyModule> last)
    : layers(copies("TransformerDecoder", layer, num_layers)), norm(std::move(last)) {}

Tensor TransformerDecoder::forward(const Tensor& tgt, const Tensor& memory,
                                   const TransformerDecoderForwardOptions& options) const {
  Tensor x = tgt;
  for (size_t i = 0; i < layers.size(); ++i) {
    x = layers[i](x, memory,
                  {.tgt_mask = options.tgt_mask,
                   .memory_mask = options.memory_mask,
                   .tgt_key_padding_mask = options.tgt_key_padding_mask,
                   .memory_key_padding_mask = options.memory_key_padding_mask,
                   .tgt_is_causal = options.tgt_is_causal,
                   .memory_is_causal = options.memory_is_causal,
                   .cache = cache_of("TransformerDecoder", options.cache, i, layers.size())});
  }
  return norm ? (*norm)(x) : x;
}

void TransformerDecoder::members(Visitor& v) {
  v("layers", layers);
  v("norm", norm);
}

std::vector<TransformerDecoderLayerCache> TransformerDecoder::make_cache(int64_t batch,
                                                                         int64_t max_len) const {
  std::vector<TransformerDecoderLayerCache> caches;
  for (const auto& layer : layers) {
    caches.push_back({.self = layer.self_attn.make_cache(batch, max_len)});
  }
  return caches;
}

// --- both ---

Transformer::Transformer(int64_t d_model, int64_t nhead, const TransformerOptions& options)
    : encoder(TransformerEncoderLayer(d_model, nhead, options.layer), options.num_encoder_layers,
              layer_norm(d_model, options.layer)),
      decoder(TransformerDecoderLayer(d_model, nhead, options.layer), options.num_decoder_layers,
              layer_norm(d_model, options.layer)) {
  for (const NamedSlot& p : parameters()) {
    if (p.slot->stored().dim() > 1) init::xavier_uniform_(p.slot->stored());
  }
}

Tensor Transformer::forward(const Tensor& src, const Tensor& tgt,
                            const TransformerForwardOptions& options) const {
  const Tensor memory = encoder(src, {.mask = options.src_mask,
                                      .src_key_padding_mask = options.src_key_padding_mask,
                                      .is_causal = options.src_is_causal});
  return decoder(tgt, memory,
                 {.tgt_mask = options.tgt_mask,
                  .memory_mask = options.memory_mask,
                  .tgt_key_padding_mask = options.tgt_key_padding_mask,
                  .memory_key_padding_mask = options.memory_key_padding_mask,
                  .tgt_is_causal = options.tgt_is_causal,
                  .memory_is_causal = options.memory_is_causal});
}

void Transformer::members(Visitor& v) {
  v("encoder", encoder);
  v("decoder", decoder);
}

Tensor Transformer::generate_square_subsequent_mask(int64_t size, DType dtype) {
  return triu(full({size, size}, -INFINITY, dtype), 1);
}

}  // namespace adjoint::nn
