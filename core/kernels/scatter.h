// Values sent to places of a table by indices, in an order that no number of threads changes. For
// kernel sources only.
#pragma once

#include "core/kernels/index.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

ADJOINT_INLINE int64_t wrapped(int64_t index, int64_t extent) {
  return index + ((index >> 63) & extent);
}

// --- what a table does with a value ---

template <class T>
struct Assign {
  using Table = T;
  using Value = T;
  static ADJOINT_INLINE void one(T* table, T value) { *table = value; }
  static ADJOINT_INLINE void row(T* table, const T* values, int64_t n) {
    __builtin_memcpy(table, values, static_cast<size_t>(n) * sizeof(T));
  }
};

template <class T>
struct Add {
  using Table = Computed<T>;
  using Value = T;
  static ADJOINT_INLINE void one(Table* table, T value) {
    if constexpr (__is_same(T, int64_t)) {
      __builtin_add_overflow(*table, value, table);  // wraps around
    } else {
      *table += static_cast<Table>(value);
    }
  }
  static ADJOINT_INLINE void row(Table* table, const T* values, int64_t n) {
    for_vectors<Vec<Table>::size>(n, [&](int64_t j, int lanes) {
      store(load(table + j, lanes) + load(values + j, lanes), table + j, lanes);
    });
  }
};

// The others are rare: element by element.
template <class T, class F>
struct ByElement {
  using Table = T;
  using Value = T;
  static ADJOINT_INLINE void one(T* table, T value) { F::apply(table, value); }
  static ADJOINT_INLINE void row(T* table, const T* values, int64_t n) {
    for (int64_t j = 0; j < n; ++j) F::apply(table + j, values[j]);
  }
};

template <class T>
struct Multiply : ByElement<T, Multiply<T>> {
  static ADJOINT_INLINE void apply(T* table, T value) {
    if constexpr (__is_same(T, int64_t)) {
      __builtin_mul_overflow(*table, value, table);
    } else {
      *table *= value;
    }
  }
};
template <class T>
struct Largest : ByElement<T, Largest<T>> {
  static ADJOINT_INLINE void apply(T* table, T value) {
    if (value > *table || value != value) *table = value;
  }
};
template <class T>
struct Smallest : ByElement<T, Smallest<T>> {
  static ADJOINT_INLINE void apply(T* table, T value) {
    if (value < *table || value != value) *table = value;
  }
};

// --- in which order ---

// Some of the dimensions of a loop over table, indices and values, innermost first.
struct Dims {
  int rank = 0;
  int64_t count = 1;
  int64_t size[8] = {}, stride[3][8] = {};

  void add(const Loop<3>& loop, int d) {
    size[rank] = loop.size[d];
    for (int i = 0; i < 3; ++i) stride[i][rank] = loop.stride[i][d];
    count *= loop.size[d];
    ++rank;
  }
  // From one value to the next in the dimension in which they are closest; those that repeat do
  // not count.
  int64_t shortest_step() const {
    int64_t least = INT64_MAX;
    for (int d = 0; d < rank; ++d) {
      if (stride[2][d] != 0) least = min_of(least, __builtin_llabs(stride[2][d]));
    }
    return least;
  }
};

// Calls f(at, n) for the positions [first, last) of the dimensions in row-major order, in runs of n
// along dimension 0, at[i] being the offset of operand i.
template <class F>
ADJOINT_INLINE void for_runs(const Dims& dims, int64_t first, int64_t last, const F& f) {
  int64_t at[3] = {};
  if (dims.rank == 0) {
    f(at, 1);
    return;
  }
  while (first < last) {
    int64_t rest = first / dims.size[0];
    const int64_t from = first - rest * dims.size[0];
    const int64_t n = min_of(dims.size[0] - from, last - first);
    for (int i = 0; i < 3; ++i) at[i] = from * dims.stride[i][0];
    for (int d = 1; d < dims.rank; ++d) {
      const int64_t coordinate = rest % dims.size[d];
      rest /= dims.size[d];
      for (int i = 0; i < 3; ++i) at[i] += coordinate * dims.stride[i][d];
    }
    f(at, n);
    first += n;
  }
}

// Elements of rows that a task works on when it walks many indices.
constexpr int64_t kColumns = 64;
// Tasks that share rows of at least kRow columns, each with places of its own; each reads all
// indices.
constexpr int64_t kRow = 16;
constexpr int64_t kMostParts = 8;
// Which row of the table to ask for while one is written, and how much of it: the rest is found by
// the hardware.
constexpr int64_t kAhead = 4, kAheadLines = 4;

// Note [Order of scatters]
// The free dimensions of a loop are those in which the table moves by itself; in the others indices
// move it. Two values meet only where their free positions are equal. A task has a range of free
// positions, and walks all indices of each in order: no two tasks meet, and the order in which a
// place is written does not depend on how many run at once. Where rows are few columns wide, tasks
// share them, each taking the indices of a range of places: who writes a place changes with the
// number of threads, the order does not.
template <class Body>
class InOrder {
 public:
  InOrder(const Loop<3>& loop, const Along& along)
      : along_(along),
        table_(static_cast<Table*>(loop.data[0])),
        indices_(static_cast<const int64_t*>(loop.data[1])),
        values_(static_cast<const Value*>(loop.data[2])) {
    for (int d = 0; d < loop.rank; ++d) (loop.stride[0][d] != 0 ? free_ : moved_).add(loop, d);
    // Along the values' memory; the loop is in the order of the table's, which indices skip.
    const int64_t free = free_.shortest_step(), moved = moved_.shortest_step();
    indices_inside_ =
        free == moved ? free_.rank == 0 || free_.stride[0][0] > along.step : moved < free;
  }

