#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/generation.h>
#include <adjoint/models/gpt_task.h>
#include <adjoint/models/trainer.h>
#include <adjoint/nn/activation.h>
#include <adjoint/nn/sequential.h>
#include <adjoint/optim/adam.h>
#include <adjoint/optim/sgd.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/models/model_bits.h"
#include "tests/temporary_folder.h"

namespace adjoint::models {
namespace {

namespace fs = std::filesystem;

const std::string kText =
    "Whoever finds a better one changes the code and says so in the folder's README; what is said "
    "there and is not so is an error like any other.\n";

// What a run is made of, anew for each session, as in a new process.
struct Settings {
  GptConfig model = {.block_size = 8, .n_layer = 1, .n_head = 2, .n_embd = 8, .dropout = 0.2};
  TrainerOptions options = {.steps = 8, .eval_every = 3, .save_every = 2, .seed = 5};
  int64_t batch_size = 2;
  int64_t seq_len = 8;
  double lr = 1e-2;
  int validation_repeats = 60;  // four batches
  Json identity = Json::object({{"seed", 5}, {"data", "f00d"}});
};

class Session {
 public:
  Session(const Settings& s, const std::string& run)
      : run_path(run),
        tokenizer(data::CharTokenizer::from_text(kText)),
        model(make_gpt(config(s), s.options.seed)),
        validation(repeated(s)),
        task(model, tokenizer, tokenizer.encode(kText), validation,
             {.batch_size = s.batch_size, .seq_len = s.seq_len, .seed = s.options.seed}),
        optimizer(make_gpt_optimizer(model, {.lr = s.lr})),
        schedule({.lr = s.lr, .min_lr = s.lr / 10, .steps = s.options.steps, .warmup = 2}),
        trainer(task, optimizer, schedule, s.options, run, s.identity) {}

  void resume() {
    const auto found = find_newest_in_run(run_path);
    if (found) trainer.resume(found->path);
  }

  std::string run_path;
  data::CharTokenizer tokenizer;
  Gpt model;
  std::vector<data::Token> validation;
  GptTask task;
  optim::AdamW optimizer;
  optim::CosineSchedule schedule;
  Trainer trainer;

