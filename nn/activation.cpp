#include <adjoint/core/activations.h>
#include <adjoint/core/linalg.h>
#include <adjoint/nn/activation.h>

#include "nn/detail/describe.h"

namespace adjoint::nn {

using detail::Description;

std::string GELU::describe() const {
  return Description()("approximate", approximate_ == Gelu::tanh ? "'tanh'" : "'none'");
}

std::string LeakyReLU::describe() const { return Description()("negative_slope", negative_slope_); }

std::string ELU::describe() const { return Description()("alpha", alpha_); }

CELU::CELU(double alpha) : alpha_(alpha) {
  check<ConfigError>(alpha != 0, "CELU: alpha ", alpha, "; expected a number other than 0");
}

std::string CELU::describe() const { return Description()("alpha", alpha_); }

Softshrink::Softshrink(double lambd) : lambd_(lambd) {
  check<ConfigError>(lambd >= 0, "Softshrink: lambd ", lambd, "; expected 0 or more");
}

std::string Softshrink::describe() const { return Description()(lambd_); }

std::string Hardshrink::describe() const { return Description()(lambd_); }

Softplus::Softplus(const SoftplusOptions& options) : options_(options) {
  check<ConfigError>(options.beta != 0, "Softplus: beta ", options.beta,
                     "; expected a number other than 0");
}

std::string Softplus::describe() const {
  return Description()("beta", options_.beta)("threshold", options_.threshold);
}

Hardtanh::Hardtanh(const HardtanhOptions& options) : options_(options) {
  check<ConfigError>(options.min_val < options.max_val, "Hardtanh: min_val ", options.min_val,
                     " and max_val ", options.max_val, "; expected the first to be smaller");
}

std::string Hardtanh::describe() const {
  return Description()("min_val", options_.min_val)("max_val", options_.max_val);
}

std::string Threshold::describe() const {
  return Description()("threshold", threshold_)("value", value_);
}

RReLU::RReLU(const RReLUOptions& options) : options_(options) {
  check<ConfigError>(options.lower <= options.upper, "RReLU: lower ", options.lower, " and upper ",
                     options.upper, "; expected the first to be no larger");
}

std::string RReLU::describe() const {
  return Description()("lower", options_.lower)("upper", options_.upper);
}

PReLU::PReLU(const PReLUOptions& options) {
  check<ConfigError>(options.num_parameters >= 1, "PReLU: num_parameters ", options.num_parameters,
                     "; expected 1 or more");
  weight = Parameter(full({options.num_parameters}, options.init));
}

std::string PReLU::describe() const { return Description()("num_parameters", weight.size(0)); }

std::string GLU::describe() const { return Description()("dim", dim_); }

std::string Softmax::describe() const { return Description()("dim", dim_); }

std::string LogSoftmax::describe() const { return Description()("dim", dim_); }

std::string Softmin::describe() const { return Description()("dim", dim_); }

Tensor Softmax2d::forward(const Tensor& x) const {
  check<ShapeError>(x.dim() == 3 || x.dim() == 4, "Softmax2d: input of shape ", x.shape(),
                    "; expected (N, C, H, W) or (C, H, W)");
  return softmax(x, -3);
}

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return gelu(x);
    case Activation::gelu_tanh:
      return gelu(x, Gelu::tanh);
    case Activation::silu:
      return silu(x);
    case Activation::relu:
      break;
  }
  return relu(x);
}

}  // namespace adjoint::nn
