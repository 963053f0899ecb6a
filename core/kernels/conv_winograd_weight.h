// The gradient of the weight of a convolution by tiles: dU = sum over tiles of (A dy A^T) * V, and
// dg = G^T dU G. See Note [Winograd] in conv_winograd_tiles.h. For kernel sources only.
#pragma once

#include "core/kernels/conv_winograd_tiles.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Tiles that are summed at once: a constant, for it decides the bits.
constexpr int64_t kWinogradSum = 256;
// Channels of the input of a task, at most, whose V stays in the second cache. It leaves the bits
// alone.
constexpr int64_t kWinogradChannels = 64;
// Sums of parts of the tiles: at most so many parts, so many elements.
constexpr int64_t kWinogradParts = 16, kWinogradElements = 1 << 20;

struct WinogradWeight {
  ConvShape s;
  const float *in, *out;
  float* weight;
  Tile tile;
  Regions regions;
  int64_t ranges, parts;  // of the channels; of the regions
  float* sums;            // dU: (part, group, point, sliver, channel, kNr)
  int64_t v_row, v_point, dy_point;
  int64_t inputs_size, v_size, dy_size, lines_size;
  int* overflow;

  int64_t slivers() const { return ceil_div(s.out_channels, kNr<float>); }
  int64_t elements() const { return slivers() * s.in_channels * kNr<float>; }
  float* part(int64_t i, int64_t group) const {
    return sums + (i * s.groups + group) * kPoints * elements();
  }
};

// A dy A^T of a region's tiles for up to kNr channels of the result, from `dy` on: to[point][tile]
// has kNr lanes. `lines` holds the gradient with its channels side by side.
inline void transform_gradient(const WinogradWeight& s, const Region& r, const float* dy, int cols,
                               float* lines, float* to) {
  using V = Vec<float>;
  constexpr int64_t lanes = kNr<float>;
  const int64_t positions = positions_of_image(s.s), width = s.s.out[2];
  const int64_t rows = min_of(2 * r.size[1], s.s.out[1] - 2 * r.begin[1]);
  const int64_t columns = min_of(2 * r.size[2], width - 2 * r.begin[2]);
  const int64_t of_image = rows * columns;
  for (int64_t n = 0; n < r.images; ++n) {
    const float* const from = dy + n * s.s.groups * s.s.out_channels * positions;
    if (columns == width) {
      pack(from, positions, 1, cols, static_cast<int>(lanes), of_image,
           lines + n * of_image * lanes);
      continue;
    }
    for (int64_t y = 0; y < rows; ++y) {
      pack(from + y * width, positions, 1, cols, static_cast<int>(lanes), columns,
           lines + (n * of_image + y * columns) * lanes);
    }
  }
  for (int64_t y = 0; y < r.size[1]; ++y) {
    const bool below = 2 * y + 1 < rows;
    for (int64_t n = 0; n < r.images; ++n) {
      const float* const row = lines + (n * of_image + 2 * y * columns) * lanes;
      for (int64_t x = 0; x < r.size[2]; ++x) {
        const bool beside = 2 * x + 1 < columns;
        const float* const from = row + 2 * x * lanes;
        for (int v = 0; v < kNv; ++v) {
          const float* const p = from + v * V::size;
          const V y00 = V::load(p), y01 = beside ? V::load(p + lanes) : V(0);
          const V y10 = below ? V::load(p + columns * lanes) : V(0);
          const V y11 = below && beside ? V::load(p + (columns + 1) * lanes) : V(0);
          const V first[4] = {y00, y00 + y10, y00 - y10, y10};
          const V second[4] = {y01, y01 + y11, y01 - y11, y11};
          float* const place = to + v * V::size;
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) {
            first[i].store(place + 4 * i * s.dy_point);
            (first[i] + second[i]).store(place + (4 * i + 1) * s.dy_point);
            (first[i] - second[i]).store(place + (4 * i + 2) * s.dy_point);
            second[i].store(place + (4 * i + 3) * s.dy_point);
          }
        }
        to += lanes;
      }
    }
  }
}

