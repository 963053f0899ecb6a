#include <adjoint/core/convolution.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/init.h>
#include <adjoint/nn/linear.h>

#include <cmath>

#include "nn/detail/describe.h"

namespace adjoint::nn {

namespace {

// PyTorch's uniform(-b, b) with b = 1 / sqrt(inputs).
Tensor drawn(const Shape& shape, int64_t inputs) {
  const Tensor x = empty(shape);
  const double bound = inputs > 0 ? 1 / std::sqrt(static_cast<double>(inputs)) : 0;
  init::uniform_(x, -bound, bound);
  return x;
}

}  // namespace

Linear::Linear(int64_t in_features, int64_t out_features, const LinearOptions& options)
    : out_features_(out_features) {
  const bool lazy = in_features == kLazy;
  check<ConfigError>((lazy || in_features >= 0) && out_features >= 0, "Linear: ", in_features,
                     " to ", out_features, " features; expected 0 or more");
  if (lazy) {
    weight = Parameter(Slot::lazy({out_features, kLazy}));
    if (options.bias) bias = Parameter(Slot::lazy({out_features}));
    return;
  }
  weight = Parameter(drawn({out_features, in_features}, in_features));
  if (options.bias) bias = Parameter(drawn({out_features}, in_features));
}

void Linear::materialize(const Tensor& x) const {
  check<ShapeError>(x.dim() >= 1, "Linear: input of shape ", x.shape(),
                    "; expected (..., in_features)");
  const int64_t in_features = x.size(-1);
  if (weight.is_lazy()) {
    weight.slot()->materialize(drawn({out_features_, in_features}, in_features));
  }
  if (bias.is_lazy()) bias.slot()->materialize(drawn({out_features_}, in_features));
}

Tensor Linear::forward(const Tensor& x) const {
  if (weight.is_lazy() || bias.is_lazy()) [[unlikely]] {
    materialize(x);
  }
  return linear(x, weight, bias);
}

Tensor Linear::activated(const Tensor& x, Activation activation) const {
  if (hooked() || weight.is_lazy()) return activate((*this)(x), activation);
  return within([&] { return linear_activation(x, weight, bias, activation); });
}

void Linear::members(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

std::string Linear::type_name() const { return detail::lazy_name("Linear", weight.is_lazy()); }

std::string Linear::describe() const {
  return detail::Description()("in_features", weight.is_lazy() ? 0 : in_features())(
      "out_features", out_features_)("bias", bias.defined());
}

Bilinear::Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features,
                   const LinearOptions& options) {
  check<ConfigError>(in1_features >= 1 && in2_features >= 1 && out_features >= 1,
                     "Bilinear: in1_features ", in1_features, ", in2_features ", in2_features,
                     ", out_features ", out_features, "; expected 1 or more");
  weight = Parameter(drawn({out_features, in1_features, in2_features}, in1_features));
  if (options.bias) bias = Parameter(drawn({out_features}, in1_features));
}

Tensor Bilinear::forward(const Tensor& a, const Tensor& b) const {
  return bilinear(a, b, weight, bias);
}

void Bilinear::members(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

std::string Bilinear::describe() const {
  return detail::Description()("in1_features", weight.size(1))("in2_features", weight.size(2))(
      "out_features", weight.size(0))("bias", bias.defined());
}

}  // namespace adjoint::nn
