// Checkpoints: folders that hold a model, and all that a training needs to go on from there.
//
// A run's folder:
//   metrics.jsonl            a line a step
//   latest                   the name of the newest checkpoint
//   step-00000120/           one checkpoint, after 120 steps, never changed once it is there:
//     model.safetensors      the weights; its bytes depend on them alone
//     optimizer.safetensors  the optimizer's memory
//     state.json             step, seed, data, settings, best validation loss
//     config.json, tokenizer.json
//     MANIFEST.json          size and checksum of each file
//
// Checkpoints appear whole or not at all; old ones go only after the new one is on the disk.
#pragma once

#include <adjoint/core/file.h>
#include <adjoint/core/json.h>
#include <adjoint/nn/module.h>
#include <adjoint/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace adjoint::models {

struct FoundCheckpoint {
  std::string path;  // the folder with model.safetensors
  // Newer checkpoints that were passed over, and why: "step-00000120: ...". To be shown.
  std::vector<std::string> passed_over;
};

// The checkpoint that a DIR means: DIR itself, or, where it is a run, its newest one that its
// manifest finds whole. Throws IoError where there is none, and where DIR itself is damaged.
FoundCheckpoint find_checkpoint(const std::string& dir);
// The same for a run; nothing where it has no checkpoint yet, or is not there. IoError if none of
// its checkpoints is whole.
std::optional<FoundCheckpoint> find_newest_in_run(const std::string& run);

// "step-00000120", and the number in such a name.
std::string checkpoint_name(int64_t step);
std::optional<int64_t> checkpoint_step(const std::string& name);

// What a training remembers besides weights and optimizer.
struct TrainingState {
  int64_t step = 0;                      // steps that were made
  std::optional<double> best_loss = {};  // the validation loss of the best weights, and when it was
  int64_t best_step = 0;
  std::optional<double> best_score = {};  // what they are the best by; nothing: that loss
  // The metrics line of the last step, where its validation was interrupted; null otherwise.
  Json pending = {};
  // What makes the run what it is: options, model, data, seed. Resuming compares it.
  Json identity = Json::object();
  // For people: the library's version, the instruction set, where options came from.
  Json about = Json::object();

  Json to_json() const;
  // IoError where a member is missing, of another type or out of range.
  static TrainingState from_json(const Json& json);
  static TrainingState load(const std::string& path);
};

// Compares what was saved with what is asked for. Throws ConfigError naming the first field that
// differs and both values.
void check_identity(const Json& saved, const Json& current, const std::string& checkpoint);

// Writes RUN/step-N with the model's weights, the optimizer's memory, the state, and what
// `add_files` adds (config.json, tokenizer.json); then RUN/latest; then removes the older ones but
// for the newest that are whole, so that `keep` (at least 2) are there with this one, and but for
// that of step `spare`. A checkpoint of that name is replaced; newer ones are left alone.
// Returns the folder's path.
std::string save_checkpoint(const std::string& run, const TrainingState& state,
                            const nn::ModuleBase& model, const optim::Optimizer& optimizer,
                            const std::function<void(io::AtomicDirectory&)>& add_files,
                            int64_t keep = 2, int64_t spare = 0);

// Reads a checkpoint into a model and an optimizer of the same parameters. Throws IoError where it
// is damaged or does not fit, and leaves both as they were.
TrainingState load_checkpoint(const std::string& path, nn::ModuleBase& model,
                              optim::Optimizer& optimizer);

// --- the parts ---

// model.safetensors of a module: every parameter and persistent buffer, ties as aliases in the
// metadata ("lm_head.weight": "transformer.wte.weight").
void write_weights(io::AtomicDirectory& folder, const nn::ModuleBase& model);
// Reads such a file. IoError naming every tensor that is missing, unexpected or of another shape;
// nothing is written then.
void load_weights(const std::string& file, nn::ModuleBase& model);
// Throws IoError unless the file's floating tensors have `count` elements together, at least: to be
// asked before a model of sizes read from a file is built.
void check_parameter_count(const std::string& file, int64_t count);
// Writes a folder with `body`, replacing one that is empty or holds nothing but a model.
void save_model_folder(const std::string& dir,
                       const std::function<void(io::AtomicDirectory&)>& body);

// Rewrites a metrics file without the lines of later steps, and without a last line that is not
// whole. A file that is missing stays so.
void cut_metrics(const std::string& path, int64_t step);

}  // namespace adjoint::models
