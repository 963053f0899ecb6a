// Operators that show the same elements with another layout.
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include <algorithm>

#include "core/autograd/gradient_ops.h"
#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// Replaces a size of -1 by what is left.
Shape complete(const Op& op, const Tensor& x, Shape shape) {
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      op.check(unknown < 0, "two sizes of -1 in ", shape, "; expected at most one");
      unknown = i;
      continue;
    }
    op.check(shape[i] >= 0 && !__builtin_mul_overflow(known, shape[i], &known), "invalid size in ",
             shape, "; expected sizes of 0 or more, or one -1");
  }
  if (unknown >= 0) {
    op.check(known != 0 && x.numel() % known == 0, "cannot infer the -1 of ", shape, " for ",
             x.numel(), " elements of shape ", x.shape(),
             "; expected sizes that divide them evenly");
    shape[unknown] = x.numel() / known;
    known *= shape[unknown];
  }
  op.check(known == x.numel(), "shape ", shape, " has ", known, " elements, the tensor of shape ",
           x.shape(), " has ", x.numel(), "; expected as many");
  return shape;
}

Tensor reshaped(const char* name, const Tensor& x, const Shape& requested, bool may_copy) {
  const Op op(name, {x}, {{"shape", requested}});
  const Shape shape = complete(op, x, requested);
  checked_numel(name, shape);
  Strides strides;
  const auto backward = [from = x.shape()](const Backward& g) -> Grads {
    return {reshape(g.dy(0), from)};
  };
  if (view_strides(x.shape(), x.strides(), shape, strides)) {
    return op.view(make_view(x, shape, strides, x.impl()->offset), backward);
  }
  op.check(may_copy, "the elements of shape ", x.shape(), " with strides ", x.strides(),
           " cannot be seen as ", shape, " in place; expected a compatible layout; use reshape()");
  Tensor copy;
  {
    const NoGrad guard;
    copy = row_major(x);
  }
  return op.differentiable(make_view(copy, shape, contiguous_strides(shape), 0), backward);
}

// The gradient of a tensor of `shape` of which a view shows dy's part: zero elsewhere. Recorded, it
// is built by cat, so that it is differentiable again; else it is added where the other parts' are.
Tensor padded(const Backward& g, const Tensor& dy, const Shape& shape, int dim, int64_t start) {
  const int64_t size = dy.shape()[dim], rest = shape[dim] - start - size;
  if (grad_enabled()) {
    Shape before = shape, after = shape;
    before[dim] = start;
    after[dim] = rest;
    return cat({zeros(before, dy.dtype()), dy, zeros(after, dy.dtype())}, dim);
  }
  Tensor into = g.into(0);
  if (into.defined() && into.dtype() == dy.dtype()) {
    if (size > 0) gradient_ops::add_in_place(make_part(into, dim, start, size), dy);
    return into;
  }
  Tensor dx = make_empty("slice", shape, dy.dtype());
  gradient_ops::fill(make_part(dx, dim, 0, start), 0);
  write_elements(make_part(dx, dim, start, size), dy);
  gradient_ops::fill(make_part(dx, dim, start + size, rest), 0);
  return dx;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) { return reshaped("reshape", x, shape, true); }
Tensor view(const Tensor& x, const Shape& shape) { return reshaped("view", x, shape, false); }

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  const int start = normalize_dim("flatten", start_dim, x.dim());
  const int end = normalize_dim("flatten", end_dim, x.dim());
  check<ShapeError>(start <= end, "flatten: start_dim ", start_dim, " is after end_dim ", end_dim,
                    "; expected start_dim <= end_dim");
  if (x.dim() == 0) return reshape(x, {1});
  Shape shape;
  int64_t merged = 1;
  for (int i = 0; i < x.dim(); ++i) {
    if (i < start || i > end) {
      shape.push_back(x.shape()[i]);
      continue;
    }
    merged *= x.shape()[i];
    if (i == end) shape.push_back(merged);
  }
  return reshape(x, shape);
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  const Op op("transpose", {x}, {{"dim0", dim0}, {"dim1", dim1}});
  const int a = normalize_dim("transpose", dim0, x.dim());
  const int b = normalize_dim("transpose", dim1, x.dim());
  Shape shape = x.shape();
  Strides strides = x.strides();
  if (x.dim() > 0) {
    std::swap(shape[a], shape[b]);
    std::swap(strides[a], strides[b]);
  }
  return op.view(make_view(x, shape, strides, x.impl()->offset),
                 [a, b](const Backward& g) -> Grads { return {transpose(g.dy(0), a, b)}; });
}

