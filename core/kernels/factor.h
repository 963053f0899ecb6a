// The innermost parts of matrix factorisations: small blocks and panels, whose remainder is matrix
// products, and sequences of plane rotations.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint::kernels {

// Blocks of this size and below are factorised element by element.
constexpr int64_t kFactorBlock = 32;

// L X = B in the place of B (n, m), whose columns are contiguous; L (n, n) is lower triangular,
// with any strides, and what is above its diagonal is not read; nor is the diagonal where `unit`,
// being ones. REQUIRES: n <= kFactorBlock.
template <class T>
struct LowerSolve {
  int64_t n, m;
  const T* l;
  int64_t l_row, l_col;
  bool unit;
  T* b;
  int64_t b_row;
};

// One sweep of plane rotations over neighbouring rows, in order: the t-th turns rows k and k + 1
// with k = first + t, or first - t where it descends, by the angle at `at + t`:
//   row k = c row k + s row k+1,  row k+1 = c row k+1 - s row k.
struct RotationSweep {
  int64_t first, count, at;
  bool descends;
};

// A matrix whose rows are turned lies in strips of so many columns, each row-major by itself.
template <class T>
constexpr int64_t kStripColumns = 256 / sizeof(T);

// Sweeps, one after the other, of the rows of a matrix in strips, `strip` elements each.
template <class T>
struct Rotations {
  const RotationSweep* sweep;
  int64_t sweeps;
  const T *c, *s;
  T* rows;
  int64_t strips, strip;
};

// y = A x for a symmetric A (n, n) of which the lower triangle is read; columns are contiguous.
template <class T>
struct SymmetricProduct {
  int64_t n;
  const T* a;
  int64_t row;
  const T* x;
  T* y;
};

template <class T>
struct FactorKernels {
  // U with U^T U = A in the place of A's upper triangle (n, n), rows `row` apart. Returns the first
  // index whose pivot is not positive (or NaN), where it stops, or -1.
  int64_t (*cholesky)(int64_t n, T* a, int64_t row);
  // The LU factors of a panel of n <= m columns of m elements, column j at a + j * column: partial
  // pivoting, the row that was exchanged with row j in pivots[j], L without its diagonal of ones. A
  // column of zeros has pivot 0 and stays.
  void (*lu_panel)(int64_t m, int64_t n, T* a, int64_t column, int64_t* pivots);
  void (*solve_lower)(const Exec& exec, const LowerSolve<T>& work);
  // The reflector I - tau v v^T, v[0] = 1, that takes x to (beta, 0, ...): v in the place of x,
  // beta in its first element's. tau = 0 where x is a multiple of the first unit vector already.
  // Without overflow where |x| is below the largest number.
  T (*reflector)(int64_t n, T* x);
  // The reflectors of the min(m, n) first columns of a panel, column j at a + j * column: below the
  // diagonal their vectors, on and above it R. tau: one each.
  void (*qr_panel)(int64_t m, int64_t n, T* a, int64_t column, T* tau);
  void (*rotate)(const Exec& exec, const Rotations<T>& work);
  void (*symmetric)(const Exec& exec, const SymmetricProduct<T>& work);
};

struct FactorTable {
  FactorKernels<float> f32;
  FactorKernels<double> f64;
};

}  // namespace adjoint::kernels
