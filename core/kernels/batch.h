// The batch of a product. For kernel sources only.
#pragma once

#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Where item `index` of a batch of three dimensions begins.
ADJOINT_INLINE int64_t batch_offset(const int64_t* batch, const int64_t* strides, int64_t index) {
  int64_t at = 0;
  for (int d = 2; d >= 0; --d) {
    at += index % batch[d] * strides[d];
    index /= batch[d];
  }
  return at;
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
