// Eigenvalues and eigenvectors of symmetric matrices: reduction to tridiagonal form by reflectors,
// a panel at a time (Dongarra, Sorensen and Hammarling, "Block reduction of matrices to condensed
// forms", 1989), then implicit QR with Wilkinson's shift (Golub and Van Loan, "Matrix
// Computations", 8.3).
#include "core/ops/factorize_turns.h"

namespace adjoint::factorize {
namespace {

using kernels::kFactorBlock;

template <class T>
struct Tridiagonal {
  explicit Tridiagonal(int64_t n)
      : d(static_cast<size_t>(n)),
        e(static_cast<size_t>(n)),
        vectors(static_cast<size_t>(n * n)),
        tau(static_cast<size_t>(n)) {}
  std::vector<double> d, e;     // the diagonal, and beside it
  std::vector<T> vectors, tau;  // reflectors: the vector of the j-th begins at element j + 1
};

// y = A x, rows of A contiguous.
template <class T>
void multiply_vector(int64_t m, int64_t n, const T* a, int64_t row, const T* x, T* y) {
  const kernels::Skinny<T> work{1, m, n, x, n, 1, a, row, y, m, nullptr};
  if constexpr (std::is_same_v<T, float>) {
    kernel_table().skinny.f32(KernelScope(), work);
  } else {
    kernel_table().skinny.f64(KernelScope(), work);
  }
}

template <class T>
T dot(int64_t n, const T* x, const T* y) {
  T result;
  multiply_vector(1, n, y, n, x, &result);
  return result;
}

// A = Q T Q^T. The lower triangle of A is read, and written.
template <class T>
void tridiagonalise(int64_t n, T* a, Tridiagonal<T>& t) {
  std::vector<T> w(static_cast<size_t>(kFactorBlock * n)), current(static_cast<size_t>(n)),
      sums(static_cast<size_t>(2 * kFactorBlock));
  for (int64_t j0 = 0; j0 < n - 1; j0 += kFactorBlock) {
    const int64_t count = std::min(kFactorBlock, n - 1 - j0);
    T* const v = t.vectors.data() + j0 * n;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t j = j0 + i, rest = n - j - 1;
      // Column j of A - V^T W - W^T V.
      for (int64_t k = j; k < n; ++k) current[static_cast<size_t>(k - j)] = a[k * n + j];
      multiply<T>(
          {1, rest + 1, i, {v + j, 0, n}, {w.data() + j, n, 1}, current.data(), n, -1, true});
      multiply<T>(
          {1, rest + 1, i, {w.data() + j, 0, n}, {v + j, n, 1}, current.data(), n, -1, true});
      const auto at = static_cast<size_t>(j);
      t.d[at] = static_cast<double>(current[0]);
      T *const x = v + i * n + j + 1, *const y = w.data() + i * n + j + 1;
      std::fill_n(v + i * n, j + 1, T(0));
      std::copy_n(current.data() + 1, rest, x);
      const T tau = t.tau[at] = parts<T>().reflector(rest, x);
      t.e[at] = static_cast<double>(x[0]);
      x[0] = 1;
      std::fill_n(w.data() + i * n, n, T(0));
      if (tau == 0) continue;
      // w = tau (A x - V (W x) - W (V x)), less tau / 2 (w x) x
      parts<T>().symmetric(KernelScope(), {rest, a + (j + 1) * (n + 1), n, x, y});
      if (i > 0) {
        T *const vx = sums.data(), *const wx = vx + kFactorBlock;
        multiply_vector(i, rest, v + j + 1, n, x, vx);
        multiply_vector(i, rest, w.data() + j + 1, n, x, wx);
        multiply<T>({1, rest, i, {wx, 0, 1}, {v + j + 1, n, 1}, y, n, -1, true});
        multiply<T>({1, rest, i, {vx, 0, 1}, {w.data() + j + 1, n, 1}, y, n, -1, true});
      }
      const T half = -tau * tau / 2 * dot(rest, y, x);
      for (int64_t k = 0; k < rest; ++k) y[k] = tau * y[k] + half * x[k];
    }
    // The lower triangle, in blocks of rows.
    constexpr int64_t kRows = 256;
    for (int64_t first = j0 + count; first < n; first += kRows) {
      const int64_t begin = j0 + count, height = std::min(kRows, n - first);
      const int64_t width = first + height - begin;
      T* const c = a + first * n + begin;
      multiply<T>(
          {height, width, count, {v + first, 1, n}, {w.data() + begin, n, 1}, c, n, -1, true});
      multiply<T>(
          {height, width, count, {w.data() + first, 1, n}, {v + begin, n, 1}, c, n, -1, true});
    }
  }
  if (n > 0) t.d.back() = static_cast<double>(a[n * n - 1]);
}

// Rows lo to hi of a tridiagonal matrix, from whichever end has the larger elements: what is
// smallest converges first, at the far end.
struct Piece {
  std::vector<double>&d_, &e_;
  int64_t lo, hi;
  bool flipped;

