// What the forward and the backward of recurrent layers share: packed weights, products of a few
// rows with them, the division of work. For kernel sources only.
#pragma once

#include "core/kernels/gemm_tiles.h"
#include "core/kernels/recurrent.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Calls f with the cell as a constant.
template <class F>
ADJOINT_INLINE void with_cell(Cell cell, const F& f) {
  switch (cell) {
    case Cell::rnn_tanh:
      return f.template operator()<Cell::rnn_tanh>();
    case Cell::rnn_relu:
      return f.template operator()<Cell::rnn_relu>();
    case Cell::lstm:
      return f.template operator()<Cell::lstm>();
    case Cell::gru:
      return f.template operator()<Cell::gru>();
  }
}

// Time of step s, and whether an item takes part in it.
ADJOINT_INLINE int64_t time_of(const RecurrentLayer& l, int64_t step) {
  return l.reverse ? l.steps - 1 - step : step;
}
ADJOINT_INLINE bool is_there(const RecurrentLayer& l, int64_t time, int64_t item) {
  return l.lengths == nullptr || time < l.lengths[item];
}

// Rows in memory for products: their lengths never whole pages, which would drive each other out
// of the first cache.
template <class T>
ADJOINT_INLINE int64_t row_for(int64_t n) {
  const int64_t row = ceil_div(n, 16) * 16;
  return rows_apart<T>(row) ? row : row + 16;
}

// The place at a row and column of an array, nullptr for none.
template <class T>
ADJOINT_INLINE T* place(void* data, int64_t offset) {
  return data == nullptr ? nullptr : static_cast<T*>(data) + offset;
}
template <class T>
ADJOINT_INLINE const T* place(const void* data, int64_t offset) {
  return data == nullptr ? nullptr : static_cast<const T*>(data) + offset;
}

// A weight in slivers of kNr columns, each k-major, the columns that the last one lacks zero: each
// is read in every step.
template <class T>
struct Slivers {
  const T* from;
  int64_t k, n;  // of the product: sums of k elements, n columns
  int64_t k_stride, n_stride;
  int64_t parts;  // so many such weights, n columns apart: gates
  T* to;

  int64_t per_part() const { return ceil_div(n, kNr<T>); }
  int64_t count() const { return parts * per_part(); }
  int64_t elements() const { return count() * k * kNr<T>; }
  // Parts of the same columns lie side by side.
  ADJOINT_INLINE const T* sliver(int64_t block, int64_t part) const {
    return to + (block * parts + part) * k * kNr<T>;
  }
};

template <class T>
void pack_slivers(const Exec& exec, const Slivers<T>& w) {
  parallel_tasks(exec, w.count(), [&](int64_t task) {
    const int64_t block = task / w.parts, part = task % w.parts, j = block * kNr<T>;
    pack(w.from + (part * w.n + j) * w.n_stride, w.n_stride, w.k_stride,
         static_cast<int>(min_of(kNr<T>, w.n - j)), static_cast<int>(kNr<T>), w.k,
         w.to + task * w.k * kNr<T>);
  });
}

// sums[i][0 ... kNr) = rows [0, rows) of a times a sliver.
template <class T>
ADJOINT_INLINE void multiply_rows(const T* a, int64_t a_row, int rows, int64_t k, const T* sliver,
                                  T* sums) {
  const KBlocks blocks(k);
  const TileFunction<T> multiply = tile_functions<T>().unpacked[rows - 1][kNv - 1];
  Output<T> o{};
  o.out = sums;
  o.out_row = o.partial_row = kNr<T>;
  o.cols = static_cast<int>(kNr<T>);
  for (int64_t block = 0; block < blocks.count; ++block) {
    const int64_t k0 = blocks.begin(block);
    o.partial = block > 0 ? sums : nullptr;
    multiply(blocks.length(block), a + k0, a_row, 1, sliver + k0 * kNr<T>, kNr<T>, o);
  }
}

// Rows of the batch and blocks of columns: what a task works on.
struct StepPart {
  int64_t first_row, last_row, first_block, last_block;
};

// Calls f(step, phase, part) for all steps in order and their phases, phase p having blocks[p]
// blocks of columns, which may need all that the phase before has written of their rows. Threads
// take rows, which go through all steps without waiting for each other; where these are few, each
// phase is divided by columns. `work`: multiplications of a step.
template <class F>
void run_steps(const Exec& exec, int64_t steps, int64_t batch, const int64_t* blocks, int phases,
               int64_t work, const F& f) {
  constexpr int64_t kRows = 8, kMostRows = 64, kWorthThreads = 1 << 18;
  const int64_t threads = exec.threads;
  const bool worth = threads > 1 && work * steps >= kWorthThreads;
  if (worth && batch < kRows * threads && work >= kWorthThreads) {
    for (int64_t step = 0; step < steps; ++step) {
      for (int p = 0; p < phases; ++p) {
        const int64_t parts = min_of(blocks[p], threads);
        parallel_tasks(exec, parts, [&](int64_t task) {
          f(step, p,
            StepPart{0, batch, share(blocks[p], parts, task), share(blocks[p], parts, task + 1)});
        });
      }
    }
    return;
  }
  const int64_t alike = worth ? threads : 1;
  const int64_t parts = max_of(1, min_of(batch, alike * ceil_div(batch, alike * kMostRows)));
  parallel_tasks(exec, parts, [&](int64_t task) {
    const int64_t first = share(batch, parts, task), last = share(batch, parts, task + 1);
    for (int64_t step = 0; step < steps; ++step) {
      for (int p = 0; p < phases; ++p) f(step, p, StepPart{first, last, 0, blocks[p]});
    }
  });
}

// Calls f(column, columns, first row, rows) for the part, in tiles, all rows of a block of columns
// one after the other.
template <class T, class F>
ADJOINT_INLINE void for_tiles(const StepPart& part, int64_t n, const F& f) {
  const Panels<T> panels(part.last_row - part.first_row);
  for (int64_t block = part.first_block; block < part.last_block; ++block) {
    const int64_t j = block * kNr<T>, columns = min_of(kNr<T>, n - j);
    for (int64_t p = 0; p < panels.count; ++p) {
      f(block, j, columns, part.first_row + panels.begin(p), panels.height(p));
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
