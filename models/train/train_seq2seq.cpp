// train_seq2seq: trains an encoder-decoder Transformer on pairs of texts.
#include <adjoint/data/batches.h>
#include <adjoint/data/table.h>
#include <adjoint/data/text_corpus.h>
#include <adjoint/data/word_tokenizer.h>
#include <adjoint/models/seq2seq_task.h>

#include <algorithm>
#include <map>
#include <set>

#include "models/train/corpus.h"
#include "models/train/option_table.h"
#include "models/train/run_folder.h"
#include "models/train/run_training.h"
#include "models/train/saved_model.h"
#include "models/train/settings.h"

namespace adjoint::train {
namespace {

constexpr const char* kProgram = "train_seq2seq";

struct PairSettings : TrainSettings {
  std::string task = "numbers";
  int64_t pairs = 40'000;
  std::string source_column = "1", target_column = "2";
  std::string unit = "character";
  int64_t vocab_size = 8192;
  int64_t max_length = 96;
  int64_t n_layer = 2;
  int64_t n_head = 4;
  int64_t n_embd = 128;
  int64_t beam_size = 4;
  double length_penalty = 0.6;
  int64_t sample_every = 0;
};

OptionTable make_table(PairSettings& s) {
  s.out = "runs/seq2seq";
  s.batch_size = 64;
  s.beta2 = 0.98;
  s.weight_decay = 0.01;
  s.val_fraction = 0.05;
  OptionTable table(kProgram,
                    "Trains a Transformer to make one text of another, from pairs of both.");
  table.section("Data");
  table.add("data", &s.data, "PATH",
            "tables of pairs, .jsonl or of tab-separated values; without any, generated pairs");
  table.add("task", &s.task, data::pair_tasks(), "what generated pairs are of");
  table.add("pairs", &s.pairs, "N", "how many are generated", {.least = 100, .most = 250'000});
  table.add("source-column", &s.source_column, "NAME", "of a table: the name or number of sources");
  table.add("target-column", &s.target_column, "NAME", "and of targets");
  table.add("val-fraction", &s.val_fraction, "X",
            "how much is held out, half of it to choose weights by and half for the test",
            {.least = 0, .most = 0.9, .above_least = true});
  add_run_options(table, s);
  add_training_options(table, s, "pairs");
  add_report_options(table, s);
  table.add("sample-every", &s.sample_every, "N", "steps between a few held-out pairs; 0: none",
            {.least = 0});
  table.section("Model");
  table.add("unit", &s.unit, std::vector<std::string>{"word", "character"}, "what a token is");
  table.add("vocab-size", &s.vocab_size, "N", "tokens at most; rarer ones are unknown",
            {.least = 6, .most = 1 << 24});
  table.add("max-length", &s.max_length, "N", "the longest text in tokens",
            {.least = 2, .most = 1 << 20});
  table.add("n-layer", &s.n_layer, "N", "blocks of the encoder, and of the decoder",
            {.least = 1, .most = 4096});
  table.add("n-head", &s.n_head, "N", "attention heads", {.least = 1, .most = 4096});
  table.add("n-embd", &s.n_embd, "N", "width", {.least = 1, .most = 1 << 18});
  table.section("Beam search, of the test");
  table.add("beam-size", &s.beam_size, "N", "texts that are followed at a time",
            {.least = 1, .most = 4096});
  table.add("length-penalty", &s.length_penalty, "X", "0: none; more favours longer texts",
            {.least = 0, .most = 10});
  table.preset("tiny", {{"n-embd", "64"}, {"n-layer", "1"}, {"steps", "500"}});
  return table;
}

struct Pairs {
  std::vector<data::TextPair> train, validation, test;
  std::string description, fingerprint;
};

std::vector<data::TextPair> all_pairs(const PairSettings& s) {
  if (s.data.empty()) return data::generated_pairs(s.task, s.pairs, static_cast<uint64_t>(s.seed));
  std::vector<data::TextPair> pairs;
  for (const std::string& path : s.data) {
    for (auto& row : data::load_columns(path, {s.source_column, s.target_column})) {
      pairs.push_back({std::move(row[0]), std::move(row[1])});
    }
  }
  return pairs;
}

// No source that is examined was learnt: pairs of one source stay together.
Pairs load_pairs(const PairSettings& s) {
  std::map<std::string, std::vector<data::TextPair>> by_source;
  for (data::TextPair& pair : all_pairs(s)) by_source[pair.source].push_back(std::move(pair));
  const auto count = static_cast<int64_t>(by_source.size());
  const auto held_out =
      std::max<int64_t>(2, static_cast<int64_t>(s.val_fraction * static_cast<double>(count)));
  check<ConfigError>(count > held_out, "--data: ", count, " different sources, of which ", held_out,
                     " are held out; expected more, or a smaller --val-fraction");
  Pairs pairs;
  int64_t number = 0;
  for (auto& [source, same] : by_source) {
    // An order of the sources that depends on the seed alone.
    const int64_t place = data::shuffled_index(number++, count, static_cast<uint64_t>(s.seed));
    auto& part = place >= held_out      ? pairs.train
                 : place < held_out / 2 ? pairs.validation
                                        : pairs.test;
    part.insert(part.end(), same.begin(), same.end());
  }
  data::TextSplit split;
  for (const auto& pair : pairs.train) split.train += pair.source + "\t" + pair.target + "\n";
  for (const auto* part : {&pairs.validation, &pairs.test}) {
    for (const auto& pair : *part) split.validation += pair.source + "\t" + pair.target + "\n";
  }
  pairs.fingerprint = hexadecimal(data::fingerprint(split));
  pairs.description =
      (s.data.empty() ? "data: generated pairs (" + s.task + "), for want of --data, " : "data: ") +
      std::to_string(pairs.train.size()) + " pairs to learn, " +
      std::to_string(pairs.validation.size()) + " to choose weights by, " +
      std::to_string(pairs.test.size()) + " for the test";
  return pairs;
}

data::WordTokenizer tokenizer_of(const PairSettings& s, const Pairs& pairs) {
  std::vector<std::string> texts;
  for (const data::TextPair& pair : pairs.train) {
    texts.push_back(pair.source + "\n" + pair.target + "\n");
  }
  return data::WordTokenizer::from_texts(
      texts, {.unit = s.unit == "word" ? data::TokenUnit::word : data::TokenUnit::character,
              .vocab_size = s.vocab_size,
              .min_frequency = 1});
}

Json identity(const PairSettings& s, const models::Seq2Seq& model, const Pairs& pairs) {
  Json all = identity_of(s);
  all["data"] = pairs.fingerprint;
  all["unit"] = s.unit;
  all["model"] = model.config().to_json();
  all["init"] = s.init;
  return all;
}

std::string sample(const PairSettings& s, models::Seq2Seq& model, const data::Tokenizer& tokenizer,
                   const std::vector<models::TokenPair>& held_out, int64_t step) {
  constexpr size_t kShown = 4;
  if (s.sample_every == 0 || step % s.sample_every != 0) return "";
  const models::Frame frame = models::frame_of(tokenizer);
  std::vector<std::vector<data::Token>> sources;
  for (size_t i = 0; i < std::min(held_out.size(), kShown); ++i) {
    sources.push_back(held_out[i].source);
    sources.back().push_back(frame.end);
  }
  model.eval();
  const auto targets = models::greedy_search(model, sources, frame);
  model.train();
  std::string text = "--- after " + std::to_string(step) + " steps\n";
  for (size_t i = 0; i < targets.size(); ++i) {
    text += tokenizer.decode(held_out[i].source) + " -> " + tokenizer.decode(targets[i]) + "\n";
  }
  return text + "---";
}

int train(const OptionTable& table, const PairSettings& s, const Invocation& invocation) {
  RunFolder folder(kProgram, s);
  const Pairs pairs = load_pairs(s);
  Generator generator(static_cast<uint64_t>(s.seed));
  std::unique_ptr<data::Tokenizer> tokenizer;
  std::optional<models::Seq2Seq> model;
  if (s.init.empty()) {
    tokenizer = std::make_unique<data::WordTokenizer>(tokenizer_of(s, pairs));
    model.emplace(models::Seq2SeqConfig{.vocab_size = tokenizer->vocab_size(),
                                        .max_length = s.max_length,
                                        .d_model = s.n_embd,
                                        .nhead = s.n_head,
                                        .num_encoder_layers = s.n_layer,
                                        .num_decoder_layers = s.n_layer,
                                        .dim_feedforward = 4 * s.n_embd,
                                        .dropout = s.dropout},
                  generator);
  } else {
    // A run that began with --init goes on from its own checkpoint: the other folder may be gone.
    const std::string source =
        folder.checkpoint() ? *folder.checkpoint() : open_checkpoint(kProgram, "--init", s.init);
    tokenizer = data::Tokenizer::load(source + "/tokenizer.json");
    model.emplace(models::Seq2Seq::load(source));
    const models::Seq2SeqConfig& config = model->config();
    check_agrees(table, "n-layer", s.n_layer, config.num_encoder_layers, source);
    check_agrees(table, "n-head", s.n_head, config.nhead, source);
    check_agrees(table, "n-embd", s.n_embd, config.d_model, source);
    check_agrees(table, "max-length", s.max_length, config.max_length, source);
  }
  // A text has a token for its end, and a target one for its beginning.
  const int64_t longest = model->config().max_length - 1;
  const std::vector<models::TokenPair> held_out =
      models::encode_pairs(pairs.validation, *tokenizer, longest);
  models::Seq2SeqTask task(
      *model, *tokenizer, models::encode_pairs(pairs.train, *tokenizer, longest), held_out,
      models::encode_pairs(pairs.test, *tokenizer, longest),
      {.batch_size = s.batch_size,
       .seed = static_cast<uint64_t>(s.seed),
       .beam = {.beam_size = s.beam_size, .length_penalty = s.length_penalty}});
  optim::AdamW optimizer = make_optimizer(*model, s);
  return run_training(
      table, s, folder, invocation,
      {.task = task,
       .optimizer = optimizer,
       .identity = identity(s, *model, pairs),
       .description = {pairs.description,
                       describe_parameters(
                           *model, ", a vocabulary of " + std::to_string(tokenizer->vocab_size()))},
       .keep_best = true,
       .sample = [&](int64_t step) { return sample(s, *model, *tokenizer, held_out, step); }});
}

}  // namespace
}  // namespace adjoint::train

int main(int argc, char** argv) {
  using namespace adjoint::train;
  PairSettings settings;
  OptionTable table = make_table(settings);
  return train_main(kProgram, argc, argv, table, settings, [&](const Invocation& invocation) {
    return train(table, settings, invocation);
  });
}
