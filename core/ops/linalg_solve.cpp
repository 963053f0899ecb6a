// Solutions of linear equations, Cholesky factors, inverses and determinants. The derivatives are
// those of Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
// differentiation" (2008), and for Cholesky of Murray, "Differentiation of the Cholesky
// decomposition" (2016).
#include <adjoint/core/functional.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/scans.h>

#include <cmath>
#include <limits>

#include "core/ops/factorize.h"
#include "core/ops/linalg.h"

namespace adjoint {
namespace {

using namespace linalg;

[[noreturn]] void fail_singular(const char* op, const Tensor& a, int64_t item, int64_t pivot) {
  fail<LinAlgError>(op, ": ", batch_item(a, item), "the matrix is singular: pivot ", pivot, " of ",
                    rows(a), " is zero; expected an invertible one");
}

void check_regular(const Op& op, const Tensor& a, const Lu& lu) {
  if (lu.singular_item >= 0) fail_singular(op.name(), a, lu.singular_item, lu.singular_pivot);
}

// Both with the batch that they broadcast to.
std::pair<Tensor, Tensor> broadcast_batches(const Op& op, const Tensor& a, const Tensor& b) {
  const Shape batch = broadcast_shapes(op.name(), batch_shape(a), batch_shape(b));
  return {expand(a, with_matrix(batch, rows(a), columns(a))),
          expand(b, with_matrix(batch, rows(b), columns(b)))};
}

void check_equations(const Op& op, const Tensor& a, const Tensor& b, bool left) {
  check_square(op, a);
  check_matrix(op, b);
  const int64_t size = left ? rows(b) : columns(b);
  op.check(rows(a) == size, "shapes ", a.shape(), " and ", b.shape(), " do not fit: ", rows(a),
           " unknowns against ", size, left ? " rows" : " columns", " of b; expected as many");
  check_factorised(op, a);
  op.check<DTypeError>(a.dtype() == b.dtype(), "dtypes ", a.dtype(), " and ", b.dtype(),
                       "; expected one dtype");
}

// The lower triangle with half its diagonal.
Tensor half_lower(const Tensor& x) { return (tril(x) + tril(x, -1)) * 0.5; }

// X = A^-1 B;   dB = A^-T dX, dA = -dB X^T, of the triangle (X A = B: dA = -X^T dB)
Tensor triangular(const Tensor& a, const Tensor& b, bool upper, bool left, bool unit) {
  const Op op("solve_triangular", {a, b},
              {{"upper", upper}, {"left", left}, {"unitriangular", unit}});
  // X A = B is A^T X^T = B^T.
  const Tensor matrix = packed(a);
  Tensor x = fresh(left ? b : mt(b.detach()));
  const int64_t n = rows(a), m = columns(x), items = batch_shape(b).numel();
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, n * n * m, [&](int64_t item) {
      const T* data = item_of<T>(matrix, items, item);
      const factorize::Strided<T> strided =
          left ? factorize::Strided<T>{data, n, 1} : factorize::Strided<T>{data, 1, n};
      factorize::solve_triangle<T>(n, m, strided, upper == left, unit, item_of<T>(x, items, item),
                                   m);
    });
  });
  if (!left) x = fresh(mt(x));
  return op.differentiable(x,
                           [a = op.save(a), x = op.needs(0) ? op.save_output(x) : SavedTensor(),
                            upper, left, unit](const Backward& g) -> Grads {
                             const Tensor db = triangular(mt(*a), g.dy(0), !upper, left, unit);
                             Tensor da;
                             if (g.needs(0)) {
                               da = -(left ? matmul(db, mt(*x)) : matmul(mt(*x), db));
                               const int64_t diagonal = unit ? 1 : 0;
                               da = upper ? triu(da, diagonal) : tril(da, -diagonal);
                             }
                             return {da, db};
                           });
}

// X = A^-1 B;   dB = A^-T dX, dA = -dB X^T
Tensor solution(const Tensor& a, const Tensor& b) {
  const Op op("solve", {a, b});
  const Lu lu = lu_of(op, a);
  check_regular(op, a, lu);
  Tensor x = fresh(b);
  lu_solve(lu.factors, lu.pivots, x, false);
  return op.differentiable(x,
                           [a = op.save(a), x = op.save_output(x), factors = op.save(lu.factors),
                            pivots = op.save(lu.pivots)](const Backward& g) -> Grads {
                             Tensor db;
                             if (grad_enabled()) {
                               db = solution(mt(*a), g.dy(0));
                             } else {
                               db = fresh(g.dy(0));
                               lu_solve(*factors, *pivots, db, true);
                             }
                             return {g.needs(0) ? -matmul(db, mt(*x)) : Tensor(), db};
                           });
}

