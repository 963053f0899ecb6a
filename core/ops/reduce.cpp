// Reductions: sums, choices and questions. Those of several steps stand in moments.cpp.
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/autograd/gradient_ops.h"
#include "core/ops/reduce.h"

namespace adjoint {
namespace reduction {

Shape Dims::gone() const {
  Shape dims;
  for (int d = 0; d < keep.rank(); ++d) {
    if (reduced[d]) dims.push_back(d);
  }
  return dims;
}

Dims reduced_dims(const Op& op, const Tensor& x, const Shape& dims, bool keepdim) {
  Dims result;
  for (int64_t dim : dims) {
    const int d = normalize_dim(op.name(), dim, x.dim());
    op.check(!result.reduced[d], "dimension ", dim, " twice in ", dims,
             "; expected each dimension once");
    result.reduced[d] = true;
  }
  for (int d = 0; d < x.dim(); ++d) {
    if (dims.empty()) result.reduced[d] = true;
    const int64_t size = x.shape()[d];
    const bool gone = result.reduced[d];
    if (gone) result.count *= size;
    result.keep.push_back(gone ? 1 : size);
    if (keepdim || !gone) result.shape.push_back(gone ? 1 : size);
  }
  return result;
}

namespace {

// One group of dimensions of a kernel's task, innermost first, neighbours merged.
struct Group {
  int32_t rank = 0;
  int64_t *size, *stride, *out;  // out may be null

