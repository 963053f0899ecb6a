// Cholesky and LU factors and triangular solves, divided in halves until a block is left: nearly
// all work is products of matrices (Toledo, "Locality of reference in LU decomposition with partial
// pivoting", 1997).
#include <algorithm>

#include "core/ops/factorize.h"

namespace adjoint::factorize {
namespace {

using kernels::kFactorBlock;

// Half of n, a whole number of blocks. REQUIRES: n > kFactorBlock.
int64_t first_half(int64_t n) {
  return ((n + 1) / 2 + kFactorBlock - 1) / kFactorBlock * kFactorBlock;
}

template <class T>
void solve_lower(int64_t n, int64_t m, const Strided<T>& l, bool unit, T* b, int64_t b_row) {
  if (n == 0 || m == 0) return;
  if (n <= kFactorBlock) {
    parts<T>().solve_lower(KernelScope(), {n, m, l.data, l.row, l.col, unit, b, b_row});
    return;
  }
  const int64_t n1 = first_half(n), n2 = n - n1;
  T* const below = b + n1 * b_row;
  solve_lower(n1, m, l, unit, b, b_row);
  multiply<T>(
      {n2, m, n1, {l.data + n1 * l.row, l.row, l.col}, {b, b_row, 1}, below, b_row, -1, true});
  solve_lower(n2, m, {l.data + n1 * (l.row + l.col), l.row, l.col}, unit, below, b_row);
}

// L^-1 in the place of the identity b, for L with a diagonal of ones.
template <class T>
void invert_lower(int64_t n, const Strided<T>& l, T* b, int64_t b_row) {
  if (n <= kFactorBlock) {
    solve_lower(n, n, l, true, b, b_row);
    return;
  }
  const int64_t n1 = first_half(n), n2 = n - n1;
  const Strided<T> corner{l.data + n1 * (l.row + l.col), l.row, l.col};
  T* const below = b + n1 * b_row;
  invert_lower(n1, l, b, b_row);
  multiply<T>({n2, n1, n1, {l.data + n1 * l.row, l.row, l.col}, {b, b_row, 1}, below, b_row, -1});
  solve_lower(n2, n1, corner, true, below, b_row);
  invert_lower(n2, corner, below + n1, b_row);
}

// The upper triangle of C -= B^T B, C (n, n), B (k, n), in blocks of columns.
template <class T>
void subtract_square(int64_t n, int64_t k, const T* b, T* c, int64_t row) {
  constexpr int64_t kColumns = 256;
  for (int64_t j = 0; j < n; j += kColumns) {
    const int64_t end = std::min(n, j + kColumns);
    multiply<T>({end, end - j, k, {b, 1, row}, {b + j, row, 1}, c + j, row, -1, true});
  }
}

// Columns of a panel side by side, so that the search for pivots runs along memory.
template <class T>
void turn_panel(int64_t m, int64_t n, T* a, int64_t row, T* columns, bool back) {
  constexpr int64_t kRows = 16;
  for (int64_t i0 = 0; i0 < m; i0 += kRows) {
    const int64_t end = std::min(m, i0 + kRows);
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t i = i0; i < end; ++i) {
        T &element = a[i * row + j], &turned = columns[j * m + i];
        if (back) {
          element = turned;
        } else {
          turned = element;
        }
      }
    }
  }
}

template <class T>
void lu_columns(int64_t m, int64_t n, T* a, int64_t row, int64_t* pivots, T* scratch) {
  if (n <= kFactorBlock) {
    turn_panel(m, n, a, row, scratch, false);
    parts<T>().lu_panel(m, n, scratch, m, pivots);
    turn_panel(m, n, a, row, scratch, true);
    return;
  }
  const int64_t n1 = first_half(n), n2 = n - n1;
  T *const right = a + n1, *const below = a + n1 * row, *const rest = below + n1;
  lu_columns(m, n1, a, row, pivots, scratch);
  exchange_rows(n1, n2, right, row, pivots);
  solve_lower<T>(n1, n2, {a, row, 1}, true, right, row);
  multiply<T>({m - n1, n2, n1, {below, row, 1}, {right, row, 1}, rest, row, -1, true});
  lu_columns(m - n1, n2, rest, row, pivots + n1, scratch);
  exchange_rows(n2, n1, below, row, pivots + n1);
  for (int64_t i = n1; i < n; ++i) pivots[i] += n1;
}

}  // namespace

