// Where the tables of kernels have the entry of each dtype: the order of adjoint::DType, in which
// floating ones come first.
#pragma once

namespace adjoint::kernels {

enum Place : int { kF32, kF64, kBf16, kF16, kI64, kI32, kU8, kBool };
enum : int { kFloatingPlaces = 4, kPlaces = 8 };

}  // namespace adjoint::kernels
