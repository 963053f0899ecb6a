// Whole numbers, and vectors of which some lanes are there. For kernel sources only.
#pragma once

#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

ADJOINT_INLINE int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
ADJOINT_INLINE int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
ADJOINT_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
ADJOINT_INLINE Vec<T> load(const T* p, int lanes) {
  return lanes == Vec<T>::size ? Vec<T>::load(p) : Vec<T>::load_n(p, lanes);
}
template <class T>
ADJOINT_INLINE void store(Vec<T> x, T* p, int lanes) {
  if (lanes == Vec<T>::size) {
    x.store(p);
  } else {
    x.store_n(p, lanes);
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
