#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/file.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/models/checkpoint.h>
#include <adjoint/models/gpt.h>
#include <adjoint/models/gpt_task.h>
#include <adjoint/optim/adam.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/faulty_files.h"
#include "tests/models/model_bits.h"
#include "tests/temporary_folder.h"

namespace adjoint::models {
namespace {

namespace fs = std::filesystem;

// Before main, for all tests of this program: they save thousands of checkpoints.
[[maybe_unused]] const bool g_unsynced = [] {
  io::file_ops() = io::unsynced();
  return true;
}();

// A model that was trained for some steps, and what a checkpoint of it holds.
class Learner {
 public:
  explicit Learner(uint64_t seed = 1, int steps = 1, const GptConfig& config = tiny())
      : model(make_gpt(config, seed)), optimizer(make_gpt_optimizer(model, {})) {
    for (int i = 0; i < steps; ++i) {
      const Tensor ids = from_vector(std::vector<int64_t>{0, 1, 2, i % 3}, {2, 2});
      model.loss(ids, ids).backward();
      optimizer.step();
      optimizer.zero_grad();
    }
  }
  static GptConfig tiny() {
    return {.vocab_size = 3, .block_size = 4, .n_layer = 1, .n_head = 1, .n_embd = 2};
  }

  std::string save(const std::string& run, int64_t step, int64_t keep = 2) const {
    TrainingState state;
    state.step = step;
    state.best_loss = 0.5;
    state.identity = Json::object({{"seed", 1}});
    return save_checkpoint(
        run, state, model, optimizer,
        [this](io::AtomicDirectory& folder) {
          folder.write("config.json", model.config().to_json().dump(2) + "\n");
        },
        keep);
  }

  Gpt model;
  optim::AdamW optimizer;
};

// The bits of model and optimizer in a checkpoint.
std::pair<Bits, Bits> loaded_bits(const std::string& path) {
  Learner other(99, 0);
  load_checkpoint(path, other.model, other.optimizer);
  return {bits_of(other.model), bits_of(other.optimizer)};
}

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

const std::vector<std::string> kFiles = {"MANIFEST.json", "config.json", "model.safetensors",
                                         "optimizer.safetensors", "state.json"};

TEST(Checkpoint, NamesSortAsNumbers) {
  EXPECT_EQ(checkpoint_name(120), "step-00000120");
  EXPECT_EQ(checkpoint_name(0), "step-00000000");
  EXPECT_EQ(checkpoint_name(1234567890), "step-1234567890");
  for (const int64_t step : {int64_t{0}, int64_t{7}, int64_t{99999999}, int64_t{100000000}}) {
    EXPECT_EQ(checkpoint_step(checkpoint_name(step)), step);
  }
  for (const char* name : {"", "step-", "step-120", "step-000000120", "step-0000012x",
                           "step--0000001", "step-+0000001", "Step-00000120", "step-00000120 ",
                           "step-00000120.tmp", "step-99999999999999999999"}) {
    EXPECT_EQ(checkpoint_step(name), std::nullopt) << name;
  }
}

TEST(Checkpoint, HoldsWhatItSays) {
  const TemporaryFolder folder;
  const Learner learner(1, 3);
  const std::string run = folder.path("runs/a");
  const std::string path = learner.save(run, 3);
  EXPECT_EQ(path, run + "/step-00000003");
  EXPECT_EQ(entries(path), kFiles);
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000003"}));
  EXPECT_EQ(bytes_of_file(run + "/latest"), "step-00000003\n");

  Learner other(99, 0);
  const TrainingState state = load_checkpoint(path, other.model, other.optimizer);
  EXPECT_EQ(state.step, 3);
  EXPECT_EQ(state.best_loss, 0.5);
  EXPECT_EQ(state.identity, Json::object({{"seed", 1}}));
  EXPECT_EQ(differing(bits_of(other.model), bits_of(learner.model)), "");
  EXPECT_EQ(differing(bits_of(other.optimizer), bits_of(learner.optimizer)), "");
  EXPECT_FALSE(bits_of(learner.optimizer).empty());
}

TEST(Checkpoint, TiedWeightsAreAliasesInTheMetadata) {
  const TemporaryFolder folder;
  const std::string path = Learner().save(folder.root(), 1);
  const SafetensorsFile file = SafetensorsFile::open(path + "/model.safetensors");
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{
                                 {"format", "pt"}, {"lm_head.weight", "transformer.wte.weight"}}));
  EXPECT_FALSE(file.find("lm_head.weight"));
  EXPECT_TRUE(file.find("transformer.wte.weight"));
}