  void add(int64_t n, int64_t in_stride, int64_t out_stride) {
    const int last = rank - 1;
    if (rank > 0 && in_stride == stride[last] * size[last] &&
        (out == nullptr || out_stride == out[last] * size[last])) {
      size[last] *= n;
      return;
    }
    size[rank] = n;
    stride[rank] = in_stride;
    if (out != nullptr) out[rank] = out_stride;
    ++rank;
  }
  void finish() {
    if (rank == 0) add(1, 0, 0);
  }
};

// REQUIRES: y is contiguous, with the elements of dims.keep.
kernels::Reduce make_reduce(const Tensor& x, const Tensor& y, const Dims& dims) {
  kernels::Reduce r;
  r.x = x.impl()->bytes();
  r.y = y.impl()->bytes();
  r.center = nullptr;
  r.outputs = y.numel();
  r.count = dims.count;
  const Strides out = contiguous_strides(dims.keep);
  // Innermost where memory is densest; an expanded dimension outermost.
  int order[kMaxDims];
  for (int d = 0; d < x.dim(); ++d) order[d] = x.dim() - 1 - d;
  const auto key = [&](int d) {
    const int64_t stride = x.strides()[d];
    return stride == 0 ? std::numeric_limits<int64_t>::max() : stride;
  };
  sort_dims(order, x.dim(), [&](int a, int b) { return key(a) < key(b); });
  Group kept{0, r.kept_size, r.kept_stride, r.out_stride};
  Group gone{0, r.reduced_size, r.reduced_stride, nullptr};
  for (int i = 0; i < x.dim(); ++i) {
    const int d = order[i];
    if (x.shape()[d] == 1) continue;
    (dims.reduced[d] ? gone : kept).add(x.shape()[d], x.strides()[d], out[d]);
  }
  kept.finish();
  gone.finish();
  r.kept_rank = kept.rank;
  r.reduced_rank = gone.rank;
  return r;
}

void run(Kind kind, const Tensor& x, const Tensor& y, const Dims& dims, const Tensor& center = {}) {
  kernels::Reduce r = make_reduce(x, y, dims);
  if (center.defined()) r.center = center.impl()->bytes();
  kernel_table().reduce.reduce[static_cast<int>(kind)][index(x.dtype())](KernelScope(), r);
}

}  // namespace

Tensor reduced(const Op& op, Kind kind, const Tensor& x, const Dims& dims, DType dtype,
               const Tensor& center) {
  Tensor y = make_empty(op.name(), dims.shape, dtype);
  run(kind, x, y, dims, center);
  return y;
}
Tensor reduced(const Op& op, Kind kind, const Tensor& x, const Dims& dims, const Tensor& center) {
  return reduced(op, kind, x, dims, computed_in(x.dtype()), center);
}

void divide(const Tensor& y, double divisor) {
  const Tensor by = scalar_tensor(divisor, y.dtype());
  kernel_table().elementwise.binary[static_cast<int>(kernels::Binary::div)][index(y.dtype())](
      KernelScope(), make_loop<3>(y.shape(), {&y, &y, &by}));
}

Place one_dim(const Op& op, const Tensor& x, int64_t dim, bool keepdim) {
  const int d = normalize_dim(op.name(), dim, x.dim());
  Place place{x.dim() == 0 ? reduced_dims(op, x, {}, keepdim) : reduced_dims(op, x, {d}, keepdim),
              d};
  op.check(place.dims.count > 0, "no elements to choose from along dimension ", dim, " of shape ",
           x.shape(), "; expected at least one");
  return place;
}

Tensor truth(const Tensor& x) {
  const NoGrad guard;
  return x.dtype() == DType::boolean ? x : ne(x, 0);
}

Tensor shared_among_equals(const Tensor& x, const Tensor& y, const Tensor& dy, const Dims& dims) {
  Tensor mask, count;
  {
    const NoGrad guard;  // which elements are equal is constant
    mask = x == y;
    if (any(isnan(y))) mask = logical_or(mask, logical_and(isnan(x), isnan(y)));
    const Shape gone = dims.gone();
    count = gone.empty() ? to(mask, dy.dtype()) : to(sum(mask, gone, kKeepDim), dy.dtype());
  }
  return where(mask, dy / count, 0.0);
}

}  // namespace reduction

namespace {

using namespace reduction;

// y = sum(x);   dx = dy
Tensor sum_over(const char* name, const Tensor& x, const Shape& requested, bool keepdim) {
  const Op op(name, {x}, {{"dims", requested}, {"keepdim", keepdim}});
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  const bool real = is_floating_point(x.dtype());
  Tensor y = reduced(op, Kind::sum, x, dims, real ? computed_in(x.dtype()) : DType::i64);
  if (real) y = rounded(y, x.dtype());
  return op.differentiable(y, [keep = dims.keep, shape = x.shape()](const Backward& b) -> Grads {
    return {expand(reshape(b.dy(0), keep), shape)};
  });
}

// y = sum(x) / n;   dx = dy / n
Tensor mean_over(const Tensor& x, const Shape& requested, bool keepdim) {
  const Op op("mean", {x}, {{"dims", requested}, {"keepdim", keepdim}});
  op.check_floating(0);
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  Tensor y = reduced(op, Kind::sum, x, dims);
  const auto count = static_cast<double>(dims.count);
  divide(y, count);
  y = rounded(y, x.dtype());
  return op.differentiable(
      y, [count, keep = dims.keep, shape = x.shape()](const Backward& b) -> Grads {
        return {expand(reshape(b.dy(0) / count, keep), shape)};
      });
}

// y = max(x);   dx = dy / (number of maxima) where x is one
Tensor extremum(const char* name, Kind kind, const Tensor& x, const Shape& requested,
                bool keepdim) {
  const Op op(name, {x}, {{"dims", requested}, {"keepdim", keepdim}});
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  op.check(dims.count > 0, "no elements to choose from: shape ", x.shape(), ", dims ", requested,
           "; expected at least one");
  Tensor y = rounded(reduced(op, kind, x, dims), x.dtype());
  return op.differentiable(
      y, [x = op.save(x), y = op.save_output(y), dims](const Backward& b) -> Grads {
        return {shared_among_equals(*x, reshape(*y, dims.keep), reshape(b.dy(0), dims.keep), dims)};
      });
}

Tensor find_index(const char* name, const Tensor& x, const Tensor& values, const Dims& dims) {
  Tensor indices = make_empty(name, dims.shape, DType::i64);
  kernels::Reduce r = make_reduce(x, indices, dims);
  r.center = values.impl()->bytes();
  if (dims.count == 1) {
    std::fill_n(indices.impl()->data<int64_t>(), indices.numel(), 0);
  } else {
    kernel_table().reduce.find[index(x.dtype())](KernelScope(), r);
  }
  return indices;
}

// (y, i) = max over dim;   dx = dy at i
ValuesAndIndices extremum_with_index(const char* name, Kind kind, const Tensor& x, int64_t dim,
                                     bool keepdim) {
  const Op op(name, {x}, {{"dim", dim}, {"keepdim", keepdim}});
  const Place place = one_dim(op, x, dim, keepdim);
  Tensor y = reduced(op, kind, x, place.dims);
  const Tensor indices = find_index(name, x, y, place.dims);
  y = rounded(y, x.dtype());
  auto results = op.differentiable(
      std::array<Tensor, 2>{y, indices},
      [indices = op.save(indices), place, shape = x.shape()](const Backward& b) -> Grads {
        if (!b.dy(0).defined()) return {Tensor()};
        if (shape.rank() == 0) return {b.dy(0)};
        Shape along = Shape::filled(shape.rank(), 1);
        along[place.d] = shape[place.d];
        const Tensor mask =
            reshape(arange(shape[place.d]), along) == reshape(*indices, place.dims.keep);
        return {where(mask, reshape(b.dy(0), place.dims.keep), 0.0)};
      });
  return {results[0], results[1]};
}

// i = the first index of max over dim
Tensor index_along(const char* name, Kind kind, const Tensor& x, int64_t dim, bool keepdim) {
  const Op op(name, {x}, {{"dim", dim}, {"keepdim", keepdim}});
  const Place place = one_dim(op, x, dim, keepdim);
  return op.no_gradient(find_index(name, x, reduced(op, kind, x, place.dims), place.dims));
}

// The same of all elements in row-major order.
Tensor index_of_all(const char* name, Kind kind, const Tensor& x) {
  const Op op(name, {x});
  op.check(x.numel() > 0, "no elements to choose from: shape ", x.shape(),
           "; expected at least one");
  const NoGrad guard;
  const Tensor row = reshape(packed(x), {x.numel()});
  const Dims dims = reduced_dims(op, row, {}, false);
  return op.no_gradient(find_index(name, row, reduced(op, kind, row, dims), dims));
}

// y = whether any (all) of x are not 0
Tensor truth_along(const char* name, Kind kind, const Tensor& x, const Shape& requested,
                   bool keepdim) {
  const Op op(name, {x}, {{"dims", requested}, {"keepdim", keepdim}});
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  Tensor y = reduced(op, kind, truth(x), dims, DType::boolean);
  return op.no_gradient(x.dtype() == DType::u8 ? rounded(y, DType::u8) : y);
}

}  // namespace

Tensor sum(const Tensor& x) { return sum_over("sum", x, {}, false); }
Tensor sum(const Tensor& x, const Shape& dims, bool keepdim) {
  return sum_over("sum", x, dims, keepdim);
}
Tensor mean(const Tensor& x) { return mean_over(x, {}, false); }
Tensor mean(const Tensor& x, const Shape& dims, bool keepdim) {
  return mean_over(x, dims, keepdim);
}

Tensor amax(const Tensor& x, const Shape& dims, bool keepdim) {
  return extremum("amax", Kind::max, x, dims, keepdim);
}
Tensor amin(const Tensor& x, const Shape& dims, bool keepdim) {
  return extremum("amin", Kind::min, x, dims, keepdim);
}
Tensor max(const Tensor& x) { return extremum("max", Kind::max, x, {}, false); }
Tensor min(const Tensor& x) { return extremum("min", Kind::min, x, {}, false); }
ValuesAndIndices max(const Tensor& x, int64_t dim, bool keepdim) {
  return extremum_with_index("max", Kind::max, x, dim, keepdim);
}
ValuesAndIndices min(const Tensor& x, int64_t dim, bool keepdim) {
  return extremum_with_index("min", Kind::min, x, dim, keepdim);
}

Tensor argmax(const Tensor& x, int64_t dim, bool keepdim) {
  return index_along("argmax", Kind::max, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, int64_t dim, bool keepdim) {
  return index_along("argmin", Kind::min, x, dim, keepdim);
}
Tensor argmax(const Tensor& x) { return index_of_all("argmax", Kind::max, x); }
Tensor argmin(const Tensor& x) { return index_of_all("argmin", Kind::min, x); }

Tensor sum_to_size(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  const int extra = x.dim() - shape.rank();
  bool fits = extra >= 0;
  Shape leading, kept;
  for (int i = 0; i < extra; ++i) leading.push_back(i);
  for (int i = 0; fits && i < shape.rank(); ++i) {
    const int64_t size = x.shape()[i + extra];
    fits = shape[i] == size || shape[i] == 1;
    if (shape[i] == 1 && size != 1) kept.push_back(i + extra);
  }
  check<ShapeError>(fits, "sum_to_size: shape ", x.shape(), " to ", shape,
                    "; expected a shape that broadcasts to the tensor's");
  Tensor y = x;
  if (!kept.empty()) y = sum(y, kept, kKeepDim);
  if (extra > 0) y = sum(y, leading);
  return y;
}

Tensor gradient_ops::sum_to(const Tensor& x, const Shape& shape) { return sum_to_size(x, shape); }

namespace {

bool has_byte(const char* name, const Tensor& x, int byte) {
  const Op op(name, {x});
  const NoGrad guard;
  const Tensor packed = contiguous(truth(x));
  return packed.numel() > 0 &&
         std::memchr(packed.impl()->bytes(), byte, static_cast<size_t>(packed.numel())) != nullptr;
}

}  // namespace

bool any(const Tensor& x) { return has_byte("any", x, 1); }
bool all(const Tensor& x) { return !has_byte("all", x, 0); }

Tensor any(const Tensor& x, const Shape& dims, bool keepdim) {
  return truth_along("any", Kind::max, x, dims, keepdim);
}
Tensor all(const Tensor& x, const Shape& dims, bool keepdim) {
  return truth_along("all", Kind::min, x, dims, keepdim);
}

// y = the number of x that are not 0
Tensor count_nonzero(const Tensor& x, const Shape& requested) {
  const Op op("count_nonzero", {x}, {{"dims", requested}});
  const Dims dims = reduced_dims(op, x, requested, false);
  return op.no_gradient(reduced(op, Kind::sum, truth(x), dims, DType::i64));
}

bool all_finite(const Tensor& x) {
  const Op op("all_finite", {x});
  if (!is_floating_point(x.dtype())) return true;
  const Tensor zero = reduced(op, Kind::finite, x, reduced_dims(op, x, {}, false));
  return zero.item() == 0.0;
}

}  // namespace adjoint
