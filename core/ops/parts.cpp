// Tensors with a part written: the other side of slice(), select() and diagonal(), and reductions
// of slices by index.
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/rearranging.h>

#include <algorithm>

#include "core/ops/along.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// All of x, as it is.
Places all_of(const Tensor& x) {
  Places places{.by = Places::By::ranges, .distinct = true, .whole = false};
  places.ranges.start = Shape::filled(x.dim(), 0);
  places.ranges.size = x.shape();
  places.ranges.step = Shape::filled(x.dim(), 1);
  for (int d = 0; d < x.dim(); ++d) places.ranges.shows.push_back(d);
  return places;
}

void check_part(const char* op, const Tensor& x, const Tensor& part, const Tensor& src) {
  check_defined(op, src, 1);
  check_same_dtype(op, x, src);
  check<ShapeError>(src.shape() == part.shape(), op, ": source of shape ", src.shape(),
                    " for a tensor of shape ", x.shape(), "; expected ", part.shape());
}

void check_dims(const char* op, const Tensor& x, int least) {
  check_defined(op, x, 0);
  check<ShapeError>(x.dim() >= least, op, ": a tensor of shape ", x.shape(), "; expected ", least,
                    least == 1 ? " dimension or more" : " dimensions or more");
}

}  // namespace

// y = x, src in a slice;   dx = dy, 0 there, dsrc = the slice of dy. So for the others.
Tensor slice_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t start, int64_t end,
                     int64_t step) {
  constexpr const char* kOp = "slice_scatter";
  check_dims(kOp, x, 1);
  const int d = normalize_dim(kOp, dim, x.dim());
  check<IndexError>(step >= 1, kOp, ": step ", step, "; expected 1 or more");
  check_part(kOp, x, slice(x.detach(), d, start, end, step), src);
  const int64_t size = x.shape()[d];
  Places places = all_of(x);
  places.ranges.start[d] = std::clamp<int64_t>(start < 0 ? start + size : start, 0, size);
  places.ranges.size[d] = src.shape()[d];
  places.ranges.step[d] = step;
  return with_places(kOp, x, places, {}, src, Write::assign);
}

Tensor select_scatter(const Tensor& x, const Tensor& src, int64_t dim, int64_t index) {
  constexpr const char* kOp = "select_scatter";
  check_dims(kOp, x, 1);
  const int d = normalize_dim(kOp, dim, x.dim());
  const int64_t size = x.shape()[d];
  check<IndexError>(index >= -size && index < size, kOp, ": index ", index, " at dimension ", dim,
                    " of shape ", x.shape(), "; expected a value in [", -size, ", ", size, ")");
  check_part(kOp, x, select(x.detach(), d, index), src);
  Places places = all_of(x);
  places.ranges.start[d] = index < 0 ? index + size : index;
  places.ranges.size[d] = 1;
  places.ranges.shows.erase(d);
  return with_places(kOp, x, places, {}, src, Write::assign);
}

Tensor diagonal_scatter(const Tensor& x, const Tensor& src, int64_t offset, int64_t dim1,
                        int64_t dim2) {
  constexpr const char* kOp = "diagonal_scatter";
  check_dims(kOp, x, 2);
  const int a = normalize_dim(kOp, dim1, x.dim()), b = normalize_dim(kOp, dim2, x.dim());
  check<ShapeError>(a != b, kOp, ": dimension ", dim2, " twice; expected two different ones");
  check_part(kOp, x, diagonal(x.detach(), offset, a, b), src);
  // The numbers of these elements in row-major order of the two dimensions.
  const int64_t columns = x.shape()[b], count = src.shape().back();
  const int64_t first = offset < 0 ? -offset * columns : offset;
  const Tensor index = count == 0 ? empty({0}, DType::i64) : arange(count) * (columns + 1) + first;
  Places places;
  places.dims = {a, b};
  places.place = x.dim() - 2;
  places.distinct = true;
  return with_places(kOp, x, places, index, src, Write::assign);
}

Tensor index_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                    ScatterReduce reduce, bool include_self) {
  constexpr const char* kOp = "index_reduce";
  check_defined(kOp, x, 0);
  const Slices slices(kOp, x, dim, index, false);
  check_defined(kOp, source, "the source");
  Shape expected = x.shape();
  if (x.dim() > 0) expected[slices.dim] = slices.index.numel();
  check<ShapeError>(source.shape() == expected, kOp, ": source of shape ", source.shape(), " for ",
                    slices.index.numel(), " indices at dimension ", slices.dim, " of shape ",
                    x.shape(), "; expected ", expected);
  check_same_dtype(kOp, x, source);
  // An index for each element.
  Shape along = Shape::filled(x.dim(), 1);
  if (x.dim() > 0) along[slices.dim] = slices.index.numel();
  const Tensor each = expand(reshape(slices.index, along), expected);
  return scatter_reduce(x, dim, each, source, reduce, include_self);
}

}  // namespace adjoint
