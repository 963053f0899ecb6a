// Matrix products after BLIS (Van Zee and van de Geijn, 2015): panels of A and slivers of B are
// packed once for each block of K, and a register tile runs over them. Small, skinny and batched
// products skip the packing of A.
//
// The bits of a result depend on K and the instruction set alone: each element is a sum over the
// blocks of K in order, each of them a chain of fma in order; only C is divided between threads.
#include "core/kernels/gemm.h"

#include "core/kernels/common.h"
#include "core/kernels/gemm_micro.h"
#include "core/kernels/gemm_pack.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Where part `i` of `parts` begins when `total` things are divided evenly.
ADJOINT_INLINE int64_t share(int64_t total, int64_t parts, int64_t i) { return total * i / parts; }

// K in equal blocks of at most kKc; one empty block where K is 0.
struct KBlocks {
  int64_t k, count, size;
  explicit KBlocks(int64_t total)
      : k(total),
        count(max_of(1, ceil_div(total, kKc))),
        size(min_of(kKc, ceil_div(ceil_div(total, count), 16) * 16)) {}
  int64_t begin(int64_t block) const { return min_of(k, block * size); }
  int64_t length(int64_t block) const { return begin(block + 1) - begin(block); }
};

// One product of the batch.
template <class T>
struct Item {
  const T *a, *b;
  T *c, *preactivation;
  T* partial;  // where sums wait between blocks of K, `partial_row` apart
  int64_t partial_row;
};

template <class T>
Item<T> item_of(const Gemm<T>& g, int64_t index) {
  int64_t a = 0, b = 0, c = 0;
  for (int d = 2; d >= 0; --d) {
    const int64_t i = index % g.batch[d];
    index /= g.batch[d];
    a += i * g.a_batch[d];
    b += i * g.b_batch[d];
    c += i * g.c_batch[d];
  }
  return {g.a + a, g.b + b, g.c + c, g.preactivation != nullptr ? g.preactivation + c : nullptr,
          g.c + c, g.c_row};
}

// A tile of rows by cols (at most kMr by kNr) at (i, j) of C: the sums of one block of K and, in
// the last one, the epilogue.
template <class T>
ADJOINT_INLINE void tile_at(const Gemm<T>& g, const Item<T>& item, bool first, bool last,
                            TileFunction<T> multiply, int64_t i, int64_t j, int rows, int cols,
                            int64_t kc, const T* a, const T* b, int64_t b_step) {
  T* const c = item.c + i * g.c_row + j;
  T* const partial = item.partial + i * item.partial_row + j;
  Output<T> o;
  o.cols = cols;
  o.partial = first ? nullptr : partial;
  o.partial_row = item.partial_row;
  o.alpha = g.alpha;
  o.bias = last && g.bias != nullptr ? g.bias + j : nullptr;
  o.old = nullptr;
  o.old_row = g.c_row;
  const bool straight = g.activation == Activation::none && g.preactivation == nullptr;
  if (straight && g.accumulate) {
    o.partial = nullptr;
    o.scale = true;
    o.old = c;
  } else {
    o.scale = last;
  }
  if (!last || straight) {
    const bool waits = !last && !(straight && g.accumulate);
    o.out = waits ? partial : c;
    o.out_row = waits ? item.partial_row : g.c_row;
    multiply(kc, a, g.a_row, g.a_col, b, b_step, o);
    return;
  }
  constexpr int kTile = kMr * kNr<T>, kSkinnyTile = kSkinny * kWide * Vec<T>::size;
  alignas(64) T x[kTile > kSkinnyTile ? kTile : kSkinnyTile];
  const int x_row = (cols + Vec<T>::size - 1) / Vec<T>::size * Vec<T>::size;
  o.out = x;
  o.out_row = x_row;
  multiply(kc, a, g.a_row, g.a_col, b, b_step, o);
  activate_tile(g, x, x_row, rows, cols, c,
                item.preactivation != nullptr ? item.preactivation + i * g.c_row + j : nullptr);
}