// The sign of a determinant and the logarithm of its size, or the determinant itself in `value`.
template <class T>
struct Determinant {
  T value = 1, sign = 1, logabs = 0;

  Determinant(int64_t n, const T* lu, const int64_t* pivots) {
    for (int64_t i = 0; i < n; ++i) {
      const T u = lu[i * (n + 1)];
      if (pivots[i] != i) {
        value = -value;
        sign = -sign;
      }
      value *= u;
      sign = u == 0 ? T(0) : u < 0 ? -sign : u > 0 ? sign : u;
      logabs += std::log(std::abs(u));
    }
  }
};

// The products of what stands before each number of the last dimension, and behind it.
Tensor products_before(const Tensor& x) {
  const int64_t n = x.shape().back();
  return cumprod(cat({ones_like(slice(x, -1, 0, 1)), slice(x, -1, 0, n - 1)}, -1), -1);
}
Tensor products_behind(const Tensor& x) { return flip(products_before(flip(x, -1)), -1); }

Tensor over_matrix(const Tensor& x) { return unsqueeze(unsqueeze(x, -1), -1); }

// The products of all numbers but two, (i, j), along the last dimension: (..., n, n), 0 for i = j.
Tensor products_of_other_pairs(const Tensor& x) {
  const int64_t n = x.shape().back();
  const Shape batch(x.shape().span().first(static_cast<size_t>(x.dim() - 1)));
  const Tensor without_i =
      masked_fill(expand(unsqueeze(x, -2), with_matrix(batch, n, n)), eye(n, DType::boolean), 1);
  const Tensor half = triu(products_before(without_i) * unsqueeze(products_behind(x), -2), 1);
  return half + mt(half);
}

// A = U diag(s) V^T, and the sign of det(U V^T), which has no derivative.
struct SignedSvd {
  SvdFactors factors;
  Tensor sign;
};
SignedSvd signed_svd(const Tensor& a) {
  SvdFactors factors = svd(a, false);
  const NoGrad guard;
  Tensor sign = det(factors.u) * det(factors.vh);
  return {std::move(factors), std::move(sign)};
}

// The derivative of <C, g> by A, C being the cofactors of A. As det is a polynomial so is this, in
// B = U^T A V, which is diag(s): with f = U^T g V, dB_ii = sum over j of P_ij f_jj and
// dB_ij = -P_ij f_ji, P_ij the product of the other s. Nothing is divided by.
Tensor cofactors_backward(const Tensor& a, const Tensor& g) {
  const auto [factors, sign] = signed_svd(a);
  const auto& [u, s, vh] = factors;
  const Tensor pairs = products_of_other_pairs(s), f = matmul(matmul(mt(u), g), mt(vh));
  const Tensor along = diag_embed(matmul(pairs, unsqueeze(diagonal(f, 0, -2, -1), -1)).squeeze(-1));
  return over_matrix(sign) * matmul(matmul(u, along - pairs * mt(f)), vh);
}

// det B = (-1)^(n - 1) F_n[0, 0], F_1 = B, F_(k + 1) = mu(F_k) B: mu keeps what is above the
// diagonal and puts minus the sum of the diagonal's rest on it (Bird 2011, "A simple division-free
// algorithm for computing determinants"). Derivatives of any order need no inverse.
Tensor det_without_division(const Tensor& b) {
  Tensor f = b;
  for (int64_t k = 1; k < rows(b); ++k) {
    const Tensor d = diagonal(f, 0, -2, -1);
    f = matmul(triu(f, 1) + diag_embed(cumsum(d, -1) - sum(d, {-1}, kKeepDim)), b);
  }
  const Tensor corner = select(select(f, -1, 0), -1, 0);
  return rows(b) % 2 == 1 ? corner : -corner;
}

