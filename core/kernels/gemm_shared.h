// Large products: B packed, and A where that pays, shared by all threads. For kernel sources only.
#pragma once

#include "core/kernels/gemm_tiles.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The largest packed blocks, and what a task works on at a time: a panel of A stays in the first
// cache while kSliversAtOnce slivers of B (up to 1.5 MB) stream from the second.
constexpr int64_t kMaxRows = 4096, kMaxColumns = 3072;
constexpr int64_t kSliversAtOnce = 32;
constexpr int64_t kSliversPerPack = 4, kPanelsPerPack = 8;

template <class T>
struct Blocked {
  const Gemm<T>* g;
  Item<T> item;
  T *a, *b;  // packed; a may be null: A as it lies
  int64_t i0, rows, j0, columns, k0, kc;
  bool first, last, pack_b;
  int64_t row_parts, column_parts;
};

template <class T>
int64_t pack_tasks(const Blocked<T>& s) {
  return (s.pack_b ? ceil_div(ceil_div(s.columns, kNr<T>), kSliversPerPack) : 0) +
         (s.a != nullptr ? ceil_div(Panels<T>(s.rows).count, kPanelsPerPack) : 0);
}

template <class T>
void pack_task(void* context, int64_t task) {
  const Blocked<T>& s = *static_cast<Blocked<T>*>(context);
  const Gemm<T>& g = *s.g;
  const int64_t slivers = ceil_div(s.columns, kNr<T>);
  const int64_t b_tasks = s.pack_b ? ceil_div(slivers, kSliversPerPack) : 0;
  int begin[kPanelsPerPack + 1];
  if (task < b_tasks) {
    const int64_t j = task * kSliversPerPack * kNr<T>;
    const int parts = static_cast<int>(min_of(kSliversPerPack, slivers - task * kSliversPerPack));
    for (int p = 0; p <= parts; ++p) begin[p] = p * kNr<T>;
    pack_parts(s.item.b + s.k0 * g.b_row + (s.j0 + j) * g.b_col, g.b_col, g.b_row, begin, parts,
               static_cast<int>(min_of(parts * kNr<T>, s.columns - j)), s.kc, s.b + j * s.kc);
    return;
  }
  const Panels<T> panels(s.rows);
  const int64_t panel = (task - b_tasks) * kPanelsPerPack, i = panels.begin(panel);
  const int parts = static_cast<int>(min_of(kPanelsPerPack, panels.count - panel));
  for (int p = 0; p <= parts; ++p) begin[p] = static_cast<int>(panels.begin(panel + p) - i);
  pack_parts(s.item.a + (s.i0 + i) * g.a_row + s.k0 * g.a_col, g.a_row, g.a_col, begin, parts,
             begin[parts], s.kc, s.a + i * s.kc);
}

template <class T>
void multiply_task(void* context, int64_t task) {
  const Blocked<T>& s = *static_cast<Blocked<T>*>(context);
  const Gemm<T>& g = *s.g;
  const Panels<T> panels(s.rows);
  const int64_t slivers = ceil_div(s.columns, kNr<T>);
  const int64_t row_part = task / s.column_parts, column_part = task % s.column_parts;
  const int64_t p_begin = share(panels.count, s.row_parts, row_part);
  const int64_t p_end = share(panels.count, s.row_parts, row_part + 1);
  const int64_t n_end = share(slivers, s.column_parts, column_part + 1);
  const auto& functions =
      s.a != nullptr ? tile_functions<T>().packed : tile_functions<T>().unpacked;
  const T* const unpacked = s.item.a + s.i0 * g.a_row + s.k0 * g.a_col;
  for (int64_t n0 = share(slivers, s.column_parts, column_part); n0 < n_end; n0 += kSliversAtOnce) {
    for (int64_t p = p_begin; p < p_end; ++p) {
      const int64_t i = panels.begin(p);
      const T* const a = s.a != nullptr ? s.a + i * s.kc : unpacked + i * g.a_row;
      for (int64_t n = n0; n < min_of(n_end, n0 + kSliversAtOnce); ++n) {
        const int64_t j = n * kNr<T>;
        const int rows = panels.height(p);
        const int cols = static_cast<int>(min_of(kNr<T>, s.columns - j));
        tile_at(g, s.item, s.first, s.last, functions[rows - 1][(cols - 1) / Vec<T>::size],
                s.i0 + i, s.j0 + j, rows, cols, s.kc, a, s.b + j * s.kc, kNr<T>);
      }
    }
  }
}

template <class T>
void run(const Exec& exec, int64_t tasks, void (*body)(void*, int64_t), Blocked<T>& s) {
  if (exec.threads == 1) {
    for (int64_t task = 0; task < tasks; ++task) body(&s, task);
  } else {
    exec.parallel_for(tasks, body, &s);
  }
}

// Tasks by rows first, which leaves each its own panels of A; small enough that the last one to
// finish keeps nobody waiting.
template <class T>
void split(const Exec& exec, Blocked<T>& s) {
  const int64_t panels = Panels<T>(s.rows).count, slivers = ceil_div(s.columns, kNr<T>);
  s.row_parts = s.column_parts = 1;
  if (exec.threads == 1) return;
  const int64_t worth = s.rows * s.columns * max_of(1, s.kc) / (1 << 19);
  const int64_t tasks = max_of(2 * exec.threads, min_of(32 * exec.threads, worth));
  s.row_parts = min_of(tasks, panels);
  s.column_parts = min_of(slivers, ceil_div(tasks, s.row_parts));
}

template <class T>
void shared_product(const Exec& exec, const Gemm<T>& g, const Item<T>& item, bool pack_a) {
  const KBlocks blocks(g.k);
  const int64_t columns = ceil_div(min_of(g.n, kMaxColumns), kNr<T>) * kNr<T>;
  const int64_t a_size = ceil_div(min_of(g.m, kMaxRows) * blocks.size, 16) * 16;
  T* const packed = static_cast<T*>(
      exec.acquire(static_cast<size_t>(a_size + columns * blocks.size) * sizeof(T)));
  Blocked<T> s;
  s.g = &g;
  s.item = item;
  s.a = pack_a ? packed : nullptr;
  s.b = packed + a_size;
  for (s.j0 = 0; s.j0 < g.n; s.j0 += kMaxColumns) {
    s.columns = min_of(kMaxColumns, g.n - s.j0);
    for (int64_t block = 0; block < blocks.count; ++block) {
      s.k0 = blocks.begin(block);
      s.kc = blocks.length(block);
      s.first = block == 0;
      s.last = block + 1 == blocks.count;
      for (s.i0 = 0; s.i0 < g.m; s.i0 += kMaxRows) {
        s.rows = min_of(kMaxRows, g.m - s.i0);
        s.pack_b = s.i0 == 0;
        split(exec, s);
        run(exec, pack_tasks(s), pack_task<T>, s);
        run(exec, s.row_parts * s.column_parts, multiply_task<T>, s);
      }
    }
  }
  exec.release(packed);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
