#include <adjoint/core/dtype.h>

#include <algorithm>
#include <ostream>

namespace adjoint {

const char* name(DType dtype) {
  constexpr const char* names[kDTypes] = {"f32", "f64", "bf16", "i64", "bool"};
  return names[static_cast<int>(dtype)];
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }

DType promote(DType a, DType b) {
  constexpr int rank[kDTypes] = {3, 4, 2, 1, 0};
  return rank[static_cast<int>(a)] >= rank[static_cast<int>(b)] ? a : b;
}

}  // namespace adjoint