 private:
  GptConfig config(const Settings& s) const {
    GptConfig config = s.model;
    config.vocab_size = tokenizer.vocab_size();
    return config;
  }
  std::vector<data::Token> repeated(const Settings& s) const {
    std::string text;
    for (int i = 0; i < s.validation_repeats; ++i) text += kText;
    return tokenizer.encode(text);
  }
};

// Everything that a run leaves, but for the speeds: the files of its checkpoints and the metrics.
Bits left_by(const std::string& run) {
  Bits files;
  for (const auto& entry : fs::recursive_directory_iterator(run)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().lexically_relative(run).string();
    if (name != "metrics.jsonl") files[name] = bytes_of_file(entry.path());
  }
  const std::string text = bytes_of_file(run + "/metrics.jsonl");
  std::string metrics;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    Json line = Json::parse(text.substr(at, end - at));
    EXPECT_GT(line.get<double>("tokens_per_second"), 0);
    line.erase("tokens_per_second");
    metrics += line.dump() + "\n";
    at = end == std::string::npos ? text.size() : end + 1;
  }
  files["metrics"] = metrics;
  return files;
}

// The same without all checkpoints but the last: which others there are depends on where a run was
// interrupted.
Bits end_of(const std::string& run) {
  const std::string last = find_newest_in_run(run)->path.substr(run.size() + 1);
  Bits files = left_by(run);
  std::erase_if(files, [&](const auto& file) {
    return file.first.starts_with("step-") && !file.first.starts_with(last);
  });
  return files;
}

// A run that nobody interrupts.
Bits uninterrupted(const Settings& settings, const std::string& run) {
  Session session(settings, run);
  EXPECT_EQ(session.trainer.run(), TrainingEnd::finished);
  return end_of(run);
}

// --- a run ---

TEST(Trainer, WritesWhatItSays) {
  const TemporaryFolder folder;
  const std::string run = folder.path("a/run");
  const Settings settings;
  Session session(settings, run);
  std::vector<StepReport> reports;
  std::vector<int64_t> saved;
  TrainerEvents events;
  events.on_step = [&](const StepReport& report) { reports.push_back(report); };
  events.on_save = [&](const std::string& path, int64_t step) {
    EXPECT_EQ(path, run + "/" + checkpoint_name(step));
    EXPECT_EQ(io::manifest_error(path), std::nullopt);
    saved.push_back(step);
  };
  EXPECT_EQ(session.trainer.run(events), TrainingEnd::finished);
  EXPECT_EQ(session.trainer.step(), 8);
  EXPECT_EQ(saved, (std::vector<int64_t>{2, 4, 6, 8}));
  ASSERT_EQ(reports.size(), 8U);
  std::string lines;
  for (size_t i = 0; i < reports.size(); ++i) {
    const auto step = static_cast<int64_t>(i) + 1;
    EXPECT_EQ(reports[i].step, step);
    EXPECT_EQ(reports[i].lr, session.schedule.lr(step - 1));
    EXPECT_EQ(reports[i].val_loss.has_value(), step % 3 == 0 || step == 8);
    EXPECT_GT(reports[i].grad_norm, 0);
    lines += reports[i].to_json().dump() + "\n";
  }
  EXPECT_EQ(bytes_of_file(run + "/metrics.jsonl"), lines);
  EXPECT_TRUE(fs::exists(run + "/step-00000006/tokenizer.json"));
  EXPECT_FALSE(fs::exists(run + "/step-00000004"));
  // The validation loss of the last line is that of the model that was saved.
  Gpt loaded = Gpt::load(run);
  loaded.eval();
  EXPECT_EQ(mean_loss(loaded, session.validation, 8), reports.back().val_loss);
}

TEST(Trainer, FirstLossAndStepAreThoseOfALoopByHand) {
  const TemporaryFolder folder;
  Settings settings;
  settings.options.steps = 3;
  settings.options.grad_clip = 0.05;  // always clips
  Session trained(settings, folder.path("run")), by_hand(settings, folder.path("none"));
  std::vector<double> losses;
  TrainerEvents events;
  events.on_step = [&](const StepReport& report) { losses.push_back(report.train_loss); };
  trained.trainer.run(events);
  const std::vector<data::Token> tokens = by_hand.tokenizer.encode(kText);
  const data::RandomBatches batches(tokens, 2, 8, 5);
  for (int64_t step = 0; step < 3; ++step) {
    const data::Batch batch = batches.at(step);
    default_generator().set_state(5, static_cast<uint64_t>(step + 1) << 32);
    const Tensor loss = by_hand.model.loss(batch.inputs, batch.targets);
    EXPECT_EQ(loss.item(), losses[static_cast<size_t>(step)]);
    loss.backward();
    double squares = 0;
    for (const NamedSlot& p : by_hand.model.parameters()) {
      squares += sum(square(p.slot->grad().to(DType::f64))).item();
    }
    by_hand.optimizer.scale_gradients_once(0.05 / (std::sqrt(squares) + 1e-6));
    by_hand.optimizer.set_lr(by_hand.schedule.lr(step));
    by_hand.optimizer.step();
    by_hand.optimizer.zero_grad();
  }
  // The norm is summed in another order; the factor may differ in its last bits.
  for (const NamedSlot& p : by_hand.model.parameters()) {
    const Tensor other = trained.model.state_dict().find(p.name);
    EXPECT_LT(max(abs(p.slot->stored().detach() - other)).item(), 1e-7) << p.name;
  }
}

// --- interrupted and resumed ---

// Stops at the n-th question whether to, and goes on saying so, as a signal does.
TrainerEvents stopping_at(int call, int* calls) {
  TrainerEvents events;
  *calls = 0;
  events.stop = [call, calls] { return ++*calls >= call; };
  return events;
}

TEST(Resume, AfterAnInterruptionAnywhereEndsWithTheSameBits) {
  const TemporaryFolder folder;
  const Settings settings;
  const Bits expected = uninterrupted(settings, folder.path("whole"));
  EXPECT_TRUE(expected.contains("step-00000008/optimizer.safetensors"));
  int during_validation = 0, call = 0;
  for (bool finished = false; !finished;) {
    ++call;
    const std::string run = folder.path("run" + std::to_string(call));
    {
      int calls = 0;
      Session first(settings, run);
      const TrainingEnd end = first.trainer.run(stopping_at(call, &calls));
      finished = end == TrainingEnd::finished;
      EXPECT_TRUE(finished || end == TrainingEnd::stopped);
      EXPECT_EQ(calls, finished ? call - 1 : call);
      during_validation += first.trainer.state().pending.is_null() ? 0 : 1;
    }
    if (!finished) {
      manual_seed(static_cast<uint64_t>(call));
      Session second(settings, run);
      second.resume();
      EXPECT_EQ(second.trainer.run(), TrainingEnd::finished);
    }
    EXPECT_EQ(differing(end_of(run), expected), "") << "interrupted at " << call;
    fs::remove_all(run);
  }
  // Seven steps, and three validations of four batches, ask once each.
  EXPECT_EQ(call, 7 + 3 * 4 + 1);
  EXPECT_EQ(during_validation, 3 * 4);
}

TEST(Resume, AgainAndAgainEndsWithTheSameBits) {
  const TemporaryFolder folder;
  const Settings settings;
  const Bits expected = uninterrupted(settings, folder.path("whole"));
  const std::string run = folder.path("run");
  int sessions = 0;
  for (TrainingEnd end = TrainingEnd::stopped; end == TrainingEnd::stopped; ++sessions) {
    ASSERT_LT(sessions, 20);
    int calls = 0;
    Session session(settings, run);
    session.resume();
    // The fifth question: behind a whole validation.
    end = session.trainer.run(stopping_at(5, &calls));
  }
  EXPECT_GT(sessions, 3);
  EXPECT_EQ(differing(end_of(run), expected), "");
}

TEST(Resume, WhenTimeRunsOutAfterEachStep) {
  const TemporaryFolder folder;
  Settings settings;
  const Bits expected = uninterrupted(settings, folder.path("whole"));
  settings.options.max_seconds = 1e-9;
  const std::string run = folder.path("run");
  for (int64_t step = 1; step <= 8; ++step) {
    Session session(settings, run);
    session.resume();
    const TrainingEnd end = session.trainer.run();
    EXPECT_EQ(end, step == 8 ? TrainingEnd::finished : TrainingEnd::out_of_time);
    EXPECT_EQ(session.trainer.step(), step);
  }
  EXPECT_EQ(differing(end_of(run), expected), "");
}

// Dying leaves metrics of steps that no checkpoint has, and half a line.
TEST(Resume, AfterDyingAnywhereEndsWithTheSameBits) {
  const TemporaryFolder folder;
  const Settings settings;
  const Bits expected = uninterrupted(settings, folder.path("whole"));
  for (int64_t last = 1; last <= 8; ++last) {
    for (const bool after_save : {false, true}) {
      const std::string run = folder.path("run");
      TrainerEvents dying;
      const auto die = [last](int64_t step) {
        if (step == last) throw std::runtime_error("killed");
      };
      dying.on_step = [&](const StepReport& r) { after_save ? void() : die(r.step); };
      dying.on_save = [&](const std::string&, int64_t step) { after_save ? die(step) : void(); };
      {
        Session first(settings, run);
        try {
          first.trainer.run(dying);
          EXPECT_TRUE(after_save && last % 2 == 1) << last;  // no checkpoint is made there
        } catch (const std::runtime_error& error) {
          EXPECT_STREQ(error.what(), "killed");
        }
      }
      const std::string metrics = bytes_of_file(run + "/metrics.jsonl");
      folder.write("run/metrics.jsonl", metrics + "{\"step\": 1, \"train_lo");
      Session second(settings, run);
      second.resume();
      const bool was_finished = second.trainer.step() == 8;
      EXPECT_EQ(second.trainer.run(),
                was_finished ? TrainingEnd::was_finished : TrainingEnd::finished);
      if (was_finished) folder.write("run/metrics.jsonl", metrics);
      EXPECT_EQ(differing(end_of(run), expected), "") << last << " " << after_save;
      fs::remove_all(run);
    }
  }
}

TEST(Resume, OneTwoAndFourThreadsGiveTheSameBits) {
  const ThreadsRestored restored;
  const TemporaryFolder folder;
  Settings settings;
  // Activations of 512 x 96 and more, weights of 384 x 96: beyond the 16384 elements that kernels
  // leave to one thread.
  settings.model = {.block_size = 64, .n_layer = 2, .n_head = 4, .n_embd = 96, .dropout = 0.1};
  settings.batch_size = 8;
  settings.seq_len = 64;
  settings.validation_repeats = 20;
  settings.options.steps = one_sample() ? 2 : 6;
  Bits expected;
  for (const int threads : {1, 2, 4}) {
    set_num_threads(threads);
    const std::string run = folder.path("run" + std::to_string(threads));
    const Bits left = uninterrupted(settings, run);
    if (threads == 1) expected = left;
    EXPECT_EQ(differing(left, expected), "") << threads << " threads";
  }
  // The number may change between the parts of a run.
  set_num_threads(4);
  int calls = 0;
  const std::string run = folder.path("mixed");
  {
    Session first(settings, run);
    EXPECT_EQ(first.trainer.run(stopping_at(1, &calls)), TrainingEnd::stopped);
  }
  set_num_threads(1);
  Session second(settings, run);
  second.resume();
  EXPECT_EQ(second.trainer.run(), TrainingEnd::finished);
  EXPECT_EQ(differing(end_of(run), expected), "");
}

TEST(Resume, AFinishedRunHasNothingToDo) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Settings settings;
  uninterrupted(settings, run);
  const std::string metrics = bytes_of_file(run + "/metrics.jsonl");
  Session again(settings, run);
  again.resume();
  TrainerEvents events;
  events.on_step = [](const StepReport&) { FAIL(); };
  events.on_save = [](const std::string&, int64_t) { FAIL(); };
  EXPECT_EQ(again.trainer.run(events), TrainingEnd::was_finished);
  EXPECT_EQ(bytes_of_file(run + "/metrics.jsonl"), metrics);
}

