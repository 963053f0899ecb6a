// Tensors of numbers that follow a rule; those of one number stand in tensor.h. No gradient.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>

namespace adjoint {

// start, start + step, ... before end (after it, for a negative step): ceil((end - start) / step)
// numbers, each rounded once. i64 where no dtype is given and all three are whole numbers, else
// f32.
Tensor arange(Scalar start, Scalar end, Scalar step = 1, std::optional<DType> dtype = std::nullopt);
// `steps` numbers at equal distances from start to end, both among them.
Tensor linspace(double start, double end, int64_t steps, DType dtype = DType::f32);
// base to the power of those.
Tensor logspace(double start, double end, int64_t steps, double base = 10,
                DType dtype = DType::f32);
// Ones on the diagonal of a matrix of n rows and m columns.
Tensor eye(int64_t n, int64_t m, DType dtype = DType::f32);

}  // namespace adjoint
