// Channels and places exchanged, and the grids of affine maps.
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/vision.h>

#include <vector>

#include "core/ops/pointwise.h"
#include "core/ops/resample.h"

namespace adjoint {
namespace {

// What pixel_shuffle and its inverse ask for: (..., channels, H, W).
void check_image(const char* op, const Tensor& x, int64_t factor) {
  check_defined(op, x, 0);
  check<ShapeError>(x.dim() >= 3, op, ": input of shape ", x.shape(),
                    "; expected (..., channels, height, width)");
  check<ConfigError>(factor >= 1 && factor <= 0x7fff, op, ": factor ", factor,
                     "; expected a value in [1, 32767]");
}

Shape leading(const Tensor& x, int64_t without) {
  return Shape(x.shape().span().first(static_cast<size_t>(x.dim() - without)));
}

Shape joined(Shape a, const Shape& b) {
  for (const int64_t size : b) a.push_back(size);
  return a;
}

// -1 to 1 in n steps: the centres of the first and last elements, or their outer edges.
double centre(int64_t i, int64_t n, bool align_corners) {
  if (n == 1) return 0;
  const double at = -1 + 2 * static_cast<double>(i) / static_cast<double>(n - 1);
  return align_corners ? at : at * static_cast<double>(n - 1) / static_cast<double>(n);
}

// The centres of all places (x, y, 1), or (x, y, z, 1): (places, rank + 1), the last size first.
Tensor centres(const Shape& sizes, bool align_corners) {
  std::vector<double> rows;
  const int rank = sizes.rank();
  const int64_t count = sizes.numel();
  rows.reserve(static_cast<size_t>(count * (rank + 1)));
  for (int64_t i = 0; i < count; ++i) {
    const Shape at = unravel_index(i, sizes);
    for (int d = rank - 1; d >= 0; --d) rows.push_back(centre(at[d], sizes[d], align_corners));
    rows.push_back(1);
  }
  return from_vector(rows, {count, rank + 1});
}

}  // namespace

Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor) {
  const int64_t r = upscale_factor;
  check_image("pixel_shuffle", x, r);
  const int64_t c = x.size(-3), h = x.size(-2), w = x.size(-1);
  check<ShapeError>(c % (r * r) == 0, "pixel_shuffle: ", c, " channels of shape ", x.shape(),
                    "; expected a multiple of upscale_factor squared, ", r * r);
  const Shape lead = leading(x, 3);
  const Tensor apart = reshape(x, {lead.numel(), c / (r * r), r, r, h, w});
  return reshape(permute(apart, {0, 1, 4, 2, 5, 3}), joined(lead, {c / (r * r), h * r, w * r}));
}

Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor) {
  const int64_t r = downscale_factor;
  check_image("pixel_unshuffle", x, r);
  const int64_t c = x.size(-3), h = x.size(-2), w = x.size(-1);
  check<ShapeError>(h % r == 0 && w % r == 0, "pixel_unshuffle: height and width of shape ",
                    x.shape(), "; expected multiples of downscale_factor, ", r);
  const Shape lead = leading(x, 3);
  const Tensor apart = reshape(x, {lead.numel(), c, h / r, r, w / r, r});
  return reshape(permute(apart, {0, 1, 3, 5, 2, 4}), joined(lead, {c * r * r, h / r, w / r}));
}

Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  check_defined("channel_shuffle", x, 0);
  check<ShapeError>(x.dim() >= 3, "channel_shuffle: input of shape ", x.shape(),
                    "; expected (N, C, sizes...)");
  const int64_t n = x.shape()[0], c = x.shape()[1];
  check<ShapeError>(groups >= 1 && c % groups == 0, "channel_shuffle: ", groups, " groups of ", c,
                    " channels; expected a divisor of them");
  int64_t rest = 1;
  for (int d = 2; d < x.dim(); ++d) rest *= x.shape()[d];
  const Tensor apart = reshape(x, {n, groups, c / groups, rest});
  return reshape(transpose(apart, 1, 2), x.shape());
}

// grid = theta (x, y, 1);   dtheta = sum over places of dgrid (x, y, 1)
Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners) {
  check_defined("affine_grid", theta, 0);
  check_floating_input("affine_grid", theta);
  const int rank = size.rank() - 2;
  check<ShapeError>(rank == 2 || rank == 3, "affine_grid: size ", size,
                    "; expected (N, C, H, W) or (N, C, D, H, W)");
  for (int d = 1; d < size.rank(); ++d) {
    check<ShapeError>(size[d] > 0, "affine_grid: size ", size,
                      "; expected sizes above 0 after the first");
  }
  const Shape expected = {size[0], rank, rank + 1};
  check<ShapeError>(theta.shape() == expected, "affine_grid: theta of shape ", theta.shape(),
                    " for size ", size, "; expected ", expected);
  Shape sizes(size.span().subspan(2)), shape = sizes;
  shape.insert(0, size[0]);
  shape.push_back(rank);
  const Tensor wide = widened(theta);
  const Tensor places = rounded(centres(sizes, align_corners), wide.dtype());
  return to(reshape(matmul(places, transpose(wide, 1, 2)), shape), theta.dtype());
}

}  // namespace adjoint
