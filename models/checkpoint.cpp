#include <adjoint/core/error.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/models/checkpoint.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <map>
#include <set>

namespace adjoint::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStateFormat = "adjoint-training";
constexpr const char* kPrefix = "step-";
constexpr const char* kManifest = "MANIFEST.json";
// Counts of the optimizer are kept among its tensors, as in PyTorch.
constexpr const char* kCountPrefix = "step.";

// What a state.json may have: its text takes up to 24 times its size while it is read.
constexpr uint64_t kMaxState = uint64_t{512} << 10;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::status(path, error));
}

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(fs::status(path, error));
}

// The steps of a run's checkpoints, newest first.
std::vector<int64_t> steps_in(const std::string& run) {
  std::vector<int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator entries(run, error), end; !error && entries != end;
       entries.increment(error)) {
    const auto step = checkpoint_step(entries->path().filename().string());
    if (step && is_folder(entries->path())) steps.push_back(*step);
  }
  check<IoError>(!error, run, ": the folder cannot be read: ", error.message());
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

// Removes what is older than the checkpoint that was just made and `keep` - 1 whole ones before it,
// but for that of step `spare`.
// Newer ones, which a run that went on from an older one passed over, stay until it gets there.
void prune(const std::string& run, int64_t made, int64_t keep, int64_t spare) {
  std::vector<int64_t> older = steps_in(run);
  std::erase_if(older, [made](int64_t step) { return step >= made; });
  int64_t wanted = std::max<int64_t>(keep, 2) - 1;
  if (static_cast<int64_t>(older.size()) <= wanted) return;
  for (const int64_t step : older) {
    const std::string path = run + "/" + checkpoint_name(step);
    if (wanted == 0) {
      if (step != spare) io::remove_directory(path);
    } else if (!io::manifest_error(path)) {
      --wanted;
    }
  }
}

std::map<std::string, Tensor> tensors_of(const optim::OptimizerState& state) {
  std::map<std::string, Tensor> tensors = state.tensors;
  for (const auto& [name, count] : state.counts) tensors.emplace(name, scalar(count, DType::i64));
  return tensors;
}

optim::OptimizerState state_of(const std::map<std::string, Tensor>& tensors) {
  optim::OptimizerState state;
  for (const auto& [name, tensor] : tensors) {
    const bool count = name.starts_with(kCountPrefix) && tensor.dtype() == DType::i64;
    if (count && tensor.dim() == 0) {
      state.counts.emplace(name, *tensor.data<int64_t>());
    } else {
      state.tensors.emplace(name, tensor);
    }
  }
  return state;
}

std::string joined_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// A field of an identity as the programs' option that it comes from.
std::string option_of(std::string field) {
  constexpr std::string_view kModel = "model.";
  static const std::map<std::string, std::string> others = {
      {"model.block_size", "--seq-len"},
      {"model.max_position_embeddings", "--seq-len"},
      {"model.num_hidden_layers", "--n-layer"},
      {"model.num_attention_heads", "--n-head"},
      {"model.num_key_value_heads", "--n-kv-head"},
      {"model.hidden_size", "--n-embd"}};
  if (const auto found = others.find(field); found != others.end()) return found->second;
  if (field.starts_with(kModel)) field.erase(0, kModel.size());
  std::replace(field.begin(), field.end(), '_', '-');
  return field == "model" ? field : "--" + field;
}

// The first difference; null stands for what is not there.
struct Difference {
  std::string field;
  Json saved, current;
};
std::optional<Difference> first_difference(const Json& saved, const Json& current,
                                           const std::string& path) {
  if (!saved.is_object() || !current.is_object()) {
    if (saved == current) return std::nullopt;
    return Difference{path, saved, current};
  }
  const Json none;
  std::set<std::string> keys;
  for (const auto& [key, value] : saved.members()) keys.insert(key);
  for (const auto& [key, value] : current.members()) keys.insert(key);
  for (const std::string& key : keys) {
    const Json* a = saved.find(key);
    const Json* b = current.find(key);
    auto difference = first_difference(a ? *a : none, b ? *b : none, joined_path(path, key));
    if (difference) return difference;
  }
  return std::nullopt;
}

std::string described(const Json& value) { return value.is_null() ? "not given" : value.dump(); }

// How to ask for what was saved.
std::string as_then(const std::string& option, const Json& saved) {
  if (!option.starts_with("--") || saved.is_object()) return "give the same as then";
  if (saved.is_null() || saved == Json("")) return "leave " + option + " out as then";
  if (saved.is_bool()) {
    return (saved.get<bool>() ? "give --" : "give --no-") + option.substr(2) + " as then";
  }
  return "give " + option + " " + (saved.is_string() ? saved.get<std::string>() : saved.dump()) +
         " as then";
}

}  // namespace

