// Singular values and vectors: reduction to bidiagonal form by reflectors, a panel at a time
// (Dongarra, Sorensen and Hammarling, 1989), then implicit QR, without a shift where that would
// cost small values their digits (Demmel and Kahan, "Accurate singular values of bidiagonal
// matrices", 1990).
#include "core/ops/factorize_turns.h"

namespace adjoint::factorize {
namespace {

using kernels::kFactorBlock;

template <class T>
struct Bidiagonal {
  explicit Bidiagonal(int64_t n)
      : d(static_cast<size_t>(n)),
        e(static_cast<size_t>(n)),
        left(static_cast<size_t>(n * n)),
        right(static_cast<size_t>(n * n)),
        left_tau(static_cast<size_t>(n)),
        right_tau(static_cast<size_t>(n)) {}
  std::vector<double> d, e;    // the diagonal, and above it
  std::vector<T> left, right;  // reflectors: the vectors of the j-th begin at j and j + 1
  std::vector<T> left_tau, right_tau;
};

// A panel of the reduction: A - U^T Y - X^T V is what is left of A, where the rows of u and v are
// the reflectors' vectors.
template <class T>
class Panel {
 public:
  Panel(int64_t n, T* a, Bidiagonal<T>& b)
      : n_(n),
        a_(a),
        b_(b),
        x_(static_cast<size_t>(kFactorBlock * n)),
        y_(x_.size()),
        current_(static_cast<size_t>(n)),
        sums_(static_cast<size_t>(2 * kFactorBlock)) {}

  void reduce(int64_t j0, int64_t count) {
    u_ = b_.left.data() + j0 * n_;
    v_ = b_.right.data() + j0 * n_;
    for (int64_t i = 0; i < count; ++i) {
      column(j0 + i, i);
      if (j0 + i + 1 < n_) row(j0 + i, i);
    }
    const int64_t first = j0 + count, rest = n_ - first;
    T* const c = a_ + first * (n_ + 1);
    multiply<T>(
        {rest, rest, count, {u_ + first, 1, n_}, {y_.data() + first, n_, 1}, c, n_, -1, true});
    multiply<T>(
        {rest, rest, count, {x_.data() + first, 1, n_}, {v_ + first, n_, 1}, c, n_, -1, true});
  }

 private:
  // out[first:] -= sum over `count` rows k of p[k] of q's row k
  void subtract(int64_t count, const T* p, int64_t p_step, const T* q, int64_t first, T* out) {
    multiply<T>({1, n_ - first, count, {p, 0, p_step}, {q + first, n_, 1}, out, n_, -1, true});
  }
  // The products of `count` rows of q, from `first` on, with a vector.
  const T* products(int64_t count, const T* q, int64_t first, const T* vector, T* out) {
    multiply<T>({1, count, n_ - first, {vector, 0, 1}, {q + first, 1, n_}, out, count});
    return out;
  }

  // The reflector of column j, and row i of y: tau (A^T u - Y^T U u - V^T X u).
  void column(int64_t j, int64_t i) {
    const auto at = static_cast<size_t>(j);
    for (int64_t k = j; k < n_; ++k) current_[static_cast<size_t>(k - j)] = a_[k * n_ + j];
    subtract(i, y_.data() + j, n_, u_, j, current_.data());
    subtract(i, v_ + j, n_, x_.data(), j, current_.data());
    T* const u = u_ + i * n_;
    std::fill_n(u, j, T(0));
    std::copy_n(current_.data(), n_ - j, u + j);
    const T tau = b_.left_tau[at] = parts<T>().reflector(n_ - j, u + j);
    b_.d[at] = static_cast<double>(u[j]);
    u[j] = 1;
    T* const y = y_.data() + i * n_;
    std::fill_n(y, n_, T(0));
    const int64_t next = j + 1, rest = n_ - next;
    if (tau == 0 || rest == 0) return;
    multiply<T>({1, rest, n_ - j, {u + j, 0, 1}, {a_ + j * n_ + next, n_, 1}, y + next, n_});
    subtract(i, products(i, u_, j, u + j, sums_.data()), 1, y_.data(), next, y + next);
    subtract(i, products(i, x_.data(), j, u + j, sums_.data()), 1, v_, next, y + next);
    for (int64_t k = next; k < n_; ++k) y[k] *= tau;
  }

  // The reflector of row j, and row i of x: tau (A v - U^T Y v - X^T V v).
  void row(int64_t j, int64_t i) {
    const auto at = static_cast<size_t>(j);
    const int64_t next = j + 1, rest = n_ - next;
    T* const v = v_ + i * n_;
    std::fill_n(v, next, T(0));
    std::copy_n(a_ + j * n_ + next, rest, v + next);
    subtract(i + 1, u_ + j, n_, y_.data(), next, v + next);
    subtract(i, x_.data() + j, n_, v_, next, v + next);
    const T tau = b_.right_tau[at] = parts<T>().reflector(rest, v + next);
    b_.e[at] = static_cast<double>(v[next]);
    v[next] = 1;
    T* const x = x_.data() + i * n_;
    std::fill_n(x, n_, T(0));
    if (tau == 0) return;
    multiply<T>({1, rest, rest, {v + next, 0, 1}, {a_ + next * n_ + next, 1, n_}, x + next, n_});
    subtract(i + 1, products(i + 1, y_.data(), next, v + next, sums_.data()), 1, u_, next,
             x + next);
    subtract(i, products(i, v_, next, v + next, sums_.data()), 1, x_.data(), next, x + next);
    for (int64_t k = next; k < n_; ++k) x[k] *= tau;
  }