TEST(Checkpoint, TheBytesOfTheWeightsDependOnTheWeightsAlone) {
  const TemporaryFolder folder;
  const Learner learner(1, 2);
  const std::string bytes =
      bytes_of_file(learner.save(folder.path("a"), 10) + "/model.safetensors");
  ASSERT_FALSE(bytes.empty());
  // Another step, path, optimizer, dropout, and way to the same weights.
  GptConfig config = Learner::tiny();
  config.dropout = 0.5;
  Learner other(7, 5, config);
  other.model.load_state_dict(learner.model.state_dict());
  other.model.eval();
  EXPECT_EQ(bytes_of_file(other.save(folder.path("b"), 20) + "/model.safetensors"), bytes);
  other.model.save(folder.path("c"));
  EXPECT_EQ(bytes_of_file(folder.path("c/model.safetensors")), bytes);
  Gpt::load(folder.path("c")).save(folder.path("d"));
  EXPECT_EQ(bytes_of_file(folder.path("d/model.safetensors")), bytes);
}

// --- finding ---

TEST(FindCheckpoint, InRunsAndByName) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  fs::create_directory(run);
  EXPECT_FALSE(find_newest_in_run(run));
  EXPECT_TRUE(contains(error_of<IoError>([&] { find_checkpoint(run); }), "no checkpoint in it"));
  const std::string first = Learner().save(run, 9), second = Learner().save(run, 10);
  for (const std::string& dir : {run, run + "/"}) {
    EXPECT_EQ(fs::weakly_canonical(find_checkpoint(dir).path), fs::weakly_canonical(second));
  }
  EXPECT_EQ(find_newest_in_run(run)->path, second);
  EXPECT_EQ(find_checkpoint(first).path, first);
  EXPECT_EQ(find_checkpoint(second + "/").path, second + "/");
  // What else lies in a run does not matter.
  folder.write("run/metrics.jsonl", "");
  folder.write("run/step-00000011", "a file");
  folder.write("run/step-12/model.safetensors", "another's");
  fs::create_symlink("step-00000013", folder.path("run/step-00000013"));  // leads to itself
  EXPECT_EQ(find_newest_in_run(run)->path, second);
  EXPECT_TRUE(find_newest_in_run(run)->passed_over.empty());
  EXPECT_FALSE(find_newest_in_run(folder.path("none")));
  EXPECT_THROW(find_newest_in_run(folder.path("run/metrics.jsonl")), IoError);
}

