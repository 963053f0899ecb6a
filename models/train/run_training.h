// What every training program does once it knows what to learn: trains, shows, stops when told to,
// and says how it ended and how to go on.
#pragma once

#include <adjoint/models/trainer.h>
#include <adjoint/optim/adam.h>

#include <functional>
#include <string>
#include <vector>

#include "models/train/option_table.h"
#include "models/train/run_folder.h"
#include "models/train/settings.h"

namespace adjoint::train {

// How a program was started.
struct Invocation {
  std::string program;  // as it was called
  std::vector<std::string> arguments;
};

struct Training {
  models::TrainingTask& task;
  optim::Optimizer& optimizer;
  Json identity;                         // of the run: what must stay the same
  std::vector<std::string> description;  // lines that are shown first
  bool keep_best = false;                // see TrainerOptions
  // Of the learning rate; nullptr: a cosine, from the settings.
  const optim::Schedule* schedule = nullptr;
  // Something to be seen after a step, shown above the bar; empty: nothing.
  std::function<std::string(int64_t step)> sample = {};
};

// Trains; the exit status of the program.
int run_training(const OptionTable& table, const TrainSettings& settings, RunFolder& folder,
                 const Invocation& invocation, const Training& training);

// AdamW from the settings, with weight decay on matrices and embeddings only.
optim::AdamW make_optimizer(const nn::ModuleBase& model, const TrainSettings& settings);

// "model: 816384 parameters (798976 with weight decay, 17408 without)" + more.
std::string describe_parameters(const nn::ModuleBase& model, const std::string& more = "");

// main() of a program: options, signals, then `train`, whose errors become one line and a status.
int train_main(const char* name, int argc, char** argv, OptionTable& table, TrainSettings& settings,
               const std::function<int(const Invocation&)>& train);

}  // namespace adjoint::train