  int64_t n_;
  T* a_;
  Bidiagonal<T>& b_;
  std::vector<T> x_, y_, current_, sums_;
  T *u_ = nullptr, *v_ = nullptr;
};

// Rows lo to hi of an upper bidiagonal matrix, or flipped: the same matrix, transposed and read
// from its other end, is upper bidiagonal again, with left and right exchanged.
template <class T>
class Piece {
 public:
  Piece(std::vector<double>& d, std::vector<double>& e, Turned<T>& left, Turned<T>& right,
        int64_t first, int64_t last, bool flipped)
      : lo(first),
        hi(last),
        d_(d),
        e_(e),
        left_(flipped ? right : left),
        right_(flipped ? left : right),
        flipped_(flipped) {}

  double& d(int64_t k) const { return d_[static_cast<size_t>(flipped_ ? lo + hi - k : k)]; }
  double& e(int64_t k) const { return e_[static_cast<size_t>(flipped_ ? lo + hi - 1 - k : k)]; }

  // Cuts the piece where an element above the diagonal is negligible, given what the elements
  // before it say of the smallest singular value (Demmel and Kahan, section 4): true if it did.
  // Otherwise `smallest` is a lower bound of that, as far as it goes.
  bool cut(double tolerance, double& smallest) const {
    if (std::abs(e(hi - 1)) <= tolerance * std::abs(d(hi))) {
      e(hi - 1) = 0;
      return true;
    }
    double bound = std::abs(d(lo));
    smallest = bound;
    for (int64_t k = lo; k < hi; ++k) {
      if (std::abs(e(k)) <= tolerance * bound) {
        e(k) = 0;
        return true;
      }
      bound = std::abs(d(k + 1)) * (bound / (bound + std::abs(e(k))));
      smallest = std::min(smallest, bound);
    }
    return false;
  }

  // The smaller singular value of the last two rows and columns.
  double shift() const {
    const double f = std::abs(d(hi - 1)), g = std::abs(e(hi - 1)), h = std::abs(d(hi));
    const double small = std::min(f, h), large = std::max(f, h);
    if (small == 0) return 0;
    const double sum = 1 + small / large, difference = (large - small) / large;
    if (g < large) {
      const double u = (g / large) * (g / large);
      return small * (2 / (std::sqrt(sum * sum + u) + std::sqrt(difference * difference + u)));
    }
    const double u = large / g;
    if (u == 0) return small * large / g;
    const double c =
        1 / (std::sqrt(1 + sum * u * (sum * u)) + std::sqrt(1 + difference * u * (difference * u)));
    return 2 * (small * c * u);
  }

  void step_without_shift() {
    begin();
    double c = 1, old_c = 1, old_s = 0;
    for (int64_t k = lo; k < hi; ++k) {
      const Turn right(d(k) * c, e(k));
      if (k > lo) e(k - 1) = old_s * right.r;
      const Turn left(old_c * right.r, d(k + 1) * right.s);
      d(k) = left.r;
      add(left, right);
      c = right.c;
      old_c = left.c;
      old_s = left.s;
    }
    const double last = d(hi) * c;
    d(hi) = last * old_c;
    e(hi - 1) = last * old_s;
  }

  void step(double shift) {
    begin();
    double f = (std::abs(d(lo)) - shift) * (std::copysign(1.0, d(lo)) + shift / d(lo)), g = e(lo);
    for (int64_t k = lo; k < hi; ++k) {
      const Turn right(f, g);
      if (k > lo) e(k - 1) = right.r;
      f = right.c * d(k) + right.s * e(k);
      e(k) = right.c * e(k) - right.s * d(k);
      g = right.s * d(k + 1);
      d(k + 1) *= right.c;
      const Turn left(f, g);
      d(k) = left.r;
      f = left.c * e(k) + left.s * d(k + 1);
      d(k + 1) = left.c * d(k + 1) - left.s * e(k);
      if (k + 1 < hi) {
        g = left.s * e(k + 1);
        e(k + 1) *= left.c;
      }
      add(left, right);
    }
    e(hi - 1) = f;
  }

  const int64_t lo, hi;

 private:
  void begin() {
    left_.begin(flipped_ ? hi - 1 : lo, flipped_);
    right_.begin(flipped_ ? hi - 1 : lo, flipped_);
  }
  void add(const Turn& left, const Turn& right) {
    left_.add(left.c, flipped_ ? -left.s : left.s);
    right_.add(right.c, flipped_ ? -right.s : right.s);
  }

