// The transposed convolution: with stride 1 a convolution with the kernel turned round; otherwise a
// product whose columns are added up in a padded copy of the result. For kernel sources only.
#pragma once

#include "core/kernels/conv_slide.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows of the product (channels times taps) and elements of the copy that a task works on.
constexpr int64_t kScatterRows = 128, kScatterElements = 1 << 17;

template <class T>
struct Scatter {
  ConvShape s;
  const T *weight, *out, *bias;
  T* in;
  int64_t taps, channels, parts;  // channels of a part
  Region whole;                   // one image
  PaddedLayout layout;
  int64_t padded_size, panels_size;
};

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
  const int64_t image = item / s.parts / c.groups, k = c.out_channels;
  const int64_t first = part * s.channels, last = min_of(c.in_channels, first + s.channels);
  const Panels<T> panels((last - first) * s.taps);
  const int64_t positions = positions_of_image(c), of_channel = c.in_channels * s.taps;
  T* const padded = static_cast<T*>(memory);
  T* const a = padded + s.padded_size;
  T* const sliver = a + s.panels_size;
  alignas(64) T tile[kMr * kNr<T>];
  Move moves[kNr<T>];
  fill_zeros(padded, s.padded_size);
  for (int64_t p = 0; p < panels.count; ++p) {
    const int64_t row = panels.begin(p);
    pack(s.weight + group * k * of_channel + first * s.taps + row, 1, of_channel, panels.height(p),
         panels.height(p), k, a + row * k);
  }
  const T* const out = s.out + (image * c.groups + group) * k * positions;
  for (int64_t q = 0; q < positions; q += kNr<T>) {
    const int cols = static_cast<int>(min_of(kNr<T>, positions - q));
    const int64_t count = list_moves<T>(s.layout, s.whole, 0, q, cols, moves);
    pack(out + q, 1, positions, cols, kNr<T>, k, sliver);
    for (int64_t p = 0; p < panels.count; ++p) {
      const int64_t row = panels.begin(p);
      const int height = panels.height(p);
      const auto multiply = kTileFunctions<T, true, false>.of[height - 1][kNv - 1];
      for (int64_t k0 = 0; k0 == 0 || k0 < k; k0 += kKc) {
        const T* const partial = k0 > 0 ? tile : nullptr;
        multiply(
            min_of(kKc, k - k0), a + row * k + k0 * height, 0, 0, sliver + k0 * kNr<T>, kNr<T>,
            Output<T>{tile, kNr<T>, kNr<T>, partial, kNr<T>, false, T(1), nullptr, nullptr, 0});
      }
      scatter_rows(s, tile, row, height, moves, count, padded);
    }
  }
  unpad(s, image, group, first, last, padded);
}

template <class T>
void scatter(const Exec& exec, const Conv<T>& c) {
  const ConvShape& shape = c.shape;
  const int64_t taps = taps_of(shape), k = shape.out_channels;
  const Tile tile{1, {shape.out[0], shape.out[1], shape.out[2]}};
  const Region whole{0, 1, {0, 0, 0}, {shape.out[0], shape.out[1], shape.out[2]}};
  int64_t* const tables = static_cast<int64_t*>(
      exec.acquire(static_cast<size_t>(PaddedLayout::table_size(shape)) * sizeof(int64_t)));
  Scatter<T> s{shape, c.weight, c.out, c.bias, c.in,
               taps,  1,        1,     whole,  PaddedLayout(shape, tile, tables),
               0,     0};
  const int64_t most = min_of(kScatterRows / taps, kScatterElements / s.layout.channel);
  s.parts = ceil_div(shape.in_channels, max_of(1, most));
  s.channels = ceil_div(shape.in_channels, max_of(1, s.parts));
  s.padded_size = ceil_div(s.channels * s.layout.channel, 16) * 16;
  s.panels_size = ceil_div(s.channels * taps * k, 16) * 16;
  const int64_t size = s.padded_size + s.panels_size + k * kNr<T>;
  run_items(exec, shape.batch * shape.groups * s.parts, size * static_cast<int64_t>(sizeof(T)),
            scatter_item<T>, &s);
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
