// Residual networks (He, Zhang, Ren, Sun 2015, arXiv 1512.03385).
//
//   const models::ResNet small({.depth = 20, .in_channels = 1});  // section 4.2
//   const models::ResNet large(
//       {.depth = 18, .classes = 1000, .stem = models::ResNetStem::imagenet});
//
// Names are torchvision's: conv1, bn1, layer1.0.conv1, layer2.0.downsample.0, fc.
#pragma once

#include <adjoint/core/json.h>
#include <adjoint/nn/batch_norm.h>
#include <adjoint/nn/convolution.h>
#include <adjoint/nn/linear.h>
#include <adjoint/nn/module.h>
#include <adjoint/nn/sequential.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace adjoint::models {

// How a shortcut gets to more channels and a smaller image (section 3.3): every second pixel and
// channels of zeros, without parameters; or a 1x1 convolution and a norm.
enum class ResNetShortcut : uint8_t { a, b };
// How it begins: a 3x3 convolution; or a 7x7 with stride 2 and a maximum over 3x3 with stride 2.
enum class ResNetStem : uint8_t { cifar, imagenet };

struct ResNetOptions {
  // 6 n + 2 (20, 32, 44, 56, 110): three stages of n blocks with 16, 32 and 64 channels. 18 and 34:
  // four stages with 64 to 512.
  int64_t depth = 20;
  int64_t in_channels = 3;
  int64_t classes = 10;
  ResNetShortcut shortcut = ResNetShortcut::b;
  ResNetStem stem = ResNetStem::cifar;

  // ConfigError for another depth, and channels and classes below 1.
  void validate() const;
  Json to_json() const;
};

// relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)).
class ResNetBlock : public nn::Module<ResNetBlock> {
 public:
  ResNetBlock(int64_t in, int64_t out, int64_t stride, ResNetShortcut shortcut);
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;
  std::optional<nn::Sequential> downsample;  // of shortcut b, where sizes change

 private:
  int64_t stride_, added_;  // added_: channels of zeros
};

// (N, in_channels, H, W) -> (N, classes).
class ResNet : public nn::Module<ResNet> {
 public:
  // Convolutions from He's normal distribution by what they go to, as torchvision; norms 1 and 0.
  explicit ResNet(const ResNetOptions& options = {});
  Tensor forward(const Tensor& x) const;
  void members(nn::Visitor& v) override;

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  std::vector<std::vector<ResNetBlock>> layers;  // layer1, layer2, ...
  nn::Linear fc;

 private:
  ResNetStem stem_;
};

}  // namespace adjoint::models