inline void winograd_weight_item(void* context, int64_t item, void* memory) {
  using V = Vec<float>;
  const WinogradWeight& s = *static_cast<WinogradWeight*>(context);
  const int64_t range = item % s.ranges, group = item / s.ranges % s.s.groups;
  const int64_t part = item / s.ranges / s.s.groups, m = s.s.out_channels;
  const int64_t first = share(s.s.in_channels, s.ranges, range);
  const int64_t channels = share(s.s.in_channels, s.ranges, range + 1) - first;
  const int64_t begin = share(s.regions.total, s.parts, part);
  const int64_t end = share(s.regions.total, s.parts, part + 1);
  const int64_t of_channel = s.s.in[1] * s.s.in[2];
  const int64_t of_image = s.s.groups * s.s.in_channels * of_channel;
  const Panels<float> panels(channels);
  float* const v = static_cast<float*>(memory) + s.inputs_size;
  float* const dy = v + s.v_size;
  float* const lines = dy + s.dy_size;
  float* const sums = s.part(part, group) + first * kNr<float>;
  for (int64_t i = begin; i < end; ++i) {
    const Region r = s.regions.at(tiles_of(s.s), i);
    const int64_t tiles = r.positions();
    const TileInputs inputs(s.s, s.tile, r, static_cast<float*>(memory));
    for (int64_t c = 0; c < channels; ++c) {
      const int64_t channel = group * s.s.in_channels + first + c;
      inputs.read(s.in + r.image * of_image + channel * of_channel, of_image);
      for (int64_t t = 0; t < tiles; t += V::size) {
        inputs.transform(t, v + c * s.v_row + t, s.v_point);
      }
    }
    const float* const gradient = s.out +
                                  (r.image * s.s.groups + group) * m * positions_of_image(s.s) +
                                  2 * r.begin[1] * s.s.out[2] + 2 * r.begin[2];
    for (int64_t j = 0; j < m; j += kNr<float>) {
      const int cols = static_cast<int>(min_of(kNr<float>, m - j));
      const int registers = (cols + V::size - 1) / V::size;
      transform_gradient(s, r, gradient + j * positions_of_image(s.s), cols, lines, dy);
      for (int64_t point = 0; point < kPoints; ++point) {
        for (int64_t p = 0; p < panels.count; ++p) {
          const int64_t row = panels.begin(p);
          Output<float> o{};
          o.out = sums + point * s.elements() + j * s.s.in_channels + row * kNr<float>;
          o.out_row = kNr<float>;
          o.cols = registers * V::size;
          o.partial = i > begin ? o.out : nullptr;
          o.partial_row = kNr<float>;
          tile_functions<float>().unpacked_near[panels.height(p) - 1][registers - 1](
              tiles, v + point * s.v_point + row * s.v_row, s.v_row, 1, dy + point * s.dy_point,
              kNr<float>, o);
        }
      }
    }
  }
}

// dg = G^T dU G of one register of channels of the result, for one of the input: to[tap][lane].
// Adds to `bad` what is not finite if an element is not.
inline void turn_sums(const WinogradWeight& s, int64_t group, int64_t at, float* to,
                      Vec<float>& bad) {
  using V = Vec<float>;
  const V half(0.5F);
  V g[3][4];
#pragma GCC unroll 4
  for (int x = 0; x < 4; ++x) {
    V u[4];
#pragma GCC unroll 4
    for (int y = 0; y < 4; ++y) {
      const int64_t from = (4 * y + x) * s.elements() + at;
      u[y] = V::load(s.part(0, group) + from);
      for (int64_t p = 1; p < s.parts; ++p) u[y] += V::load(s.part(p, group) + from);
    }
    const V outer = half * (u[1] + u[2]);
    g[0][x] = u[0] + outer;
    g[1][x] = half * (u[1] - u[2]);
    g[2][x] = outer + u[3];
  }
#pragma GCC unroll 3
  for (int y = 0; y < 3; ++y, to += 3 * V::size) {
    const V outer = half * (g[y][1] + g[y][2]);
    const V w0 = g[y][0] + outer, w1 = half * (g[y][1] - g[y][2]), w2 = outer + g[y][3];
    w0.store(to);
    w1.store(to + V::size);
    w2.store(to + 2 * V::size);
    bad = fma((w0 + w1) + w2, V(0), bad);
  }
}

