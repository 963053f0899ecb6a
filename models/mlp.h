// A perceptron with hidden layers: an image, or anything else, as one row of numbers.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>

#include <cstdint>
#include <vector>

namespace adjoint::models {

struct MlpOptions {
  int64_t in_features = 784;
  int64_t hidden = 512;  // width of each hidden layer
  int64_t layers = 2;    // hidden layers
  int64_t classes = 10;
  double dropout = 0.0;  // after each hidden layer

  Json to_json() const;
};

// (N, ...) of in_features numbers each -> (N, classes).
class Mlp : public nn::Module<Mlp> {
 public:
  // ConfigError for sizes out of range.
  explicit Mlp(const MlpOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  std::vector<nn::Linear> layers;  // the last one gives the classes
  nn::Dropout dropout;
};

}  // namespace adjoint::models
