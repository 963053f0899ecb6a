// Elementwise kernels: functions of two tensors, comparisons, selection, casts.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"
#include "core/kernels/loop.h"

namespace adjoint::kernels {

enum class Binary : int32_t { add, sub, mul, div, pow, maximum, minimum, count };
enum class Compare : int32_t { eq, ne, lt, le, gt, ge, count };

// Tables are indexed by DType (dtypes.h); a missing combination is null and operators
// refuse it before they look. bf16 is computed in f32 and rounded once, where it is stored.
struct ElementwiseTable {
  // {c, a, b}
  void (*binary[static_cast<int>(Binary::count)][kPlaces])(const Exec&, const Loop<3>&);
  // {c, a, b}: c = f(a, b), computed in f64 and rounded once; of floating dtypes, and of i64.
  void (*map[kFloatingPlaces])(const Exec&, const Loop<3>&, double (*f)(double, double));
  void (*map_integers)(const Exec&, const Loop<3>&, int64_t (*f)(int64_t, int64_t));
  // {bool, a, b}
  void (*compare[static_cast<int>(Compare::count)][kPlaces])(const Exec&, const Loop<3>&);
  // {y, bool, a, b}: y = condition ? a : b
  void (*where[kPlaces])(const Exec&, const Loop<4>&);
  // {to, from}, indexed [from][to]
  void (*copy[kPlaces][kPlaces])(const Exec&, const Loop<2>&);
};

}  // namespace adjoint::kernels
