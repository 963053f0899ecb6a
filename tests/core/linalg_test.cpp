// What the rows of the catalogue do not check of linear algebra: sizes beyond a block, residuals
// and orthogonality, matrices that are ill-conditioned, of low rank, huge or tiny, and what has no
// factors or no derivative.
#include <adjoint/core/autocast.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>

#include <cmath>
#include <limits>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::message_of;
using numeric::values;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor random(const Shape& shape, DType dtype, uint64_t seed) {
  Generator generator(seed);
  return randn(shape, DType::f64, generator).to(dtype);
}
Tensor mt(const Tensor& x) { return transpose(x, -2, -1); }
double largest(const Tensor& x) {
  return x.numel() == 0 ? 0.0 : amax(abs(x), Shape{}).to(DType::f64).item();
}

// A (m, n) with the given singular values.
Tensor with_singular_values(int64_t m, int64_t n, const std::vector<double>& s, uint64_t seed) {
  const int64_t k = std::min(m, n);
  const Tensor u = qr(random({m, k}, DType::f64, seed)).q,
               v = qr(random({n, k}, DType::f64, seed + 1)).q;
  return matmul(u * from_vector(s), mt(v));
}

// The products are made in f64: what is measured is the factors' own error.
double distance(const Tensor& a, const Tensor& b) {
  return largest(a.to(DType::f64) - b.to(DType::f64));
}
Tensor wide(const Tensor& x) { return x.to(DType::f64); }

void expect_orthogonal(const Tensor& q, double tolerance) {
  const Tensor q0 = wide(q);
  EXPECT_LE(distance(matmul(mt(q0), q0), eye(q.shape().back(), DType::f64)), tolerance);
}

const int64_t kSizes[] = {1, 2, 3, 5, 31, 32, 33, 64, 65, 100, 129};

TEST(Linalg, SolvesAreSmallResiduals) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    for (const int64_t n : kSizes) {
      SCOPED_TRACE(std::string(name(dtype)) + ", n = " + std::to_string(n));
      const Tensor a = random({n, n}, dtype, 1), b = random({n, 7}, dtype, 2);
      const double bound = 4 * static_cast<double>(n) * epsilon(dtype);
      const Tensor x = solve(a, b);
      EXPECT_LE(distance(matmul(wide(a), wide(x)), b), bound * (1 + largest(a) * largest(x)) * 4);
      const Tensor y = inverse(a);
      EXPECT_LE(distance(matmul(wide(a), wide(y)), eye(n)),
                bound * (1 + largest(a) * largest(y)) * 4);
      const Tensor right = solve(a, mt(b), false);
      EXPECT_LE(distance(matmul(wide(right), wide(a)), mt(b)),
                bound * (1 + largest(a) * largest(right)) * 4);
    }
  }
}

TEST(Linalg, PivotsKeepEliminationStable) {
  // Without exchanges of rows the first pivot would lose every digit.
  const Tensor a = from_vector(std::vector<double>{1e-20, 1, 1, 1}, {2, 2});
  const Tensor x = solve(a, from_vector(std::vector<double>{1, 2}));
  EXPECT_NEAR(values(x)[0], 1, 1e-15);
  EXPECT_NEAR(values(x)[1], 1, 1e-15);
  const Tensor swap = from_vector(std::vector<double>{0, 1, 1, 0}, {2, 2});
  EXPECT_EQ(values(inverse(swap)), (std::vector<double>{0, 1, 1, 0}));
  EXPECT_EQ(det(swap).item(), -1);
}

