// A leaf of f64 for tests of differentiation.
#pragma once

#include <adjoint/core/tensor.h>

#include <initializer_list>
#include <vector>

namespace adjoint::numeric {

inline Tensor leaf(std::initializer_list<double> numbers) {
  return from_vector(std::vector<double>(numbers)).requires_grad_();
}

}  // namespace adjoint::numeric
