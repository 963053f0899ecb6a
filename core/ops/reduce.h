// What the reductions share: which dimensions go, and the kernel that makes them go.
#pragma once

#include <adjoint/core/tensor.h>

#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint::reduction {

using Kind = kernels::Reduction;

// Which dimensions go, and what is left.
struct Dims {
  bool reduced[kMaxDims] = {};
  Shape keep;   // x's shape with 1 in place of each reduced size
  Shape shape;  // of the result
  int64_t count = 1;

  Shape gone() const;  // the numbers of the reduced dimensions
};

// No dims at all means all of them, as in PyTorch.
Dims reduced_dims(const Op& op, const Tensor& x, const Shape& dims, bool keepdim);

// The one dimension d along which something is chosen: throws where there is nothing to choose
// from. A 0-dimensional tensor has a dimension 0 of one element.
struct Place {
  Dims dims;
  int d;
};
Place one_dim(const Op& op, const Tensor& x, int64_t dim, bool keepdim);

// What `kind` leaves of x, in what x is computed in (and i64 for sums of bools), or in `dtype`. An
// undefined center is none.
Tensor reduced(const Op& op, Kind kind, const Tensor& x, const Dims& dims,
               const Tensor& center = {});
Tensor reduced(const Op& op, Kind kind, const Tensor& x, const Dims& dims, DType dtype,
               const Tensor& center = {});

// y /= divisor, as part of another operator. REQUIRES: y is fresh, of f32 or f64.
void divide(const Tensor& y, double divisor);

// x != 0, without history.
Tensor truth(const Tensor& x);

// The gradient of a choice y from x, shared between all elements that equal it (that are NaN, where
// it is). y and dy are of the shape dims.keep.
Tensor shared_among_equals(const Tensor& x, const Tensor& y, const Tensor& dy, const Dims& dims);

}  // namespace adjoint::reduction
