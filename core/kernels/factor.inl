// Blocks, panels and rotations of matrix factorisations, after LAPACK (Anderson et al., 1999).
#include "core/kernels/factor.h"

#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// y += a x
template <class T>
ADJOINT_INLINE void axpy(int64_t n, T a, const T* x, T* y) {
  const Vec<T> factor = a;
  for_vectors<Vec<T>::size>(n, [&](int64_t j, int lanes) {
    store(fma(factor, load(x + j, lanes), load(y + j, lanes)), y + j, lanes);
  });
}

template <class T>
ADJOINT_INLINE void scale(int64_t n, T a, T* x) {
  const Vec<T> factor = a;
  for_vectors<Vec<T>::size>(
      n, [&](int64_t j, int lanes) { store(load(x + j, lanes) * factor, x + j, lanes); });
}

// In four chains.
template <class T>
ADJOINT_INLINE T dot(int64_t n, const T* x, const T* y) {
  using V = Vec<T>;
  V sum[4] = {V(0), V(0), V(0), V(0)};
  int64_t j = 0;
  for (; j + 4 * V::size <= n; j += 4 * V::size) {
    for (int i = 0; i < 4; ++i) {
      sum[i] = fma(V::load(x + j + i * V::size), V::load(y + j + i * V::size), sum[i]);
    }
  }
  for_vectors<V::size>(n - j, [&](int64_t k, int lanes) {
    sum[0] = fma(load(x + j + k, lanes), load(y + j + k, lanes), sum[0]);
  });
  return reduce_add((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

template <class T>
ADJOINT_INLINE T magnitude(T x) {
  return x < 0 ? -x : x;
}
ADJOINT_INLINE float root(float x) { return __builtin_sqrtf(x); }
ADJOINT_INLINE double root(double x) { return __builtin_sqrt(x); }

template <class T>
int64_t cholesky(int64_t n, T* a, int64_t row) {
  for (int64_t k = 0; k < n; ++k) {
    T* const u = a + k * row;
    if (!(u[k] > 0)) return k;
    const T pivot = root(u[k]);
    u[k] = pivot;
    scale(n - k - 1, 1 / pivot, u + k + 1);
    for (int64_t i = k + 1; i < n; ++i) axpy(n - i, -u[i], u + i, a + i * row + i);
  }
  return -1;
}

template <class T>
ADJOINT_INLINE void exchange(T& a, T& b) {
  const T c = a;
  a = b;
  b = c;
}

// x -= sum of a[k] times column k, four columns at a time, from element `from` on.
template <class T>
ADJOINT_INLINE void subtract_four(int64_t n, const T* factor, const T* a, int64_t column, T* x) {
  using V = Vec<T>;
  const V f0 = factor[0], f1 = factor[1], f2 = factor[2], f3 = factor[3];
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    V y = fnma(f0, load(a + j, lanes), load(x + j, lanes));
    y = fnma(f1, load(a + column + j, lanes), y);
    y = fnma(f2, load(a + 2 * column + j, lanes), y);
    store(fnma(f3, load(a + 3 * column + j, lanes), y), x + j, lanes);
  });
}

template <class T>
ADJOINT_INLINE T largest(int64_t n, const T* x) {
  using V = Vec<T>;
  V most = V(0);
  for_vectors<V::size>(n, [&](int64_t j, int lanes) { most = max(most, abs(load(x + j, lanes))); });
  return reduce_max(most);
}

// The first element of the largest size; 0 where one is not a number.
template <class T>
ADJOINT_INLINE int64_t find_largest(int64_t n, const T* x) {
  const T size = largest(n, x);
  for (int64_t i = 0; i < n; ++i) {
    if (magnitude(x[i]) == size) return i;
  }
  return 0;
}

// What the first `count` columns of a panel do to a column x of m elements.
template <class T>
void eliminate(int64_t m, int64_t count, const T* a, int64_t column, T* x) {
  int64_t k = 0;
  for (; k + 4 <= count; k += 4) {
    const T* const from = a + k * column;
    for (int64_t i = 1; i < 4; ++i) {
      for (int64_t t = 0; t < i; ++t) x[k + i] -= x[k + t] * from[t * column + k + i];
    }
    subtract_four(m - k - 4, x + k, from + k + 4, column, x + k + 4);
  }
  for (; k < count; ++k) axpy(m - k - 1, -x[k], a + k * column + k + 1, x + k + 1);
}

// Each column is brought up to date by those before it and then searched for its pivot.
template <class T>
void lu_panel(int64_t m, int64_t n, T* a, int64_t column, int64_t* pivots) {
  for (int64_t j = 0; j < n; ++j) {
    T* const x = a + j * column;
    for (int64_t k = 0; k < j; ++k) exchange(x[k], x[pivots[k]]);
    eliminate(m, j, a, column, x);
    const int64_t p = j + find_largest(m - j, x + j);
    pivots[j] = p;
    for (int64_t k = 0; k <= j && p != j; ++k) exchange(a[k * column + j], a[k * column + p]);
    if (x[j] == 0) continue;
    // Below the smallest normal number the reciprocal overflows.
    constexpr T kSmall = sizeof(T) == 8 ? T(1e-300) : T(1e-37);
    if (magnitude(x[j]) > kSmall) {
      scale(m - j - 1, 1 / x[j], x + j + 1);
    } else {
      for (int64_t i = j + 1; i < m; ++i) x[i] /= x[j];
    }
  }
}

// Columns that one task works on, kSolveVectors registers at a time.
constexpr int kSolveVectors = 4;
constexpr int64_t kSolveColumns = 256;

template <class T, int kVectors>
ADJOINT_INLINE void solve_columns(const LowerSolve<T>& w, int64_t j, int lanes) {
  using V = Vec<T>;
  T* const b = w.b + j;
  for (int64_t i = 0; i < w.n; ++i) {
    const T* const l = w.l + i * w.l_row;
    T* const out = b + i * w.b_row;
    V x[kVectors];
    for (int v = 0; v < kVectors; ++v) x[v] = load(out + v * V::size, lanes);
    for (int64_t k = 0; k < i; ++k) {
      const V factor = l[k * w.l_col];
      const T* const from = b + k * w.b_row;
      for (int v = 0; v < kVectors; ++v) {
        x[v] = fnma(factor, load(from + v * V::size, lanes), x[v]);
      }
    }
    const V pivot = w.unit ? T(1) : l[i * w.l_col];
    for (int v = 0; v < kVectors; ++v) {
      store(w.unit ? x[v] : x[v] / pivot, out + v * V::size, lanes);
    }
  }
}

template <class T>
void solve_lower(const Exec& exec, const LowerSolve<T>& w) {
  constexpr int kSize = Vec<T>::size, kWidth = kSolveVectors * kSize;
  parallel_tasks(exec, ceil_div(w.m, kSolveColumns), [&](int64_t task) {
    int64_t j = task * kSolveColumns;
    const int64_t end = min_of(w.m, j + kSolveColumns);
    for (; j + kWidth <= end; j += kWidth) solve_columns<T, kSolveVectors>(w, j, kSize);
    for (; j < end; j += kSize) {
      solve_columns<T, 1>(w, j, static_cast<int>(min_of(kSize, end - j)));
    }
  });
}

// ||x||, from numbers whose squares neither overflow nor vanish.
template <class T>
T length(int64_t n, const T* x) {
  const T size = largest(n, x);
  constexpr T kLow = sizeof(T) == 8 ? T(1e-140) : T(1e-15);
  constexpr T kHigh = sizeof(T) == 8 ? T(1e140) : T(1e15);
  if (size == 0 || (size > kLow && size < kHigh)) return root(dot(n, x, x));
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T part = x[i] / size;
    sum += part * part;
  }
  return size * root(sum);
}

