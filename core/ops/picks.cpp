#include "core/ops/picks.h"

#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>

#include "core/autograd/op.h"
#include "core/ops/pointwise.h"

namespace adjoint::picks {

Lines lines(const Shape& shape, int d) {
  Lines a;
  for (int i = 0; i < shape.rank(); ++i) (i < d ? a.outer : i == d ? a.n : a.inner) *= shape[i];
  return a;
}

Tensor with_last(const Tensor& x, int d) {
  const NoGrad guard;
  return packed(d >= x.dim() - 1 ? x : transpose(x, d, -1));
}
Tensor from_last(const Tensor& x, int d) { return with_last(x, d); }

Tensor add_back(const Tensor& dy, const Tensor& indices, int d, int64_t n) {
  Shape shape = dy.shape();
  if (shape.rank() > 0) shape[d] = n;
  const Tensor wide = widened(dy);
  return to(scatter_add(zeros(shape, wide.dtype()), d, indices, wide), dy.dtype());
}

ValuesAndIndices chosen(const Op& op, const Tensor& x, const Tensor& indices, int d,
                        bool squeezed) {
  const int64_t n = x.dim() == 0 ? 1 : x.shape()[d];
  const bool lacks = squeezed && x.dim() > 0;
  Tensor values;
  {
    const NoGrad guard;
    values = gather(x, d, lacks ? unsqueeze(indices, d) : indices);
    values = make_view(values, indices.shape(), contiguous_strides(indices.shape()), 0);
  }
  auto results =
      op.differentiable(std::array<Tensor, 2>{values, indices},
                        [indices = op.save(indices), d, n, lacks](const Backward& b) -> Grads {
                          if (!b.dy(0).defined()) return {Tensor()};
                          const Tensor& dy = b.dy(0);
                          const Tensor at = *indices;
                          return {lacks ? add_back(unsqueeze(dy, d), unsqueeze(at, d), d, n)
                                        : add_back(dy, at, d, n)};
                        });
  return {results[0], results[1]};
}

}  // namespace adjoint::picks
