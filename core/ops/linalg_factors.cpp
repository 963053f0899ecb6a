// QR, eigenvalues, singular values and what is made of them.
//
// Derivatives: QR after Walter and Lehmann, "Algorithmic differentiation of linear algebra
// functions" (2018), and Seeger et al., "Auto-differentiating linear algebra" (arXiv 1710.08717);
// eigenvectors after Giles (2008); singular vectors after Townsend, "Differentiating the singular
// value decomposition" (2016); the pseudo-inverse after Golub and Pereyra (1973).
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <atomic>
#include <cmath>

#include "core/ops/factorize.h"
#include "core/ops/linalg.h"

namespace adjoint {
namespace {

using namespace linalg;

// ---- QR ----

// Q and R of A (..., m, n); Q has `count` columns.
QrFactors qr_factors(const Tensor& a, int64_t count) {
  const NoGrad guard;
  const int64_t m = rows(a), n = columns(a), k = std::min(m, n);
  const Shape batch = batch_shape(a);
  const int64_t items = batch.numel();
  const Tensor at = fresh(transpose(a, -2, -1));
  const Tensor qt = make_empty("qr", with_matrix(batch, count, m), a.dtype());
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, m * n * k, [&](int64_t item) {
      std::vector<T> vectors(static_cast<size_t>(k * m)), tau(static_cast<size_t>(k));
      T* const columns_of_a = item_of<T>(at, items, item);
      factorize::qr(m, n, columns_of_a, m, vectors.data(), tau.data());
      factorize::columns_of_q(m, k, vectors.data(), tau.data(), 0, count,
                              item_of<T>(qt, items, item), m);
    });
  });
  // R has as many rows as Q has columns.
  return {fresh(mt(qt)), triu(fresh(mt(slice(at, -1, 0, count))))};
}

// The lower triangle, and the same above the diagonal.
Tensor copy_lower(const Tensor& x) { return tril(x) + mt(tril(x, -1)); }

// A = Q R, R square;   dA = (dQ + Q S) R^-T, S = copy_lower(R dR^T - dQ^T Q)
Tensor square_qr_gradient(const Tensor& q, const Tensor& r, const Tensor& dq, const Tensor& dr) {
  Tensor inner;
  if (dr.defined()) inner = matmul(r, mt(dr));
  if (dq.defined()) {
    const Tensor part = matmul(mt(dq), q);
    inner = inner.defined() ? inner - part : -part;
  }
  Tensor sum = matmul(q, copy_lower(inner));
  if (dq.defined()) sum = sum + dq;
  return solve_triangular(mt(r), sum, false, false);
}

// With more columns than rows A = (A1, A2) = (Q R1, Q R2): R2 = Q^T A2 gives dA2 = Q dR2 and adds
// A2 dR2^T to dQ.
Tensor qr_gradient(const Tensor& q, const Tensor& r, const Tensor& dq, const Tensor& dr) {
  const int64_t m = rows(r), n = columns(r);
  if (m >= n) return square_qr_gradient(q, r, dq, dr);
  const Tensor r1 = slice(r, -1, 0, m), r2 = slice(r, -1, m, n);
  if (!dr.defined()) {
    const Tensor d1 = square_qr_gradient(q, r1, dq, dr);
    return cat({d1, zeros(r2.shape(), r2.dtype())}, -1);
  }
  const Tensor dr2 = slice(dr, -1, m, n);
  const Tensor through = matmul(matmul(q, r2), mt(dr2));
  const Tensor d1 =
      square_qr_gradient(q, r1, dq.defined() ? dq + through : through, slice(dr, -1, 0, m));
  return cat({d1, matmul(q, dr2)}, -1);
}

// ---- eigenvalues ----

[[noreturn]] void fail_to_converge(const Op& op, const Tensor& a, int64_t item) {
  fail<LinAlgError>(op.name(), ": ", batch_item(a, item),
                    "the iteration did not converge for a matrix of shape (", rows(a), ", ",
                    columns(a), "); expected finite elements");
}

