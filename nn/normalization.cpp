#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
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

SumAndNormalized LayerNorm::add(const Tensor& x, const Tensor& residual) const {
  if (hooked()) {
    const Tensor sum = x + residual;
    return {sum, (*this)(sum)};
  }
  return within([&] { return add_layer_norm(x, residual, normalized_shape_, weight, bias, eps_); });
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

RMSNorm::RMSNorm(const Shape& normalized_shape, const RmsNormOptions& options)
    : normalized_shape_(normalized_shape), eps_(options.eps) {
  check<ConfigError>(!normalized_shape.empty(),
                     "RMSNorm: normalized_shape (); expected one dimension or more");
  check<ConfigError>(options.eps.value_or(0) >= 0, "RMSNorm: eps ", options.eps.value_or(0),
                     "; expected 0 or more");
  if (options.elementwise_affine) weight = Parameter(ones(normalized_shape));
}

Tensor RMSNorm::forward(const Tensor& x) const {
  return rms_norm(x, normalized_shape_, weight, eps_);
}

void RMSNorm::members(Visitor& v) { v("weight", weight); }

std::string RMSNorm::describe() const {
  std::ostringstream out;
  out << normalized_shape_ << ", eps=";
  if (eps_) {
    out << *eps_;
  } else {
    out << "None";
  }
  out << ", elementwise_affine=" << (weight.defined() ? "True" : "False");
  return out.str();
}

}  // namespace adjoint::nn
