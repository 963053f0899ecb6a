// Recurrent layers: what the input contributes to the gates is made by products of all steps at
// once (core/ops); here each step multiplies the state with the packed weight, and the gates take
// the sums from the first-level cache.
#include "core/kernels/recurrent.h"

#include "core/kernels/recurrent_cells.h"
#include "core/kernels/recurrent_steps.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T>
ADJOINT_INLINE void copy_or_clear(const T* from, T* to, int64_t n) {
  const auto bytes = static_cast<size_t>(n) * sizeof(T);
  if (from != nullptr) {
    __builtin_memcpy(to, from, bytes);
  } else {
    __builtin_memset(to, 0, bytes);
  }
}

// Asks for the lines of a tile's gates while its sums are made: `parts` times `columns` elements of
// each row, which no hardware follows.
template <class T>
ADJOINT_INLINE void ask_for_gates(const RecurrentLayer& l, void* gates, int64_t time, int64_t first,
                                  int rows, int64_t parts, int64_t j, int64_t columns) {
  constexpr int64_t kOfLine = kLine / static_cast<int64_t>(sizeof(T));
  for (int i = 0; i < rows; ++i) {
    const int64_t row = time * l.t_rows + (first + i) * l.b_rows;
    const T* const p = place<T>(gates, row * l.gate_row + j);
    for (int64_t k = 0; k < parts * l.hidden; k += l.hidden) {
      for (int64_t c = 0; c < columns; c += kOfLine) __builtin_prefetch(p + k + c, 1, 2);
    }
  }
}

// ---- Forward. ----

template <class T>
struct ForwardRun {
  const RecurrentForward* w;
  Slivers<T> weight, projection;
  T* h[2];       // (batch, h_row): before a step and after it, by turns
  T* c;          // (batch, c_row)
  T* projected;  // (batch, c_row)
  int64_t h_row, c_row;
};

// h after the step of n elements from column j on: where it is kept and given.
template <class T>
struct NewState {
  const T* before;
  T *after, *y, *entered;

  NewState(const ForwardRun<T>& run, int64_t step, int64_t time, int64_t item, int64_t j) {
    const RecurrentForward& w = *run.w;
    const RecurrentLayer& l = w.layer;
    before = run.h[step % 2] + item * run.h_row + j;
    after = run.h[(step + 1) % 2] + item * run.h_row + j;
    y = place<T>(w.y, time * w.y_step + item * w.y_row + j);
    entered = place<T>(l.kept.entered, (time * l.t_rows + item * l.b_rows) * l.entered_row + j);
  }
  ADJOINT_INLINE void put(Vec<T> h, int64_t j, int lanes) const {
    store(h, after + j, lanes);
    if (y != nullptr) store(h, y + j, lanes);
    if (entered != nullptr) store(load(before + j, lanes), entered + j, lanes);
  }
  // For an item that takes no part.
  void stay(int64_t n) const {
    copy_or_clear(before, after, n);
    if (y != nullptr) copy_or_clear<T>(nullptr, y, n);
    if (entered != nullptr) copy_or_clear(before, entered, n);
  }
};

