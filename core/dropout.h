// Dropout: of elements, of whole channels, and such that mean and variance stay.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

namespace adjoint {

// Zeroes each element with probability p and divides the others by 1 - p; x itself unless training.
// The mask is a function of the generator's stream and the element's index, not stored.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true,
               Generator& generator = default_generator());

// The same of whole channels of (N, C, sizes...), with as many sizes as the name says; dropout1d
// and 3d also take (C, sizes...), and dropout2d takes (N, C, L) as dropout1d does, as PyTorch.
Tensor dropout1d(const Tensor& x, double p = 0.5, bool training = true,
                 Generator& generator = default_generator());
Tensor dropout2d(const Tensor& x, double p = 0.5, bool training = true,
                 Generator& generator = default_generator());
Tensor dropout3d(const Tensor& x, double p = 0.5, bool training = true,
                 Generator& generator = default_generator());

// For networks of selu: each element becomes selu's limit at minus infinity with probability p, and
// all are then scaled and shifted so that mean 0 and variance 1 stay what they are. Klambauer,
// Unterthiner, Mayr, Hochreiter 2017, arXiv 1706.02515.
Tensor alpha_dropout(const Tensor& x, double p = 0.5, bool training = true,
                     Generator& generator = default_generator());
// The same of whole channels of (N, C, ...).
Tensor feature_alpha_dropout(const Tensor& x, double p = 0.5, bool training = true,
                             Generator& generator = default_generator());

}  // namespace adjoint
