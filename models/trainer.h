// The training loop: what every training program shares, and nothing that is printed.
//
// A task says what is learnt; the trainer turns losses into steps, measures, saves, resumes, and
// stops before a loss or gradient that is not finite reaches the weights.
//
// Everything a step does is a function of the run's seed and the number of the step (the trainer
// sets the thread's generator to {seed, (step + 1) 2^32} before each), so a run that was killed and
// resumed ends with the same bits as one that was not.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/json.h>
#include <adjoint/core/tensor.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/nn/module.h>
#include <adjoint/optim/optimizer.h>
#include <adjoint/optim/schedule.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace adjoint::models {

// A loss or a gradient that is NaN or infinite: training cannot go on.
class DivergenceError : public Error {
 public:
  using Error::Error;
};

// Something measured, by its name in metrics.jsonl: {"val_accuracy", 0.91}.
struct Metric {
  std::string name;
  double value = 0;

  bool operator==(const Metric& other) const = default;
};

// What an examination of the whole validation part found.
struct Validation {
  double loss = 0;                   // NaN or infinite where it is
  std::vector<Metric> metrics = {};  // beside it, the most telling one first
  // The higher the better, where the loss does not say which weights are the best.
  std::optional<double> score = {};
};

// What is learnt.
class TrainingTask {
 public:
  virtual ~TrainingTask() = default;

  virtual nn::ModuleBase& model() = 0;
  // The loss of the batch of this step (from 0), recorded, one element. A function of the step and
  // of the default generator alone.
  virtual Tensor loss(int64_t step) = 0;
  // Examines the model on the whole validation part, in order. The model is in eval mode and
  // nothing is recorded. `stop` may end it early, with nothing; it is made again when the run goes
  // on.
  virtual std::optional<Validation> validate(const std::function<bool()>& stop) = 0;
  // What is measured once, after the last step, such as the accuracy on a test set that nothing was
  // chosen by: the last line of metrics.jsonl. As validate(); with keep_best, of the best weights.
  virtual std::vector<Metric> test() { return {}; }
  // What a step reads, and what that is counted in: "tokens_per_second" in metrics.jsonl.
  virtual int64_t units_per_step() const = 0;
  virtual std::string unit() const { return "tokens"; }
  // The files beside the weights: config.json, tokenizer.json.
  virtual void add_files(io::AtomicDirectory& folder) = 0;
};

struct TrainerOptions {
  int64_t steps = 1000;
  double grad_clip = 1.0;    // by the norm of all gradients; 0 for none
  int64_t eval_every = 250;  // steps; 0: only at the end
  int64_t save_every = 250;  // steps; 0: only at the end
  int64_t keep = 2;          // checkpoints, at least 2
  // The best weights of all validations are saved when they are found, kept, and those of test().
  bool keep_best = false;
  double max_seconds = 0;  // of this call of run(); 0: no limit
  uint64_t seed = 0;
};

// A line of metrics.jsonl.
struct StepReport {
  int64_t step = 0;       // steps made, this one included
  double train_loss = 0;  // of this step's batch, before it
  double lr = 0;          // of this step
  double grad_norm = 0;   // before clipping
  double per_second = 0;  // units, over the last steps, without validation and saving
  std::string unit = "tokens";
  std::optional<double> val_loss = {};
  std::vector<Metric> metrics = {};  // of the validation

  Json to_json() const;
  static StepReport from_json(const Json& line);
};

// What an observer may want to know; each may be empty. Exceptions end the training.
struct TrainerEvents {
  std::function<void(const StepReport&)> on_step;
  // A new checkpoint is on the disk.
  std::function<void(const std::string& path, int64_t step)> on_save;
  // After the last step: what test() measured, and its line of metrics.jsonl.
  std::function<void(const std::vector<Metric>& metrics, const Json& line)> on_test;
  // After each step; true ends the training with a checkpoint.
  std::function<bool()> stop;
};

enum class TrainingEnd {
  finished,      // all steps were made
  stopped,       // stop() said so
  out_of_time,   // max_seconds passed
  was_finished,  // there was nothing left to do
};

class Trainer {
 public:
  // All must outlive the trainer. `identity` is what must not change between the parts of a run.
  // ConfigError for options out of range.
  Trainer(TrainingTask& task, optim::Optimizer& optimizer, const optim::Schedule& schedule,
          const TrainerOptions& options, std::string run, Json identity,
          Json about = Json::object());

  // Reads a checkpoint of this run into model and optimizer.
  // ConfigError where the identity is another; IoError where it is damaged.
  void resume(const std::string& checkpoint);

  // Trains, writing metrics.jsonl (cut back first to the step it goes on from) and checkpoints into
  // the run's folder; always ends with a checkpoint, unless it throws. DivergenceError leaves
  // weights and checkpoints as they were. A run that was killed before its test is tested now.
  TrainingEnd run(const TrainerEvents& events = {});

  int64_t step() const { return state_.step; }
  const TrainingState& state() const { return state_; }

 private:
  TrainingEnd train(const TrainerEvents& events);
  void test(const TrainerEvents& events);
  StepReport one_step();
  bool validate(StepReport& report, const TrainerEvents& events);
  void save(const TrainerEvents& events);
  void check_finite(double loss, double norm);
  void measure_speed(double seconds);
  double units_per_second() const;

  TrainingTask& task_;
  optim::Optimizer& optimizer_;
  const optim::Schedule& schedule_;
  TrainerOptions options_;
  std::string run_;
  TrainingState state_;
  std::vector<NamedSlot> slots_;
  bool has_checkpoint_ = false;
  std::deque<double> step_seconds_;
};

// The path of the first module, in the order of a run of `forward`, whose output is not finite, or
// nothing. Modules are found by their calls on this thread.
std::optional<std::string> first_nonfinite_module(const std::function<void()>& forward);
// The path of the module whose output is the first, in the order of backward, to get a gradient
// with a NaN or an infinity; nothing if none does. Adds to the gradients of parameters.
std::optional<std::string> first_nonfinite_gradient(const std::function<Tensor()>& loss);

}  // namespace adjoint::models