Tensor permute(const Tensor& x, const Shape& dims) {
  const Op op("permute", {x}, {{"dims", dims}});
  op.check(dims.rank() == x.dim(), "dims ", dims, " for a tensor of shape ", x.shape(),
           "; expected each dimension once");
  Shape shape = x.shape(), inverse = x.shape();
  Strides strides = x.strides();
  bool seen[kMaxDims] = {};
  for (int i = 0; i < dims.rank(); ++i) {
    const int from = normalize_dim("permute", dims[i], x.dim());
    op.check(!seen[from], "dimension ", dims[i], " twice in ", dims,
             "; expected each dimension once");
    seen[from] = true;
    shape[i] = x.shape()[from];
    strides[i] = x.strides()[from];
    inverse[from] = i;
  }
  return op.view(make_view(x, shape, strides, x.impl()->offset),
                 [inverse](const Backward& g) -> Grads { return {permute(g.dy(0), inverse)}; });
}

Tensor movedim(const Tensor& x, const Shape& source, const Shape& destination) {
  check_defined("movedim", x, 0);
  check<ShapeError>(source.rank() == destination.rank() && source.rank() <= x.dim(),
                    "movedim: ", source, " to ", destination, " for a tensor of shape ", x.shape(),
                    "; expected as many sources as destinations");
  Shape dims = Shape::filled(x.dim(), -1);
  bool taken[kMaxDims] = {};
  for (int i = 0; i < source.rank(); ++i) {
    const int from = normalize_dim("movedim", source[i], x.dim(), "source");
    const int to = normalize_dim("movedim", destination[i], x.dim(), "destination");
    check<ShapeError>(!taken[from] && dims[to] < 0, "movedim: ", source, " to ", destination,
                      " has a dimension twice; expected each once");
    taken[from] = true;
    dims[to] = from;
  }
  int next = 0;
  for (int64_t& dim : dims) {
    if (dim >= 0) continue;
    while (taken[next]) ++next;
    dim = next++;
  }
  return permute(x, dims);
}

Tensor unflatten(const Tensor& x, int64_t dim, const Shape& sizes) {
  check_defined("unflatten", x, 0);
  check<ShapeError>(x.dim() > 0,
                    "unflatten: a 0-dimensional tensor; expected one dimension or more");
  check<ShapeError>(!sizes.empty(), "unflatten: sizes ", sizes, "; expected one or more");
  const int d = normalize_dim("unflatten", dim, x.dim());
  int64_t known = 1;
  int unknown = -1;
  bool valid = true;
  for (int i = 0; i < sizes.rank(); ++i) {
    if (sizes[i] == -1 && unknown < 0) {
      unknown = i;
    } else {
      valid = valid && sizes[i] >= 0 && !__builtin_mul_overflow(known, sizes[i], &known);
    }
  }
  const int64_t size = x.shape()[d];
  valid = valid && (unknown < 0 ? known == size : known > 0 && size % known == 0);
  check<ShapeError>(valid, "unflatten: sizes ", sizes, " for dimension ", dim, " of shape ",
                    x.shape(), "; expected sizes with the product ", size,
                    ", one of them may be -1");
  Shape shape = x.shape();
  shape.erase(d);
  for (int i = 0; i < sizes.rank(); ++i)
    shape.insert(d + i, i == unknown ? size / known : sizes[i]);
  return view(x, shape);
}

namespace {

// Without the chosen dimensions of those that have size 1.
template <class Chosen>
Tensor squeezed(const Op& op, const Tensor& x, Chosen chosen) {
  Shape shape;
  Strides strides;
  for (int d = 0; d < x.dim(); ++d) {
    if (x.shape()[d] == 1 && chosen(d)) continue;
    shape.push_back(x.shape()[d]);
    strides.push_back(x.strides()[d]);
  }
  return op.view(
      make_view(x, shape, strides, x.impl()->offset),
      [from = x.shape()](const Backward& g) -> Grads { return {reshape(g.dy(0), from)}; });
}

}  // namespace

Tensor squeeze(const Tensor& x) {
  const Op op("squeeze", {x});
  return squeezed(op, x, [](int) { return true; });
}

Tensor squeeze(const Tensor& x, int64_t dim) {
  const Op op("squeeze", {x}, {{"dim", dim}});
  const int one = normalize_dim("squeeze", dim, x.dim());
  return squeezed(op, x, [one](int d) { return d == one; });
}

Tensor squeeze(const Tensor& x, const Shape& dims) {
  const Op op("squeeze", {x}, {{"dims", dims}});
  bool chosen[kMaxDims] = {};
  for (const int64_t dim : dims) {
    const int d = normalize_dim("squeeze", dim, x.dim());
    op.check(!chosen[d], "dimension ", dim, " twice in ", dims, "; expected each once");
    chosen[d] = true;
  }
  return squeezed(op, x, [&chosen](int d) { return chosen[d]; });
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  const Op op("unsqueeze", {x}, {{"dim", dim}});
  const int d = normalize_dim("unsqueeze", dim, x.dim() + 1);
  Shape shape = x.shape();
  Strides strides = x.strides();
  strides.insert(d, d < x.dim() ? shape[d] * strides[d] : 1);
  shape.insert(d, 1);
  return op.view(make_view(x, shape, strides, x.impl()->offset),
                 [d](const Backward& g) -> Grads { return {squeeze(g.dy(0), d)}; });
}

