// Views that cross dimensions, or show elements more than once: diagonals, windows, any strides.
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>
#include <functional>

#include "core/autograd/gradient_ops.h"
#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

using View = std::function<Tensor(const Tensor&)>;

// Zeros of `shape`, but x where the view shows them, each once;   dx = the view of dy
Tensor placed(const char* name, const Tensor& x, const Shape& shape, const View& view) {
  const Op op(name, {x});
  Tensor y = make_empty(name, shape, x.dtype());
  gradient_ops::fill(y, 0);
  {
    const NoGrad guard;
    write_elements(view(y), x);
  }
  return op.differentiable(y, [view](const Backward& b) -> Grads { return {view(b.dy(0))}; });
}

// The gradient of a view of a tensor of `shape` that shows no element twice: added in place where
// the other parts' are.
Tensor view_gradient(const Backward& g, const Shape& shape, const View& view) {
  if (!grad_enabled()) {
    if (Tensor into = g.into(0); into.defined() && into.dtype() == g.dy(0).dtype()) {
      gradient_ops::add_in_place(view(into), g.dy(0));
      return into;
    }
  }
  return placed("view_backward", g.dy(0), shape, view);
}

// The two dimensions of a diagonal.
std::pair<int, int> diagonal_dims(const char* op, int64_t dim1, int64_t dim2, int rank) {
  const int a = normalize_dim(op, dim1, rank, "dim1");
  const int b = normalize_dim(op, dim2, rank, "dim2");
  check<ShapeError>(a != b, op, ": dim1 ", dim1, " and dim2 ", dim2,
                    " are one dimension; expected two");
  return {a, b};
}

}  // namespace

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  const Op op("diagonal", {x}, {{"offset", offset}, {"dim1", dim1}, {"dim2", dim2}});
  op.check(x.dim() >= 2, "a tensor of shape ", x.shape(), "; expected two dimensions or more");
  const auto [row, column] = diagonal_dims("diagonal", dim1, dim2, x.dim());
  const int64_t rows = x.shape()[row], columns = x.shape()[column];
  const int64_t from = std::clamp(offset, -rows, columns);  // beyond, every diagonal is empty
  const int64_t size = from >= 0 ? std::min(rows, columns - from) : std::min(rows + from, columns);
  Shape shape = x.shape();
  Strides strides = x.strides();
  int64_t start = x.impl()->offset;
  if (size > 0) start += from >= 0 ? from * strides[column] : -from * strides[row];
  const int64_t step = strides[row] + strides[column];
  for (const int d : {std::max(row, column), std::min(row, column)}) {
    shape.erase(d);
    strides.erase(d);
  }
  shape.push_back(size);
  strides.push_back(step);
  const View view = [offset, dim1, dim2](const Tensor& t) {
    return diagonal(t, offset, dim1, dim2);
  };
  return op.view(make_view(x, shape, strides, start),
                 [from = x.shape(), view](const Backward& g) -> Grads {
                   return {view_gradient(g, from, view)};
                 });
}

namespace {

// diag_embed, which names `what` the offset is called.
Tensor embedded(const char* op, const char* what, const Tensor& x, int64_t offset, int64_t dim1,
                int64_t dim2) {
  const auto [row, column] = diagonal_dims(op, dim1, dim2, x.dim() + 1);
  int64_t size = 0, elements = 0;
  const bool fits = offset > INT64_MIN &&
                    !__builtin_add_overflow(x.shape().back(), std::abs(offset), &size) &&
                    !__builtin_mul_overflow(size, size, &elements);
  check<ShapeError>(fits, op, ": ", what, " ", offset, " for ", x.shape().back(),
                    " elements; expected a matrix of fewer than 2^63");
  Shape shape = x.shape();
  shape.erase(shape.rank() - 1);
  for (const int d : {std::min(row, column), std::max(row, column)}) shape.insert(d, size);
  return placed(op, x, shape, [offset, r = row, c = column](const Tensor& t) {
    return diagonal(t, offset, r, c);
  });
}

}  // namespace

