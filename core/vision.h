// Images read at other places than they were written: resizing, sampling along a grid, channels
// and places exchanged.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace adjoint {

// `linear` is of one size, `bilinear` and `bicubic` of two, `trilinear` of three; `area` is
// adaptive_avg_pool. `nearest` takes floor(i in / out), `nearest_exact` the element whose centre is
// nearest.
enum class InterpolateMode : uint8_t {
  nearest,
  nearest_exact,
  linear,
  bilinear,
  bicubic,
  trilinear,
  area
};

struct InterpolateOptions {
  // One of the two: the sizes of the result, or what they are multiplied by and rounded down; one
  // entry for each size, or one for all.
  Shape size = {};
  std::vector<double> scale_factor = {};
  InterpolateMode mode = InterpolateMode::nearest;
  // Whether the centres of the corners' elements, not their outer edges, fall on each other. Of the
  // linear modes and bicubic only; false if it is not given.
  std::optional<bool> align_corners = std::nullopt;
  // Whether places come from the sizes, where a scale_factor is given, and not from that itself.
  bool recompute_scale_factor = false;
  // Where a size shrinks, weights reach as far as the elements of the result are apart, so that
  // none of x is passed over, as in Pillow (which has a = -0.5). Of bilinear and bicubic only.
  bool antialias = false;
};

// (N, C, sizes...), one to three of them, resized. Bicubic: Keys 1981, a = -0.75; with antialias,
// as in PyTorch, -0.5.
Tensor interpolate(const Tensor& x, const InterpolateOptions& options);

enum class GridSampleMode : uint8_t { bilinear, nearest, bicubic };
// What lies outside: zeros, the border's elements, or the image mirrored at its border.
enum class GridSamplePadding : uint8_t { zeros, border, reflection };

struct GridSampleOptions {
  GridSampleMode mode = GridSampleMode::bilinear;  // bicubic: of two sizes only
  GridSamplePadding padding_mode = GridSamplePadding::zeros;
  // Whether -1 and 1 are the centres of the first and last elements, or their outer edges.
  bool align_corners = false;
};

// x (N, C, H, W) at the places grid (N, h, w, 2), pairs (x, y) in [-1, 1]: (N, C, h, w); or x
// (N, C, D, H, W) at (N, d, h, w, 3). Jaderberg and others 2015, arXiv 1506.02025.
Tensor grid_sample(const Tensor& x, const Tensor& grid, const GridSampleOptions& options = {});

// The grid of an affine map: theta (N, 2, 3) for a result of `size` (N, C, H, W) gives
// (N, H, W, 2); theta (N, 3, 4) for (N, C, D, H, W) gives (N, D, H, W, 3).
Tensor affine_grid(const Tensor& theta, const Shape& size, bool align_corners = false);

// (..., C r^2, H, W) to (..., C, H r, W r), and back. Shi and others 2016, arXiv 1609.05158.
Tensor pixel_shuffle(const Tensor& x, int64_t upscale_factor);
Tensor pixel_unshuffle(const Tensor& x, int64_t downscale_factor);
// Channels of (N, C, ...) in the order 0, C / groups, 2 C / groups, ..., 1, ... Zhang and others
// 2017, arXiv 1707.01083.
Tensor channel_shuffle(const Tensor& x, int64_t groups);

}  // namespace adjoint
