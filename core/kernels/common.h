// Whole numbers, and vectors of which some lanes are there. For kernel sources only.
#pragma once

#include "core/kernels/dtypes.h"
#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

ADJOINT_INLINE int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
ADJOINT_INLINE int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
ADJOINT_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
ADJOINT_INLINE Register<T> load(const T* p, int lanes) {
  return lanes == Register<T>::size ? Register<T>::load(p) : Register<T>::load_n(p, lanes);
}
template <class T>
ADJOINT_INLINE void store(Register<T> x, T* p, int lanes) {
  if (lanes == Register<T>::size) {
    x.store(p);
  } else {
    x.store_n(p, lanes);
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
