// Tensors that a backward closure keeps.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

// Note [Saved tensors]
// A saved input keeps elements, history, and the version of the elements; it does not keep the
// handle, for a write into the tensor later would give that another history, perhaps one that leads
// to whoever saved it: a cycle that never dies. A saved output keeps the elements only (its own
// node owns the closure: keeping the handle would be a cycle that never dies) and is given its
// history back when it is opened. Opening either after the elements changed is an error that names
// operator, shape, both versions and the culprit.
class SavedTensor {
 public:
  SavedTensor() = default;
  SavedTensor(const Tensor& tensor, int output);

  bool defined() const { return tensor_.defined(); }
  // The tensor as it was. Only inside the closure of the node that saved it.
  Tensor operator*() const;

 private:
  Tensor tensor_;
  uint64_t version_ = 0;
  int output_ = -1;  // which output of its own node this is; -1 for an input
};

}  // namespace adjoint
