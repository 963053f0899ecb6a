// Products of middling size: C is cut into one rectangle a task, and each task packs for itself. A
// panel that another core has packed costs more to fetch than to pack again, and nobody waits for
// anybody. For kernel sources only.
#pragma once

#include "core/kernels/gemm_tiles.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows of A or columns of B, cut into what one register tile takes.
template <class T>
struct Side {
  const T* data;
  int64_t stride, k_stride;
  int64_t size, units;
  bool panels;  // of A, of nearly equal height; otherwise slivers of B, of full width but the last

  // Where unit u begins, both in the operand and, times the length of the block, when packed.
  ADJOINT_INLINE int64_t begin(int64_t u) const {
    return panels ? share(size, units, u) : u * kNr<T>;
  }
  ADJOINT_INLINE int extent(int64_t u) const {
    return static_cast<int>(min_of(begin(u + 1), size) - begin(u));
  }
};

// Packs units [first, last) for kc of the sum's elements from k0 on.
template <class T>
void pack_units(const Side<T>& side, int64_t first, int64_t last, int64_t k0, int64_t kc, T* to) {
  constexpr int kAtOnce = 8;
  for (int64_t u = first; u < last; u += kAtOnce) {
    const int parts = static_cast<int>(min_of(kAtOnce, last - u));
    const int64_t from = side.begin(u);
    int begin[kAtOnce + 1];
    for (int p = 0; p <= parts; ++p) begin[p] = static_cast<int>(side.begin(u + p) - from);
    pack_parts(side.data + from * side.stride + k0 * side.k_stride, side.stride, side.k_stride,
               begin, parts, static_cast<int>(min_of(begin[parts], side.size - from)), kc,
               to + (from - side.begin(first)) * kc);
  }
}

// Asks for the lines of units [first, last), a few at a time, while others are multiplied.
template <class T>
class Prefetch {
 public:
  Prefetch(const Side<T>& side, int64_t first, int64_t last, int64_t k0, int64_t kc) {
    const int64_t from = side.begin(first), count = min_of(side.begin(last), side.size) - from;
    next_ = side.data + from * side.stride + k0 * side.k_stride;
    const bool along_k = side.k_stride == 1;
    if (count <= 0 || (!along_k && side.stride != 1)) return;
    lines_ = ceil_div(along_k ? kc : count, kOfLine);
    rows_ = along_k ? count : kc;
    step_ = along_k ? side.stride : side.k_stride;
  }
  int64_t total() const { return rows_ * lines_; }
  ADJOINT_INLINE void some(int64_t wanted) {
    for (; wanted > 0 && rows_ > 0; --wanted) {
      __builtin_prefetch(next_ + line_ * kOfLine, 0, 2);
      if (++line_ < lines_) continue;
      line_ = 0;
      next_ += step_;
      --rows_;
    }
  }

 private:
  static constexpr int64_t kOfLine = 64 / static_cast<int64_t>(sizeof(T));
  const T* next_ = nullptr;
  int64_t rows_ = 0, lines_ = 0, step_ = 0, line_ = 0;
};

// Units of the flowing side that are packed together.
constexpr int64_t kBundle = 4;

template <class T>
struct Private {
  const Gemm<T>* g;
  Item<T> item;
  Side<T> a, b;
  int64_t row_parts, column_parts;
  bool a_stays;         // packed once for a task, while b flows by; or the other way round
  bool pack_a, pack_b;  // or read as they lie
  int64_t stay_units;   // that stay at once
  int64_t stay_blocks;  // of the sum, that stay at once
  T* memory;
  int64_t memory_of_task, stay_memory;
};

// What a task works on: units of both sides.
struct Part {
  int64_t first, last;
};

