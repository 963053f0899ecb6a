#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/models/mlp.h>

namespace adjoint::models {

Json MlpOptions::to_json() const {
  return Json::object({{"model_type", "mlp"},
                       {"in_features", in_features},
                       {"hidden", hidden},
                       {"layers", layers},
                       {"classes", classes},
                       {"dropout", dropout}});
}

Mlp::Mlp(const MlpOptions& options) : dropout(options.dropout) {
  check<ConfigError>(options.layers >= 0, "Mlp: ", options.layers,
                     " hidden layers; expected at least 0");
  int64_t width = options.in_features;
  for (int64_t i = 0; i < options.layers; ++i) {
    layers.emplace_back(width, options.hidden);
    width = options.hidden;
  }
  layers.emplace_back(width, options.classes);
}

Tensor Mlp::forward(const Tensor& x) const {
  Tensor y = flatten(x, 1);
  for (size_t i = 0; i + 1 < layers.size(); ++i) {
    y = dropout(layers[i].activated(y, Activation::relu));
  }
  return layers.back()(y);
}

void Mlp::members(nn::Visitor& v) {
  v("layers", layers);
  v("dropout", dropout);
}

}  // namespace adjoint::models