TEST(Linalg, TriangularSolves) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    for (const int64_t n : kSizes) {
      // The triangle that is not read is full of NaN.
      const Tensor a =
          random({n, n}, dtype, 3) * (1.0 / static_cast<double>(n)) + eye(n, dtype) * 2.0;
      const Tensor b = random({n, 19}, dtype, 4);
      const Tensor nan = full({n, n}, std::nan(""), dtype);
      for (const bool upper : {false, true}) {
        for (const bool unit : {false, true}) {
          const int64_t edge = unit ? 0 : 1;
          const Tensor ones_on = ones({n, n}, DType::boolean);
          const Tensor hidden = upper ? tril(ones_on, -edge) : triu(ones_on, edge);
          const Tensor read = upper ? triu(a, 1 - edge) : tril(a, edge - 1);
          Tensor triangle = unit ? read - read * eye(n, dtype) + eye(n, dtype) : read;
          const Tensor given = where(hidden, nan, a);
          const double bound = 64 * static_cast<double>(n) * epsilon(dtype);
          const Tensor x = solve_triangular(given, b, upper, true, unit);
          EXPECT_LE(distance(matmul(wide(triangle), wide(x)), b), bound * (1 + largest(x)));
          const Tensor y = solve_triangular(given, mt(b), upper, false, unit);
          EXPECT_LE(distance(matmul(wide(y), wide(triangle)), mt(b)), bound * (1 + largest(y)));
        }
      }
    }
  }
}

TEST(Linalg, ZerosOnATriangularDiagonalGiveInfinity) {
  const Tensor a = from_vector(std::vector<double>{0, 0, 0, 1}, {2, 2});
  EXPECT_EQ(values(solve_triangular(a, ones({2, 1}, DType::f64), true))[0], kInfinity);
}

TEST(Linalg, CholeskyFactors) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    for (const int64_t n : kSizes) {
      SCOPED_TRACE(std::string(name(dtype)) + ", n = " + std::to_string(n));
      const Tensor x = random({n, n}, dtype, 5);
      const Tensor a = matmul(x, mt(x)) + eye(n, dtype);
      const double bound = 8 * static_cast<double>(n) * epsilon(dtype) * largest(a);
      const Tensor l = cholesky(a), u = cholesky(a, true);
      EXPECT_LE(distance(matmul(wide(l), mt(wide(l))), a), bound);
      EXPECT_LE(distance(matmul(mt(wide(u)), wide(u)), a), bound);
      EXPECT_EQ(largest(triu(l, 1)), 0);
      EXPECT_EQ(largest(tril(u, -1)), 0);
      // Each reads its own triangle only.
      const Tensor lower_only = tril(a), upper_only = triu(a);
      EXPECT_EQ(values(cholesky(lower_only)), values(l));
      EXPECT_EQ(values(cholesky(upper_only, true)), values(u));
    }
  }
}

TEST(Linalg, CholeskySaysWhichMinor) {
  Tensor a = eye(70, DType::f64);
  a.mutable_data<double>()[66 * 71] = -1;
  EXPECT_EQ(message_of<LinAlgError>([&] { cholesky(a); }),
            "cholesky: the leading minor of order 67 of 70 is not positive; expected a positive "
            "definite matrix");
  EXPECT_THROW(cholesky(full({2, 2}, std::nan(""))), LinAlgError);
}

TEST(Linalg, SingularMatricesAreNamed) {
  Tensor a = stack({eye(3), eye(3), zeros({3, 3})});
  const std::string text = message_of<LinAlgError>([&] { inverse(reshape(a, {3, 1, 3, 3})); });
  EXPECT_EQ(text,
            "inverse: batch item (2, 0): the matrix is singular: pivot 0 of 3 is zero; expected an "
            "invertible one");
  EXPECT_EQ(values(det(a)), (std::vector<double>{1, 1, 0}));
  const auto [sign, logabsdet] = slogdet(a);
  EXPECT_EQ(values(sign), (std::vector<double>{1, 1, 0}));
  EXPECT_EQ(values(logabsdet), (std::vector<double>{0, 0, -kInfinity}));
}

