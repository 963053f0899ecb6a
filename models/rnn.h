// A recurrent language model: an embedding, LSTM or GRU layers, an output layer.
//
// Names are those of PyTorch's example of a word language model: encoder, rnn, decoder, such as
// "rnn.weight_ih_l0". Zaremba, Sutskever, Vinyals 2014, arXiv 1409.2329: dropout between layers,
// before the first and after the last, never from step to step.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/core/random.h>
#include <adjoint/models/language_model.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/embedding.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/recurrent.h>

#include <cstdint>
#include <optional>
#include <string>

namespace adjoint::models {

struct RnnConfig {
  int64_t vocab_size = 256;
  std::string cell = "lstm";  // or "gru"
  int64_t n_embd = 128;       // the width of the embedding
  int64_t hidden_size = 256;
  int64_t num_layers = 2;
  double dropout = 0.0;

  // Throws ConfigError naming the field, its value and the range.
  void validate() const;
  int64_t parameter_count() const;

  // Every field by its name, and "model_type": "rnn"; errors as GptConfig's.
  Json to_json() const;
  static RnnConfig from_json(const Json& json);
  static RnnConfig load(const std::string& path);

  bool operator==(const RnnConfig& other) const = default;
};

// A text of any length: what the layers remember of it is kept in a KvCache, a layer each, h as its
// keys and an LSTM's c as its values, (B, hidden_size).
class Rnn : public nn::Module<Rnn>, public LanguageModel {
 public:
  // Weights of the layers as nn::LSTM's; the embedding and the output layer uniform(-0.1, 0.1), as
  // in the example, the output's bias 0; from the generator, in a fixed order.
  explicit Rnn(const RnnConfig& config, Generator& generator = default_generator());

  // ids (B, T), i64 -> logits (B, T, vocab_size), from an empty memory.
  Tensor forward(const Tensor& ids) const;
  Tensor loss(const Tensor& ids, const Tensor& targets) const override;
  KvCache make_cache(int64_t batch = 1) const override;
  Tensor next_logits(const Tensor& ids) const override;
  Tensor next_logits(const Tensor& ids, KvCache& cache) const override;

  void members(nn::Visitor& v) override;
  std::string describe() const override;
  const RnnConfig& config() const { return config_; }
  nn::ModuleBase& module() override { return *this; }
  const nn::ModuleBase& module() const override { return *this; }
  int64_t vocab_size() const override { return config_.vocab_size; }
  int64_t block_size() const override { return kAnyLength; }
  Json config_json() const override { return config_.to_json(); }

  // As load_language_model().
  static Rnn load(const std::string& dir);

  static constexpr int64_t kAnyLength = int64_t{1} << 40;

  nn::Embedding encoder;
  std::optional<nn::LSTM> lstm;  // one of the two, by the name of rnn
  std::optional<nn::GRU> gru;
  nn::Linear decoder;
  nn::Dropout drop;

 private:
  // ids (B, T) -> (B, T, hidden_size), what the output layer sees; from the cache on, if there is
  // one, which then has what comes after.
  Tensor hidden(const Tensor& ids, KvCache* cache = nullptr) const;

  RnnConfig config_;
};

}  // namespace adjoint::models
