// Llama: a Transformer that predicts the next token.
//
// The architecture is Llama's (Touvron et al. 2023, arXiv 2302.13971): pre-norm blocks of RMSNorm,
// rotary positions, a feed-forward of SwiGLU, no biases; groups of queries share keys and values
// (Ainslie et al. 2023, arXiv 2305.13245), as in Llama 2 70B and Llama 3. Names, of fields and of
// parameters, are Hugging Face's, such as "model.layers.0.self_attn.q_proj.weight".
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/core/random.h>
#include <adjoint/models/language_model.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/position.h>
#include <adjoint/nn/transformer.h>

#include <cstdint>
#include <string>
#include <vector>

namespace adjoint::models {

struct LlamaConfig {
  int64_t vocab_size = 256;
  int64_t max_position_embeddings = 64;  // the longest context, in tokens
  int64_t num_hidden_layers = 4;
  int64_t num_attention_heads = 4;
  int64_t num_key_value_heads = 2;  // divides num_attention_heads
  int64_t hidden_size = 128;        // the width
  int64_t intermediate_size = 352;  // of the feed-forward
  double rms_norm_eps = 1e-5;
  double rope_theta = 10000.0;
  bool tie_word_embeddings = true;
  double dropout = 0.0;  // of attention weights and of what the branches add

  void validate() const;  // as GptConfig's, and so are the others
  int64_t parameter_count() const;
  Json to_json() const;  // "model_type": "llama"
  static LlamaConfig from_json(const Json& json);
  static LlamaConfig load(const std::string& path);

  // The feed-forward that costs what one of width 4 `hidden_size` without a gate does: 8 / 3 of it,
  // rounded up to a multiple of 32.
  static int64_t default_intermediate_size(int64_t hidden_size);

  bool operator==(const LlamaConfig& other) const = default;
};

class LlamaAttention : public nn::Module<LlamaAttention> {
 public:
  explicit LlamaAttention(const LlamaConfig& config);
  // x (B, T, hidden_size). With a cache, x are the positions from `past` on, and see those before;
  // the new keys and values are written behind the old ones.
  Tensor forward(const Tensor& x, const nn::RotaryEmbedding& rotary,
                 const KvCache::Layer* cache = nullptr, int64_t past = 0) const;
  void members(nn::Visitor& v) override;

  nn::Linear q_proj, k_proj, v_proj, o_proj;

 private:
  int64_t head_dim_;
  double dropout_;
};

class LlamaLayer : public nn::Module<LlamaLayer> {
 public:
  explicit LlamaLayer(const LlamaConfig& config);
  Tensor forward(const Tensor& x, const nn::RotaryEmbedding& rotary,
                 const KvCache::Layer* cache = nullptr, int64_t past = 0) const;
  void members(nn::Visitor& v) override;

  nn::RMSNorm input_layernorm;
  LlamaAttention self_attn;
  nn::RMSNorm post_attention_layernorm;
  nn::SwiGLU mlp;

 private:
  double dropout_;
};

class LlamaModel : public nn::Module<LlamaModel> {
 public:
  explicit LlamaModel(const LlamaConfig& config);
  // ids (B, T) -> (B, T, hidden_size), after the last norm.
  Tensor forward(const Tensor& ids, KvCache* cache = nullptr) const;
  void members(nn::Visitor& v) override;

  nn::Embedding embed_tokens;
  std::vector<LlamaLayer> layers;
  nn::RMSNorm norm;
  nn::RotaryEmbedding rotary_emb;  // nothing that is trained

 private:
  int64_t max_length_;
  double dropout_;
};

class Llama : public nn::Module<Llama>, public LanguageModel {
 public:
  // Weights from the generator, in a fixed order: normal with standard deviation 0.02, the
  // projections back into the residual stream 0.02 / sqrt(2 num_hidden_layers), as GPT-2.
  explicit Llama(const LlamaConfig& config, Generator& generator = default_generator());

  // ids (B, T), i64 -> logits (B, T, vocab_size).
  Tensor forward(const Tensor& ids) const;
  Tensor loss(const Tensor& ids, const Tensor& targets) const override;
  KvCache make_cache(int64_t batch = 1) const override;
  Tensor next_logits(const Tensor& ids) const override;
  Tensor next_logits(const Tensor& ids, KvCache& cache) const override;

  void members(nn::Visitor& v) override;
  std::string describe() const override;
  const LlamaConfig& config() const { return config_; }
  nn::ModuleBase& module() override { return *this; }
  const nn::ModuleBase& module() const override { return *this; }
  int64_t vocab_size() const override { return config_.vocab_size; }
  int64_t block_size() const override { return config_.max_position_embeddings; }
  Json config_json() const override { return config_.to_json(); }

  // As load_language_model().
  static Llama load(const std::string& dir);

  LlamaModel model;
  nn::Linear lm_head;  // tied to model.embed_tokens where tie_word_embeddings says so

 private:
  LlamaConfig config_;
};

}  // namespace adjoint::models