TEST(Resume, ARunThatBeginsAnewBeginsItsMetricsAnew) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Settings settings;
  const Bits expected = uninterrupted(settings, run);
  EXPECT_EQ(differing(uninterrupted(settings, run), expected), "");
}

TEST(Resume, AnotherRunIsAnError) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  Settings settings;
  uninterrupted(settings, run);
  const auto error = [&](const Settings& other) {
    Session session(other, run);
    const Bits before = bits_of(session.model), memory = bits_of(session.optimizer);
    const std::string what = error_of<Error>([&] { session.resume(); });
    EXPECT_EQ(differing(bits_of(session.model), before), "");
    EXPECT_EQ(differing(bits_of(session.optimizer), memory), "");
    EXPECT_EQ(session.trainer.step(), 0);
    return what;
  };
  Settings other = settings;
  other.identity["seed"] = 6;
  EXPECT_TRUE(error(other).starts_with("resume: --seed was 5 in " + run + "/step-00000008"));
  other.identity = settings.identity;
  other.identity["data"] = "beef";
  EXPECT_TRUE(error(other).starts_with("resume: data: the text is another one than in "))
      << error(other);
  other = settings;
  other.identity["model"] = "another";
  EXPECT_TRUE(error(other).starts_with("resume: model was not given in "));
  // A model that the identity does not tell apart.
  other = settings;
  other.model.n_embd = 16;
  EXPECT_TRUE(contains(error(other), "does not fit the optimizer"));
  other = settings;
  other.options.steps = 5;
  EXPECT_TRUE(contains(error(other), "step is 8; expected at most 5"));
}

