// Normalisation of rows: each row is read from memory once and stays in the first-level cache.
#include "core/kernels/norm.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T>
ADJOINT_INLINE const T* row_of(const void* data, int64_t row, int64_t n) {
  return data == nullptr ? nullptr : static_cast<const T*>(data) + row * n;
}
template <class T>
ADJOINT_INLINE T* row_of(void* data, int64_t row, int64_t n) {
  return data == nullptr ? nullptr : static_cast<T*>(data) + row * n;
}

// Asks for what lies n elements on: the next row, while this one is worked on. Memory would be idle
// meanwhile, and hardware does not fetch across a page by itself. It need not exist.
template <class T>
ADJOINT_INLINE void fetch(const T* p, int64_t n) {
  if constexpr (Register<T>::size > 1) {
    __builtin_prefetch(
        reinterpret_cast<const void*>(reinterpret_cast<intptr_t>(p) + n * int64_t{sizeof(T)}));
  }
}

// The sum over a row of what step(sum, j, lanes) adds, in four sums: one would wait for each of its
// additions before the next.
template <class V, class F>
ADJOINT_INLINE V sum_along(int64_t n, const F& step) {
  constexpr int size = V::size;
  V a = 0, b = 0, c = 0, d = 0;
  int64_t j = 0;
  for (; j + 4 * size <= n; j += 4 * size) {
    step(a, j, size);
    step(b, j + size, size);
    step(c, j + 2 * size, size);
    step(d, j + 3 * size, size);
  }
  for (; j + size <= n; j += size) step(a, j, size);
  if (j < n) step(b, j, static_cast<int>(n - j));
  return (a + b) + (c + d);
}

// Rows of sums that are kept near while they are normalised and go around the caches.
constexpr int64_t kNearBytes = 16384;

// `streamed`: the results go around the caches.
template <class T, bool kCentred>
ADJOINT_INLINE void normalise_row(const Norm& op, int64_t row, bool streamed) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t n = op.n;
  const T *x = row_of<T>(op.x, row, n), *residual = row_of<T>(op.residual, row, n);
  const A *weight = static_cast<const A*>(op.weight), *bias = static_cast<const A*>(op.bias);
  const T* const first = x;
  alignas(kLine) T near[kNearBytes / sizeof(T)];
  if (residual != nullptr) {
    T* const to = row_of<T>(op.sum, row, n);
    T* const sum = streamed ? near : to;
    for_vectors<V::size>(n, [&](int64_t j, int lanes) {
      store(load(x + j, lanes) + load(residual + j, lanes), sum + j, lanes);
    });
    if (streamed) stream_copy(to, near, n * int64_t{sizeof(T)});
    x = sum;
  }
  V mean = 0;
  if constexpr (kCentred) {
    const V sum = sum_along<V>(n, [&](V& s, int64_t j, int lanes) { s += load(x + j, lanes); });
    mean = reduce_add(sum) / static_cast<A>(n);
  }
  const V squares = sum_along<V>(n, [&](V& s, int64_t j, int lanes) {
    fetch(first + j, n);
    V c = load(x + j, lanes);
    if constexpr (kCentred) c = keep(c - mean, lanes, V(0));
    s = fma(c, c, s);
  });
  const V rstd = 1.0 / sqrt(V(reduce_add(squares) / static_cast<A>(n) + static_cast<A>(op.eps)));
  write_row(row_of<T>(op.y, row, n), n, streamed, [&](int64_t j, int lanes) {
    V z = (load(x + j, lanes) - mean) * rstd;
    if (weight != nullptr) z *= load(weight + j, lanes);
    if (bias != nullptr) z += load(bias + j, lanes);
    return z;
  });
  if (op.mean != nullptr) mean.store_n(static_cast<A*>(op.mean) + row, 1);
  if (op.rstd != nullptr) rstd.store_n(static_cast<A*>(op.rstd) + row, 1);
}

template <class T, bool kCentred>
void norm(const Exec& exec, const Norm& op) {
  const int64_t row_bytes = op.n * int64_t{sizeof(T)};
  const bool apart =
      op.y != op.x && (op.residual == nullptr || (op.sum != op.x && op.sum != op.residual));
  const bool streamed = streams_rows(exec, op.rows, row_bytes, apart) &&
                        (op.residual == nullptr || row_bytes <= kNearBytes);
  for_each_row(
      exec, op.rows, op.n, [&](int64_t row) { normalise_row<T, kCentred>(op, row, streamed); },
      streamed);
}

