// Modules against what PyTorch makes of them: tests/golden/nn_layers.py says what a file holds.
#pragma once

#include <adjoint/core/autograd.h>
#include <adjoint/core/safetensors.h>
#include <adjoint/nn/module.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint::nn {

// Sums of some tens of terms around 1, through a few layers: rounding of some tens of epsilons.
inline double golden_tolerance(DType dtype) {
  return dtype == DType::f64 ? 128 * std::numeric_limits<double>::epsilon()
                             : 64 * static_cast<double>(std::numeric_limits<float>::epsilon());
}

// The inputs of a case, as leaves; an undefined tensor for a name that it does not have.
class Inputs {
 public:
  Inputs(const std::map<std::string, Tensor>& values, DType dtype) {
    for (const auto& [key, value] : values) {
      const bool floating = is_floating_point(value.dtype());
      const Tensor x = (floating ? value.to(dtype) : value).detach().clone();
      if (floating) x.requires_grad_();
      all_.emplace(key, x);
    }
  }
  Tensor operator[](const std::string& key) const {
    const auto found = all_.find(key);
    return found == all_.end() ? Tensor() : found->second;
  }

 private:
  std::map<std::string, Tensor> all_;
};

class GoldenCases {
 public:
  explicit GoldenCases(const std::string& file)
      : path_(std::string(ADJOINT_SOURCE_DIR) + "/tests/golden/" + file + ".safetensors"),
        all_(load_safetensors(path_)) {}

  const std::map<std::string, Tensor>& all() const { return all_; }
  std::string metadata(const std::string& key) const {
    return SafetensorsFile::open(path_).metadata(key).value();
  }
  // Everything under "prefix/", without the prefix.
  std::map<std::string, Tensor> below(const std::string& prefix) const {
    std::map<std::string, Tensor> found;
    for (const auto& [name, value] : all_) {
      if (name.starts_with(prefix + "/")) found.emplace(name.substr(prefix.size() + 1), value);
    }
    return found;
  }

  // Loads the family's weights into the model; call(model, inputs) gives the outputs of the case.
  template <class M, class F>
  void expect_case(const std::string& family, const std::string& name, const M& fresh,
                   const F& call) const {
    for (const DType dtype : {DType::f64, DType::f32}) {
      SCOPED_TRACE(name + (dtype == DType::f64 ? " in f64" : " in f32"));
      M model = fresh;
      model.to(dtype);
      model.load_state_dict(below(family + "/weight"));
      const Inputs inputs(below(name + "/in"), dtype);
      const std::vector<Tensor> outputs = call(model, inputs);
      const auto expected = below(name + "/out");
      ASSERT_EQ(outputs.size(), expected.size());
      std::vector<Tensor> dys;
      for (size_t i = 0; i < outputs.size(); ++i) {
        const std::string index = std::to_string(i);
        EXPECT_EQ(outputs[i].dtype(), dtype);
        numeric::expect_close(outputs[i], expected.at(index), golden_tolerance(dtype),
                              "output " + index);
        dys.push_back(all_.at(name + "/dy/" + index).to(dtype));
      }
      backward(outputs, dys);
      expect_gradients(name, model, inputs, dtype);
    }
  }

  // The names in PyTorch's order, and the shapes.
  void expect_state_names(const std::string& family, const ModuleBase& model) const {
    std::ostringstream names;
    for (const auto& [name, value] : model.state_dict().tensors) {
      names << (names.tellp() > 0 ? "," : "") << name;
      const auto found = all_.find(family + "/weight/" + name);
      ASSERT_NE(found, all_.end()) << name;
      EXPECT_EQ(value.shape(), found->second.shape()) << name;
    }
    EXPECT_EQ(names.str(), metadata("names:" + family));
  }

 private:
  void expect_gradients(const std::string& name, const ModuleBase& model, const Inputs& inputs,
                        DType dtype) const {
    const auto gradients = below(name + "/grad");
    const std::vector<NamedSlot> parameters = model.parameters();
    EXPECT_EQ(parameters.size(), gradients.size());
    for (const NamedSlot& p : parameters) {
      numeric::expect_close(p.slot->grad(), gradients.at(p.name), golden_tolerance(dtype),
                            "gradient of " + p.name);
    }
    for (const auto& [key, dx] : below(name + "/din")) {
      numeric::expect_close(inputs[key].grad(), dx, golden_tolerance(dtype),
                            "gradient of input " + key);
    }
  }

  std::string path_;
  std::map<std::string, Tensor> all_;
};

}  // namespace adjoint::nn