// Each file of the newest checkpoint cut off, flipped and missing.
TEST(FindCheckpoint, PassesOverDamagedOnesAndSaysSo) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const std::string older = Learner(1).save(run, 10), newer = Learner(2).save(run, 20);
  const auto expect_passed_over = [&](const std::string& file, const std::string& how) {
    const FoundCheckpoint found = find_checkpoint(run);
    EXPECT_EQ(found.path, older) << file << how;
    ASSERT_EQ(found.passed_over.size(), 1U) << file << how;
    EXPECT_TRUE(found.passed_over[0].starts_with("step-00000020: " + newer + "/" + file))
        << found.passed_over[0] << how;
    EXPECT_EQ(find_newest_in_run(run)->passed_over, found.passed_over);
    // By its own name it is an error, for the model, and for training.
    const std::string error = error_of<IoError>([&] { find_checkpoint(newer); });
    EXPECT_TRUE(error.starts_with(newer + "/" + file)) << error << how;
    EXPECT_EQ(error_of<IoError>([&] { Gpt::load(newer); }), error);
    EXPECT_EQ(error_of<IoError>([&] { loaded_bits(newer); }) +
                  "; use another checkpoint of the run, or train anew",
              error);
  };
  for (const std::string& name : kFiles) {
    const std::string file = newer + "/" + name, good = bytes_of_file(file);
    const size_t step = one_sample() ? good.size() / 5 + 1 : good.size() / 60 + 1;
    for (size_t at = 0; at < good.size(); at += step) {
      folder.write("run/step-00000020/" + name, good.substr(0, at));
      expect_passed_over(name, " cut off at " + std::to_string(at));
      for (int bit = 0; bit < 8; bit += 3) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ (1 << bit));
        folder.write("run/step-00000020/" + name, bad);
        expect_passed_over(name, " flipped at " + std::to_string(at));
      }
    }
    fs::remove(file);
    expect_passed_over(name, " missing");
    folder.write("run/step-00000020/" + name, good);
  }
  EXPECT_EQ(find_checkpoint(run).path, newer);
  // The model of a run with a damaged newest checkpoint is the one before.
  fs::resize_file(newer + "/model.safetensors", 10);
  EXPECT_EQ(differing(bits_of(Gpt::load(run)), bits_of(Learner(1).model)), "");
  fs::resize_file(older + "/model.safetensors", 10);
  const std::string none = error_of<IoError>([&] { find_newest_in_run(run); });
  EXPECT_TRUE(none.starts_with(run + ": none of its 2 checkpoints is whole; of the newest: "))
      << none;
  EXPECT_EQ(error_of<IoError>([&] { Gpt::load(run); }), none);
}

// --- pruning ---

TEST(SaveCheckpoint, KeepsTheNewest) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Learner learner;
  for (const int64_t step : {1, 2, 3, 4}) learner.save(run, step, 3);
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000002", "step-00000003",
                                                    "step-00000004"}));
  learner.save(run, 5, 1);  // never fewer than two
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000004", "step-00000005"}));
  learner.save(run, 5);  // again, in its place
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000004", "step-00000005"}));
  EXPECT_EQ(bytes_of_file(run + "/latest"), "step-00000005\n");
}

TEST(SaveCheckpoint, CountsOnlyWholeOnes) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Learner learner;
  for (const int64_t step : {10, 20, 30, 40}) learner.save(run, step, 4);
  for (const char* name : {"step-00000020", "step-00000030"}) {
    fs::resize_file(run + "/" + name + "/state.json", 3);
  }
  learner.save(run, 50);
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000040", "step-00000050"}));
  fs::resize_file(run + "/step-00000050/state.json", 3);
  learner.save(run, 60);
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000040", "step-00000050",
                                                    "step-00000060"}));
}

// A run goes on from 10, for 20 and 30 are damaged: what it saves is not taken for the oldest.
TEST(SaveCheckpoint, NeverRemovesWhatWasJustSaved) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Learner learner;
  for (const int64_t step : {10, 20, 30}) learner.save(run, step, 3);
  for (const char* name : {"step-00000020", "step-00000030"}) {
    fs::resize_file(run + "/" + name + "/model.safetensors", 3);
  }
  const std::string path = learner.save(run, 15);
  EXPECT_EQ(find_newest_in_run(run)->path, path);
  EXPECT_EQ(find_newest_in_run(run)->passed_over.size(), 2U);
  EXPECT_EQ(io::manifest_error(run + "/step-00000010"), std::nullopt);
  EXPECT_EQ(bytes_of_file(run + "/latest"), "step-00000015\n");
  // When it gets there they are replaced, and then go as others do.
  learner.save(run, 20);
  learner.save(run, 30);
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000020", "step-00000030"}));
  EXPECT_TRUE(find_newest_in_run(run)->passed_over.empty());
}

