#include "core/ops/along.h"
#include "core/ops/defined.h"

#include <adjoint/core/layout.h>

#include <algorithm>

namespace adjoint {

Slices::Slices(const char* op, const Tensor& x, int64_t d, const Tensor& given, bool negative)
    : dim(normalize_dim(op, d, x.dim())),
      index(indices(op, given)),
      places(along(dim, Places::By::shared)) {
  check<ShapeError>(index.dim() <= 1, op, ": indices of shape ", index.shape(),
                    "; expected one dimension or none");
  check_range_in(op, index, x, dim, negative);
  if (index.dim() == 0) index = make_view(index, {1}, {1}, index.impl()->offset);
}

Tensor index_for_each(const char* op, const Tensor& x, int dim, const Tensor& index,
                      bool negative) {
  Tensor i = indices(op, index);
  const int rank = std::max(x.dim(), 1);
  bool fits = std::max(i.dim(), 1) == rank;
  for (int d = 0; fits && d < std::min(x.dim(), i.dim()); ++d) {
    fits = d == dim || i.shape()[d] <= x.shape()[d];
  }
  check<ShapeError>(fits, op, ": indices of shape ", i.shape(), " for a tensor of shape ",
                    x.shape(), "; expected as many dimensions, and no size above its own but at ",
                    "dimension ", dim);
  check_range_in(op, i, x, dim, negative);
  return i;
}

Places all_dims(const Tensor& x) {
  Places places;
  for (int d = 0; d < std::max(x.dim(), 1); ++d) places.dims.push_back(d);
  return places;
}

void check_same_dtype(const char* op, const Tensor& x, const Tensor& values) {
  check<DTypeError>(values.dtype() == x.dtype(), op, ": values of dtype ", values.dtype(),
                    " for a tensor of dtype ", x.dtype(),
                    "; expected the same; convert them with to()");
}

Tensor source_of_each(const char* op, const Tensor& x, const Tensor& index, const Tensor& src) {
  check_defined(op, src, "the source");
  check_same_dtype(op, x, src);
  if (src.shape() == index.shape()) return src;
  bool fits = std::max(src.dim(), 1) == std::max(index.dim(), 1);
  for (int d = 0; fits && d < std::min(src.dim(), index.dim()); ++d) {
    fits = index.shape()[d] <= src.shape()[d];
  }
  check<ShapeError>(fits && (index.numel() == 0 || src.numel() > 0), op, ": source of shape ",
                    src.shape(), " for indices of shape ", index.shape(),
                    "; expected as many dimensions, and no size below theirs");
  Tensor part = src;
  for (int d = 0; d < src.dim(); ++d) {
    const int64_t wanted = index.dim() == 0 ? 1 : index.shape()[d];
    if (src.shape()[d] != wanted) part = slice(part, d, 0, wanted);
  }
  return part.dim() == index.dim() ? part : reshape(part, index.shape());
}

}  // namespace adjoint