template <class T>
T reflector(int64_t n, T* x) {
  if (n < 2) return 0;
  const T rest = length(n - 1, x + 1), alpha = x[0];
  if (rest == 0) return 0;
  const T pair[2] = {alpha, rest}, norm = length(2, pair), beta = alpha < 0 ? norm : -norm;
  const T pivot = alpha - beta;
  constexpr T kSmall = sizeof(T) == 8 ? T(1e-300) : T(1e-37);
  if (magnitude(pivot) > kSmall) {
    scale(n - 1, 1 / pivot, x + 1);
  } else {
    for (int64_t i = 1; i < n; ++i) x[i] /= pivot;
  }
  x[0] = beta;
  return (beta - alpha) / beta;
}

template <class T>
void qr_panel(int64_t m, int64_t n, T* a, int64_t column, T* tau) {
  for (int64_t j = 0; j < min_of(m, n); ++j) {
    T* const v = a + j * column + j;
    tau[j] = reflector(m - j, v);
    if (tau[j] == 0) continue;
    const T beta = v[0];
    v[0] = 1;
    for (int64_t k = j + 1; k < n; ++k) {
      T* const x = a + k * column + j;
      axpy(m - j, -tau[j] * dot(m - j, v, x), v, x);
    }
    v[0] = beta;
  }
}

// Columns of a strip go through one sweep, the row that the next rotation needs again in registers.
template <class T, int kVectors>
ADJOINT_INLINE void turn_columns(const Rotations<T>& w, const RotationSweep& sweep, T* columns) {
  using V = Vec<T>;
  if (sweep.count == 0) return;
  // Descending, the pair is looked at from its other end: the sine changes its sign.
  const int64_t step = sweep.descends ? -kStripColumns<T> : kStripColumns<T>;
  T* row = columns + (sweep.first + (sweep.descends ? 1 : 0)) * kStripColumns<T>;
  V carried[kVectors];
  for (int v = 0; v < kVectors; ++v) carried[v] = V::load(row + v * V::size);
  for (int64_t t = 0; t < sweep.count; ++t) {
    const T sine = w.s[sweep.at + t];
    const V c = w.c[sweep.at + t], s = sweep.descends ? -sine : sine;
    T* const next = row + step;
    for (int v = 0; v < kVectors; ++v) {
      const V x = V::load(next + v * V::size);
      fma(c, carried[v], s * x).store(row + v * V::size);
      carried[v] = fnma(s, carried[v], c * x);
    }
    row = next;
  }
  for (int v = 0; v < kVectors; ++v) carried[v].store(row + v * V::size);
}

