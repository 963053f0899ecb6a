// The convolution itself: a product of the weight, packed in panels, with columns that are gathered
// from the padded copy, a sliver at a time; for few channels of the output without gathering. For
// kernel sources only.
#pragma once

#include "core/kernels/conv_winograd.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Positions at once: what they read of a block of channels stays in the second cache.
constexpr int64_t kSlidePositions = 1024;

template <class T>
struct Slide {
  ConvShape s;
  ConvWeight<T> weight;
  const T* in;
  const T* bias;
  T* out;
  int64_t taps;
  Regions regions;
  PaddedLayout layout;
  ChannelBlocks blocks;
  T *panels, *biases;  // the packed weight; a row of copies for each element of the bias
  int64_t row_parts;
  int64_t padded_size, sliver_size, wait_row;  // wait_row > 0: sums wait in memory of the task

  // The panel that begins at `row`, for a block of channels.
  T* panel(int64_t group, int64_t block, int64_t row) const {
    const int64_t k = s.in_channels * taps;
    return panels + group * s.out_channels * k + blocks.begin(block) * taps * s.out_channels +
           row * blocks.length(block) * taps;
  }
  bool direct() const { return s.out_channels <= kSkinny; }
};

template <class T>
void pack_weight_task(void* context, int64_t task) {
  const Slide<T>& s = *static_cast<Slide<T>*>(context);
  const Panels<T> panels(s.s.out_channels);
  const int64_t group = task / panels.count, p = task % panels.count, row = panels.begin(p);
  const ConvWeight<T>& w = s.weight;
  const int height = panels.height(p);
  for (int64_t b = 0; b < s.blocks.count; ++b) {
    const T* from = w.data + group * w.group + row * w.row + s.blocks.begin(b) * w.channel;
    T* to = s.panel(group, b, row);
    if (w.tap == 1 && w.channel == s.taps) {
      pack(from, w.row, 1, height, height, s.blocks.length(b) * s.taps, to);
      continue;
    }
    for (int64_t c = 0; c < s.blocks.length(b); ++c, from += w.channel, to += s.taps * height) {
      pack(from, w.row, w.tap, height, height, s.taps, to);
    }
  }
}

// MR channels of the result at NV times a register of positions, straight from the copy.
template <class T, int MR, int NV>
void direct_tile(const Slide<T>& s, int64_t channels, const T* a, const T* const* from,
                 T* const* out, const int* lanes, const T* bias, bool first) {
  using V = Vec<T>;
  const int64_t out_row = positions_of_image(s.s);
  V acc[MR][NV];
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      acc[i][v] = !first            ? V::load_n(out[v] + i * out_row, lanes[v])
                  : bias != nullptr ? V(bias[i])
                                    : V(0);
    }
  }
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < s.taps; ++t, a += MR) {
      const int64_t at = c * s.layout.channel + s.layout.tap[t];
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) {
        const V x = V::load(from[v] + at);
#pragma GCC unroll 4
        for (int i = 0; i < MR; ++i) acc[i][v] = fma(V(a[i]), x, acc[i][v]);
      }
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) acc[i][v].store_n(out[v] + i * out_row, lanes[v]);
  }
}

template <class T>
using DirectTile = void (*)(const Slide<T>&, int64_t, const T*, const T* const*, T* const*,
                            const int*, const T*, bool);
static_assert(kSkinny == 4);
template <class T>
constexpr DirectTile<T> kDirectTiles[kSkinny] = {direct_tile<T, 1, kWide>, direct_tile<T, 2, kWide>,
                                                 direct_tile<T, 3, kWide>,
                                                 direct_tile<T, 4, kWide>};

// The first channel of the group at the first position of a region, in `data` of the result.
template <class T>
T* at_region(const ConvShape& s, const Region& r, int64_t group, T* data) {
  const int64_t position = (r.begin[0] * s.out[1] + r.begin[1]) * s.out[2] + r.begin[2];
  return data + (r.image * s.groups + group) * s.out_channels * positions_of_image(s) + position;
}

