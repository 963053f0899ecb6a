// Padding: a tensor with elements before and after those of each dimension.
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include <algorithm>

#include "core/autograd/gradient_ops.h"
#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// How many elements each dimension gets; negative ones are taken away.
struct Pads {
  Shape before, after;

  Shape apply(const Shape& shape) const {
    Shape result = shape;
    for (int d = 0; d < shape.rank(); ++d) result[d] += before[d] + after[d];
    return result;
  }
  bool any_negative() const {
    const auto negative = [](int64_t n) { return n < 0; };
    return std::any_of(before.begin(), before.end(), negative) ||
           std::any_of(after.begin(), after.end(), negative);
  }
  // Those that f makes of these.
  template <class F>
  Pads map(F f) const {
    Pads result = *this;
    std::transform(before.begin(), before.end(), result.before.begin(), f);
    std::transform(after.begin(), after.end(), result.after.begin(), f);
    return result;
  }
};

const char* name_of(PadMode mode) {
  constexpr const char* names[] = {"constant", "reflect", "replicate", "circular"};
  return names[static_cast<int>(mode)];
}

Pads read_pads(const Tensor& x, const std::vector<int64_t>& pad) {
  check<ShapeError>(pad.size() % 2 == 0 && static_cast<int>(pad.size()) <= 2 * x.dim(),
                    "pad: ", pad.size(), " numbers for a tensor of shape ", x.shape(),
                    "; expected two for each of its last dimensions");
  Pads pads{Shape::filled(x.dim(), 0), Shape::filled(x.dim(), 0)};
  for (size_t i = 0; i < pad.size(); i += 2) {
    const int d = x.dim() - 1 - static_cast<int>(i / 2);
    const int64_t size = x.shape()[d], before = pad[i], after = pad[i + 1];
    constexpr int64_t kMost = int64_t{1} << 58;
    check<ShapeError>(std::max(before, after) <= kMost && before >= -size && after >= -size &&
                          size + before + after >= 0,
                      "pad: ", before, " before and ", after, " after dimension ", d, " of shape ",
                      x.shape(),
                      "; expected no less than is there and a size that memory can hold");
    pads.before[d] = before;
    pads.after[d] = after;
  }
  checked_numel("pad", pads.apply(x.shape()));
  return pads;
}

// y's elements that are those of x of `shape`, in the dimensions [0, dims).
Tensor inside(const Tensor& y, const Pads& pads, const Shape& shape, int dims) {
  Tensor part = y;
  for (int d = 0; d < dims; ++d) part = make_part(part, d, pads.before[d], shape[d]);
  return part;
}

// y = x with `value` around it;   dx = dy without that, with zeros for what was cut off
Tensor padded(const Tensor& x, const Pads& pads, Scalar value) {
  const Op op("pad", {x},
              {{"before", pads.before}, {"after", pads.after}, {"value", value.real()}});
  const Pads added = pads.map([](int64_t n) { return std::max<int64_t>(n, 0); });
  Tensor kept = x.detach();
  for (int d = 0; d < x.dim(); ++d) {
    const int64_t skip = std::max<int64_t>(-pads.before[d], 0);
    const int64_t rest = std::max<int64_t>(-pads.after[d], 0);
    kept = make_part(kept, d, skip, x.shape()[d] - skip - rest);
  }
  const Shape& core = kept.shape();
  Tensor y = make_empty("pad", pads.apply(x.shape()), x.dtype());
  for (int d = 0; d < x.dim(); ++d) {
    const Tensor slab = inside(y, added, core, d);
    gradient_ops::fill(make_part(slab, d, 0, added.before[d]), value);
    gradient_ops::fill(make_part(slab, d, added.before[d] + core[d], added.after[d]), value);
  }
  write_elements(inside(y, added, core, x.dim()), kept);
  return op.differentiable(y, [pads](const Backward& b) -> Grads {
    return {padded(b.dy(0), pads.map([](int64_t n) { return -n; }), 0)};
  });
}

// The same elements in the opposite order along d.
Tensor flipped(const Tensor& x, int d) {
  Strides strides = x.strides();
  const int64_t last = (x.shape()[d] - 1) * strides[d];
  strides[d] = -strides[d];
  return make_view(x, x.shape(), strides, x.impl()->offset + last);
}

// One border of a dimension, and the elements that it repeats.
struct Border {
  Tensor border, source;
};

// The two borders of dimension d of y, whose elements [before, before + size) are the input's. The
// source of `replicate` is one element.
std::array<Border, 2> borders(const Tensor& y, const Pads& pads, int d, int64_t size,
                              PadMode mode) {
  const int64_t before = pads.before[d], after = pads.after[d], end = before + size;
  std::array<Border, 2> result;
  const auto set = [&](Border& one, int64_t start, int64_t count, int64_t from) {
    if (count == 0) return;
    one.border = make_part(y, d, start, count);
    one.source = make_part(y, d, from, mode == PadMode::replicate ? 1 : count);
    if (mode == PadMode::reflect) one.source = flipped(one.source, d);
  };
  switch (mode) {
    case PadMode::reflect:
      set(result[0], 0, before, before + 1);
      set(result[1], end, after, end - 1 - after);
      break;
    case PadMode::circular:
      set(result[0], 0, before, end - before);
      set(result[1], end, after, before);
      break;
    default:
      set(result[0], 0, before, before);
      set(result[1], end, after, end - 1);
  }
  return result;
}

