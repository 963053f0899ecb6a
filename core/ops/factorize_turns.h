// Plane rotations of the rows of a matrix, collected and carried out many sweeps at a time, while a
// strip of the matrix stays in the cache (Van Zee, van de Geijn and Quintana-Orti, "Restructuring
// the tridiagonal and bidiagonal QR algorithms for performance", 2014).
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/ops/factorize.h"

namespace adjoint::factorize {

// |(x, y)|: the standard function is careful, and slow, where that is not needed either.
inline double length(double x, double y) {
  const double larger = std::max(std::abs(x), std::abs(y));
  return larger > 1e-140 && larger < 1e140 ? std::sqrt(x * x + y * y) : std::hypot(x, y);
}

// [c s; -s c] [f; g] = [r; 0]
struct Turn {
  double c, s, r;
  Turn(double f, double g) : c(1), s(0), r(f) {
    if (g == 0) return;
    r = length(f, g);
    c = f / r;
    s = g / r;
  }
};

// A matrix (n, n) whose rows are turned, in strips of columns; or none, of which nothing is kept.
template <class T>
class Turned {
 public:
  // Takes the rows of a matrix; null: none.
  Turned(int64_t n, const T* rows)
      : n_(n), strips_(rows == nullptr ? 0 : (n + kColumns - 1) / kColumns) {
    if (strips_ == 0) return;
    memory_ = make_empty("factorize", {strips_ * n * kColumns}, dtype_of<T>);
    data_ = memory_.impl()->template data<T>();
    for (int64_t strip = 0; strip < strips_; ++strip) {
      const int64_t first = strip * kColumns, count = std::min(kColumns, n - first);
      for (int64_t i = 0; i < n; ++i) {
        T* const to = data_ + (strip * n + i) * kColumns;
        std::fill(std::copy_n(rows + i * n + first, count, to), to + kColumns, T(0));
      }
    }
  }

  // A sweep that begins with the rows k and k + 1, and goes on with those above or below.
  void begin(int64_t k, bool descends) {
    if (strips_ == 0) return;
    if (sweeps_.size() >= kSweeps) flush();
    sweeps_.push_back({k, 0, static_cast<int64_t>(c_.size()), descends});
  }
  void add(double c, double s) {
    if (strips_ == 0) return;
    c_.push_back(static_cast<T>(c));
    s_.push_back(static_cast<T>(s));
    ++sweeps_.back().count;
  }

  // Row i times `factor`, after all turns.
  void row(int64_t i, T factor, T* out) {
    flush();
    for (int64_t j = 0; j < n_; ++j) {
      out[j] = factor * data_[(j / kColumns * n_ + i) * kColumns + j % kColumns];
    }
  }

 private:
  static constexpr int64_t kColumns = kernels::kStripColumns<T>;
  static constexpr size_t kSweeps = 48;

  void flush() {
    if (sweeps_.empty()) return;
    parts<T>().rotate(KernelScope(), {sweeps_.data(), static_cast<int64_t>(sweeps_.size()),
                                      c_.data(), s_.data(), data_, strips_, n_ * kColumns});
    sweeps_.clear();
    c_.clear();
    s_.clear();
  }

  int64_t n_, strips_;
  Tensor memory_;
  T* data_ = nullptr;
  std::vector<kernels::RotationSweep> sweeps_;
  std::vector<T> c_, s_;
};

// The largest magnitude of n numbers; NaN if one is.
template <class T>
T largest_of(const T* x, int64_t n) {
  T largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    const T size = std::abs(x[i]);
    if (!(size <= largest)) largest = size;
    if (size != size) return size;
  }
  return largest;
}

// Multiplies n numbers by 2^exponent, so that squares of the largest neither overflow nor vanish;
// exponent is 0 mostly. False where they are not finite.
template <class T>
bool rescale(T* x, int64_t n, int& exponent) {
  exponent = 0;
  const T largest = largest_of(x, n);
  if (!std::isfinite(largest)) return false;
  constexpr T kLow = sizeof(T) == 8 ? T(1e-120) : T(1e-12);
  constexpr T kHigh = sizeof(T) == 8 ? T(1e120) : T(1e12);
  if (largest == 0 || (largest > kLow && largest < kHigh)) return true;
  exponent = -std::ilogb(largest);
  for (int64_t i = 0; i < n; ++i) x[i] = std::ldexp(x[i], exponent);
  return true;
}

// The order in which n numbers ascend.
inline std::vector<int64_t> ascending(const std::vector<double>& x) {
  std::vector<int64_t> order(x.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return x[static_cast<size_t>(a)] < x[static_cast<size_t>(b)];
  });
  return order;
}

}  // namespace adjoint::factorize