Tensor diag_embed(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  check_defined("diag_embed", x, 0);
  check<ShapeError>(x.dim() >= 1,
                    "diag_embed: a 0-dimensional tensor; expected one dimension or more");
  return embedded("diag_embed", "offset", x, offset, dim1, dim2);
}

Tensor diag(const Tensor& x, int64_t diagonal) {
  check_defined("diag", x, 0);
  check<ShapeError>(x.dim() == 1 || x.dim() == 2, "diag: a tensor of shape ", x.shape(),
                    "; expected one or two dimensions; use diag_embed() or diagonal()");
  return x.dim() == 1 ? embedded("diag", "diagonal", x, diagonal, -2, -1)
                      : clone(adjoint::diagonal(x, diagonal));
}

namespace {

// The gradient of windows of a tensor of `shape`: elements in several windows get the sum of
// theirs, in the order of the windows or of the places in them;   ddy = the windows of the gradient
Tensor unfold_backward(const Tensor& dy, const Shape& shape, int d, int64_t size, int64_t step) {
  const Op op("unfold_backward", {dy}, {{"shape", shape}});
  Tensor dx = zeros(shape, computed_in(dy.dtype()));
  if (dy.numel() > 0) {
    const NoGrad guard;
    const Tensor parts = rounded(dy, dx.dtype());
    const int64_t windows = dy.shape()[d];
    if (step >= size) {
      write_elements(unfold_dim(dx, d, size, step), parts);
    } else if (size <= windows) {
      for (int64_t i = 0; i < size; ++i) {
        gradient_ops::add_in_place(slice(dx, d, i, i + (windows - 1) * step + 1, step),
                                   select(parts, -1, i));
      }
    } else {
      for (int64_t i = 0; i < windows; ++i) {
        gradient_ops::add_in_place(slice(dx, d, i * step, i * step + size),
                                   movedim(select(parts, d, i), -1, d));
      }
    }
  }
  return op.differentiable(rounded(dx, dy.dtype()), [d, size, step](const Backward& b) -> Grads {
    return {unfold_dim(b.dy(0), d, size, step)};
  });
}

}  // namespace

Tensor unfold_dim(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  const Op op("unfold_dim", {x}, {{"dim", dim}, {"size", size}, {"step", step}});
  const int d = normalize_dim("unfold_dim", dim, x.dim());
  const int64_t own = x.dim() == 0 ? 1 : x.shape()[d];
  op.check(size >= 0 && size <= own, "windows of ", size, " at dimension ", dim, " of shape ",
           x.shape(), "; expected 0 to ", own, " elements");
  op.check<ConfigError>(step >= 1, "step ", step, "; expected 1 or more");
  if (x.dim() == 0) return slice(reshape(x, {1}), 0, 0, size);
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape.push_back(size);
  strides.push_back(strides[d]);
  shape[d] = (own - size) / step + 1;
  if (shape[d] > 1) strides[d] *= step;
  return op.view(make_view(x, shape, strides, x.impl()->offset),
                 [from = x.shape(), d, size, step](const Backward& g) -> Grads {
                   return {unfold_backward(g.dy(0), from, d, size, step)};
                 });
}

namespace {

// Which elements of a storage a tensor shows.
struct Places {
  Shape shape;
  Strides strides;
  int64_t offset;

