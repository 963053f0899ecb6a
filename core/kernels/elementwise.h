// Elementwise kernels: functions of one, two or three tensors, comparisons, selection, casts.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"
#include "core/kernels/functors.h"
#include "core/kernels/loop.h"

namespace adjoint::kernels {

#define ADJOINT_NAME(name, functor) name,
enum class Unary : int32_t { ADJOINT_UNARY_FUNCTIONS(ADJOINT_NAME) count };
#undef ADJOINT_NAME
enum class Binary : int32_t { add, sub, mul, div, pow, maximum, minimum, count };
enum class Compare : int32_t { eq, ne, lt, le, gt, ge, count };

// Tables are indexed by DType (dtypes.h); a missing combination is null and operators
// refuse it before they look. bf16 is computed in f32 and rounded once, where it is stored.
struct ElementwiseTable {
  // {y, x}
  void (*unary[static_cast<int>(Unary::count)][kPlaces])(const Exec&, const Loop<2>&);
  // {dx, x, y, dy}; an operator that needs only one of x and y may pass dy's pointer for the other.
  void (*unary_backward[static_cast<int>(Unary::count)][kPlaces])(const Exec&, const Loop<4>&);
  // {c, a, b}
  void (*binary[static_cast<int>(Binary::count)][kPlaces])(const Exec&, const Loop<3>&);
  // {bool, a, b}
  void (*compare[static_cast<int>(Compare::count)][kPlaces])(const Exec&, const Loop<3>&);
  // {y, bool, a, b}: y = condition ? a : b
  void (*where[kPlaces])(const Exec&, const Loop<4>&);
  // {to, from}, indexed [from][to]
  void (*copy[kPlaces][kPlaces])(const Exec&, const Loop<2>&);
};

}  // namespace adjoint::kernels
