#include <adjoint/core/activations.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pooling.h>
#include <adjoint/models/cnn.h>

namespace adjoint::models {
namespace {

// What the stages leave of an image, as one row.
int64_t features(const CnnOptions& options) {
  check<ConfigError>(!options.channels.empty(), "Cnn: no stages; expected at least one");
  int64_t size = options.image_size;
  for (size_t i = 0; i < options.channels.size(); ++i) size /= 2;
  check<ConfigError>(size >= 1, "Cnn: an image_size of ", options.image_size, " with ",
                     options.channels.size(), " stages; expected a larger image or fewer stages");
  return options.channels.back() * size * size;
}

}  // namespace

Json CnnOptions::to_json() const {
  Json list = Json::array({});
  for (const int64_t width : channels) list.push_back(width);
  return Json::object({{"model_type", "cnn"},
                       {"in_channels", in_channels},
                       {"image_size", image_size},
                       {"channels", list},
                       {"hidden", hidden},
                       {"classes", classes},
                       {"dropout", dropout}});
}

Cnn::Cnn(const CnnOptions& options)
    : fc1(features(options), options.hidden),
      fc2(options.hidden, options.classes),
      dropout(options.dropout) {
  int64_t in = options.in_channels;
  for (const int64_t width : options.channels) {
    // The norm takes the mean away, and a bias with it.
    conv.emplace_back(in, width, 3, nn::ConvLayerOptions{.padding = 1, .bias = false});
    bn.emplace_back(width);
    in = width;
  }
}

Tensor Cnn::forward(const Tensor& x) const {
  Tensor y = x;
  // The maximum of what ReLU gives is what ReLU gives of the maximum, of a quarter as much.
  for (size_t i = 0; i < conv.size(); ++i) y = relu(max_pool2d(bn[i](conv[i](y)), 2));
  return fc2(dropout(fc1.activated(dropout(flatten(y, 1)), Activation::relu)));
}

void Cnn::members(nn::Visitor& v) {
  v("conv", conv);
  v("bn", bn);
  v("fc1", fc1);
  v("fc2", fc2);
  v("dropout", dropout);
}

}  // namespace adjoint::models
