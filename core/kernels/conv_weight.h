// The gradient of a convolution's weight: the product of columns, gathered from the padded copy,
// with the gradient of the result, positions being summed over. For kernel sources only.
#pragma once

#include "core/kernels/conv_winograd_weight.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Positions that are summed at once, as constants of the instruction set, for they decide the bits:
// where columns are gathered, and where products are taken straight from the copy.
constexpr int64_t kSumPositions = 256, kDirectPositions = 1024;
// Rows of columns (channels times taps) of a task.
constexpr int64_t kWeightRows = 288;
// Sums of parts of the positions: at most so many parts, so many elements.
constexpr int64_t kWeightParts = 16, kPartElements = 1 << 20;
// Sums that direct products keep in registers.
constexpr int kDirectTaps = 8;

template <class T>
struct WeightSum {
  ConvShape s;
  const T *in, *out;
  T* weight;
  int64_t taps, k;  // k: channels times taps
  Regions regions;
  PaddedLayout layout;
  int64_t channels, ranges, parts;  // channels of a range; parts of the regions
  T* sums;                          // (parts, groups, k, out_channels); direct: a register for each
  int64_t padded_size, columns_size, columns_row, sliver_size;
  bool direct;

  int64_t elements() const { return s.groups * k * s.out_channels; }
  T* part(int64_t i, int64_t group) const {
    const int64_t lanes = direct ? Vec<T>::size : 1;
    return sums + (i * s.groups + group) * k * s.out_channels * lanes;
  }
};

// What an item is: a range of channels of a group, and a part of the regions.
template <class T>
struct WeightItem {
  int64_t part, group, first, last, region, end;
  WeightItem(const WeightSum<T>& s, int64_t item) {
    const int64_t range = item % s.ranges;
    group = item / s.ranges % s.s.groups;
    part = item / s.ranges / s.s.groups;
    first = range * s.channels;
    last = min_of(s.s.in_channels, first + s.channels);
    region = share(s.regions.total, s.parts, part);
    end = share(s.regions.total, s.parts, part + 1);
  }
};

// The gradient of the result of one image of a region, at its first position.
template <class T>
const T* gradient_at(const WeightSum<T>& s, const Region& r, int64_t n, int64_t group) {
  const ConvShape& c = s.s;
  const int64_t position = (r.begin[0] * c.out[1] + r.begin[1]) * c.out[2] + r.begin[2];
  return s.out + ((r.image + n) * c.groups + group) * c.out_channels * positions_of_image(c) +
         position;
}

template <class T>
void sum_item(void* context, int64_t index, void* memory) {
  const WeightSum<T>& s = *static_cast<WeightSum<T>*>(context);
  const WeightItem<T> item(s, index);
  const int64_t channels = item.last - item.first, m = s.s.out_channels;
  const int64_t positions = positions_of_image(s.s);
  const Panels<T> panels(channels * s.taps);
  T* const padded = static_cast<T*>(memory);
  T* const columns = padded + s.padded_size;
  T* const sliver = columns + s.columns_size;
  Move* const moves = reinterpret_cast<Move*>(sliver + s.sliver_size);
  T* const sums = s.part(item.part, item.group) + item.first * s.taps * m;
  for (int64_t i = item.region; i < item.end; ++i) {
    const Region r = s.regions.at(s.s, i);
    const int64_t total = r.positions(), of_image = total / max_of(1, r.images);
    fill_padded(s.s, s.layout, r, s.in, item.group, item.first, item.last, padded);
    const int64_t count = list_moves<T>(s.layout, r, channels * s.layout.channel, 0, total, moves);
    gather(s.layout, s.taps, padded, channels, moves, count, columns, s.columns_row);
    for (int64_t j = 0; j < m; j += kNr<T>) {
      const int cols = static_cast<int>(min_of(kNr<T>, m - j));
      for (int64_t n = 0; n < r.images; ++n) {
        pack(gradient_at(s, r, n, item.group) + j * positions, positions, 1, cols, kNr<T>, of_image,
             sliver + n * of_image * kNr<T>);
      }
      for (int64_t p = 0; p < panels.count; ++p) {
        const int64_t row = panels.begin(p);
        Output<T> o{};
        o.out = sums + row * m + j;
        o.out_row = m;
        o.cols = cols;
        o.partial = i > item.region ? o.out : nullptr;
        o.partial_row = m;
        tile_functions<T>().unpacked_near[panels.height(p) - 1][(cols - 1) / Vec<T>::size](
            total, columns + row * s.columns_row, s.columns_row, 1, sliver, kNr<T>, o);
      }
    }
  }
}

