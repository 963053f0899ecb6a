// Elements read and written where a mask is true, and the places of what is.
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include "core/ops/along.h"
#include "core/ops/defined.h"
#include "core/ops/pointwise.h"

namespace adjoint {
namespace {

void check_mask(const char* op, const Tensor& mask) {
  check_defined(op, mask, "the mask");
  check<DTypeError>(mask.dtype() == DType::boolean, op, ": mask is of dtype ", mask.dtype(),
                    "; expected bool; compare with 0 to get one");
}

void check_fill(const char* op, const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_mask(op, mask);
  check<ShapeError>(broadcast_shapes(op, x.shape(), mask.shape()) == x.shape(), op,
                    ": mask of shape ", mask.shape(), " for a tensor of ", x.shape(),
                    "; expected one that broadcasts to it");
  check<ShapeError>(value.dim() == 0, op, ": a value of shape ", value.shape(),
                    "; expected a tensor without dimensions");
}

// to = mask ? value : x
void fill(const Tensor& to, const Tensor& x, const Tensor& mask, const Tensor& value) {
  const Tensor v = rounded(value, x.dtype());
  kernel_table().elementwise.where[index(x.dtype())](KernelScope(),
                                                     make_loop<4>(x.shape(), {&to, &mask, &v, &x}));
}

auto fill_gradients(const Op& op, const Tensor& mask) {
  return [mask = op.save(mask)](const Backward& b) -> Grads {
    const Tensor m = *mask;
    return {b.needs(0) ? masked_fill(b.dy(0), m, 0) : Tensor(), Tensor(),
            b.needs(2) ? where(m, b.dy(0), 0.0) : Tensor()};
  };
}

Tensor stretched(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : expand(x, shape);
}

// Where the mask, which broadcasts to x's shape, is true.
struct Chosen {
  Chosen(const Tensor& x, const Tensor& mask) : places(all_dims(x)) {
    const NoGrad guard;
    index = true_places(stretched(mask, x.shape()));
    places.distinct = true;
  }
  Places places;
  Tensor index;
};

// The first elements of source, one for each place.
Tensor first_of(const char* op, const Tensor& x, const Tensor& source, int64_t count) {
  check_defined(op, source, "the source");
  check_same_dtype(op, x, source);
  check<ShapeError>(source.numel() >= count, op, ": source of shape ", source.shape(), " has ",
                    source.numel(), " elements, the mask is true ", count,
                    " times; expected as many or more");
  const Tensor all = source.dim() == 1 ? source : reshape(source, {source.numel()});
  return all.numel() == count ? all : slice(all, 0, 0, count);
}

// The numbers of the elements that are not 0.
Tensor not_zero(const char* op, const Tensor& x) {
  check_defined(op, x, 0);
  const NoGrad guard;
  return true_places(x.dtype() == DType::boolean ? x : ne(x, 0));
}

}  // namespace

// y = mask ? value : x;   dx = mask ? 0 : dy, dvalue = the sum of dy where mask
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  const Op op("masked_fill", {x, mask, value});
  check_fill("masked_fill", x, mask, value);
  Tensor y = make_empty("masked_fill", x.shape(), x.dtype());
  fill(y, x, mask, value);
  return op.differentiable(y, fill_gradients(op, mask));
}
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value) {
  return masked_fill(x, mask, held_scalar("masked_fill", value, x.dtype()));
}

void masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value) {
  check_writable("masked_fill_", x);
  const Op op("masked_fill_", {x, mask, value});
  check_fill("masked_fill_", x, mask, value);
  op.check_in_place(x, "masked_fill()");
  const auto backward = fill_gradients(op, mask);
  const NoGrad guard;
  fill(x, x, share_elements(x, mask) ? clone(mask) : mask,
       share_elements(x, value) ? clone(value) : value);
  op.in_place(x, backward);
}
void masked_fill_(const Tensor& x, const Tensor& mask, Scalar value) {
  masked_fill_(x, mask, held_scalar("masked_fill_", value, x.dtype()));
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  check_mask("masked_select", mask);
  const Tensor whole = stretched(x, broadcast_shapes("masked_select", x.shape(), mask.shape()));
  const Chosen chosen(whole, mask);
  return read_places("masked_select", whole, chosen.places, chosen.index);
}

