#include <adjoint/core/ops.h>
#include <adjoint/nn/normalization.h>

#include <sstream>

namespace adjoint::nn {

LayerNorm::LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options)
    : normalized_shape_(normalized_shape), eps_(options.eps) {
  check<ConfigError>(!normalized_shape.empty(),
                     "LayerNorm: normalized_shape (); expected one dimension or more");
  check<ConfigError>(options.eps >= 0, "LayerNorm: eps ", options.eps, "; expected 0 or more");
  if (!options.elementwise_affine) return;
  weight = Parameter(ones(normalized_shape));
  if (options.bias) bias = Parameter(zeros(normalized_shape));
}

Tensor LayerNorm::forward(const Tensor& x) const {
  return layer_norm(x, normalized_shape_, weight, bias, eps_);
}

void LayerNorm::members(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

std::string LayerNorm::describe() const {
  std::ostringstream out;
  out << normalized_shape_ << ", eps=" << eps_
      << ", elementwise_affine=" << (weight.defined() ? "True" : "False")
      << ", bias=" << (bias.defined() ? "True" : "False");
  return out.str();
}

}  // namespace adjoint::nn
