// The options that every training program takes, and what follows from them.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/models/trainer.h>

#include <cstdint>
#include <string>
#include <vector>

#include "models/train/option_table.h"

namespace adjoint::train {

struct TrainSettings {
  std::vector<std::string> data;
  double val_fraction = 0.1;

  std::string init;
  std::string out = "runs/gpt";
  std::string resume = "auto";

  int64_t steps = 2000;
  int64_t batch_size = 12;
  double lr = 1e-3;
  double min_lr = 1e-4;
  int64_t warmup = 100;
  double weight_decay = 0.1;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double grad_clip = 1.0;
  double dropout = 0.0;
  std::string autocast = "none";
  int64_t seed = 1337;
  int64_t threads = 0;
  double max_time = 0;

  int64_t eval_every = 250;
  int64_t save_every = 250;
  int64_t keep = 2;
  bool json = false;
  bool quiet = false;
  std::string color = "auto";
};

// Of programs that learn running text.
struct TextSettings : TrainSettings {
  std::vector<std::string> val_data;
  std::vector<std::string> extensions;
  std::string val_split = "auto";
  int64_t seq_len = 64;
};

// Of programs that write text.
struct SampleSettings {
  int64_t sample_every = 0;
  int64_t sample_len = 200;
  std::string prompt = "\n";
};

// Each declares options of one kind under a title of its own; the initial values are the defaults.
// Where `s` has data in files, the program declares --data.
void add_text_options(OptionTable& table, TextSettings& s);  // Data
void add_run_options(OptionTable& table, TrainSettings& s);  // Run
// Training; `batch` says what --batch-size counts.
void add_training_options(OptionTable& table, TrainSettings& s, const std::string& batch);
void add_report_options(OptionTable& table, TrainSettings& s);   // Reports
void add_sample_options(OptionTable& table, SampleSettings& s);  // Samples

// What depends on other options where it was not given: min-lr (a tenth of lr), warmup (at most a
// tenth of the steps). Throws UsageError where values do not fit together.
void settle(OptionTable& table, TrainSettings& settings);

// The name of a folder without slashes at its end: more is put after one.
std::string without_slashes(std::string folder);

models::TrainerOptions trainer_options(const TrainSettings& settings);

// The options that must stay the same through a run, for TrainingState::identity.
Json identity_of(const TrainSettings& settings);

// The command that goes on with a run: the arguments, and those that came from the environment,
// with --resume must, quoted for a shell.
std::string resume_command(const std::string& program, const std::vector<std::string>& arguments,
                           const OptionTable& table, const std::string& out);

}  // namespace adjoint::train