template <class T>
void slide_direct(const Slide<T>& s, const Region& r, int64_t group, int64_t block,
                  const T* padded) {
  const int64_t channels = s.blocks.length(block), of_image = s.s.groups * s.s.out_channels;
  const int64_t image = channels * s.layout.channel, total = r.positions() / r.images;
  T* const out = at_region(s.s, r, group, s.out);
  const T* const bias = s.bias != nullptr ? s.bias + group * s.s.out_channels : nullptr;
  const T* const a = s.panel(group, block, 0);
  constexpr int64_t kAtOnce = 16 * Vec<T>::size;
  const T* from[kWide];
  T* to[kWide];
  int lanes[kWide], used = 0;
  const auto flush = [&] {
    for (int v = used; v < kWide; ++v) {
      from[v] = from[0];
      to[v] = to[0];
      lanes[v] = 0;
    }
    kDirectTiles<T>[s.s.out_channels - 1](s, channels, a, from, to, lanes, bias, block == 0);
    used = 0;
  };
  for (int64_t n = 0; n < r.images; ++n) {
    for (int64_t first = 0; first < total; first += kAtOnce) {
      Move moves[kAtOnce];
      const int64_t count =
          list_moves<T>(s.layout, r, image, first, min_of(kAtOnce, total - first), moves);
      for (int64_t i = 0; i < count; ++i) {
        from[used] = padded + n * image + moves[i].from;
        to[used] = out + n * of_image * positions_of_image(s.s) + first + moves[i].to;
        lanes[used] = moves[i].lanes;
        if (++used == kWide) flush();
      }
    }
  }
  if (used > 0) flush();
}

// Panels [first_panel, last_panel) of a region, for one block of channels. The positions of an
// image begin `out_image` after those of the one before.
template <class T>
void slide_block(const Slide<T>& s, const Region& r, int64_t group, int64_t block,
                 int64_t first_panel, int64_t last_panel, const T* padded, T* sliver, T* out,
                 int64_t out_row, int64_t out_image) {
  const Panels<T> panels(s.s.out_channels);
  const int64_t channels = s.blocks.length(block), total = r.positions();
  const int64_t of_image = total / max_of(1, r.images);
  Move moves[kNr<T>];
  for (int64_t q = 0; q < total; q += kNr<T>) {
    const int cols = static_cast<int>(min_of(kNr<T>, total - q));
    const int64_t count = list_moves<T>(s.layout, r, channels * s.layout.channel, q, cols, moves);
    gather(s.layout, s.taps, padded, channels, moves, count, sliver, int64_t{kNr<T>});
    T* const place = out + q / of_image * out_image + q % of_image;
    for (int64_t p = first_panel; p < last_panel; ++p) {
      const int64_t i = panels.begin(p);
      Output<T> o{};
      o.out = place + i * out_row;
      o.out_row = out_row;
      o.cols = cols;
      if (block > 0) {
        o.partial = o.out;
        o.partial_row = out_row;
      } else if (s.biases != nullptr) {
        o.partial = s.biases + (group * s.s.out_channels + i) * kNr<T>;
        o.partial_row = kNr<T>;
      }
      tile_functions<T>().packed_near[panels.height(p) - 1][(cols - 1) / Vec<T>::size](
          channels * s.taps, s.panel(group, block, i), 0, 0, sliver, kNr<T>, o);
    }
  }
}

template <class T>
void slide_item(void* context, int64_t item, void* memory) {
  const Slide<T>& s = *static_cast<Slide<T>*>(context);
  const Panels<T> panels(s.s.out_channels);
  const int64_t part = item % s.row_parts, group = item / s.row_parts % s.s.groups;
  const Region r = s.regions.at(s.s, item / s.row_parts / s.s.groups);
  const int64_t first = share(panels.count, s.row_parts, part);
  const int64_t last = share(panels.count, s.row_parts, part + 1);
  T* const padded = static_cast<T*>(memory);
  T* const sliver = padded + s.padded_size;
  const bool waits = s.wait_row > 0;
  T* const place = at_region(s.s, r, group, s.out);
  T* const out = waits ? sliver + s.sliver_size : place;
  const int64_t positions = positions_of_image(s.s);
  const int64_t out_row = waits ? s.wait_row : positions;
  const int64_t out_image = waits ? positions : s.s.groups * s.s.out_channels * positions;
  for (int64_t b = 0; b < s.blocks.count; ++b) {
    fill_padded(s.s, s.layout, r, s.in, group, s.blocks.begin(b), s.blocks.begin(b + 1), padded);
    if (s.direct()) {
      slide_direct(s, r, group, b, padded);
    } else {
      slide_block(s, r, group, b, first, last, padded, sliver, out, out_row, out_image);
    }
  }
  if (!waits) return;
  for (int64_t n = 0; n < r.images; ++n) {
    for (int64_t i = panels.begin(first); i < panels.begin(last); ++i) {
      copy_spaced(place + (n * s.s.groups * s.s.out_channels + i) * positions,
                  out + i * out_row + n * positions, 1, positions);
    }
  }
}