TEST(SaveCheckpoint, LeavesNewerOnesAlone) {
  const TemporaryFolder folder;
  const std::string run = folder.path("run");
  const Learner learner;
  for (const int64_t step : {10, 20, 30}) learner.save(run, step, 3);
  learner.save(run, 15);
  EXPECT_EQ(entries(run), (std::vector<std::string>{"latest", "step-00000010", "step-00000015",
                                                    "step-00000020", "step-00000030"}));
}

// --- loading what does not fit ---

TEST(LoadCheckpoint, LeavesModelAndOptimizerAsTheyWereWhereItDoesNotFit) {
  const TemporaryFolder folder;
  const std::string path = Learner(1, 2).save(folder.root(), 2);
  GptConfig config = Learner::tiny();
  config.block_size = 5;
  const auto expect_refused = [&](nn::ModuleBase& model, optim::Optimizer& optimizer,
                                  const char* file) {
    const Bits before = bits_of(model), memory = bits_of(optimizer);
    const std::string error = error_of<IoError>([&] { load_checkpoint(path, model, optimizer); });
    EXPECT_TRUE(error.starts_with(path + "/" + file + ": does not fit the ")) << error;
    EXPECT_TRUE(contains(error, "transformer.wpe.weight")) << error;
    EXPECT_EQ(differing(bits_of(model), before), "");
    EXPECT_EQ(differing(bits_of(optimizer), memory), "");
  };
  Learner longer(3, 1, config);
  expect_refused(longer.model, longer.optimizer, "optimizer.safetensors");
  // The optimizer's part fits, the model's does not.
  Learner same(3, 1);
  expect_refused(longer.model, same.optimizer, "model.safetensors");
  // The other way round.
  expect_refused(same.model, longer.optimizer, "optimizer.safetensors");
}

TEST(LoadCheckpoint, StatesThatAreNoneAreRefused) {
  TrainingState state;
  state.step = 5;
  state.identity = Json::object({{"seed", 3}});
  state.about = Json::object({{"version", "1"}});
  state.pending = Json::object({{"step", 5}});
  const Json json = state.to_json();
  const TrainingState back = TrainingState::from_json(json);
  EXPECT_EQ(back.to_json(), json);
  EXPECT_EQ(back.best_loss, std::nullopt);
  const TemporaryFolder folder;
  const auto error_with = [&](const char* field, const Json& value, bool erase = false) {
    Json bad = json;
    bad[field] = value;
    if (erase) bad.erase(field);
    const std::string file = folder.write("state.json", bad.dump());
    const std::string error = error_of<IoError>([&] { TrainingState::load(file); });
    EXPECT_TRUE(error.empty() || contains(error, file)) << error;
    return error;
  };
  EXPECT_EQ(error_with("step", 5), "");
  EXPECT_TRUE(contains(error_with("step", -1), "step is -1; expected 0 or more"));
  EXPECT_NE(error_with("step", 1.5), "");
  EXPECT_TRUE(contains(error_with("format", "x"), "the format is \"x\""));
  EXPECT_TRUE(contains(error_with("version", 2), "the version is 2; this program reads 1"));
  EXPECT_NE(error_with("best_loss", "low"), "");
  for (const auto& [key, value] : json.members()) {
    EXPECT_TRUE(contains(error_with(key.c_str(), {}, true), key)) << key;
  }
}

TEST(CheckIdentity, NamesTheFirstFieldThatDiffers) {
  const Json saved = Json::object(
      {{"seed", 1}, {"model", Json::object({{"n_layer", 4}, {"n_embd", 128}})}, {"data", "f00d"}});
  EXPECT_NO_THROW(check_identity(saved, saved, "run/step-1"));
  const auto error = [&](const Json& current) {
    return error_of<ConfigError>([&] { check_identity(saved, current, "run/step-1"); });
  };
  Json current = saved;
  current["model"]["n_layer"] = 6;
  EXPECT_TRUE(
      error(current).starts_with("resume: --n-layer was 4 in run/step-1 and is 6 now; give "
                                 "--n-layer 4 as then, or another --out for a new run"))
      << error(current);
  current = saved;
  current["data"] = "beef";
  EXPECT_TRUE(contains(error(current), "data: the text is another one than in run/step-1"));
  current = saved;
  current["seed"] = 2;
  EXPECT_TRUE(contains(error(current), "--seed was 1"));
  current = saved;
  current["dropout"] = 0.1;
  EXPECT_TRUE(contains(error(current),
                       "--dropout was not given in run/step-1 and is 0.1 now; leave "
                       "--dropout out as then, or"))
      << error(current);
  current = saved;
  current.erase("model");
  EXPECT_TRUE(contains(error(current), "model was {"));
  EXPECT_TRUE(contains(error(current), " and is not given now; give the same as then, or"));
}

