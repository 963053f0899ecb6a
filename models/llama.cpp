#include <adjoint/core/attention.h>
#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/models/llama.h>

#include <cmath>

#include "models/support/config_fields.h"
#include "models/support/kv_cache.h"

namespace adjoint::models {
namespace {

constexpr const char* kConfig = "LlamaConfig";

}  // namespace

void LlamaConfig::validate() const {
  // The bounds keep every size of a model, and their products, far from overflow.
  check_config_range(kConfig, "vocab_size", vocab_size, 1, int64_t{1} << 24);
  check_config_range(kConfig, "max_position_embeddings", max_position_embeddings, 1,
                     int64_t{1} << 24);
  check_config_range(kConfig, "num_hidden_layers", num_hidden_layers, 1, 4096);
  check_config_range(kConfig, "num_attention_heads", num_attention_heads, 1, 4096);
  check_config_range(kConfig, "num_key_value_heads", num_key_value_heads, 1, num_attention_heads);
  check_config_range(kConfig, "hidden_size", hidden_size, 1, int64_t{1} << 18);
  check_config_range(kConfig, "intermediate_size", intermediate_size, 1, int64_t{1} << 20);
  check<ConfigError>(num_attention_heads % num_key_value_heads == 0,
                     "LlamaConfig: num_key_value_heads is ", num_key_value_heads,
                     "; expected a divisor of num_attention_heads, which is ", num_attention_heads);
  check<ConfigError>(hidden_size % (2 * num_attention_heads) == 0, "LlamaConfig: hidden_size is ",
                     hidden_size, "; expected an even multiple of num_attention_heads, which is ",
                     num_attention_heads);
  check<ConfigError>(rms_norm_eps > 0 && rms_norm_eps < 1, "LlamaConfig: rms_norm_eps is ",
                     rms_norm_eps, "; expected a value between 0 and 1");
  check<ConfigError>(rope_theta > 1 && std::isfinite(rope_theta), "LlamaConfig: rope_theta is ",
                     rope_theta, "; expected a value above 1");
  check_config_chance(kConfig, "dropout", dropout);
}

int64_t LlamaConfig::parameter_count() const {
  const int64_t c = hidden_size, kv = c / num_attention_heads * num_key_value_heads;
  const int64_t layer = 2 * c * c + 2 * c * kv + 3 * c * intermediate_size + 2 * c;
  return (tie_word_embeddings ? 1 : 2) * vocab_size * c + num_hidden_layers * layer + c;
}

Json LlamaConfig::to_json() const {
  return Json::object({{"model_type", "llama"},
                       {"vocab_size", vocab_size},
                       {"max_position_embeddings", max_position_embeddings},
                       {"num_hidden_layers", num_hidden_layers},
                       {"num_attention_heads", num_attention_heads},
                       {"num_key_value_heads", num_key_value_heads},
                       {"hidden_size", hidden_size},
                       {"intermediate_size", intermediate_size},
                       {"rms_norm_eps", rms_norm_eps},
                       {"rope_theta", rope_theta},
                       {"tie_word_embeddings", tie_word_embeddings},
                       {"dropout", dropout}});
}

LlamaConfig LlamaConfig::from_json(const Json& json) {
  LlamaConfig config;
  check_config_fields(kConfig, json, config.to_json());
  config.vocab_size = json.get<int64_t>("vocab_size");
  config.max_position_embeddings = json.get<int64_t>("max_position_embeddings");
  config.num_hidden_layers = json.get<int64_t>("num_hidden_layers");
  config.num_attention_heads = json.get<int64_t>("num_attention_heads");
  config.num_key_value_heads =
      json.get_or<int64_t>(config.num_attention_heads, "num_key_value_heads");
  config.hidden_size = json.get<int64_t>("hidden_size");
  config.intermediate_size = json.get<int64_t>("intermediate_size");
  config.rms_norm_eps = json.get_or<double>(config.rms_norm_eps, "rms_norm_eps");
  config.rope_theta = json.get_or<double>(config.rope_theta, "rope_theta");
  config.tie_word_embeddings = json.get_or<bool>(config.tie_word_embeddings, "tie_word_embeddings");
  config.dropout = json.get_or<double>(config.dropout, "dropout");
  config.validate();
  return config;
}

LlamaConfig LlamaConfig::load(const std::string& path) { return load_config<LlamaConfig>(path); }

int64_t LlamaConfig::default_intermediate_size(int64_t hidden_size) {
  constexpr int64_t kMultiple = 32;
  return (hidden_size * 8 / 3 + kMultiple - 1) / kMultiple * kMultiple;
}

// --- attention ---

LlamaAttention::LlamaAttention(const LlamaConfig& config)
    : q_proj(config.hidden_size, config.hidden_size, {.bias = false}),
      k_proj(config.hidden_size,
             config.hidden_size / config.num_attention_heads * config.num_key_value_heads,
             {.bias = false}),
      v_proj(config.hidden_size, k_proj.out_features(), {.bias = false}),
      o_proj(config.hidden_size, config.hidden_size, {.bias = false}),
      head_dim_(config.hidden_size / config.num_attention_heads),
      dropout_(config.dropout) {}

Tensor LlamaAttention::forward(const Tensor& x, const nn::RotaryEmbedding& rotary,
                               const KvCache::Layer* cache, int64_t past) const {
  const int64_t b = x.size(0), t = x.size(1);
  const auto heads = [&](const Tensor& part) {  // a view: (B, heads, T, head_dim)
    return part.view({b, t, part.size(2) / head_dim_, head_dim_}).transpose(1, 2);
  };
  const Tensor q = rotary(heads(q_proj(x)), {.offset = past});
  Tensor k = rotary(heads(k_proj(x)), {.offset = past}), v = heads(v_proj(x));
  if (cache != nullptr) append_to_cache(*cache, past, k, v);
  const Tensor y = scaled_dot_product_attention(q, k, v,
                                                {.dropout_p = is_training() ? dropout_ : 0.0,
                                                 .is_causal = true,
                                                 .enable_gqa = k.size(1) != q.size(1),
                                                 .query_offset = past});
  return o_proj(y.transpose(1, 2).reshape({b, t, q.size(1) * head_dim_}));
}

void LlamaAttention::members(nn::Visitor& v) {
  v("q_proj", q_proj);
  v("k_proj", k_proj);
  v("v_proj", v_proj);
  v("o_proj", o_proj);
}

// --- layers ---

LlamaLayer::LlamaLayer(const LlamaConfig& config)
    : input_layernorm(config.hidden_size, {.eps = config.rms_norm_eps}),
      self_attn(config),
      post_attention_layernorm(config.hidden_size, {.eps = config.rms_norm_eps}),
      mlp(config.hidden_size, config.intermediate_size),
      dropout_(config.dropout) {}

Tensor LlamaLayer::forward(const Tensor& x, const nn::RotaryEmbedding& rotary,
                           const KvCache::Layer* cache, int64_t past) const {
  const Tensor attended = self_attn(input_layernorm(x), rotary, cache, past);
  const Tensor y = x + dropout(attended, dropout_, is_training());
  return y + dropout(mlp(post_attention_layernorm(y)), dropout_, is_training());
}

void LlamaLayer::members(nn::Visitor& v) {
  v("input_layernorm", input_layernorm);
  v("self_attn", self_attn);
  v("post_attention_layernorm", post_attention_layernorm);
  v("mlp", mlp);
}

LlamaModel::LlamaModel(const LlamaConfig& config)
    : embed_tokens(config.vocab_size, config.hidden_size),
      norm(config.hidden_size, {.eps = config.rms_norm_eps}),
      rotary_emb(config.hidden_size / config.num_attention_heads,
                 {.base = config.rope_theta, .max_len = config.max_position_embeddings}),
      max_length_(config.max_position_embeddings),
      dropout_(config.dropout) {
  layers.reserve(static_cast<size_t>(config.num_hidden_layers));
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) layers.emplace_back(config);
}

