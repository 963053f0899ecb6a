// train_gpt: trains a GPT on text, from its characters.
#include <adjoint/models/gpt.h>
#include <adjoint/models/llama.h>

#include <algorithm>
#include <memory>

#include "models/train/option_table.h"
#include "models/train/run_training.h"
#include "models/train/saved_model.h"
#include "models/train/settings.h"
#include "models/train/text_training.h"

namespace adjoint::train {
namespace {

constexpr const char* kProgram = "train_gpt";

struct GptSettings : TextSettings {
  SampleSettings samples;
  std::string arch = "gpt2";
  int64_t n_layer = 4;
  int64_t n_head = 4;
  int64_t n_kv_head = 0;
  int64_t n_embd = 128;
  bool bias = true;
};

OptionTable make_table(GptSettings& settings) {
  OptionTable table(kProgram,
                    "Trains a GPT to predict text, character by character, and saves checkpoints "
                    "that resume to the same bits.");
  add_text_options(table, settings);
  add_run_options(table, settings);
  add_training_options(table, settings, "sequences");
  add_report_options(table, settings);
  add_sample_options(table, settings.samples);
  table.section("Model");
  table.add("seq-len", &settings.seq_len, "N", "tokens a sequence: the model's context",
            {.least = 1, .most = 1 << 20});
  table.add("arch", &settings.arch, std::vector<std::string>{"gpt2", "llama"},
            "llama: RMSNorm, rotary positions, SwiGLU, grouped queries, no biases");
  table.add("n-layer", &settings.n_layer, "N", "Transformer blocks", {.least = 1, .most = 4096});
  table.add("n-head", &settings.n_head, "N", "attention heads", {.least = 1, .most = 4096});
  table.add("n-kv-head", &settings.n_kv_head, "N",
            "of llama: heads of keys and values; 0: half of --n-head", {.least = 0, .most = 4096});
  table.add("n-embd", &settings.n_embd, "N", "width", {.least = 1, .most = 1 << 18});
  table.add("bias", &settings.bias, "of gpt2: biases, in layers and norms");
  // char is nanoGPT's configuration for a CPU; 124m is GPT-2's smallest.
  table.preset("char", {{"n-layer", "4"},
                        {"n-head", "4"},
                        {"n-embd", "128"},
                        {"seq-len", "64"},
                        {"batch-size", "12"},
                        {"dropout", "0"},
                        {"lr", "1e-3"},
                        {"warmup", "100"},
                        {"beta1", "0.9"},
                        {"beta2", "0.99"},
                        {"weight-decay", "0.1"},
                        {"grad-clip", "1"},
                        {"steps", "2000"}});
  table.preset("tiny", {{"n-layer", "2"},
                        {"n-head", "4"},
                        {"n-embd", "64"},
                        {"seq-len", "64"},
                        {"batch-size", "12"},
                        {"steps", "500"}});
  table.preset("small", {{"n-layer", "2"},
                         {"n-head", "4"},
                         {"n-embd", "128"},
                         {"seq-len", "512"},
                         {"batch-size", "4"},
                         {"steps", "2000"}});
  table.preset("124m", {{"n-layer", "12"},
                        {"n-head", "12"},
                        {"n-embd", "768"},
                        {"seq-len", "1024"},
                        {"batch-size", "4"},
                        {"lr", "6e-4"},
                        {"beta2", "0.95"},
                        {"warmup", "2000"},
                        {"steps", "100000"}});
  return table;
}

using Model = TextProgram::Model;

models::GptConfig gpt_config(const GptSettings& s, int64_t vocab_size) {
  return {.vocab_size = vocab_size,
          .block_size = s.seq_len,
          .n_layer = s.n_layer,
          .n_head = s.n_head,
          .n_embd = s.n_embd,
          .dropout = s.dropout,
          .bias = s.bias};
}

models::LlamaConfig llama_config(const GptSettings& s, int64_t vocab_size) {
  const int64_t kv_heads = s.n_kv_head > 0 ? s.n_kv_head : std::max<int64_t>(s.n_head / 2, 1);
  check<UsageError>(s.n_head % kv_heads == 0, "--n-kv-head: ", kv_heads,
                    " does not divide --n-head, ", s.n_head, "; expected a divisor");
  return {.vocab_size = vocab_size,
          .max_position_embeddings = s.seq_len,
          .num_hidden_layers = s.n_layer,
          .num_attention_heads = s.n_head,
          .num_key_value_heads = kv_heads,
          .hidden_size = s.n_embd,
          .intermediate_size = models::LlamaConfig::default_intermediate_size(s.n_embd),
          .dropout = s.dropout};
}

Model new_model(const GptSettings& s, int64_t vocab_size, Generator& generator) {
  check<UsageError>(s.n_embd % s.n_head == 0, "--n-embd: ", s.n_embd,
                    " is not a multiple of --n-head, ", s.n_head, "; expected one");
  try {
    if (s.arch == "llama") {
      return std::make_unique<models::Llama>(llama_config(s, vocab_size), generator);
    }
    return std::make_unique<models::Gpt>(gpt_config(s, vocab_size), generator);
  } catch (const ConfigError& error) {
    fail<UsageError>(error.what());
  }
}

// Sequences as long as the context of the model in `source`, unless shorter ones were asked for.
void fit_length(int64_t longest, const std::string& source, const OptionTable& table,
                GptSettings& s) {
  if (table.origin("seq-len") == "default") s.seq_len = longest;
  check<UsageError>(s.seq_len <= longest, "--seq-len: ", s.seq_len,
                    " is longer than the context of the model in ", source, ", ", longest,
                    "; expected at most that");
}

// A model like the one in `source`, whose configuration is taken over but for the dropout.
Model model_like(const models::LanguageModel& start, const std::string& source,
                 const OptionTable& table, GptSettings& s, Generator& generator) {
  const auto agree = [&](const char* option, const auto& given, const auto& there) {
    check_agrees(table, option, given, there, source);
  };
  if (const auto* gpt = dynamic_cast<const models::Gpt*>(&start)) {
    models::GptConfig config = gpt->config();
    agree("arch", s.arch, std::string("gpt2"));
    agree("n-layer", s.n_layer, config.n_layer);
    agree("n-head", s.n_head, config.n_head);
    agree("n-embd", s.n_embd, config.n_embd);
    agree("bias", s.bias, config.bias);
    config.dropout = s.dropout;
    s.arch = "gpt2";
    return std::make_unique<models::Gpt>(config, generator);
  }
  models::LlamaConfig config = dynamic_cast<const models::Llama&>(start).config();
  agree("arch", s.arch, std::string("llama"));
  agree("n-layer", s.n_layer, config.num_hidden_layers);
  agree("n-head", s.n_head, config.num_attention_heads);
  agree("n-kv-head", s.n_kv_head, config.num_key_value_heads);
  agree("n-embd", s.n_embd, config.hidden_size);
  config.dropout = s.dropout;
  s.arch = "llama";
  return std::make_unique<models::Llama>(config, generator);
}

int train(const OptionTable& table, GptSettings& s, const Invocation& invocation) {
  return train_text(
      table, s, s.samples, invocation,
      {.name = kProgram,
       .new_model = [&](int64_t vocab_size,
                        Generator& generator) { return new_model(s, vocab_size, generator); },
       .model_like =
           [&](const models::LanguageModel& start, const std::string& source,
               Generator& generator) {
             Model model = model_like(start, source, table, s, generator);
             fit_length(model->block_size(), source, table, s);
             return model;
           },
       .describe =
           [](const models::LanguageModel& model) {
             return ", context " + std::to_string(model.block_size());
           },
       .identify =
           [&](Json& identity) {
             if (s.arch != "gpt2") identity["arch"] = s.arch;  // older runs have no such entry
           }});
}

}  // namespace
}  // namespace adjoint::train

int main(int argc, char** argv) {
  using namespace adjoint::train;
  GptSettings settings;
  OptionTable table = make_table(settings);
  return train_main(kProgram, argc, argv, table, settings, [&](const Invocation& invocation) {
    return train(table, settings, invocation);
  });
}