// Multiplies the flowing units [flow.first, flow.last) with those that stay, for one block of K.
template <class T>
void multiply_bundle(const Private<T>& s, const KBlocks& blocks, int64_t block, Part stay,
                     Part flow, const T* stay_data, const T* flow_data, Prefetch<T>& ahead) {
  const Gemm<T>& g = *s.g;
  const int64_t k0 = blocks.begin(block), kc = blocks.length(block);
  const auto& functions = s.pack_a ? tile_functions<T>().packed : tile_functions<T>().unpacked;
  const Side<T>&staying = s.a_stays ? s.a : s.b, &flowing = s.a_stays ? s.b : s.a;
  const int64_t tiles = (stay.last - stay.first) * (flow.last - flow.first);
  // What is read as it lies is asked for by the tiles.
  const bool packed = s.a_stays ? s.pack_b : s.pack_a;
  const int64_t lines = packed ? ceil_div(ahead.total(), tiles) : 0;
  for (int64_t f = flow.first; f < flow.last; ++f) {
    const T* const of_flow = flow_data + (flowing.begin(f) - flowing.begin(flow.first)) * kc;
    for (int64_t u = stay.first; u < stay.last; ++u) {
      const T* const of_stay = stay_data + (staying.begin(u) - staying.begin(stay.first)) * kc;
      const int64_t p = s.a_stays ? u : f, n = s.a_stays ? f : u;
      const int64_t i = s.a.begin(p), j = s.b.begin(n);
      const int rows = s.a.extent(p), cols = s.b.extent(n);
      const T* a = s.a_stays ? of_stay : of_flow;
      const T* b = s.a_stays ? of_flow : of_stay;
      if (!s.pack_a) a = s.a.data + i * g.a_row + k0 * g.a_col;
      if (!s.pack_b) b = s.b.data + j + k0 * g.b_row;
      ahead.some(lines);
      tile_at(g, s.item, block == 0, block + 1 == blocks.count,
              functions[rows - 1][(cols - 1) / Vec<T>::size], i, j, rows, cols, kc, a, b,
              s.pack_b ? kNr<T> : g.b_row);
    }
  }
}

template <class T>
void private_task(void* context, int64_t task) {
  const Private<T>& s = *static_cast<Private<T>*>(context);
  const KBlocks blocks(s.g->k);
  const int64_t row = task / s.column_parts, column = task % s.column_parts;
  const Part rows{share(s.a.units, s.row_parts, row), share(s.a.units, s.row_parts, row + 1)};
  const Part columns{share(s.b.units, s.column_parts, column),
                     share(s.b.units, s.column_parts, column + 1)};
  const Side<T>&staying = s.a_stays ? s.a : s.b, &flowing = s.a_stays ? s.b : s.a;
  const Part all_stay = s.a_stays ? rows : columns, all_flow = s.a_stays ? columns : rows;
  const bool pack_stay = s.a_stays ? s.pack_a : s.pack_b;
  const bool pack_flow = s.a_stays ? s.pack_b : s.pack_a;
  T* const stay_memory = s.memory + task * s.memory_of_task;
  T* const flow_memory = stay_memory + s.stay_memory;

  Part stay{all_stay.first, 0};
  for (; stay.first < all_stay.last; stay.first = stay.last) {
    stay.last = min_of(all_stay.last, stay.first + s.stay_units);
    const int64_t extent = staying.begin(stay.last) - staying.begin(stay.first);
    for (int64_t from = 0; from < blocks.count; from += s.stay_blocks) {
      const int64_t to = min_of(blocks.count, from + s.stay_blocks);
      for (int64_t block = from; pack_stay && block < to; ++block) {
        pack_units(staying, stay.first, stay.last, blocks.begin(block), blocks.length(block),
                   stay_memory + (block - from) * extent * blocks.size);
      }
      Part flow{all_flow.first, 0};
      for (; flow.first < all_flow.last; flow.first = flow.last) {
        flow.last = min_of(all_flow.last, flow.first + kBundle);
        for (int64_t block = from; block < to; ++block) {
          const int64_t k0 = blocks.begin(block), kc = blocks.length(block);
          if (pack_flow) pack_units(flowing, flow.first, flow.last, k0, kc, flow_memory);
          const bool same = block + 1 < to;
          const int64_t next = same ? block + 1 : from, first = same ? flow.first : flow.last;
          Prefetch<T> ahead(flowing, first, min_of(all_flow.last, first + kBundle),
                            blocks.begin(next), blocks.length(next));
          multiply_bundle(s, blocks, block, stay, flow,
                          stay_memory + (block - from) * extent * blocks.size, flow_memory, ahead);
        }
      }
    }
  }
}

