#include <adjoint/nn/sequential.h>

namespace adjoint::nn {

void Sequential::members(Visitor& v) { v("", modules_); }

const ModuleBase& Sequential::operator[](size_t i) const {
  check<IndexError>(i < size(), "Sequential: index ", i, "; expected less than ", size());
  return modules_[i].get();
}

ModuleBase& Sequential::operator[](size_t i) {
  return const_cast<ModuleBase&>(std::as_const(*this)[i]);
}

}  // namespace adjoint::nn
