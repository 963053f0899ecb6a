// Elements by index along a dimension, and dimensions brought to the end for kernels of rows.
#pragma once

#include <adjoint/core/reductions.h>
#include <adjoint/core/tensor.h>

#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint::picks {

// A packed tensor seen as (outer, n, inner), n being dimension d; one element where there is none.
struct Lines {
  int64_t outer = 1, n = 1, inner = 1;
};
Lines lines(const Shape& shape, int d);

// x without history, packed, with dimension d last; and such a tensor with its last dimension at d.
Tensor with_last(const Tensor& x, int d);
Tensor from_last(const Tensor& x, int d);

// Zeros with n along d, to which dy is added at the indices; sums of 16 bits are rounded once.
// Recorded.
Tensor add_back(const Tensor& dy, const Tensor& indices, int d, int64_t n);

// The end of an operator that chooses elements of x along d: the values at the indices, and those,
// of which the shape is. `squeezed`: one element along d, which that shape lacks.
ValuesAndIndices chosen(const Op& op, const Tensor& x, const Tensor& indices, int d,
                        bool squeezed = false);

}  // namespace adjoint::picks