// A tile of a step: sums of all gates, and the cell for each of its rows.
template <Cell kCell, class T>
void forward_tile(const ForwardRun<T>& run, int64_t step, int64_t block, int64_t j, int64_t columns,
                  int64_t first, int rows) {
  const RecurrentForward& w = *run.w;
  const RecurrentLayer& l = w.layer;
  constexpr int kGates = gates_of(kCell);
  constexpr int64_t kTile = kMr * kNr<T>;
  alignas(kLine) T sums[kGates * kTile];
  const int64_t time = time_of(l, step);
  ask_for_gates<T>(l, l.kept.gates, time, first, rows, kGates, j, columns);
  for (int gate = 0; w.sums == nullptr && gate < kGates; ++gate) {
    multiply_rows(run.h[step % 2] + first * run.h_row, run.h_row, rows, l.out,
                  run.weight.sliver(block, gate), sums + gate * kTile);
  }
  for (int i = 0; i < rows; ++i) {
    const int64_t item = first + i, row = time * l.t_rows + item * l.b_rows;
    const bool projects = l.projection != nullptr;
    T* const kept = place<T>(l.kept.projected, row * l.hidden + j);
    const NewState<T> h(run, step, time, item, projects ? 0 : j);
    if (!is_there(l, time, item)) {
      if (kept != nullptr) copy_or_clear<T>(nullptr, kept, columns);
      if (!projects) h.stay(columns);
      continue;
    }
    CellRow<T> cell{};
    cell.sums =
        w.sums == nullptr ? sums + i * kNr<T> : place<T>(w.sums, item * kGates * l.hidden + j);
    cell.sums_gate = w.sums == nullptr ? kTile : l.hidden;
    cell.gates = place<T>(l.kept.gates, row * l.gate_row + j);
    cell.hidden = l.hidden;
    cell.keeps = w.keeps;
    cell.bias = place<T>(w.bias, j);
    cell.c = place<T>(run.c, item * run.c_row + j);
    cell.entered_c = place<T>(l.kept.entered_c, row * l.hidden + j);
    cell.before = h.before;
    if (!projects) {
      advance<kCell>(cell, columns, [&](Vec<T> x, int64_t at, int lanes) { h.put(x, at, lanes); });
      continue;
    }
    T* const to = run.projected + item * run.c_row + j;
    advance<kCell>(cell, columns, [&](Vec<T> x, int64_t at, int lanes) {
      store(x, to + at, lanes);
      if (kept != nullptr) store(x, kept + at, lanes);
    });
  }
}

// h from what is projected to it.
template <class T>
void project_tile(const ForwardRun<T>& run, int64_t step, int64_t block, int64_t j, int64_t columns,
                  int64_t first, int rows) {
  const RecurrentLayer& l = run.w->layer;
  alignas(kLine) T sums[kMr * kNr<T>];
  multiply_rows(run.projected + first * run.c_row, run.c_row, rows, l.hidden,
                run.projection.sliver(block, 0), sums);
  const int64_t time = time_of(l, step);
  for (int i = 0; i < rows; ++i) {
    const NewState<T> h(run, step, time, first + i, j);
    if (!is_there(l, time, first + i)) {
      h.stay(columns);
      continue;
    }
    for_vectors<Vec<T>::size>(columns, [&](int64_t at, int lanes) {
      h.put(Vec<T>::load(sums + i * kNr<T> + at), at, lanes);
    });
  }
}