// One row: dx, and what it adds to dweight and dbias (n elements each). Row by row: several at once
// would spare reads of dweight and dbias, which are near, and make more streams of memory than
// hardware follows; measured a fifth slower, as was asking for the next row.
template <class T, bool kCentred>
ADJOINT_INLINE void backward_row(const NormBackward& op, int64_t row, Computed<T>* dweight,
                                 Computed<T>* dbias, bool streamed) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t n = op.n;
  const T *x = row_of<T>(op.x, row, n), *dy = row_of<T>(op.dy, row, n);
  const A* weight = static_cast<const A*>(op.weight);
  const V mean = kCentred ? static_cast<const A*>(op.mean)[row] : A(0);
  const V rstd = static_cast<const A*>(op.rstd)[row];
  // g = dy weight is the gradient of the normalised row z; dx = rstd (g - mean(g) - z mean(g z)).
  V sum_g = 0, sum_gz = 0;
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    const V d = load(dy + j, lanes);
    const V z = keep((load(x + j, lanes) - mean) * rstd, lanes, V(0));
    const V g = weight != nullptr ? d * load(weight + j, lanes) : d;
    if constexpr (kCentred) sum_g += g;
    sum_gz = fma(g, z, sum_gz);
    if (dweight != nullptr) store(fma(d, z, load(dweight + j, lanes)), dweight + j, lanes);
    if (dbias != nullptr) store(load(dbias + j, lanes) + d, dbias + j, lanes);
  });
  if (op.dx == nullptr) return;
  const T* add = row_of<T>(op.add, row, n);
  const V shift = reduce_add(sum_g) / static_cast<A>(n);
  const V slope = reduce_add(sum_gz) / static_cast<A>(n);
  write_row(row_of<T>(op.dx, row, n), n, streamed, [&](int64_t j, int lanes) {
    const V z = (load(x + j, lanes) - mean) * rstd;
    V g = load(dy + j, lanes);
    if (weight != nullptr) g *= load(weight + j, lanes);
    V d = rstd * (g - fma(z, slope, shift));
    if (add != nullptr) d += load(add + j, lanes);
    return d;
  });
}

// Rows whose contributions to dweight and dbias are added one after the other; the sums of such
// blocks are added in a tree. A constant, for it decides the bits.
constexpr int64_t kBlockRows = 64;

template <class T, bool kCentred>
void norm_backward(const Exec& exec, const NormBackward& op) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t n = op.n, blocks = ceil_div(op.rows, kBlockRows);
  A* const targets[2] = {static_cast<A*>(op.dweight), static_cast<A*>(op.dbias)};
  A* partial[2] = {};
  for (int i = 0; i < 2; ++i) {
    if (targets[i] == nullptr) continue;
    const int64_t rows = max_of(1, blocks);
    partial[i] = static_cast<A*>(exec.acquire(static_cast<size_t>(rows * n) * sizeof(A)));
    if (blocks == 0) {
      __builtin_memset(targets[i], 0, static_cast<size_t>(n) * sizeof(A));
    }
  }
  const bool apart = op.dx != nullptr && op.dx != op.x && op.dx != op.dy && op.dx != op.add;
  const bool streamed = streams_rows(exec, op.rows, n * int64_t{sizeof(T)}, apart);
  parallel_tasks(exec, blocks, [&](int64_t block) {
    A* sums[2] = {};
    for (int i = 0; i < 2; ++i) {
      if (partial[i] == nullptr) continue;
      sums[i] = partial[i] + block * n;
      __builtin_memset(sums[i], 0, static_cast<size_t>(n) * sizeof(A));
    }
    const int64_t last = min_of(op.rows, (block + 1) * kBlockRows);
    for (int64_t row = block * kBlockRows; row < last; ++row) {
      backward_row<T, kCentred>(op, row, sums[0], sums[1], streamed);
    }
    if (streamed) stream_fence();
  });
  const int64_t columns = ceil_div(n, V::size);
  for (int i = 0; i < 2 && blocks > 0; ++i) {
    if (partial[i] == nullptr) continue;
    for_each_row(exec, columns, blocks * V::size, [&](int64_t column) {
      A* p = partial[i] + column * V::size;
      const int lanes = static_cast<int>(min_of(V::size, n - column * V::size));
      for (int64_t step = 1; step < blocks; step *= 2) {
        for (int64_t b = 0; b + step < blocks; b += 2 * step) {
          store(load(p + b * n, lanes) + load(p + (b + step) * n, lanes), p + b * n, lanes);
        }
      }
      store(load(p, lanes), targets[i] + column * V::size, lanes);
    });
  }
  for (A* p : partial) exec.release(p);
}

}  // namespace

extern const NormTable ADJOINT_TABLE;
const NormTable ADJOINT_TABLE = {
    .layer_norm = {norm<float, true>, norm<double, true>, norm<bfloat16, true>,
                   norm<float16, true>},
    .layer_norm_backward = {norm_backward<float, true>, norm_backward<double, true>,
                            norm_backward<bfloat16, true>, norm_backward<float16, true>},
    .rms_norm = {norm<float, false>, norm<double, false>, norm<bfloat16, false>,
                 norm<float16, false>},
    .rms_norm_backward = {norm_backward<float, false>, norm_backward<double, false>,
                          norm_backward<bfloat16, false>, norm_backward<float16, false>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
