// Convolutions by kernels of 3 by 3 with stride 1, by minimal filtering F(2x2, 3x3) (Winograd 1980;
// Lavin and Gray 2016, arXiv 1509.09308): 16 products for a tile of 2 by 2 results where windows
// take 36. For f32, and kernel sources only.
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
#include "core/kernels/conv_pairs.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

constexpr int kPoints = 16;  // of a tile, transformed

// A weight by its strides: (group, channel of the result, channel of the input, tap).
template <class T>
struct ConvWeight {
  const T* data;
  int64_t group, row, channel, tap;
};

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

struct Winograd {
  ConvShape s;
  ConvWeight<float> weight;
  const float *in, *bias;
  float* out;
  Tile tile;
  Regions regions;
  float* panels;        // U: (group, panel, point, channel, row of the panel)
  int64_t block;        // channels that are summed at once
  int64_t group;        // panels that are multiplied before their results are turned back
  int64_t point, sums;  // the distance of points in V and in the sums
  int64_t inputs_size, v_size, sums_size, lines_size;
  int* overflow;
};

// The taps of `channels` channels of the input for `height` rows: to[channel][tap][row].
inline void gather_taps(const ConvWeight<float>& w, const float* from, int64_t channels, int height,
                        float* to) {
  using V = Vec<float>;
  if (w.tap == 1) {  // a row's channels and taps lie side by side
    pack(from, w.row, 1, height, height, channels * 9, to);
    return;
  }
  // Rows and taps do, last tap first: squares of them, from where there is room behind the last.
  constexpr int kRows = (kMr + V::size - 1) / V::size * V::size;
  alignas(64) float raw[9 * kRows + 2 * V::size];
  for (int64_t c = 0; c < channels; ++c, to += 9 * height) {
    copy_spaced(raw, from + c * w.channel - 8, 1, 9 * height);
    for (int r = 0; r < height; r += V::size) {
      const int lanes = static_cast<int>(min_of(V::size, height - r));
      for (int t = 0; t < 9; t += V::size) {
        V square[V::size];
        load_transposed(raw + r * 9 + t, 9, lanes, square);
#pragma GCC unroll 16
        for (int i = 0; i < V::size; ++i) {
          if (t + i < 9) square[i].store_n(to + (8 - t - i) * height + r, lanes);
        }
      }
    }
  }
}

// U = G g G^T of `lanes` rows, of which the taps lie `step` apart and the points `point`.
inline void transform_taps(const float* taps, int64_t step, float* to, int64_t point, int lanes) {
  using V = Vec<float>;
  const V half(0.5F);
  V g[4][3];
#pragma GCC unroll 3
  for (int x = 0; x < 3; ++x) {
    const float* const t = taps + x * step;
    const V g0 = V::load(t), g1 = V::load(t + 3 * step), g2 = V::load(t + 6 * step);
    const V outer = half * (g0 + g2), inner = half * g1;
    g[0][x] = g0;
    g[1][x] = outer + inner;
    g[2][x] = outer - inner;
    g[3][x] = g2;
  }
#pragma GCC unroll 4
  for (int y = 0; y < 4; ++y) {
    const V outer = half * (g[y][0] + g[y][2]), inner = half * g[y][1];
    g[y][0].store_n(to + 4 * y * point, lanes);
    (outer + inner).store_n(to + (4 * y + 1) * point, lanes);
    (outer - inner).store_n(to + (4 * y + 2) * point, lanes);
    g[y][2].store_n(to + (4 * y + 3) * point, lanes);
  }
}

// U of a panel of rows.
inline void transform_weight_task(void* context, int64_t task) {
  using V = Vec<float>;
  const Winograd& s = *static_cast<Winograd*>(context);
  const Panels<float> panels(s.s.out_channels);
  const int64_t group = task / panels.count, p = task % panels.count, row = panels.begin(p);
  const int64_t channels = s.s.in_channels;
  const int height = panels.height(p);
  const float* const from = s.weight.data + group * s.weight.group + row * s.weight.row;
  float* const to = s.panels + (group * s.s.out_channels + row) * channels * kPoints;
  constexpr int64_t kAtOnce = 16;
  alignas(64) float taps[kAtOnce * 9 * kMr + V::size];
  for (int64_t c = 0; c < channels; c += kAtOnce) {
    const int64_t some = min_of(kAtOnce, channels - c);
    gather_taps(s.weight, from + c * s.weight.channel, some, height, taps);
    for (int64_t i = 0; i < some; ++i) {
      for (int r = 0; r < height; r += V::size) {
        transform_taps(taps + i * 9 * height + r, height, to + (c + i) * height + r,
                       channels * height, static_cast<int>(min_of(V::size, height - r)));
      }
    }
  }
}

