#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/normalization.h>

#include "nn/detail/describe.h"

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
  return detail::Description()(to_string(normalized_shape_))("eps", eps_)(
      "elementwise_affine", weight.defined())("bias", bias.defined());
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
  return detail::Description()(to_string(normalized_shape_))(
      "eps", eps_ ? detail::python(*eps_) : "None")("elementwise_affine", weight.defined());
}

GroupNorm::GroupNorm(int64_t num_groups, int64_t num_channels, const GroupNormOptions& options)
    : num_groups_(num_groups), num_channels_(num_channels), options_(options) {
  check<ConfigError>(num_groups >= 1 && num_channels >= 1 && num_channels % num_groups == 0,
                     "GroupNorm: num_groups ", num_groups, " of num_channels ", num_channels,
                     "; expected groups that divide the channels");
  check<ConfigError>(options.eps >= 0, "GroupNorm: eps ", options.eps, "; expected 0 or more");
  if (!options.affine) return;
  weight = Parameter(ones({num_channels}));
  if (options.bias) bias = Parameter(zeros({num_channels}));
}

Tensor GroupNorm::forward(const Tensor& x) const {
  return group_norm(x, num_groups_, weight, bias, options_.eps);
}

void GroupNorm::members(Visitor& v) {
  v("weight", weight);
  v("bias", bias);
}

std::string GroupNorm::describe() const {
  return detail::Description()(num_groups_)(num_channels_)("eps", options_.eps)(
      "affine", options_.affine)("bias", bias.defined());
}

LocalResponseNorm::LocalResponseNorm(int64_t size, const LocalResponseNormOptions& options)
    : size_(size), options_(options) {
  check<ConfigError>(size >= 1, "LocalResponseNorm: size ", size, "; expected 1 or more");
}

Tensor LocalResponseNorm::forward(const Tensor& x) const {
  return local_response_norm(x, size_, options_.alpha, options_.beta, options_.k);
}

std::string LocalResponseNorm::describe() const {
  return detail::Description()(size_)("alpha", options_.alpha)("beta", options_.beta)("k",
                                                                                      options_.k);
}

}  // namespace adjoint::nn