std::string checkpoint_name(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof(name), "%s%08lld", kPrefix, static_cast<long long>(step));
  return name;
}

std::optional<int64_t> checkpoint_step(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = -1;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + 5, end, step);
  if (error != std::errc() || at != end || step < 0 || name != checkpoint_name(step)) {
    return std::nullopt;
  }
  return step;
}

std::optional<FoundCheckpoint> find_newest_in_run(const std::string& run) {
  if (!is_there(run)) return std::nullopt;
  FoundCheckpoint found;
  for (const int64_t step : steps_in(run)) {
    const std::string name = checkpoint_name(step);
    const auto error = io::manifest_error(run + "/" + name);
    if (!error) {
      found.path = run + "/" + name;
      return found;
    }
    found.passed_over.push_back(name + ": " + *error);
  }
  if (found.passed_over.empty()) return std::nullopt;
  fail<IoError>(run, ": none of its ", found.passed_over.size(),
                " checkpoints is whole; of the newest: ", found.passed_over.front(),
                "; train anew, with another --out");
}

FoundCheckpoint find_checkpoint(const std::string& dir) {
  check<IoError>(is_there(dir), dir, ": no such folder; expected a run or a checkpoint");
  check<IoError>(is_folder(dir), dir, ": a file; expected the folder of a run or of a checkpoint");
  const std::string path = fs::path(dir).lexically_normal().string();
  const std::string name = fs::path(path + "/").parent_path().filename().string();
  // A folder without a manifest is somebody else's, unless its name says that it is ours.
  if (is_there(dir + "/" + kManifest) || checkpoint_step(name)) {
    if (const auto error = io::manifest_error(dir)) {
      fail<IoError>(*error, "; use another checkpoint of the run, or train anew");
    }
    return {dir, {}};
  }
  if (is_there(dir + "/model.safetensors")) return {dir, {}};
  std::optional<FoundCheckpoint> found = find_newest_in_run(dir);
  check<IoError>(found.has_value(), dir,
                 ": no checkpoint in it; expected a folder with model.safetensors or step-*");
  return *found;
}

Json TrainingState::to_json() const {
  Json json = Json::object({{"format", kStateFormat},
                            {"version", 1},
                            {"step", step},
                            {"best_loss", best_loss ? Json(*best_loss) : Json()},
                            {"best_step", best_step},
                            {"pending", pending},
                            {"identity", identity},
                            {"about", about}});
  if (best_score) json["best_score"] = *best_score;
  return json;
}

TrainingState TrainingState::from_json(const Json& json) {
  const auto format = json.get<std::string>("format");
  check<IoError>(format == kStateFormat, "the format is \"", format, "\"; expected \"",
                 kStateFormat, "\"");
  const auto version = json.get<int64_t>("version");
  check<IoError>(version == 1, "the version is ", version, "; this program reads 1");
  TrainingState state;
  state.step = json.get<int64_t>("step");
  check<IoError>(state.step >= 0, "step is ", state.step, "; expected 0 or more");
  state.best_loss = json.get<std::optional<double>>("best_loss");
  state.best_step = json.get<int64_t>("best_step");
  if (json.contains("best_score")) state.best_score = json.get<double>("best_score");
  state.pending = json.at("pending");
  state.identity = json.at("identity");
  state.about = json.at("about");
  return state;
}

TrainingState TrainingState::load(const std::string& path) {
  const Json json = Json::load(path, kMaxState);
  try {
    return from_json(json);
  } catch (const IoError& error) {
    const std::string what = error.what();
    if (what.starts_with(path)) throw;
    fail<IoError>(path, ": ", what);
  }
}

void check_identity(const Json& saved, const Json& current, const std::string& checkpoint) {
  const auto difference = first_difference(saved, current, "");
  if (!difference) return;
  check<ConfigError>(difference->field != "data", "resume: data: the text is another one than in ",
                     checkpoint,
                     "; give the same as then, or another --out for a new run (with "
                     "--init ",
                     checkpoint, " it starts from these weights)");
  const std::string option = option_of(difference->field);
  fail<ConfigError>("resume: ", option, " was ", described(difference->saved), " in ", checkpoint,
                    " and is ", described(difference->current), " now; ",
                    as_then(option, difference->saved),
                    ", or another --out for a new run (with --init ", checkpoint,
                    " it starts from these weights)");
}

