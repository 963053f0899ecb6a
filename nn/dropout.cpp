#include <adjoint/nn/dropout.h>

#include "nn/detail/describe.h"

namespace adjoint::nn::detail {

double checked_probability(const char* name, double p) {
  check<ConfigError>(p >= 0 && p <= 1, name, ": probability ", p, "; expected it in [0, 1]");
  return p;
}

std::string describe_probability(double p) { return Description()("p", p); }

}  // namespace adjoint::nn::detail