Tensor masked_scatter(const Tensor& x, const Tensor& mask, const Tensor& source) {
  constexpr const char* kOp = "masked_scatter";
  check_mask(kOp, mask);
  const Tensor whole = stretched(x, broadcast_shapes(kOp, x.shape(), mask.shape()));
  const Chosen chosen(whole, mask);
  return with_places(kOp, whole, chosen.places, chosen.index,
                     first_of(kOp, x, source, chosen.index.numel()), Write::assign);
}
void masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source) {
  constexpr const char* kOp = "masked_scatter_";
  check_mask(kOp, mask);
  check<ShapeError>(broadcast_shapes(kOp, x.shape(), mask.shape()) == x.shape(), kOp,
                    ": mask of shape ", mask.shape(), " for a tensor of shape ", x.shape(),
                    "; expected one that broadcasts to it");
  const Chosen chosen(x, mask);
  write_places(kOp, "masked_scatter()", x, chosen.places, chosen.index,
               first_of(kOp, x, source, chosen.index.numel()), Write::assign);
}

Tensor nonzero(const Tensor& x) {
  const Tensor flat = not_zero("nonzero", x);
  const Op op("nonzero", {x});
  Tensor y = make_empty("nonzero", {flat.numel(), x.dim()}, DType::i64);
  kernels::Unravel u{flat.impl()->data<int64_t>(), flat.numel(), x.numel(), x.dim(), {}, {},
                     y.impl()->data<int64_t>()};
  for (int d = 0; d < x.dim(); ++d) u.size[d] = x.shape()[d];
  kernel_table().index.coordinates(KernelScope(), u);
  return op.no_gradient(y);
}

std::vector<Tensor> where(const Tensor& condition) {
  if (condition.defined() && condition.dim() == 0) return {not_zero("where", condition)};
  const Tensor places = nonzero(condition);
  std::vector<Tensor> result;
  result.reserve(static_cast<size_t>(condition.dim()));
  for (int d = 0; d < condition.dim(); ++d) result.push_back(select(places, 1, d));
  return result;
}

Tensor one_hot(const Tensor& x, int64_t num_classes) {
  constexpr const char* kOp = "one_hot";
  const Tensor classes = indices(kOp, x);
  const Op op(kOp, {x}, {{"num_classes", num_classes}});
  const bool infer = num_classes == -1;
  op.check(!infer || x.numel() > 0, "num_classes -1 for a tensor of shape ", x.shape(),
           " without elements; expected their number");
  op.check<ConfigError>(infer || num_classes >= 0, "num_classes ", num_classes,
                        "; expected -1, or 0 and more");
  int64_t count = num_classes;
  if (infer) {
    const int64_t lowest = min(classes).item<int64_t>();
    op.check<IndexError>(lowest >= 0, "index ", lowest, " among classes of shape ", x.shape(),
                         "; expected 0 or more");
    const int64_t highest = max(classes).item<int64_t>();
    op.check(!__builtin_add_overflow(highest, 1, &count), "too many classes: index ", highest);
  } else {
    check_range(kOp, classes, count, false, "the classes");
  }
  Shape shape = x.shape(), one = x.shape();
  Strides strides = classes.strides();
  shape.push_back(count);
  one.push_back(1);
  strides.push_back(1);
  const Tensor y = zeros(shape, DType::i64);
  scatter_(y, -1, make_view(classes, one, strides, classes.impl()->offset), 1);
  return op.no_gradient(y);
}

}  // namespace adjoint