  std::vector<double>&d_, &e_;
  Turned<T>&left_, &right_;
  bool flipped_;
};

template <class T>
bool diagonalise(std::vector<double>& d, std::vector<double>& e, Turned<T>& left,
                 Turned<T>& right) {
  const auto n = static_cast<int64_t>(d.size());
  const double epsilon = std::is_same_v<T, float> ? 0x1p-24 : 0x1p-53;
  const double tolerance = 10 * epsilon;
  const double largest = std::max(largest_of(d.data(), n), largest_of(e.data(), n));
  // What is this small is rounding of the reduction to bidiagonal form.
  const double threshold = largest * epsilon / 8;
  int64_t hi = n - 1, steps = 0;
  while (hi > 0) {
    int64_t lo = hi;
    double most = std::abs(d[static_cast<size_t>(hi)]);
    while (lo > 0 && std::abs(e[static_cast<size_t>(lo - 1)]) > threshold) {
      --lo;
      const auto at = static_cast<size_t>(lo);
      most = std::max({most, std::abs(d[at]), std::abs(e[at])});
    }
    if (lo > 0) e[static_cast<size_t>(lo - 1)] = 0;
    if (lo == hi) {
      --hi;
      continue;
    }
    const bool flipped =
        std::abs(d[static_cast<size_t>(lo)]) < std::abs(d[static_cast<size_t>(hi)]);
    Piece<T> piece(d, e, left, right, lo, hi, flipped);
    double smallest = 0;
    if (piece.cut(tolerance, smallest)) continue;
    if (++steps > 60 * n) return false;
    const double shift = piece.shift(), first = std::abs(piece.d(lo));
    const bool loses = static_cast<double>(n) * tolerance * (smallest / most) <=
                       std::max(epsilon, 0.01 * tolerance);
    if (loses || first == 0 || (shift / first) * (shift / first) < epsilon) {
      piece.step_without_shift();
    } else {
      piece.step(shift);
    }
  }
  return true;
}

// Of a square matrix.
template <class T>
bool square_svd(int64_t n, T* a, T* values, T* ut, T* vt) {
  Bidiagonal<T> b(n);
  Panel<T> panel(n, a, b);
  for (int64_t j = 0; j < n; j += kFactorBlock) panel.reduce(j, std::min(kFactorBlock, n - j));
  const bool vectors = ut != nullptr;
  if (vectors) {
    columns_of_q(n, n, b.left.data(), b.left_tau.data(), 0, n, ut, n);
    columns_of_q(n, std::max<int64_t>(n - 1, 0), b.right.data(), b.right_tau.data(), 1, n, vt, n);
  }
  Turned<T> left(n, ut), right(n, vt);
  if (!diagonalise(b.d, b.e, left, right)) return false;
  std::vector<double> negated;
  for (const double x : b.d) negated.push_back(-std::abs(x));
  int64_t to = 0;
  for (const int64_t from : ascending(negated)) {
    const double value = b.d[static_cast<size_t>(from)];
    values[to] = static_cast<T>(std::abs(value));
    if (vectors) {
      left.row(from, T(1), ut + to * n);
      right.row(from, value < 0 ? T(-1) : T(1), vt + to * n);
    }
    ++to;
  }
  return true;
}

// A^T = Q R, then R^T = U S W^T, and A = U S (Q W)^T. at: A, which has fewer rows than columns.
template <class T>
bool wide_svd(int64_t m, int64_t n, T* at, T* values, T* ut, T* vt, bool full) {
  std::vector<T> vectors(static_cast<size_t>(m * n)), tau(static_cast<size_t>(m)),
      square(static_cast<size_t>(m * m));
  qr(n, m, at, n, vectors.data(), tau.data());
  for (int64_t i = 0; i < m; ++i) std::copy_n(at + i * n, i + 1, square.data() + i * m);
  if (ut == nullptr) return square_svd<T>(m, square.data(), values, nullptr, nullptr);
  std::vector<T> wt(square.size());
  if (!square_svd(m, square.data(), values, ut, wt.data())) return false;
  // The rows below the first m are those of Q; the first m are turned.
  const int64_t rows = full ? n : m;
  std::vector<T> q(static_cast<size_t>(rows * n));
  columns_of_q(n, m, vectors.data(), tau.data(), 0, rows, q.data(), n);
  multiply<T>({m, n, m, {wt.data(), m, 1}, {q.data(), n, 1}, vt, n});
  std::copy(q.data() + m * n, q.data() + rows * n, vt + m * n);
  return true;
}

}  // namespace

template <class T>
bool svd(int64_t m, int64_t n, T* a, T* values, T* ut, T* vt, bool full) {
  int exponent = 0;
  if (!rescale(a, m * n, exponent)) return false;
  const bool done =
      m == n ? square_svd(n, a, values, ut, vt) : wide_svd(m, n, a, values, ut, vt, full);
  for (int64_t i = 0; i < m; ++i) values[i] = std::ldexp(values[i], -exponent);
  return done;
}

template bool svd(int64_t, int64_t, float*, float*, float*, float*, bool);
template bool svd(int64_t, int64_t, double*, double*, double*, double*, bool);

}  // namespace adjoint::factorize