// Keeps the first item that failed: of several threads.
class Failures {
 public:
  void add(int64_t item) {
    int64_t first = first_;
    while (item < first && !first_.compare_exchange_weak(first, item)) {}
  }
  void check(const Op& op, const Tensor& a) const {
    if (first_ != kNone) fail_to_converge(op, a, first_);
  }

 private:
  static constexpr int64_t kNone = INT64_MAX;
  std::atomic<int64_t> first_{kNone};
};

// Eigenvalues, and the eigenvectors where they are asked for.
EigenPairs eigen_pairs(const Op& op, const Tensor& a, char uplo, bool vectors) {
  check_square(op, a);
  check_factorised(op, a);
  op.check<ConfigError>(uplo == 'L' || uplo == 'U', "uplo is '", uplo, "'; expected 'L' or 'U'");
  const NoGrad guard;
  const int64_t n = rows(a);
  Shape batch = batch_shape(a);
  const int64_t items = batch.numel();
  const Tensor symmetric = uplo == 'L' ? copy_lower(a) : copy_lower(mt(a));
  const Tensor full = fresh(symmetric);
  const Tensor vt = vectors ? make_empty(op.name(), a.shape(), a.dtype()) : Tensor();
  batch.push_back(n);
  const Tensor w = make_empty(op.name(), batch, a.dtype());
  Failures failures;
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, 4 * n * n * n, [&](int64_t item) {
      T* const v = vectors ? item_of<T>(vt, items, item) : nullptr;
      if (!factorize::eigh(n, item_of<T>(full, items, item), item_of<T>(w, items, item), v)) {
        failures.add(item);
      }
    });
  });
  failures.check(op, a);
  return {w, vectors ? fresh(mt(vt)) : Tensor()};
}

// x_j - x_i off the diagonal, 1 on it, for the last dimension of x.
Tensor differences(const Tensor& x) {
  return unsqueeze(x, -2) - unsqueeze(x, -1) + eye(x.shape().back(), x.dtype());
}

Tensor off_diagonal(const Tensor& x) { return x * (1.0 - eye(columns(x), x.dtype())); }

// ---- singular values ----

SvdFactors svd_factors(const Op& op, const Tensor& a, bool full, bool vectors) {
  check_matrix(op, a);
  check_factorised(op, a);
  const NoGrad guard;
  const int64_t m = rows(a), n = columns(a), k = std::min(m, n), l = std::max(m, n);
  Shape batch = batch_shape(a);
  const int64_t items = batch.numel();
  const bool turned = m > n;
  const Tensor wide = fresh(turned ? mt(a) : a);
  Tensor short_vectors, long_vectors;  // as rows
  if (vectors) {
    short_vectors = make_empty(op.name(), with_matrix(batch, k, k), a.dtype());
    long_vectors = make_empty(op.name(), with_matrix(batch, full ? l : k, l), a.dtype());
  }
  batch.push_back(k);
  const Tensor s = make_empty(op.name(), batch, a.dtype());
  Failures failures;
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, 8 * k * k * l, [&](int64_t item) {
      T* const ut = vectors ? item_of<T>(short_vectors, items, item) : nullptr;
      T* const vt = vectors ? item_of<T>(long_vectors, items, item) : nullptr;
      if (!factorize::svd(k, l, item_of<T>(wide, items, item), item_of<T>(s, items, item), ut, vt,
                          full)) {
        failures.add(item);
      }
    });
  });
  failures.check(op, a);
  if (!vectors) return {{}, s, {}};
  if (turned) return {fresh(mt(long_vectors)), s, short_vectors};
  return {fresh(mt(short_vectors)), s, long_vectors};
}