void write_weights(io::AtomicDirectory& folder, const nn::ModuleBase& model) {
  const nn::StateDict state = model.state_dict();
  SafetensorsMetadata metadata = {{"format", "pt"}};
  metadata.insert(state.aliases.begin(), state.aliases.end());
  folder.write("model.safetensors",
               [&](io::FileSink& out) { save_safetensors(out, state.to_map(), metadata); });
}

void load_weights(const std::string& file, nn::ModuleBase& model) {
  const std::map<std::string, Tensor> weights = load_safetensors(file);
  try {
    model.load_state_dict(weights);
  } catch (const Error& error) {
    fail<IoError>(file, ": does not fit the model: ", error.what(),
                  "; expected the weights of the model that config.json describes");
  }
}

void check_parameter_count(const std::string& file, int64_t count) {
  const SafetensorsFile weights = SafetensorsFile::open(file);
  uint64_t stored = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    const SafetensorsFile::Entry entry = weights[i];
    const auto dtype = dtype_of_stored(entry.type);
    if (dtype && is_floating_point(*dtype)) stored += entry.bytes / element_size(*dtype);
  }
  check<IoError>(stored >= static_cast<uint64_t>(count), file, ": has ", stored,
                 " floating-point values; expected ", count,
                 " for the model that config.json describes");
}

void save_model_folder(const std::string& dir,
                       const std::function<void(io::AtomicDirectory&)>& body) {
  // Nobody's home folder is replaced because its name was given by mistake.
  static const std::set<std::string> ours = {"model.safetensors", "config.json", "tokenizer.json",
                                             kManifest};
  if (is_there(dir)) {
    check<IoError>(is_folder(dir), dir, ": is a file; expected a folder for the model");
    std::error_code error;
    for (fs::directory_iterator entries(dir, error), end; !error && entries != end;
         entries.increment(error)) {
      const std::string name = entries->path().filename().string();
      check<IoError>(ours.contains(name), dir, ": holds more than a model (", name,
                     "), so it is not replaced; expected a new folder");
    }
    check<IoError>(!error, dir, ": the folder cannot be read: ", error.message());
  }
  const fs::path parent = fs::path(dir).lexically_normal().parent_path();
  if (!parent.empty()) io::create_directories(parent.string());
  io::AtomicDirectory folder(dir, io::AtomicDirectory::Existing::replace);
  body(folder);
  folder.commit();
}

std::string save_checkpoint(const std::string& run, const TrainingState& state,
                            const nn::ModuleBase& model, const optim::Optimizer& optimizer,
                            const std::function<void(io::AtomicDirectory&)>& add_files,
                            int64_t keep, int64_t spare) {
  const std::string name = checkpoint_name(state.step);
  std::string path = run + "/" + name;
  io::create_directories(run);
  io::AtomicDirectory folder(path, io::AtomicDirectory::Existing::replace);
  add_files(folder);
  write_weights(folder, model);
  folder.write("optimizer.safetensors", [&](io::FileSink& out) {
    save_safetensors(out, tensors_of(optimizer.state()), {{"format", "pt"}});
  });
  folder.write("state.json", state.to_json().dump(2) + "\n");
  folder.commit();
  io::write_file_atomic(run + "/latest", name + "\n");
  prune(run, state.step, keep, spare);
  return path;
}

TrainingState load_checkpoint(const std::string& path, nn::ModuleBase& model,
                              optim::Optimizer& optimizer) {
  io::verify_manifest(path);
  TrainingState state = TrainingState::load(path + "/state.json");
  const std::string file = path + "/optimizer.safetensors";
  const optim::OptimizerState before = optimizer.state();
  const optim::OptimizerState saved = state_of(load_safetensors(file));
  try {
    optimizer.load_state(saved);
  } catch (const ConfigError& error) {
    fail<IoError>(file, ": does not fit the optimizer: ", error.what());
  }
  try {
    load_weights(path + "/model.safetensors", model);
  } catch (...) {
    optimizer.load_state(before);
    throw;
  }
  return state;
}

void cut_metrics(const std::string& path, int64_t step) {
  if (!is_there(path)) return;
  const std::string text = io::read_text(path);
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) break;
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    try {
      if (Json::parse(line, path).get<int64_t>("step") <= step) kept += line + "\n";
    } catch (const IoError&) {
      // A line that a crash cut in the middle; what follows is of later steps.
      break;
    }
  }
  if (kept != text) io::write_file_atomic(path, kept);
}

}  // namespace adjoint::models
