// What operators.py calls:
//
//   operators_tool FOLDER   runs every sample of the catalogue that has a call of PyTorch, in f64,
//                           f32 and bf16. FOLDER gets samples.tsv (key, row, sample, call) and
//                           DTYPE.safetensors with the tensors KEY.in0, KEY.out0, and where there
//                           are gradients KEY.dy0 (of an output) and KEY.d0 (of an input).
//   operators_tool errors   prints the message of every wrong call of the catalogue: row, call and
//                           message, with tabs between them: tests/golden/errors.tsv
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/op_catalog.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/safetensors.h>

#include <cstdio>
#include <exception>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace adjoint {
namespace {

using catalog::Row;
using catalog::Sample;
using Tensors = std::vector<Tensor>;

bool floating(const Tensor& x) { return is_floating_point(x.dtype()); }

void run(const Row& row, const Sample& sample, const std::string& key, DType dtype,
         std::map<std::string, Tensor>& out) {
  const auto put = [&](const char* what, size_t i, const Tensor& x) {
    out[key + "." + what + std::to_string(i)] = x.detach().contiguous();
  };
  Tensors inputs;
  for (const Tensor& x : sample.inputs) {
    inputs.push_back(floating(x) ? x.detach().to(dtype).clone().requires_grad_() : x);
    put("in", inputs.size() - 1, inputs.back());
  }
  const Tensors y = sample.run(inputs);
  Generator generator(1);
  Tensors outputs, directions;
  for (size_t i = 0; i < y.size(); ++i) {
    put("out", i, y[i]);
    if (!row.differentiable || !sample.differentiable || !y[i].requires_grad()) continue;
    outputs.push_back(y[i]);
    directions.push_back(randn(y[i].shape(), DType::f64, generator).to(y[i].dtype()));
    put("dy", i, directions.back());
  }
  if (outputs.empty()) return;
  backward(outputs, directions);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!floating(inputs[i])) continue;
    const Tensor dx = inputs[i].grad();
    put("d", i, dx.defined() ? dx : zeros_like(inputs[i]));
  }
}

void run_all(const std::string& folder) {
  std::ofstream list(folder + "/samples.tsv");
  std::map<DType, std::map<std::string, Tensor>> out;
  for (const Row& row : catalog::rows()) {
    for (size_t i = 0; i < row.samples.size(); ++i) {
      const Sample& sample = row.samples[i];
      const std::string& call = sample.torch.empty() ? row.torch : sample.torch;
      if (call.empty()) continue;
      const std::string key = row.name + "/" + std::to_string(i);
      list << key << '\t' << row.name << '\t' << sample.name << '\t' << call << '\n';
      for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) {
        if (dtype == DType::bf16 && !sample.halves) continue;
        if (dtype == DType::f64 || !row.f64_only) run(row, sample, key, dtype, out[dtype]);
      }
    }
  }
  for (const auto& [dtype, tensors] : out) {
    save_safetensors(folder + "/" + name(dtype) + ".safetensors", tensors);
  }
}

void print_errors() {
  for (const Row& row : catalog::rows()) {
    for (const catalog::ErrorCase& wrong : row.errors) {
      std::string message = "(no error)";
      try {
        wrong.call();
      } catch (const Error& error) {
        message = error.what();
      }
      std::printf("%s\t%s\t%s\n", row.name.c_str(), wrong.name.c_str(), message.c_str());
    }
  }
}

}  // namespace
}  // namespace adjoint

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: operators_tool FOLDER|errors\n");
    return 2;
  }
  try {
    if (std::string(argv[1]) == "errors") {
      adjoint::print_errors();
    } else {
      adjoint::run_all(argv[1]);
    }
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "operators_tool: %s\n", error.what());
    return 1;
  }
}
