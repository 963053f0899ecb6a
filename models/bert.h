// BERT: an encoder that reads in both directions, and two heads: for words that were masked, and
// for the class of a text.
//
// Devlin et al. 2018, arXiv 1810.04805: post-norm blocks, learned positions, token types, GELU.
// Names, of fields and of parameters, are Hugging Face's, such as
// "bert.encoder.layer.0.attention.self.query.weight".
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/core/random.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/normalization.h>
#include <adjoint/nn/transformer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace adjoint::models {

struct BertConfig {
  int64_t vocab_size = 8192;
  int64_t max_position_embeddings = 128;  // the longest text, in tokens
  int64_t type_vocab_size = 2;            // kinds of tokens, such as of a first and a second text
  int64_t num_hidden_layers = 4;
  int64_t num_attention_heads = 4;
  int64_t hidden_size = 128;
  int64_t intermediate_size = 512;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  double layer_norm_eps = 1e-12;
  std::vector<std::string> labels = {};  // of the classes; none: the model fills in masked words

  void validate() const;
  // Of BertForMaskedLM, or with labels of BertForSequenceClassification; what is tied counts once.
  int64_t parameter_count() const;
  Json to_json() const;  // "model_type": "bert"
  static BertConfig from_json(const Json& json);
  static BertConfig load(const std::string& path);

  bool operator==(const BertConfig& other) const = default;
};

// Where there is something to read, and of which kind: both (B, T), and both may be left out.
struct BertForwardOptions {
  Tensor padding = {};      // bool: true tokens are not seen
  Tensor token_types = {};  // i64, below type_vocab_size; 0
};

class BertEmbeddings : public nn::Module<BertEmbeddings> {
 public:
  explicit BertEmbeddings(const BertConfig& config);
  // ids (B, T) -> (B, T, hidden_size)
  Tensor forward(const Tensor& ids, const Tensor& token_types = {}) const;
  void members(nn::Visitor& v) override;

  nn::Embedding word_embeddings, position_embeddings, token_type_embeddings;
  nn::LayerNorm layer_norm;
  nn::Dropout dropout;
};

class BertSelfAttention : public nn::Module<BertSelfAttention> {
 public:
  explicit BertSelfAttention(const BertConfig& config);
  // seen: bool, broadcasts to (B, heads, T, T), or undefined.
  Tensor forward(const Tensor& x, const Tensor& seen = {}) const;
  void members(nn::Visitor& v) override;

  nn::Linear query, key, value;

 private:
  int64_t heads_;
  double dropout_;
};

// What ends either half of a block: norm(x + dropout(dense(branch))).
class BertOutput : public nn::Module<BertOutput> {
 public:
  BertOutput(int64_t in_features, const BertConfig& config);
  Tensor forward(const Tensor& branch, const Tensor& x) const;
  void members(nn::Visitor& v) override;

  nn::Linear dense;
  nn::LayerNorm layer_norm;
  nn::Dropout dropout;
};

class BertAttention : public nn::Module<BertAttention> {
 public:
  explicit BertAttention(const BertConfig& config);
  Tensor forward(const Tensor& x, const Tensor& seen = {}) const;
  void members(nn::Visitor& v) override;

  BertSelfAttention self;
  BertOutput output;
};

// A layer under the name "dense", with its activation.
class BertDense : public nn::Module<BertDense> {
 public:
  BertDense(int64_t in_features, int64_t out_features, nn::FeedForwardActivation activation);
  Tensor forward(const Tensor& x) const { return activation_.after(dense, x); }
  void members(nn::Visitor& v) override { v("dense", dense); }

  nn::Linear dense;

 private:
  nn::FeedForwardActivation activation_;
};

class BertLayer : public nn::Module<BertLayer> {
 public:
  explicit BertLayer(const BertConfig& config);
  Tensor forward(const Tensor& x, const Tensor& seen = {}) const;
  void members(nn::Visitor& v) override;

  BertAttention attention;
  BertDense intermediate;
  BertOutput output;
};

class BertEncoder : public nn::Module<BertEncoder> {
 public:
  explicit BertEncoder(const BertConfig& config);
  Tensor forward(const Tensor& x, const Tensor& seen = {}) const;
  void members(nn::Visitor& v) override { v("layer", layer); }