template <class T>
void forward(const Exec& exec, const RecurrentForward& w) {
  const RecurrentLayer& l = w.layer;
  const bool projects = l.projection != nullptr, has_c = l.cell == Cell::lstm;
  const int gates = gates_of(l.cell);
  ForwardRun<T> run{};
  run.w = &w;
  run.h_row = row_for<T>(l.out);
  run.c_row = row_for<T>(l.hidden);
  run.weight = {
      static_cast<const T*>(l.weight), l.out, l.hidden, l.weight_col, l.weight_row, gates, nullptr};
  run.projection = {static_cast<const T*>(l.projection),
                    l.hidden,
                    l.out,
                    l.projection_col,
                    l.projection_row,
                    1,
                    nullptr};
  const int64_t of_weight = w.sums == nullptr ? run.weight.elements() : 0;
  const int64_t of_projection = projects ? run.projection.elements() : 0;
  const int64_t of_h = l.batch * run.h_row, of_c = l.batch * run.c_row;
  T* const memory = static_cast<T*>(exec.acquire(
      static_cast<size_t>(of_weight + of_projection + 2 * of_h + 2 * of_c) * sizeof(T)));
  run.weight.to = memory;
  run.projection.to = memory + of_weight;
  run.h[0] = run.projection.to + of_projection;
  run.h[1] = run.h[0] + of_h;
  run.c = has_c ? run.h[1] + of_h : nullptr;
  run.projected = run.h[1] + of_h + of_c;
  if (w.sums == nullptr) pack_slivers(exec, run.weight);
  if (projects) pack_slivers(exec, run.projection);
  for (int64_t item = 0; item < l.batch; ++item) {
    copy_or_clear(place<T>(w.h0, item * l.out), run.h[0] + item * run.h_row, l.out);
    if (!has_c) continue;
    copy_or_clear(place<T>(w.c0, item * l.hidden), run.c + item * run.c_row, l.hidden);
  }
  const int64_t blocks[2] = {run.weight.per_part(), run.projection.per_part()};
  const int64_t work = l.batch * l.out * l.hidden * (w.sums == nullptr ? gates : 1);
  with_cell(l.cell, [&]<Cell kCell>() {
    run_steps(exec, l.steps, l.batch, blocks, projects ? 2 : 1, work,
              [&](int64_t step, int phase, const StepPart& part) {
                for_tiles<T>(part, phase == 0 ? l.hidden : l.out,
                             [&](int64_t block, int64_t j, int64_t columns, int64_t row, int rows) {
                               if (phase == 0) {
                                 forward_tile<kCell>(run, step, block, j, columns, row, rows);
                               } else {
                                 project_tile(run, step, block, j, columns, row, rows);
                               }
                             });
              });
  });
  for (int64_t item = 0; item < l.batch; ++item) {
    const T* const h = run.h[l.steps % 2] + item * run.h_row;
    copy_or_clear(h, static_cast<T*>(w.h) + item * l.out, l.out);
    if (!has_c) continue;
    copy_or_clear(run.c + item * run.c_row, static_cast<T*>(w.c) + item * l.hidden, l.hidden);
  }
  exec.release(memory);
}

// ---- Backward. ----

template <class T>
struct BackwardRun {
  const RecurrentBackward* w;
  Slivers<T> weight, projection;
  T* dsums[2];  // (batch, dsums_row): what reaches u in a step, and in the one after it, by turns
  T* carried;   // (batch, h_row): what reaches h past the gates
  T* dh;        // (batch, h_row): with a projection, of h after the step
  T* dc;        // (batch, c_row)
  int64_t dsums_row, h_row, c_row;
  int64_t sums;  // elements of a row of dsums
};

// The gradient of h after the step, in `sums` (rows of kNr): what comes through the gates of the
// next step, past them, and from y.
template <class T>
ADJOINT_INLINE void add_to_state(const BackwardRun<T>& run, int64_t step, int64_t j,
                                 int64_t columns, int64_t first, int rows, int64_t block, T* sums) {
  const RecurrentBackward& w = *run.w;
  const RecurrentLayer& l = w.layer;
  const bool last = step + 1 == l.steps;
  if (!last) {
    multiply_rows(run.dsums[(step + 1) % 2] + first * run.dsums_row, run.dsums_row, rows, run.sums,
                  run.weight.sliver(block, 0), sums);
  }
  const int64_t time = time_of(l, step);
  for (int i = 0; i < rows; ++i) {
    const int64_t item = first + i;
    const T* const past = run.carried + item * run.h_row + j;
    const T* const dy =
        is_there(l, time, item) ? place<T>(w.dy, time * w.dy_step + item * w.dy_row + j) : nullptr;
    T* const sum = sums + i * kNr<T>;
    for_vectors<Vec<T>::size>(columns, [&](int64_t at, int lanes) {
      Vec<T> x = load(past + at, lanes);
      if (!last) x += Vec<T>::load(sum + at);
      if (dy != nullptr) x += load(dy + at, lanes);
      x.store(sum + at);
    });
  }
}