TEST(Linalg, DeterminantsOfEmptyMatricesAreOne) {
  EXPECT_EQ(det(zeros({0, 0})).item(), 1);
  EXPECT_EQ(values(slogdet(zeros({2, 0, 0})).logabsdet), (std::vector<double>{0, 0}));
  EXPECT_EQ(inverse(zeros({0, 0})).shape(), (Shape{0, 0}));
  EXPECT_EQ(svd(zeros({0, 3})).vh.shape(), (Shape{3, 3}));
  EXPECT_EQ(values(svd(zeros({0, 2})).vh), (std::vector<double>{1, 0, 0, 1}));
  EXPECT_EQ(qr(zeros({2, 0}), QrMode::complete).q.shape(), (Shape{2, 2}));
}

TEST(Linalg, SlogdetDoesNotOverflow) {
  const Tensor a = eye(400, DType::f64) * 1e3;
  EXPECT_EQ(det(a).item(), kInfinity);
  EXPECT_NEAR(slogdet(a).logabsdet.item(), 400 * std::log(1e3), 1e-9);
}

TEST(Linalg, DetHasAGradientWhereItIsZero) {
  // Of rank 2: the cofactors by hand.
  const Tensor x = from_vector(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3});
  x.requires_grad_();
  det(x).backward();
  const std::vector<double> cofactors = {-3, 6, -3, 6, -12, 6, -3, 6, -3};
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(values(x.grad())[i], cofactors[i], 1e-12);
  // An exact zero pivot takes the other way.
  const Tensor y = from_vector(std::vector<double>{1, 0, 0, 0, 2, 0, 0, 0, 0}, {3, 3});
  y.requires_grad_();
  det(y).backward();
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(values(y.grad())[i], i == 8 ? 2 : 0, 1e-14);
  // Of rank 1 all cofactors are zero.
  const Tensor z = ones({3, 3}, DType::f64);
  z.requires_grad_();
  det(z).backward();
  EXPECT_LE(largest(z.grad()), 1e-14);
}

// The determinant of a 3 by 3 matrix, written out.
Tensor det_by_rule(const Tensor& x) {
  const auto at = [&x](int64_t i, int64_t j) { return select(select(x, -2, i % 3), -1, j % 3); };
  Tensor y;
  for (int64_t j = 0; j < 3; ++j) {
    const Tensor minor = at(1, j + 1) * at(2, j + 2) - at(1, j + 2) * at(2, j + 1);
    y = y.defined() ? y + at(0, j) * minor : at(0, j) * minor;
  }
  return y;
}

TEST(Linalg, DetHasHigherDerivativesWhereItIsZero) {
  // Singular values that are equal, all zero, and one alone; of rank 2; and one for which rounding
  // leaves a determinant near 1e-16.
  const Tensor x = stack({eye(3, DType::f64) * 2.0, zeros({3, 3}, DType::f64),
                          ones({3, 3}, DType::f64), reshape(arange(9.0, DType::f64), {3, 3}) + 1.0,
                          reshape(sin(arange(9.0, DType::f64) * 13.0), {3, 3})});
  const Tensor weights = random({5, 3, 3}, DType::f64, 3);
  // Together, where some are singular exactly, and alone.
  for (int64_t from = 0; from < 5; ++from) {
    std::vector<Tensor> second, third;
    for (const auto& fn : {det, det_by_rule}) {
      const Tensor leaf = x.slice(0, from).clone().requires_grad_();
      const Tensor w = weights.slice(0, from);
      const Tensor d1 = grad({sum(fn(leaf))}, {leaf}, {.create_graph = true})[0];
      second.push_back(grad({sum(square(d1) * w)}, {leaf}, {.retain_graph = true})[0]);
      const Tensor d2 = grad({sum(square(d1) * w)}, {leaf}, {.create_graph = true})[0];
      EXPECT_LE(largest(d2 - second.back()), 1e-12) << from;
      third.push_back(grad({sum(square(d2) * w)}, {leaf})[0]);
    }
    EXPECT_LE(largest(second[0] - second[1]), 1e-12) << from;
    EXPECT_LE(largest(third[0] - third[1]), 1e-11 * (1 + largest(third[1]))) << from;
  }
}

