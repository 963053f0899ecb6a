#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/bert_task.h>

#include <algorithm>
#include <array>

namespace adjoint::models {
namespace {

using data::SpecialToken;
using data::Token;

// Keeps what validation masks apart from other uses of the same seed ("mask").
constexpr uint64_t kMaskSalt = 0x6D'61'73'6B;
// Tokens or texts a batch of a validation.
constexpr int64_t kEvaluationTokens = 4096, kEvaluationTexts = 64;

double share_of_equal(const Tensor& logits, const Tensor& targets) {
  return mean((argmax(logits, 1) == targets).to(DType::f64)).item();
}

// Which tokens of a vocabulary stand for no text.
std::vector<bool> special_tokens(const data::Tokenizer& tokenizer) {
  std::vector<bool> special(static_cast<size_t>(tokenizer.vocab_size()));
  for (const SpecialToken which : {SpecialToken::pad, SpecialToken::unknown, SpecialToken::begin,
                                   SpecialToken::end, SpecialToken::mask}) {
    if (const auto token = tokenizer.special(which)) special[static_cast<size_t>(*token)] = true;
  }
  return special;
}

void check_chances(const MaskingOptions& options) {
  const auto check_chance = [](const char* name, double value) {
    check<ConfigError>(value >= 0 && value <= 1, "MaskingOptions: ", name, " is ", value,
                       "; expected a value from 0 to 1");
  };
  check_chance("chosen", options.chosen);
  check_chance("masked", options.masked);
  check_chance("random", options.random);
  check<ConfigError>(options.masked + options.random <= 1, "MaskingOptions: masked and random are ",
                     options.masked + options.random, " together; expected at most 1");
}

}  // namespace

MaskedBatch mask_tokens(const Tensor& ids, const data::Tokenizer& tokenizer,
                        const MaskingOptions& options, Generator& generator) {
  check_chances(options);
  const Token mask = data::special_token(tokenizer, SpecialToken::mask, "mask_tokens");
  const std::vector<bool> special = special_tokens(tokenizer);
  const int64_t count = ids.numel();
  Tensor read = ids.clone();
  auto* tokens = read.mutable_data<int64_t>();
  std::vector<int64_t> candidates, positions, targets;
  for (int64_t i = 0; i < count; ++i) {
    if (!special[static_cast<size_t>(tokens[i])]) candidates.push_back(i);
  }
  for (const int64_t i : candidates) {
    if (generator.next_uniform() < options.chosen) positions.push_back(i);
  }
  if (positions.empty() && !candidates.empty()) {
    positions.push_back(candidates[generator.next_below(candidates.size())]);
  }
  for (const int64_t i : positions) {
    targets.push_back(tokens[i]);
    const double kind = generator.next_uniform();
    if (kind < options.masked) {
      tokens[i] = mask;
    } else if (kind < options.masked + options.random) {
      do {
        tokens[i] = static_cast<int64_t>(generator.next_below(special.size()));
      } while (special[static_cast<size_t>(tokens[i])]);
    }
  }
  const auto chosen = static_cast<int64_t>(positions.size());
  return {std::move(read), from_vector(positions, {chosen}), from_vector(targets, {chosen})};
}

// --- masked words ---

MaskedLanguageTask::MaskedLanguageTask(BertForMaskedLM& model, const data::Tokenizer& tokenizer,
                                       std::vector<Token> train, std::vector<Token> validation,
                                       const BertTaskOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      train_(std::move(train)),
      validation_(std::move(validation)),
      options_(options),
      batches_(train_, options.batch_size, options.seq_len - 2, options.seed) {
  const int64_t longest = model.config().max_position_embeddings;
  check<ConfigError>(options.seq_len <= longest, "MaskedLanguageTask: seq_len is ", options.seq_len,
                     "; expected at most the model's max_position_embeddings, ", longest);
  check<ConfigError>(validation_.size() >= 2, "MaskedLanguageTask: the validation text has ",
                     validation_.size(), " tokens; expected at least 2");
}

Tensor MaskedLanguageTask::framed(const Tensor& windows) const {
  const auto column = [&](SpecialToken which) {
    return full({windows.size(0), 1},
                int64_t{data::special_token(tokenizer_, which, "MaskedLanguageTask")}, DType::i64);
  };
  return cat({column(SpecialToken::begin), windows, column(SpecialToken::end)}, 1);
}

Tensor MaskedLanguageTask::loss(int64_t step) {
  const MaskedBatch batch = mask_tokens(framed(batches_.at(step).inputs), tokenizer_,
                                        options_.masking, default_generator());
  return model_.loss(batch.ids, batch.positions, batch.targets);
}

std::optional<Validation> MaskedLanguageTask::validate(const std::function<bool()>& stop) {
  const data::SequentialBatches batches(validation_,
                                        std::max<int64_t>(kEvaluationTokens / options_.seq_len, 1),
                                        options_.seq_len - 2);
  Generator generator(options_.seed ^ kMaskSalt);
  double loss = 0, right = 0, count = 0;
  for (int64_t i = 0; i < batches.size(); ++i) {
    if (stop && stop()) return std::nullopt;
    const MaskedBatch batch =
        mask_tokens(framed(batches.at(i).inputs), tokenizer_, options_.masking, generator);
    const auto chosen = static_cast<double>(batch.targets.numel());
    if (chosen == 0) continue;
    const Tensor logits = model_.logits_at(batch.ids, batch.positions);
    loss += cross_entropy(logits, batch.targets).item() * chosen;
    right += share_of_equal(logits, batch.targets) * chosen;
    count += chosen;
  }
  return Validation{.loss = loss / count, .metrics = {{"val_masked_accuracy", right / count}}};
}

void MaskedLanguageTask::add_files(io::AtomicDirectory& folder) {
  folder.write("config.json", model_.config().to_json().dump(2) + "\n");
  folder.write("tokenizer.json", tokenizer_.to_json().dump(2) + "\n");
}

// --- classes ---

std::vector<Token> framed_tokens(const data::Tokenizer& tokenizer, std::string_view text,
                                 int64_t longest) {
  check<ConfigError>(longest >= 2, "framed_tokens: ", longest, " tokens; expected at least 2");
  std::vector<Token> tokens = tokenizer.encode(text, data::text_alone());
  const auto most = static_cast<size_t>(longest - 2);
  if (tokens.size() > most) tokens.resize(most);
  tokens.insert(tokens.begin(), data::special_token(tokenizer, SpecialToken::begin, "BERT"));
  tokens.push_back(data::special_token(tokenizer, SpecialToken::end, "BERT"));
  return tokens;
}

ClassificationTask::ClassificationTask(BertForSequenceClassification& model,
                                       const data::Tokenizer& tokenizer,
                                       std::vector<LabelledTokens> train,
                                       std::vector<LabelledTokens> validation,
                                       std::vector<LabelledTokens> test,
                                       const BertTaskOptions& options)
    : model_(model),
      tokenizer_(tokenizer),
      train_(std::move(train)),
      validation_(std::move(validation)),
      test_(std::move(test)),
      options_(options) {
  check<ConfigError>(!train_.empty() && !validation_.empty(), "ClassificationTask: ", train_.size(),
                     " texts to learn and ", validation_.size(),
                     " to be examined on; expected some of both");
}

ClassificationTask::Labelled ClassificationTask::forward(
    std::span<const LabelledTokens* const> texts) const {
  std::vector<std::span<const Token>> rows;
  std::vector<int64_t> labels;
  for (const LabelledTokens* text : texts) {
    rows.emplace_back(text->tokens);
    labels.push_back(text->label);
  }
  const data::PaddedBatch batch = data::pad_batch(
      rows, data::special_token(tokenizer_, SpecialToken::pad, "ClassificationTask"));
  return {model_(batch.tokens, {.padding = batch.padding}),
          from_vector(labels, {static_cast<int64_t>(labels.size())})};
}

Tensor ClassificationTask::loss(int64_t step) {
  const Labelled batch =
      forward(data::shuffled_batch(train_, step, options_.batch_size, options_.seed));
  return cross_entropy(batch.logits, batch.labels);
}

std::optional<Validation> ClassificationTask::examine(const std::vector<LabelledTokens>& texts,
                                                      const std::string& metric,
                                                      const std::function<bool()>& stop) const {
  double loss = 0, right = 0;
  for (size_t at = 0; at < texts.size(); at += static_cast<size_t>(kEvaluationTexts)) {
    if (stop && stop()) return std::nullopt;
    std::vector<const LabelledTokens*> rows;
    for (size_t i = at; i < std::min(texts.size(), at + kEvaluationTexts); ++i) {
      rows.push_back(&texts[i]);
    }
    const Labelled batch = forward(rows);
    const auto count = static_cast<double>(rows.size());
    loss += cross_entropy(batch.logits, batch.labels).item() * count;
    right += share_of_equal(batch.logits, batch.labels) * count;
  }
  const auto count = static_cast<double>(texts.size());
  return Validation{
      .loss = loss / count, .metrics = {{metric, right / count}}, .score = right / count};
}

std::optional<Validation> ClassificationTask::validate(const std::function<bool()>& stop) {
  return examine(validation_, "val_accuracy", stop);
}

std::vector<Metric> ClassificationTask::test() {
  if (test_.empty()) return {};
  return examine(test_, "test_accuracy", {})->metrics;
}

void ClassificationTask::add_files(io::AtomicDirectory& folder) {
  folder.write("config.json", model_.config().to_json().dump(2) + "\n");
  folder.write("tokenizer.json", tokenizer_.to_json().dump(2) + "\n");
}

}  // namespace adjoint::models
