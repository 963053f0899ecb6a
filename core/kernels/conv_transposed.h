// The transposed convolution: with stride 1 a convolution with the kernel turned round; otherwise a
// product whose columns are added up in a padded copy of the result. For kernel sources only.
#pragma once

#include "core/kernels/conv_slide.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows of the product (channels times taps) and elements of the copy that a task works on, and
// positions of several images where one has fewer. Constants, for positions decide the order in
// which the columns are added.
constexpr int64_t kScatterRows = 128, kScatterElements = 1 << 17, kScatterPositions = 64;

template <class T>
struct Scatter {
  ConvShape s;
  const T *weight, *out, *bias;
  T* in;
  int64_t taps, channels, parts;  // channels of a part
  int64_t images;                 // of an item, at most
  PaddedLayout layout;
  T* panels;  // the packed weight: (group, part, panel, channel of `out`, row of the panel)
  int64_t padded_size;

  T* panels_of(int64_t group, int64_t first) const {
    return panels + (group * s.in_channels + first) * taps * s.out_channels;
  }
};

// The panels of a part of a group.
template <class T>
void pack_scatter_task(void* context, int64_t task) {
  const Scatter<T>& s = *static_cast<Scatter<T>*>(context);
  const int64_t group = task / s.parts, first = task % s.parts * s.channels;
  const int64_t last = min_of(s.s.in_channels, first + s.channels);
  const int64_t k = s.s.out_channels, of_channel = s.s.in_channels * s.taps;
  const Panels<T> panels((last - first) * s.taps);
  T* const to = s.panels_of(group, first);
  for (int64_t p = 0; p < panels.count; ++p) {
    const int64_t row = panels.begin(p);
    pack(s.weight + group * k * of_channel + first * s.taps + row, 1, of_channel, panels.height(p),
         panels.height(p), k, to + row * k);
  }
}

// Positions of `out`, a register's worth of one image at a time, as the columns of a sliver.
template <class T>
void pack_positions(const Scatter<T>& s, const T* out, int64_t first, int cols, T* sliver) {
  using V = Vec<T>;
  const int64_t positions = positions_of_image(s.s), k = s.s.out_channels;
  for (int done = 0; done < cols;) {
    const int64_t n = (first + done) / positions, at = (first + done) % positions;
    const int lanes = static_cast<int>(min_of(min_of(V::size, cols - done), positions - at));
    const T* from = out + n * s.s.groups * k * positions + at;
    T* to = sliver + done;
    for (int64_t i = 0; i < k; ++i, from += positions, to += kNr<T>) {
      V::load_n(from, lanes).store_n(to, lanes);
    }
    done += lanes;
  }
}

// Adds a tile's rows, (channel, tap) from `row` on, to the copy.
template <class T>
void scatter_rows(const Scatter<T>& s, const T* tile, int64_t row, int rows, const Move* moves,
                  int64_t count, T* padded) {
  using V = Vec<T>;
  for (int i = 0; i < rows; ++i, ++row, tile += kNr<T>) {
    T* const window = padded + row / s.taps * s.layout.channel + s.layout.tap[row % s.taps];
    for (int64_t m = 0; m < count; ++m) {
      T* const to = window + moves[m].from;
      const int lanes = moves[m].lanes;
      (V::load_n(to, lanes) + V::load_n(tile + moves[m].to, lanes)).store_n(to, lanes);
    }
  }
}

// The channels [first, last) of a group from their copy.
template <class T>
void unpad(const Scatter<T>& s, int64_t image, int64_t group, int64_t first, int64_t last,
           const T* padded) {
  const ConvShape& c = s.s;
  const int64_t channel = group * c.in_channels + first;
  T* to = s.in + (image * c.groups * c.in_channels + channel) * c.in[0] * c.in[1] * c.in[2];
  for (int64_t i = 0; i < last - first; ++i, padded += s.layout.channel) {
    const T b = s.bias != nullptr ? s.bias[channel + i] : T(0);
    for (int64_t d = 0; d < c.in[0]; ++d) {
      for (int64_t h = 0; h < c.in[1]; ++h, to += c.in[2]) {
        const int64_t at_d = d + c.padding[0], at_h = h + c.padding[1];
        const bool covered = at_d >= 0 && at_d < rows_of(c, 0, c.out[0]) && at_h >= 0 &&
                             at_h < rows_of(c, 1, c.out[1]);
        fill(to, c.in[2], b);
        if (!covered) continue;
        const T* const row = padded + at_d * s.layout.plane + at_h * s.layout.row;
        for (int64_t p = 0; p < s.layout.phases; ++p) {
          const T* const part = row + p * s.layout.phase_size;
          const Inside inside(c, 0, s.layout.phase[p], s.layout.phase_size);
          for (int64_t w = inside.first; w < inside.last; ++w) {
            to[inside.from + w * c.stride[2]] = part[w] + b;
          }
        }
      }
    }
  }
}

