// train_lstm: trains an LSTM or a GRU on text, from its characters.
#include <adjoint/models/rnn.h>

#include <memory>

#include "models/train/option_table.h"
#include "models/train/run_training.h"
#include "models/train/saved_model.h"
#include "models/train/settings.h"
#include "models/train/text_training.h"

namespace adjoint::train {
namespace {

constexpr const char* kProgram = "train_lstm";

struct LstmSettings : TextSettings {
  SampleSettings samples;
  std::string cell = "lstm";
  int64_t n_embd = 128;
  int64_t hidden_size = 256;
  int64_t num_layers = 2;

  LstmSettings() {
    out = "runs/lstm";
    batch_size = 32;
    lr = 4e-3;
    weight_decay = 0.01;
  }
};

OptionTable make_table(LstmSettings& settings) {
  OptionTable table(kProgram,
                    "Trains an LSTM or a GRU to predict text, character by character, and saves "
                    "checkpoints that resume to the same bits.");
  add_text_options(table, settings);
  add_run_options(table, settings);
  add_training_options(table, settings, "sequences");
  add_report_options(table, settings);
  add_sample_options(table, settings.samples);
  table.section("Model");
  table.add("seq-len", &settings.seq_len, "N",
            "characters a sequence: how far gradients go back, from an empty memory",
            {.least = 1, .most = 1 << 20});
  table.add("cell", &settings.cell, std::vector<std::string>{"lstm", "gru"}, "of the layers");
  table.add("n-embd", &settings.n_embd, "N", "width of the embedding",
            {.least = 1, .most = 1 << 18});
  table.add("hidden-size", &settings.hidden_size, "N", "width of a layer",
            {.least = 1, .most = 1 << 18});
  table.add("num-layers", &settings.num_layers, "N", "layers, one above the other",
            {.least = 1, .most = 4096});
  // char learns Shakespeare in minutes; tiny is for trying.
  table.preset("char", {{"n-embd", "128"},
                        {"hidden-size", "256"},
                        {"num-layers", "2"},
                        {"seq-len", "64"},
                        {"batch-size", "32"},
                        {"lr", "4e-3"},
                        {"steps", "4000"}});
  table.preset("tiny", {{"n-embd", "32"},
                        {"hidden-size", "64"},
                        {"num-layers", "1"},
                        {"seq-len", "32"},
                        {"batch-size", "16"},
                        {"steps", "500"}});
  return table;
}

models::RnnConfig config_of(const LstmSettings& s, int64_t vocab_size) {
  return {.vocab_size = vocab_size,
          .cell = s.cell,
          .n_embd = s.n_embd,
          .hidden_size = s.hidden_size,
          .num_layers = s.num_layers,
          .dropout = s.dropout};
}

TextProgram::Model model_like(const models::LanguageModel& start, const std::string& source,
                              const OptionTable& table, const LstmSettings& s,
                              Generator& generator) {
  const auto* rnn = dynamic_cast<const models::Rnn*>(&start);
  check<UsageError>(rnn != nullptr, "--init: the model in ", source,
                    " is no LSTM or GRU; expected a run of ", kProgram);
  models::RnnConfig config = rnn->config();
  const auto agree = [&](const char* option, const auto& given, const auto& there) {
    check_agrees(table, option, given, there, source);
  };
  agree("cell", s.cell, config.cell);
  agree("n-embd", s.n_embd, config.n_embd);
  agree("hidden-size", s.hidden_size, config.hidden_size);
  agree("num-layers", s.num_layers, config.num_layers);
  config.dropout = s.dropout;
  return std::make_unique<models::Rnn>(config, generator);
}

int train(const OptionTable& table, LstmSettings& s, const Invocation& invocation) {
  return train_text(
      table, s, s.samples, invocation,
      {.name = kProgram,
       .new_model =
           [&](int64_t vocab_size, Generator& generator) {
             return std::make_unique<models::Rnn>(config_of(s, vocab_size), generator);
           },
       .model_like =
           [&](const models::LanguageModel& start, const std::string& source,
               Generator& generator) { return model_like(start, source, table, s, generator); },
       .describe =
           [&](const models::LanguageModel&) {
             return ", sequences of " + std::to_string(s.seq_len);
           }});
}

}  // namespace
}  // namespace adjoint::train

int main(int argc, char** argv) {
  using namespace adjoint::train;
  LstmSettings settings;
  OptionTable table = make_table(settings);
  return train_main(kProgram, argc, argv, table, settings, [&](const Invocation& invocation) {
    return train(table, settings, invocation);
  });
}
