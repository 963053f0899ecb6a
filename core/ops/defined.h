// The check that operators make of their inputs before an Op makes it: with its words.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/tensor.h>

namespace adjoint {

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
