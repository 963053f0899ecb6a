// Maxima of windows. Rows of results are computed by vectors: a row of the input is first taken
// apart by its columns' remainders modulo the stride, so that what an element of the window reads
// for neighbouring results lies side by side. With stride 2, where no padding is read, that is done
// in registers.
#include "core/kernels/pool.h"

#include "core/kernels/rows.h"
#include "core/simd/lanes.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Results of a row at a time; what regular windows may be at most to be worked on by vectors.
constexpr int64_t kColumns = 128, kMaxStride = 4, kMaxReach = 64, kMaxElements = 64;

template <class A>
ADJOINT_INLINE A lowest() {
  if constexpr (__is_same(A, int64_t)) {
    return INT64_MIN;
  } else {
    return -infinity<A>();
  }
}

template <class A>
ADJOINT_INLINE bool wins(A value, A best) {
  return value > best || value != value;
}

// A row of results: where it stands, and the windows above it.
struct Place {
  int64_t plane, row;  // of x's first element; of y's
  int64_t depth[2], height[2];
};

// One result by going over its window.
template <class T>
ADJOINT_INLINE void scan_window(const MaxPool& op, const Place& at, int64_t column) {
  using A = Computed<T>;
  const T* x = static_cast<const T*>(op.x) + at.plane;
  const int64_t first = op.first[2][column], last = op.last[2][column];
  A best = lowest<A>();
  int64_t found = (at.depth[0] * op.in[1] + at.height[0]) * op.in[2] + first;
  for (int64_t d = at.depth[0]; d < at.depth[1]; d += op.dilation[0]) {
    for (int64_t h = at.height[0]; h < at.height[1]; h += op.dilation[1]) {
      const int64_t row = (d * op.in[1] + h) * op.in[2];
      for (int64_t w = first; w < last; w += op.dilation[2]) {
        const A value = static_cast<A>(x[row + w]);
        if (wins(value, best)) {
          best = value;
          found = row + w;
        }
      }
    }
  }
  static_cast<T*>(op.y)[at.row + column] = static_cast<T>(best);
  if (op.indices != nullptr) op.indices[at.row + column] = found;
}

// to[j] = row[stride j + shift] for j < n, `lowest` outside of the row's `width` elements.
template <class T, class A>
ADJOINT_INLINE void take_apart(const T* row, int64_t width, int64_t stride, int64_t shift, A* to,
                               int64_t n) {
  const int64_t begin = min_of(n, shift >= 0 ? 0 : ceil_div(-shift, stride));
  const int64_t end =
      max_of(begin, min_of(n, shift >= width ? 0 : ceil_div(width - shift, stride)));
  for (int64_t j = 0; j < begin; ++j) to[j] = lowest<A>();
  const T* from = row + shift;
  if (stride == 1) {
    convert_block(from + begin, to + begin, end - begin);
  } else if (stride == 2) {
    for (int64_t j = begin; j < end; ++j) to[j] = static_cast<A>(from[2 * j]);
  } else {
    for (int64_t j = begin; j < end; ++j) to[j] = static_cast<A>(from[stride * j]);
  }
  for (int64_t j = end; j < n; ++j) to[j] = lowest<A>();
}

// A block of results of a row: the best so far, and which element of the window that is.
template <class A>
struct Block {
  alignas(kLine) A best[kColumns];
  alignas(kLine) A which[kColumns];
};

// Takes the value where it wins.
template <bool kIndices, class A>
ADJOINT_INLINE void add(Vec<A> value, int64_t number, Vec<A>& best, Vec<A>& which) {
  const Mask<A> better = (value > best) | is_nan(value);
  best = select(better, value, best);
  if constexpr (kIndices) which = select(better, Vec<A>(number), which);
}

// The elements of one row of the windows against the best so far; `number` is that of the first.
template <class T, bool kIndices>
ADJOINT_INLINE void add_row(const MaxPool& op, const T* row, int64_t column, int64_t n,
                            int64_t number, Block<Computed<T>>& block) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t stride = op.stride[2], shift = column * stride - op.padding[2];
  const int64_t reach = (op.kernel[2] - 1) * op.dilation[2];
  alignas(kLine) A apart[kMaxStride][kColumns + kMaxReach];
  for (int64_t r = 0; r < min_of(stride, reach + 1); ++r) {
    take_apart(row, op.in[2], stride, shift + r, apart[r], n + (reach - r) / stride);
  }
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    V best = load(block.best + j, lanes), which = 0;
    if constexpr (kIndices) which = load(block.which + j, lanes);
    for (int64_t k = 0; k < op.kernel[2]; ++k) {
      const int64_t at = k * op.dilation[2];
      add<kIndices>(load(apart[at % stride] + j + at / stride, lanes), number + k, best, which);
    }
    store(best, block.best + j, lanes);
    if constexpr (kIndices) store(which, block.which + j, lanes);
  });
}

// Whether results [column, column + n) of a row are those of pool_pairs: columns in pairs, none of
// them padding.
ADJOINT_INLINE bool in_pairs(const MaxPool& op, int64_t column, int64_t n) {
  const int64_t first = 2 * column - op.padding[2];
  return op.stride[2] == 2 && op.dilation[2] == 1 && first >= 0 &&
         first + 2 * (n - 1) + op.kernel[2] <= op.in[2];
}

