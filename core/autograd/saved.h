// Tensors that a backward closure keeps.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <memory>

namespace adjoint {

class Postponed;

// Note [Saved tensors]
// A saved input keeps elements, history, and the version of the elements; it does not keep the
// handle, for a write into the tensor later would give that another history, perhaps one that leads
// to whoever saved it: a cycle that never dies. A saved output keeps the elements only (its own
// node owns the closure: keeping the handle would be a cycle that never dies) and is given its
// history back when it is opened. Opening either after the elements changed is an error that names
// operator, shape, both versions and the culprit. Under checkpoint() the elements are not kept: see
// Note [Recomputation].
class SavedTensor {
 public:
  SavedTensor() = default;
  // Output `output` of operator `op`; an input of it where that is -1.
  SavedTensor(const Tensor& tensor, int output, const char* op);

  bool defined() const { return tensor_.defined() || postponed_ != nullptr; }
  // The tensor as it was. Only inside the closure of the node that saved it.
  Tensor operator*() const;

 private:
  Tensor tensor_;
  std::shared_ptr<const Postponed> postponed_;  // in place of tensor_
  uint64_t version_ = 0;
  int output_ = -1;
};

// Throws AutogradError if the elements of a saved tensor are not of this version any more.
void check_unchanged(const Tensor& saved, uint64_t version);

}  // namespace adjoint