TEST(CheckIdentity, SaysWhichOptionToGive) {
  Json saved = Json::object({{"seed", 1}, {"autocast", "bf16"}, {"bias", false}}), current = saved;
  const auto error = [&] {
    return error_of<ConfigError>([&] { check_identity(saved, current, "run/step-1"); });
  };
  current.erase("autocast");
  EXPECT_TRUE(
      error().starts_with("resume: --autocast was \"bf16\" in run/step-1 and is not given "
                          "now; give --autocast bf16 as then, or another --out"))
      << error();
  current = saved;
  current["bias"] = true;
  EXPECT_TRUE(contains(error(), "--bias was false in run/step-1 and is true now; give --no-bias"))
      << error();
}

// --- metrics ---

TEST(CutMetrics, KeepsWholeLinesUpToAStep) {
  const TemporaryFolder folder;
  const std::string path = folder.path("metrics.jsonl");
  cut_metrics(path, 5);
  EXPECT_FALSE(fs::exists(path));
  const auto line = [](int step) { return "{\"step\": " + std::to_string(step) + "}\n"; };
  std::string all;
  for (int step = 1; step <= 6; ++step) all += line(step);
  const auto cut = [&](const std::string& text, int64_t step) {
    folder.write("metrics.jsonl", text);
    cut_metrics(path, step);
    return bytes_of_file(path);
  };
  EXPECT_EQ(cut(all, 6), all);
  EXPECT_EQ(cut(all, 100), all);
  EXPECT_EQ(cut(all, 2), line(1) + line(2));
  EXPECT_EQ(cut(all, 0), "");
  // A last line that a crash cut off, anywhere: also where it reads as a smaller step.
  for (size_t n = 1; n < line(7).size(); ++n) {
    EXPECT_EQ(cut(all + line(7).substr(0, n), 7), all) << n;
  }
  EXPECT_EQ(cut(line(1) + "{\"step\": \n" + line(2), 9), line(1));
  EXPECT_EQ(cut(line(1) + "{}\n", 9), line(1));
  EXPECT_EQ(cut(line(1) + std::string(100, '\0'), 9), line(1));
}

// --- failing and dying at every call ---

class SavingFaults : public testing::Test {
 protected:
  SavingFaults() : run_(folder_.path("run")), first_(1, 1), second_(2, 3) {
    set_num_threads(1);  // a forked process has no other
    reset();
  }
  ~SavingFaults() override { io::disarm(); }

  // Two checkpoints that are whole, so that the third has something to remove.
  void reset() {
    fs::remove_all(run_);
    first_.save(run_, 10);
    first_.save(run_, 20);
  }
  int calls_of_a_save() {
    io::arm(-1, io::Fault::none);
    second_.save(run_, 30);
    io::disarm();
    reset();
    return io::g_calls;
  }
  void expect_holds(const std::string& path, const Learner& learner, const std::string& when) {
    const auto [model, optimizer] = loaded_bits(path);
    EXPECT_EQ(differing(model, bits_of(learner.model)), "") << when;
    EXPECT_EQ(differing(optimizer, bits_of(learner.optimizer)), "") << when;
  }
  // The newest whole checkpoint is the new one or the one before, bit for bit, and `latest` names
  // one that is there. Returns its step.
  int64_t expect_whole(const std::string& when) {
    const auto found = find_newest_in_run(run_);
    const int64_t step = checkpoint_step(fs::path(found->path).filename().string()).value();
    EXPECT_TRUE(step == 20 || step == 30) << when;
    EXPECT_TRUE(found->passed_over.empty()) << when;
    expect_holds(found->path, step == 30 ? second_ : first_, when);
    expect_holds(run_ + "/step-00000020", first_, when);
    std::string latest = bytes_of_file(run_ + "/latest");
    EXPECT_TRUE(latest.ends_with("\n")) << when;
    latest.pop_back();
    EXPECT_EQ(io::manifest_error(run_ + "/" + latest), std::nullopt) << when;
    return step;
  }

