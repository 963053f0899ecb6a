// The padded copy: what a part of a convolution's output reads, with zeros where the padding is, so
// that every element of a window lies at a fixed distance from its first. For kernel sources only.
#pragma once

#include "core/kernels/conv.h"
#include "core/kernels/conv_pairs.h"
#include "core/kernels/gemm_tiles.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Threads may differ in speed; but each task has memory of its own.
constexpr int64_t kTasksPerThread = 4;

// Positions of the output that are worked on at once: images, and sizes of the three dimensions. If
// one size is not 1, all to the right of it are whole, so that positions lie side by side in `out`.
struct Tile {
  int64_t images, size[3];
  int64_t positions() const { return images * size[0] * size[1] * size[2]; }
};

// At most about `target` positions; several images only if one has fewer. A row is cut at multiples
// of `unit`.
inline Tile choose_tile(const ConvShape& s, int64_t target, int64_t most_images, int64_t unit) {
  Tile tile{1, {1, 1, 1}};
  int64_t left = target;
  for (int d = 2; d >= 0; --d) {
    if (s.out[d] > left) {
      const int64_t parts = ceil_div(s.out[d], max_of(1, left)), even = ceil_div(s.out[d], parts);
      tile.size[d] = d == 2 ? min_of(s.out[d], ceil_div(even, unit) * unit) : even;
      return tile;
    }
    tile.size[d] = s.out[d];
    left /= max_of(1, s.out[d]);
  }
  tile.images = max_of(1, min_of(min_of(s.batch, most_images), left));
  return tile;
}

// One place of the tile: it may be smaller at the ends.
struct Region {
  int64_t image, images, begin[3], size[3];
  int64_t positions() const { return images * size[0] * size[1] * size[2]; }
};

struct Regions {
  Tile tile;
  int64_t count[3], image_parts, total;
  Regions(const ConvShape& s, const Tile& t) : tile(t) {
    total = image_parts = ceil_div(s.batch, tile.images);
    for (int d = 0; d < 3; ++d) total *= count[d] = ceil_div(s.out[d], tile.size[d]);
  }
  Region at(const ConvShape& s, int64_t i) const {
    Region r;
    for (int d = 2; d >= 0; --d) {
      r.begin[d] = i % count[d] * tile.size[d];
      r.size[d] = min_of(tile.size[d], s.out[d] - r.begin[d]);
      i /= count[d];
    }
    r.image = i * tile.images;
    r.images = min_of(tile.images, s.batch - r.image);
    return r;
  }
};

inline int64_t positions_of_image(const ConvShape& s) { return s.out[0] * s.out[1] * s.out[2]; }
inline int64_t taps_of(const ConvShape& s) { return s.kernel[0] * s.kernel[1] * s.kernel[2]; }

// The rows of the copy, in dimension d, that `size` positions read.
inline int64_t rows_of(const ConvShape& s, int d, int64_t size) {
  return (size - 1) * s.stride[d] + (s.kernel[d] - 1) * s.dilation[d] + 1;
}

// Where the elements of a region's windows lie in the copy. A row is kept by phases of the stride:
// elements that the same tap reads at neighbouring positions are neighbours.
struct PaddedLayout {
  int64_t phases;      // that some tap reads
  int64_t phase_size;  // of a row
  int64_t row, plane, channel;
  int64_t* tap;         // the distance of each tap from the first element of the window
  int64_t* phase;       // phase[i]: which the i-th is
  int64_t position[2];  // the distance of neighbouring rows of the output

  static int64_t table_size(const ConvShape& s) { return taps_of(s) + s.kernel[2]; }

  PaddedLayout(const ConvShape& s, const Tile& tile, int64_t* tables) {
    tap = tables;
    phase = tables + taps_of(s);
    phases = 0;
    for (int64_t w = 0; w < s.kernel[2]; ++w) {
      const int64_t of = w * s.dilation[2] % s.stride[2];
      if (slot(of) == phases) phase[phases++] = of;
    }
    phase_size = tile.size[2] + (s.kernel[2] - 1) * s.dilation[2] / s.stride[2];
    row = phases * phase_size;
    plane = rows_of(s, 1, tile.size[1]) * row;
    channel = rows_of(s, 0, tile.size[0]) * plane;
    position[0] = s.stride[0] * plane;
    position[1] = s.stride[1] * row;
    int64_t* to = tap;
    for (int64_t d = 0; d < s.kernel[0]; ++d) {
      for (int64_t h = 0; h < s.kernel[1]; ++h) {
        for (int64_t w = 0; w < s.kernel[2]; ++w) {
          const int64_t at = w * s.dilation[2];
          *to++ = d * s.dilation[0] * plane + h * s.dilation[1] * row +
                  slot(at % s.stride[2]) * phase_size + at / s.stride[2];
        }
      }
    }
  }

