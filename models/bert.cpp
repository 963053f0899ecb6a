#include <adjoint/core/attention.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/models/bert.h>

#include <set>

#include "models/support/config_fields.h"

namespace adjoint::models {
namespace {

constexpr const char* kConfig = "BertConfig";

nn::LayerNorm layer_norm_of(const BertConfig& config) {
  return nn::LayerNorm(config.hidden_size, {.eps = config.layer_norm_eps});
}

void initialize(const nn::ModuleBase& model, Generator& generator) {
  const NoGrad no_grad;
  for (const NamedSlot& parameter : model.parameters()) {
    const Tensor& value = parameter.slot->stored();
    if (value.dim() >= 2) {
      normal_(value, 0, 0.02, generator);
    } else if (parameter.name.ends_with("bias")) {
      zero_(value);
    }
  }
}

}  // namespace

// --- configuration ---

void BertConfig::validate() const {
  // The bounds keep every size of a model, and their products, far from overflow.
  check_config_range(kConfig, "vocab_size", vocab_size, 1, int64_t{1} << 24);
  check_config_range(kConfig, "max_position_embeddings", max_position_embeddings, 1,
                     int64_t{1} << 24);
  check_config_range(kConfig, "type_vocab_size", type_vocab_size, 1, 1024);
  check_config_range(kConfig, "num_hidden_layers", num_hidden_layers, 1, 4096);
  check_config_range(kConfig, "num_attention_heads", num_attention_heads, 1, 4096);
  check_config_range(kConfig, "hidden_size", hidden_size, 1, int64_t{1} << 18);
  check_config_range(kConfig, "intermediate_size", intermediate_size, 1, int64_t{1} << 20);
  check<ConfigError>(hidden_size % num_attention_heads == 0, "BertConfig: hidden_size is ",
                     hidden_size, "; expected a multiple of num_attention_heads, which is ",
                     num_attention_heads);
  check_config_chance(kConfig, "hidden_dropout_prob", hidden_dropout_prob);
  check_config_chance(kConfig, "attention_probs_dropout_prob", attention_probs_dropout_prob);
  check<ConfigError>(layer_norm_eps > 0 && layer_norm_eps < 1, "BertConfig: layer_norm_eps is ",
                     layer_norm_eps, "; expected a value between 0 and 1");
  check<ConfigError>(labels.size() != 1,
                     "BertConfig: labels has one; expected none, or at least two");
  check<ConfigError>(std::set<std::string>(labels.begin(), labels.end()).size() == labels.size(),
                     "BertConfig: labels has one twice; expected different ones");
}

int64_t BertConfig::parameter_count() const {
  const int64_t c = hidden_size, m = intermediate_size, norm = 2 * c;
  const int64_t embeddings = (vocab_size + max_position_embeddings + type_vocab_size) * c + norm;
  const int64_t layer = 4 * (c * c + c) + 2 * c * m + m + c + 2 * norm;
  const auto classes = static_cast<int64_t>(labels.size());
  const int64_t head = classes > 0 ? classes * (c + 1) + c * c + c : c * c + c + norm + vocab_size;
  return embeddings + num_hidden_layers * layer + head;
}

Json BertConfig::to_json() const {
  return Json::object({{"model_type", "bert"},
                       {"vocab_size", vocab_size},
                       {"max_position_embeddings", max_position_embeddings},
                       {"type_vocab_size", type_vocab_size},
                       {"num_hidden_layers", num_hidden_layers},
                       {"num_attention_heads", num_attention_heads},
                       {"hidden_size", hidden_size},
                       {"intermediate_size", intermediate_size},
                       {"hidden_dropout_prob", hidden_dropout_prob},
                       {"attention_probs_dropout_prob", attention_probs_dropout_prob},
                       {"layer_norm_eps", layer_norm_eps},
                       {"labels", labels}});
}

BertConfig BertConfig::from_json(const Json& json) {
  BertConfig config;
  check_config_fields(kConfig, json, config.to_json());
  config.vocab_size = json.get<int64_t>("vocab_size");
  config.max_position_embeddings = json.get<int64_t>("max_position_embeddings");
  config.type_vocab_size = json.get_or<int64_t>(config.type_vocab_size, "type_vocab_size");
  config.num_hidden_layers = json.get<int64_t>("num_hidden_layers");
  config.num_attention_heads = json.get<int64_t>("num_attention_heads");
  config.hidden_size = json.get<int64_t>("hidden_size");
  config.intermediate_size = json.get<int64_t>("intermediate_size");
  config.hidden_dropout_prob =
      json.get_or<double>(config.hidden_dropout_prob, "hidden_dropout_prob");
  config.attention_probs_dropout_prob =
      json.get_or<double>(config.attention_probs_dropout_prob, "attention_probs_dropout_prob");
  config.layer_norm_eps = json.get_or<double>(config.layer_norm_eps, "layer_norm_eps");
  config.labels = json.get_or<std::vector<std::string>>({}, "labels");
  config.validate();
  return config;
}

BertConfig BertConfig::load(const std::string& path) { return load_config<BertConfig>(path); }

// --- the encoder ---

BertEmbeddings::BertEmbeddings(const BertConfig& config)
    : word_embeddings(config.vocab_size, config.hidden_size),
      position_embeddings(config.max_position_embeddings, config.hidden_size),
      token_type_embeddings(config.type_vocab_size, config.hidden_size),
      layer_norm(layer_norm_of(config)),
      dropout(config.hidden_dropout_prob) {}

Tensor BertEmbeddings::forward(const Tensor& ids, const Tensor& token_types) const {
  const Tensor positions = slice(position_embeddings.weight, 0, 0, ids.size(1));  // (T, hidden)
  const Tensor types = token_types.defined() ? token_type_embeddings(token_types)
                                             : select(token_type_embeddings.weight, 0, 0);
  return dropout(layer_norm(word_embeddings(ids) + (positions + types)));
}

void BertEmbeddings::members(nn::Visitor& v) {
  v("word_embeddings", word_embeddings);
  v("position_embeddings", position_embeddings);
  v("token_type_embeddings", token_type_embeddings);
  v("LayerNorm", layer_norm);
  v("dropout", dropout);
}

BertSelfAttention::BertSelfAttention(const BertConfig& config)
    : query(config.hidden_size, config.hidden_size),
      key(config.hidden_size, config.hidden_size),
      value(config.hidden_size, config.hidden_size),
      heads_(config.num_attention_heads),
      dropout_(config.attention_probs_dropout_prob) {}

Tensor BertSelfAttention::forward(const Tensor& x, const Tensor& seen) const {
  const int64_t b = x.size(0), t = x.size(1), c = x.size(2);
  const auto heads = [&](const Tensor& part) {  // a view: (B, heads, T, c / heads)
    return part.view({b, t, heads_, c / heads_}).transpose(1, 2);
  };
  const Tensor y =
      scaled_dot_product_attention(heads(query(x)), heads(key(x)), heads(value(x)),
                                   {.mask = seen, .dropout_p = is_training() ? dropout_ : 0.0});
  return y.transpose(1, 2).reshape({b, t, c});
}

void BertSelfAttention::members(nn::Visitor& v) {
  v("query", query);
  v("key", key);
  v("value", value);
}

BertOutput::BertOutput(int64_t in_features, const BertConfig& config)
    : dense(in_features, config.hidden_size),
      layer_norm(layer_norm_of(config)),
      dropout(config.hidden_dropout_prob) {}

Tensor BertOutput::forward(const Tensor& branch, const Tensor& x) const {
  return layer_norm.add(x, dropout(dense(branch))).normalized;
}

void BertOutput::members(nn::Visitor& v) {
  v("dense", dense);
  v("LayerNorm", layer_norm);
  v("dropout", dropout);
}

BertAttention::BertAttention(const BertConfig& config)
    : self(config), output(config.hidden_size, config) {}

Tensor BertAttention::forward(const Tensor& x, const Tensor& seen) const {
  return output(self(x, seen), x);
}

void BertAttention::members(nn::Visitor& v) {
  v("self", self);
  v("output", output);
}

BertDense::BertDense(int64_t in_features, int64_t out_features,
                     nn::FeedForwardActivation activation)
    : dense(in_features, out_features), activation_(std::move(activation)) {}

BertLayer::BertLayer(const BertConfig& config)
    : attention(config),
      intermediate(config.hidden_size, config.intermediate_size, nn::Activation::gelu),
      output(config.intermediate_size, config) {}

Tensor BertLayer::forward(const Tensor& x, const Tensor& seen) const {
  const Tensor y = attention(x, seen);
  return output(intermediate(y), y);
}

void BertLayer::members(nn::Visitor& v) {
  v("attention", attention);
  v("intermediate", intermediate);
  v("output", output);
}

BertEncoder::BertEncoder(const BertConfig& config) {
  layer.reserve(static_cast<size_t>(config.num_hidden_layers));
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) layer.emplace_back(config);
}

