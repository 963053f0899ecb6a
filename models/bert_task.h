// What a BERT learns: to fill in words that were masked, then to tell classes of texts.
#pragma once

#include <adjoint/data/batches.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/models/bert.h>
#include <adjoint/models/trainer.h>

#include <cstdint>
#include <string>
#include <vector>

namespace adjoint::models {

// Which tokens are to be found out, and what is read in their places: Devlin et al. 2018, section
// 3.1.
struct MaskingOptions {
  double chosen = 0.15;  // of all tokens
  double masked = 0.8;   // of the chosen: <MASK> is read
  double random = 0.1;   // of the chosen: any other token is read; the rest are read as they are
};

struct MaskedBatch {
  Tensor ids;        // (B, T), what is read
  Tensor positions;  // (N), of the chosen among the B T
  Tensor targets;    // (N), what stood there
};

// Chooses among ids (B, T) from the generator, each token by itself, special tokens never; one at
// least, if there is any other. ConfigError for chances out of range, and where the tokenizer has
// no <MASK>.
MaskedBatch mask_tokens(const Tensor& ids, const data::Tokenizer& tokenizer,
                        const MaskingOptions& options, Generator& generator);

struct BertTaskOptions {
  int64_t batch_size = 16;
  int64_t seq_len = 64;  // with the tokens for beginning and end; at most the model's longest text
  uint64_t seed = 0;
  MaskingOptions masking = {};
};

// Words are masked anew in every step; in validation always the same ones, and beside the loss
// there is "val_masked_accuracy", the share that is filled in rightly.
class MaskedLanguageTask : public TrainingTask {
 public:
  // Model and tokenizer must outlive the task. ConfigError where a part of the text is too short
  // for seq_len, or that is too long for the model.
  MaskedLanguageTask(BertForMaskedLM& model, const data::Tokenizer& tokenizer,
                     std::vector<data::Token> train, std::vector<data::Token> validation,
                     const BertTaskOptions& options);

  // The batches look into the texts.
  MaskedLanguageTask(const MaskedLanguageTask&) = delete;
  MaskedLanguageTask& operator=(const MaskedLanguageTask&) = delete;

  nn::ModuleBase& model() override { return model_; }
  Tensor loss(int64_t step) override;
  std::optional<Validation> validate(const std::function<bool()>& stop) override;
  int64_t units_per_step() const override { return options_.batch_size * options_.seq_len; }
  void add_files(io::AtomicDirectory& folder) override;

 private:
  Tensor framed(const Tensor& windows) const;

  BertForMaskedLM& model_;
  const data::Tokenizer& tokenizer_;
  std::vector<data::Token> train_, validation_;
  BertTaskOptions options_;
  data::RandomBatches batches_;
};

struct LabelledTokens {
  std::vector<data::Token> tokens;  // with those for beginning and end
  int64_t label = 0;
};

// A text as a BERT reads it, cut to `longest` tokens.
std::vector<data::Token> framed_tokens(const data::Tokenizer& tokenizer, std::string_view text,
                                       int64_t longest);

// Beside the loss there is "val_accuracy", which says which weights are the best, and at the end
// "test_accuracy".
class ClassificationTask : public TrainingTask {
 public:
  // Model and tokenizer must outlive the task. ConfigError where texts to learn or to be examined
  // on are missing; those of the test may be.
  ClassificationTask(BertForSequenceClassification& model, const data::Tokenizer& tokenizer,
                     std::vector<LabelledTokens> train, std::vector<LabelledTokens> validation,
                     std::vector<LabelledTokens> test, const BertTaskOptions& options);

  nn::ModuleBase& model() override { return model_; }
  Tensor loss(int64_t step) override;
  std::optional<Validation> validate(const std::function<bool()>& stop) override;
  std::vector<Metric> test() override;
  int64_t units_per_step() const override { return options_.batch_size; }
  std::string unit() const override { return "samples"; }
  void add_files(io::AtomicDirectory& folder) override;

 private:
  struct Labelled {
    Tensor logits, labels;
  };
  Labelled forward(std::span<const LabelledTokens* const> texts) const;
  std::optional<Validation> examine(const std::vector<LabelledTokens>& texts,
                                    const std::string& metric,
                                    const std::function<bool()>& stop) const;

  BertForSequenceClassification& model_;
  const data::Tokenizer& tokenizer_;
  std::vector<LabelledTokens> train_, validation_, test_;
  BertTaskOptions options_;
};

}  // namespace adjoint::models
