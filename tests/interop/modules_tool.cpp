// modules_tool FOLDER: what modules.py compares with PyTorch. FOLDER gets modules.tsv (key, torch,
// call, 1 where random, number of differentiable inputs) and f64.safetensors, f32.safetensors with
// what tests/nn/modules/table.h's run() gives, under "KEY/"; and in their metadata, by key, how the
// module prints ("print:"), the names in its state ("names:") and the trainable of them
// ("trainable:"), with commas between them.
#include <adjoint/core/safetensors.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <string>

#include "tests/nn/modules/table.h"

namespace adjoint::nn {
namespace {

void run_all(const std::string& folder) {
  std::ofstream list(folder + "/modules.tsv");
  std::map<DType, std::map<std::string, Tensor>> out;
  SafetensorsMetadata metadata;
  size_t number = 0;
  for (const table::Row& row : table::rows()) {
    const std::string key = std::to_string(number++);
    list << key << '\t' << row.torch << '\t' << row.torch_call << '\t' << row.random << '\t'
         << row.differentiable << '\n';
    const table::Made module = row.make();
    metadata["print:" + key] = to_string(*module);
    std::string names, trainable;
    for (const auto& [name, x] : module->state_dict().tensors) {
      names += (names.empty() ? "" : ",") + name;
    }
    for (const NamedSlot& p : module->parameters()) {
      if (p.slot->trainable()) trainable += (trainable.empty() ? "" : ",") + p.name;
    }
    metadata["names:" + key] = names;
    metadata["trainable:" + key] = trainable;
    for (const DType dtype : {DType::f64, DType::f32}) {
      for (const auto& [name, x] : table::run(row, dtype)) out[dtype][key + "/" + name] = x;
    }
  }
  for (const auto& [dtype, tensors] : out) {
    save_safetensors(folder + "/" + name(dtype) + ".safetensors", tensors, metadata);
  }
}

}  // namespace
}  // namespace adjoint::nn

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: modules_tool FOLDER\n");
    return 2;
  }
  try {
    adjoint::nn::run_all(argv[1]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "modules_tool: %s\n", error.what());
    return 1;
  }
}