// The cell's gradients for a tile, dh in rows of `dh_row`.
template <Cell kCell, class T>
ADJOINT_INLINE void retreat_tile(const BackwardRun<T>& run, int64_t step, int64_t j,
                                 int64_t columns, int64_t first, int rows, const T* dh) {
  const RecurrentBackward& w = *run.w;
  const RecurrentLayer& l = w.layer;
  const bool projects = l.projection != nullptr;
  const int64_t time = time_of(l, step),
                width = (kCell == Cell::gru ? 4 : gates_of(kCell)) * l.hidden;
  for (int i = 0; i < rows; ++i, dh += kNr<T>) {
    const int64_t item = first + i, row = time * l.t_rows + item * l.b_rows;
    T* const dgates = place<T>(w.dgates, row * l.gate_row + j);
    if (j == 0) copy_or_clear<T>(nullptr, dgates + width, l.gate_row - width);
    T* const dsums = run.dsums[step % 2] + item * run.dsums_row + j;
    T* const carried = projects ? nullptr : run.carried + item * run.h_row + j;
    if (!is_there(l, time, item)) {
      for (int64_t k = 0; k < width; k += l.hidden) {
        copy_or_clear<T>(nullptr, dgates + k, columns);
        if (k < run.sums) copy_or_clear<T>(nullptr, dsums + k, columns);
      }
      if (!projects) copy_or_clear(dh, carried, columns);
      continue;
    }
    if (!projects && kCell != Cell::gru) copy_or_clear<T>(nullptr, carried, columns);
    const CellGradient<T> cell{place<T>(l.kept.gates, row * l.gate_row + j),
                               l.hidden,
                               place<T>(l.kept.entered, row * l.entered_row + j),
                               place<T>(l.kept.entered_c, row * l.hidden + j),
                               place<T>(run.dc, item * run.c_row + j),
                               dgates,
                               dsums,
                               carried};
    retreat<kCell>(cell, columns, [&](int64_t at, int) { return Vec<T>::load(dh + at); });
  }
}

template <Cell kCell, class T>
void backward_tile(const BackwardRun<T>& run, int64_t step, int64_t block, int64_t j,
                   int64_t columns, int64_t first, int rows) {
  const RecurrentLayer& l = run.w->layer;
  alignas(kLine) T dh[kMr * kNr<T>];
  const int64_t time = time_of(l, step);
  ask_for_gates<T>(l, l.kept.gates, time, first, rows, gates_of(kCell), j, columns);
  ask_for_gates<T>(l, run.w->dgates, time, first, rows, gates_of(kCell), j, columns);
  add_to_state(run, step, j, columns, first, rows, block, dh);
  retreat_tile<kCell>(run, step, j, columns, first, rows, dh);
}

// With a projection: the gradient of h as a whole, which the next phase multiplies.
template <class T>
void state_tile(const BackwardRun<T>& run, int64_t step, int64_t block, int64_t j, int64_t columns,
                int64_t first, int rows) {
  const RecurrentBackward& w = *run.w;
  const RecurrentLayer& l = w.layer;
  alignas(kLine) T dh[kMr * kNr<T>];
  add_to_state(run, step, j, columns, first, rows, block, dh);
  const int64_t time = time_of(l, step);
  for (int i = 0; i < rows; ++i) {
    const int64_t item = first + i;
    const bool there = is_there(l, time, item);
    const T* const own = dh + i * kNr<T>;
    copy_or_clear(there ? own : nullptr, run.dh + item * run.h_row + j, columns);
    copy_or_clear(there ? nullptr : own, run.carried + item * run.h_row + j, columns);
    copy_or_clear(there ? own : nullptr,
                  place<T>(w.dprojected, (time * l.t_rows + item * l.b_rows) * l.out + j), columns);
  }
}

template <Cell kCell, class T>
void unproject_tile(const BackwardRun<T>& run, int64_t step, int64_t block, int64_t j,
                    int64_t columns, int64_t first, int rows) {
  alignas(kLine) T dh[kMr * kNr<T>];
  multiply_rows(run.dh + first * run.h_row, run.h_row, rows, run.w->layer.out,
                run.projection.sliver(block, 0), dh);
  retreat_tile<kCell>(run, step, j, columns, first, rows, dh);
}