TEST(Linalg, QrFactors) {
  const Shape shapes[] = {{1, 1}, {5, 3}, {3, 5}, {33, 33}, {100, 40}, {40, 100}, {130, 129}};
  for (const DType dtype : {DType::f64, DType::f32}) {
    for (const Shape& shape : shapes) {
      SCOPED_TRACE(std::string(name(dtype)) + " " + to_string(shape));
      const Tensor a = random(shape, dtype, 6);
      const double bound = 8 * std::sqrt(static_cast<double>(a.numel())) * epsilon(dtype);
      for (const QrMode mode : {QrMode::reduced, QrMode::complete}) {
        const auto [q, r] = qr(a, mode);
        EXPECT_EQ(q.shape()[1], mode == QrMode::complete ? shape[0] : std::min(shape[0], shape[1]));
        EXPECT_LE(distance(matmul(wide(q), wide(r)), a), bound * largest(a));
        expect_orthogonal(q, bound);
        EXPECT_EQ(largest(tril(r, -1)), 0);
      }
    }
  }
}

TEST(Linalg, QrKeepsFarMagnitudes) {
  for (const double size : {1e-200, 1e200}) {
    const Tensor a = random({6, 4}, DType::f64, 7) * size;
    const auto [q, r] = qr(a);
    EXPECT_LE(distance(matmul(q, r) * (1 / size), a * (1 / size)), 1e-13);
    expect_orthogonal(q, 1e-14);
  }
}

void expect_eigen(const Tensor& a, double factor) {
  const int64_t n = a.shape()[0];
  const auto [w, v] = eigh(a);
  const double size = largest(w) + std::numeric_limits<double>::min();
  const double bound = factor * static_cast<double>(n + 1) * epsilon(a.dtype());
  EXPECT_LE(distance(matmul(wide(v) * unsqueeze(wide(w), 0), mt(wide(v))), a), bound * size);
  expect_orthogonal(v, bound);
  const std::vector<double> sorted = values(w);
  EXPECT_TRUE(std::is_sorted(sorted.begin(), sorted.end()));
  EXPECT_EQ(values(eigvalsh(a)), sorted);
}

TEST(Linalg, EigenPairs) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    for (const int64_t n : kSizes) {
      SCOPED_TRACE(std::string(name(dtype)) + ", n = " + std::to_string(n));
      const Tensor x = random({n, n}, dtype, 8);
      expect_eigen(x + mt(x), 4);
      expect_eigen(matmul(x, mt(x)), 4);     // positive
      expect_eigen(eye(n, dtype) * 3.0, 4);  // all equal
      expect_eigen(zeros({n, n}, dtype), 4);
      expect_eigen(ones({n, n}, dtype), 4);  // of rank 1
      const Tensor ramp = arange(n, dtype) + 1.0;
      const Tensor graded = exp(ramp * -1.0);
      const Tensor q = qr(x).q;
      const Tensor mixed = matmul(q * unsqueeze(graded, 0), mt(q));
      expect_eigen((mixed + mt(mixed)) * 0.5, 4);  // over many magnitudes
    }
  }
}

TEST(Linalg, EigenvaluesOfTheSecondDifference) {
  // 2 - 2 cos(k pi / (n + 1))
  const int64_t n = 60;
  std::vector<double> a(static_cast<size_t>(n * n));
  for (int64_t i = 0; i < n; ++i) {
    a[static_cast<size_t>(i * n + i)] = 2;
    if (i > 0) a[static_cast<size_t>(i * n + i - 1)] = a[static_cast<size_t>((i - 1) * n + i)] = -1;
  }
  const std::vector<double> w = values(eigvalsh(from_vector(a, {n, n})));
  for (int64_t k = 1; k <= n; ++k) {
    EXPECT_NEAR(
        w[static_cast<size_t>(k - 1)],
        2 - 2 * std::cos(static_cast<double>(k) * std::acos(-1.0) / static_cast<double>(n + 1)),
        1e-13);
  }
}

