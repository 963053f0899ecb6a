// Copies and casts, and what gradients are added with.
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include "core/autograd/gradient_ops.h"
#include "core/ops/defined.h"
#include "core/ops/pointwise.h"

namespace adjoint {

// y = x in another dtype;   dx = dy, cast back by the engine
Tensor to(const Tensor& x, DType dtype) {
  check_defined("to", x, 0);
  if (x.dtype() == dtype) return x;
  const Op op("to", {x}, {{"dtype", name(dtype)}});
  Tensor y = rounded(x, dtype);
  if (!is_floating_point(dtype)) return op.no_gradient(y);
  return op.differentiable(y, [](const Backward& g) -> Grads { return {g.take_dy(0)}; });
}

namespace {

Tensor copied(const Op& op, const Tensor& x, Tensor y) {
  write_elements(y, x);
  return op.differentiable(y, [](const Backward& g) -> Grads { return {g.take_dy(0)}; });
}

}  // namespace

void write_elements(const Tensor& to, const Tensor& from) {
  kernel_table().elementwise.copy[index(from.dtype())][index(to.dtype())](
      KernelScope(), make_loop<2>(to.shape(), {&to, &from}));
}

Tensor clone(const Tensor& x) {
  const Op op("clone", {x});
  return copied(op, x, make_like("clone", x, x.dtype()));
}

Tensor row_major(const Tensor& x) {
  const Op op("clone", {x});
  return copied(op, x, make_empty("clone", x.shape(), x.dtype()));
}

Tensor contiguous(const Tensor& x, MemoryFormat format) {
  if (x.is_contiguous(format)) return x;
  if (format == MemoryFormat::contiguous) return row_major(x);
  const Op op("contiguous", {x});
  const int rank = format == MemoryFormat::channels_last ? 4 : 5;
  op.check(x.dim() == rank, "channels_last", rank == 5 ? "_3d" : "", " of a tensor of shape ",
           x.shape(), "; expected ", rank, " dimensions");
  return copied(op, x,
                make_strided("contiguous", x.shape(), strides_of(format, x.shape()), x.dtype()));
}

Tensor packed(const Tensor& x) {
  if (!x.defined()) return x;
  const NoGrad guard;
  return contiguous(x);
}

Tensor rounded(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  const Tensor y = make_like("to", x, dtype);
  write_elements(y, x);
  return y;
}

namespace gradient_ops {

Tensor add(const Tensor& a, const Tensor& b) { return adjoint::add(a, b); }

void add_in_place(const Tensor& into, const Tensor& x) {
  kernel_table().elementwise.binary[static_cast<int>(kernels::Binary::add)][index(into.dtype())](
      KernelScope(), make_loop<3>(into.shape(), {&into, &into, &x}));
  into.mark_changed("backward");
}

Tensor cast(const Tensor& x, DType dtype) { return to(x, dtype); }
Tensor clone(const Tensor& x) { return row_major(x); }

void fill(const Tensor& x, Scalar value) {
  const TypedScalar typed(value, x.dtype());
  constexpr int64_t kFew = 64;  // not worth a kernel's call
  if (x.is_contiguous() && x.numel() <= kFew) {
    const size_t size = element_size(x.dtype());
    char* to = x.impl()->bytes();
    for (int64_t i = 0; i < x.numel(); ++i, to += size) std::copy_n(typed.bytes, size, to);
    return;
  }
  kernel_table().elementwise.copy[index(x.dtype())][index(x.dtype())](
      KernelScope(), with_scalar(make_loop<1>(x.shape(), {&x}), typed, 1));
}

}  // namespace gradient_ops
}  // namespace adjoint