// The results of one channel from its sums, by way of `lines` where a register of tiles is not of
// one row. Adds to `bad` what is not finite if a result is not.
inline void transform_back(const Winograd& s, const Region& r, const float* sums, float bias,
                           float* lines, float* out, Vec<float>& bad) {
  using V = Vec<float>;
  const int64_t tiles = r.positions(), width = s.s.out[2];
  const int64_t of_image = s.s.groups * s.s.out_channels * positions_of_image(s.s);
  const int64_t columns = min_of(2 * r.size[2], width - 2 * r.begin[2]);
  const bool whole = r.size[2] % V::size == 0 && columns == 2 * r.size[2] &&
                     2 * (r.begin[1] + r.size[1]) <= s.s.out[1];
  const int64_t row = whole ? width : s.lines_size / 2;
  int64_t x = 0, y_tile = 0, n_tile = 0;
  for (int64_t t = 0; t < tiles; t += V::size) {
    V m[4][2];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const float* const from = sums + 4 * i * s.sums + t;
      const V m0 = V::load(from), m1 = V::load(from + s.sums), m2 = V::load(from + 2 * s.sums);
      const V m3 = V::load(from + 3 * s.sums);
      m[i][0] = (m0 + m1) + m2;
      m[i][1] = (m1 - m2) + m3;
    }
    const V b(bias);
    V y[2][2];
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      y[0][j] = ((m[0][j] + m[1][j]) + m[2][j]) + b;
      y[1][j] = ((m[1][j] - m[2][j]) + m[3][j]) + b;
    }
    float* to = lines + 2 * t;
    if (whole) {
      to = out + n_tile * of_image + 2 * y_tile * width + 2 * x;
      x += V::size;
      if (x == r.size[2]) {
        x = 0;
        if (++n_tile == r.images) {
          n_tile = 0;
          ++y_tile;
        }
      }
    }
    store_pairs(y[0][0], y[0][1], to);
    store_pairs(y[1][0], y[1][1], to + row);
    V all = (y[0][0] + y[0][1]) + (y[1][0] + y[1][1]);
    if (t + V::size > tiles) {  // behind the last tile anything may stand
      alignas(64) float lanes[V::size];
      all.store(lanes);
      all = V::load_n(lanes, static_cast<int>(tiles - t));
    }
    bad = fma(all, V(0), bad);
  }
  for (int64_t y = 0; !whole && y < r.size[1]; ++y) {
    for (int64_t n = 0; n < r.images; ++n) {
      const float* const from = lines + 2 * (y * r.images + n) * r.size[2];
      float* const to = out + n * of_image + 2 * y * width;
      copy_spaced(to, from, 1, columns);
      if (2 * (r.begin[1] + y) + 1 < s.s.out[1]) {
        copy_spaced(to + width, from + row, 1, columns);
      }
    }
  }
}

// The 16 products for the panels [first, last) of a group of channels.
inline void multiply_points(const Winograd& s, int64_t group, int64_t first, int64_t last,
                            int64_t tiles, const float* v, float* sums) {
  const Panels<float> panels(s.s.out_channels);
  const int64_t channels = s.s.in_channels, sums_row = ceil_div(s.tile.positions(), 16) * 16;
  for (int64_t point = 0; point < kPoints; ++point) {
    for (int64_t c = 0; c < channels; c += s.block) {
      const int64_t kc = min_of(s.block, channels - c);
      for (int64_t t = 0; t < tiles; t += kNr<float>) {
        const float* const sliver = v + point * s.point + t * channels + c * kNr<float>;
        const int64_t registers = ceil_div(min_of(kNr<float>, tiles - t), Vec<float>::size);
        for (int64_t p = first; p < last; ++p) {
          const int64_t row = panels.begin(p);
          const int height = panels.height(p);
          const float* const a =
              s.panels + ((group * s.s.out_channels + row) * kPoints + point * height) * channels;
          Output<float> o{};
          o.out = sums + point * s.sums + (row - panels.begin(first)) * sums_row + t;
          o.out_row = sums_row;
          o.cols = static_cast<int>(registers * Vec<float>::size);
          o.partial = c > 0 ? o.out : nullptr;
          o.partial_row = sums_row;
          kTileFunctions<float, true, true>.of[height - 1][registers - 1](kc, a + c * height, 0, 0,
                                                                          sliver, kNr<float>, o);
        }
      }
    }
  }
}