// cofactors_backward where it is recorded. Of matrices far from singular ones
// D^2 det [g] = det (<A^-T, g> A^-T - A^-T g^T A^-T); else by the polynomial of U^T A V.
Tensor recorded_cofactors_backward(const Tensor& a, const Tensor& g) {
  Tensor ut, v, sign;
  {
    const NoGrad guard;
    const auto [factors, of_turns] = signed_svd(a);
    const Tensor largest = select(factors.s, -1, 0), smallest = select(factors.s, -1, -1);
    // The inverse's part of the error grows with the square of the condition.
    if (any(smallest <= largest * std::pow(epsilon(a.dtype()), 0.25))) {
      ut = mt(factors.u);
      v = mt(factors.vh);
      sign = of_turns;
    }
  }
  if (!ut.defined()) {
    const Tensor turned = mt(inverse(a)), along = sum(turned * g, {-2, -1}, kKeepDim);
    return over_matrix(det(a)) * (along * turned - matmul(matmul(turned, mt(g)), turned));
  }
  const TensorFunction determinant = [&](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {sign * det_without_division(matmul(matmul(ut, x[0]), v))};
  };
  const TensorFunction gradient = [&](const std::vector<Tensor>& x) {
    return vjp(determinant, x, {ones_like(sign)}).second;
  };
  return vjp(gradient, {a}, {g}).second[0];
}

// C = d det(A) / dA = U diag(products of the other singular values) V^T, with the sign of
// det(U V^T) (Higham, "What is the adjugate of a matrix?", 2020), and its derivative: both exact
// however close to singular A is, where det(A) A^-T and the derivative of that lose all digits.
Tensor cofactors(const Tensor& a) {
  if (rows(a) == 0) return a;
  const Op op("cofactors", {a});
  Tensor c;
  {
    const NoGrad guard;
    const auto [factors, sign] = signed_svd(a);
    const auto& [u, s, vh] = factors;
    const Tensor scaled = unsqueeze(sign, -1) * products_before(s) * products_behind(s);
    c = matmul(u * unsqueeze(scaled, -2), vh);
  }
  return op.differentiable(c, [a = op.save(a)](const Backward& b) -> Grads {
    return {grad_enabled() ? recorded_cofactors_backward(*a, b.dy(0))
                           : cofactors_backward(*a, b.dy(0))};
  });
}

}  // namespace

Tensor solve_triangular(const Tensor& a, const Tensor& b, bool upper, bool left,
                        bool unitriangular) {
  {
    const Op op("solve_triangular", {a, b});
    check_equations(op, a, b, left);
    if (batch_shape(a) != batch_shape(b)) {
      const auto [wide_a, wide_b] = broadcast_batches(op, a, b);
      return triangular(wide_a, wide_b, upper, left, unitriangular);
    }
  }
  return triangular(a, b, upper, left, unitriangular);
}

Tensor triangular_solve(const Tensor& b, const Tensor& a, bool upper, bool transpose,
                        bool unitriangular) {
  {
    const Op op("triangular_solve", {b, a});
    check_equations(op, a, b, true);
    static_cast<void>(broadcast_shapes(op.name(), batch_shape(a), batch_shape(b)));
  }
  return transpose ? solve_triangular(mt(a), b, !upper, true, unitriangular)
                   : solve_triangular(a, b, upper, true, unitriangular);
}

// A = L L^T;   dA = L^-T P L^-1, made symmetric, P = the lower triangle of L^T dL, half its
// diagonal
//
// The upper factor in row-major order is the lower one in column-major order: U is computed from
// the triangle that is read.
Tensor cholesky(const Tensor& a, bool upper) {
  const Op op("cholesky", {a}, {{"upper", upper}});
  check_square(op, a);
  check_factorised(op, a);
  const Tensor u = fresh(upper ? a : mt(a.detach()));
  const int64_t n = rows(a), items = batch_shape(a).numel();
  std::vector<int64_t> failed(static_cast<size_t>(items));
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, n * n * n / 6, [&](int64_t item) {
      failed[static_cast<size_t>(item)] = factorize::cholesky(n, item_of<T>(u, items, item), n);
    });
  });
  for (int64_t item = 0; item < items; ++item) {
    const int64_t pivot = failed[static_cast<size_t>(item)];
    op.check<LinAlgError>(pivot < 0, batch_item(a, item), "the leading minor of order ", pivot + 1,
                          " of ", n, " is not positive; expected a positive definite matrix");
  }
  Tensor y;
  {
    const NoGrad guard;
    y = upper ? triu(u) : tril(fresh(mt(u)));
  }
  return op.differentiable(y, [y = op.save_output(y), upper](const Backward& g) -> Grads {
    const Tensor l = upper ? mt(*y) : *y, dl = upper ? mt(g.dy(0)) : g.dy(0);
    const Tensor half = half_lower(matmul(mt(l), dl));
    const Tensor left = solve_triangular(mt(l), half, true);
    const Tensor da = solve_triangular(l, left, false, false);
    return {(da + mt(da)) * 0.5};
  });
}

