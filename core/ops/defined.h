// The checks that operators make of their inputs before an Op makes them: with its words.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

// The most that a size, stride, padding or dilation of a window may be: the product of two fits in
// 64 bits.
inline constexpr int64_t kMostOfWindow = INT32_MAX;

// Error unless input number `input` of the operator is a tensor; or what `what` names.
inline void check_defined(const char* op, const Tensor& x, int input) {
  check<Error>(x.defined(), op, ": input ", input,
               " is an undefined tensor; expected a tensor with elements");
}
inline void check_defined(const char* op, const Tensor& x, const char* what) {
  check<Error>(x.defined(), op, ": ", what,
               " is an undefined tensor; expected a tensor with elements");
}

}  // namespace adjoint