// Rows in panels of nearly equal height.
template <class T>
struct Panels {
  int64_t m, count;
  explicit Panels(int64_t rows) : m(rows), count(ceil_div(rows, kMr)) {}
  int64_t begin(int64_t panel) const { return share(m, count, panel); }
  int height(int64_t panel) const { return static_cast<int>(begin(panel + 1) - begin(panel)); }
};

// ---- Direct: A as it lies, B as it lies where its rows are contiguous. ----

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
        of = kSkinnyFunctions<T>.wide;
      } else if (g.m <= kSkinny && g.b_row == 1) {
        of = kSkinnyFunctions<T>.turned;
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
                              : kTileFunctions<T, false, false>.of[rows - 1][width / size - 1],
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

// ---- Blocked: B packed, and A where that pays, shared by all threads. ----

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
      s.a != nullptr ? kTileFunctions<T, true, true>.of : kTileFunctions<T, false, true>.of;
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
void blocked(const Exec& exec, const Gemm<T>& g, const Item<T>& item, T* a, T* b) {
  const KBlocks blocks(g.k);
  Blocked<T> s;
  s.g = &g;
  s.item = item;
  s.a = a;
  s.b = b;
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
}

// ---- The choice. ----

// Up to how many columns A is read as it lies.
constexpr int64_t kUnpackedColumns = 256;

// Few rows, or little work: packing A would cost more than it saves. So too where a batch keeps
// the threads busy, up to sizes that stay in the second cache.
template <class T>
bool is_small(const Exec& exec, const Gemm<T>& g, int64_t items) {
  const int64_t work = g.m * g.n * g.k;
  return g.m <= kMr || work <= 1 << 19 || (items >= 4 * exec.threads && work <= 1 << 23);
}

template <class T>
void product(const Exec& exec, const Gemm<T>& g) {
  const int64_t items = g.batch[0] * g.batch[1] * g.batch[2];
  if (items <= 0 || g.m <= 0 || g.n <= 0) return;
  const bool straight = g.activation == Activation::none && g.preactivation == nullptr;
  // Sums wait in C between blocks of K, unless C's old content is still needed at the end.
  T* partial = nullptr;
  if (g.accumulate && !straight && g.k > kKc) {
    partial = static_cast<T*>(exec.acquire(static_cast<size_t>(items * g.m * g.n) * sizeof(T)));
  }
  if (is_small(exec, g, items)) {
    direct(exec, g, items, partial);
  } else {
    const int64_t kc = KBlocks(g.k).size;
    const int64_t columns = ceil_div(min_of(g.n, kMaxColumns), kNr<T>) * kNr<T>;
    const int64_t a_size = ceil_div(min_of(g.m, kMaxRows) * kc, 16) * 16;
    // Packing A costs as much as some tens of columns of the product; rows that lie whole pages
    // apart would drive each other out of the cache.
    const bool apart =
        g.a_col == 1 ? g.a_row * static_cast<int64_t>(sizeof(T)) % 4096 != 0 : g.a_row == 1;
    const bool pack_a = g.n > kUnpackedColumns || !apart;
    T* const packed =
        static_cast<T*>(exec.acquire(static_cast<size_t>(a_size + columns * kc) * sizeof(T)));
    for (int64_t i = 0; i < items; ++i) {
      const Direct<T> place{&g, partial, 1, items, 1};
      blocked(exec, g, direct_item(place, i), pack_a ? packed : nullptr, packed + a_size);
    }
    exec.release(packed);
  }
  if (partial != nullptr) exec.release(partial);
}

}  // namespace

extern const GemmTable ADJOINT_TABLE;
const GemmTable ADJOINT_TABLE = {.f32 = product<float>, .f64 = product<double>};

}  // namespace adjoint::kernels::ADJOINT_ISA
