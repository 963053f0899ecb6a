// Kernels of functions of one tensor.
#pragma once

#include <cstdint>

#include "core/kernels/activation_functors.h"
#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"
#include "core/kernels/functors.h"
#include "core/kernels/loop.h"

namespace adjoint::kernels {

#define ADJOINT_NAME(name, functor) name,
enum class Unary : int32_t { ADJOINT_UNARY_FUNCTIONS(ADJOINT_NAME) count };
#undef ADJOINT_NAME

// As ElementwiseTable.
struct UnaryTable {
  // {y, x}
  void (*value[static_cast<int>(Unary::count)][kPlaces])(const Exec&, const Loop<2>&);
  // {dx, x, y, dy}; an operator that needs only one of x and y may pass dy's pointer for the other.
  // Null for functions that are constant in pieces.
  void (*derivative[static_cast<int>(Unary::count)][kPlaces])(const Exec&, const Loop<4>&);
  // {y, x}: y = f(x), for what is rarely hot: computed in f64, number by number, and rounded once.
  void (*map[kFloatingPlaces])(const Exec&, const Loop<2>&, double (*f)(double));
};

}  // namespace adjoint::kernels
