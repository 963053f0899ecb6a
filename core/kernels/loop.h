// Strided loops over N operands of one shape: what elementwise kernels take.
#pragma once

#include <cstdint>

namespace adjoint::kernels {

// Operand 0 is the output. Dimension 0 is the innermost; operators merge dimensions that are
// contiguous in all operands, so rank is 1 for whole contiguous tensors. Strides are in elements; 0
// repeats. REQUIRES: rank >= 1, and the output's elements are distinct.
template <int N>
struct Loop {
  int32_t rank;
  int64_t size[8];
  void* data[N];
  int64_t stride[N][8];
  double parameter[3];  // of the operator: a slope, bounds
  int32_t number = 0;   // the operand that is a number, of the type that is computed in; 0: none
};

}  // namespace adjoint::kernels
