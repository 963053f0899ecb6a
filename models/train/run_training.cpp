#include "models/train/run_training.h"

#include <adjoint/core/autocast.h>
#include <adjoint/core/device_info.h>
#include <adjoint/core/parallel.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/gpt_task.h>
#include <adjoint/optim/groups.h>
#include <adjoint/optim/schedule.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "models/train/progress.h"
#include "models/train/system.h"

namespace adjoint::train {
namespace {

void print_start(const TrainSettings& s, const Training& training,
                 const std::optional<std::string>& checkpoint) {
  if (s.quiet) return;
  for (const std::string& line : training.description) std::cerr << line << "\n";
  std::cerr << "run: " << s.out << ", seed " << s.seed << ", " << num_threads() << " threads, "
            << instruction_set() << "\n";
  if (checkpoint) std::cerr << "going on from " << *checkpoint << "\n";
}

ProgressOptions progress_options(const TrainSettings& s, int64_t first_step) {
  const bool live = stderr_is_terminal();
  const char* no_color = std::getenv("NO_COLOR");
  const bool color = s.color == "always" ||
                     (s.color == "auto" && live && (no_color == nullptr || *no_color == '\0'));
  return {.steps = s.steps,
          .first_step = first_step,
          .live = live,
          .color = color,
          .quiet = s.quiet,
          .width = terminal_width};
}

// ", test_accuracy 0.9153".
std::string described(const std::vector<models::Metric>& metrics) {
  std::string text;
  for (const models::Metric& metric : metrics) {
    char value[32];
    std::snprintf(value, sizeof(value), "%.4f", metric.value);
    text += ", " + metric.name + " " + value;
  }
  return text;
}

int report_end(models::TrainingEnd end, const TrainSettings& s, const models::Trainer& trainer,
               const std::string& command, const std::string& tested, Progress& progress) {
  const models::TrainingState& state = trainer.state();
  switch (end) {
    case models::TrainingEnd::was_finished:
      progress.finish("nothing to do: the run in " + s.out + " has made all of its " +
                      std::to_string(s.steps) + " steps" + tested);
      return 0;
    case models::TrainingEnd::finished:
      if (!s.quiet) {
        progress.finish("done: " + s.out + "/" + models::checkpoint_name(state.step) +
                        (state.best_loss
                             ? std::string(state.best_score ? ", best" : ", best validation") +
                                   " loss " + std::to_string(*state.best_loss) + " at step " +
                                   std::to_string(state.best_step)
                             : "") +
                        tested);
      }
      return 0;
    case models::TrainingEnd::out_of_time:
      progress.finish("time is up at step " + std::to_string(state.step) +
                      "; saved; this goes on:\n  " + command);
      return 0;
    case models::TrainingEnd::stopped:
      break;
  }
  if (stop_signal() == 0) {
    std::cout.clear();  // what is to be said of it is said here
    progress.finish("nobody reads stdout any more: stopped at step " + std::to_string(state.step) +
                    "; saved; this goes on:\n  " + command);
    return 1;
  }
  progress.finish("interrupted at step " + std::to_string(state.step) +
                  "; saved; this goes on:\n  " + command);
  return 128 + stop_signal();
}

}  // namespace

int run_training(const OptionTable& table, const TrainSettings& s, RunFolder& folder,
                 const Invocation& invocation, const Training& training) {
  const std::optional<std::string>& checkpoint = folder.checkpoint();
  std::optional<optim::CosineSchedule> cosine;
  if (training.schedule == nullptr) {
    cosine.emplace(
        optim::CosineOptions{.lr = s.lr, .min_lr = s.min_lr, .steps = s.steps, .warmup = s.warmup});
  }
  const optim::Schedule& schedule = cosine ? *cosine : *training.schedule;
  models::TrainerOptions options = trainer_options(s);
  options.keep_best = training.keep_best;
  models::Trainer trainer(training.task, training.optimizer, schedule, options, s.out,
                          training.identity,
                          Json::object({{"version", version()},
                                        {"instruction_set", instruction_set()},
                                        {"options", table.config_json()}}));
  folder.make();
  if (checkpoint) {
    trainer.resume(*checkpoint);
    folder.name_latest();
  }
  print_start(s, training, checkpoint);

  Progress progress(progress_options(s, trainer.step()));
  models::TrainerEvents events;
  bool abandoned = false;
  const auto print = [&](const Json& line) {
    if (s.json) std::cout << line.dump() + "\n" << std::flush;
    abandoned = !std::cout.good() && stdout_is_abandoned();
  };
  events.stop = [&] { return abandoned || stop_signal() != 0; };
  events.on_step = [&](const models::StepReport& report) {
    print(report.to_json());
    progress.step(report);
    const std::string sample = training.sample ? training.sample(report.step) : "";
    if (!sample.empty()) progress.message(sample);
  };
  std::string tested;
  events.on_test = [&](const std::vector<models::Metric>& metrics, const Json& line) {
    print(line);
    tested = described(metrics);
  };
  const std::string command =
      resume_command(invocation.program, invocation.arguments, table, s.out);
  const Autocast autocast(s.autocast == "bf16");
  const models::TrainingEnd end = trainer.run(events);
  return report_end(end, s, trainer, command, tested, progress);
}

optim::AdamW make_optimizer(const nn::ModuleBase& model, const TrainSettings& s) {
  return models::make_gpt_optimizer(
      model, {.lr = s.lr, .beta1 = s.beta1, .beta2 = s.beta2, .weight_decay = s.weight_decay});
}

std::string describe_parameters(const nn::ModuleBase& model, const std::string& more) {
  const auto [matrices, vectors] = optim::split_by_dimension(model.parameters());
  const auto count = [](const std::vector<NamedSlot>& slots) {
    int64_t sum = 0;
    for (const NamedSlot& slot : slots) sum += slot.slot->numel();
    return std::to_string(sum);
  };
  return "model: " + std::to_string(model.parameter_count()) + " parameters (" + count(matrices) +
         " with weight decay, " + count(vectors) + " without)" + more;
}

int train_main(const char* name, int argc, char** argv, OptionTable& table, TrainSettings& settings,
               const std::function<int(const Invocation&)>& train) {
  return run_program(name, [&] {
    const Invocation invocation{argv[0], std::vector<std::string>(argv + 1, argv + argc)};
    if (table.answers(invocation.arguments, [&] { settle(table, settings); })) return 0;
    catch_stop_signals();
    if (settings.threads > 0) set_num_threads(static_cast<int>(settings.threads));
    return train(invocation);
  });
}

}  // namespace adjoint::train