  ThreadsRestored threads_;
  TemporaryFolder folder_;
  std::string run_;
  Learner first_, second_;
};

TEST_F(SavingFaults, EveryFailingCallLeavesTheEarlierCheckpointWhole) {
  const int calls = calls_of_a_save();
  EXPECT_GT(calls, 40);
  int failures = 0, successes = 0;
  for (const io::Fault fault :
       {io::Fault::eio, io::Fault::enospc, io::Fault::eintr, io::Fault::short_write}) {
    for (int call = 0; call < calls; ++call) {
      const std::string when =
          "fault " + std::to_string(static_cast<int>(fault)) + " at call " + std::to_string(call);
      io::arm(call, fault);
      const std::string error = error_of<IoError>([&] { second_.save(run_, 30); });
      io::disarm();
      const int64_t step = expect_whole(when);
      if (error.empty()) {
        EXPECT_EQ(step, 30) << when;
        EXPECT_EQ(bytes_of_file(run_ + "/latest"), "step-00000030\n") << when;
        ++successes;
      } else {
        EXPECT_TRUE(contains(error, run_)) << error;
        EXPECT_NE(fault, io::Fault::short_write) << when << ": " << error;
        ++failures;
      }
      reset();
    }
  }
  // A failing close, read or removal may not matter; most calls do.
  EXPECT_GT(failures, calls);
  EXPECT_GT(successes, calls);
}

TEST_F(SavingFaults, SavingInTheSamePlaceLeavesOneOfBoth) {
  first_.save(run_, 30);
  io::arm(-1, io::Fault::none);
  second_.save(run_, 30);
  io::disarm();
  const int calls = io::g_calls;
  for (int call = 0; call < calls; call += one_sample() ? 5 : 1) {
    reset();
    first_.save(run_, 30);
    io::arm(call, io::Fault::eio);
    const std::string error = error_of<IoError>([&] { second_.save(run_, 30); });
    io::disarm();
    const auto found = find_newest_in_run(run_);
    EXPECT_EQ(found->path, run_ + "/step-00000030") << call;
    const auto [model, optimizer] = loaded_bits(found->path);
    const bool is_new = model == bits_of(second_.model);
    EXPECT_TRUE(is_new || (model == bits_of(first_.model) && !error.empty())) << call;
    EXPECT_EQ(differing(optimizer, bits_of((is_new ? second_ : first_).optimizer)), "") << call;
  }
}

TEST_F(SavingFaults, DyingAtEveryCallLeavesTheEarlierCheckpointWhole) {
  const int calls = calls_of_a_save();
  for (const io::Fault fault : {io::Fault::kill_before, io::Fault::kill_after}) {
    for (int call = 0; call < calls; call += one_sample() ? 5 : 1) {
      const pid_t child = ::fork();
      if (child == 0) {
        io::arm(call, fault);
        second_.save(run_, 30);
        ::_exit(0);
      }
      int status = 0;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 137) << "call " << call;
      expect_whole("killed at call " + std::to_string(call));
      // The next save goes through, and leaves no more than there should be.
      io::remove_stale_temporaries(run_);
      second_.save(run_, 30);
      EXPECT_EQ(entries(run_),
                (std::vector<std::string>{"latest", "step-00000020", "step-00000030"}))
          << "call " << call;
      reset();
    }
  }
}

}  // namespace
}  // namespace adjoint::models