// Up to kDirectTaps sums of products of the gradient with the copy, at `at[t]` from each window,
// for one image; `sums` has a register for each.
template <class T>
void direct_sums(const T* gradient, const T* padded, const int64_t* at, int count,
                 const Move* moves, int64_t move_count, T* sums) {
  using V = Vec<T>;
  V acc[kDirectTaps];
  for (int t = 0; t < kDirectTaps; ++t) acc[t] = V::load(sums + (t < count ? t : 0) * V::size);
  int64_t from[kDirectTaps];
  for (int t = 0; t < kDirectTaps; ++t) from[t] = at[t < count ? t : 0];
  for (int64_t i = 0; i < move_count; ++i) {
    const T* const window = padded + moves[i].from;
    const int lanes = moves[i].lanes;
    if (lanes == V::size) {
      const V dy = V::load(gradient + moves[i].to);
#pragma GCC unroll 8
      for (int t = 0; t < kDirectTaps; ++t) acc[t] = fma(dy, V::load(window + from[t]), acc[t]);
    } else {
      const V dy = V::load_n(gradient + moves[i].to, lanes);
#pragma GCC unroll 8
      for (int t = 0; t < kDirectTaps; ++t) {
        acc[t] = fma(dy, V::load_n(window + from[t], lanes), acc[t]);
      }
    }
  }
  for (int t = 0; t < count; ++t) acc[t].store(sums + t * V::size);
}

template <class T>
void sum_direct_item(void* context, int64_t index, void* memory) {
  const WeightSum<T>& s = *static_cast<WeightSum<T>*>(context);
  const WeightItem<T> item(s, index);
  const int64_t channels = item.last - item.first, m = s.s.out_channels;
  T* const padded = static_cast<T*>(memory);
  Move* const moves = reinterpret_cast<Move*>(padded + s.padded_size);
  // (out_channels, k) registers of a group
  T* const sums = s.part(item.part, item.group);
  constexpr int64_t lanes = Vec<T>::size;
  for (int64_t j = 0; j < m; ++j) {
    fill_zeros(sums + (j * s.k + item.first * s.taps) * lanes, channels * s.taps * lanes);
  }
  for (int64_t i = item.region; i < item.end; ++i) {
    const Region r = s.regions.at(s.s, i);
    const int64_t of_image = r.positions() / max_of(1, r.images);
    const int64_t count = list_moves<T>(s.layout, r, 0, 0, of_image, moves);
    fill_padded(s.s, s.layout, r, s.in, item.group, item.first, item.last, padded);
    for (int64_t n = 0; n < r.images; ++n) {
      for (int64_t c = 0; c < channels; ++c) {
        const T* const of_channel = padded + (n * channels + c) * s.layout.channel;
        for (int64_t j = 0; j < m; ++j) {
          const T* const dy = gradient_at(s, r, n, item.group) + j * positions_of_image(s.s);
          T* const to = sums + (j * s.k + (item.first + c) * s.taps) * lanes;
          for (int64_t t = 0; t < s.taps; t += kDirectTaps) {
            const int some = static_cast<int>(min_of(kDirectTaps, s.taps - t));
            direct_sums(dy, of_channel, s.layout.tap + t, some, moves, count, to + t * lanes);
          }
        }
      }
    }
  }
}