template <class T>
void rotate(const Exec& exec, const Rotations<T>& w) {
  constexpr int kVectors = 4, kWidth = kVectors * Vec<T>::size;
  parallel_tasks(exec, w.strips, [&](int64_t strip) {
    for (int64_t i = 0; i < w.sweeps; ++i) {
      for (int64_t j = 0; j < kStripColumns<T>; j += kWidth) {
        turn_columns<T, kVectors>(w, w.sweep[i], w.rows + strip * w.strip + j);
      }
    }
  });
}

// ---- A symmetric matrix times a vector. ----

// What the rows from `begin` on, below `end`, add to y: a[i, j] x[i] to y[j] for j < i, and
// a[i, j] x[j] to y[i] for j <= i; four rows at a time.
template <class T>
ADJOINT_INLINE void symmetric_rows(const SymmetricProduct<T>& w, int64_t begin, int64_t end, T* y) {
  using V = Vec<T>;
  int64_t i = begin;
  for (; i + 4 <= end; i += 4) {
    const T* const a[4] = {w.a + i * w.row, w.a + (i + 1) * w.row, w.a + (i + 2) * w.row,
                           w.a + (i + 3) * w.row};
    const V x0 = w.x[i], x1 = w.x[i + 1], x2 = w.x[i + 2], x3 = w.x[i + 3];
    V s0 = V(0), s1 = V(0), s2 = V(0), s3 = V(0);
    for_vectors<V::size>(i, [&](int64_t j, int lanes) {
      const V xj = load(w.x + j, lanes), a0 = load(a[0] + j, lanes), a1 = load(a[1] + j, lanes),
              a2 = load(a[2] + j, lanes), a3 = load(a[3] + j, lanes);
      s0 = fma(a0, xj, s0);
      s1 = fma(a1, xj, s1);
      s2 = fma(a2, xj, s2);
      s3 = fma(a3, xj, s3);
      V yj = fma(a0, x0, load(y + j, lanes));
      yj = fma(a1, x1, yj);
      yj = fma(a2, x2, yj);
      store(fma(a3, x3, yj), y + j, lanes);
    });
    const T sums[4] = {reduce_add(s0), reduce_add(s1), reduce_add(s2), reduce_add(s3)};
    for (int64_t r = 0; r < 4; ++r) {
      y[i + r] += sums[r] + a[r][i + r] * w.x[i + r];
      for (int64_t t = 0; t < r; ++t) {
        y[i + r] += a[r][i + t] * w.x[i + t];
        y[i + t] += a[r][i + t] * w.x[i + r];
      }
    }
  }
  for (; i < end; ++i) {
    const T* const a = w.a + i * w.row;
    y[i] += dot(i, a, w.x) + a[i] * w.x[i];
    axpy(i, w.x[i], a, y);
  }
}

// Where task `part` of `parts` begins, each having about as many elements: whole fours of rows.
ADJOINT_INLINE int64_t symmetric_begin(int64_t n, int64_t part, int64_t parts) {
  if (part == parts) return n;
  const double share = static_cast<double>(part) / static_cast<double>(parts);
  return static_cast<int64_t>(static_cast<double>(n) * root(share)) / 4 * 4;
}

template <class T>
void symmetric(const Exec& exec, const SymmetricProduct<T>& w) {
  // Each task has sums of its own, which are added in the order of the tasks.
  const int64_t tasks = w.n >= 128 ? 8 : 1;
  if (tasks == 1) {
    for (int64_t j = 0; j < w.n; ++j) w.y[j] = 0;
    symmetric_rows(w, 0, w.n, w.y);
    return;
  }
  T* const sums = static_cast<T*>(exec.acquire(static_cast<size_t>(tasks * w.n) * sizeof(T)));
  parallel_tasks(exec, tasks, [&](int64_t task) {
    const int64_t end = symmetric_begin(w.n, task + 1, tasks);
    T* const y = sums + task * w.n;
    for (int64_t j = 0; j < end; ++j) y[j] = 0;
    symmetric_rows(w, symmetric_begin(w.n, task, tasks), end, y);
  });
  for (int64_t j = 0; j < w.n; ++j) w.y[j] = sums[(tasks - 1) * w.n + j];
  for (int64_t task = tasks - 2; task >= 0; --task) {
    axpy(symmetric_begin(w.n, task + 1, tasks), T(1), sums + task * w.n, w.y);
  }
  exec.release(sums);
}

template <class T>
constexpr FactorKernels<T> kKernels = {cholesky<T>, lu_panel<T>, solve_lower<T>, reflector<T>,
                                       qr_panel<T>, rotate<T>,   symmetric<T>};

}  // namespace

extern const FactorTable ADJOINT_TABLE;
const FactorTable ADJOINT_TABLE = {.f32 = kKernels<float>, .f64 = kKernels<double>};

}  // namespace adjoint::kernels::ADJOINT_ISA
