// Sampling along a grid.
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/vision.h>

#include <string>
#include <utility>
#include <vector>

#include "core/ops/pointwise.h"
#include "core/ops/resample.h"
#include "core/ops/sampling.h"

namespace adjoint {
namespace {

constexpr const char* kName = "grid_sample";

// The grid's places in an image of `sizes`, the width's first.
struct Sampling {
  Shape sizes;
  GridSampleOptions options;

  int rank() const { return sizes.rank(); }
  int64_t taps_each() const {
    return options.mode == GridSampleMode::nearest    ? 1
           : options.mode == GridSampleMode::bilinear ? 2
                                                      : 4;
  }
  int64_t taps() const { return taps_each() * taps_each() * (rank() == 3 ? taps_each() : 1); }
};

// REQUIRES: grid is packed, (groups, places, rank), of f32 or f64.
kernels::GridTaps taps_of(const Sampling& s, const Tensor& grid) {
  kernels::GridTaps k{};
  k.groups = grid.shape()[0];
  k.outputs = grid.shape()[1];
  k.rank = s.rank();
  for (int d = 0; d < s.rank(); ++d) k.size[d] = s.sizes[d];
  k.taps_each = s.taps_each();
  k.border = s.options.padding_mode == GridSamplePadding::border;
  k.reflection = s.options.padding_mode == GridSamplePadding::reflection;
  k.align_corners = s.options.align_corners;
  k.grid = grid.raw_data();
  return k;
}

// Mirrored at the centres of the outer elements, or at their edges.
Tensor reflected(const Tensor& at, int64_t size, bool align_corners) {
  const double low = align_corners ? 0 : -0.5;
  const auto span = static_cast<double>(align_corners ? size - 1 : size);
  if (span == 0) return at * 0.0;
  const Tensor off = abs(at - low), rest = fmod(off, span);
  const Tensor even = eq(remainder(floor(off / span), 2.0), 0.0);
  return where(even, rest, span - rest) + low;
}

// The weights of the taps of one size, (groups, taps_each, places), for coordinates (groups,
// places).
Tensor weights_along(const Sampling& s, const Tensor& coordinate, int64_t size) {
  const bool corners = s.options.align_corners;
  const double half = static_cast<double>(corners ? size - 1 : size) / 2;
  Tensor at = (coordinate + 1.0) * half - (corners ? 0.0 : 0.5);
  if (s.options.mode == GridSampleMode::bicubic) {
    const std::array<Tensor, 4> w = cubic_weights(at - floor(at));
    return stack({w[0], w[1], w[2], w[3]}, 1);
  }
  if (s.options.padding_mode == GridSamplePadding::reflection) at = reflected(at, size, corners);
  if (s.options.padding_mode != GridSamplePadding::zeros)
    at = clamp(at, 0.0, static_cast<double>(size - 1));
  const Tensor part = at - floor(at);
  return stack({1.0 - part, part}, 1);
}

// The weights of all taps, (groups, taps, places), those of the width varying fastest.
Tensor composed_weights(const Sampling& s, const Tensor& grid) {
  const int64_t groups = grid.shape()[0], places = grid.shape()[1];
  Tensor all;
  for (int d = 0; d < s.rank(); ++d) {
    const Tensor along = weights_along(s, select(grid, -1, d), s.sizes[d]);
    if (!all.defined()) {
      all = along;
      continue;
    }
    const int64_t taps = along.size(1) * all.size(1);
    all = reshape(unsqueeze(along, 2) * unsqueeze(all, 1), {groups, taps, places});
  }
  return all;
}

// The weights of what lies around each place of the grid, (groups, taps, places), and where that
// is.   dgrid = sum over taps of dweight, by how each weight changes
Tensor grid_weights(const Sampling& s, const Tensor& grid, Tensor& index) {
  const Op op(kName, {grid});
  const Tensor grid0 = packed(grid);
  const Shape shape{grid.shape()[0], s.taps(), grid.shape()[1]};
  Tensor weight = make_empty(kName, shape, grid.dtype());
  index = make_empty(kName, shape, DType::i64);
  kernels::GridTaps k = taps_of(s, grid0);
  k.index = index.impl()->data<int64_t>();
  k.weight = weight.impl()->bytes();
  kernel_table().resample.grid_taps[adjoint::index(grid.dtype())](KernelScope(), k);
  return op.differentiable(weight, [s, grid = op.save(grid)](const Backward& b) -> Grads {
    const Tensor from = *grid;
    if (grad_enabled()) {
      const auto f = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
        return {composed_weights(s, in[0])};
      };
      return Grads(vjp(f, {from}, {b.dy(0)}).second);
    }
    const Tensor packed_grid = packed(from), dweight = packed(b.dy(0));
    Tensor dgrid = make_empty(kName, from.shape(), from.dtype());
    kernels::GridTaps back = taps_of(s, packed_grid);
    back.dweight = dweight.raw_data();
    back.dgrid = dgrid.impl()->bytes();
    kernel_table().resample.grid_taps_backward[adjoint::index(from.dtype())](KernelScope(), back);
    return {dgrid};
  });
}

void check_grid(const Tensor& x, const Tensor& grid, GridSampleMode mode) {
  check_defined(kName, x, 0);
  check_defined(kName, grid, 1);
  check_floating_input(kName, x);
  check<DTypeError>(grid.dtype() == x.dtype(), kName, ": grid of dtype ", grid.dtype(),
                    " for an input of dtype ", x.dtype(), "; expected equal dtypes");
  check<ShapeError>(x.dim() == 4 || x.dim() == 5, kName, ": input of shape ", x.shape(),
                    "; expected (N, C, H, W) or (N, C, D, H, W)");
  const int rank = x.dim() - 2;
  plane_sizes(kName, x, rank);
  check<ShapeError>(
      grid.dim() == x.dim() && grid.shape()[0] == x.shape()[0] && grid.shape().back() == rank,
      kName, ": grid of shape ", grid.shape(), " for an input of shape ", x.shape(), "; expected (",
      x.shape()[0], ", ", rank, " sizes, ", rank, ")");
  check<ConfigError>(mode != GridSampleMode::bicubic || rank == 2, kName,
                     ": mode bicubic for an input of shape ", x.shape(), "; expected 4 dimensions");
}

}  // namespace

// y = sum over taps of weight(grid) x[index(grid)];   dx and dweight as those of gather_taps
Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampleOptions& options) {
  check_grid(x, grid, options.mode);
  const int rank = x.dim() - 2;
  Sampling s{{}, options};
  for (int d = 0; d < rank; ++d) s.sizes.push_back(x.size(-1 - d));
  const Shape places(grid.shape().span().subspan(1, static_cast<size_t>(rank)));
  const int64_t groups = x.shape()[0];
  Tensor index;
  const Tensor weight =
      grid_weights(s, reshape(widened(grid), {groups, places.numel(), rank}), index);
  const Tensor planes = reshape(x, {groups, x.shape()[1], s.sizes.numel()});
  // Steps of the nearest element have no slope, and its weight is 1.
  const bool nearest = options.mode == GridSampleMode::nearest;
  return reshape(gather_taps(kName, planes, index, nearest ? Tensor() : weight),
                 with_sizes(x, places));
}

}  // namespace adjoint
