// Layer normalisation: each row is read from memory once and stays in the first-level cache.
#include "core/kernels/norm.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T>
ADJOINT_INLINE const T* row_of(const void* data, int64_t row, int64_t n) {
  return static_cast<const T*>(data) + row * n;
}

template <class T>
void layer_norm(const Exec& exec, const LayerNorm& op) {
  using V = Vec<T>;
  const int64_t n = op.n;
  const T *weight = static_cast<const T*>(op.weight), *bias = static_cast<const T*>(op.bias);
  for_each_row(exec, op.rows, n, [&](int64_t row) {
    const T* x = row_of<T>(op.x, row, n);
    T* y = static_cast<T*>(op.y) + row * n;
    V sum = 0;
    for_vectors<V::size>(n, [&](int64_t j, int lanes) { sum += load(x + j, lanes); });
    const V mean = reduce_add(sum) / static_cast<T>(n);
    V squares = 0;
    for_vectors<V::size>(n, [&](int64_t j, int lanes) {
      const V c = keep(load(x + j, lanes) - mean, lanes, V(0));
      squares = fma(c, c, squares);
    });
    const V rstd = 1.0 / sqrt(V(reduce_add(squares) / static_cast<T>(n) + static_cast<T>(op.eps)));
    for_vectors<V::size>(n, [&](int64_t j, int lanes) {
      V z = (load(x + j, lanes) - mean) * rstd;
      if (weight != nullptr) z *= load(weight + j, lanes);
      if (bias != nullptr) z += load(bias + j, lanes);
      store(z, y + j, lanes);
    });
    if (op.mean != nullptr) mean.store_n(static_cast<T*>(op.mean) + row, 1);
    if (op.rstd != nullptr) rstd.store_n(static_cast<T*>(op.rstd) + row, 1);
  });
}

// One row: dx, and what it adds to dweight and dbias (n elements each).
template <class T>
ADJOINT_INLINE void backward_row(const LayerNormBackward& op, int64_t row, T* dweight, T* dbias) {
  using V = Vec<T>;
  const int64_t n = op.n;
  const T *x = row_of<T>(op.x, row, n), *dy = row_of<T>(op.dy, row, n);
  const T* weight = static_cast<const T*>(op.weight);
  const V mean = static_cast<const T*>(op.mean)[row], rstd = static_cast<const T*>(op.rstd)[row];
  // g = dy weight is the gradient of the normalised row z; dx = rstd (g - mean(g) - z mean(g z)).
  V sum_g = 0, sum_gz = 0;
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    const V d = load(dy + j, lanes);
    const V z = (load(x + j, lanes) - mean) * rstd;
    const V g = weight != nullptr ? d * load(weight + j, lanes) : d;
    sum_g += g;
    sum_gz = fma(g, keep(z, lanes, V(0)), sum_gz);
    if (dweight != nullptr) store(fma(d, z, load(dweight + j, lanes)), dweight + j, lanes);
    if (dbias != nullptr) store(load(dbias + j, lanes) + d, dbias + j, lanes);
  });
  if (op.dx == nullptr) return;
  T* dx = static_cast<T*>(op.dx) + row * n;
  const V mean_g = reduce_add(sum_g) / static_cast<T>(n);
  const V mean_gz = reduce_add(sum_gz) / static_cast<T>(n);
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    const V z = (load(x + j, lanes) - mean) * rstd;
    V g = load(dy + j, lanes);
    if (weight != nullptr) g *= load(weight + j, lanes);
    V d = rstd * (g - fma(z, mean_gz, mean_g));
    if (op.accumulate) d += load(dx + j, lanes);
    store(d, dx + j, lanes);
  });
}

// Rows whose contributions to dweight and dbias are added one after the other; the sums of such
// blocks are added in a tree. A constant, for it decides the bits.
constexpr int64_t kBlockRows = 64;

template <class T>
void layer_norm_backward(const Exec& exec, const LayerNormBackward& op) {
  using V = Vec<T>;
  const int64_t n = op.n, blocks = ceil_div(op.rows, kBlockRows);
  T* const targets[2] = {static_cast<T*>(op.dweight), static_cast<T*>(op.dbias)};
  T* partial[2] = {};
  for (int i = 0; i < 2; ++i) {
    if (targets[i] == nullptr) continue;
    const int64_t rows = max_of(1, blocks);
    partial[i] = static_cast<T*>(exec.acquire(static_cast<size_t>(rows * n) * sizeof(T)));
    if (blocks == 0) {
      __builtin_memset(targets[i], 0, static_cast<size_t>(n) * sizeof(T));
    }
  }
  parallel_tasks(exec, blocks, [&](int64_t block) {
    T* sums[2] = {};
    for (int i = 0; i < 2; ++i) {
      if (partial[i] == nullptr) continue;
      sums[i] = partial[i] + block * n;
      __builtin_memset(sums[i], 0, static_cast<size_t>(n) * sizeof(T));
    }
    const int64_t last = min_of(op.rows, (block + 1) * kBlockRows);
    for (int64_t row = block * kBlockRows; row < last; ++row) {
      backward_row<T>(op, row, sums[0], sums[1]);
    }
  });
  const int64_t columns = ceil_div(n, V::size);
  for (int i = 0; i < 2 && blocks > 0; ++i) {
    if (partial[i] == nullptr) continue;
    for_each_row(exec, columns, blocks * V::size, [&](int64_t column) {
      T* p = partial[i] + column * V::size;
      const int lanes = static_cast<int>(min_of(V::size, n - column * V::size));
      for (int64_t step = 1; step < blocks; step *= 2) {
        for (int64_t b = 0; b + step < blocks; b += 2 * step) {
          store(load(p + b * n, lanes) + load(p + (b + step) * n, lanes), p + b * n, lanes);
        }
      }
      store(load(p, lanes), targets[i] + column * V::size, lanes);
    });
  }
  for (T* p : partial) exec.release(p);
}

}  // namespace

extern const NormTable ADJOINT_TABLE;
const NormTable ADJOINT_TABLE = {
    .layer_norm = {layer_norm<float>, layer_norm<double>},
    .layer_norm_backward = {layer_norm_backward<float>, layer_norm_backward<double>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