// --- metrics, the best weights, the test ---

// Its parameter is the number of the step, and its score is the highest at the third validation.
class ScoredTask : public TrainingTask {
 public:
  struct Counter : nn::Module<Counter> {
    Parameter w{zeros({1})};
    Tensor forward(const Tensor& x) const { return sum(w * x); }
    void members(nn::Visitor& v) override { v("w", w); }
  };
  nn::ModuleBase& model() override { return counter; }
  Tensor loss(int64_t) override { return counter(full({1}, -1.0)); }
  std::optional<Validation> validate(const std::function<bool()>&) override {
    EXPECT_FALSE(counter.is_training());
    const double score = -std::abs(weight() - 3);
    return Validation{.loss = 10 - weight(), .metrics = {{"val_score", score}}, .score = score};
  }
  std::vector<Metric> test() override {
    EXPECT_FALSE(counter.is_training());
    ++tests;
    return {{"test_weight", weight()}};
  }
  int64_t units_per_step() const override { return 2; }
  std::string unit() const override { return "samples"; }
  void add_files(io::AtomicDirectory&) override {}

  double weight() const { return sum(counter.w).item(); }

  Counter counter;
  int tests = 0;
};

struct ScoredRun {
  explicit ScoredRun(const std::string& run, bool keep_best = true)
      : optimizer(task.counter.parameters(), {.lr = 1}),
        schedule({.lr = 1, .min_lr = 1, .steps = 8}),
        trainer(task, optimizer, schedule,
                {.steps = 8, .grad_clip = 0, .eval_every = 1, .keep_best = keep_best}, run,
                Json::object()) {}