// How positions, images and rows are divided; it leaves the bits alone.
template <class T>
Tile slide_tile(const Exec& exec, const ConvShape& s) {
  const int64_t items = exec.threads > 1 ? kTasksPerThread * exec.threads : 1;
  return choose_tile(s, kSlidePositions, max_of(1, s.batch * s.groups / items), kNr<T>);
}

template <class T>
void slide(const Exec& exec, const ConvShape& shape, const T* in, const ConvWeight<T>& weight,
           const T* bias, T* out) {
  if constexpr (__is_same(T, float)) {
    if (suits_winograd(shape) && winograd(exec, shape, in, weight, bias, out)) return;
  }
  const int64_t taps = taps_of(shape), rows = shape.groups * shape.out_channels;
  const Tile tile = slide_tile<T>(exec, shape);
  int64_t* const tables = static_cast<int64_t*>(
      exec.acquire(static_cast<size_t>(PaddedLayout::table_size(shape)) * sizeof(int64_t)));
  Slide<T> s{shape,
             weight,
             in,
             bias,
             out,
             taps,
             Regions(shape, tile),
             PaddedLayout(shape, tile, tables),
             ChannelBlocks(shape.in_channels, taps),
             nullptr,
             nullptr,
             1,
             0,
             0,
             0};
  const int64_t weights = ceil_div(rows * shape.in_channels * taps, 16) * 16;
  const int64_t biases = bias != nullptr && !s.direct() ? rows * kNr<T> : 0;
  s.panels = static_cast<T*>(exec.acquire(static_cast<size_t>(weights + biases + 1) * sizeof(T)));
  if (biases > 0) {
    s.biases = s.panels + weights;
    for (int64_t i = 0; i < biases; ++i) s.biases[i] = bias[i / kNr<T>];
  }
  const int64_t panels = Panels<T>(shape.out_channels).count;
  run_tasks(exec, shape.groups * panels, pack_weight_task<T>, &s);

  int64_t items = s.regions.total * shape.groups;
  if (!s.direct() && items < 2 * exec.threads && exec.threads > 1) {
    s.row_parts = min_of(panels, ceil_div(2 * exec.threads, max_of(1, items)));
  }
  items *= s.row_parts;
  s.padded_size = ceil_div(tile.images * s.blocks.size * s.layout.channel + Vec<T>::size, 16) * 16;
  if (!s.direct()) {
    s.sliver_size = ceil_div(s.blocks.size * taps * kNr<T> + Vec<T>::size, 16) * 16;
    // A sliver of two images has no place of its own.
    if (tile.images > 1 && positions_of_image(shape) % kNr<T> != 0) {
      s.wait_row = ceil_div(tile.positions(), 16) * 16 + 16;
    }
  }
  const int64_t size = s.padded_size + s.sliver_size + s.wait_row * shape.out_channels;
  run_items(exec, items, size * static_cast<int64_t>(sizeof(T)), slide_item<T>, &s);
  exec.release(s.panels);
  exec.release(tables);
}

template <class T>
void conv_out(const Exec& exec, const Conv<T>& c) {
  const int64_t taps = taps_of(c.shape), k = c.shape.in_channels * taps;
  slide(exec, c.shape, static_cast<const T*>(c.in),
        ConvWeight<T>{c.weight, c.shape.out_channels * k, k, taps, 1}, c.bias, c.out);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
