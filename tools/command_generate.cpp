// adjoint generate: text from a model.
#include <adjoint/models/generation.h>

#include <iostream>

#include "models/train/option_table.h"
#include "models/train/saved_model.h"
#include "tools/commands.h"

namespace adjoint::tools {

int command_generate(const Arguments& arguments) {
  std::string model_dir, prompt, weights = "f32";
  models::GenerationOptions options;
  int64_t seed = 1337;
  train::OptionTable table("adjoint generate", "Writes text that goes on from a prompt.");
  table.add("model", &model_dir, "DIR", "a run, or one of its checkpoints");
  table.add("prompt", &prompt, "TEXT", "what the text begins with");
  table.add("max-tokens", &options.max_tokens, "N", "tokens to write", {.least = 1});
  table.add("temperature", &options.sampling.temperature, "X",
            "divides the logits; 0 takes the most probable token", {.least = 0});
  table.add("top-k", &options.sampling.top_k, "N", "only the N most probable tokens; 0: all",
            {.least = 0});
  table.add("top-p", &options.sampling.top_p, "X",
            "only the most probable tokens that together have this probability",
            {.least = 0, .most = 1, .above_least = true});
  table.add("seed", &seed, "N", "of the random numbers", {.least = 0});
  table.add("stop", &options.stop, "TEXT", "the text ends before the first of these");
  table.add("weights", &weights, {"f32", "bf16", "int8"},
            "how weights are read; bf16 and int8 are faster, and round them");
  if (table.answers(arguments)) return 0;
  for (const auto format : {WeightFormat::f32, WeightFormat::bf16, WeightFormat::int8}) {
    if (weights == name(format)) options.weights = format;
  }
  check<train::UsageError>(!prompt.empty(), "--prompt: missing or empty; expected some text");
  for (const std::string& stop : options.stop) {
    check<train::UsageError>(!stop.empty(), "--stop: empty; expected some text");
  }
  options.seed = static_cast<uint64_t>(seed);
  auto [model, tokenizer] =
      train::load_saved_model(train::open_checkpoint("adjoint generate", "--model", model_dir));
  tokenizer.encode(prompt, {.source = "--prompt"});  // before anything is printed
  std::cout << prompt;
  models::generate_text(*model, tokenizer, prompt, options,
                        [](std::string_view text) { std::cout << text << std::flush; });
  std::cout << "\n";
  return 0;
}

}  // namespace adjoint::tools
