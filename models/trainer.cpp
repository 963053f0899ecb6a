#include <adjoint/core/autograd.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/trainer.h>
#include <adjoint/optim/clip.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "models/support/eval_mode.h"

namespace adjoint::models {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Steps whose time counts for the speed: a second or so of a small model.
constexpr size_t kSpeedWindow = 32;

// A step's streams are its own, however many numbers a model draws.
constexpr int kStreamBits = 32;

void seed_step(uint64_t seed, int64_t step) {
  default_generator().set_state(seed, static_cast<uint64_t>(step + 1) << kStreamBits);
}

// Lines appended to a file, each handed to the system at once: a kill loses none.
class MetricsFile {
 public:
  explicit MetricsFile(const std::string& path)
      : path_(path), out_(path, std::ios::binary | std::ios::app) {
    check<IoError>(out_.good(), path_, ": cannot be opened for writing");
  }
  void append(const Json& line) {
    out_ << line.dump() + "\n" << std::flush;
    check<IoError>(out_.good(), path_, ": cannot be written to; is the disk full?");
  }

 private:
  std::string path_;
  std::ofstream out_;
};

constexpr const char* kPerSecond = "_per_second";

// JSON has no NaN; nothing that is not finite gets here but what a validation or test found.
Json number(double x) { return std::isfinite(x) ? Json(x) : Json(); }

// Whether the last whole line of the metrics is that of a test: it has no loss of a step.
bool has_test_line(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return false;
  std::string text = io::read_text(path);
  text.resize(text.rfind('\n') + 1);
  if (text.empty()) return false;
  text.pop_back();
  return !Json::parse(text.substr(text.rfind('\n') + 1), path).contains("train_loss");
}

// Sees the outputs of modules while it lives, and remembers the path of one.
class FirstModule : public nn::CallObserver {
 public:
  FirstModule() : outer_(nn::set_call_observer(this)) {}
  ~FirstModule() override { nn::set_call_observer(outer_); }
  FirstModule(const FirstModule&) = delete;
  FirstModule& operator=(const FirstModule&) = delete;

  void on_enter(const nn::ModuleBase&, std::span<const Tensor>) override {}
  const std::optional<std::string>& first() const { return first_; }

 protected:
  std::optional<std::string> first_;

 private:
  nn::CallObserver* outer_;
};

class NonfiniteObserver final : public FirstModule {
 public:
  void on_exit(const nn::ModuleBase&, std::span<const Tensor>,
               std::span<const Tensor> outputs) override {
    if (first_) return;
    for (const Tensor& x : outputs) {
      const bool real = x.defined() && is_floating_point(x.dtype());
      if (real && !all_finite(x)) first_ = nn::current_module_path();
      if (first_) return;
    }
  }
};

// Hooks on the outputs of modules, which backward reaches in the reverse order.
class NonfiniteGradientObserver final : public FirstModule {
 public:
  // An output may be a leaf, which outlives this.
  ~NonfiniteGradientObserver() override {
    for (HookHandle& hook : hooks_) hook.remove();
  }
  void on_exit(const nn::ModuleBase&, std::span<const Tensor>,
               std::span<const Tensor> outputs) override {
    for (const Tensor& x : outputs) {
      if (!x.defined() || !x.requires_grad()) continue;
      const auto note = [this, path = nn::current_module_path()](const Tensor& gradient) {
        if (!first_ && !all_finite(gradient)) first_ = path;
        return Tensor();
      };
      hooks_.push_back(x.register_hook(note));
    }
  }

 private:
  std::vector<HookHandle> hooks_;
};

}  // namespace

std::optional<std::string> first_nonfinite_gradient(const std::function<Tensor()>& loss) {
  const EnableGrad enable;
  NonfiniteGradientObserver observer;
  loss().backward();
  return observer.first();
}

std::optional<std::string> first_nonfinite_module(const std::function<void()>& forward) {
  const NonfiniteObserver observer;
  forward();
  return observer.first();
}

Json StepReport::to_json() const {
  Json line = Json::object({{"step", step},
                            {"train_loss", number(train_loss)},
                            {"lr", number(lr)},
                            {"grad_norm", number(grad_norm)},
                            {unit + kPerSecond, number(per_second)}});
  if (val_loss) line["val_loss"] = number(*val_loss);
  for (const Metric& metric : metrics) line[metric.name] = number(metric.value);
  return line;
}