  std::vector<BertLayer> layer;
};

class BertModel : public nn::Module<BertModel> {
 public:
  using ForwardOptions = BertForwardOptions;

  BertModel(const BertConfig& config, bool with_pooler);
  // ids (B, T), i64, T <= max_position_embeddings -> (B, T, hidden_size). ShapeError otherwise.
  Tensor forward(const Tensor& ids, const BertForwardOptions& options = {}) const;
  void members(nn::Visitor& v) override;

  BertEmbeddings embeddings;
  BertEncoder encoder;
  std::optional<BertDense> pooler;  // tanh(dense(the first token's state))

 private:
  int64_t max_length_;
};

// From what a token's state is to the word that it should be.
class BertPredictions : public nn::Module<BertPredictions> {
 public:
  explicit BertPredictions(const BertConfig& config);
  // (..., hidden_size) -> (..., vocab_size)
  Tensor forward(const Tensor& x) const { return decoder(transformed(x)); }
  Tensor transformed(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  // "transform" there: dense and norm.
  class Transform : public nn::Module<Transform> {
   public:
    explicit Transform(const BertConfig& config);
    Tensor forward(const Tensor& x) const;
    void members(nn::Visitor& v) override;

    nn::Linear dense;
    nn::LayerNorm layer_norm;
  };
  Transform transform;
  Parameter bias;      // (vocab_size)
  nn::Linear decoder;  // its weight is tied to the word embeddings, its bias to `bias`
};

class BertForMaskedLM : public nn::Module<BertForMaskedLM> {
 public:
  using ForwardOptions = BertForwardOptions;

  // Weights normal with standard deviation 0.02, biases 0, norms 1; from the generator, in a fixed
  // order.
  explicit BertForMaskedLM(const BertConfig& config, Generator& generator = default_generator());

  // ids (B, T) -> logits (B, T, vocab_size)
  Tensor forward(const Tensor& ids, const BertForwardOptions& options = {}) const;
  // Logits (N, vocab_size) at positions (N), i64, of ids in the order of their rows: the only ones
  // that a training needs.
  Tensor logits_at(const Tensor& ids, const Tensor& positions,
                   const BertForwardOptions& options = {}) const;
  // The mean of -log p(target) at those positions, in nats, of targets (N).
  Tensor loss(const Tensor& ids, const Tensor& positions, const Tensor& targets,
              const BertForwardOptions& options = {}) const;

  void members(nn::Visitor& v) override;
  const BertConfig& config() const { return config_; }
  static BertForMaskedLM load(const std::string& dir);

  BertModel bert;

  class Head : public nn::Module<Head> {
   public:
    explicit Head(const BertConfig& config) : predictions(config) {}
    Tensor forward(const Tensor& x) const { return predictions(x); }
    void members(nn::Visitor& v) override { v("predictions", predictions); }

    BertPredictions predictions;
  };
  Head cls;

 private:
  Tensor states_at(const Tensor& ids, const Tensor& positions,
                   const BertForwardOptions& options) const;

  BertConfig config_;
};

class BertForSequenceClassification : public nn::Module<BertForSequenceClassification> {
 public:
  using ForwardOptions = BertForwardOptions;

  // ConfigError where the configuration has less than two labels.
  explicit BertForSequenceClassification(const BertConfig& config,
                                         Generator& generator = default_generator());

  // ids (B, T) that begin with the token for the beginning -> logits (B, labels)
  Tensor forward(const Tensor& ids, const BertForwardOptions& options = {}) const;
  // Takes the encoder of a model that filled in words: embeddings and layers; pooler and classifier
  // stay. ShapeError or Error where it does not fit.
  void load_encoder(const BertForMaskedLM& pretrained);

  void members(nn::Visitor& v) override;
  const BertConfig& config() const { return config_; }
  static BertForSequenceClassification load(const std::string& dir);

  BertModel bert;
  nn::Dropout dropout;
  nn::Linear classifier;

 private:
  BertConfig config_;
};

}  // namespace adjoint::models
