// Reductions.
#include <adjoint/core/ops.h>

#include "core/autograd/gradient_ops.h"
#include "core/autograd/op.h"

namespace adjoint {

Tensor sum_to_size(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int extra = x.dim() - shape.rank();
  Shape leading, kept;
  for (int i = 0; i < extra; ++i) leading.push_back(i);
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 1 && x.shape()[i + extra] != 1) kept.push_back(i + extra);
  }
  Tensor y = x;
  if (!kept.empty()) y = sum(y, kept, kKeepDim);
  if (extra > 0) y = sum(y, leading);
  return y;
}

Tensor gradient_ops::sum_to(const Tensor& x, const Shape& shape) { return sum_to_size(x, shape); }

}  // namespace adjoint
