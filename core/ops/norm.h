// What normalisations share: dtypes, and inputs that may be missing.
#pragma once

#include <adjoint/core/layout.h>

#include <initializer_list>

#include "core/ops/loops.h"

namespace adjoint {

inline const void* data_or_null(const Tensor& x) { return x.defined() ? x.raw_data() : nullptr; }
inline void* bytes_or_null(const Tensor& x) { return x.defined() ? x.impl()->bytes() : nullptr; }

inline Tensor in_dtype(const Tensor& x, DType dtype) { return x.defined() ? to(x, dtype) : x; }
// Packed and without history, as kernels take it.
inline Tensor packed_in(const Tensor& x, DType dtype) {
  return x.defined() ? packed(rounded(x, dtype)) : x;
}

// The common dtype of those that are defined.
inline DType common_dtype(std::initializer_list<const Tensor*> tensors) {
  DType dtype = (*tensors.begin())->dtype();
  for (const Tensor* x : tensors) {
    if (x->defined()) dtype = promote(dtype, x->dtype());
  }
  return dtype;
}

// The dtype of x for the kernels, and of the result: as PyTorch's, weights of f32 leave 16 bits
// what it is.
inline DType result_dtype(const Tensor& x, DType promoted) {
  return is_half(x.dtype()) && promoted == DType::f32 ? x.dtype() : promoted;
}

inline bool all_of_dtype(DType dtype, std::initializer_list<const Tensor*> tensors) {
  for (const Tensor* x : tensors) {
    if (x->defined() && x->dtype() != dtype) return false;
  }
  return true;
}

}  // namespace adjoint