// dA for U (m, k), s (k), Vh (k, n) and their gradients, of which any may be undefined:
//   dA = U M V^T + (I - U U^T) dU S^-1 V^T + U S^-1 dVh (I - V V^T),
//   M = (skew(U^T dU) / E) S + S (skew(V^T dV) / E) + diag(ds), skew(X) = X - X^T,
//   E_ij = s_j^2 - s_i^2
Tensor svd_gradient(const Tensor& u, const Tensor& s, const Tensor& vh, const Tensor& du,
                    const Tensor& ds, const Tensor& dvh) {
  const int64_t m = rows(u), n = columns(vh), k = s.shape().back();
  const Tensor across = unsqueeze(s, -2), down = unsqueeze(s, -1), gaps = differences(s * s);
  const auto skew = [](const Tensor& x) { return x - mt(x); };
  Tensor middle, da;
  const auto add_to = [](Tensor& sum, const Tensor& x) { sum = sum.defined() ? sum + x : x; };
  if (du.defined()) {
    const Tensor inner = matmul(mt(u), du);
    add_to(middle, skew(inner) / gaps * across);
    if (m > k) add_to(da, matmul((du - matmul(u, inner)) / across, vh));
  }
  if (dvh.defined()) {
    const Tensor inner = matmul(dvh, mt(vh));
    add_to(middle, skew(mt(inner)) / gaps * down);
    if (n > k) add_to(da, matmul(u, (dvh - matmul(inner, vh)) / down));
  }
  if (ds.defined()) add_to(middle, unsqueeze(ds, -2) * eye(k, s.dtype()));
  add_to(da, matmul(u, matmul(middle, vh)));
  return da;
}

// What the columns of W that complete U to a square matrix add to dA: W moves by
// dW = -U S^-1 V^T dA^T W, up to rotations among themselves.
Tensor complement_gradient(const Tensor& u, const Tensor& s, const Tensor& vh, const Tensor& w,
                           const Tensor& dw) {
  return -matmul(matmul(w, matmul(mt(dw), u / unsqueeze(s, -2))), vh);
}

}  // namespace

QrFactors qr(const Tensor& a, QrMode mode) {
  const bool complete = mode == QrMode::complete;
  const Op op("qr", {a}, {{"complete", complete}});
  check_matrix(op, a);
  check_factorised(op, a);
  const int64_t m = rows(a), n = columns(a);
  const QrFactors factors = qr_factors(a, complete ? m : std::min(m, n));
  auto results = op.differentiable(
      std::array<Tensor, 2>{factors.q, factors.r},
      [q = op.save_output(factors.q, 0), r = op.save_output(factors.r, 1), m, n,
       complete](const Backward& g) -> Grads {
        check<AutogradError>(!complete || m <= n, "qr: the gradient of the complete factors of (",
                             m, ", ", n,
                             ") does not exist; expected no more rows than columns, "
                             "or QrMode::reduced");
        if (!g.dy(0).defined() && !g.dy(1).defined()) return {Tensor()};
        return {qr_gradient(*q, *r, g.dy(0), g.dy(1))};
      });
  return {results[0], results[1]};
}

// A = V diag(w) V^T;   dA = V (V^T dV / E + diag(dw)) V^T, E_ij = w_j - w_i
EigenPairs eigh(const Tensor& a, char uplo) {
  const Op op("eigh", {a});
  const EigenPairs pairs = eigen_pairs(op, a, uplo, true);
  auto results = op.differentiable(
      std::array<Tensor, 2>{pairs.eigenvalues, pairs.eigenvectors},
      [w = op.save_output(pairs.eigenvalues, 0),
       v = op.save_output(pairs.eigenvectors, 1)](const Backward& g) -> Grads {
        const Tensor v0 = *v, w0 = *w;
        Tensor da;
        if (g.dy(1).defined()) {
          const Tensor inner = off_diagonal(matmul(mt(v0), g.dy(1))) / differences(w0);
          da = matmul(v0, matmul(inner, mt(v0)));
        }
        if (g.dy(0).defined()) {
          const Tensor of_values = matmul(v0 * unsqueeze(g.dy(0), -2), mt(v0));
          da = da.defined() ? da + of_values : of_values;
        }
        return {da};
      });
  return {results[0], results[1]};
}

Tensor eigvalsh(const Tensor& a, char uplo) {
  const Op op("eigvalsh", {a});
  if (op.recording()) {
    check_square(op, a);
    check_factorised(op, a);
    return eigh(a, uplo).eigenvalues;
  }
  return op.no_gradient(eigen_pairs(op, a, uplo, false).eigenvalues);
}

