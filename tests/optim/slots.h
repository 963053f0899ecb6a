// Slots to train, for the tests of optim.
#pragma once

#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/slot.h>

#include <memory>
#include <string>
#include <vector>

namespace adjoint::optim {

using Slots = std::vector<NamedSlot>;

inline NamedSlot slot(const std::string& name, const Tensor& value) {
  return {name, std::make_shared<Slot>(value)};
}

// Of many sizes, with gradients.
inline Slots many(DType dtype = DType::f32) {
  Slots slots;
  int64_t seed = 0;
  for (const int64_t n : {3, 0, 40000, 1, 16384, 17, 70001, 2}) {
    Generator generator(static_cast<uint64_t>(++seed));
    slots.push_back(slot("p" + std::to_string(seed), randn({n}, dtype, generator)));
    slots.back().slot->set_grad(randn({n}, dtype, generator));
  }
  return slots;
}

inline double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a.detach() - b.detach())).item();
}

}  // namespace adjoint::optim