  ScoredTask task;
  optim::SGD optimizer;
  optim::CosineSchedule schedule;
  Trainer trainer;
};

TEST(BestWeights, AreKeptAndTestedOnce) {
  const TemporaryFolder folder;
  ScoredRun run(folder.path("run"));
  std::vector<Metric> tested;
  TrainerEvents events;
  events.on_test = [&](const std::vector<Metric>& metrics, const Json&) { tested = metrics; };
  EXPECT_EQ(run.trainer.run(events), TrainingEnd::finished);
  EXPECT_EQ(tested, (std::vector<Metric>{{"test_weight", 3.0}}));
  EXPECT_EQ(run.trainer.state().best_step, 3);
  EXPECT_EQ(run.trainer.state().best_score, 0.0);
  EXPECT_EQ(run.trainer.state().best_loss, 7.0);
  EXPECT_TRUE(std::filesystem::exists(folder.path("run/step-00000003")));
  EXPECT_FALSE(std::filesystem::exists(folder.path("run/step-00000002")));

  std::istringstream metrics(bytes_of_file(folder.path("run/metrics.jsonl")));
  std::vector<std::string> lines;
  for (std::string line; std::getline(metrics, line);) lines.push_back(line);
  ASSERT_EQ(lines.size(), 9U);
  EXPECT_EQ(lines[8], "{\"step\":8,\"test_weight\":3.0}");
  const Json third = Json::parse(lines[2]);
  EXPECT_EQ(third.get<double>("val_score"), 0);
  EXPECT_GT(third.get<double>("samples_per_second"), 0);

  // Nothing is tested again, unless the line is missing.
  ScoredRun again(folder.path("run"));
  again.trainer.resume(folder.path("run/step-00000008"));
  EXPECT_EQ(again.trainer.state().best_score, 0.0);
  EXPECT_EQ(again.trainer.run(events), TrainingEnd::was_finished);
  EXPECT_EQ(again.task.tests, 0);
  cut_metrics(folder.path("run/metrics.jsonl"), 7);
  EXPECT_EQ(again.trainer.run(events), TrainingEnd::was_finished);
  EXPECT_EQ(again.task.tests, 1);
  EXPECT_EQ(again.task.weight(), 3.0);

  ScoredRun last(folder.path("last"), false);
  EXPECT_EQ(last.trainer.run(events), TrainingEnd::finished);
  EXPECT_EQ(tested, (std::vector<Metric>{{"test_weight", 8.0}}));
}

// --- what is not finite ---

struct Weights : nn::Module<Weights> {
  Parameter w;
  explicit Weights(const std::vector<float>& values) : w(from_vector(values)) {}
  Tensor forward(const Tensor& x) const { return sum(w * x); }
  void members(nn::Visitor& v) override { v("w", w); }
};

class FunctionTask : public TrainingTask {
 public:
  FunctionTask(nn::ModuleBase& model, std::function<Tensor(int64_t)> loss)
      : model_(model), loss_(std::move(loss)) {}
  nn::ModuleBase& model() override { return model_; }
  Tensor loss(int64_t step) override { return loss_(step); }
  std::optional<Validation> validate(const std::function<bool()>&) override {
    return Validation{1};
  }
  int64_t units_per_step() const override { return 1; }
  void add_files(io::AtomicDirectory&) override {}

 private:
  nn::ModuleBase& model_;
  std::function<Tensor(int64_t)> loss_;
};

