#include <adjoint/core/activations.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pooling.h>
#include <adjoint/core/reductions.h>
#include <adjoint/models/resnet.h>
#include <adjoint/nn/init.h>

#include <string>

namespace adjoint::models {
namespace {

bool has_four_stages(int64_t depth) { return depth == 18 || depth == 34; }

// Blocks of each stage.
std::vector<int64_t> stages(const ResNetOptions& options) {
  options.validate();
  if (options.depth == 18) return {2, 2, 2, 2};
  if (options.depth == 34) return {3, 4, 6, 3};
  const int64_t n = (options.depth - 2) / 6;
  return {n, n, n};
}

int64_t first_width(const ResNetOptions& options) {
  options.validate();
  return has_four_stages(options.depth) ? 64 : 16;
}

nn::Conv2d first_convolution(const ResNetOptions& options) {
  const int64_t out = first_width(options);
  if (options.stem == ResNetStem::cifar) {
    return {options.in_channels, out, 3, {.padding = 1, .bias = false}};
  }
  return {options.in_channels, out, 7, {.stride = 2, .padding = 3, .bias = false}};
}

}  // namespace

void ResNetOptions::validate() const {
  check<ConfigError>(has_four_stages(depth) || (depth >= 8 && (depth - 2) % 6 == 0),
                     "ResNet: depth is ", depth, "; expected 18, 34, or 6 n + 2 as 20, 32, 56");
  check<ConfigError>(in_channels >= 1, "ResNet: in_channels is ", in_channels,
                     "; expected at least 1");
  check<ConfigError>(classes >= 1, "ResNet: classes is ", classes, "; expected at least 1");
}

Json ResNetOptions::to_json() const {
  return Json::object({{"model_type", "resnet"},
                       {"depth", depth},
                       {"in_channels", in_channels},
                       {"classes", classes},
                       {"shortcut", shortcut == ResNetShortcut::a ? "a" : "b"},
                       {"stem", stem == ResNetStem::cifar ? "cifar" : "imagenet"}});
}

ResNetBlock::ResNetBlock(int64_t in, int64_t out, int64_t stride, ResNetShortcut shortcut)
    : conv1(in, out, 3, {.stride = stride, .padding = 1, .bias = false}),
      bn1(out),
      conv2(out, out, 3, {.padding = 1, .bias = false}),
      bn2(out),
      stride_(stride),
      added_(out - in) {
  if (shortcut == ResNetShortcut::b && (stride != 1 || in != out)) {
    downsample.emplace(nn::Conv2d(in, out, 1, {.stride = stride, .bias = false}),
                       nn::BatchNorm2d(out));
  }
}

Tensor ResNetBlock::forward(const Tensor& x) const {
  const Tensor y = bn2(conv2(relu(bn1(conv1(x)))));
  Tensor kept = x;
  if (downsample) {
    kept = (*downsample)(x);
  } else if (stride_ != 1 || added_ != 0) {
    for (const int64_t dim : {2, 3}) kept = slice(kept, dim, 0, INT64_MAX, stride_);
    kept = pad(kept, {0, 0, 0, 0, added_ / 2, added_ - added_ / 2});
  }
  return relu(y + kept);
}

void ResNetBlock::members(nn::Visitor& v) {
  v("conv1", conv1);
  v("bn1", bn1);
  v("conv2", conv2);
  v("bn2", bn2);
  v("downsample", downsample);
}

ResNet::ResNet(const ResNetOptions& options)
    : conv1(first_convolution(options)),
      bn1(first_width(options)),
      fc(first_width(options) << (stages(options).size() - 1), options.classes),
      stem_(options.stem) {
  int64_t in = first_width(options), out = in;
  for (const int64_t count : stages(options)) {
    std::vector<ResNetBlock>& blocks = layers.emplace_back();
    for (int64_t i = 0; i < count; ++i) {
      const int64_t stride = i == 0 && layers.size() > 1 ? 2 : 1;
      blocks.emplace_back(in, out, stride, options.shortcut);
      in = out;
    }
    out *= 2;
  }
  apply([](nn::ModuleBase& module) {
    if (auto* const conv = dynamic_cast<nn::Conv2d*>(&module)) {
      nn::init::kaiming_normal_(conv->weight, {.mode = nn::init::FanMode::fan_out,
                                               .nonlinearity = nn::init::Nonlinearity::relu});
    }
  });
}

Tensor ResNet::forward(const Tensor& x) const {
  Tensor y = relu(bn1(conv1(x)));
  if (stem_ == ResNetStem::imagenet) y = max_pool2d(y, 3, 2, 1);
  for (const std::vector<ResNetBlock>& blocks : layers) {
    for (const ResNetBlock& block : blocks) y = block(y);
  }
  return fc(mean(y, {2, 3}));
}

void ResNet::members(nn::Visitor& v) {
  v("conv1", conv1);
  v("bn1", bn1);
  for (size_t i = 0; i < layers.size(); ++i) v("layer" + std::to_string(i + 1), layers[i]);
  v("fc", fc);
}

}  // namespace adjoint::models
