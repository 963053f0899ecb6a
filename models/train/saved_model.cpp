#include "models/train/saved_model.h"

#include <iostream>

#include "models/train/settings.h"

namespace adjoint::train {

void show_passed_over(const std::string& program, const models::FoundCheckpoint& found) {
  for (const std::string& what : found.passed_over) {
    std::cerr << program << ": not whole, passed over: " << what << "\n";
  }
}

std::string open_checkpoint(const std::string& program, const std::string& option,
                            const std::string& dir) {
  check<UsageError>(!dir.empty(), option, ": missing; expected a run or a checkpoint");
  const models::FoundCheckpoint found = models::find_checkpoint(without_slashes(dir));
  show_passed_over(program, found);
  return found.path;
}

SavedModel load_saved_model(const std::string& checkpoint) {
  auto model = models::load_language_model(checkpoint);
  const std::string file = checkpoint + "/tokenizer.json";
  auto tokenizer = data::CharTokenizer::load(file);
  check<IoError>(tokenizer.vocab_size() == model->vocab_size(), file, ": has ",
                 tokenizer.vocab_size(), " characters; expected the ", model->vocab_size(),
                 " of the model's config.json");
  return {std::move(model), std::move(tokenizer)};
}

}  // namespace adjoint::train