TEST(Linalg, EigenpairsOfFarMagnitudes) {
  for (const double size : {1e-250, 1e250}) {
    const Tensor x = random({5, 5}, DType::f64, 9);
    const Tensor a = x + mt(x);
    const std::vector<double> w = values(eigvalsh(a)), far = values(eigvalsh(a * size));
    for (size_t i = 0; i < w.size(); ++i) EXPECT_NEAR(far[i] / size, w[i], 1e-13);
  }
}

void expect_svd(const Tensor& a, double factor) {
  const int64_t m = a.shape()[0], n = a.shape()[1], k = std::min(m, n);
  const double bound = factor * static_cast<double>(std::max(m, n) + 1) * epsilon(a.dtype());
  std::vector<double> s0;
  for (const bool full : {false, true}) {
    const auto [u, s, vh] = svd(a, full);
    EXPECT_EQ(u.shape(), (Shape{m, full ? m : k}));
    EXPECT_EQ(vh.shape(), (Shape{full ? n : k, n}));
    const Tensor product =
        matmul(wide(slice(u, 1, 0, k)) * unsqueeze(wide(s), 0), wide(slice(vh, 0, 0, k)));
    EXPECT_LE(distance(product, a), bound * (largest(s) + std::numeric_limits<double>::min()));
    expect_orthogonal(u, bound);
    expect_orthogonal(mt(vh), bound);
    s0 = values(s);
    EXPECT_TRUE(std::is_sorted(s0.rbegin(), s0.rend()));
    EXPECT_TRUE(s0.empty() || s0.back() >= 0);
  }
  EXPECT_EQ(values(svdvals(a)), s0);
}

TEST(Linalg, SingularValueDecompositions) {
  const Shape shapes[] = {{1, 1},   {1, 5},    {5, 1},    {4, 3},     {3, 7}, {33, 33},
                          {65, 65}, {100, 30}, {30, 100}, {129, 128}, {2, 2}};
  for (const DType dtype : {DType::f64, DType::f32}) {
    for (const Shape& shape : shapes) {
      SCOPED_TRACE(std::string(name(dtype)) + " " + to_string(shape));
      expect_svd(random(shape, dtype, 10), 6);
      expect_svd(zeros(shape, dtype), 6);
      expect_svd(ones(shape, dtype), 6);  // of rank 1
      const int64_t k = std::min(shape[0], shape[1]);
      std::vector<double> s(static_cast<size_t>(k), 1.0);
      for (int64_t i = 0; i < k; ++i) s[static_cast<size_t>(i)] = i < k / 2 ? 2 : 0;
      expect_svd(with_singular_values(shape[0], shape[1], s, 11).to(dtype), 6);  // half the rank
      for (int64_t i = 0; i < k; ++i) {
        s[static_cast<size_t>(i)] =
            std::pow(10, -12.0 * static_cast<double>(i) / static_cast<double>(k));
      }
      expect_svd(with_singular_values(shape[0], shape[1], s, 13).to(dtype), 6);  // ill-conditioned
    }
  }
}

TEST(Linalg, SingularValuesOfKnownMatrices) {
  std::vector<double> s(40);
  for (size_t i = 0; i < s.size(); ++i) s[i] = std::pow(2.0, -static_cast<double>(i));
  const std::vector<double> got = values(svdvals(with_singular_values(60, 40, s, 15)));
  for (size_t i = 0; i < s.size(); ++i) EXPECT_NEAR(got[i], s[i], 1e-14);
  // Bidiagonal already: the small value has all its digits.
  const Tensor b = from_vector(std::vector<double>{1, 1, 0, 1e-12}, {2, 2});
  EXPECT_NEAR(values(svdvals(b))[1] * std::sqrt(2.0) / 1e-12, 1, 1e-12);
  for (const double size : {1e-250, 1e250}) {
    EXPECT_NEAR(values(svdvals(eye(3, DType::f64) * size))[2] / size, 1, 1e-15);
  }
}