  double& d(int64_t k) const { return d_[static_cast<size_t>(flipped ? lo + hi - k : k)]; }
  double& e(int64_t k) const { return e_[static_cast<size_t>(flipped ? lo + hi - 1 - k : k)]; }
};

template <class T>
void qr_step(const Piece& p, Turned<T>& turned) {
  const int64_t lo = p.lo, hi = p.hi;
  const double corner = p.e(hi - 1), half = (p.d(hi - 1) - p.d(hi)) / 2;
  const double distance = length(half, corner);
  const double shift = p.d(hi) - corner * (corner / (half + std::copysign(distance, half)));
  turned.begin(p.flipped ? hi - 1 : lo, p.flipped);
  double x = p.d(lo) - shift, z = p.e(lo);
  for (int64_t k = lo; k < hi; ++k) {
    const Turn g(x, z);
    const double a = p.d(k), b = p.e(k), c = p.d(k + 1);
    if (k > lo) p.e(k - 1) = g.r;
    const double mixed = 2 * g.c * g.s * b;
    p.d(k) = g.c * g.c * a + mixed + g.s * g.s * c;
    p.d(k + 1) = g.s * g.s * a - mixed + g.c * g.c * c;
    p.e(k) = (g.c - g.s) * (g.c + g.s) * b + g.c * g.s * (c - a);
    x = p.e(k);
    if (k + 1 < hi) {
      z = g.s * p.e(k + 1);
      p.e(k + 1) *= g.c;
    }
    turned.add(g.c, p.flipped ? -g.s : g.s);
  }
}

template <class T>
bool diagonalise(std::vector<double>& d, std::vector<double>& e, Turned<T>& turned) {
  const auto n = static_cast<int64_t>(d.size());
  const double epsilon = std::is_same_v<T, float> ? 0x1p-24 : 0x1p-53;
  const double least = largest_of(d.data(), n) * 1e-290;  // below it nothing is left of a number
  const auto negligible = [&](int64_t k) {
    const auto at = static_cast<size_t>(k);
    const double beside = std::abs(d[at]) + std::abs(d[at + 1]);
    return std::abs(e[at]) <= epsilon * beside + least;
  };
  int64_t hi = n - 1, steps = 0;
  while (hi > 0) {
    if (negligible(hi - 1)) {
      --hi;
      continue;
    }
    int64_t lo = hi - 1;
    while (lo > 0 && !negligible(lo - 1)) --lo;
    const bool flipped =
        std::abs(d[static_cast<size_t>(hi)]) > std::abs(d[static_cast<size_t>(lo)]);
    // What is cut off at the near end converges later: the piece is searched anew each time.
    qr_step(Piece{d, e, lo, hi, flipped}, turned);
    if (++steps > 60 * n) return false;
  }
  return true;
}

}  // namespace

template <class T>
bool eigh(int64_t n, T* a, T* values, T* vectors) {
  int exponent = 0;
  if (!rescale(a, n * n, exponent)) return false;
  Tridiagonal<T> t(n);
  tridiagonalise(n, a, t);
  if (vectors != nullptr) {
    columns_of_q(n, std::max<int64_t>(n - 1, 0), t.vectors.data(), t.tau.data(), 1, n, vectors, n);
  }
  Turned<T> turned(n, vectors);
  if (!diagonalise(t.d, t.e, turned)) return false;
  int64_t to = 0;
  for (const int64_t from : ascending(t.d)) {
    values[to] = static_cast<T>(std::ldexp(t.d[static_cast<size_t>(from)], -exponent));
    if (vectors != nullptr) turned.row(from, T(1), vectors + to * n);
    ++to;
  }
  return true;
}

template bool eigh(int64_t, float*, float*, float*);
template bool eigh(int64_t, double*, double*, double*);

}  // namespace adjoint::factorize
