#include <adjoint/core/activations.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/data/batches.h>
#include <adjoint/models/seq2seq.h>
#include <adjoint/nn/init.h>

#include <algorithm>
#include <string_view>

#include "models/support/config_fields.h"

namespace adjoint::models {
namespace {

using data::Token;

constexpr const char* kConfig = "Seq2SeqConfig";

nn::TransformerOptions transformer_options(const Seq2SeqConfig& config) {
  return {.num_encoder_layers = config.num_encoder_layers,
          .num_decoder_layers = config.num_decoder_layers,
          .layer = {.dim_feedforward = config.dim_feedforward,
                    .dropout = config.dropout,
                    .activation = nn::Activation::gelu,
                    .norm_first = true}};
}

nn::LearnedPositionalEmbedding positions_of(const Seq2SeqConfig& config) {
  return nn::LearnedPositionalEmbedding(config.d_model,
                                        {.max_len = config.max_length, .dropout = config.dropout});
}

data::PaddedBatch padded(std::span<const std::vector<Token>> sources, const Frame& frame) {
  const std::vector<std::span<const Token>> rows(sources.begin(), sources.end());
  return data::pad_batch(rows, frame.pad);
}

}  // namespace

// --- configuration ---

void Seq2SeqConfig::validate() const {
  // The bounds keep every size of a model, and their products, far from overflow.
  check_config_range(kConfig, "vocab_size", vocab_size, 1, int64_t{1} << 24);
  check_config_range(kConfig, "max_length", max_length, 1, int64_t{1} << 24);
  check_config_range(kConfig, "d_model", d_model, 1, int64_t{1} << 18);
  check_config_range(kConfig, "nhead", nhead, 1, 4096);
  check_config_range(kConfig, "num_encoder_layers", num_encoder_layers, 1, 4096);
  check_config_range(kConfig, "num_decoder_layers", num_decoder_layers, 1, 4096);
  check_config_range(kConfig, "dim_feedforward", dim_feedforward, 1, int64_t{1} << 20);
  check<ConfigError>(d_model % nhead == 0, "Seq2SeqConfig: d_model is ", d_model,
                     "; expected a multiple of nhead, which is ", nhead);
  check_config_chance(kConfig, "dropout", dropout);
}

int64_t Seq2SeqConfig::parameter_count() const {
  const int64_t c = d_model, f = dim_feedforward, norm = 2 * c;
  const int64_t attention = 4 * (c * c + c), feed_forward = 2 * c * f + f + c;
  return (vocab_size + 2 * max_length) * c + vocab_size +
         num_encoder_layers * (attention + feed_forward + 2 * norm) +
         num_decoder_layers * (2 * attention + feed_forward + 3 * norm) + 2 * norm;
}

Json Seq2SeqConfig::to_json() const {
  return Json::object({{"model_type", "seq2seq"},
                       {"vocab_size", vocab_size},
                       {"max_length", max_length},
                       {"d_model", d_model},
                       {"nhead", nhead},
                       {"num_encoder_layers", num_encoder_layers},
                       {"num_decoder_layers", num_decoder_layers},
                       {"dim_feedforward", dim_feedforward},
                       {"dropout", dropout}});
}

Seq2SeqConfig Seq2SeqConfig::from_json(const Json& json) {
  Seq2SeqConfig config;
  check_config_fields(kConfig, json, config.to_json());
  config.vocab_size = json.get<int64_t>("vocab_size");
  config.max_length = json.get<int64_t>("max_length");
  config.d_model = json.get<int64_t>("d_model");
  config.nhead = json.get<int64_t>("nhead");
  config.num_encoder_layers = json.get<int64_t>("num_encoder_layers");
  config.num_decoder_layers = json.get<int64_t>("num_decoder_layers");
  config.dim_feedforward = json.get<int64_t>("dim_feedforward");
  config.dropout = json.get_or<double>(config.dropout, "dropout");
  config.validate();
  return config;
}

Seq2SeqConfig Seq2SeqConfig::load(const std::string& path) {
  return load_config<Seq2SeqConfig>(path);
}

// --- the model ---

Seq2Seq::Seq2Seq(const Seq2SeqConfig& config, Generator& generator)
    : embedding((config.validate(), config.vocab_size), config.d_model),
      source_positions(positions_of(config)),
      target_positions(positions_of(config)),
      transformer(config.d_model, config.nhead, transformer_options(config)),
      output(config.d_model, config.vocab_size),
      config_(config) {
  const NoGrad no_grad;
  for (const NamedSlot& parameter : parameters()) {
    const Tensor& value = parameter.slot->stored();
    if (value.dim() < 2) {
      if (parameter.name.ends_with("bias")) zero_(value);
    } else if (parameter.name.starts_with("transformer.")) {
      nn::init::xavier_uniform_(value, 1.0, generator);
    } else {
      normal_(value, 0, 0.02, generator);
    }
  }
}

void Seq2Seq::members(nn::Visitor& v) {
  v("embedding", embedding);
  v("source_positions", source_positions);
  v("target_positions", target_positions);
  v("transformer", transformer);
  v("output", output);
  v.tie(output.weight, embedding.weight);
}

void Seq2Seq::check_ids(const char* what, const Tensor& ids) const {
  check<ShapeError>(ids.dim() == 2 && ids.dtype() == DType::i64, "Seq2Seq: ", what, " of shape ",
                    ids.shape(), " and dtype ", ids.dtype(), "; expected (B, T) of i64");
  check<ShapeError>(ids.size(1) >= 1 && ids.size(1) <= config_.max_length, "Seq2Seq: ", what,
                    " of ", ids.size(1), " tokens; expected at least one and at most max_length, ",
                    config_.max_length);
}

Tensor Seq2Seq::encode(const Tensor& source, const Tensor& padding) const {
  check_ids("source", source);
  return transformer.encoder(source_positions(embedding(source)),
                             {.src_key_padding_mask = padding});
}

Tensor Seq2Seq::forward(const Tensor& source, const Tensor& padding, const Tensor& target) const {
  check_ids("target", target);
  const Tensor memory = encode(source, padding);
  return output(transformer.decoder(target_positions(embedding(target)), memory,
                                    {.memory_key_padding_mask = padding, .tgt_is_causal = true}));
}

Tensor Seq2Seq::loss(const Tensor& source, const Tensor& padding, const Tensor& target,
                     const Tensor& following, Token ignored) const {
  const Tensor logits = (*this)(source, padding, target);
  return cross_entropy(logits.reshape({-1, config_.vocab_size}), following.reshape({-1}),
                       {.ignore_index = ignored});
}

Seq2Seq::Decoding Seq2Seq::start(const Tensor& source, const Tensor& padding) const {
  const NoGrad no_grad;
  return {.memory = encode(source, padding),
          .padding = padding,
          .cache = transformer.decoder.make_cache(source.size(0), config_.max_length)};
}

Tensor Seq2Seq::next_logits(const Tensor& tokens, Decoding& decoding) const {
  const NoGrad no_grad;
  check<ShapeError>(decoding.length < config_.max_length, "Seq2Seq: a target of ",
                    decoding.length + 1, " tokens; expected at most max_length, ",
                    config_.max_length);
  const Tensor ids = tokens.view({tokens.size(0), 1});
  const Tensor x = target_positions(embedding(ids), {.offset = decoding.length});
  ++decoding.length;
  const Tensor state = transformer.decoder(x, decoding.memory,
                                           {.memory_key_padding_mask = decoding.padding,
                                            .tgt_is_causal = true,
                                            .cache = &decoding.cache});
  return output(select(state, 1, 0));
}

void Seq2Seq::reorder(Decoding& decoding, const Tensor& rows) {
  const NoGrad no_grad;
  const auto take = [&](Tensor& x) {
    if (x.defined()) x = index_select(x, 0, rows);
  };
  take(decoding.memory);
  take(decoding.padding);
  for (nn::TransformerDecoderLayerCache& layer : decoding.cache) {
    for (nn::AttentionCache* cache : {&layer.self, &layer.memory}) {
      take(cache->keys);
      take(cache->values);
    }
  }
}

Seq2Seq Seq2Seq::load(const std::string& dir) { return load_model<Seq2Seq, Seq2SeqConfig>(dir); }

// --- searches ---

std::vector<std::vector<Token>> greedy_search(const Seq2Seq& model,
                                              std::span<const std::vector<Token>> sources,
                                              const Frame& frame) {
  if (sources.empty()) return {};
  const NoGrad no_grad;
  const data::PaddedBatch batch = padded(sources, frame);
  Seq2Seq::Decoding decoding = model.start(batch.tokens, batch.padding);
  const auto count = static_cast<int64_t>(sources.size());
  std::vector<std::vector<Token>> targets(sources.size());
  std::vector<bool> ended(sources.size());
  Tensor last = full({count}, int64_t{frame.begin}, DType::i64);
  for (int64_t step = 0; step + 1 < model.config().max_length; ++step) {
    last = argmax(model.next_logits(last, decoding), 1);
    const auto tokens = last.to_vector<int64_t>();
    for (size_t i = 0; i < targets.size(); ++i) {
      ended[i] = ended[i] || tokens[i] == frame.end;
      if (!ended[i]) targets[i].push_back(static_cast<Token>(tokens[i]));
    }
    if (std::find(ended.begin(), ended.end(), false) == ended.end()) break;
  }
  return targets;
}

std::vector<Hypothesis> beam_search(const Seq2Seq& model, std::span<const Token> source,
                                    const Frame& frame, const BeamSearchOptions& options) {
  const NoGrad no_grad;
  BeamSearchOptions bounded = options;
  bounded.end = frame.end;
  bounded.max_length = std::min(options.max_length, model.config().max_length);
  const std::vector<Token> text(source.begin(), source.end());
  const data::PaddedBatch batch = padded({&text, 1}, frame);
  Seq2Seq::Decoding decoding = model.start(batch.tokens, Tensor());
  const auto next = [&](std::span<const int64_t> parents, std::span<const Token> last) {
    const auto count = static_cast<int64_t>(parents.size());
    std::vector<int64_t> tokens(last.begin(), last.end());
    if (last.empty()) {
      tokens = {frame.begin};
    } else {
      Seq2Seq::reorder(decoding,
                       from_vector(std::vector<int64_t>(parents.begin(), parents.end()), {count}));
    }
    const Tensor logits = model.next_logits(from_vector(tokens, {count}), decoding);
    const auto all = log_softmax(logits.to(DType::f64), 1).to_vector<double>();
    const auto width = all.size() / parents.size();
    std::vector<std::vector<double>> rows;
    for (auto row = all.begin(); row != all.end(); row += static_cast<std::ptrdiff_t>(width)) {
      rows.emplace_back(row, row + static_cast<std::ptrdiff_t>(width));
    }
    return rows;
  };
  return beam_search(next, bounded);
}

}  // namespace adjoint::models
