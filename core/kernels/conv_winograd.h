// The convolution and the gradient of its input by tiles: see Note [Winograd] in
// conv_winograd_tiles.h. For kernel sources only.
#pragma once

#include "core/kernels/conv_winograd_tiles.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// A weight by its strides: (group, channel of the result, channel of the input, tap).
template <class T>
struct ConvWeight {
  const T* data;
  int64_t group, row, channel, tap;
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
  int64_t row_parts;    // of the panels, where there are few tiles: each has a V of its own
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

// The results of one channel from its sums, by way of `lines`, both rows of results of all tiles.
// Adds to `bad` what is not finite if a result is not.
inline void transform_back(const Winograd& s, const Region& r, const float* sums, float bias,
                           float* lines, float* out, Vec<float>& bad) {
  using V = Vec<float>;
  const int64_t tiles = r.positions(), width = s.s.out[2], row = s.lines_size / 2;
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
    store_pairs(y[0][0], y[0][1], lines + 2 * t);
    store_pairs(y[1][0], y[1][1], lines + row + 2 * t);
    V all = (y[0][0] + y[0][1]) + (y[1][0] + y[1][1]);
    if (t + V::size > tiles) {  // behind the last tile anything may stand
      alignas(64) float lanes[V::size];
      all.store(lanes);
      all = V::load_n(lanes, static_cast<int>(tiles - t));
    }
    bad = fma(all, V(0), bad);
  }
  const int64_t of_image = s.s.groups * s.s.out_channels * positions_of_image(s.s);
  const int64_t columns = min_of(2 * r.size[2], width - 2 * r.begin[2]);
  for (int64_t y = 0; y < r.size[1]; ++y) {
    for (int64_t n = 0; n < r.images; ++n) {
      const float* const from = lines + 2 * (y * r.images + n) * r.size[2];
      float* const to = out + n * of_image + 2 * y * width;
      copy_spaced(to, from, 1, columns);
      if (2 * (r.begin[1] + y) + 1 < s.s.out[1]) copy_spaced(to + width, from + row, 1, columns);
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
          tile_functions<float>().packed[height - 1][registers - 1](kc, a + c * height, 0, 0,
                                                                    sliver, kNr<float>, o);
        }
      }
    }
  }
}

inline void winograd_item(void* context, int64_t item, void* memory) {
  using V = Vec<float>;
  const Winograd& s = *static_cast<Winograd*>(context);
  const int64_t part = item % s.row_parts, group = item / s.row_parts % s.s.groups;
  const int64_t channels = s.s.in_channels;
  const Region r = s.regions.at(tiles_of(s.s), item / s.row_parts / s.s.groups);
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
  const int64_t end = share(panels.count, s.row_parts, part + 1);
  V bad(0);
  for (int64_t first = share(panels.count, s.row_parts, part), last; first < end; first = last) {
    last = min_of(end, first + s.group);
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
  Winograd s{.s = shape,
             .weight = weight,
             .in = in,
             .bias = bias,
             .out = out,
             .tile = tile,
             .regions = Regions(tiles_of(shape), tile),
             .panels = nullptr,
             .block = ceil_div(channels, blocks),
             .group = kWinogradPanels,
             .row_parts = 1,
             // Not whole pages apart: they would drive each other out of the first cache.
             .point = tiles * channels + 16,
             .sums = kWinogradPanels * kMr * (ceil_div(tile.positions(), 16) * 16) + 16,
             .inputs_size = TileInputs::memory_size(tile),
             .v_size = 0,
             .sums_size = 0,
             .lines_size = 4 * tiles,
             .overflow = &overflow};
  s.v_size = kPoints * s.point;
  s.sums_size = kPoints * s.sums + kNr<float>;
  const int64_t weights = rows * channels * kPoints;
  s.panels = static_cast<float*>(exec.acquire(static_cast<size_t>(weights) * sizeof(float)));
  const int64_t panels = Panels<float>(shape.out_channels).count;
  run_tasks(exec, shape.groups * panels, transform_weight_task, &s);
  int64_t items = s.regions.total * shape.groups;
  if (items < 2 * exec.threads && exec.threads > 1) {
    s.row_parts = min_of(panels, ceil_div(2 * exec.threads, items));
  }
  items *= s.row_parts;
  const int64_t size = s.inputs_size + s.v_size + s.sums_size + s.lines_size;
  run_items(exec, items, size * static_cast<int64_t>(sizeof(float)), winograd_item, &s);
  exec.release(s.panels);
  return overflow == 0;
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
