#include <adjoint/core/dtype.h>

#include <algorithm>
#include <ostream>

namespace adjoint {

const char* name(DType dtype) {
  constexpr const char* names[kDTypes] = {"f32", "f64", "bf16", "f16", "i64", "i32", "u8", "bool"};
  return names[static_cast<int>(dtype)];
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }

DType promote(DType a, DType b) {
  if (is_half(a) && is_half(b) && a != b) return DType::f32;
  constexpr int rank[kDTypes] = {5, 6, 4, 4, 3, 2, 1, 0};
  return rank[static_cast<int>(a)] >= rank[static_cast<int>(b)] ? a : b;
}

}  // namespace adjoint