// Adds up the parts, in order, and turns the sums into the layout of the weight.
template <class T>
void finish_weight_task(void* context, int64_t task) {
  using V = Vec<T>;
  const WeightSum<T>& s = *static_cast<WeightSum<T>*>(context);
  const int64_t m = s.s.out_channels, blocks = ceil_div(m, V::size), group = task / blocks;
  const int64_t first = task % blocks * V::size, rows = min_of(V::size, m - first);
  T* const weight = s.weight + (group * m + first) * s.k;
  if (s.direct) {
    for (int64_t i = 0; i < rows * s.k; ++i) {
      V total = V::load(s.part(0, group) + (first * s.k + i) * V::size);
      for (int64_t p = 1; p < s.parts; ++p) {
        total = total + V::load(s.part(p, group) + (first * s.k + i) * V::size);
      }
      weight[i] = reduce_add(total);
    }
    return;
  }
  int64_t k = 0;
  for (; rows == V::size && k + V::size <= s.k; k += V::size) {
    V sum[V::size], square[V::size];
    for (int64_t p = 0; p < s.parts; ++p) {
      load_transposed(s.part(p, group) + k * m + first, m, V::size, p == 0 ? sum : square);
      for (int i = 0; p > 0 && i < V::size; ++i) sum[i] = sum[i] + square[i];
    }
    for (int i = 0; i < V::size; ++i) sum[i].store(weight + i * s.k + k);
  }
  for (; k < s.k; ++k) {
    for (int64_t i = 0; i < rows; ++i) {
      T total = s.part(0, group)[k * m + first + i];
      for (int64_t p = 1; p < s.parts; ++p) total += s.part(p, group)[k * m + first + i];
      weight[i * s.k + k] = total;
    }
  }
}

// Sums of all parts, from windows.
template <class T>
void sum_windows(const Exec& exec, WeightSum<T>& s) {
  const Tile& tile = s.regions.tile;
  const int64_t elements = s.elements() * (s.direct ? Vec<T>::size : 1);
  s.parts = max_of(1, min_of(min_of(kWeightParts, s.regions.total), kPartElements / elements));
  s.ranges = ceil_div(s.s.in_channels, max_of(1, kWeightRows / s.taps));
  s.channels = ceil_div(s.s.in_channels, s.ranges);
  const size_t bytes = static_cast<size_t>(s.parts * elements) * sizeof(T);
  s.sums = static_cast<T*>(exec.acquire(bytes));
  if (s.regions.total == 0) fill_zeros(s.sums, elements);
  const int64_t rows = s.channels * s.taps, positions = tile.positions();
  s.padded_size = ceil_div(tile.images * s.channels * s.layout.channel + Vec<T>::size, 16) * 16;
  if (!s.direct) {
    s.columns_row = ceil_div(positions, 16) * 16 + 16;
    s.columns_size = rows * s.columns_row + 16;
    s.sliver_size = ceil_div(positions * kNr<T>, 16) * 16;
  }
  const int64_t size = s.padded_size + s.columns_size + s.sliver_size;
  run_items(exec, s.regions.total == 0 ? 0 : s.ranges * s.s.groups * s.parts,
            size * static_cast<int64_t>(sizeof(T)) + positions * static_cast<int64_t>(sizeof(Move)),
            s.direct ? sum_direct_item<T> : sum_item<T>, &s);
}

template <class T>
void conv_weight(const Exec& exec, const Conv<T>& c) {
  const ConvShape& shape = c.shape;
  const int64_t taps = taps_of(shape), m = shape.out_channels, k = shape.in_channels * taps;
  if (shape.groups * m * k == 0) return;
  if constexpr (__is_same(T, float)) {
    if (suits_winograd(shape) && winograd_weight(exec, c)) return;
  }
  const bool direct = m <= kSkinny;
  const Tile tile = choose_tile(shape, direct ? kDirectPositions : kSumPositions, shape.batch,
                                direct ? Vec<T>::size : kNr<T>);
  int64_t* const tables = static_cast<int64_t*>(
      exec.acquire(static_cast<size_t>(PaddedLayout::table_size(shape)) * sizeof(int64_t)));
  WeightSum<T> s{shape,
                 c.in,
                 c.out,
                 c.weight,
                 taps,
                 k,
                 Regions(shape, tile),
                 PaddedLayout(shape, tile, tables),
                 0,
                 0,
                 1,
                 nullptr,
                 0,
                 0,
                 0,
                 0,
                 direct};
  sum_windows(exec, s);
  run_tasks(exec, shape.groups * ceil_div(m, Vec<T>::size), finish_weight_task<T>, &s);
  exec.release(s.sums);
  exec.release(tables);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
