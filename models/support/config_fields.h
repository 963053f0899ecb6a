// What the configurations of models share: fields by name, files, folders of weights.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/json.h>
#include <adjoint/core/random.h>
#include <adjoint/models/checkpoint.h>

#include <cstdint>
#include <string>

namespace adjoint::models {

// Reads a config.json, which is small. IoError naming the file.
Json load_config_json(const std::string& path);

// Throws ConfigError for another model_type than that of `known`, and for a field that `known` does
// not have, naming the nearest one. IoError where there is no model_type.
void check_config_fields(const char* config, const Json& json, const Json& known);

// ConfigError unless least <= value <= most.
void check_config_range(const char* config, const char* field, int64_t value, int64_t least,
                        int64_t most);
// ConfigError unless 0 <= value < 1.
void check_config_chance(const char* config, const char* field, double value);

// Config::from_json of a file, whose errors name it.
template <class Config>
Config load_config(const std::string& path) {
  const Json json = load_config_json(path);
  try {
    return Config::from_json(json);
  } catch (const ConfigError& error) {
    fail<ConfigError>(path, ": ", error.what());
  }
}

// A model from the newest whole checkpoint that `dir` names; sizes are compared before memory is
// taken.
template <class Model, class Config>
Model load_model(const std::string& dir) {
  const std::string checkpoint = find_checkpoint(dir).path;
  const auto config = load_config<Config>(checkpoint + "/config.json");
  const std::string file = checkpoint + "/model.safetensors";
  check_parameter_count(file, config.parameter_count());
  Generator generator;
  Model model(config, generator);
  load_weights(file, model);
  return model;
}

}  // namespace adjoint::models
