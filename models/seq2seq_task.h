// What a Seq2Seq learns: pairs of texts.
#pragma once

#include <adjoint/data/generated.h>
#include <adjoint/data/tokenizer.h>
#include <adjoint/models/seq2seq.h>
#include <adjoint/models/trainer.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace adjoint::models {

struct TokenPair {
  std::vector<data::Token> source, target;  // without a frame
};

// ConfigError naming the first text of more than `longest` tokens, or of none.
std::vector<TokenPair> encode_pairs(const std::vector<data::TextPair>& pairs,
                                    const data::Tokenizer& tokenizer, int64_t longest);

// ConfigError where the tokenizer has no tokens for padding, beginning and end.
Frame frame_of(const data::Tokenizer& tokenizer);

struct Seq2SeqTaskOptions {
  int64_t batch_size = 64;
  uint64_t seed = 0;
  BeamSearchOptions beam = {};  // of the test
  int64_t beam_pairs = 200;     // so many of the test are searched with a beam too
};

// Beside the loss there is "val_exact_match", the share of targets that greedy search gets wholly
// right, which says which weights are the best; at the end "exact_match" of the test, and that of
// beam search over its first pairs, "beam_exact_match".
class Seq2SeqTask : public TrainingTask {
 public:
  // Model and tokenizer must outlive the task. ConfigError where pairs to learn or to be examined
  // on are missing; those of the test may be.
  Seq2SeqTask(Seq2Seq& model, const data::Tokenizer& tokenizer, std::vector<TokenPair> train,
              std::vector<TokenPair> validation, std::vector<TokenPair> test,
              const Seq2SeqTaskOptions& options);

  nn::ModuleBase& model() override { return model_; }
  Tensor loss(int64_t step) override;
  std::optional<Validation> validate(const std::function<bool()>& stop) override;
  std::vector<Metric> test() override;
  int64_t units_per_step() const override { return options_.batch_size; }
  std::string unit() const override { return "samples"; }
  void add_files(io::AtomicDirectory& folder) override;

 private:
  Tensor loss_of(const std::vector<const TokenPair*>& pairs) const;
  int64_t right_of(const std::vector<const TokenPair*>& pairs) const;

  Seq2Seq& model_;
  const data::Tokenizer& tokenizer_;
  Frame frame_;
  std::vector<TokenPair> train_, validation_, test_;
  Seq2SeqTaskOptions options_;
};

}  // namespace adjoint::models
