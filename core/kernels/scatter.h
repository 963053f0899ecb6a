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
        values_(static_cast<const Value*>(loop.data[2])),
        indices_inside_(loop.stride[0][0] == 0) {
    for (int d = 0; d < loop.rank; ++d) (loop.stride[0][d] != 0 ? free_ : moved_).add(loop, d);
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
  struct Range {
    int64_t first, last;
  };

  // Whether the index's place is the task's; its offset.
  ADJOINT_INLINE bool find(int64_t index, const Range& places, int64_t& offset) const {
    const int64_t place = wrapped(index, along_.extent);
    offset = place * along_.step;
    return place >= places.first && place < places.last && place != along_.skip;
  }

  // For each of n free positions, all of its values.
  void columns(const int64_t* at, int64_t n, const Range& places) const {
    for (int64_t k = 0; k < n; ++k) {
      Table* const table = table_ + at[0] + k * free_.stride[0][0];
      const int64_t* const indices = indices_ + at[1] + k * free_.stride[1][0];
      const Value* const values = values_ + at[2] + k * free_.stride[2][0];
      for_runs(moved_, 0, moved_.count, [&](const int64_t* by, int64_t m) {
        const int64_t* index = indices + by[1];
        const Value* value = values + by[2];
        for (int64_t j = 0; j < m; ++j) {
          int64_t offset;
          if (find(index[j * moved_.stride[1][0]], places, offset)) {
            Body::one(table + offset, value[j * moved_.stride[2][0]]);
          }
        }
      });
    }
  }

  // For each index in turn, its row of n values.
  void rows(const int64_t* at, int64_t n, const Range& places) const {
    const int64_t st = free_.stride[0][0], si = free_.stride[1][0], sv = free_.stride[2][0];
    for_runs(moved_, 0, moved_.count, [&](const int64_t* by, int64_t m) {
      for (int64_t j = 0; j < m; ++j) {
        Table* const table = table_ + at[0];
        const int64_t* const index = indices_ + at[1] + by[1] + j * moved_.stride[1][0];
        const Value* const value = values_ + at[2] + by[2] + j * moved_.stride[2][0];
        int64_t offset;
        if (si != 0) {
          for (int64_t k = 0; k < n; ++k) {
            if (find(index[k * si], places, offset)) {
              Body::one(table + k * st + offset, value[k * sv]);
            }
          }
        } else if (find(*index, places, offset)) {
          if (st == 1 && sv == 1) {
            Body::row(table + offset, value, n);
          } else {
            for (int64_t k = 0; k < n; ++k) Body::one(table + k * st + offset, value[k * sv]);
          }
        }
      }
    });
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
