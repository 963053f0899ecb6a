// GPT: a Transformer that predicts the next token.
//
// The architecture is GPT-2's (Radford et al. 2019): pre-norm blocks, learned positions, GELU in
// the tanh form, an output layer tied to the token embedding. Names are nanoGPT's, such as
// "transformer.h.0.attn.c_attn.weight"; Linear weights are (out, in).
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/core/random.h>
#include <adjoint/models/language_model.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/normalization.h>

#include <cstdint>
#include <string>
#include <vector>

namespace adjoint::models {

struct GptConfig {
  int64_t vocab_size = 256;
  int64_t block_size = 64;  // the longest context, in tokens
  int64_t n_layer = 4;
  int64_t n_head = 4;
  int64_t n_embd = 128;  // the width
  double dropout = 0.0;
  bool bias = true;  // in Linear and LayerNorm

  // Throws ConfigError naming the field, its value and the range.
  void validate() const;

  // The parameters of such a model, the tied output layer counted once.
  int64_t parameter_count() const;

  // Every field by its name, and "model_type": "gpt". Reading throws ConfigError for a field that
  // is unknown (naming the nearest known one) or out of range, IoError for one that is missing (a
  // field with a default may be) or of another type.
  Json to_json() const;
  static GptConfig from_json(const Json& json);
  static GptConfig load(const std::string& path);

  bool operator==(const GptConfig& other) const = default;
};

class GptAttention : public nn::Module<GptAttention> {
 public:
  explicit GptAttention(const GptConfig& config);
  // x (B, T, n_embd). With a cache, x are the positions from `past` on, and see those before; the
  // new keys and values are written behind the old ones.
  Tensor forward(const Tensor& x, const KvCache::Layer* cache = nullptr, int64_t past = 0) const;
  void members(nn::Visitor& v) override;

  nn::Linear c_attn;  // n_embd -> 3 n_embd: queries, keys, values
  nn::Linear c_proj;

 private:
  int64_t n_head_;
  double dropout_;
};

class GptMlp : public nn::Module<GptMlp> {
 public:
  explicit GptMlp(const GptConfig& config);
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  nn::Linear c_fc;  // n_embd -> 4 n_embd
  nn::Linear c_proj;

 private:
  double dropout_;
};

class GptBlock : public nn::Module<GptBlock> {
 public:
  explicit GptBlock(const GptConfig& config);
  Tensor forward(const Tensor& x, const KvCache::Layer* cache = nullptr, int64_t past = 0) const;
  void members(nn::Visitor& v) override;

  nn::LayerNorm ln_1;
  GptAttention attn;
  nn::LayerNorm ln_2;
  GptMlp mlp;
};

class GptTransformer : public nn::Module<GptTransformer> {
 public:
  explicit GptTransformer(const GptConfig& config);
  // ids (B, T) -> (B, T, n_embd), after the last norm.
  Tensor forward(const Tensor& ids, KvCache* cache = nullptr) const;
  void members(nn::Visitor& v) override;

  nn::Embedding wte, wpe;
  std::vector<GptBlock> h;
  nn::LayerNorm ln_f;

 private:
  double dropout_;
};

class Gpt : public nn::Module<Gpt>, public LanguageModel {
 public:
  // Weights as GPT-2: normal with standard deviation 0.02, the projections back into the residual
  // stream 0.02 / sqrt(2 n_layer), biases 0; from the generator, in a fixed order.
  explicit Gpt(const GptConfig& config, Generator& generator = default_generator());

  // ids (B, T), i64, T <= block_size -> logits (B, T, vocab_size).
  Tensor forward(const Tensor& ids) const;
  Tensor loss(const Tensor& ids, const Tensor& targets) const override;
  KvCache make_cache(int64_t batch = 1) const override;
  Tensor next_logits(const Tensor& ids) const override;
  Tensor next_logits(const Tensor& ids, KvCache& cache) const override;

  void members(nn::Visitor& v) override;
  std::string describe() const override;
  const GptConfig& config() const { return config_; }
  nn::ModuleBase& module() override { return *this; }
  const nn::ModuleBase& module() const override { return *this; }
  int64_t vocab_size() const override { return config_.vocab_size; }
  int64_t block_size() const override { return config_.block_size; }
  Json config_json() const override { return config_.to_json(); }

  // As load_language_model().
  static Gpt load(const std::string& dir);

  nn::Linear lm_head;  // tied to transformer.wte
  GptTransformer transformer;

 private:
  GptConfig config_;
};

}  // namespace adjoint::models