template <class T, bool kIndices>
ADJOINT_INLINE void pool_pairs(const MaxPool& op, const Place& at, int64_t column, int64_t n) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t first = 2 * column - op.padding[2];
  int64_t offset[kMaxElements], elements = 0;
  for (int64_t d = at.depth[0]; d < at.depth[1]; d += op.dilation[0]) {
    for (int64_t h = at.height[0]; h < at.height[1]; h += op.dilation[1]) {
      for (int64_t k = 0; k < op.kernel[2]; ++k) {
        offset[elements++] = (d * op.in[1] + h) * op.in[2] + first + k;
      }
    }
  }
  const T* const x = static_cast<const T*>(op.x) + at.plane;
  T* const y = static_cast<T*>(op.y) + at.row + column;
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    V best = lowest<A>(), which = 0;
    for (int64_t row = 0; row < elements; row += op.kernel[2]) {
      for (int64_t k = 0; k < op.kernel[2]; k += 2) {
        const bool both = k + 1 < op.kernel[2];
        const T* const from = x + offset[row + k] + 2 * j;
        const int count = 2 * lanes - (both ? 0 : 1);  // not beyond the last window
        const V low = load(from, count < V::size ? count : V::size);
        const V high = count <= V::size ? V(0) : load(from + V::size, count - V::size);
        add<kIndices>(evens(low, high), row + k, best, which);
        if (both) add<kIndices>(odds(low, high), row + k + 1, best, which);
      }
    }
    store(best, y + j, lanes);
    if constexpr (kIndices) {
      alignas(kLine) A found[V::size];
      which.store(found);
      int64_t* const to = op.indices + at.row + column + j;
      for (int i = 0; i < lanes; ++i) to[i] = offset[static_cast<int64_t>(found[i])] + 2 * (j + i);
    }
  });
}

// Results [column, column + n) of a row.
template <class T, bool kIndices>
ADJOINT_INLINE void pool_block(const MaxPool& op, const Place& at, int64_t column, int64_t n) {
  using A = Computed<T>;
  if (in_pairs(op, column, n)) return pool_pairs<T, kIndices>(op, at, column, n);
  Block<A> block;
  for (int64_t j = 0; j < n; ++j) block.best[j] = lowest<A>();
  if constexpr (kIndices) __builtin_memset(block.which, 0, sizeof block.which);
  const T* x = static_cast<const T*>(op.x) + at.plane;
  int64_t offset[kMaxElements], number = 0;
  for (int64_t d = at.depth[0]; d < at.depth[1]; d += op.dilation[0]) {
    for (int64_t h = at.height[0]; h < at.height[1]; h += op.dilation[1]) {
      const int64_t row = (d * op.in[1] + h) * op.in[2];
      add_row<T, kIndices>(op, x + row, column, n, number, block);
      for (int64_t k = 0; k < op.kernel[2]; ++k) {
        offset[number++] = row + k * op.dilation[2] - op.padding[2];
      }
    }
  }
  convert_block(block.best, static_cast<T*>(op.y) + at.row + column, n);
  if constexpr (!kIndices) return;
  const int64_t corner = (at.depth[0] * op.in[1] + at.height[0]) * op.in[2];
  int64_t* to = op.indices + at.row + column;
  for (int64_t j = 0; j < n; ++j) {
    // Where nothing is above the lowest, the padding may have been first.
    to[j] = block.best[j] == lowest<A>()
                ? corner + op.first[2][column + j]
                : offset[static_cast<int64_t>(block.which[j])] + (column + j) * op.stride[2];
  }
}

template <class T>
void max_pool(const Exec& exec, const MaxPool& op) {
  const int64_t width = op.out[2], rows = op.planes * op.out[0] * op.out[1];
  const int64_t elements = op.kernel[0] * op.kernel[1] * op.kernel[2];
  const bool by_vectors = op.stride[2] > 0 && op.stride[2] <= kMaxStride &&
                          (op.kernel[2] - 1) * op.dilation[2] <= kMaxReach &&
                          elements <= kMaxElements && !__is_same(T, int64_t);
  const int64_t work = max_of(1, width * max_of(1, elements / 4));
  const int64_t group = max_of(1, kGrain / work);
  parallel_tasks(exec, ceil_div(rows, group), [&](int64_t task) {
    for (int64_t row = task * group; row < min_of(rows, (task + 1) * group); ++row) {
      const int64_t h = row % op.out[1], d = row / op.out[1] % op.out[0];
      const int64_t plane = row / (op.out[1] * op.out[0]);
      const Place at = {plane * op.in[0] * op.in[1] * op.in[2],
                        row * width,
                        {op.first[0][d], op.last[0][d]},
                        {op.first[1][h], op.last[1][h]}};
      if (!by_vectors) {
        for (int64_t w = 0; w < width; ++w) scan_window<T>(op, at, w);
        continue;
      }
      for (int64_t w = 0; w < width; w += kColumns) {
        const int64_t n = min_of(kColumns, width - w);
        if (op.indices != nullptr) {
          pool_block<T, true>(op, at, w, n);
        } else {
          pool_block<T, false>(op, at, w, n);
        }
      }
    }
  });
}

}  // namespace

extern const PoolTable ADJOINT_TABLE;
constinit const PoolTable ADJOINT_TABLE = {
    .max_pool = {&max_pool<float>, &max_pool<double>, &max_pool<bfloat16>, &max_pool<float16>,
                 &max_pool<int64_t>, nullptr, nullptr, nullptr},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