// Few elements of the last dimension are written each with those of all rows: row by row a copy
// costs more than what it moves.
void write_border(const Border& one, int d) {
  constexpr int64_t kShortRun = 16;
  const int64_t count = one.border.shape()[d];
  if (d + 1 < one.border.dim() || count >= kShortRun) {
    write_elements(one.border, one.source);
    return;
  }
  const bool repeats = one.source.shape()[d] == 1;
  for (int64_t i = 0; i < count; ++i) {
    write_elements(make_part(one.border, d, i, 1), make_part(one.source, d, repeats ? 0 : i, 1));
  }
}

Tensor unwrapped(const Tensor& dy, const Pads& pads, const Shape& shape, PadMode mode);

// y = x with borders that repeat its elements;   dx = dy inside, with that of the borders added.
// REQUIRES: no negative pads.
Tensor wrapped(const Tensor& x, const Pads& pads, PadMode mode) {
  const Op op("pad", {x},
              {{"before", pads.before}, {"after", pads.after}, {"mode", name_of(mode)}});
  const Shape& shape = x.shape();
  Tensor y = make_empty("pad", pads.apply(shape), x.dtype());
  if (y.numel() > 0) {
    write_elements(inside(y, pads, shape, x.dim()), x);
    for (int d = x.dim() - 1; d >= 0; --d) {
      for (const Border& one : borders(inside(y, pads, shape, d), pads, d, shape[d], mode)) {
        if (one.border.defined()) write_border(one, d);
      }
    }
  }
  return op.differentiable(y, [pads, from = shape, mode](const Backward& b) -> Grads {
    return {unwrapped(b.dy(0), pads, from, mode)};
  });
}

// The gradient of `wrapped`;   ddy = the gradient, wrapped
Tensor unwrapped(const Tensor& dy, const Pads& pads, const Shape& shape, PadMode mode) {
  const Op op("pad_backward", {dy},
              {{"before", pads.before}, {"after", pads.after}, {"mode", name_of(mode)}});
  Tensor dx = make_empty("pad_backward", shape, dy.dtype());
  if (dx.numel() > 0) {
    const NoGrad guard;
    const Tensor sums = make_empty("pad_backward", dy.shape(), computed_in(dy.dtype()));
    write_elements(sums, dy);
    for (int d = 0; d < shape.rank(); ++d) {
      for (const Border& one : borders(inside(sums, pads, shape, d), pads, d, shape[d], mode)) {
        if (!one.border.defined()) continue;
        // The source is what is written here: its order is the border's.
        const bool turned = mode == PadMode::reflect;
        const Tensor to = turned ? flipped(one.source, d) : one.source;
        gradient_ops::add_in_place(to, turned                       ? flipped(one.border, d)
                                       : mode == PadMode::replicate ? sum(one.border, d, kKeepDim)
                                                                    : one.border);
      }
    }
    write_elements(dx, inside(sums, pads, shape, shape.rank()));
  }
  return op.differentiable(
      dx, [pads, mode](const Backward& b) -> Grads { return {wrapped(b.dy(0), pads, mode)}; });
}

void check_wrapped(const Tensor& x, const Pads& pads, size_t numbers, PadMode mode) {
  const int dims = static_cast<int>(numbers) / 2;
  const char* name = name_of(mode);
  check<ShapeError>(dims >= 1 && dims <= 3 && (x.dim() == dims + 1 || x.dim() == dims + 2),
                    "pad: ", numbers, " numbers of mode ", name, " for a tensor of shape ",
                    x.shape(),
                    "; expected 2, 4 or 6 for the last one, two or three of one or two "
                    "dimensions more");
  for (int d = x.dim() - dims; d < x.dim(); ++d) {
    const int64_t size = x.shape()[d], most = std::max(pads.before[d], pads.after[d]);
    const bool fits = mode == PadMode::reflect    ? most < std::max<int64_t>(size, 1)
                      : mode == PadMode::circular ? most <= size
                                                  : most <= 0 || size > 0;
    check<ShapeError>(fits, "pad: ", most, " elements of mode ", name, " at dimension ", d,
                      " of shape ", x.shape(), "; expected ",
                      mode == PadMode::reflect    ? "fewer than its size"
                      : mode == PadMode::circular ? "at most its size"
                                                  : "a dimension with elements");
  }
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<int64_t>& pad, PadMode mode, Scalar value) {
  check_defined("pad", x, 0);
  const Pads pads = read_pads(x, pad);
  if (mode == PadMode::constant) return padded(x, pads, value);
  const Pads added = pads.map([](int64_t n) { return std::max<int64_t>(n, 0); });
  const Pads cut = pads.map([](int64_t n) { return std::min<int64_t>(n, 0); });
  // As PyTorch: a circle is closed of what is left, an edge is that of the whole.
  const bool cut_first = mode == PadMode::circular && pads.any_negative();
  const Tensor from = cut_first ? padded(x, cut, 0) : x;
  check_wrapped(from, added, pad.size(), mode);
  const Tensor y = wrapped(from, added, mode);
  return cut_first || !pads.any_negative() ? y : padded(y, cut, 0);
}

}  // namespace adjoint
