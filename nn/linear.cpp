#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/init.h>
#include <adjoint/nn/linear.h>

#include <cmath>
#include <sstream>

namespace adjoint::nn {

Linear::Linear(int64_t in_features, int64_t out_features, const LinearOptions& options)
    : in_features_(in_features), out_features_(out_features) {
  check<ConfigError>(in_features >= 0 && out_features >= 0, "Linear: ", in_features, " to ",
                     out_features, " features; expected 0 or more");
  weight = Parameter(empty({out_features, in_features}));
  const double bound = in_features > 0 ? 1 / std::sqrt(static_cast<double>(in_features)) : 0;
  init::uniform_(weight, -bound, bound);
  if (!options.bias) return;
  bias = Parameter(empty({out_features}));
  init::uniform_(bias, -bound, bound);
}

Tensor Linear::forward(const Tensor& x) const { return linear(x, weight, bias); }

Tensor Linear::activated(const Tensor& x, Activation activation) const {
  if (hooked()) return activate((*this)(x), activation);
  return within([&] { return linear_activation(x, weight, bias, activation); });
}

void Linear::members(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

std::string Linear::describe() const {
  std::ostringstream out;
  out << "in_features=" << in_features_ << ", out_features=" << out_features_
      << ", bias=" << (bias.defined() ? "True" : "False");
  return out.str();
}

}  // namespace adjoint::nn