template <class T>
void backward(const Exec& exec, const RecurrentBackward& w) {
  const RecurrentLayer& l = w.layer;
  const bool projects = l.projection != nullptr, has_c = l.cell == Cell::lstm;
  BackwardRun<T> run{};
  run.w = &w;
  run.sums = gates_of(l.cell) * l.hidden;
  run.dsums_row = row_for<T>(run.sums);
  run.h_row = row_for<T>(l.out);
  run.c_row = row_for<T>(l.hidden);
  run.weight = {
      static_cast<const T*>(l.weight), run.sums, l.out, l.weight_row, l.weight_col, 1, nullptr};
  run.projection = {static_cast<const T*>(l.projection),
                    l.out,
                    l.hidden,
                    l.projection_row,
                    l.projection_col,
                    1,
                    nullptr};
  const int64_t of_weight = l.steps > 1 ? run.weight.elements() : 0;
  const int64_t of_projection = projects ? run.projection.elements() : 0;
  const int64_t of_sums = l.batch * run.dsums_row, of_h = l.batch * run.h_row;
  T* const memory =
      static_cast<T*>(exec.acquire(static_cast<size_t>(of_weight + of_projection + 2 * of_sums +
                                                       2 * of_h + l.batch * run.c_row) *
                                   sizeof(T)));
  run.weight.to = memory;
  run.projection.to = memory + of_weight;
  run.dsums[0] = run.projection.to + of_projection;
  run.dsums[1] = run.dsums[0] + of_sums;
  run.carried = run.dsums[1] + of_sums;
  run.dh = run.carried + of_h;
  run.dc = has_c ? run.dh + of_h : nullptr;
  if (l.steps > 1) pack_slivers(exec, run.weight);
  if (projects) pack_slivers(exec, run.projection);
  for (int64_t item = 0; item < l.batch; ++item) {
    copy_or_clear(place<T>(w.dh, item * l.out), run.carried + item * run.h_row, l.out);
    if (!has_c) continue;
    copy_or_clear(place<T>(w.dc, item * l.hidden), run.dc + item * run.c_row, l.hidden);
  }
  const int64_t blocks[2] = {run.weight.per_part(), run.projection.per_part()};
  with_cell(l.cell, [&]<Cell kCell>() {
    run_steps(exec, l.steps, l.batch, blocks, projects ? 2 : 1, l.batch * l.out * run.sums,
              [&](int64_t back, int phase, const StepPart& part) {
                const int64_t step = l.steps - 1 - back;
                for_tiles<T>(part, phase == 0 ? l.out : l.hidden,
                             [&](int64_t block, int64_t j, int64_t columns, int64_t row, int rows) {
                               if (phase == 1) {
                                 unproject_tile<kCell>(run, step, block, j, columns, row, rows);
                               } else if (projects) {
                                 state_tile(run, step, block, j, columns, row, rows);
                               } else {
                                 backward_tile<kCell>(run, step, block, j, columns, row, rows);
                               }
                             });
              });
  });
  for (int64_t item = 0; item < l.batch; ++item) {
    if (w.dh0 != nullptr) {
      copy_or_clear(run.carried + item * run.h_row, place<T>(w.dh0, item * l.out), l.out);
    }
    if (w.dc0 == nullptr) continue;
    copy_or_clear(run.dc + item * run.c_row, place<T>(w.dc0, item * l.hidden), l.hidden);
  }
  exec.release(memory);
}

}  // namespace

extern const RecurrentTable ADJOINT_TABLE;
const RecurrentTable ADJOINT_TABLE = {.forward = {forward<float>, forward<double>},
                                      .backward = {backward<float>, backward<double>}};

}  // namespace adjoint::kernels::ADJOINT_ISA