template <class T>
void multiply(const Product<T>& p) {
  if (p.m == 0 || p.n == 0 || (p.k == 0 && p.accumulate)) return;
  kernels::Gemm<T> g{};
  g.m = p.m;
  g.n = p.n;
  g.k = p.k;
  g.a = p.a.data;
  g.a_row = p.a.row;
  g.a_col = p.a.col;
  g.b = p.b.data;
  g.b_row = p.b.row;
  g.b_col = p.b.col;
  g.c = p.c;
  g.c_row = p.c_row;
  g.alpha = p.alpha;
  g.accumulate = p.accumulate;
  std::fill_n(g.batch, 3, 1);
  if constexpr (std::is_same_v<T, float>) {
    kernel_table().gemm.f32(KernelScope(), g);
  } else {
    kernel_table().gemm.f64(KernelScope(), g);
  }
}

template <class T>
int64_t cholesky(int64_t n, T* a, int64_t row) {
  if (n <= kFactorBlock) return parts<T>().cholesky(n, a, row);
  const int64_t n1 = first_half(n), n2 = n - n1;
  if (const int64_t failed = cholesky(n1, a, row); failed >= 0) return failed;
  solve_lower<T>(n1, n2, {a, 1, row}, false, a + n1, row);
  T* const rest = a + n1 * (row + 1);
  subtract_square(n2, n1, a + n1, rest, row);
  const int64_t failed = cholesky(n2, rest, row);
  return failed < 0 ? failed : failed + n1;
}

template <class T>
void lu(int64_t n, T* a, int64_t row, int64_t* pivots) {
  std::vector<T> scratch(static_cast<size_t>(n * std::min(n, kFactorBlock)));
  lu_columns(n, n, a, row, pivots, scratch.data());
}

// A^-1 = U^-1 L^-1 P: P exchanges columns, from the last exchange to the first.
template <class T>
void inverse(int64_t n, const T* factors, const int64_t* pivots, T* out) {
  std::fill_n(out, n * n, T(0));
  for (int64_t i = 0; i < n; ++i) out[i * (n + 1)] = 1;
  invert_lower<T>(n, {factors, n, 1}, out, n);
  solve_triangle<T>(n, n, {factors, n, 1}, true, false, out, n);
  for (int64_t i = 0; i < n; ++i) {
    T* const row = out + i * n;
    for (int64_t j = n - 1; j >= 0; --j) std::swap(row[j], row[pivots[j]]);
  }
}

template <class T>
void exchange_rows(int64_t n, int64_t columns, T* a, int64_t row, const int64_t* pivots,
                   bool back) {
  for (int64_t t = 0; t < n; ++t) {
    const int64_t i = back ? n - 1 - t : t;
    if (pivots[i] != i) {
      std::swap_ranges(a + i * row, a + i * row + columns, a + pivots[i] * row);
    }
  }
}

// An upper triangle is a lower one read from its other end.
template <class T>
void solve_triangle(int64_t n, int64_t m, Strided<T> a, bool upper, bool unit, T* b,
                    int64_t b_row) {
  if (n == 0 || m == 0) return;
  if (!upper) {
    solve_lower(n, m, a, unit, b, b_row);
    return;
  }
  const Strided<T> reversed{a.data + (n - 1) * (a.row + a.col), -a.row, -a.col};
  solve_lower(n, m, reversed, unit, b + (n - 1) * b_row, -b_row);
}

#define ADJOINT_INSTANTIATE(T)                                                      \
  template void multiply(const Product<T>&);                                        \
  template int64_t cholesky(int64_t, T*, int64_t);                                  \
  template void inverse(int64_t, const T*, const int64_t*, T*);                     \
  template void lu(int64_t, T*, int64_t, int64_t*);                                 \
  template void exchange_rows(int64_t, int64_t, T*, int64_t, const int64_t*, bool); \
  template void solve_triangle(int64_t, int64_t, Strided<T>, bool, bool, T*, int64_t);
ADJOINT_INSTANTIATE(float)
ADJOINT_INSTANTIATE(double)
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::factorize