template <class T>
void scatter_item(void* context, int64_t item, void* memory) {
  const Scatter<T>& s = *static_cast<Scatter<T>*>(context);
  const ConvShape& c = s.s;
  const int64_t part = item % s.parts, group = item / s.parts % c.groups;
  const int64_t image = item / s.parts / c.groups * s.images, k = c.out_channels;
  const int64_t first = part * s.channels, last = min_of(c.in_channels, first + s.channels);
  const Panels<T> panels((last - first) * s.taps);
  const Region r{
      image, min_of(s.images, c.batch - image), {0, 0, 0}, {c.out[0], c.out[1], c.out[2]}};
  const int64_t total = r.positions(), of_image = s.channels * s.layout.channel;
  const T* const a = s.panels_of(group, first);
  T* const padded = static_cast<T*>(memory);
  T* const sliver = padded + s.padded_size;
  alignas(64) T tile[kMr * kNr<T>];
  Move moves[kNr<T>];
  fill_zeros(padded, s.padded_size);
  const T* const out = s.out + (image * c.groups + group) * k * positions_of_image(c);
  for (int64_t q = 0; q < total; q += kNr<T>) {
    const int cols = static_cast<int>(min_of(kNr<T>, total - q));
    const int registers = (cols + Vec<T>::size - 1) / Vec<T>::size;
    const int64_t count = list_moves<T>(s.layout, r, of_image, q, cols, moves);
    pack_positions(s, out, q, cols, sliver);
    for (int64_t p = 0; p < panels.count; ++p) {
      const int64_t row = panels.begin(p);
      const int height = panels.height(p);
      const auto multiply = tile_functions<T>().packed[height - 1][registers - 1];
      for (int64_t k0 = 0; k0 == 0 || k0 < k; k0 += kKc) {
        Output<T> o{};
        o.out = tile;
        o.out_row = kNr<T>;
        o.cols = registers * Vec<T>::size;
        o.partial = k0 > 0 ? tile : nullptr;
        o.partial_row = kNr<T>;
        multiply(min_of(kKc, k - k0), a + row * k + k0 * height, 0, 0, sliver + k0 * kNr<T>, kNr<T>,
                 o);
      }
      scatter_rows(s, tile, row, height, moves, count, padded);
    }
  }
  for (int64_t n = 0; n < r.images; ++n) {
    unpad(s, image + n, group, first, last, padded + n * of_image);
  }
}

template <class T>
void scatter(const Exec& exec, const Conv<T>& c) {
  const ConvShape& shape = c.shape;
  const int64_t taps = taps_of(shape), k = shape.out_channels;
  const Tile tile{1, {shape.out[0], shape.out[1], shape.out[2]}};
  int64_t* const tables = static_cast<int64_t*>(
      exec.acquire(static_cast<size_t>(PaddedLayout::table_size(shape)) * sizeof(int64_t)));
  Scatter<T> s{shape,   c.weight, c.out, c.bias, c.in,
               taps,    1,        1,     1,      PaddedLayout(shape, tile, tables),
               nullptr, 0};
  s.images = max_of(1, min_of(shape.batch, kScatterPositions / positions_of_image(shape)));
  const int64_t elements = kScatterElements / (s.layout.channel * s.images);
  const int64_t most = min_of(kScatterRows / taps, elements);
  s.parts = ceil_div(shape.in_channels, max_of(1, most));
  s.channels = ceil_div(shape.in_channels, max_of(1, s.parts));
  s.padded_size = ceil_div(s.images * s.channels * s.layout.channel, 16) * 16;
  const int64_t weights = shape.groups * shape.in_channels * taps * k;
  s.panels = static_cast<T*>(exec.acquire(static_cast<size_t>(weights) * sizeof(T)));
  run_tasks(exec, shape.groups * s.parts, pack_scatter_task<T>, &s);
  const int64_t size = s.padded_size + k * kNr<T>;
  run_items(exec, ceil_div(shape.batch, s.images) * shape.groups * s.parts,
            size * static_cast<int64_t>(sizeof(T)), scatter_item<T>, &s);
  if (s.panels != nullptr) exec.release(s.panels);
  exec.release(tables);
}

template <class T>
void conv_in(const Exec& exec, const Conv<T>& c) {
  const ConvShape& s = c.shape;
  if (s.stride[0] != 1 || s.stride[1] != 1 || s.stride[2] != 1) {
    scatter(exec, c);
    return;
  }
  ConvShape turned = s;
  turned.in_channels = s.out_channels;
  turned.out_channels = s.in_channels;
  for (int d = 0; d < 3; ++d) {
    turned.in[d] = s.out[d];
    turned.out[d] = s.in[d];
    turned.padding[d] = (s.kernel[d] - 1) * s.dilation[d] - s.padding[d];
  }
  const int64_t taps = taps_of(s), k = s.in_channels * taps;
  slide(exec, turned, static_cast<const T*>(c.out),
        ConvWeight<T>{c.weight + taps - 1, s.out_channels * k, taps, k, -1}, c.bias, c.in);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
