#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/rnn.h>

#include <cmath>

#include "models/support/config_fields.h"

namespace adjoint::models {

void RnnConfig::validate() const {
  const auto in_range = [](const char* field, int64_t value, int64_t most) {
    check_config_range("RnnConfig", field, value, 1, most);
  };
  in_range("vocab_size", vocab_size, int64_t{1} << 24);
  in_range("n_embd", n_embd, int64_t{1} << 18);
  in_range("hidden_size", hidden_size, int64_t{1} << 18);
  in_range("num_layers", num_layers, 4096);
  check<ConfigError>(cell == "lstm" || cell == "gru", "RnnConfig: cell is \"", cell,
                     "\"; expected \"lstm\" or \"gru\"");
  check_config_chance("RnnConfig", "dropout", dropout);
}

int64_t RnnConfig::parameter_count() const {
  const int64_t rows = (cell == "lstm" ? 4 : 3) * hidden_size;
  const int64_t first = rows * (n_embd + hidden_size + 2);
  const int64_t other = rows * (2 * hidden_size + 2);
  return vocab_size * n_embd + first + (num_layers - 1) * other + vocab_size * (hidden_size + 1);
}

Json RnnConfig::to_json() const {
  return Json::object({{"model_type", "rnn"},
                       {"vocab_size", vocab_size},
                       {"cell", cell},
                       {"n_embd", n_embd},
                       {"hidden_size", hidden_size},
                       {"num_layers", num_layers},
                       {"dropout", dropout}});
}

RnnConfig RnnConfig::from_json(const Json& json) {
  RnnConfig config;
  check_config_fields("RnnConfig", json, config.to_json());
  config.vocab_size = json.get<int64_t>("vocab_size");
  config.cell = json.get<std::string>("cell");
  config.n_embd = json.get<int64_t>("n_embd");
  config.hidden_size = json.get<int64_t>("hidden_size");
  config.num_layers = json.get<int64_t>("num_layers");
  config.dropout = json.get_or<double>(config.dropout, "dropout");
  config.validate();
  return config;
}

RnnConfig RnnConfig::load(const std::string& path) { return load_config<RnnConfig>(path); }

Rnn::Rnn(const RnnConfig& config, Generator& generator)
    : encoder((config.validate(), config.vocab_size), config.n_embd),
      decoder(config.hidden_size, config.vocab_size),
      drop(config.dropout),
      config_(config) {
  if (config.cell == "lstm") {
    lstm.emplace(
        config.n_embd, config.hidden_size,
        nn::LSTMOptions{
            .num_layers = config.num_layers, .batch_first = true, .dropout = config.dropout});
  } else {
    gru.emplace(
        config.n_embd, config.hidden_size,
        nn::GRUOptions{
            .num_layers = config.num_layers, .batch_first = true, .dropout = config.dropout});
  }
  const double bound = 1 / std::sqrt(static_cast<double>(config.hidden_size));
  const NoGrad no_grad;
  for (const NamedSlot& parameter : parameters()) {
    const Tensor& value = parameter.slot->stored();
    if (parameter.name == "decoder.bias") {
      zero_(value);
    } else {
      const double b = parameter.name.starts_with("rnn.") ? bound : 0.1;
      uniform_(value, -b, b, generator);
    }
  }
}

void Rnn::members(nn::Visitor& v) {
  v("encoder", encoder);
  v("rnn", lstm);
  v("rnn", gru);
  v("decoder", decoder);
  v("drop", drop);
}

std::string Rnn::describe() const {
  return "cell=" + config_.cell + ", n_embd=" + std::to_string(config_.n_embd) +
         ", hidden_size=" + std::to_string(config_.hidden_size) +
         ", num_layers=" + std::to_string(config_.num_layers) +
         ", vocab_size=" + std::to_string(config_.vocab_size);
}

Tensor Rnn::hidden(const Tensor& ids, KvCache* cache) const {
  const Tensor x = drop(encoder(ids));
  const bool goes_on = cache != nullptr && cache->length > 0;
  const auto joined = [&](Tensor KvCache::Layer::*part) {
    std::vector<Tensor> all;
    for (const KvCache::Layer& layer : cache->layers) all.push_back(layer.*part);
    return stack(all, 0);
  };
  const auto keep = [&](const Tensor& states, Tensor KvCache::Layer::*part) {
    for (size_t i = 0; cache != nullptr && i < cache->layers.size(); ++i) {
      cache->layers[i].*part = select(states, 0, static_cast<int64_t>(i));
    }
  };
  Tensor y;
  if (lstm) {
    const auto [output, h, c] =
        goes_on ? (*lstm)(x, joined(&KvCache::Layer::keys), joined(&KvCache::Layer::values))
                : (*lstm)(x);
    y = output;
    keep(h, &KvCache::Layer::keys);
    keep(c, &KvCache::Layer::values);
  } else {
    const auto [output, h] = goes_on ? (*gru)(x, joined(&KvCache::Layer::keys)) : (*gru)(x);
    y = output;
    keep(h, &KvCache::Layer::keys);
  }
  if (cache != nullptr) cache->length += ids.size(1);
  return drop(y);
}

Tensor Rnn::forward(const Tensor& ids) const { return decoder(hidden(ids)); }

Tensor Rnn::loss(const Tensor& ids, const Tensor& targets) const {
  if (hooked() || decoder.hooked()) {  // somebody wants to see the logits
    const Tensor logits = (*this)(ids);
    return cross_entropy(logits.reshape({-1, config_.vocab_size}), targets.reshape({-1}));
  }
  const Tensor x = within([&] { return hidden(ids); });  // (B, T, hidden_size)
  return linear_cross_entropy(x, decoder.weight, targets, decoder.bias);
}

KvCache Rnn::make_cache(int64_t batch) const {
  check<ShapeError>(batch >= 1, "Rnn::make_cache: batch ", batch, "; expected at least 1");
  KvCache cache;
  cache.layers.resize(static_cast<size_t>(config_.num_layers));
  return cache;
}

Tensor Rnn::next_logits(const Tensor& ids) const {
  const NoGrad no_grad;
  const Tensor x = within([&] { return hidden(ids); });
  return decoder(select(x, 1, -1));
}

Tensor Rnn::next_logits(const Tensor& ids, KvCache& cache) const {
  const NoGrad no_grad;
  check<ShapeError>(static_cast<int64_t>(cache.layers.size()) == config_.num_layers,
                    "Rnn::next_logits: a cache of ", cache.layers.size(), " layers; expected ",
                    config_.num_layers, ", of make_cache()");
  const Tensor x = within([&] { return hidden(ids, &cache); });
  return decoder(select(x, 1, -1));
}

Rnn Rnn::load(const std::string& dir) { return load_model<Rnn, RnnConfig>(dir); }

}  // namespace adjoint::models