Tensor BertEncoder::forward(const Tensor& x, const Tensor& seen) const {
  Tensor y = x;
  for (const BertLayer& one : layer) y = one(y, seen);
  return y;
}

BertModel::BertModel(const BertConfig& config, bool with_pooler)
    : embeddings((config.validate(), config)),
      encoder(config),
      max_length_(config.max_position_embeddings) {
  if (with_pooler) {
    pooler.emplace(config.hidden_size, config.hidden_size, [](const Tensor& x) { return tanh(x); });
  }
}

Tensor BertModel::forward(const Tensor& ids, const BertForwardOptions& options) const {
  check<ShapeError>(ids.dim() == 2 && ids.dtype() == DType::i64, "Bert: ids of shape ", ids.shape(),
                    " and dtype ", ids.dtype(), "; expected (B, T) of i64");
  check<ShapeError>(ids.size(1) >= 1 && ids.size(1) <= max_length_, "Bert: ", ids.size(1),
                    " tokens; expected at least one and at most max_position_embeddings, ",
                    max_length_);
  Tensor seen;
  if (options.padding.defined()) {
    check<ShapeError>(options.padding.shape() == ids.shape(), "Bert: padding of shape ",
                      options.padding.shape(), "; expected that of the ids, ", ids.shape());
    seen = logical_not(options.padding).view({ids.size(0), 1, 1, ids.size(1)});
  }
  return encoder(embeddings(ids, options.token_types), seen);
}