  void run(const Exec& exec) const {
    const int64_t work = free_.count * moved_.count;
    if (work == 0) return;
    const int64_t least = indices_inside_ ? 1 : kColumns;
    const int64_t width = max_of(least, kGrain / moved_.count);
    const int64_t blocks = ceil_div(free_.count, width);
    // Reading all indices is worth it for rows; element by element it costs what it saves.
    const bool rows_alike = !indices_inside_ && free_.stride[1][0] == 0 && free_.size[0] >= kRow;
    const bool shared = rows_alike && blocks < exec.threads && work >= 4 * kGrain;
    const int64_t parts = shared ? min_of(exec.threads, kMostParts) : 1;
    parallel_tasks(exec, blocks * parts, [&](int64_t task) {
      const int64_t block = task / parts, part = task % parts;
      const Range places{along_.extent * part / parts, along_.extent * (part + 1) / parts};
      const int64_t last = min_of(free_.count, (block + 1) * width);
      for_runs(free_, block * width, last, [&](const int64_t* at, int64_t n) {
        if (indices_inside_) {
          columns(at, n, places);
        } else {
          rows(at, n, places);
        }
      });
    });
  }

 private:
  using Table = typename Body::Table;
  using Value = typename Body::Value;
  static constexpr int64_t kOfLine = kLine / static_cast<int64_t>(sizeof(Table));
  struct Range {
    int64_t first, last;
  };

  // The values of n places of the table, `st` apart at index 0. kAll: none is another task's or
  // dropped.
  template <bool kAll>
  ADJOINT_INLINE void each(Table* table, int64_t st, const int64_t* index, int64_t si,
                           const Value* value, int64_t sv, int64_t n, const Range& places) const {
    const int64_t extent = along_.extent, step = along_.step;
    for (int64_t j = 0; j < n; ++j) {
      const int64_t place = wrapped(index[j * si], extent);
      if (kAll || mine(place, places)) Body::one(table + j * st + place * step, value[j * sv]);
    }
  }
  void each(Table* table, int64_t st, const int64_t* index, int64_t si, const Value* value,
            int64_t sv, int64_t n, const Range& places) const {
    if (places.last - places.first != along_.extent || along_.skip >= 0) {
      each<false>(table, st, index, si, value, sv, n, places);
    } else if (si == 1 && sv == 1) {
      each<true>(table, st, index, 1, value, 1, n, places);
    } else {
      each<true>(table, st, index, si, value, sv, n, places);
    }
  }

  ADJOINT_INLINE bool mine(int64_t place, const Range& places) const {
    return place >= places.first && place < places.last && place != along_.skip;
  }

  // For each of n free positions, all of its values.
  void columns(const int64_t* at, int64_t n, const Range& places) const {
    for (int64_t k = 0; k < n; ++k) {
      Table* const table = table_ + at[0] + k * free_.stride[0][0];
      const int64_t* const indices = indices_ + at[1] + k * free_.stride[1][0];
      const Value* const values = values_ + at[2] + k * free_.stride[2][0];
      for_runs(moved_, 0, moved_.count, [&](const int64_t* by, int64_t m) {
        each(table, 0, indices + by[1], moved_.stride[1][0], values + by[2], moved_.stride[2][0], m,
             places);
      });
    }
  }

  // For each index in turn, its row of n values.
  void rows(const int64_t* at, int64_t n, const Range& places) const {
    const int64_t st = free_.stride[0][0], si = free_.stride[1][0], sv = free_.stride[2][0];
    Table* const table = table_ + at[0];
    for_runs(moved_, 0, moved_.count, [&](const int64_t* by, int64_t m) {
      const int64_t next = moved_.stride[1][0];
      for (int64_t j = 0; j < m; ++j) {
        const int64_t* const index = indices_ + at[1] + by[1] + j * next;
        const Value* const value = values_ + at[2] + by[2] + j * moved_.stride[2][0];
        if (si != 0) {
          each(table, st, index, si, value, sv, n, places);
          continue;
        }
        const int64_t place = wrapped(*index, along_.extent);
        if (!mine(place, places)) continue;
        if (j + kAhead < m) ask_for(table, index[kAhead * next], n);
        Table* const row = table + place * along_.step;
        if (st == 1 && sv == 1) {
          Body::row(row, value, n);
        } else {
          for (int64_t k = 0; k < n; ++k) Body::one(row + k * st, value[k * sv]);
        }
      }
    });
  }

  // Fetches the first lines of a row of n elements.
  ADJOINT_INLINE void ask_for(const Table* table, int64_t index, int64_t n) const {
    const Table* const row = table + wrapped(index, along_.extent) * along_.step;
    const int64_t st = free_.stride[0][0];
    for (int64_t k = 0; k < n && k < kAheadLines * kOfLine; k += kOfLine) {
      __builtin_prefetch(row + k * st, 1);
    }
  }

  Along along_;
  Table* table_;
  const int64_t* indices_;
  const Value* values_;
  bool indices_inside_;
  Dims free_, moved_;
};

// Entries of the tables.
template <class Body>
void in_order(const Exec& exec, const Loop<3>& loop, const Along& along) {
  InOrder<Body>(loop, along).run(exec);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