Tensor solve(const Tensor& a, const Tensor& b, bool left) {
  const Op op("solve", {a, b}, {{"left", left}});
  check_square(op, a);
  const Shape without_last(a.shape().span().first(static_cast<size_t>(a.dim() - 1)));
  const bool vector = b.dim() == 1 || (b.dim() == a.dim() - 1 && b.shape() == without_last);
  op.check(left || !vector, "b of shape ", b.shape(), " is a vector for a of shape ", a.shape(),
           ", with left = false; expected matrices (..., m, n)");
  const Tensor matrix = vector ? unsqueeze(b, -1) : b;
  check_equations(op, a, matrix, left);
  const auto [wide_a, wide_b] = broadcast_batches(op, a, matrix);
  if (!left) return mt(solution(mt(wide_a), mt(wide_b)));
  const Tensor x = solution(wide_a, wide_b);
  return vector ? squeeze(x, -1) : x;
}

// Y = A^-1;   dA = -Y^T dY Y^T
Tensor inverse(const Tensor& a) {
  const Op op("inverse", {a});
  check_square(op, a);
  check_factorised(op, a);
  const Lu lu = lu_of(op, a);
  check_regular(op, a, lu);
  Tensor y = lu_inverse(lu.factors, lu.pivots);
  return op.differentiable(y, [y = op.save_output(y)](const Backward& g) -> Grads {
    const Tensor yt = mt(*y);
    return {-matmul(yt, matmul(g.dy(0), yt))};
  });
}

// y = det A;   dA = dy y A^-T
Tensor det(const Tensor& a) {
  const Op op("det", {a});
  check_square(op, a);
  check_factorised(op, a);
  const Lu lu = lu_of(op, a);
  Tensor y = make_empty(op.name(), batch_shape(a), a.dtype());
  const int64_t n = rows(a), items = y.numel();
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < items; ++i) {
      const T* factors = item_of<T>(lu.factors, items, i);
      y.impl()->data<T>()[i] =
          Determinant<T>(n, factors, item_of<int64_t>(lu.pivots, items, i)).value;
    }
  });
  const bool singular = lu.singular_item >= 0;
  return op.differentiable(y,
                           [a = op.save(a), y = op.save_output(y), factors = op.save(lu.factors),
                            pivots = op.save(lu.pivots), singular](const Backward& g) -> Grads {
                             const Tensor dy = over_matrix(g.dy(0));
                             if (singular || grad_enabled()) {
                               return {dy * cofactors(*a)};
                             }
                             return {dy * over_matrix(*y) * mt(lu_inverse(*factors, *pivots))};
                           });
}

// (sign, log |det A|);   dA = dlog A^-T
SignAndLogabsdet slogdet(const Tensor& a) {
  const Op op("slogdet", {a});
  check_square(op, a);
  check_factorised(op, a);
  const Lu lu = lu_of(op, a);
  Tensor sign = make_empty(op.name(), batch_shape(a), a.dtype()),
         logabsdet = make_empty(op.name(), batch_shape(a), a.dtype());
  const int64_t n = rows(a), items = sign.numel();
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < items; ++i) {
      const T* factors = item_of<T>(lu.factors, items, i);
      const Determinant<T> d(n, factors, item_of<int64_t>(lu.pivots, items, i));
      sign.impl()->data<T>()[i] = d.sign;
      logabsdet.impl()->data<T>()[i] = d.logabs;
    }
  });
  auto results = op.differentiable(
      std::array<Tensor, 2>{sign, logabsdet},
      [a = op.save(a), factors = op.save(lu.factors), pivots = op.save(lu.pivots),
       item = lu.singular_item, pivot = lu.singular_pivot](const Backward& g) -> Grads {
        if (!g.dy(1).defined()) return {Tensor()};
        if (item >= 0) fail_singular("slogdet", *a, item, pivot);
        const Tensor turned = mt(grad_enabled() ? inverse(*a) : lu_inverse(*factors, *pivots));
        return {over_matrix(g.dy(1)) * turned};
      });
  return {results[0], results[1]};
}

}  // namespace adjoint
