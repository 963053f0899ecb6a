// Tensors of random numbers: each call takes a stream of the generator. No gradient.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <cstdint>

namespace adjoint {

Tensor rand(const Shape& shape, DType dtype = DType::f32,
            Generator& generator = default_generator());  // [0, 1)
Tensor randn(const Shape& shape, DType dtype = DType::f32,
             Generator& generator = default_generator());
Tensor randint(int64_t low, int64_t high, const Shape& shape,
               Generator& generator = default_generator());  // i64 in [low, high)
Tensor randperm(int64_t n, Generator& generator = default_generator());

}  // namespace adjoint
