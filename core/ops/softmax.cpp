// Softmax and its logarithm.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include "core/autograd/op.h"
#include "core/ops/composed.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// A packed tensor seen as (outer, n, inner), n being dimension dim.
kernels::Lines lines_along(const Shape& shape, int dim) {
  kernels::Lines lines{1, 1, 1};
  for (int i = 0; i < shape.rank(); ++i) {
    (i < dim ? lines.outer : i == dim ? lines.n : lines.inner) *= shape[i];
  }
  return lines;
}

Tensor forward(const Op& op, const Tensor& x, int dim,
               void (*const (&kernel)[2])(const kernels::Exec&, const kernels::Lines&, const void*,
                                          void*)) {
  Tensor y = make_empty(op.name(), x.shape(), x.dtype());
  kernel[index(x.dtype())](KernelScope(), lines_along(x.shape(), dim), packed(x).raw_data(),
                           y.impl()->bytes());
  return y;
}

// In the place of dy where nobody else holds it.
Tensor backward(const char* name, const Tensor& y, const Tensor& dy, int dim,
                void (*const (&kernel)[2])(const kernels::Exec&, const kernels::Lines&, const void*,
                                           const void*, void*)) {
  Tensor dx = make_over(name, dy, y.shape(), y.dtype());
  const Tensor dy0 = packed(dy);
  kernel[index(y.dtype())](KernelScope(), lines_along(y.shape(), dim), y.raw_data(), dy0.raw_data(),
                           dx.impl()->bytes());
  return dx;
}

Shape sum_dims(const Tensor& x, int dim) { return x.dim() == 0 ? Shape() : Shape{dim}; }

}  // namespace

// y = exp(x) / sum(exp(x), dim);   dx = y (dy - sum(y dy, dim))
Tensor softmax(const Tensor& x, int64_t dim) {
  const Op op("softmax", {x}, {{"dim", dim}});
  op.check_floating(0);
  if (const DType wide = computed_in(x.dtype()); wide != x.dtype()) {
    return to(softmax(to(x, wide), dim), x.dtype());
  }
  const int d = normalize_dim("softmax", dim, x.dim());
  Tensor y = forward(op, x, d, kernel_table().softmax.softmax);
  return op.differentiable(y, [y = op.save_output(y), d](const Backward& b) -> Grads {
    const Tensor y0 = *y;
    const Tensor dy = b.take_dy(0);
    if (grad_enabled()) return {y0 * (dy - sum(y0 * dy, sum_dims(y0, d), kKeepDim))};
    return {backward("softmax", y0, dy, d, kernel_table().softmax.softmax_backward)};
  });
}

// y = x - log(sum(exp(x), dim));   dx = dy - exp(y) sum(dy, dim)
Tensor log_softmax(const Tensor& x, int64_t dim) {
  const Op op("log_softmax", {x}, {{"dim", dim}});
  op.check_floating(0);
  if (const DType wide = computed_in(x.dtype()); wide != x.dtype()) {
    return to(log_softmax(to(x, wide), dim), x.dtype());
  }
  const int d = normalize_dim("log_softmax", dim, x.dim());
  Tensor y = forward(op, x, d, kernel_table().softmax.log_softmax);
  return op.differentiable(y, [y = op.save_output(y), d](const Backward& b) -> Grads {
    const Tensor y0 = *y;
    const Tensor dy = b.take_dy(0);
    if (grad_enabled()) return {dy - exp(y0) * sum(dy, sum_dims(y0, d), kKeepDim)};
    return {backward("log_softmax", y0, dy, d, kernel_table().softmax.log_softmax_backward)};
  });
}

namespace composed {

// Subtracting the maximum changes nothing but keeps exp finite, so it needs no gradient.
Tensor softmax(const Tensor& x, int64_t dim) {
  const Shape dims = sum_dims(x, normalize_dim("softmax", dim, x.dim()));
  const Tensor e = exp(x - amax(x.detach(), dims, kKeepDim));
  return e / sum(e, dims, kKeepDim);
}

Tensor log_softmax(const Tensor& x, int64_t dim) {
  const Shape dims = sum_dims(x, normalize_dim("log_softmax", dim, x.dim()));
  const Tensor shifted = x - amax(x.detach(), dims, kKeepDim);
  return shifted - log(sum(exp(shifted), dims, kKeepDim));
}

}  // namespace composed
}  // namespace adjoint
