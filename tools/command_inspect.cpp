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

}  // namespace

int command_inspect(const Arguments& arguments) {
  std::string dir;
  train::OptionTable table("adjoint inspect", "Lists names, shapes and parameters of a model.");
  table.positional(&dir, "DIR", "a run, or one of its checkpoints");
  if (table.answers(arguments)) return 0;
  const std::string path = train::open_checkpoint("adjoint inspect", "DIR", dir);
  const auto file = SafetensorsFile::open(path + "/model.safetensors");
  std::cout << path << "\n";
  size_t width = 0;
  for (size_t i = 0; i < file.size(); ++i) width = std::max(width, file[i].name.size());
  std::map<std::string, int64_t> groups;
  int64_t total = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    const SafetensorsFile::Entry entry = file[i];
    const Shape shape = entry.shape();
    std::cout << "  " << std::left << std::setw(static_cast<int>(width)) << entry.name << "  "
              << name(entry.type) << "  " << shape << "\n";
    groups[group_of(entry.name)] += shape.numel();
    total += shape.numel();
  }
  for (const auto& [alias, target] : file.metadata()) {
    if (file.find(target)) std::cout << "  " << alias << " is " << target << "\n";
  }
  std::cout << "parameters:\n";
  for (const auto& [group, count] : groups) {
    std::cout << "  " << std::left << std::setw(static_cast<int>(width)) << group << "  " << count
              << "\n";
  }
  std::cout << "  " << std::left << std::setw(static_cast<int>(width)) << "all"
            << "  " << total << "\n";
  return 0;
}

}  // namespace adjoint::tools