TEST(Divergence, StopsBeforeTheWeightsAndNamesTheModule) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  struct Case {
    const char* module;
    std::function<const Parameter&(Gpt&)> weight;
  };
  const std::vector<Case> cases = {
      {"transformer.h.0.mlp.c_fc",
       [](Gpt& m) -> const Parameter& { return m.transformer.h[0].mlp.c_fc.weight; }},
      {"transformer.h.0.attn.c_attn",
       [](Gpt& m) -> const Parameter& { return m.transformer.h[0].attn.c_attn.weight; }},
      {"transformer.h.0.ln_2",
       [](Gpt& m) -> const Parameter& { return m.transformer.h[0].ln_2.weight; }},
      {"transformer.wte", [](Gpt& m) -> const Parameter& { return m.transformer.wte.weight; }},
      {"lm_head", nullptr},
  };
  for (const Case& wrong : cases) {
    const TemporaryFolder folder;
    const std::string run = folder.path("run");
    const Settings settings;
    Session session(settings, run);
    Bits before, memory;
    TrainerEvents events;
    events.on_step = [&](const StepReport& report) {
      if (report.step != 3) return;
      if (wrong.weight) {
        const Parameter& weight = wrong.weight(session.model);
        weight.set_data(full(weight.shape(), kInfinity));
      } else {  // it shares its weight; products overflow
        const GptTransformer& t = session.model.transformer;
        t.wte.weight.set_data(t.wte.weight.value() * 1e5);
        t.ln_f.weight.set_data(full(t.ln_f.weight.shape(), 1e37));
      }
      before = bits_of(session.model);
      memory = bits_of(session.optimizer);
    };
    const std::string error = error_of<DivergenceError>([&] { session.trainer.run(events); });
    EXPECT_TRUE(error.starts_with("training: the loss is ")) << error;
    EXPECT_TRUE(contains(error, " at step 4; it first appears in the output of " +
                                    std::string(wrong.module) + "; the weights were not touched"))
        << error;
    EXPECT_TRUE(contains(error, "the last checkpoint in " + run + " is good")) << error;
    EXPECT_EQ(differing(bits_of(session.model), before), "");
    EXPECT_EQ(differing(bits_of(session.optimizer), memory), "");
    for (const NamedSlot& p : session.model.parameters()) EXPECT_FALSE(p.slot->grad().defined());
    EXPECT_EQ(session.trainer.step(), 3);
    // The run goes on from its checkpoint as if nothing had been.
    EXPECT_EQ(find_newest_in_run(run)->path, run + "/step-00000002");
    Session again(settings, run);
    again.resume();
    EXPECT_EQ(again.trainer.run(), TrainingEnd::finished);
    EXPECT_EQ(differing(end_of(run), uninterrupted(settings, folder.path("whole"))), "");
  }
}

TEST(Divergence, NamesWhereElseItCameFrom) {
  const TemporaryFolder folder;
  const optim::ConstantSchedule schedule({.lr = 0.1});
  const auto error_for = [&](const std::function<Tensor(const Weights&)>& loss) {
    Weights model({1, 2, 3});
    FunctionTask task(model, [&](int64_t) { return loss(model); });
    optim::Sgd optimizer(model.parameters());
    Trainer trainer(task, optimizer, schedule, {.steps = 2}, folder.path("run"), {});
    const Bits before = bits_of(model);
    const std::string error = error_of<DivergenceError>([&] { trainer.run(); });
    EXPECT_EQ(differing(bits_of(model), before), "");
    EXPECT_FALSE(contains(error, "checkpoint")) << error;  // there is none yet
    // The library knows no program's options.
    EXPECT_TRUE(contains(error, ": try a lower learning rate, a longer warm-up or a smaller norm"))
        << error;
    EXPECT_FALSE(contains(error, "--")) << error;
    return error;
  };
  const Tensor x = ones({3});
  EXPECT_TRUE(
      error_for([&](const Weights& m) { return m(x) / 0.0; })
          .starts_with("training: the loss is inf at step 1; every module's output is finite, "
                       "so it comes from the loss itself"));
  EXPECT_TRUE(error_for([&](const Weights& m) {
                return sum(sqrt(m.w * 0.0));  // 0 times infinity
              })
                  .starts_with("training: the norm of the gradients is nan at step 1; the loss is "
                               "finite, the gradient of w is not"));
  EXPECT_TRUE(contains(error_for([&](const Weights& m) {
                         return m(full({3}, std::numeric_limits<double>::infinity()));
                       }),
                       "it first appears in the output of Weights"));
}

