// Learning to predict text, with a GPT or another such model: the task that train_gpt hands to the
// trainer.
#pragma once

#include <adjoint/data/batches.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/models/language_model.h>
#include <adjoint/models/trainer.h>
#include <adjoint/optim/adam.h>

#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace adjoint::models {

// Mean loss a token, in nats, over a whole text in order: windows of seq_len that do not overlap,
// every token but the first predicted once. Nothing is recorded; the model should be in eval mode.
// `stop` may end it early, with nothing.
std::optional<double> mean_loss(const LanguageModel& model, std::span<const data::Token> tokens,
                                int64_t seq_len, const std::function<bool()>& stop = {});

struct GptTaskOptions {
  int64_t batch_size = 12;
  int64_t seq_len = 64;  // at most the model's block_size
  uint64_t seed = 0;     // of the batches
};

class GptTask : public TrainingTask {
 public:
  // The model and tokenizer must outlive the task. ConfigError where seq_len is above block_size or
  // a part of the text is too short for it.
  GptTask(LanguageModel& model, const data::Tokenizer& tokenizer, std::vector<data::Token> train,
          std::vector<data::Token> validation, const GptTaskOptions& options);

  // The batches look into the texts.
  GptTask(const GptTask&) = delete;
  GptTask& operator=(const GptTask&) = delete;

  nn::ModuleBase& model() override { return model_.module(); }
  Tensor loss(int64_t step) override;
  std::optional<Validation> validate(const std::function<bool()>& stop) override;
  int64_t units_per_step() const override { return options_.batch_size * options_.seq_len; }
  void add_files(io::AtomicDirectory& folder) override;

 private:
  LanguageModel& model_;
  const data::Tokenizer& tokenizer_;
  std::vector<data::Token> train_, validation_;
  GptTaskOptions options_;
  data::RandomBatches batches_;
};

// AdamW with weight decay on matrices and embeddings only, as nanoGPT has it; for any model.
struct GptOptimizerOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double weight_decay = 0.1;
};
optim::AdamW make_gpt_optimizer(const nn::ModuleBase& model, const GptOptimizerOptions& options);

}  // namespace adjoint::models
