// train_bert: trains an encoder to fill in masked words, or to tell classes of texts.
#include <adjoint/data/generated.h>
#include <adjoint/data/table.h>
#include <adjoint/data/word_tokenizer.h>
#include <adjoint/models/bert_task.h>

#include <algorithm>
#include <map>
#include <memory>

#include "models/train/corpus.h"
#include "models/train/option_table.h"
#include "models/train/run_folder.h"
#include "models/train/run_training.h"
#include "models/train/saved_model.h"
#include "models/train/settings.h"

namespace adjoint::train {
namespace {

constexpr const char* kProgram = "train_bert";

struct BertSettings : TextSettings {
  std::string task = "mask";
  std::string text_column = "text", label_column = "label";
  std::string unit = "word";
  int64_t vocab_size = 8192;
  int64_t n_layer = 4;
  int64_t n_head = 4;
  int64_t n_embd = 128;
};

OptionTable make_table(BertSettings& s) {
  s.out = "runs/bert";
  s.batch_size = 32;
  s.beta2 = 0.98;
  s.weight_decay = 0.01;
  OptionTable table(kProgram,
                    "Trains a BERT: to fill in words of a text that were masked, or, with --task "
                    "classify, to tell the classes of labelled texts.");
  add_text_options(table, s);
  table.add("task", &s.task, std::vector<std::string>{"mask", "classify"},
            "classify: --data (and --val-data) are tables, .jsonl or of tab-separated values");
  table.add("text-column", &s.text_column, "NAME", "of a table: the name or number of the texts");
  table.add("label-column", &s.label_column, "NAME", "and of their labels");
  add_run_options(table, s);
  add_training_options(table, s, "sequences or labelled texts");
  add_report_options(table, s);
  table.section("Model");
  table.add("seq-len", &s.seq_len, "N", "the longest text in tokens; longer ones are cut",
            {.least = 4, .most = 1 << 20});
  table.add("unit", &s.unit, std::vector<std::string>{"word", "character"}, "what a token is");
  table.add("vocab-size", &s.vocab_size, "N", "tokens at most; rarer ones are unknown",
            {.least = 6, .most = 1 << 24});
  table.add("n-layer", &s.n_layer, "N", "Transformer blocks", {.least = 1, .most = 4096});
  table.add("n-head", &s.n_head, "N", "attention heads", {.least = 1, .most = 4096});
  table.add("n-embd", &s.n_embd, "N", "width", {.least = 1, .most = 1 << 18});
  table.preset("tiny", {{"n-layer", "2"}, {"n-embd", "64"}, {"steps", "500"}});
  return table;
}

models::BertConfig config_of(const BertSettings& s, int64_t vocab_size,
                             std::vector<std::string> labels) {
  return {.vocab_size = vocab_size,
          .max_position_embeddings = s.seq_len,
          .num_hidden_layers = s.n_layer,
          .num_attention_heads = s.n_head,
          .hidden_size = s.n_embd,
          .intermediate_size = 4 * s.n_embd,
          .hidden_dropout_prob = s.dropout,
          .attention_probs_dropout_prob = s.dropout,
          .labels = std::move(labels)};
}

// The model to start from and its tokenizer, where there is one.
struct Start {
  std::optional<models::BertForMaskedLM> model;
  std::unique_ptr<data::Tokenizer> tokenizer;
};

// A run that began with --init goes on from its own checkpoint: the other folder may be gone.
Start start_of(BertSettings& s, const OptionTable& table,
               const std::optional<std::string>& checkpoint) {
  Start start;
  if (s.init.empty()) return start;
  const std::string source = checkpoint ? *checkpoint : open_checkpoint(kProgram, "--init", s.init);
  start.tokenizer = data::Tokenizer::load(source + "/tokenizer.json");
  models::BertConfig config = models::BertConfig::load(source + "/config.json");
  if (config.labels.empty()) {
    start.model = models::BertForMaskedLM::load(source);
  } else {
    check<UsageError>(checkpoint.has_value(), "--init: the model in ", source,
                      " tells classes; expected one that fills in words");
  }
  const auto take = [&](const char* option, int64_t& value, int64_t there) {
    check_agrees(table, option, value, there, source);
    value = there;
  };
  take("n-layer", s.n_layer, config.num_hidden_layers);
  take("n-head", s.n_head, config.num_attention_heads);
  take("n-embd", s.n_embd, config.hidden_size);
  take("seq-len", s.seq_len, config.max_position_embeddings);
  return start;
}

std::unique_ptr<data::Tokenizer> tokenizer_of(const BertSettings& s,
                                              std::span<const std::string> texts) {
  return std::make_unique<data::WordTokenizer>(data::WordTokenizer::from_texts(
      texts, {.unit = s.unit == "word" ? data::TokenUnit::word : data::TokenUnit::character,
              .vocab_size = s.vocab_size,
              .min_frequency = 1}));
}

Json identity(const BertSettings& s, const models::BertConfig& config,
              const std::string& fingerprint) {
  Json all = identity_of(s);
  all["task"] = s.task;
  all["seq-len"] = s.seq_len;
  all["data"] = fingerprint;
  all["model"] = config.to_json();
  all["init"] = s.init;
  return all;
}

std::string about(const data::Tokenizer& tokenizer) {
  return ", a vocabulary of " + std::to_string(tokenizer.vocab_size());
}

models::BertTaskOptions task_options(const BertSettings& s) {
  return {.batch_size = s.batch_size, .seq_len = s.seq_len, .seed = static_cast<uint64_t>(s.seed)};
}

// --- masked words ---

int train_masked(const OptionTable& table, BertSettings& s, const Invocation& invocation) {
  RunFolder folder(kProgram, s);
  Start start = start_of(s, table, folder.checkpoint());
  const LearningText text = load_text(s);
  if (!start.tokenizer) start.tokenizer = tokenizer_of(s, {&text.split.train, 1});
  Generator generator(static_cast<uint64_t>(s.seed));
  models::BertForMaskedLM model(config_of(s, start.tokenizer->vocab_size(), {}), generator);
  if (start.model) model.load_state_dict(start.model->state_dict());
  std::vector<data::Token> learnt =
      start.tokenizer->encode(text.split.train, data::text_alone("--data"));
  check<ConfigError>(static_cast<int64_t>(learnt.size()) > s.seq_len - 2, "--seq-len: ", s.seq_len,
                     " tokens are longer than the text to learn, which has ", learnt.size(),
                     "; expected more text or a smaller --seq-len");
  models::MaskedLanguageTask task(
      model, *start.tokenizer, std::move(learnt),
      start.tokenizer->encode(text.split.validation,
                              data::text_alone("the text to be examined on")),
      task_options(s));
  optim::AdamW optimizer = make_optimizer(model, s);
  return run_training(
      table, s, folder, invocation,
      {.task = task,
       .optimizer = optimizer,
       .identity = identity(s, model.config(), text.fingerprint),
       .description = {text.description, describe_parameters(model, about(*start.tokenizer))}});
}

// --- classes ---

struct LabelledTexts {
  std::vector<data::LabelledText> train, validation, test;
  std::string description;
};

std::vector<data::LabelledText> load_labelled(const BertSettings& s,
                                              const std::vector<std::string>& paths) {
  std::vector<data::LabelledText> texts;
  for (const std::string& path : paths) {
    for (auto& row : data::load_columns(path, {s.text_column, s.label_column})) {
      texts.push_back({std::move(row[0]), std::move(row[1])});
    }
  }
  return texts;
}

// Moves about `fraction` of what is to be learnt, chosen by the seed, into another part.
void hold_out(std::vector<data::LabelledText>& from, std::vector<data::LabelledText>& part,
              double fraction, uint64_t seed) {
  const auto count = static_cast<int64_t>(from.size());
  const auto held_out =
      std::max<int64_t>(1, static_cast<int64_t>(fraction * static_cast<double>(count)));
  std::vector<data::LabelledText> rest;
  for (int64_t i = 0; i < count; ++i) {
    auto& text = from[static_cast<size_t>(data::shuffled_index(i, count, seed))];
    (i < held_out ? part : rest).push_back(std::move(text));
  }
  from = std::move(rest);
}

LabelledTexts labelled_texts(const BertSettings& s) {
  constexpr int64_t kGenerated = 4000, kExamined = 1000;
  const auto seed = static_cast<uint64_t>(s.seed);
  LabelledTexts texts;
  const bool generated = s.data.empty();
  check<UsageError>(!generated || s.val_data.empty(),
                    "--val-data: texts to be examined on without any to learn; expected --data "
                    "FILE... too");
  if (generated) {
    texts.train = data::generated_opinions(kGenerated, seed, false);
    texts.test = data::generated_opinions(kExamined, seed, true);
  } else {
    texts.train = load_labelled(s, s.data);
    texts.test = load_labelled(s, s.val_data);
    if (s.val_data.empty()) hold_out(texts.train, texts.test, s.val_fraction, seed);
  }
  hold_out(texts.train, texts.validation, s.val_fraction, seed + 1);
  check<ConfigError>(!texts.train.empty(), "--data: ", texts.test.size() + texts.validation.size(),
                     " labelled texts; expected more");
  texts.description = (generated ? "data: generated opinions, for want of --data, " : "data: ") +
                      std::to_string(texts.train.size()) + " labelled texts to learn, " +
                      std::to_string(texts.validation.size()) + " to choose weights by, " +
                      std::to_string(texts.test.size()) + " for the test" +
                      (generated ? " (of other sentences and things)" : "");
  return texts;
}

// The labels of what is learnt, in order; with their numbers.
std::map<std::string, int64_t> labels_of(const LabelledTexts& texts) {
  std::map<std::string, int64_t> labels;
  for (const data::LabelledText& text : texts.train) labels.emplace(text.label, 0);
  int64_t number = 0;
  for (auto& [label, index] : labels) index = number++;
  check<ConfigError>(labels.size() >= 2, "--label-column: ", labels.size(),
                     " different label; expected at least two");
  check<ConfigError>(labels.size() <= 4096, "--label-column: ", labels.size(),
                     " different labels; expected at most 4096");
  return labels;
}

std::vector<models::LabelledTokens> encoded(const std::vector<data::LabelledText>& texts,
                                            const data::Tokenizer& tokenizer,
                                            const std::map<std::string, int64_t>& labels,
                                            int64_t longest) {
  std::vector<models::LabelledTokens> all;
  for (const data::LabelledText& text : texts) {
    const auto label = labels.find(text.label);
    check<ConfigError>(label != labels.end(), "--label-column: the label \"", text.label,
                       "\" is examined and never learnt; expected it in --data too");
    all.push_back({models::framed_tokens(tokenizer, text.text, longest), label->second});
  }
  return all;
}

std::string fingerprint_of(const LabelledTexts& texts) {
  data::TextSplit split;
  for (const auto& text : texts.train) split.train += text.label + "\t" + text.text + "\n";
  for (const auto* part : {&texts.validation, &texts.test}) {
    for (const auto& text : *part) split.validation += text.label + "\t" + text.text + "\n";
  }
  return hexadecimal(data::fingerprint(split));
}

int train_classifier(const OptionTable& table, BertSettings& s, const Invocation& invocation) {
  RunFolder folder(kProgram, s);
  Start start = start_of(s, table, folder.checkpoint());
  const LabelledTexts texts = labelled_texts(s);
  const std::map<std::string, int64_t> labels = labels_of(texts);
  if (!start.tokenizer) {
    std::vector<std::string> all;
    for (const data::LabelledText& text : texts.train) all.push_back(text.text + "\n");
    start.tokenizer = tokenizer_of(s, all);
  }
  std::vector<std::string> names;
  names.reserve(labels.size());
  for (const auto& [label, index] : labels) names.push_back(label);
  Generator generator(static_cast<uint64_t>(s.seed));
  models::BertForSequenceClassification model(
      config_of(s, start.tokenizer->vocab_size(), std::move(names)), generator);
  if (start.model) model.load_encoder(*start.model);
  const auto tokens = [&](const std::vector<data::LabelledText>& part) {
    return encoded(part, *start.tokenizer, labels, s.seq_len);
  };
  models::ClassificationTask task(model, *start.tokenizer, tokens(texts.train),
                                  tokens(texts.validation), tokens(texts.test), task_options(s));
  optim::AdamW optimizer = make_optimizer(model, s);
  return run_training(
      table, s, folder, invocation,
      {.task = task,
       .optimizer = optimizer,
       .identity = identity(s, model.config(), fingerprint_of(texts)),
       .description = {texts.description, describe_parameters(model, about(*start.tokenizer))},
       .keep_best = true});
}

}  // namespace
}  // namespace adjoint::train

int main(int argc, char** argv) {
  using namespace adjoint::train;
  BertSettings settings;
  OptionTable table = make_table(settings);
  return train_main(kProgram, argc, argv, table, settings, [&](const Invocation& invocation) {
    return settings.task == "mask" ? train_masked(table, settings, invocation)
                                   : train_classifier(table, settings, invocation);
  });
}