void BertModel::members(nn::Visitor& v) {
  v("embeddings", embeddings);
  v("encoder", encoder);
  v("pooler", pooler);
}

// --- masked words ---

BertPredictions::Transform::Transform(const BertConfig& config)
    : dense(config.hidden_size, config.hidden_size), layer_norm(layer_norm_of(config)) {}

Tensor BertPredictions::Transform::forward(const Tensor& x) const {
  return layer_norm(dense.activated(x, nn::Activation::gelu));
}

void BertPredictions::Transform::members(nn::Visitor& v) {
  v("dense", dense);
  v("LayerNorm", layer_norm);
}

BertPredictions::BertPredictions(const BertConfig& config)
    : transform(config),
      bias(zeros({config.vocab_size})),
      decoder(config.hidden_size, config.vocab_size) {}

Tensor BertPredictions::transformed(const Tensor& x) const { return transform(x); }

void BertPredictions::members(nn::Visitor& v) {
  v("bias", bias);
  v("transform", transform);
  v("decoder", decoder);
  v.tie(decoder.bias, bias);
}

BertForMaskedLM::BertForMaskedLM(const BertConfig& config, Generator& generator)
    : bert(config, false), cls(config), config_(config) {
  config_.labels.clear();
  initialize(*this, generator);
}

void BertForMaskedLM::members(nn::Visitor& v) {
  v("bert", bert);
  v("cls", cls);
  v.tie(cls.predictions.decoder.weight, bert.embeddings.word_embeddings.weight);
}

Tensor BertForMaskedLM::forward(const Tensor& ids, const BertForwardOptions& options) const {
  return cls(bert(ids, options));
}

Tensor BertForMaskedLM::states_at(const Tensor& ids, const Tensor& positions,
                                  const BertForwardOptions& options) const {
  const Tensor states = bert(ids, options).reshape({-1, config_.hidden_size});
  return cls.predictions.transformed(index_select(states, 0, positions));
}

Tensor BertForMaskedLM::logits_at(const Tensor& ids, const Tensor& positions,
                                  const BertForwardOptions& options) const {
  return cls.predictions.decoder(states_at(ids, positions, options));
}

Tensor BertForMaskedLM::loss(const Tensor& ids, const Tensor& positions, const Tensor& targets,
                             const BertForwardOptions& options) const {
  const nn::Linear& decoder = cls.predictions.decoder;
  return linear_cross_entropy(states_at(ids, positions, options), decoder.weight, targets,
                              decoder.bias);
}

BertForMaskedLM BertForMaskedLM::load(const std::string& dir) {
  return load_model<BertForMaskedLM, BertConfig>(dir);
}

// --- classes ---

BertForSequenceClassification::BertForSequenceClassification(const BertConfig& config,
                                                             Generator& generator)
    : bert(config, true),
      dropout(config.hidden_dropout_prob),
      classifier(config.hidden_size, static_cast<int64_t>(config.labels.size())),
      config_(config) {
  check<ConfigError>(!config.labels.empty(),
                     "BertForSequenceClassification: labels has none; expected at least two");
  initialize(*this, generator);
}

void BertForSequenceClassification::members(nn::Visitor& v) {
  v("bert", bert);
  v("dropout", dropout);
  v("classifier", classifier);
}

Tensor BertForSequenceClassification::forward(const Tensor& ids,
                                              const BertForwardOptions& options) const {
  return classifier(dropout((*bert.pooler)(select(bert(ids, options), 1, 0))));
}

void BertForSequenceClassification::load_encoder(const BertForMaskedLM& pretrained) {
  bert.embeddings.load_state_dict(pretrained.bert.embeddings.state_dict());
  bert.encoder.load_state_dict(pretrained.bert.encoder.state_dict());
}

BertForSequenceClassification BertForSequenceClassification::load(const std::string& dir) {
  return load_model<BertForSequenceClassification, BertConfig>(dir);
}

}  // namespace adjoint::models
