// Dropout.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

namespace adjoint {

// Zeroes each element with probability p and divides the others by 1 - p; x itself unless training.
// The mask is a function of the generator's stream and the element's index, not stored.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true,
               Generator& generator = default_generator());

}  // namespace adjoint
