// Small, skinny and batched products: A as it lies, B as it lies where its rows are contiguous. For
// kernel sources only.
#pragma once

#include "core/kernels/gemm_tiles.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T>
struct Direct {
  const Gemm<T>* g;
  T* partial;              // for every product of the batch, or nullptr: in C
  int64_t items_per_task;  // with column_parts == 1
  int64_t items, column_parts;
};

// Registers of columns that suit few rows of A are many: each is a chain of its own.
template <class T>
bool is_wide(const Gemm<T>& g) {
  return g.m <= kSkinny && g.b_col == 1;
}
template <class T>
int unit_columns(const Gemm<T>& g) {
  return is_wide(g) ? kWide * Vec<T>::size : kNr<T>;
}

template <class T>
void direct_columns(const Gemm<T>& g, const Item<T>& item, int64_t column_begin,
                    int64_t column_end) {
  constexpr int size = Vec<T>::size;
  const KBlocks blocks(g.k);
  const Panels<T> panels(g.m);
  alignas(64) T sliver[kKc * kNr<T>];
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t k0 = blocks.begin(block), kc = blocks.length(block);
    const T* a = item.a + k0 * g.a_col;
    int cols;
    for (int64_t j = column_begin; j < column_end; j += cols) {
      const bool wide = is_wide(g) && column_end - j >= kWide * size;
      cols = wide ? kWide * size : static_cast<int>(min_of(kNr<T>, column_end - j));
      const int width = (cols + size - 1) / size * size;
      const T* b = item.b + k0 * g.b_row + j * g.b_col;
      int64_t b_step = g.b_row;
      const TileFunction<T>* of = nullptr;
      if (wide) {
        of = tile_functions<T>().wide;
      } else if (g.m <= kSkinny && g.b_row == 1) {
        of = tile_functions<T>().turned;
        b_step = g.b_col;
      } else if (g.b_col != 1 || cols != width) {
        pack(b, g.b_col, g.b_row, cols, width, kc, sliver);
        b = sliver;
        b_step = width;
      }
      for (int64_t p = 0; p < panels.count; ++p) {
        const int64_t i = panels.begin(p);
        const int rows = panels.height(p);
        tile_at(g, item, block == 0, block + 1 == blocks.count,
                of != nullptr ? of[rows - 1]
                              : tile_functions<T>().unpacked_near[rows - 1][width / size - 1],
                i, j, rows, cols, kc, a + i * g.a_row, b, b_step);
      }
    }
  }
}

template <class T>
Item<T> direct_item(const Direct<T>& d, int64_t index) {
  Item<T> item = item_of(*d.g, index);
  if (d.partial != nullptr) {
    item.partial = d.partial + index * d.g->m * d.g->n;
    item.partial_row = d.g->n;
  }
  return item;
}

template <class T>
void direct_task(void* context, int64_t task) {
  const Direct<T>& d = *static_cast<Direct<T>*>(context);
  const Gemm<T>& g = *d.g;
  if (d.column_parts > 1) {
    const int64_t part = task % d.column_parts, unit = unit_columns(g);
    const int64_t units = ceil_div(g.n, unit);
    direct_columns(g, direct_item(d, task / d.column_parts),
                   share(units, d.column_parts, part) * unit,
                   min_of(g.n, share(units, d.column_parts, part + 1) * unit));
    return;
  }
  const int64_t end = min_of(d.items, (task + 1) * d.items_per_task);
  for (int64_t i = task * d.items_per_task; i < end; ++i) {
    direct_columns(g, direct_item(d, i), 0, g.n);
  }
}

// Work, in multiplications, that is worth a thread's attention, and that is worth a task.
constexpr int64_t kWorthThreads = 1 << 18, kWorthTask = 1 << 16;

template <class T>
void direct(const Exec& exec, const Gemm<T>& g, int64_t items, T* partial) {
  const int64_t work = max_of(1, g.m * g.n * max_of(1, g.k));
  Direct<T> d{&g, partial, 1, items, 1};
  int64_t tasks = items;
  if (exec.threads == 1 || work * items < kWorthThreads) {
    d.items_per_task = items;
    tasks = 1;
  } else if (items < 4 * exec.threads) {
    const int64_t wanted = min_of(ceil_div(8 * exec.threads, items), work / kWorthTask);
    d.column_parts = max_of(1, min_of(wanted, ceil_div(g.n, unit_columns(g))));
    tasks = items * d.column_parts;
  } else {
    d.items_per_task = max_of(1, min_of(items / (4 * exec.threads), kWorthTask / work));
    tasks = ceil_div(items, d.items_per_task);
  }
  if (tasks == 1) {
    direct_task<T>(&d, 0);
  } else {
    exec.parallel_for(tasks, direct_task<T>, &d);
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