SvdFactors svd(const Tensor& a, bool full_matrices) {
  const Op op("svd", {a}, {{"full_matrices", full_matrices}});
  const SvdFactors f = svd_factors(op, a, full_matrices, true);
  auto results = op.differentiable(
      std::array<Tensor, 3>{f.u, f.s, f.vh},
      [u = op.save_output(f.u, 0), s = op.save_output(f.s, 1),
       vh = op.save_output(f.vh, 2)](const Backward& g) -> Grads {
        const Tensor all_u = *u, s0 = *s, all_vh = *vh;
        const int64_t k = s0.shape().back(), m = columns(all_u), n = rows(all_vh);
        const auto part = [](const Tensor& x, int64_t dim, int64_t begin, int64_t end) {
          return x.defined() ? slice(x, dim, begin, end) : x;
        };
        const Tensor u0 = part(all_u, -1, 0, k), vh0 = part(all_vh, -2, 0, k);
        const Tensor &du = g.dy(0), &dvh = g.dy(2);
        if (!du.defined() && !g.dy(1).defined() && !dvh.defined()) return {Tensor()};
        Tensor da = svd_gradient(u0, s0, vh0, part(du, -1, 0, k), g.dy(1), part(dvh, -2, 0, k));
        if (m > k && du.defined()) {
          da = da + complement_gradient(u0, s0, vh0, part(all_u, -1, k, m), part(du, -1, k, m));
        }
        if (n > k && dvh.defined()) {
          da = da + mt(complement_gradient(mt(vh0), s0, mt(u0), mt(part(all_vh, -2, k, n)),
                                           mt(part(dvh, -2, k, n))));
        }
        return {da};
      });
  return {results[0], results[1], results[2]};
}

Tensor svdvals(const Tensor& a) {
  const Op op("svdvals", {a});
  if (op.recording()) {
    check_matrix(op, a);
    check_factorised(op, a);
    return svd(a, false).s;
  }
  return op.no_gradient(svd_factors(op, a, false, false).s);
}

// P = V diag(1 / s) U^T;   dA = -P^T dP P^T + (I - A P) dP^T P P^T + P^T P dP^T (I - P A)
Tensor pinv(const Tensor& a, std::optional<double> atol, std::optional<double> rtol) {
  const double absolute = atol.value_or(0.0);
  const bool given = rtol.has_value() || absolute > 0;
  const Op op("pinv", {a}, {{"atol", absolute}, {"rtol", rtol.value_or(-1)}});
  check_matrix(op, a);
  check_factorised(op, a);
  op.check<ConfigError>(absolute >= 0 && rtol.value_or(0) >= 0, "atol is ", absolute, ", rtol ",
                        rtol.value_or(0), "; expected 0 or more");
  const int64_t m = rows(a), n = columns(a);
  const double relative =
      rtol.value_or(given ? 0.0 : static_cast<double>(std::max(m, n)) * epsilon(a.dtype()));
  Tensor p;
  if (a.numel() == 0) {
    p = zeros(with_matrix(batch_shape(a), n, m), a.dtype());
  } else {
    const NoGrad guard;
    const Autocast off(false);
    const SvdFactors f = svd_factors(op, a, false, true);
    const Tensor least = clamp_min(amax(f.s, {-1}, kKeepDim) * relative, absolute);
    const Tensor inverted = where(f.s > least, 1.0 / f.s, 0.0);
    p = matmul(mt(f.vh) * unsqueeze(inverted, -2), mt(f.u));
  }
  return op.differentiable(p, [a = op.save(a), p = op.save_output(p)](const Backward& g) -> Grads {
    const Tensor a0 = *a, p0 = *p, pt = mt(p0), dpt = mt(g.dy(0));
    const Tensor square = matmul(dpt, matmul(p0, pt)), other = matmul(matmul(pt, p0), dpt);
    return {square - matmul(a0, matmul(p0, square)) + other - matmul(matmul(other, p0), a0) -
            matmul(pt, matmul(g.dy(0), pt))};
  });
}

}  // namespace adjoint
