// A table of a model's layers: output shapes, parameters, multiply-adds and memory, as Keras and
// torchinfo print it.
//
//   std::cout << nn::summary(model, {1, 3, 32, 32}).to_string();
//   std::cout << nn::summary(transformer, source, target).to_json().dump(2);
//
// The model is called once, in eval mode and without gradients; modes, buffers and the state of the
// thread's generator are afterwards what they were. Everything is counted where it happens:
// multiply-adds by the operators (core/multiply_adds.h), shapes in the calls of modules.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/nn/module.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace adjoint::nn {

struct LayerSummary {
  std::string path;  // empty for the model itself
  std::string type;
  int depth = 0;               // the model: 0
  int64_t calls = 0;           // layers that were not called have no outputs
  std::vector<Shape> outputs;  // of the last call
  int64_t parameters = 0;      // values in it and below, those that are tied once
  int64_t trainable_parameters = 0;
  int64_t multiply_adds = 0;  // of all calls, with what is below
};

struct ModelSummary {
  std::vector<LayerSummary> layers;  // in the order of a visit, parents first
  std::vector<Shape> inputs;
  int64_t parameters = 0, trainable_parameters = 0, multiply_adds = 0;
  int64_t input_bytes = 0;
  // What training keeps at the most: the results of all layers without layers below, and as much
  // for their gradients. A result that is an input's memory does not count.
  int64_t forward_backward_bytes = 0;
  int64_t parameter_bytes = 0;  // and buffers

  // Rows down to a depth; a negative one: all.
  std::string to_string(int depth = 3) const;
  Json to_json() const;
};

struct SummaryOptions {
  DType dtype = DType::f32;  // of the input, which is zeros
};

namespace detail {
ModelSummary summarize(ModuleBase& model, const std::vector<Tensor>& inputs,
                       const std::function<void()>& call);
}

// Of a call with these tensors.
template <class M, class... More>
requires(std::derived_from<M, ModuleBase> && (std::same_as<More, Tensor> && ...)) ModelSummary
    summary(M& model, const Tensor& input, const More&... more) {
  return detail::summarize(model, {input, more...}, [&] {
    if constexpr (detail::kHasForward<M, const Tensor&, const More&...>) {
      (void)model(input, more...);
    } else {
      (void)model.call(input);
    }
  });
}
template <class M>
requires std::derived_from<M, ModuleBase> ModelSummary summary(M& model, const Shape& input_shape,
                                                               const SummaryOptions& options = {}) {
  return summary(model, zeros(input_shape, options.dtype));
}

}  // namespace adjoint::nn
