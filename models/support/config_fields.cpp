#include "models/support/config_fields.h"

#include <algorithm>
#include <vector>

#include "models/support/nearest.h"

namespace adjoint::models {
namespace {

// What a config.json may have: its text takes up to 24 times its size while it is read.
constexpr uint64_t kMaxConfig = uint64_t{512} << 10;

}  // namespace

Json load_config_json(const std::string& path) { return Json::load(path, kMaxConfig); }

void check_config_fields(const char* config, const Json& json, const Json& known) {
  const auto type = json.get<std::string>("model_type");
  const auto expected = known.get<std::string>("model_type");
  check<ConfigError>(type == expected, config, ": model_type is \"", type, "\"; expected \"",
                     expected, "\"");
  std::vector<std::string> names;
  for (const auto& [key, value] : known.members()) names.push_back(key);
  for (const auto& [key, value] : json.members()) {
    if (std::find(names.begin(), names.end(), key) != names.end()) continue;
    const auto near = nearest(key, names);
    fail<ConfigError>(config, ": unknown field \"", key, "\"",
                      near ? "; did you mean \"" + *near + "\"?" : "");
  }
}

void check_config_range(const char* config, const char* field, int64_t value, int64_t least,
                        int64_t most) {
  check<ConfigError>(value >= least && value <= most, config, ": ", field, " is ", value,
                     "; expected a value between ", least, " and ", most);
}

void check_config_chance(const char* config, const char* field, double value) {
  check<ConfigError>(value >= 0 && value < 1, config, ": ", field, " is ", value,
                     "; expected a value from 0 to below 1");
}

}  // namespace adjoint::models
