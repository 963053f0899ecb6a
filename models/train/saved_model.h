// A model on disk as a program gets it: the newest whole checkpoint of a run, its tokenizer.
#pragma once

#include <adjoint/data/char_tokenizer.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/language_model.h>

#include <memory>
#include <string>

#include "models/train/option_table.h"

namespace adjoint::train {

// Says on stderr, a line each, which checkpoints are not whole.
void show_passed_over(const std::string& program, const models::FoundCheckpoint& found);

// The checkpoint that DIR names (find_checkpoint), with show_passed_over. UsageError naming the
// option where dir is empty.
std::string open_checkpoint(const std::string& program, const std::string& option,
                            const std::string& dir);

// An option that the model in `source` decides: UsageError where another value was given, one by
// one or by a preset.
template <class T>
void check_agrees(const OptionTable& table, const char* option, const T& given, const T& there,
                  const std::string& source) {
  const std::string& origin = table.origin(option);
  check<UsageError>(origin == "default" || given == there, "--", option, ": ", given, " (", origin,
                    "), but the model in ", source, " has ", there, "; leave it out");
}

struct SavedModel {
  std::unique_ptr<models::LanguageModel> model;
  data::CharTokenizer tokenizer;
};

// Reads a checkpoint's weights and tokenizer. IoError where they do not fit each other.
SavedModel load_saved_model(const std::string& checkpoint);

}  // namespace adjoint::train