StepReport StepReport::from_json(const Json& line) {
  StepReport report;
  report.step = line.get<int64_t>("step");
  report.train_loss = line.get<double>("train_loss");
  report.lr = line.get<double>("lr");
  report.grad_norm = line.get<double>("grad_norm");
  for (const auto& [key, value] : line.members()) {
    if (!key.ends_with(kPerSecond)) continue;
    report.unit = key.substr(0, key.size() - std::string_view(kPerSecond).size());
    report.per_second = value.get<double>();
  }
  return report;
}

Trainer::Trainer(TrainingTask& task, optim::Optimizer& optimizer, const optim::Schedule& schedule,
                 const TrainerOptions& options, std::string run, Json identity, Json about)
    : task_(task),
      optimizer_(optimizer),
      schedule_(schedule),
      options_(options),
      run_(std::move(run)),
      slots_(optimizer.slots()) {
  const auto at_least = [](const char* field, auto value, auto least) {
    check<ConfigError>(value >= least, "TrainerOptions: ", field, " is ", value,
                       "; expected at least ", least);
  };
  at_least("steps", options.steps, 1);
  at_least("grad_clip", options.grad_clip, 0.0);
  at_least("eval_every", options.eval_every, 0);
  at_least("save_every", options.save_every, 0);
  at_least("keep", options.keep, 2);
  at_least("max_seconds", options.max_seconds, 0.0);
  check<ConfigError>(options.steps < (int64_t{1} << kStreamBits), "TrainerOptions: steps is ",
                     options.steps, "; expected below 2^", kStreamBits);
  nn::check_members(task.model());
  state_.identity = std::move(identity);
  state_.about = std::move(about);
}

void Trainer::resume(const std::string& checkpoint) {
  const TrainingState saved = TrainingState::load(checkpoint + "/state.json");
  check_identity(saved.identity, state_.identity, checkpoint);
  check<IoError>(saved.step <= options_.steps, checkpoint, "/state.json: step is ", saved.step,
                 "; expected at most ", options_.steps);
  load_checkpoint(checkpoint, task_.model(), optimizer_);
  state_.step = saved.step;
  state_.best_loss = saved.best_loss;
  state_.best_score = saved.best_score;
  state_.best_step = saved.best_step;
  state_.pending = saved.pending;
  has_checkpoint_ = true;
}

TrainingEnd Trainer::run(const TrainerEvents& events) {
  const bool done = state_.step >= options_.steps && state_.pending.is_null();
  const TrainingEnd end = done ? TrainingEnd::was_finished : train(events);
  if (end == TrainingEnd::finished || end == TrainingEnd::was_finished) test(events);
  return end;
}

// Reads the test set once in the life of a run, or again where a kill left no line of it.
void Trainer::test(const TrainerEvents& events) {
  const std::string path = run_ + "/metrics.jsonl";
  if (has_test_line(path)) return;
  const std::string best = run_ + "/" + checkpoint_name(state_.best_step);
  if (options_.keep_best && state_.best_loss && !io::manifest_error(best)) {
    load_weights(best + "/model.safetensors", task_.model());
  }
  const NoGrad no_grad;
  const EvalMode eval(task_.model());
  const std::vector<Metric> metrics = task_.test();
  if (metrics.empty()) return;
  Json line = Json::object({{"step", state_.step}});
  for (const Metric& metric : metrics) line[metric.name] = number(metric.value);
  cut_metrics(path, state_.step);
  MetricsFile(path).append(line);
  if (events.on_test) events.on_test(metrics, line);
}

TrainingEnd Trainer::train(const TrainerEvents& events) {
  io::create_directories(run_);
  const std::string path = run_ + "/metrics.jsonl";
  // The line of a step whose validation is still to come is still to come too.
  cut_metrics(path, state_.pending.is_null() ? state_.step : state_.step - 1);
  MetricsFile metrics(path);
  const Clock::time_point start = Clock::now();
  const auto due = [&](int64_t every) { return every > 0 && state_.step % every == 0; };
  task_.model().train();
  while (true) {
    const bool again = !state_.pending.is_null();
    StepReport report = again ? StepReport::from_json(state_.pending) : one_step();
    const bool last = state_.step == options_.steps;
    if (again || last || due(options_.eval_every)) {
      const bool whole = validate(report, events);
      state_.pending = whole ? Json() : report.to_json();
      if (!whole) {
        save(events);
        return TrainingEnd::stopped;
      }
    }
    metrics.append(report.to_json());
    if (events.on_step) events.on_step(report);
    const bool stopped = !last && events.stop && events.stop();
    const bool late =
        !last && options_.max_seconds > 0 && seconds_since(start) >= options_.max_seconds;
    const bool best = options_.keep_best && state_.best_loss && state_.best_step == state_.step;
    if (last || stopped || late || best || due(options_.save_every)) save(events);
    if (last) return TrainingEnd::finished;
    if (stopped) return TrainingEnd::stopped;
    if (late) return TrainingEnd::out_of_time;
  }
}

