// Linear with a weight in the format that InferenceWeights asks for.
#pragma once

#include "core/ops/loops.h"

namespace adjoint {

// Whether the thread asks for another format of this weight than the one that it has.
bool wants_packed(const Tensor& weight);

// y = x w^T + bias, with the copy of the weight in the thread's format, which is made where there
// is none. REQUIRES: wants_packed(weight); all f32, y (rows, out) and x (rows, in) with contiguous
// rows of y; bias is undefined or (out) and contiguous.
void packed_linear(const Tensor& y, const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace adjoint