  // Which of the phases this is; `phases` where no tap reads it.
  int64_t slot(int64_t of) const {
    int64_t i = 0;
    while (i < phases && phase[i] != of) ++i;
    return i;
  }
};

// Whether some tap may read row r of the copy, in dimension d.
inline bool row_is_read(const ConvShape& s, int d, int64_t r) {
  if (s.stride[d] == 1) return true;
  for (int64_t k = 0; k < s.kernel[d] && k * s.dilation[d] <= r; ++k) {
    if ((r - k * s.dilation[d]) % s.stride[d] == 0) return true;
  }
  return false;
}

template <class T>
void fill(T* to, int64_t n, T value) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size) V(value).store(to + i);
  if (i < n) V(value).store_n(to + i, static_cast<int>(n - i));
}
template <class T>
ADJOINT_INLINE void fill_zeros(T* to, int64_t n) {
  if (n > 0) fill(to, n, T(0));
}

// to[i] = from[i stride] for i < n
template <class T>
void copy_spaced(T* to, const T* from, int64_t stride, int64_t n) {
  using V = Vec<T>;
  int64_t i = 0;
  if (stride == 1) {
    for (; i + V::size <= n; i += V::size) V::load(from + i).store(to + i);
    if (i < n) {
      const int rest = static_cast<int>(n - i);
      V::load_n(from + i, rest).store_n(to + i, rest);
    }
    return;
  }
  if constexpr (__is_same(T, float)) {  // up to the last element of `from`
    for (; stride == 2 && i + V::size < n; i += V::size) {
      V even, odd;
      load_pairs(from + 2 * i, even, odd);
      even.store(to + i);
    }
  }
  for (; i < n; ++i) to[i] = from[i * stride];
}

// Which elements of a phase lie inside a row of the input: the i in [first, last), of which element
// i is that at `from` + i stride.
struct Inside {
  int64_t first, last, from;
  Inside(const ConvShape& s, int64_t begin, int64_t phase, int64_t size) {
    from = begin * s.stride[2] - s.padding[2] + phase;
    first = from < 0 ? min_of(size, ceil_div(-from, s.stride[2])) : 0;
    const int64_t behind = s.in[2] - from;
    last = behind <= 0 ? 0 : min_of(size, ceil_div(behind, s.stride[2]));
    if (last < first) last = first;
  }
};

// The rows of one channel of one image that the region reads, phase by phase: what a row of a phase
// has inside the input is the same for all rows.
template <class T>
void fill_channel(const ConvShape& s, const PaddedLayout& layout, const Region& region, const T* in,
                  T* to) {
  const int64_t rows_d = rows_of(s, 0, region.size[0]), rows_h = rows_of(s, 1, region.size[1]);
  const int64_t first_d = region.begin[0] * s.stride[0] - s.padding[0];
  const int64_t first_h = region.begin[1] * s.stride[1] - s.padding[1];
  for (int64_t p = 0; p < layout.phases; ++p) {
    const int64_t size = layout.phase_size;
    const Inside inside(s, region.begin[2], layout.phase[p], size);
    const int64_t from = inside.from + inside.first * s.stride[2];
    for (int64_t d = 0; d < rows_d; ++d) {
      const int64_t at_d = first_d + d;
      if (!row_is_read(s, 0, d)) continue;
      for (int64_t h = 0; h < rows_h; ++h) {
        const int64_t at_h = first_h + h;
        if (!row_is_read(s, 1, h)) continue;
        T* const row = to + d * layout.plane + h * layout.row + p * size;
        if (at_d < 0 || at_d >= s.in[0] || at_h < 0 || at_h >= s.in[1]) {
          fill_zeros(row, size);
          continue;
        }
        fill_zeros(row, inside.first);
        copy_spaced(row + inside.first, in + (at_d * s.in[1] + at_h) * s.in[2] + from, s.stride[2],
                    inside.last - inside.first);
        fill_zeros(row + inside.last, size - inside.last);
      }
    }
  }
}

// What `region` reads of channels [first, last) of the group, image by image.
template <class T>
void fill_padded(const ConvShape& s, const PaddedLayout& layout, const Region& region, const T* in,
                 int64_t group, int64_t first, int64_t last, T* to) {
  const int64_t channel = s.in[0] * s.in[1] * s.in[2];
  for (int64_t n = region.image; n < region.image + region.images; ++n) {
    for (int64_t c = first; c < last; ++c, to += layout.channel) {
      fill_channel(s, layout, region, in + ((n * s.groups + group) * s.in_channels + c) * channel,
                   to);
    }
  }
}