// Finite forward, infinite slope: sqrt at 0 behind the second of two layers.
TEST(Divergence, FirstNonfiniteGradient) {
  const nn::Sequential model(nn::Linear(2, 2, {.bias = false}), nn::Linear(2, 2, {.bias = false}),
                             nn::ReLU());
  const Tensor x = ones({1, 2});
  const auto loss = [&](double shift) {
    return [&, shift] { return sum(sqrt(model(x) + shift)); };
  };
  EXPECT_EQ(first_nonfinite_gradient(loss(1.0)), std::nullopt);
  {
    const NoGrad no_grad;
    for (const NamedSlot& parameter : model.parameters()) zero_(parameter.slot->stored());
  }
  EXPECT_EQ(first_nonfinite_gradient(loss(0.0)), "2");
}

TEST(Divergence, FirstNonfiniteModule) {
  Gpt model = make_gpt(small_config());
  const Tensor ids = zeros({1, 3}, DType::i64);
  EXPECT_EQ(first_nonfinite_module([&] { model(ids); }), std::nullopt);
  const Parameter& bias = model.transformer.h[1].attn.c_proj.bias;
  bias.set_data(full(bias.shape(), std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(first_nonfinite_module([&] { model(ids); }), "transformer.h.1.attn.c_proj");
  // The observer is gone, also behind an exception.
  EXPECT_THROW(first_nonfinite_module([] { throw std::runtime_error("x"); }), std::runtime_error);
  EXPECT_EQ(nn::set_call_observer(nullptr), nullptr);
}

// --- steps ---

TEST(Trainer, ClipsByTheNormOfAllGradients) {
  // Of norm 13e-4, against which the 1e-6 of the formula shows.
  const std::vector<float> start = {-1e-4F, -2e-4F, -5e-5F}, gradient = {3e-4F, 4e-4F, 12e-4F};
  struct Case {
    double clip, factor;
  };
  for (const Case& c : {Case{0, 1}, Case{20, 1}, Case{14e-4, 1}, Case{1e-4, 1e-4 / (13e-4 + 1e-6)},
                        Case{6.5e-4, 6.5e-4 / (13e-4 + 1e-6)}}) {
    const TemporaryFolder folder;
    Weights model(start);
    const Tensor g = from_vector(gradient);
    FunctionTask task(model, [&](int64_t) { return model(g); });
    optim::Sgd optimizer(model.parameters());
    const optim::ConstantSchedule schedule({.lr = 0.5});
    Trainer trainer(task, optimizer, schedule, {.steps = 1, .grad_clip = c.clip},
                    folder.path("run"), {});
    TrainerEvents events;
    events.on_step = [](const StepReport& report) {
      EXPECT_NEAR(report.grad_norm, 13e-4, 1e-10);
      EXPECT_NEAR(report.train_loss, (-3 - 8 - 6) * 1e-8, 1e-14);
      EXPECT_EQ(report.val_loss, 1.0);
    };
    trainer.run(events);
    const std::vector<float> after = model.w.value().to_vector<float>();
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_FLOAT_EQ(after[i], static_cast<float>(start[i] - 0.5 * c.factor * gradient[i]))
          << c.clip;
    }
  }
}

struct Forgetful : nn::Module<Forgetful> {
  nn::Linear seen, forgotten;
  Forgetful() : seen(2, 2), forgotten(2, 2) {}
  Tensor forward(const Tensor& x) const { return forgotten(seen(x)); }
  void members(nn::Visitor& v) override { v("seen", seen); }
};

TEST(Trainer, RefusesAModelThatForgetsAMember) {
  const TemporaryFolder folder;
  Forgetful model;
  FunctionTask task(model, [&](int64_t) { return sum(model(ones({1, 2}))); });
  optim::Sgd optimizer(model.parameters());
  const optim::ConstantSchedule schedule({.lr = 0.5});
  const std::string error =
      error_of<Error>([&] { Trainer(task, optimizer, schedule, {}, folder.path("run"), {}); });
  EXPECT_TRUE(contains(error, "Forgetful")) << error;
  EXPECT_TRUE(contains(error, "members")) << error;
  EXPECT_FALSE(fs::exists(folder.path("run")));
}

TEST(Trainer, NamesTheOptionThatIsOutOfRange) {
  const TemporaryFolder folder;
  const auto error = [&](const TrainerOptions& options) {
    return error_of<ConfigError>([&] {
      Weights model({1});
      FunctionTask task(model, [&](int64_t) { return model(ones({1})); });
      optim::Sgd optimizer(model.parameters());
      const optim::ConstantSchedule schedule({.lr = 0.5});
      Trainer(task, optimizer, schedule, options, folder.path("run"), {});
    });
  };
  EXPECT_EQ(error({.steps = 0}), "TrainerOptions: steps is 0; expected at least 1");
  EXPECT_TRUE(contains(error({.steps = int64_t{1} << 32}), "expected below 2^32"));
  EXPECT_EQ(error({.grad_clip = -1}), "TrainerOptions: grad_clip is -1; expected at least 0");
  EXPECT_NE(error({.grad_clip = std::numeric_limits<double>::quiet_NaN()}), "");
  EXPECT_NE(error({.eval_every = -1}), "");
  EXPECT_NE(error({.save_every = -1}), "");
  EXPECT_EQ(error({.keep = 1}), "TrainerOptions: keep is 1; expected at least 2");
  EXPECT_NE(error({.max_seconds = -1}), "");
  EXPECT_EQ(error({}), "");
}

TEST(StepReport, NumbersThatAreNoneAreNull) {
  StepReport report{.step = 3, .train_loss = 2.5, .lr = 0.1, .grad_norm = 1, .val_loss = NAN};
  EXPECT_EQ(report.to_json().dump(),
            "{\"step\":3,\"train_loss\":2.5,\"lr\":0.1,\"grad_norm\":1.0,"
            "\"tokens_per_second\":0.0,\"val_loss\":null}");
  report.val_loss = std::nullopt;
  EXPECT_FALSE(report.to_json().contains("val_loss"));
  EXPECT_EQ(StepReport::from_json(report.to_json()).to_json(), report.to_json());
}

// --- learning ---

TEST(Learning, ATinyGptLearnsATextByHeart) {
  const TemporaryFolder folder;
  const std::string text = "the cat sat on the mat; the dog sat on the cat; the mat is flat.";
  const auto tokenizer = data::CharTokenizer::from_text(text);
  const std::vector<data::Token> tokens = tokenizer.encode(text);
  const auto length = static_cast<int64_t>(tokens.size()) - 1;
  Gpt model = make_gpt({.vocab_size = tokenizer.vocab_size(),
                        .block_size = length,
                        .n_layer = 2,
                        .n_head = 2,
                        .n_embd = 32});
  GptTask task(model, tokenizer, tokens, tokens, {.batch_size = 1, .seq_len = length});
  optim::AdamW optimizer = make_gpt_optimizer(model, {});
  const int64_t steps = 250;
  const optim::CosineSchedule schedule({.lr = 3e-3, .min_lr = 3e-4, .steps = steps, .warmup = 20});
  Trainer trainer(task, optimizer, schedule, {.steps = steps, .eval_every = 0, .save_every = 0},
                  folder.path("run"), {});
  std::vector<StepReport> reports;
  TrainerEvents events;
  events.on_step = [&](const StepReport& report) { reports.push_back(report); };
  EXPECT_EQ(trainer.run(events), TrainingEnd::finished);
  // At first it knows nothing: log of the vocabulary's size.
  EXPECT_NEAR(reports.front().train_loss, std::log(tokenizer.vocab_size()), 0.2);
  EXPECT_LT(reports.back().train_loss, 0.02);
  EXPECT_LT(reports.back().val_loss.value(), 0.02);
  Gpt loaded = Gpt::load(folder.path("run"));
  const GenerationOptions greedy{.max_tokens = length, .sampling = {.temperature = 0}};
  EXPECT_EQ("t" + generate_text(loaded, tokenizer, "t", greedy), text);
}

}  // namespace
}  // namespace adjoint::models
