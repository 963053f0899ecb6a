#include <adjoint/nn/flatten.h>

#include "nn/detail/describe.h"

namespace adjoint::nn {

std::string Flatten::describe() const {
  return detail::Description()("start_dim", start_dim_)("end_dim", end_dim_);
}

std::string Unflatten::describe() const {
  return detail::Description()("dim", dim_)("unflattened_size", to_string(unflattened_size_));
}

}  // namespace adjoint::nn
