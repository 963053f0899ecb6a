#include <adjoint/core/activations.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/nn/activation.h>

#include <sstream>

namespace adjoint::nn {

std::string GELU::describe() const {
  return approximate_ == Gelu::tanh ? "approximate='tanh'" : "approximate='none'";
}

Dropout::Dropout(double p) : p_(p) {
  check<ConfigError>(p >= 0 && p <= 1, "Dropout: probability ", p, "; expected it in [0, 1]");
}

Tensor Dropout::forward(const Tensor& x) const {
  return is_training() && p_ > 0 ? dropout(x, p_) : x;
}

std::string Dropout::describe() const {
  std::ostringstream out;
  out << "p=" << p_;
  return out.str();
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
