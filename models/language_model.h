// What a model that predicts the next token is for training, examination and generation, whatever
// it is made of.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/core/tensor.h>
#include <adjoint/nn/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace adjoint::models {

// What is kept of what was read so far: generating a token costs one token's work. Of a Transformer
// the keys and values of each layer.
struct KvCache {
  struct Layer {
    Tensor keys, values;  // (B, heads of keys, block_size, width of one), filled up to `length`
  };
  std::vector<Layer> layers;
  int64_t length = 0;
};

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  virtual nn::ModuleBase& module() = 0;
  virtual const nn::ModuleBase& module() const = 0;
  virtual int64_t vocab_size() const = 0;
  virtual int64_t block_size() const = 0;  // the longest context, in tokens
  virtual Json config_json() const = 0;    // config.json, with its model_type

  // The mean over all targets (B, T) of -log p(target), in nats, of ids (B, T), i64, T <=
  // block_size. All logits at once exist only where hooks or an observer want to see them.
  virtual Tensor loss(const Tensor& ids, const Tensor& targets) const = 0;
  // The logits (B, vocab_size) after ids (B, T). Not recorded.
  virtual Tensor next_logits(const Tensor& ids) const = 0;
  // The same where they go on where the cache ends; adds them to it. ShapeError where cache and ids
  // are longer than block_size together.
  virtual Tensor next_logits(const Tensor& ids, KvCache& cache) const = 0;
  // A cache for `batch` texts side by side, empty; of bf16 for a model of bf16 or under Autocast.
  virtual KvCache make_cache(int64_t batch = 1) const = 0;

  // Writes config.json and model.safetensors into a folder, whole or not at all. An existing one is
  // replaced if it holds nothing but a model; IoError otherwise.
  void save(const std::string& dir) const;
};

// Reads a model of any kind that there is, by the model_type of its config.json, from a folder: a
// run (its newest whole checkpoint), a checkpoint, or what save() wrote. Throws IoError or
// ConfigError naming the file and what is wrong with it; sizes are compared before memory is taken.
std::unique_ptr<LanguageModel> load_language_model(const std::string& dir);

}  // namespace adjoint::models