TEST(Linalg, NotFiniteMatricesAreErrors) {
  for (const double bad : {std::nan(""), kInfinity}) {
    Tensor a = eye(3, DType::f64);
    a.mutable_data<double>()[4] = bad;
    const Tensor batch = stack({eye(3, DType::f64), a});
    for (const auto& call : {std::function<void()>([&] { eigh(batch); }),
                             std::function<void()>([&] { eigvalsh(batch); }),
                             std::function<void()>([&] { svd(batch); }),
                             std::function<void()>([&] { svdvals(batch); })}) {
      EXPECT_NE(message_of<LinAlgError>(call).find("batch item (1,)"), std::string::npos);
    }
  }
}

TEST(Linalg, EighReadsOneTriangle) {
  const Tensor x = random({4, 4}, DType::f64, 16);
  EXPECT_EQ(values(eigvalsh(tril(x))), values(eigvalsh(x)));
  EXPECT_EQ(values(eigvalsh(triu(x), 'U')), values(eigvalsh(x, 'U')));
  EXPECT_EQ(values(eigvalsh(mt(x), 'U')), values(eigvalsh(x)));
}

TEST(Linalg, PseudoInverses) {
  // The four conditions of Moore and Penrose, for full and low rank.
  for (const double last : {0.5, 0.0}) {
    const Tensor a = with_singular_values(6, 4, {3, 2, 1, last}, 17);
    const Tensor p = pinv(a);
    EXPECT_LE(distance(matmul(matmul(a, p), a), a), 1e-13);
    EXPECT_LE(distance(matmul(matmul(p, a), p), p), 1e-13);
    EXPECT_LE(distance(matmul(a, p), mt(matmul(a, p))), 1e-13);
    EXPECT_LE(distance(matmul(p, a), mt(matmul(p, a))), 1e-13);
  }
  const Tensor a = with_singular_values(3, 3, {4, 2, 1}, 19);
  const auto rank = [&](std::optional<double> atol, std::optional<double> rtol) {
    return static_cast<int>(std::lround(trace(matmul(a, pinv(a, atol, rtol))).item()));
  };
  EXPECT_EQ(rank(std::nullopt, std::nullopt), 3);
  EXPECT_EQ(rank(1.5, std::nullopt), 2);
  EXPECT_EQ(rank(std::nullopt, 0.4), 2);
  EXPECT_EQ(rank(3.0, 0.1), 1);
  EXPECT_EQ(pinv(zeros({0, 3})).shape(), (Shape{3, 0}));
}

TEST(Linalg, TheVectorsThatCompleteASquareHaveAGradient) {
  // The projection on what is orthogonal to A's columns: of two dimensions.
  const auto f = [](const std::vector<Tensor>& x) -> Tensor {
    const Tensor u = slice(svd(x[0]).u, 1, 2, 4);
    return matmul(u, mt(u));
  };
  numeric::expect_gradients(f, {random({4, 2}, DType::f64, 20)});
  const auto g = [](const std::vector<Tensor>& x) -> Tensor {
    const Tensor v = slice(svd(x[0]).vh, 0, 2, 4);
    return matmul(mt(v), v);
  };
  numeric::expect_gradients(g, {random({2, 4}, DType::f64, 21)});
  numeric::expect_second_gradients(g, {random({2, 4}, DType::f64, 21)});
}

TEST(Linalg, GradientsOfEqualValuesAreNotFinite) {
  const Tensor a = eye(2, DType::f64).requires_grad_();
  eigh(a).eigenvectors.sum().backward();
  EXPECT_FALSE(all_finite(a.grad()));
  // Those of the values alone exist.
  const Tensor b = eye(2, DType::f64).requires_grad_();
  eigvalsh(b).sum().backward();
  EXPECT_EQ(values(b.grad()), (std::vector<double>{1, 0, 0, 1}));
}

