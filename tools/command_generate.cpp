// adjoint generate: text from a model.
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/generation.h>
#include <adjoint/models/gpt.h>

#include <iostream>

#include "models/train/option_table.h"
#include "tools/commands.h"

namespace adjoint::tools {

int command_generate(const Arguments& arguments) {
  std::string model_dir, prompt;
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
  table.add("stop", &options.stop, "TEXT...", "the text ends before the first of these");
  switch (table.parse(arguments)) {
    case train::OptionTable::Outcome::help:
      std::cout << table.help();
      return 0;
    case train::OptionTable::Outcome::version:
      std::cout << train::version_line("adjoint generate") << "\n";
      return 0;
    case train::OptionTable::Outcome::print_config:
      std::cout << table.config();
      return 0;
    case train::OptionTable::Outcome::run:
      break;
  }
  check<train::UsageError>(!model_dir.empty(), "--model: missing; expected a run or a checkpoint");
  options.seed = static_cast<uint64_t>(seed);
  const models::FoundCheckpoint found = models::find_checkpoint(model_dir);
  for (const std::string& what : found.passed_over) {
    std::cerr << "adjoint generate: not whole, passed over: " << what << "\n";
  }
  models::Gpt model = models::Gpt::load(found.path);
  const auto tokenizer = data::CharTokenizer::load(found.path + "/tokenizer.json");
  check<train::UsageError>(!prompt.empty(), "--prompt: missing or empty; expected some text");
  std::cout << prompt;
  models::generate_text(model, tokenizer, prompt, options,
                        [](std::string_view text) { std::cout << text << std::flush; });
  std::cout << "\n";
  return 0;
}

}  // namespace adjoint::tools
