// adjoint inspect: what a model on disk is made of.
#include <adjoint/core/safetensors.h>

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>

#include "models/train/option_table.h"
#include "models/train/saved_model.h"
#include "tools/commands.h"

namespace adjoint::tools {
namespace {

// "transformer.h.0" of "transformer.h.0.attn.c_attn.weight": a block, or what stands beside them.
std::string group_of(const std::string& name) {
  size_t end = 0;
  int parts = 0;
  while (end != std::string::npos) {
    const size_t next = name.find('.', end);
    if (next == std::string::npos) break;
    const std::string part = name.substr(end, next - end);
    ++parts;
    const bool number = !part.empty() && std::all_of(part.begin(), part.end(),
                                                     [](char c) { return c >= '0' && c <= '9'; });
    if (number) return name.substr(0, next);
    end = next + 1;
  }
  return parts == 0 ? name : name.substr(0, name.rfind('.'));
}

struct Contents {
  std::string path;
  std::vector<std::pair<std::string, std::string>> aliases;  // a name, and whose tensor it is
  std::map<std::string, int64_t> groups;                     // parameters of each
  int64_t total = 0;
};

Contents contents_of(const std::string& path, const SafetensorsFile& file) {
  Contents contents{.path = path, .aliases = {}, .groups = {}};
  for (size_t i = 0; i < file.size(); ++i) {
    const int64_t count = file[i].shape().numel();
    contents.groups[group_of(file[i].name)] += count;
    contents.total += count;
  }
  for (const auto& [alias, target] : file.metadata()) {
    if (file.find(target)) contents.aliases.emplace_back(alias, target);
  }
  return contents;
}

void print(const Contents& contents, const SafetensorsFile& file) {
  size_t width = 0;
  for (size_t i = 0; i < file.size(); ++i) width = std::max(width, file[i].name.size());
  const auto begin = [&](const std::string& name) -> std::ostream& {
    return std::cout << "  " << std::left << std::setw(static_cast<int>(width)) << name << "  ";
  };
  std::cout << contents.path << "\n";
  for (size_t i = 0; i < file.size(); ++i) {
    begin(file[i].name) << name(file[i].type) << "  " << file[i].shape() << "\n";
  }
  for (const auto& [alias, target] : contents.aliases) {
    std::cout << "  " << alias << " is " << target << "\n";
  }
  std::cout << "parameters:\n";
  for (const auto& [group, count] : contents.groups) begin(group) << count << "\n";
  begin("all") << contents.total << "\n";
}

Json json_of(const Contents& contents, const SafetensorsFile& file) {
  Json tensors = Json::array(), aliases = Json::object(), groups = Json::object();
  for (size_t i = 0; i < file.size(); ++i) {
    Json shape = Json::array();
    for (const int64_t size : file[i].shape()) shape.push_back(size);
    tensors.push_back(Json::object(
        {{"name", file[i].name}, {"dtype", std::string(name(file[i].type))}, {"shape", shape}}));
  }
  for (const auto& [alias, target] : contents.aliases) aliases[alias] = target;
  for (const auto& [group, count] : contents.groups) groups[group] = count;
  return Json::object({{"path", contents.path},
                       {"tensors", tensors},
                       {"aliases", aliases},
                       {"groups", groups},
                       {"parameters", contents.total}});
}

}  // namespace

int command_inspect(const Arguments& arguments) {
  std::string dir;
  bool json = false;
  train::OptionTable table("adjoint inspect", "Lists names, shapes and parameters of a model.");
  table.positional(&dir, "DIR", "a run, or one of its checkpoints");
  table.add("json", &json, "one object on stdout");
  if (table.answers(arguments)) return 0;
  const std::string path = train::open_checkpoint("adjoint inspect", "DIR", dir);
  const auto file = SafetensorsFile::open(path + "/model.safetensors");
  const Contents contents = contents_of(path, file);
  if (json) {
    std::cout << json_of(contents, file).dump() << "\n";
  } else {
    print(contents, file);
  }
  return 0;
}

}  // namespace adjoint::tools