TEST(Linalg, AddmmIgnoresWhatBetaTakesAway) {
  const Tensor nan = full({2, 2}, std::nan(""));
  EXPECT_EQ(values(addmm(nan, ones({2, 3}), ones({3, 2}), 0, 2)),
            (std::vector<double>{6, 6, 6, 6}));
  EXPECT_EQ(values(baddbmm(nan, ones({1, 2, 3}), ones({1, 3, 2}), 0)),
            (std::vector<double>{3, 3, 3, 3}));
}

TEST(Linalg, ProductsByIndexOfWholeNumbers) {
  const Tensor a = from_vector(std::vector<int64_t>{1, 2}),
               b = from_vector(std::vector<int64_t>{3, 4});
  EXPECT_EQ(outer(a, b).to_vector<int64_t>(), (std::vector<int64_t>{3, 4, 6, 8}));
  EXPECT_EQ(kron(a, b).to_vector<int64_t>(), (std::vector<int64_t>{3, 4, 6, 8}));
  EXPECT_EQ(trace(outer(a, b)).item<int64_t>(), 11);
}

TEST(Linalg, EinsumOrdersItsProducts) {
  // From left to right the first product alone would have 64^4 elements and no memory for it.
  const Tensor a = random({64, 64, 2}, DType::f64, 22), b = random({64, 64, 2}, DType::f64, 23),
               c = random({64, 2}, DType::f64, 24), d = random({64, 2}, DType::f64, 25);
  const Tensor got = einsum("abx,cdy,ax,cy->xy", {a, b, c, d});
  const Tensor left = sum(a * unsqueeze(c, 1), {0, 1}), right = sum(b * unsqueeze(d, 1), {0, 1});
  EXPECT_LE(distance(got, outer(left, right)), 1e-8);
}

TEST(Linalg, MatrixPowers) {
  const Tensor a = random({4, 4}, DType::f64, 26) + eye(4, DType::f64) * 5.0;
  EXPECT_LE(distance(matmul(matrix_power(a, -3), matrix_power(a, 3)), eye(4)), 1e-12);
  EXPECT_EQ(values(matrix_power(a, 0)), values(eye(4, DType::f64)));
}

TEST(Linalg, NormsAtZeroHaveAGradient) {
  const Tensor x = zeros({2, 2}, DType::f64).requires_grad_();
  matrix_norm(x).backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{0, 0, 0, 0}));
}

TEST(Linalg, AutocastRoundsProductsOnly) {
  const Tensor a = random({3, 3}, DType::f32, 29);
  const Tensor p = pinv(a);
  const Autocast guard(DType::bf16);
  for (const Tensor& y :
       {mm(a, a), addmm(a, a, a, 0.5), mv(a, select(a, 0, 0)), einsum("ij,jk", {a, a})}) {
    EXPECT_EQ(y.dtype(), DType::bf16);
  }
  numeric::expect_same_bits(pinv(a), p);
}

TEST(Linalg, ThreadsDoNotChangeBits) {
  const Tensor x = random({3, 70, 70}, DType::f32, 27), one = random({200, 200}, DType::f32, 28);
  numeric::expect_same_on_threads([&]() -> std::vector<Tensor> {
    std::vector<Tensor> all;
    for (const Tensor& a : {x, one}) {
      const auto [w, v] = eigh(a);
      const auto [u, s, vh] = svd(a);
      const auto [q, r] = qr(a);
      for (const Tensor& y : {w, v, u, s, vh, q, r, inverse(a)}) all.push_back(y);
    }
    return all;
  });
}

