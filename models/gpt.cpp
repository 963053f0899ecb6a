#include <adjoint/core/attention.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/models/gpt.h>

#include <cmath>

#include "models/support/config_fields.h"
#include "models/support/kv_cache.h"

namespace adjoint::models {
namespace {

constexpr const char* kConfig = "GptConfig";

// A bool mask (new, past + new) that lets each position see itself and what came before.
Tensor causal_mask(int64_t past, int64_t count) {
  return tril(ones({count, past + count}, DType::boolean), past);
}

}  // namespace

void GptConfig::validate() const {
  // The bounds keep every size of a model, and their products, far from overflow.
  check_config_range(kConfig, "vocab_size", vocab_size, 1, int64_t{1} << 24);
  check_config_range(kConfig, "block_size", block_size, 1, int64_t{1} << 24);
  check_config_range(kConfig, "n_layer", n_layer, 1, 4096);
  check_config_range(kConfig, "n_head", n_head, 1, 4096);
  check_config_range(kConfig, "n_embd", n_embd, 1, int64_t{1} << 18);
  check<ConfigError>(n_embd % n_head == 0, "GptConfig: n_embd is ", n_embd,
                     "; expected a multiple of n_head, which is ", n_head);
  check_config_chance(kConfig, "dropout", dropout);
}

int64_t GptConfig::parameter_count() const {
  const int64_t b = bias ? 1 : 0, c = n_embd;
  const int64_t norm = c + b * c;
  const int64_t attention = 3 * c * c + b * 3 * c + c * c + b * c;
  const int64_t mlp = 4 * c * c + b * 4 * c + 4 * c * c + b * c;
  return (vocab_size + block_size) * c + n_layer * (2 * norm + attention + mlp) + norm;
}

Json GptConfig::to_json() const {
  return Json::object({{"model_type", "gpt"},
                       {"vocab_size", vocab_size},
                       {"block_size", block_size},
                       {"n_layer", n_layer},
                       {"n_head", n_head},
                       {"n_embd", n_embd},
                       {"dropout", dropout},
                       {"bias", bias}});
}

GptConfig GptConfig::from_json(const Json& json) {
  GptConfig config;
  check_config_fields(kConfig, json, config.to_json());
  config.vocab_size = json.get<int64_t>("vocab_size");
  config.block_size = json.get<int64_t>("block_size");
  config.n_layer = json.get<int64_t>("n_layer");
  config.n_head = json.get<int64_t>("n_head");
  config.n_embd = json.get<int64_t>("n_embd");
  config.dropout = json.get_or<double>(config.dropout, "dropout");
  config.bias = json.get_or<bool>(config.bias, "bias");
  config.validate();
  return config;
}

GptConfig GptConfig::load(const std::string& path) { return load_config<GptConfig>(path); }

GptAttention::GptAttention(const GptConfig& config)
    : c_attn(config.n_embd, 3 * config.n_embd, {.bias = config.bias}),
      c_proj(config.n_embd, config.n_embd, {.bias = config.bias}),
      n_head_(config.n_head),
      dropout_(config.dropout) {}

Tensor GptAttention::forward(const Tensor& x, const KvCache::Layer* cache, int64_t past) const {
  const int64_t b = x.size(0), t = x.size(1), c = x.size(2);
  const std::vector<Tensor> qkv = split(c_attn(x), c, 2);
  const auto heads = [&](const Tensor& part) {  // a view: (B, n_head, T, c / n_head)
    return part.view({b, t, n_head_, c / n_head_}).transpose(1, 2);
  };
  const Tensor q = heads(qkv[0]);
  Tensor k = heads(qkv[1]), v = heads(qkv[2]);
  AttentionOptions options{.dropout_p = is_training() ? dropout_ : 0.0, .is_causal = true};
  if (cache != nullptr) {
    append_to_cache(*cache, past, k, v);
    // One query sees all keys; several after others need a mask that is not square.
    options.is_causal = past == 0;
    if (past > 0 && t > 1) options.mask = causal_mask(past, t);
  }
  const Tensor y = scaled_dot_product_attention(q, k, v, options);
  return dropout(c_proj(y.transpose(1, 2).reshape({b, t, c})), dropout_, is_training());
}

void GptAttention::members(nn::Visitor& v) {
  v("c_attn", c_attn);
  v("c_proj", c_proj);
}

GptMlp::GptMlp(const GptConfig& config)
    : c_fc(config.n_embd, 4 * config.n_embd, {.bias = config.bias}),
      c_proj(4 * config.n_embd, config.n_embd, {.bias = config.bias}),
      dropout_(config.dropout) {}

Tensor GptMlp::forward(const Tensor& x) const {
  return dropout(c_proj(c_fc.activated(x, nn::Activation::gelu_tanh)), dropout_, is_training());
}

void GptMlp::members(nn::Visitor& v) {
  v("c_fc", c_fc);
  v("c_proj", c_proj);
}

GptBlock::GptBlock(const GptConfig& config)
    : ln_1(config.n_embd, {.bias = config.bias}),
      attn(config),
      ln_2(config.n_embd, {.bias = config.bias}),
      mlp(config) {}

Tensor GptBlock::forward(const Tensor& x, const KvCache::Layer* cache, int64_t past) const {
  const auto [y, normalized] = ln_2.add(x, attn(ln_1(x), cache, past));
  return y + mlp(normalized);
}

void GptBlock::members(nn::Visitor& v) {
  v("ln_1", ln_1);
  v("attn", attn);
  v("ln_2", ln_2);
  v("mlp", mlp);
}

GptTransformer::GptTransformer(const GptConfig& config)
    : wte(config.vocab_size, config.n_embd),
      wpe(config.block_size, config.n_embd),
      ln_f(config.n_embd, {.bias = config.bias}),
      dropout_(config.dropout) {
  h.reserve(static_cast<size_t>(config.n_layer));
  for (int64_t i = 0; i < config.n_layer; ++i) h.emplace_back(config);
}

Tensor GptTransformer::forward(const Tensor& ids, KvCache* cache) const {
  const int64_t past = check_context("Gpt", ids, cache, "block_size", wpe.weight.size(0));
  const int64_t t = ids.size(1);
  const Tensor positions = slice(wpe.weight, 0, past, past + t);  // (T, n_embd)
  Tensor x = dropout(wte(ids) + positions, dropout_, is_training());
  for (size_t i = 0; i < h.size(); ++i) {
    x = h[i](x, cache == nullptr ? nullptr : &cache->layers[i], past);
  }
  if (cache != nullptr) cache->length += t;
  return ln_f(x);
}

void GptTransformer::members(nn::Visitor& v) {
  v("wte", wte);
  v("wpe", wpe);
  v("h", h);
  v("ln_f", ln_f);
}

Gpt::Gpt(const GptConfig& config, Generator& generator)
    : lm_head((config.validate(), config.n_embd), config.vocab_size, {.bias = false}),
      transformer(config),
      config_(config) {
  const double residual = 0.02 / std::sqrt(2.0 * static_cast<double>(config.n_layer));
  const NoGrad no_grad;
  for (const NamedSlot& parameter : parameters()) {
    const std::string& name = parameter.name;
    const Tensor& value = parameter.slot->stored();
    if (name.ends_with("c_proj.weight")) {
      normal_(value, 0, residual, generator);
    } else if (name.ends_with(".bias")) {
      zero_(value);
    } else if (value.dim() == 2) {
      normal_(value, 0, 0.02, generator);
    }
  }
}

void Gpt::members(nn::Visitor& v) {
  v("transformer", transformer);
  v("lm_head", lm_head);
  v.tie(lm_head.weight, transformer.wte.weight);
}

std::string Gpt::describe() const {
  return "n_layer=" + std::to_string(config_.n_layer) +
         ", n_head=" + std::to_string(config_.n_head) +
         ", n_embd=" + std::to_string(config_.n_embd) +
         ", block_size=" + std::to_string(config_.block_size) +
         ", vocab_size=" + std::to_string(config_.vocab_size);
}

Tensor Gpt::forward(const Tensor& ids) const { return lm_head(transformer(ids)); }

Tensor Gpt::loss(const Tensor& ids, const Tensor& targets) const {
  if (hooked() || lm_head.hooked()) {  // somebody wants to see the logits
    const Tensor logits = (*this)(ids);
    return cross_entropy(logits.reshape({-1, config_.vocab_size}), targets.reshape({-1}));
  }
  const Tensor hidden = within([&] { return transformer(ids); });  // (B, T, n_embd)
  return linear_cross_entropy(hidden, lm_head.weight, targets);
}

KvCache Gpt::make_cache(int64_t batch) const {
  return make_kv_cache("Gpt", config_.n_layer,
                       {batch, config_.n_head, config_.block_size, config_.n_embd / config_.n_head},
                       transformer.wte.weight.dtype());
}

Tensor Gpt::next_logits(const Tensor& ids) const {
  const NoGrad no_grad;
  return lm_head(select(transformer(ids), 1, -1));
}

Tensor Gpt::next_logits(const Tensor& ids, KvCache& cache) const {
  const NoGrad no_grad;
  check_cache("Gpt", ids, cache, config_.n_layer);
  return lm_head(select(transformer(ids, &cache), 1, -1));
}

Gpt Gpt::load(const std::string& dir) { return load_model<Gpt, GptConfig>(dir); }

}  // namespace adjoint::models
