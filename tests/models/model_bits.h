// What the tests of models share: a small GPT, and models and optimizers as bytes to compare.
#pragma once

#include <adjoint/core/parallel.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/models/gpt.h>
#include <adjoint/nn/module.h>
#include <adjoint/optim/optimizer.h>

#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

namespace adjoint::models {

// Whether the slow parts are to be small (sanitizers, instruction sets one by one).
inline bool one_sample() {
  const char* samples = std::getenv("ADJOINT_TEST_SAMPLES");
  return samples != nullptr && std::string_view(samples) == "one";
}

inline GptConfig small_config() {
  return {.vocab_size = 11, .block_size = 8, .n_layer = 2, .n_head = 2, .n_embd = 8};
}

inline Gpt make_gpt(const GptConfig& config, uint64_t seed = 1) {
  Generator generator(seed);
  return Gpt(config, generator);
}

inline std::string bits_of(const Tensor& x) {
  const Tensor packed = x.detach().contiguous();
  const size_t bytes = static_cast<size_t>(packed.numel()) * element_size(packed.dtype());
  return std::string(static_cast<const char*>(packed.raw_data()), bytes);
}

// Name -> the bytes of the value. Maps compare name by name.
using Bits = std::map<std::string, std::string>;

inline Bits bits_of(const nn::ModuleBase& model) {
  Bits bits;
  for (const auto& [name, value] : model.state_dict().tensors) bits[name] = bits_of(value);
  return bits;
}

inline Bits bits_of(const optim::Optimizer& optimizer) {
  const optim::OptimizerState state = optimizer.state();
  Bits bits;
  for (const auto& [name, value] : state.tensors) bits[name] = bits_of(value);
  for (const auto& [name, count] : state.counts) bits[name] = std::to_string(count);
  return bits;
}

// The names that differ, for messages that can be read.
inline std::string differing(const Bits& a, const Bits& b) {
  std::string names;
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    if (other == b.end() || other->second != value) names += name + " ";
  }
  for (const auto& [name, value] : b) {
    if (!a.contains(name)) names += name + " ";
  }
  return names;
}

// The message of the E that f throws; "" where it throws none.
template <class E, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Threads as they were, at the end of a test.
class ThreadsRestored {
 public:
  ~ThreadsRestored() { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

}  // namespace adjoint::models
