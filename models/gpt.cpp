#include <adjoint/core/attention.h>
#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/gpt.h>

#include <cmath>

#include "models/support/nearest.h"

namespace adjoint::models {
namespace {

// What a config.json may have: its text takes up to 24 times its size while it is read.
constexpr uint64_t kMaxConfig = uint64_t{512} << 10;

// A bool mask (new, past + new) that lets each position see itself and what came before.
Tensor causal_mask(int64_t past, int64_t count) {
  return tril(ones({count, past + count}, DType::boolean), past);
}

}  // namespace

void GptConfig::validate() const {
  // The bounds keep every size of a model, and their products, far from overflow.
  const auto in_range = [](const char* field, int64_t value, int64_t most) {
    check<ConfigError>(value >= 1 && value <= most, "GptConfig: ", field, " is ", value,
                       "; expected a value between 1 and ", most);
  };
  in_range("vocab_size", vocab_size, int64_t{1} << 24);
  in_range("block_size", block_size, int64_t{1} << 24);
  in_range("n_layer", n_layer, 4096);
  in_range("n_head", n_head, 4096);
  in_range("n_embd", n_embd, int64_t{1} << 18);
  check<ConfigError>(n_embd % n_head == 0, "GptConfig: n_embd is ", n_embd,
                     "; expected a multiple of n_head, which is ", n_head);
  check<ConfigError>(dropout >= 0 && dropout < 1, "GptConfig: dropout is ", dropout,
                     "; expected a value from 0 to below 1");
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
  std::vector<std::string> known;
  const Json fields = config.to_json();
  for (const auto& [key, value] : fields.members()) known.push_back(key);
  for (const auto& [key, value] : json.members()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const auto near = nearest(key, known);
    fail<ConfigError>("GptConfig: unknown field \"", key, "\"",
                      near ? "; did you mean \"" + *near + "\"?" : "");
  }
  const auto type = json.get<std::string>("model_type");
  check<ConfigError>(type == "gpt", "GptConfig: model_type is \"", type, "\"; expected \"gpt\"");
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

GptConfig GptConfig::load(const std::string& path) {
  const Json json = Json::load(path, kMaxConfig);
  try {
    return from_json(json);
  } catch (const ConfigError& error) {
    fail<ConfigError>(path, ": ", error.what());
  }
}

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
    copy_(slice(cache->keys, 2, past, past + t), k);
    copy_(slice(cache->values, 2, past, past + t), v);
    k = slice(cache->keys, 2, 0, past + t);
    v = slice(cache->values, 2, 0, past + t);
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
  check<ShapeError>(ids.dim() == 2 && ids.dtype() == DType::i64, "Gpt: ids of shape ", ids.shape(),
                    " and dtype ", ids.dtype(), "; expected (B, T) of i64");
  check<AutogradError>(cache == nullptr || !grad_enabled(),
                       "Gpt: a cache while gradients are recorded, which cannot flow through it; "
                       "expected NoGrad");
  const int64_t past = cache == nullptr ? 0 : cache->length, t = ids.size(1);
  const int64_t block_size = wpe.weight.size(0);
  check<ShapeError>(t >= 1 && past + t <= block_size, "Gpt: ", t, " tokens after ", past,
                    "; expected at least one and together at most block_size, ", block_size);
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
  check<ShapeError>(batch >= 1, "Gpt::make_cache: batch ", batch, "; expected at least 1");
  KvCache cache;
  const Shape shape{batch, config_.n_head, config_.block_size, config_.n_embd / config_.n_head};
  // What keys and values come in: autocast computes them in bf16.
  const DType weights = transformer.wte.weight.dtype();
  const DType dtype = autocast_enabled() && weights == DType::f32 ? DType::bf16 : weights;
  for (int64_t i = 0; i < config_.n_layer; ++i) {
    cache.layers.push_back({empty(shape, dtype), empty(shape, dtype)});
  }
  return cache;
}

Tensor Gpt::next_logits(const Tensor& ids, KvCache& cache) const {
  const NoGrad no_grad;
  const Shape shape = cache.layers.empty() ? Shape{} : cache.layers[0].keys.shape();
  check<ShapeError>(static_cast<int64_t>(cache.layers.size()) == config_.n_layer &&
                        ids.dim() == 2 && shape[0] == ids.size(0),
                    "Gpt::next_logits: ids of shape ", ids.shape(), " and a cache of ",
                    cache.layers.size(), " layers of shape ", shape,
                    "; expected make_cache(B) for ids (B, T)");
  const Tensor hidden = transformer(ids, &cache);  // (B, T, n_embd)
  return lm_head(select(hidden, 1, -1));
}

Gpt Gpt::load(const std::string& dir) {
  const std::string checkpoint = find_checkpoint(dir).path;
  const GptConfig config = GptConfig::load(checkpoint + "/config.json");
  const std::string file = checkpoint + "/model.safetensors";
  check_parameter_count(file, config.parameter_count());
  Generator generator;
  Gpt model(config, generator);
  load_weights(file, model);
  return model;
}

void Gpt::save(const std::string& dir) const {
  save_model_folder(dir, [this](io::AtomicDirectory& folder) {
    folder.write("config.json", config_.to_json().dump(2) + "\n");
    write_weights(folder, *this);
  });
}

}  // namespace adjoint::models