// In turns of the multipliers, what it takes to pack one element: nothing where it is read as it
// lies, twice as much where rows are turned.
template <class T>
int64_t packing_cost(const Side<T>& side, bool packed) {
  return !packed ? 0 : side.k_stride == 1 ? 2 : 1;
}

// How many tasks by rows and by columns: what takes least time, packing included, each task being
// run by a thread of its own.
template <class T>
void choose_grid(const Exec& exec, Private<T>& s) {
  const int64_t tasks = exec.threads;
  int64_t least = -1;
  for (int64_t rows = 1; rows <= tasks; ++rows) {
    if (tasks % rows != 0) continue;
    const int64_t columns = tasks / rows;
    if (rows > s.a.units || columns > s.b.units) continue;
    const int64_t panels = ceil_div(s.a.units, rows), slivers = ceil_div(s.b.units, columns);
    // For each element of the sum.
    const int64_t cost = panels * slivers * kMr * kNv + packing_cost(s.a, s.pack_a) * panels * kMr +
                         packing_cost(s.b, s.pack_b) * slivers * kNr<T>;
    if (least >= 0 && cost >= least) continue;
    least = cost;
    s.row_parts = rows;
    s.column_parts = columns;
  }
  if (least < 0) {  // too small for so many
    s.row_parts = min_of(s.a.units, exec.threads);
    s.column_parts = 1;
  }
}

// What stays should fill no more than this share of the second-level cache, for one block of K; for
// all its blocks together no more than kStayBytes.
constexpr int64_t kStayNumerator = 5, kStayDenominator = 8;
constexpr int64_t kStayBytes = 3 << 20;

template <class T>
void private_product(const Exec& exec, const Gemm<T>& g, const Item<T>& item, bool pack_a) {
  const KBlocks blocks(g.k);
  Private<T> s{};
  s.g = &g;
  s.item = item;
  s.pack_a = pack_a;
  s.pack_b = g.b_col != 1 || g.n % kNr<T> != 0 || !rows_apart<T>(g.b_row);
  s.a = {item.a, g.a_row, g.a_col, g.m, ceil_div(g.m, kMr), true};
  s.b = {item.b, g.b_col, g.b_row, g.n, ceil_div(g.n, kNr<T>), false};
  choose_grid(exec, s);
  const int64_t tasks = s.row_parts * s.column_parts;
  const int64_t panels = ceil_div(s.a.units, s.row_parts);
  const int64_t slivers = ceil_div(s.b.units, s.column_parts);
  s.a_stays = pack_a && panels * kMr <= slivers * kNr<T>;
  const int64_t width = s.a_stays ? kMr : kNr<T>, flow_width = s.a_stays ? kNr<T> : kMr;
  const int64_t bytes_of_unit = width * blocks.size * static_cast<int64_t>(sizeof(T));
  s.stay_units = max_of(1, exec.l2_bytes * kStayNumerator / kStayDenominator / bytes_of_unit);
  s.stay_units = min_of(s.stay_units, s.a_stays ? panels : slivers);
  s.stay_blocks = min_of(blocks.count, max_of(1, kStayBytes / (bytes_of_unit * s.stay_units)));
  s.stay_memory = ceil_div(s.stay_units * width * blocks.size * s.stay_blocks, 64) * 64;
  s.memory_of_task = s.stay_memory + ceil_div(kBundle * flow_width * blocks.size, 64) * 64;
  s.memory =
      static_cast<T*>(exec.acquire(static_cast<size_t>(tasks * s.memory_of_task) * sizeof(T)));
  if (tasks == 1) {
    private_task<T>(&s, 0);
  } else {
    exec.parallel_for(tasks, private_task<T>, &s);
  }
  exec.release(s.memory);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
