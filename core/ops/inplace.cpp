// Functions that write into a tensor.
#include <adjoint/core/inplace.h>

#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>

#include <cstring>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"
#include "core/ops/places.h"
#include "core/ops/pointwise.h"

namespace adjoint {

void check_writable(const char* op, const Tensor& x) {
  check_defined(op, x, 0);
  for (int d = 0; d < x.dim(); ++d) {
    check<ShapeError>(x.shape()[d] <= 1 || x.strides()[d] != 0, op,
                      ": writes into an expanded tensor of shape ", x.shape(), " and strides ",
                      x.strides(), "; expected elements of their own; clone() it first");
  }
}

bool can_hold(DType dtype, DType source) {
  const auto kind = [](DType d) { return d == DType::boolean ? 0 : is_floating_point(d) ? 2 : 1; };
  return kind(source) <= kind(dtype);
}

bool share_elements(const Tensor& a, const Tensor& b) {
  return a.impl()->storage == b.impl()->storage;
}

namespace {

using kernels::Binary;

bool same_layout(const Tensor& a, const Tensor& b) {
  return a.impl()->offset == b.impl()->offset && a.shape() == b.shape() &&
         a.strides() == b.strides();
}

// y as a kernel may read it while it writes x: of x's dtype, and not changing under its hands.
Tensor readable(const Tensor& x, const Tensor& y) {
  const NoGrad guard;
  if (y.dtype() != x.dtype()) return to(y, x.dtype());
  return share_elements(x, y) && !same_layout(x, y) ? clone(y) : y;
}

void check_source(const char* op, const Tensor& x, const Tensor& y) {
  check_defined(op, y, 1);
  check<ShapeError>(y.dim() <= x.dim() && broadcast_shapes(op, x.shape(), y.shape()) == x.shape(),
                    op, ": source of shape ", y.shape(), " for a tensor of shape ", x.shape(),
                    "; expected one that broadcasts to it");
}

struct InPlace {
  const char* name;
  const char* functional;
  Binary which;
};
constexpr InPlace kAdd{"add_", "add()", Binary::add}, kSub{"sub_", "sub()", Binary::sub},
    kMul{"mul_", "mul()", Binary::mul}, kDiv{"div_", "div()", Binary::div};

// The gradients are those of the functional forms, at the old value of x.
void apply(const InPlace& f, const Tensor& x, const Tensor& source) {
  check_writable(f.name, x);
  check_source(f.name, x, source);
  check<DTypeError>(f.which != Binary::div || is_floating_point(x.dtype()), f.name,
                    ": a tensor of dtype ", x.dtype(), "; expected a floating dtype; use div()");
  check<DTypeError>(can_hold(x.dtype(), source.dtype()), f.name, ": a tensor of dtype ",
                    source.dtype(), " for one of dtype ", x.dtype(),
                    "; expected a dtype that does not lose its values; use ", f.functional);
  if (f.which == Binary::sub) check_no_bools(f.name, x.dtype(), source.dtype());
  // Integers and bools carry no history.
  const Tensor y = is_floating_point(x.dtype()) ? source : source.detach();
  const Op op(f.name, {x, y});
  op.check_in_place(x, f.functional);
  const bool product = f.which == Binary::mul || f.which == Binary::div;
  // Copies with history of what is about to change.
  const Tensor x_old = product && op.needs(1) ? clone(x) : Tensor();
  const Tensor y_old = product && op.recording() && share_elements(x, y) ? clone(y) : y;
  const Tensor y0 = readable(x, y);
  kernel_table().elementwise.binary[static_cast<int>(f.which)][index(x.dtype())](
      KernelScope(), make_loop<3>(x.shape(), {&x, &x, &y0}));
  op.in_place(x,
              [which = f.which, x = x_old.defined() ? op.save(x_old) : SavedTensor(),
               y = op.save_if(product, y_old)](const Backward& b) -> Grads {
                const Tensor& dy = b.dy(0);
                const bool first = b.needs(0), second = b.needs(1);
                switch (which) {
                  case Binary::mul:
                    return {first ? dy * *y : Tensor(), second ? dy * *x : Tensor()};
                  case Binary::div: {
                    const Tensor y1 = *y, dx = dy / y1;
                    return {first ? dx : Tensor(), second ? -(dx * *x) / y1 : Tensor()};
                  }
                  case Binary::sub:
                    return {dy, second ? -dy : Tensor()};
                  default:
                    return {dy, dy};
                }
              });
}

void apply(const InPlace& f, const Tensor& x, Scalar value) {
  check_writable(f.name, x);
  if (f.which == Binary::sub) check_no_bools(f.name, x.dtype(), value.kind());
  check<DTypeError>(is_floating_point(x.dtype()) || value.kind() != DType::f32, f.name,
                    ": the real number ", value.real(), " for a tensor of dtype ", x.dtype(),
                    "; expected a floating dtype; convert it with to()");
  apply(f, x, scalar_tensor(value, x.dtype()));
}

void copy_elements(const Tensor& x, const Tensor& source) {
  if (share_elements(x, source) && x.dtype() == source.dtype() && same_layout(x, source)) return;
  const NoGrad guard;
  const Tensor from = share_elements(x, source) ? clone(source) : source;
  kernel_table().elementwise.copy[index(from.dtype())][index(x.dtype())](
      KernelScope(), make_loop<2>(x.shape(), {&x, &from}));
}

// Fills x by `fill(contiguous tensor)`: what it was has no influence any more.
template <class F>
void fill_random(const char* name, const char* functional, const Tensor& x, const F& fill) {
  check_writable(name, x);
  const Op op(name, {x});
  check<DTypeError>(is_floating_point(x.dtype()), name, ": a tensor of dtype ", x.dtype(),
                    "; expected a floating dtype");
  op.check_in_place(x, functional);
  if (x.is_contiguous()) {
    fill(x);
  } else {
    const Tensor packed = empty(x.shape(), x.dtype());
    fill(packed);
    copy_elements(x, packed);
  }
  op.in_place(x, [](const Backward&) -> Grads { return {Tensor()}; });
}

}  // namespace

void add_(const Tensor& x, const Tensor& y) { apply(kAdd, x, y); }
void sub_(const Tensor& x, const Tensor& y) { apply(kSub, x, y); }
void mul_(const Tensor& x, const Tensor& y) { apply(kMul, x, y); }
void div_(const Tensor& x, const Tensor& y) { apply(kDiv, x, y); }
void add_(const Tensor& x, Scalar y) { apply(kAdd, x, y); }
void sub_(const Tensor& x, Scalar y) { apply(kSub, x, y); }
void mul_(const Tensor& x, Scalar y) { apply(kMul, x, y); }
void div_(const Tensor& x, Scalar y) { apply(kDiv, x, y); }

// What x was has no influence any more.
void copy_(const Tensor& x, const Tensor& source) {
  check_writable("copy_", x);
  check_source("copy_", x, source);
  const Tensor y = is_floating_point(x.dtype()) ? source : source.detach();
  const Op op("copy_", {x, y});
  op.check_in_place(x, "the source itself, or where()");
  copy_elements(x, y);
  op.in_place(x, [](const Backward& b) -> Grads { return {Tensor(), b.dy(0)}; });
}

void fill_(const Tensor& x, Scalar value) {
  check_writable("fill_", x);
  const Op op("fill_", {x}, {{"value", value.real()}});
  op.check_in_place(x, "full_like()");
  copy_elements(x, held_scalar("fill_", value, x.dtype()));
  op.in_place(x, [](const Backward&) -> Grads { return {Tensor()}; });
}

void zero_(const Tensor& x) {
  check_writable("zero_", x);
  const Op op("zero_", {x});
  op.check_in_place(x, "zeros_like()");
  if (x.is_contiguous()) {
    std::memset(x.impl()->bytes(), 0, static_cast<size_t>(x.numel()) * element_size(x.dtype()));
  } else {
    copy_elements(x, scalar_tensor(0, x.dtype()));
  }
  op.in_place(x, [](const Backward&) -> Grads { return {Tensor()}; });
}

void uniform_(const Tensor& x, double low, double high, Generator& generator) {
  check<ConfigError>(low <= high, "uniform_: no numbers in [", low, ", ", high,
                     "); expected low <= high");
  fill_random("uniform_", "rand()", x, [&](const Tensor& to) {
    kernel_table().random.uniform[index(to.dtype())](KernelScope(),
                                                     {generator.seed(), generator.next_stream()},
                                                     to.numel(), low, high, to.impl()->bytes());
  });
}

void normal_(const Tensor& x, double mean, double std, Generator& generator) {
  check<ConfigError>(std >= 0, "normal_: std is ", std, "; expected 0 or more");
  fill_random("normal_", "randn()", x, [&](const Tensor& to) {
    kernel_table().random.normal[index(to.dtype())](KernelScope(),
                                                    {generator.seed(), generator.next_stream()},
                                                    to.numel(), mean, std, to.impl()->bytes());
  });
}

}  // namespace adjoint
