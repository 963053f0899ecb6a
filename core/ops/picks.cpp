#include "core/ops/picks.h"

#include <adjoint/core/layout.h>

#include <bit>

#include "core/autograd/op.h"

namespace adjoint::picks {

kernels::Picks lines(const Shape& shape, int d) {
  kernels::Picks a{nullptr, 1, 1, 1, 1};
  for (int i = 0; i < shape.rank(); ++i) (i < d ? a.outer : i == d ? a.n : a.inner) *= shape[i];
  a.k = a.n;
  return a;
}

Tensor with_last(const Tensor& x, int d) {
  const NoGrad guard;
  return packed(d >= x.dim() - 1 ? x : transpose(x, d, -1));
}
Tensor from_last(const Tensor& x, int d) { return with_last(x, d); }

namespace {

// x at the indices, k along d, without history.
Tensor picked(const char* name, const Tensor& x, const Tensor& indices, int d, int64_t k) {
  Tensor y = make_empty(name, indices.shape(), x.dtype());
  kernels::Picks a = lines(x.shape(), d);
  a.indices = indices.impl()->data<int64_t>();
  a.k = k;
  const int size = std::countr_zero(element_size(x.dtype()));
  kernel_table().sort.pick[size](KernelScope(), a, packed(x).raw_data(), y.impl()->bytes());
  return y;
}

int64_t size_along(const Shape& shape, int d) { return shape.rank() == 0 ? 1 : shape[d]; }

}  // namespace

// y = x at i;   dx = dy added at i
Tensor pick(const Tensor& x, const Tensor& indices, int d) {
  const Op op("pick", {x, indices}, {{"dim", d}});
  Tensor y = picked("pick", x, indices, d, size_along(indices.shape(), d));
  return op.differentiable(
      y, [indices = op.save(indices), d, n = size_along(x.shape(), d)](const Backward& b) -> Grads {
        return {add_back(b.dy(0), *indices, d, n), Tensor()};
      });
}

// dx = dy added at i;   ddy = the gradient at i
Tensor add_back(const Tensor& dy, const Tensor& indices, int d, int64_t n) {
  const Op op("add_back", {dy, indices}, {{"dim", d}});
  Shape shape = dy.shape();
  if (shape.rank() > 0) shape[d] = n;
  const Tensor from = packed(rounded(dy, computed_in(dy.dtype())));
  Tensor dx = zeros(shape, from.dtype());
  kernels::Picks a = lines(shape, d);
  a.indices = indices.impl()->data<int64_t>();
  a.k = size_along(dy.shape(), d);
  kernel_table().sort.add_back[index(from.dtype())](KernelScope(), a, from.raw_data(),
                                                    dx.impl()->bytes());
  dx = rounded(dx, dy.dtype());
  return op.differentiable(dx, [indices = op.save(indices), d](const Backward& b) -> Grads {
    return {pick(b.dy(0), *indices, d), Tensor()};
  });
}

ValuesAndIndices chosen(const Op& op, const Tensor& x, const Tensor& indices, int d,
                        bool squeezed) {
  const int64_t n = size_along(x.shape(), d);
  const bool lacks = squeezed && x.dim() > 0;
  const int64_t k = lacks ? 1 : size_along(indices.shape(), d);
  auto results =
      op.differentiable(std::array<Tensor, 2>{picked(op.name(), x, indices, d, k), indices},
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
