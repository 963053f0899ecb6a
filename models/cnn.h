// A small convolutional network for small images.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/nn/batch_norm.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/dropout.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>

#include <cstdint>
#include <vector>

namespace adjoint::models {

struct CnnOptions {
  int64_t in_channels = 1;
  int64_t image_size = 28;                   // height and width
  std::vector<int64_t> channels = {32, 64};  // of each stage, which halves the image
  int64_t hidden = 128;
  int64_t classes = 10;
  double dropout = 0.0;  // before and after the hidden layer

  Json to_json() const;
};

// Stages of a 3x3 convolution, a batch norm, ReLU and a maximum over 2x2; a hidden layer; the
// classes. (N, C, H, W) -> (N, classes).
class Cnn : public nn::Module<Cnn> {
 public:
  // ConfigError for sizes out of range, such as images too small for the stages.
  explicit Cnn(const CnnOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  std::vector<nn::Conv2d> conv;
  std::vector<nn::BatchNorm2d> bn;
  nn::Linear fc1, fc2;
  nn::Dropout dropout;
};

}  // namespace adjoint::models
