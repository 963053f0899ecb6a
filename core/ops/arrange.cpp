// Copies of a tensor's elements in another arrangement: repeated, rolled, flipped; and grids.
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include <algorithm>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// The product of the sizes [first, last).
int64_t product(const Shape& shape, int first, int last) {
  int64_t result = 1;
  for (int d = first; d < last; ++d) result *= shape[d];
  return result;
}

// y[i, t] = x[i, 0];   dx = the sums of dy over t
Tensor interleaved(const Tensor& x, int64_t times) {
  const Op op("repeat_interleave", {x}, {{"times", times}});
  Tensor y = make_empty(op.name(), {x.shape()[0], times}, x.dtype());
  for (int64_t t = 0; t < times; ++t) write_elements(make_part(y, 1, t, 1), x);
  return op.differentiable(
      y, [](const Backward& b) -> Grads { return {sum(b.dy(0), {1}, kKeepDim)}; });
}

// Blocks of `block` elements, each `times` times in a row, in the given shape.
Tensor repeat_blocks(const Tensor& x, int64_t count, int64_t block, int64_t times,
                     const Shape& shape) {
  // Runs of few elements cost a copy more than its memory: a pass for each of the times instead.
  constexpr int64_t kShortRun = 16;
  if (block == 1 && times < kShortRun) {
    return reshape(interleaved(reshape(x, {count, 1}), times), shape);
  }
  const Tensor once = reshape(x, {count, 1, block});
  return reshape(contiguous(expand(once, {count, times, block})), shape);
}

}  // namespace

Tensor repeat(const Tensor& x, const Shape& sizes) {
  check_defined("repeat", x, 0);
  check<ShapeError>(sizes.rank() >= x.dim(), "repeat: sizes ", sizes, " for a tensor of shape ",
                    x.shape(), "; expected at least one for each dimension");
  Shape shape = x.shape(), result = x.shape();
  while (shape.rank() < sizes.rank()) shape.insert(0, 1);
  result = shape;
  for (int d = 0; d < sizes.rank(); ++d) {
    check<ShapeError>(sizes[d] >= 0 && !__builtin_mul_overflow(shape[d], sizes[d], &result[d]),
                      "repeat: sizes ", sizes, " for a tensor of shape ", x.shape(),
                      "; expected 0 or more, and sizes that memory can hold");
  }
  checked_numel("repeat", result);
  Tensor y = reshape(x, shape);
  // From the last dimension on, so that little is copied twice.
  bool copied = false;
  for (int d = sizes.rank() - 1; d >= 0; --d) {
    if (sizes[d] == 1) continue;
    const int64_t count = product(shape, 0, d), block = product(shape, d, shape.rank());
    shape[d] = result[d];
    y = repeat_blocks(y, count, block, sizes[d], shape);
    copied = true;
  }
  return copied ? y : row_major(y);
}

Tensor tile(const Tensor& x, const Shape& sizes) {
  check_defined("tile", x, 0);
  for (const int64_t size : sizes) {
    check<ShapeError>(size >= 0, "tile: sizes ", sizes, "; expected 0 or more");
  }
  Shape all = sizes;
  while (all.rank() < x.dim()) all.insert(0, 1);
  return repeat(x, all);
}

Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
  check_defined("repeat_interleave", x, 0);
  check<ConfigError>(repeats >= 0, "repeat_interleave: repeats is ", repeats,
                     "; expected 0 or more");
  const Tensor y = dim.has_value() && x.dim() > 0 ? x : flatten(x);
  const int d = normalize_dim("repeat_interleave", dim.value_or(0), y.dim());
  Shape shape = y.shape();
  check<ShapeError>(!__builtin_mul_overflow(shape[d], repeats, &shape[d]),
                    "repeat_interleave: repeats is ", repeats, " for shape ", x.shape(),
                    "; expected sizes that memory can hold");
  checked_numel("repeat_interleave", shape);
  const int64_t count = product(y.shape(), 0, d + 1), block = product(shape, d + 1, shape.rank());
  if (repeats == 1) return row_major(y);
  return repeat_blocks(y, count, block, repeats, shape);
}

Tensor repeat_interleave(const Tensor& x, const Tensor& repeats, std::optional<int64_t> dim) {
  check_defined("repeat_interleave", x, 0);
  check_defined("repeat_interleave", repeats, 1);
  check<DTypeError>(repeats.dtype() == DType::i64 || repeats.dtype() == DType::i32,
                    "repeat_interleave: repeats of dtype ", repeats.dtype(),
                    "; expected i64 or i32");
  const Tensor y = dim.has_value() && x.dim() > 0 ? x : flatten(x);
  const int d = normalize_dim("repeat_interleave", dim.value_or(0), y.dim());
  const int64_t size = y.shape()[d];
  check<ShapeError>(repeats.dim() <= 1 && (repeats.numel() == size || repeats.numel() == 1),
                    "repeat_interleave: repeats of shape ", repeats.shape(), " for ", size,
                    " elements at dimension ", d, " of shape ", y.shape(), "; expected (", size,
                    ",) or one number");
  const std::vector<int64_t> times = to(repeats, DType::i64).to_vector<int64_t>();
  std::vector<int64_t> from;
  for (int64_t i = 0; i < size; ++i) {
    const int64_t count = times[times.size() == 1 ? 0 : static_cast<size_t>(i)];
    check<ConfigError>(count >= 0, "repeat_interleave: ", count, " repeats at ", i,
                       "; expected 0 or more");
    from.insert(from.end(), static_cast<size_t>(count), i);
  }
  const Tensor first = movedim(y, d, 0);
  Shape shape = first.shape();
  const Tensor rows = reshape(first, {size, product(shape, 1, shape.rank())});
  shape[0] = static_cast<int64_t>(from.size());
  return movedim(reshape(embedding(from_vector(std::move(from)), rows), shape), 0, d);
}

