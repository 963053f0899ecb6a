#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/models/gpt_task.h>
#include <adjoint/optim/groups.h>

#include <algorithm>
#include <string>

namespace adjoint::models {
namespace {

// Tokens a batch of a validation: enough to keep every thread busy, little enough to stay in cache.
constexpr int64_t kEvaluationTokens = 4096;

}  // namespace

std::optional<double> mean_loss(const LanguageModel& model, std::span<const data::Token> tokens,
                                int64_t seq_len, const std::function<bool()>& stop) {
  check<ConfigError>(seq_len >= 1, "mean_loss: seq_len is ", seq_len, "; expected at least 1");
  const NoGrad no_grad;
  const data::SequentialBatches batches(tokens, std::max<int64_t>(kEvaluationTokens / seq_len, 1),
                                        seq_len);
  double sum = 0;
  for (int64_t i = 0; i < batches.size(); ++i) {
    if (stop && stop()) return std::nullopt;
    const data::Batch batch = batches.at(i);
    sum +=
        model.loss(batch.inputs, batch.targets).item() * static_cast<double>(batch.targets.numel());
  }
  return sum / static_cast<double>(batches.targets());
}

GptTask::GptTask(LanguageModel& model, const data::Tokenizer& tokenizer,
                 std::vector<data::Token> train, std::vector<data::Token> validation,
                 const GptTaskOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      train_(std::move(train)),
      validation_(std::move(validation)),
      options_(options),
      batches_(train_, options.batch_size, options.seq_len, options.seed) {
  check<ConfigError>(options.seq_len <= model.block_size(), "GptTask: seq_len is ", options.seq_len,
                     "; expected at most the model's block_size, ", model.block_size());
  check<ConfigError>(validation_.size() >= 2, "GptTask: the validation text has ",
                     validation_.size(), " tokens; expected at least 2");
}

Tensor GptTask::loss(int64_t step) {
  const data::Batch batch = batches_.at(step);
  return model_.loss(batch.inputs, batch.targets);
}

std::optional<Validation> GptTask::validate(const std::function<bool()>& stop) {
  const auto loss = mean_loss(model_, validation_, options_.seq_len, stop);
  if (!loss) return std::nullopt;
  return Validation{.loss = *loss};
}

void GptTask::add_files(io::AtomicDirectory& folder) {
  folder.write("config.json", model_.config_json().dump(2) + "\n");
  folder.write("tokenizer.json", tokenizer_.to_json().dump(2) + "\n");
}

optim::AdamW make_gpt_optimizer(const nn::ModuleBase& model, const GptOptimizerOptions& options) {
  auto [matrices, vectors] = optim::split_by_dimension(model.parameters());
  const optim::AdamWOptions common{.lr = options.lr,
                                   .betas = {options.beta1, options.beta2},
                                   .weight_decay = options.weight_decay};
  optim::AdamWOptions no_decay = common;
  no_decay.weight_decay = 0;
  return optim::AdamW({{std::move(matrices), common}, {std::move(vectors), no_decay}});
}

}  // namespace adjoint::models
