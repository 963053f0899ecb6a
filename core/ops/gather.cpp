// Elements read by index.
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>

#include "core/ops/along.h"

namespace adjoint {
namespace {

Tensor gathered(const char* name, const Tensor& x, int dim, const Tensor& index, bool negative) {
  const Tensor i = index_for_each(name, x, dim, index, negative);
  return read_places(name, x, along(dim, Places::By::each), i);
}

// In one dimension.
Tensor flat(const Tensor& x) { return x.dim() == 1 ? x : flatten(x); }

}  // namespace

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  const Slices slices("index_select", x, dim, index, false);
  check<ShapeError>(x.dim() > 0 || slices.index.numel() == 1,
                    "index_select: ", slices.index.numel(),
                    " indices into a 0-dimensional tensor; expected one");
  const Tensor y = read_places("index_select", x, slices.places, slices.index);
  return x.dim() > 0 ? y : reshape(y, {});
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  return gathered("gather", x, normalize_dim("gather", dim, x.dim()), index, false);
}

Tensor take_along_dim(const Tensor& x, const Tensor& indices, int64_t dim) {
  constexpr const char* kOp = "take_along_dim";
  const int d = normalize_dim(kOp, dim, x.dim());
  check<ShapeError>(indices.dim() == x.dim(), kOp, ": indices of shape ", indices.shape(),
                    " for a tensor of shape ", x.shape(), "; expected as many dimensions");
  if (x.dim() == 0) return gathered(kOp, x, d, indices, true);
  Shape of_x = x.shape(), of_indices = indices.shape();
  of_x[d] = of_indices[d] = 1;
  Shape shape = broadcast_shapes(kOp, of_x, of_indices);
  const auto stretched = [&shape, d](const Tensor& t) {
    shape[d] = t.shape()[d];
    return shape == t.shape() ? t : expand(t, shape);
  };
  return gathered(kOp, stretched(x), d, stretched(indices), true);
}

Tensor take_along_dim(const Tensor& x, const Tensor& indices) {
  return gathered("take_along_dim", flat(x), 0, flat(indices), true);
}

Tensor take(const Tensor& x, const Tensor& index) {
  const Tensor i = indices("take", index);
  check_range("take", i, x.numel(), true, "elements of a tensor of shape ", x.shape());
  return read_places("take", x, all_dims(x), i);
}

}  // namespace adjoint