inline void winograd_item(void* context, int64_t item, void* memory) {
  using V = Vec<float>;
  const Winograd& s = *static_cast<Winograd*>(context);
  const int64_t group = item % s.s.groups, channels = s.s.in_channels;
  const Region r = s.regions.at(tiles_of(s.s), item / s.s.groups);
  const int64_t tiles = r.positions(), sums_row = ceil_div(s.tile.positions(), 16) * 16;
  float* const v = static_cast<float*>(memory) + s.inputs_size;
  float* const sums = v + s.v_size;
  float* const lines = sums + s.sums_size;
  const TileInputs inputs(s.s, s.tile, r, static_cast<float*>(memory));
  const int64_t of_channel = s.s.in[1] * s.s.in[2], of_image = s.s.groups * channels * of_channel;
  for (int64_t c = 0; c < channels; ++c) {
    inputs.read(s.in + r.image * of_image + (group * channels + c) * of_channel, of_image);
    for (int64_t t = 0; t < tiles; t += V::size) {
      const int64_t sliver = t / kNr<float> * kNr<float>;
      inputs.transform(t, v + sliver * channels + c * kNr<float> + (t - sliver), s.point);
    }
  }
  const Panels<float> panels(s.s.out_channels);
  V bad(0);
  for (int64_t first = 0; first < panels.count; first += s.group) {
    const int64_t last = min_of(panels.count, first + s.group);
    multiply_points(s, group, first, last, tiles, v, sums);
    for (int64_t row = panels.begin(first); row < panels.begin(last); ++row) {
      const int64_t channel = group * s.s.out_channels + row;
      float* const out =
          s.out + (r.image * s.s.groups * s.s.out_channels + channel) * positions_of_image(s.s) +
          2 * r.begin[1] * s.s.out[2] + 2 * r.begin[2];
      transform_back(s, r, sums + (row - panels.begin(first)) * sums_row,
                     s.bias != nullptr ? s.bias[channel] : 0.0F, lines, out, bad);
    }
  }
  if (is_nan(bad).any()) __atomic_store_n(s.overflow, 1, __ATOMIC_RELAXED);
}

// The longest block of the sum over channels, as in slide.
constexpr int64_t kWinogradKc = 256;
// Panels whose sums wait, all points of them, in the second cache.
constexpr int64_t kWinogradPanels = 4;

// Tiles at once: V of all channels fills half of the second cache. It leaves the bits alone.
inline Tile winograd_tile(const Exec& exec, const ConvShape& s) {
  const ConvShape tiles = tiles_of(s);
  const int64_t bytes = kPoints * s.in_channels * static_cast<int64_t>(sizeof(float));
  const int64_t items = exec.threads > 1 ? kTasksPerThread * exec.threads : 1;
  const int64_t most = ceil_div(s.batch * tiles.out[1] * tiles.out[2] * s.groups, items);
  int64_t target = max_of(kNr<float>, min_of(256, exec.l2_bytes / 2 / bytes));
  target = min_of(target, max_of(2 * kNr<float>, most));
  return choose_tile(tiles, target, s.batch, kNr<float>);
}

// The convolution; false if a result is not finite, and `out` then has nothing to rely on.
inline bool winograd(const Exec& exec, const ConvShape& shape, const float* in,
                     const ConvWeight<float>& weight, const float* bias, float* out) {
  const Tile tile = winograd_tile(exec, shape);
  const int64_t channels = shape.in_channels, rows = shape.groups * shape.out_channels;
  const int64_t tiles = ceil_div(tile.positions(), kNr<float>) * kNr<float>;
  const int64_t blocks = ceil_div(channels, kWinogradKc);
  int overflow = 0;
  Winograd s{shape, weight, in, bias, out, tile, Regions(tiles_of(shape), tile), nullptr,
             ceil_div(channels, blocks), kWinogradPanels,
             // Not whole pages apart: they would drive each other out of the first cache.
             tiles * channels + 16,
             kWinogradPanels * kMr * (ceil_div(tile.positions(), 16) * 16) + 16,
             TileInputs::memory_size(tile), 0, 0, 4 * tiles, &overflow};
  s.v_size = kPoints * s.point;
  s.sums_size = kPoints * s.sums + kNr<float>;
  const int64_t weights = rows * channels * kPoints;
  s.panels = static_cast<float*>(exec.acquire(static_cast<size_t>(weights) * sizeof(float)));
  run_tasks(exec, shape.groups * Panels<float>(shape.out_channels).count, transform_weight_task,
            &s);
  const int64_t size = s.inputs_size + s.v_size + s.sums_size + s.lines_size;
  run_items(exec, s.regions.total * shape.groups, size * static_cast<int64_t>(sizeof(float)),
            winograd_item, &s);
  exec.release(s.panels);
  return overflow == 0;
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