Tensor expand(const Tensor& x, const Shape& requested) {
  const Op op("expand", {x}, {{"shape", requested}});
  op.check(requested.rank() >= x.dim(), "shape ", requested, " has fewer dimensions than ",
           x.shape(), "; expected at least as many");
  Shape shape = requested;
  Strides strides = Strides::filled(shape.rank(), 0);
  const int shift = shape.rank() - x.dim();
  for (int i = 0; i < shape.rank(); ++i) {
    const int64_t own = i < shift ? 1 : x.shape()[i - shift];
    if (shape[i] == -1 && i >= shift) shape[i] = own;
    op.check(shape[i] >= 0 && (own == shape[i] || own == 1), "size ", shape[i], " at dimension ", i,
             " of ", requested, " for a tensor of shape ", x.shape(),
             "; expected its own size, or any where that is 1");
    if (i >= shift && own == shape[i]) strides[i] = x.strides()[i - shift];
  }
  checked_numel("expand", shape);
  return op.view(
      make_view(x, shape, strides, x.impl()->offset),
      [from = x.shape()](const Backward& g) -> Grads { return {sum_to_size(g.dy(0), from)}; });
}

Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step) {
  const Op op("slice", {x}, {{"dim", dim}, {"start", start}, {"end", end}, {"step", step}});
  op.check(x.dim() > 0, "a 0-dimensional tensor; expected one dimension or more");
  op.check<IndexError>(step >= 1, "step ", step, "; expected 1 or more");
  const int d = normalize_dim("slice", dim, x.dim());
  const int64_t size = x.shape()[d];
  const auto clamp = [size](int64_t i) {
    return std::clamp<int64_t>(i < 0 ? i + size : i, 0, size);
  };
  const int64_t first = clamp(start), last = std::max(first, clamp(end));
  Shape shape = x.shape();
  Strides strides = x.strides();
  // Rounded up without `+ step - 1`, and the stride left alone where nobody takes a second step:
  // any step will do.
  shape[d] = last > first ? (last - first - 1) / step + 1 : 0;
  const int64_t offset = x.impl()->offset + (shape[d] == 0 ? 0 : first * strides[d]);
  if (shape[d] > 1) strides[d] *= step;
  return op.view(make_view(x, shape, strides, offset),
                 [from = x.shape(), d, first, step](const Backward& g) -> Grads {
                   Tensor dy = g.dy(0);
                   if (step > 1 && dy.shape()[d] > 1) {
                     // Spreads the elements: each is followed by step - 1 zeros, except the last.
                     Shape apart = dy.shape();
                     apart.insert(d + 1, step - 1);
                     dy = cat({unsqueeze(dy, d + 1), zeros(apart, dy.dtype())}, d + 1);
                     dy = flatten(dy, d, d + 1);
                     dy = slice(dy, d, 0, dy.shape()[d] - (step - 1));
                   }
                   return {padded(g, dy, from, d, first)};
                 });
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  check_defined("narrow", x, 0);
  check<ShapeError>(x.dim() > 0, "narrow: a 0-dimensional tensor; expected one dimension or more");
  const int64_t size = x.shape()[normalize_dim("narrow", dim, x.dim())];
  check<IndexError>(start >= -size && start <= size, "narrow: start ", start, " at dimension ", dim,
                    " of shape ", x.shape(), "; expected a value in [", -size, ", ", size, "]");
  const int64_t first = start < 0 ? start + size : start;
  check<IndexError>(length >= 0 && length <= size - first, "narrow: length ", length,
                    " from start ", start, " at dimension ", dim, " of shape ", x.shape(),
                    "; expected a length in [0, ", size - first, "]");
  return slice(x, dim, first, first + length);
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  check_defined("unbind", x, 0);
  check<ShapeError>(x.dim() > 0, "unbind: a 0-dimensional tensor; expected one dimension or more");
  const int d = normalize_dim("unbind", dim, x.dim());
  std::vector<Tensor> parts;
  parts.reserve(static_cast<size_t>(x.shape()[d]));
  for (int64_t i = 0; i < x.shape()[d]; ++i) parts.push_back(select(x, d, i));
  return parts;
}

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  const Op op("select", {x}, {{"dim", dim}, {"index", index}});
  op.check(x.dim() > 0, "a 0-dimensional tensor; expected one dimension or more");
  const int d = normalize_dim("select", dim, x.dim());
  const int64_t size = x.shape()[d];
  op.check<IndexError>(index >= -size && index < size, "index ", index, " at dimension ", dim,
                       " of shape ", x.shape(), "; expected a value in [", -size, ", ", size - 1,
                       "]");
  const int64_t at = index < 0 ? index + size : index;
  Shape shape = x.shape();
  Strides strides = x.strides();
  const int64_t offset = x.impl()->offset + at * strides[d];
  shape.erase(d);
  strides.erase(d);
  return op.view(make_view(x, shape, strides, offset),
                 [from = x.shape(), d, at](const Backward& g) -> Grads {
                   return {padded(g, unsqueeze(g.dy(0), d), from, d, at)};
                 });
}

}  // namespace adjoint