  // One past the last; the offset where there are none.
  int64_t end() const {
    if (shape.numel() == 0) return offset;
    int64_t last = offset;
    for (int d = 0; d < shape.rank(); ++d) last += (shape[d] - 1) * strides[d];
    return last + 1;
  }
  // Calls f(place) for each element in row-major order.
  template <class F>
  void for_each(F f) const {
    const int64_t count = shape.numel();
    Shape index = Shape::filled(shape.rank(), 0);
    int64_t place = offset;
    for (int64_t i = 0; i < count; ++i) {
      f(place);
      for (int d = shape.rank() - 1; d >= 0; --d) {
        place += strides[d];
        if (++index[d] < shape[d]) break;
        place -= strides[d] * shape[d];
        index[d] = 0;
      }
    }
  }
};

// Whether the strides leave it open that a place is shown twice.
bool may_repeat(const Places& p) {
  int order[kMaxDims];
  order_of_strides(p.strides, order);
  int64_t reach = 0;
  for (int i = p.shape.rank() - 1; i >= 0; --i) {
    const int d = order[i];
    if (p.shape[d] <= 1) continue;
    if (p.strides[d] <= reach) return true;
    reach += p.strides[d] * (p.shape[d] - 1);
  }
  return false;
}

Tensor shown(const Tensor& storage, const Places& p, int64_t base) {
  return make_view(storage, p.shape, p.strides, p.offset - base);
}

// storage[place] += x, one after the other.
template <class T>
void add_to(const Tensor& storage, const Tensor& x, const Places& p, int64_t base) {
  T* to = storage.impl()->data<T>() - base;
  const T* from = x.impl()->data<T>();
  p.for_each([&](int64_t place) { to[place] += *from++; });
}

// Of a storage with x at the places `in`, added up, the places `out`. Places that `shared` shows
// several times are divided by how many times: its elements are one number, and share a gradient.
// dx = the same from `out` to `in`
Tensor moved(const Tensor& x, const Places& in, const Places& out, const Places& shared) {
  const Op op("as_strided_backward", {x}, {{"shape", out.shape}});
  const int64_t base = std::min({in.offset, out.offset, shared.offset});
  const int64_t size = std::max({in.end(), out.end(), shared.end()}) - base;
  const Tensor storage = zeros({size}, computed_in(x.dtype()));
  const bool f64 = storage.dtype() == DType::f64;
  const auto add = f64 ? &add_to<double> : &add_to<float>;
  if (x.numel() > 0) {
    const Tensor x0 = rounded(packed(x), storage.dtype());
    if (may_repeat(in)) {
      add(storage, x0, in, base);
    } else {
      write_elements(shown(storage, in, base), x0);
    }
    if (may_repeat(shared)) {
      const Tensor counts = zeros({size}, storage.dtype());
      add(counts, ones(shared.shape, storage.dtype()), shared, base);
      const NoGrad guard;
      div_(storage, clamp_min(counts, 1.0));
    }
  }
  Tensor y = make_empty(op.name(), out.shape, x.dtype());
  if (y.numel() > 0) write_elements(y, shown(storage, out, base));
  return op.differentiable(y, [in, out, shared](const Backward& b) -> Grads {
    return {moved(b.dy(0), out, in, shared)};
  });
}

}  // namespace

Tensor as_strided(const Tensor& x, const Shape& shape, const Shape& strides,
                  std::optional<int64_t> offset) {
  const Op op("as_strided", {x}, {{"shape", shape}, {"strides", strides}});
  op.check(shape.rank() == strides.rank(), strides.rank(), " strides for shape ", shape,
           "; expected one for each dimension");
  checked_numel("as_strided", shape);
  const int64_t start = offset.value_or(x.impl()->offset);
  const auto elements = static_cast<int64_t>(x.impl()->storage->bytes / element_size(x.dtype()));
  int64_t last = start;
  bool fits = start >= 0;
  for (int d = 0; d < shape.rank(); ++d) {
    op.check(strides[d] >= 0, "negative strides: ", strides, "; expected 0 or more; use flip()");
    int64_t reach = 0;
    fits = fits &&
           !__builtin_mul_overflow(std::max<int64_t>(shape[d] - 1, 0), strides[d], &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  op.check<IndexError>(fits && (shape.numel() == 0 ? start <= elements : last < elements), "shape ",
                       shape, " with strides ", strides, " at offset ", start, " of a storage of ",
                       elements, " elements; expected to stay inside");
  const Places from{x.shape(), x.strides(), x.impl()->offset}, to{shape, strides, start};
  return op.view(make_view(x, shape, strides, start), [from, to](const Backward& g) -> Grads {
    return {moved(g.dy(0), to, from, from)};
  });
}

}  // namespace adjoint