namespace {

// y = x with each dimension's last amounts[d] elements before the others.
void write_rolled(const Tensor& y, const Tensor& x, const Shape& amounts, int dim) {
  while (dim < amounts.rank() && amounts[dim] == 0) ++dim;
  if (dim == amounts.rank()) {
    write_elements(y, x);
    return;
  }
  const int64_t last = amounts[dim], rest = x.shape()[dim] - last;
  write_rolled(make_part(y, dim, 0, last), make_part(x, dim, rest, last), amounts, dim + 1);
  write_rolled(make_part(y, dim, last, rest), make_part(x, dim, 0, rest), amounts, dim + 1);
}

// y[i + amount] = x[i], modulo each size;   dx = dy rolled back
Tensor rolled(const Tensor& x, const Shape& amounts) {
  const Op op("roll", {x}, {{"shifts", amounts}});
  Tensor y = make_empty("roll", x.shape(), x.dtype());
  write_rolled(y, x, amounts, 0);
  Shape back = amounts;
  for (int d = 0; d < back.rank(); ++d) back[d] = back[d] == 0 ? 0 : x.shape()[d] - back[d];
  return op.differentiable(y,
                           [back](const Backward& b) -> Grads { return {rolled(b.dy(0), back)}; });
}

}  // namespace

Tensor roll(const Tensor& x, const Shape& shifts, const Shape& dims) {
  check_defined("roll", x, 0);
  if (dims.empty() && shifts.rank() == 1 && x.dim() != 1) {
    return reshape(roll(flatten(x), shifts, 0), x.shape());
  }
  const Shape along = dims.empty() ? Shape{0} : dims;
  check<ShapeError>(shifts.rank() == along.rank() && !shifts.empty(), "roll: shifts ", shifts,
                    " along dims ", dims, "; expected one for each, or one shift without dims");
  Shape amounts = Shape::filled(x.dim(), 0);
  for (int i = 0; i < along.rank(); ++i) {
    check<ShapeError>(x.dim() > 0, "roll: a 0-dimensional tensor along dims ", dims,
                      "; expected one dimension or more");
    const int d = normalize_dim("roll", along[i], x.dim());
    const int64_t size = x.shape()[d];
    if (size == 0) continue;
    amounts[d] = ((amounts[d] + shifts[i] % size) % size + size) % size;
  }
  return rolled(x, amounts);
}

// y = x with the elements along the dims in the opposite order;   dx = dy flipped
Tensor flip(const Tensor& x, const Shape& dims) {
  const Op op("flip", {x}, {{"dims", dims}});
  Strides strides = x.strides();
  int64_t offset = x.impl()->offset;
  bool seen[kMaxDims] = {};
  for (const int64_t dim : dims) {
    const int d = normalize_dim("flip", dim, x.dim());
    op.check(!seen[d], "dimension ", dim, " twice in ", dims, "; expected each once");
    seen[d] = true;
    if (x.numel() == 0 || x.dim() == 0) continue;
    offset += (x.shape()[d] - 1) * strides[d];
    strides[d] = -strides[d];
  }
  Tensor y = make_like("flip", x, x.dtype());
  write_elements(y, make_view(x, x.shape(), strides, offset));
  return op.differentiable(y, [dims](const Backward& b) -> Grads { return {flip(b.dy(0), dims)}; });
}

std::vector<Tensor> meshgrid(std::span<const Tensor> tensors, Indexing indexing) {
  check<ShapeError>(!tensors.empty() && tensors.size() <= kMaxDims, "meshgrid: ", tensors.size(),
                    " tensors; expected 1 to ", kMaxDims);
  std::vector<Tensor> in(tensors.begin(), tensors.end());
  Shape shape;
  for (size_t i = 0; i < in.size(); ++i) {
    check_defined("meshgrid", in[i], static_cast<int>(i));
    check<ShapeError>(in[i].dim() <= 1, "meshgrid: input ", i, " of shape ", in[i].shape(),
                      "; expected at most one dimension");
    check<DTypeError>(in[i].dtype() == in[0].dtype(), "meshgrid: input ", i, " of dtype ",
                      in[i].dtype(), " beside ", in[0].dtype(), "; expected one dtype");
    shape.push_back(in[i].numel());
  }
  const bool exchanged = indexing == Indexing::xy && in.size() >= 2;
  if (exchanged) std::swap(shape[0], shape[1]);
  for (size_t i = 0; i < in.size(); ++i) {
    Shape own = Shape::filled(shape.rank(), 1);
    const size_t place = exchanged && i < 2 ? 1 - i : i;
    own[static_cast<int>(place)] = -1;
    if (in[i].numel() == 0) own[static_cast<int>(place)] = 0;
    in[i] = expand(reshape(in[i], own), shape);
  }
  return in;
}

}  // namespace adjoint