// Adds up the parts, in order, and turns them back, for a register of channels of the result.
inline void turn_weight_task(void* context, int64_t task) {
  using V = Vec<float>;
  const WinogradWeight& s = *static_cast<WinogradWeight*>(context);
  const int64_t m = s.s.out_channels, channels = s.s.in_channels, blocks = ceil_div(m, V::size);
  const int64_t group = task / blocks, row = task % blocks * V::size;
  const int64_t sliver = row / kNr<float> * kNr<float>;
  const int64_t rows = min_of(V::size, m - row);
  float* const weight = s.weight + (group * m + row) * channels * 9;
  // Channels whose taps are whole squares.
  constexpr int64_t kAtOnce = 16;
  alignas(64) float taps[kAtOnce * 9 * V::size];
  V bad(0);
  for (int64_t c = 0; c < channels; c += kAtOnce) {
    const int64_t some = min_of(kAtOnce, channels - c);
    for (int64_t i = 0; i < some; ++i) {
      turn_sums(s, group, sliver * channels + (c + i) * kNr<float> + row - sliver,
                taps + i * 9 * V::size, bad);
    }
    for (int64_t k = 0; k < some * 9; k += V::size) {
      V square[V::size];
      load_transposed(taps + k * V::size, V::size, V::size, square);
      const int lanes = static_cast<int>(min_of(V::size, some * 9 - k));
      for (int64_t r = 0; r < rows; ++r) {
        square[r].store_n(weight + (r * channels + c) * 9 + k, lanes);
      }
    }
  }
  if (is_nan(bad).any()) __atomic_store_n(s.overflow, 1, __ATOMIC_RELAXED);
}

// The gradient of the weight; false if an element is not finite, and it then has nothing to rely
// on.
inline bool winograd_weight(const Exec& exec, const Conv<float>& c) {
  const ConvShape& shape = c.shape;
  const ConvShape grid = tiles_of(shape);
  const int64_t images = max_of(1, kWinogradSum / max_of(1, grid.out[1] * grid.out[2]));
  const Tile tile = choose_tile(grid, kWinogradSum, images, kNr<float>);
  const int64_t tiles = ceil_div(tile.positions(), kNr<float>) * kNr<float>;
  int overflow = 0;
  WinogradWeight s{.s = shape,
                   .in = c.in,
                   .out = c.out,
                   .weight = c.weight,
                   .tile = tile,
                   .regions = Regions(grid, tile),
                   .ranges = ceil_div(shape.in_channels, kWinogradChannels),
                   .parts = 1,
                   .sums = nullptr,
                   .v_row = tiles + 16,
                   .v_point = 0,
                   // Not whole pages apart: they would drive each other out of the first cache.
                   .dy_point = tiles * kNr<float> + 16,
                   .inputs_size = TileInputs::memory_size(tile),
                   .v_size = 0,
                   .dy_size = 0,
                   .lines_size = ceil_div(4 * tile.positions(), 16) * 16 * kNr<float>,
                   .overflow = &overflow};
  const int64_t elements = shape.groups * kPoints * s.elements();
  s.parts =
      max_of(1, min_of(min_of(kWinogradParts, s.regions.total), kWinogradElements / elements));
  s.v_point = ceil_div(shape.in_channels, s.ranges) * s.v_row + 16;
  s.v_size = kPoints * s.v_point;
  s.dy_size = kPoints * s.dy_point;
  s.sums =
      static_cast<float*>(exec.acquire(static_cast<size_t>(s.parts * elements) * sizeof(float)));
  const int64_t size = s.inputs_size + s.v_size + s.dy_size + s.lines_size;
  run_items(exec, s.ranges * shape.groups * s.parts, size * static_cast<int64_t>(sizeof(float)),
            winograd_weight_item, &s);
  run_tasks(exec, shape.groups * ceil_div(shape.out_channels, Vec<float>::size), turn_weight_task,
            &s);
  exec.release(s.sums);
  return overflow == 0;
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
