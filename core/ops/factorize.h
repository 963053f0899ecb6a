// Matrix factorisations on plain memory, one matrix at a time: blocked algorithms whose bulk is
// matrix products. Matrices are row-major, rows `row` apart, unless it is said otherwise.
//
// T is float or double. Functions are safe from any thread, and run their products on several where
// nobody else does; results do not depend on how many.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ops/loops.h"

namespace adjoint::factorize {

template <class T>
const kernels::FactorKernels<T>& parts() {
  if constexpr (std::is_same_v<T, float>) {
    return kernel_table().factor.f32;
  } else {
    return kernel_table().factor.f64;
  }
}

// A matrix with any strides.
template <class T>
struct Strided {
  const T* data;
  int64_t row, col;
};

// C = alpha A B, or C += alpha A B; A (m, k), B (k, n), C (m, n).
template <class T>
struct Product {
  int64_t m, n, k;
  Strided<T> a, b;
  T* c;
  int64_t c_row;
  T alpha = 1;
  bool accumulate = false;
};
template <class T>
void multiply(const Product<T>& product);

// U with U^T U = A in the place of A's upper triangle. Returns the index of the first pivot that is
// not positive, where it stops, or -1.
template <class T>
int64_t cholesky(int64_t n, T* a, int64_t row);

// P A = L U in the place of A (n, n), L's diagonal of ones left out. Row i was exchanged with row
// pivots[i] >= i, for i = 0, 1, ...
template <class T>
void lu(int64_t n, T* a, int64_t row, int64_t* pivots);

// A^-1 in `out` (n, n), row-major without gaps, from its LU factors, which lie so too.
template <class T>
void inverse(int64_t n, const T* factors, const int64_t* pivots, T* out);

// Exchanges rows as lu did; or back.
template <class T>
void exchange_rows(int64_t n, int64_t columns, T* a, int64_t row, const int64_t* pivots,
                   bool back = false);

// X with A X = B in the place of B (n, m); of A (n, n) only a triangle is read, and of that not the
// diagonal where it is `unit`, of ones.
template <class T>
void solve_triangle(int64_t n, int64_t m, Strided<T> a, bool upper, bool unit, T* b, int64_t b_row);

// The reflectors of A = Q R, A (m, n) being given by its columns: row j of `at` is column j. After
// that row j of `at` begins with column j of R, down to the diagonal, and row j of `vectors` (k,
// m), k = min(m, n), is the vector of the j-th reflector, 0 before element j, where it is 1; tau:
// (k).
template <class T>
void qr(int64_t m, int64_t n, T* at, int64_t row, T* vectors, T* tau);

// The first `count` columns of H_0 H_1 ... H_(k-1), as the rows of q: the vector of H_j begins at
// element j + offset.
template <class T>
void columns_of_q(int64_t m, int64_t k, const T* vectors, const T* tau, int64_t offset,
                  int64_t count, T* q, int64_t q_row);

// The eigenvalues of the symmetric A (n, n), ascending, and its eigenvectors as the rows of
// `vectors` (n, n), unless that is null. A is overwritten. False where the iteration does not
// converge: A is not finite.
template <class T>
bool eigh(int64_t n, T* a, T* values, T* vectors);

// The singular values of A (m, n), m <= n, descending, and where they are not null the left
// singular vectors as the rows of ut (m, m), the right ones as those of vt (m, n), or (n, n) where
// `full`. A is overwritten. False as eigh.
template <class T>
bool svd(int64_t m, int64_t n, T* a, T* values, T* ut, T* vt, bool full);

}  // namespace adjoint::factorize
