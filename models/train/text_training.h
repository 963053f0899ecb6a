// What programs do that train a language model on running text, from its characters: train_gpt,
// train_lstm. They differ in the model.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/core/random.h>
#include <adjoint/models/language_model.h>

#include <functional>
#include <memory>
#include <string>

#include "models/train/option_table.h"
#include "models/train/run_training.h"
#include "models/train/settings.h"

namespace adjoint::train {

struct TextProgram {
  using Model = std::unique_ptr<models::LanguageModel>;

  const char* name;
  // A model from the options; UsageError where these make none.
  std::function<Model(int64_t vocab_size, Generator& generator)> new_model;
  // One like that of --init, in `source`, whose weights it then gets: options that were given must
  // agree with it.
  std::function<Model(const models::LanguageModel& start, const std::string& source,
                      Generator& generator)>
      model_like;
  // Behind the vocabulary in the line about the model: ", context 64".
  std::function<std::string(const models::LanguageModel& model)> describe;
  // More of what must stay the same through a run.
  std::function<void(Json& identity)> identify = {};
};

// Trains; the exit status of the program. A run that began with --init goes on from its own
// checkpoint: the other folder may be gone.
int train_text(const OptionTable& table, TextSettings& settings, const SampleSettings& samples,
               const Invocation& invocation, const TextProgram& program);

}  // namespace adjoint::train
