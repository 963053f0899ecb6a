// Where the tables of kernels have the entry of each dtype: the order of adjoint::DType, in which
// floating ones come first.
#pragma once

namespace adjoint::kernels {

enum Place : int { kF32, kF64, kBf16, kI64, kBool };
enum : int { kFloatingPlaces = 3, kPlaces = 5 };

}  // namespace adjoint::kernels