// A register's worth of neighbouring positions: where its window begins in the copy, and which
// position of the list it is. Loads and stores may be of whole registers: what follows the lanes is
// there, and is written again by whoever comes after.
struct Move {
  int64_t from, to;
  int lanes;
};

// The positions [first, first + count) of a region, of which images lie `image` apart in the copy.
// `moves` has room for `count`. Returns how many there are.
template <class T>
int64_t list_moves(const PaddedLayout& layout, const Region& r, int64_t image, int64_t first,
                   int64_t count, Move* moves) {
  int64_t w = first % r.size[2], row = first / r.size[2], moved = 0, done = 0;
  while (done < count) {
    const int64_t h = row % r.size[1], d = row / r.size[1] % r.size[0];
    const int64_t n = row / r.size[1] / r.size[0];
    const int64_t from = n * image + d * layout.position[0] + h * layout.position[1] + w;
    const int64_t run = min_of(r.size[2] - w, count - done);
    for (int64_t i = 0; i < run; i += Vec<T>::size) {
      moves[moved++] = {from + i, done + i, static_cast<int>(min_of(Vec<T>::size, run - i))};
    }
    done += run;
    w = 0;
    ++row;
  }
  return moved;
}

// Columns as rows of a matrix: to[(c, t), position] for channels that lie layout.channel apart.
template <class T, int kMoves>
void gather_some(const PaddedLayout& layout, int64_t taps, const T* padded, int64_t channels,
                 const Move* moves, int64_t count, T* to, int64_t to_row) {
  using V = Vec<T>;
  for (int64_t c = 0; c < channels; ++c, padded += layout.channel) {
    for (int64_t t = 0; t < taps; ++t, to += to_row) {
      const T* const window = padded + layout.tap[t];
      const int64_t n = kMoves > 0 ? kMoves : count;
#pragma GCC unroll 4
      for (int64_t i = 0; i < n; ++i) V::load(window + moves[i].from).store(to + moves[i].to);
    }
  }
}
template <class T>
void gather(const PaddedLayout& layout, int64_t taps, const T* padded, int64_t channels,
            const Move* moves, int64_t count, T* to, int64_t to_row) {
  const auto f = count == 1   ? gather_some<T, 1>
                 : count == 2 ? gather_some<T, 2>
                 : count == 3 ? gather_some<T, 3>
                 : count == 4 ? gather_some<T, 4>
                              : gather_some<T, 0>;
  f(layout, taps, padded, channels, moves, count, to, to_row);
}

// The longest block of the sum, unless one channel has more taps: a sliver of columns stays in the
// first cache beside the panel that passes by. A constant of the instruction set.
constexpr int64_t kConvKc = 256;

// Channels in blocks whose windows are one block of the sum.
struct ChannelBlocks {
  int64_t channels, count, size;
  ChannelBlocks(int64_t all, int64_t taps) : channels(all) {
    const int64_t most = max_of(1, kConvKc / max_of(1, taps));
    count = max_of(1, ceil_div(all, most));
    size = ceil_div(all, count);
  }
  int64_t begin(int64_t block) const { return min_of(channels, block * size); }
  int64_t length(int64_t block) const { return begin(block + 1) - begin(block); }
};

inline void run_tasks(const Exec& exec, int64_t tasks, void (*body)(void*, int64_t),
                      void* context) {
  if (exec.threads > 1 && tasks > 1) {
    exec.parallel_for(tasks, body, context);
  } else {
    for (int64_t task = 0; task < tasks; ++task) body(context, task);
  }
}

// Runs body(context, item, memory) for every item, each task with memory of its own.
struct Items {
  void (*body)(void* context, int64_t item, void* memory);
  void* context;
  int64_t count, tasks, memory_of_task;
  char* memory;
};
inline void run_task(void* context, int64_t task) {
  const Items& items = *static_cast<Items*>(context);
  const int64_t end = share(items.count, items.tasks, task + 1);
  for (int64_t i = share(items.count, items.tasks, task); i < end; ++i) {
    items.body(items.context, i, items.memory + task * items.memory_of_task);
  }
}
inline void run_items(const Exec& exec, int64_t count, int64_t bytes,
                      void (*body)(void*, int64_t, void*), void* context) {
  if (count <= 0) return;
  Items items{body, context, count, 1, ceil_div(bytes, 64) * 64, nullptr};
  if (exec.threads > 1) items.tasks = min_of(count, kTasksPerThread * exec.threads);
  items.memory =
      static_cast<char*>(exec.acquire(static_cast<size_t>(items.tasks * items.memory_of_task)));
  run_tasks(exec, items.tasks, run_task, &items);
  if (items.memory != nullptr) exec.release(items.memory);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