Tensor LlamaModel::forward(const Tensor& ids, KvCache* cache) const {
  const int64_t past = check_context("Llama", ids, cache, "max_position_embeddings", max_length_);
  Tensor x = dropout(embed_tokens(ids), dropout_, is_training());
  for (size_t i = 0; i < layers.size(); ++i) {
    x = layers[i](x, rotary_emb, cache == nullptr ? nullptr : &cache->layers[i], past);
  }
  if (cache != nullptr) cache->length += ids.size(1);
  return norm(x);
}

void LlamaModel::members(nn::Visitor& v) {
  v("embed_tokens", embed_tokens);
  v("layers", layers);
  v("norm", norm);
  v("rotary_emb", rotary_emb);
}

// --- the whole ---

Llama::Llama(const LlamaConfig& config, Generator& generator)
    : model((config.validate(), config)),
      lm_head(config.hidden_size, config.vocab_size, {.bias = false}),
      config_(config) {
  const double residual = 0.02 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  const NoGrad no_grad;
  for (const NamedSlot& parameter : parameters()) {
    const Tensor& value = parameter.slot->stored();
    if (value.dim() < 2) continue;
    const bool back =
        parameter.name.ends_with("o_proj.weight") || parameter.name.ends_with("down_proj.weight");
    normal_(value, 0, back ? residual : 0.02, generator);
  }
}

void Llama::members(nn::Visitor& v) {
  v("model", model);
  v("lm_head", lm_head);
  if (config_.tie_word_embeddings) v.tie(lm_head.weight, model.embed_tokens.weight);
}

std::string Llama::describe() const {
  return "num_hidden_layers=" + std::to_string(config_.num_hidden_layers) +
         ", num_attention_heads=" + std::to_string(config_.num_attention_heads) +
         ", num_key_value_heads=" + std::to_string(config_.num_key_value_heads) +
         ", hidden_size=" + std::to_string(config_.hidden_size) +
         ", max_position_embeddings=" + std::to_string(config_.max_position_embeddings) +
         ", vocab_size=" + std::to_string(config_.vocab_size);
}

Tensor Llama::forward(const Tensor& ids) const { return lm_head(model(ids)); }

Tensor Llama::loss(const Tensor& ids, const Tensor& targets) const {
  if (hooked() || lm_head.hooked()) {  // somebody wants to see the logits
    const Tensor logits = (*this)(ids);
    return cross_entropy(logits.reshape({-1, config_.vocab_size}), targets.reshape({-1}));
  }
  const Tensor hidden = within([&] { return model(ids); });  // (B, T, hidden_size)
  return linear_cross_entropy(hidden, lm_head.weight, targets);
}

KvCache Llama::make_cache(int64_t batch) const {
  const int64_t width = config_.hidden_size / config_.num_attention_heads;
  return make_kv_cache("Llama", config_.num_hidden_layers,
                       {batch, config_.num_key_value_heads, config_.max_position_embeddings, width},
                       model.embed_tokens.weight.dtype());
}

Tensor Llama::next_logits(const Tensor& ids) const {
  const NoGrad no_grad;
  return lm_head(select(model(ids), 1, -1));
}

Tensor Llama::next_logits(const Tensor& ids, KvCache& cache) const {
  const NoGrad no_grad;
  check_cache("Llama", ids, cache, config_.num_hidden_layers);
  return lm_head(select(model(ids, &cache), 1, -1));
}

Llama Llama::load(const std::string& dir) { return load_model<Llama, LlamaConfig>(dir); }

}  // namespace adjoint::models