StepReport Trainer::one_step() {
  const Clock::time_point start = Clock::now();
  StepReport report;
  report.lr = schedule_.lr(state_.step);
  seed_step(options_.seed, state_.step);
  {
    const Tensor loss = task_.loss(state_.step);
    loss.backward();
    report.train_loss = loss.item();
  }
  report.grad_norm = options_.grad_clip > 0 ? optim::clip_grad_norm_(optimizer_, options_.grad_clip)
                                            : optim::grad_norm(slots_);
  check_finite(report.train_loss, report.grad_norm);
  schedule_.apply(optimizer_, state_.step);
  optimizer_.step();
  optimizer_.zero_grad();
  report.step = ++state_.step;
  measure_speed(seconds_since(start));
  report.unit = task_.unit();
  report.per_second = units_per_second();
  return report;
}

void Trainer::check_finite(double loss, double norm) {
  if (std::isfinite(loss) && std::isfinite(norm)) return;
  std::string where;
  const auto again = [&] {
    seed_step(options_.seed, state_.step);
    return task_.loss(state_.step);
  };
  const auto module = first_nonfinite_module([&] {
    const NoGrad no_grad;
    again();
  });
  if (module) {
    where = "; it first appears in the output of " + *module;
  } else if (!std::isfinite(loss)) {
    where = "; every module's output is finite, so it comes from the loss itself";
  } else if (const auto output = first_nonfinite_gradient(again)) {
    where = "; the loss is finite, and the first gradient that is not is that of the output of " +
            *output;
  } else {
    const auto bad = std::find_if(slots_.begin(), slots_.end(), [](const NamedSlot& s) {
      return s.slot->grad().defined() && !all_finite(s.slot->grad());
    });
    where = bad == slots_.end() ? "; each gradient is finite, their squares overflow"
                                : "; the loss is finite, the gradient of " + bad->name + " is not";
  }
  // printf gives a NaN a sign.
  const auto text = [](double x) { return std::isnan(x) ? "nan" : std::to_string(x); };
  const std::string what = std::isfinite(loss) ? "the norm of the gradients is " + text(norm)
                                               : "the loss is " + text(loss);
  optimizer_.zero_grad();
  fail<DivergenceError>(
      "training: ", what, " at step ", state_.step + 1, where, "; the weights were not touched",
      has_checkpoint_ ? " and the last checkpoint in " + run_ + " is good" : "",
      ": try a lower learning rate, a longer warm-up or a smaller norm to clip to");
}

// False where it was stopped.
bool Trainer::validate(StepReport& report, const TrainerEvents& events) {
  const NoGrad no_grad;
  const std::function<bool()> never = [] { return false; };
  const EvalMode eval(task_.model());
  std::optional<Validation> found = task_.validate(events.stop ? events.stop : never);
  if (!found) return false;
  report.val_loss = found->loss;
  report.metrics = std::move(found->metrics);
  const double score = found->score.value_or(-found->loss);
  const bool comparable = std::isfinite(found->loss) && std::isfinite(score);
  if (comparable && (!state_.best_loss || score > state_.best_score.value_or(-*state_.best_loss))) {
    state_.best_loss = found->loss;
    state_.best_score = found->score;
    state_.best_step = state_.step;
  }
  return true;
}

void Trainer::save(const TrainerEvents& events) {
  const std::string path = save_checkpoint(
      run_, state_, task_.model(), optimizer_,
      [this](io::AtomicDirectory& folder) { task_.add_files(folder); }, options_.keep,
      options_.keep_best ? state_.best_step : 0);
  has_checkpoint_ = true;
  if (events.on_save) events.on_save(path, state_.step);
}

void Trainer::measure_speed(double seconds) {
  step_seconds_.push_back(seconds);
  if (step_seconds_.size() > kSpeedWindow) step_seconds_.pop_front();
}

double Trainer::units_per_second() const {
  const double total = std::accumulate(step_seconds_.begin(), step_seconds_.end(), 0.0);
  const double units = static_cast<double>(task_.units_per_step());
  return total > 0 ? units * static_cast<double>(step_seconds_.size()) / total : 0;
}

}  // namespace adjoint::models
