// Tiles of convolutions by kernels of 3 by 3 with stride 1, by minimal filtering F(2x2, 3x3)
// (Winograd 1980; Lavin and Gray 2016, arXiv 1509.09308): 16 products for a tile of 2 by 2 results
// where windows take 36. For f32, and kernel sources only.
//
// Note [Winograd]. With a tile's inputs d (4 by 4), the kernel g (3 by 3) and
//     B^T = 1  0 -1  0     G = 1    0    0     A^T = 1  1  1  0
//           0  1  1  0         1/2  1/2  1/2         0  1 -1  1
//           0 -1  1  0         1/2 -1/2  1/2
//           0 -1  0  1         0    0    1
// a tile of results is y = A^T (sum over channels of U * V) A, where U = G g G^T, V = B^T d B and *
// multiplies elements: 16 products of matrices, (channels of the result) by (channels) by (tiles).
// Backward, sum over tiles: dU = sum of (A dy A^T) * V, and dg = G^T dU G.
//
// Rounding. Each element of U and V is a sum of at most 9 and 4 terms, a result one of 9 of the
// sums over C channels: with absolute values throughout,
//     |error of y| <= (C + 12) eps |A|^T (sum over channels of (|G| |g| |G|^T) * (|B|^T |d| |B|))
//     |A|
// to first order, where windows have (9 C) eps sum |g| |d|. For numbers of random signs the errors
// of both are of one size; but a result that is small among large neighbours in its tile has
// theirs.
//
// A number that is not finite, or a sum that overflows, would spread over its tile. So every result
// is looked at, and if one is not finite all are computed again from windows: what is finite there
// is finite, whatever the tiles. That depends on the numbers alone, as the choice of the tiles does
// on sizes, so bits depend on no thread.
#pragma once

#include "core/kernels/conv_padded.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

constexpr int kPoints = 16;  // of a tile, transformed

// Whether tiles are worth their transforms.
inline bool suits_winograd(const ConvShape& s) {
  for (int d = 0; d < 3; ++d) {
    const bool whole = d == 0 ? s.kernel[d] == 1 && s.in[d] == 1 && s.out[d] == 1
                              : s.kernel[d] == 3 && s.dilation[d] == 1;
    if (!whole || s.stride[d] != 1 || (d == 0 && s.padding[d] != 0)) return false;
  }
  const int64_t tiles = s.batch * ceil_div(s.out[1], 2) * ceil_div(s.out[2], 2);
  return s.in_channels >= 16 && s.out_channels >= 16 && tiles >= 32;
}

// The tiles as positions, as Regions divide them.
inline ConvShape tiles_of(const ConvShape& s) {
  ConvShape tiles = s;
  tiles.out[1] = ceil_div(s.out[1], 2);
  tiles.out[2] = ceil_div(s.out[2], 2);
  return tiles;
}

// The inputs of a region's tiles, channel by channel. Tile (y, n, x) of the region, image n, is
// number (y images + n) columns + x: so the inputs at one place of neighbouring tiles are
// neighbours in `rows`, also across rows and images.
struct TileInputs {
  ConvShape s;
  Region r;  // of tiles
  int64_t line, plane;
  float* padded;  // (images, 2 rows + 2, line): a channel and zeros around it
  float* rows;    // B^T along rows: (4, parity of the row, row / 2, image, column of tiles)

  static int64_t line_of(const Tile& tile) { return 2 * tile.size[2] + 2; }
  static int64_t plane_of(const Tile& tile) {
    return (tile.size[1] + 1) * tile.images * tile.size[2];
  }
  static int64_t padded_size(const Tile& tile) {
    const int64_t size = tile.images * (2 * tile.size[1] + 2) * line_of(tile);
    return ceil_div(size + 2 * Vec<float>::size, 16) * 16;
  }
  static int64_t memory_size(const Tile& tile) {
    return padded_size(tile) + ceil_div(8 * plane_of(tile) + Vec<float>::size, 16) * 16;
  }

  TileInputs(const ConvShape& shape, const Tile& tile, const Region& region, float* memory)
      : s(shape),
        r(region),
        line(line_of(tile)),
        plane(plane_of(tile)),
        padded(memory),
        rows(memory + padded_size(tile)) {
    fill_zeros(memory, memory_size(tile));
  }

  // The rows of the input that are there, counted from the region's first.
  int64_t first_row() const { return max_of(0, s.padding[1] - 2 * r.begin[1]); }
  int64_t end_row() const {
    return min_of(2 * r.size[1] + 2, s.in[1] + s.padding[1] - 2 * r.begin[1]);
  }

  // B^T along the rows of one channel; `in` is that of the region's first image, of which the next
  // lies `image` behind. What is zero once stays so for all channels.
  void read(const float* in, int64_t image) const {
    using V = Vec<float>;
    const int64_t column = 2 * r.begin[2] - s.padding[2], columns = r.size[2];
    const int64_t from = max_of(0, -column), to = min_of(2 * columns + 2, s.in[2] - column);
    const int64_t first = first_row(), end = end_row(), of_image = (2 * r.size[1] + 2) * line;
    for (int64_t n = 0; n < r.images; ++n) {
      for (int64_t h = first; h < end; ++h) {
        const int64_t row = 2 * r.begin[1] - s.padding[1] + h;
        copy_spaced(padded + n * of_image + h * line + from,
                    in + n * image + row * s.in[2] + column + from, 1, to - from);
      }
    }
    for (int64_t h = first; h < end; ++h) {
      for (int64_t n = 0; n < r.images; ++n) {
        const float* const p = padded + n * of_image + h * line;
        float* const place = rows + h % 2 * plane + (h / 2 * r.images + n) * columns;
        for (int64_t x = 0; x < columns; x += V::size) {
          const int lanes = static_cast<int>(min_of(V::size, columns - x));
          V d0, d1, d2, d3;
          load_pairs(p + 2 * x, d0, d1);
          load_pairs(p + 2 * x + 2, d2, d3);
          (d0 - d2).store_n(place + x, lanes);
          (d1 + d2).store_n(place + x + 2 * plane, lanes);
          (d2 - d1).store_n(place + x + 4 * plane, lanes);
          (d3 - d1).store_n(place + x + 6 * plane, lanes);
        }
      }
    }
  }

  // V of a register of tiles from number `first` on: `to` has the points `point` apart.
  ADJOINT_INLINE void transform(int64_t first, float* to, int64_t point) const {
    using V = Vec<float>;
    const int64_t below = r.images * r.size[2];
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const float* const p = rows + 2 * j * plane + first;
      const V d0 = V::load(p), d1 = V::load(p + plane);
      const V d2 = V::load(p + below), d3 = V::load(p + plane + below);
      (d0 - d2).store(to + j * point);
      (d1 + d2).store(to + (4 + j) * point);
      (d2 - d1).store(to + (8 + j) * point);
      (d3 - d1).store(to + (12 + j) * point);
    }
  }
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
