// QR by blocks of reflectors: H_0 H_1 ... = I - V T V^T (Schreiber and Van Loan, "A
// storage-efficient WY representation for products of Householder transformations", 1989).
#include <algorithm>

#include "core/ops/factorize.h"

namespace adjoint::factorize {
namespace {

using kernels::kFactorBlock;

// Reflectors whose vectors are the rows of v (count, m).
template <class T>
class Block {
 public:
  Block(int64_t count, int64_t m, const T* v, int64_t v_row, const T* tau)
      : count_(count), m_(m), v_(v), v_row_(v_row), t_(static_cast<size_t>(count * count)) {
    std::vector<T> products(t_.size());
    multiply<T>({count, count, m, {v, v_row, 1}, {v, 1, v_row}, products.data(), count});
    for (int64_t j = 0; j < count; ++j) {
      at(j, j) = tau[j];
      for (int64_t i = 0; i < j; ++i) {
        T sum = 0;
        for (int64_t k = i; k < j; ++k) {
          sum += at(i, k) * products[static_cast<size_t>(k * count + j)];
        }
        at(i, j) = -tau[j] * sum;
      }
    }
  }

  // C (rows, m) = C H, or C H^T.
  void apply(int64_t rows, T* c, int64_t c_row, bool transposed) const {
    std::vector<T> a(static_cast<size_t>(rows * count_)), b(a.size());
    multiply<T>({rows, count_, m_, {c, c_row, 1}, {v_, 1, v_row_}, a.data(), count_});
    const Strided<T> t =
        transposed ? Strided<T>{t_.data(), 1, count_} : Strided<T>{t_.data(), count_, 1};
    multiply<T>({rows, count_, count_, {a.data(), count_, 1}, t, b.data(), count_});
    multiply<T>({rows, m_, count_, {b.data(), count_, 1}, {v_, v_row_, 1}, c, c_row, -1, true});
  }

 private:
  T& at(int64_t i, int64_t j) { return t_[static_cast<size_t>(i * count_ + j)]; }

  int64_t count_, m_;
  const T* v_;
  int64_t v_row_;
  std::vector<T> t_;  // upper triangular
};

}  // namespace

template <class T>
void qr(int64_t m, int64_t n, T* at, int64_t row, T* vectors, T* tau) {
  const int64_t k = std::min(m, n);
  for (int64_t j0 = 0; j0 < k; j0 += kFactorBlock) {
    const int64_t count = std::min(kFactorBlock, k - j0), end = j0 + count;
    parts<T>().qr_panel(m - j0, count, at + j0 * (row + 1), row, tau + j0);
    for (int64_t j = j0; j < end; ++j) {
      T* const v = vectors + j * m;
      std::fill_n(v, j, T(0));
      v[j] = 1;
      std::copy_n(at + j * row + j + 1, m - j - 1, v + j + 1);
    }
    if (end == n) break;
    const Block<T> block(count, m - j0, vectors + j0 * (m + 1), m, tau + j0);
    block.apply(n - end, at + end * row + j0, row, false);
  }
}

template <class T>
void columns_of_q(int64_t m, int64_t k, const T* vectors, const T* tau, int64_t offset,
                  int64_t count, T* q, int64_t q_row) {
  for (int64_t i = 0; i < count; ++i) {
    std::fill_n(q + i * q_row, m, T(0));
    q[i * q_row + i] = 1;
  }
  for (int64_t j0 = (k - 1) / kFactorBlock * kFactorBlock; j0 >= 0 && k > 0; j0 -= kFactorBlock) {
    const int64_t first = j0 + offset;  // of the columns and elements that these reflectors move
    if (first >= count) continue;
    const Block<T> block(std::min(kFactorBlock, k - j0), m - first, vectors + j0 * m + first, m,
                         tau + j0);
    block.apply(count - first, q + first * (q_row + 1), q_row, true);
  }
}

#define ADJOINT_INSTANTIATE(T)                             \
  template void qr(int64_t, int64_t, T*, int64_t, T*, T*); \
  template void columns_of_q(int64_t, int64_t, const T*, const T*, int64_t, int64_t, T*, int64_t);
ADJOINT_INSTANTIATE(float)
ADJOINT_INSTANTIATE(double)
#undef ADJOINT_INSTANTIATE

}  // namespace adjoint::factorize