TEST(Linalg, ExponentialsOfTurnsAreTurns) {
  for (const double angle : {1e-9, 0.3, 2.0, 100.0}) {
    SCOPED_TRACE(angle);
    const Tensor y = matrix_exp(tensor({0.0, -angle, angle, 0.0}, {2, 2}));
    const double c = std::cos(angle), s = std::sin(angle);
    EXPECT_LE(distance(y, tensor({c, -s, s, c}, {2, 2})), 16 * epsilon(DType::f64) * (1 + angle));
  }
  // Each item of a batch is scaled by itself.
  const Tensor x = random({1, 4, 4}, DType::f64, 1);
  const Tensor batch = matrix_exp(cat({x * 1e-3, x * 30.0}));
  numeric::expect_same_bits(select(batch, 0, 0), select(matrix_exp(x * 1e-3), 0, 0), "small");
  numeric::expect_same_bits(select(batch, 0, 1), select(matrix_exp(x * 30.0), 0, 0), "large");
  EXPECT_LE(distance(matmul(matrix_exp(x), matrix_exp(-x)), eye(4, DType::f64)), 1e-13);
  const Tensor lost = matrix_exp(tensor({std::nan(""), 0.0, 0.0, kInfinity}, {2, 2}));
  EXPECT_TRUE(std::isnan(values(lost)[0]));
  EXPECT_EQ(matrix_exp(full({1, 1}, 1e30F)).item(), kInfinity);
}

TEST(Linalg, LeastSquaresSayWhatTheirDriverDoes) {
  const Tensor a = with_singular_values(6, 3, {4, 2, 1e-9}, 5), b = random({6}, DType::f64, 6);
  const LeastSquares full = lstsq(a, b);
  EXPECT_EQ(full.rank.item<int64_t>(), 3);
  EXPECT_EQ(full.residuals.shape(), Shape());
  EXPECT_EQ(full.singular_values.shape(), Shape{0});
  EXPECT_NEAR(full.residuals.item(), sum(square(matmul(a, full.solution) - b)).item(), 1e-12);
  const LeastSquares low = lstsq(a, b, 1e-6, "gelsd");
  EXPECT_EQ(low.rank.item<int64_t>(), 2);
  EXPECT_EQ(low.residuals.shape(), Shape{0});
  EXPECT_LE(distance(low.singular_values, tensor({4.0, 2.0, 1e-9})), 1e-13);
  EXPECT_LE(distance(low.solution, matmul(pinv(a, std::nullopt, 1e-6), b)), 1e-14);
  EXPECT_EQ(lstsq(a, b, std::nullopt, "gels").rank.shape(), Shape{0});
  // Vectors and matrices for batches, and batches that broadcast.
  const Tensor many = random({2, 4, 3}, DType::f64, 7);
  EXPECT_EQ(lstsq(many, random({2, 4}, DType::f64, 8)).solution.shape(), Shape({2, 3}));
  EXPECT_EQ(lstsq(many, random({4, 5}, DType::f64, 9)).residuals.shape(), Shape({2, 5}));
  EXPECT_EQ(lstsq(zeros({0, 3}), zeros({0, 2})).solution.shape(), Shape({3, 2}));
}

TEST(Linalg, RanksAndLogarithmsOfDeterminants) {
  const Tensor a = with_singular_values(4, 4, {8, 1, 1e-3, 1e-20}, 11);
  EXPECT_EQ(matrix_rank(a).item<int64_t>(), 3);
  EXPECT_EQ(matrix_rank(a, 0.01).item<int64_t>(), 2);
  EXPECT_EQ(matrix_rank(a, 2.0, 1e-6).item<int64_t>(), 1);
  EXPECT_EQ(matrix_rank(matmul(a, mt(a)), std::nullopt, 1e-7, true).item<int64_t>(), 2);
  EXPECT_EQ(matrix_rank(zeros({2, 0, 3})).to_vector<int64_t>(), (std::vector<int64_t>{0, 0}));
  const Tensor y = logdet(tensor({-1.0, 0.0, 1.0}, {3, 1, 1}));
  EXPECT_TRUE(std::isnan(values(y)[0]));
  EXPECT_EQ(values(y)[1], -kInfinity);
  EXPECT_EQ(values(y)[2], 0);
}

}  // namespace
}  // namespace adjoint
