// Rows of QR, eigenvalues, singular values, and of the norms of matrices.
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/catalog/matrices.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.1, 0.6, seed); }

// --- QR, eigenvalues, singular values ---

// By explicit reflections, the signs being those of Householder's: R's diagonal has the sign
// opposite to what it replaces, and a last row of one element is left alone.
Parts reflected(const Matrix& a, bool complete) {
  const int64_t m = a.rows, n = a.columns, k = std::min(m, n);
  Matrix q = identity(m), r = a;
  for (int64_t j = 0; j < k; ++j) {
    double norm = 0, rest = 0;
    for (int64_t i = j; i < m; ++i) {
      norm += r.at(i, j) * r.at(i, j);
      if (i > j) rest += r.at(i, j) * r.at(i, j);
    }
    if (rest == 0) continue;
    norm = std::sqrt(norm);
    std::vector<double> v(static_cast<size_t>(m));
    double square = 0;
    for (int64_t i = j; i < m; ++i) {
      double& x = v[static_cast<size_t>(i)];
      x = r.at(i, j) + (i > j ? 0.0 : r.at(j, j) < 0 ? -norm : norm);
      square += x * x;
    }
    Matrix h = identity(m);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t l = 0; l < m; ++l) {
        h.at(i, l) -= 2 * v[static_cast<size_t>(i)] * v[static_cast<size_t>(l)] / square;
      }
    }
    r = product(h, r);
    q = product(q, h);
  }
  Matrix short_q(m, complete ? m : k), short_r(complete ? m : k, n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < short_q.columns; ++j) short_q.at(i, j) = q.at(i, j);
  }
  for (int64_t i = 0; i < short_r.rows; ++i) {
    for (int64_t j = i; j < n; ++j) short_r.at(i, j) = r.at(i, j);
  }
  return {short_q, short_r};
}

Row qr_row() {
  const auto make = [](const std::string& name, const Tensor& x, bool complete) {
    return of_raised(
        name, x,
        [complete](const Tensor& a) -> Tensors {
          const auto [q, r] = qr(a, complete ? QrMode::complete : QrMode::reduced);
          return {q, r};
        },
        [complete](const Matrix& a) { return reflected(a, complete); },
        "torch.linalg.qr(" + raised_in_torch() + (complete ? ", mode='complete')" : ")"));
  };
  Row row{
      "qr",
      {make("(4, 2)", input({4, 2}, 1), false), make("(2, 3, 3)", input({2, 3, 3}, 2), false),
       make("(2, 4), strided", strided(input({2, 4}, 3)), false),
       make("(3, 3), complete", input({3, 3}, 4), true),
       make("(2, 3), complete", input({2, 3}, 5), true), make("(1, 3)", input({1, 3}, 6), false),
       make("(3, 0)", input({3, 0}, 7), false), make("(0, 2, 2)", input({0, 2, 2}, 8), false)}};
  row.large = [=] { return make("large", input({130, 70}, 31), false); };
  row.scale = 4;
  row.errors = {error("a vector", [] { return qr(ones({3})); }, {"qr: ", "(3,)"}),
                error("integers",
                      [] {
                        return qr(ones({2, 2}, DType::i64));
                      },
                      {"qr: ", "i64"}),
                error("bf16",
                      [] {
                        return qr(ones({2, 2}, DType::bf16));
                      },
                      {"qr: ", "bf16"}),
                error("the gradient of complete factors",
                      [] {
                        const Tensor x = ones({3, 2}).requires_grad_();
                        qr(x, QrMode::complete).q.sum().backward();
                        return 0;
                      },
                      {"qr: ", "(3, 2)", "QrMode::reduced"})};
  return row;
}

// Squares of eigenvectors do not depend on their signs.
Row eigh_row() {
  const auto make = [](const std::string& name, const Tensor& x, char uplo) {
    return of_symmetric(
        name, x,
        [uplo](const Tensor& a) -> Tensors {
          const auto [w, v] = eigh(a, uplo);
          return {w, square(v), matmul(v * unsqueeze(sqrt(w), -2), transpose(v, -2, -1))};
        },
        [](const Matrix& a) -> Parts {
          const Eigen e = eigen_of(a);
          Matrix squares = e.vectors, scaled = e.vectors;
          for (int64_t i = 0; i < a.rows; ++i) {
            for (int64_t j = 0; j < a.rows; ++j) {
              squares.at(i, j) *= e.vectors.at(i, j);
              scaled.at(i, j) *= std::sqrt(e.values[static_cast<size_t>(j)]);
            }
          }
          return {e.values, squares, product(scaled, turned(e.vectors))};
        },
        std::string("(lambda w, v: (w, v * v, (v * w.sqrt().unsqueeze(-2)) @ v.mT))") +
            "(*torch.linalg.eigh(" + symmetric_in_torch() + ", UPLO='" + uplo + "'))");
  };
  Row row{"eigh",
          {make("(3, 3)", input({3, 3}, 1), 'L'),
           make("(2, 4, 4), strided, upper", strided(input({2, 4, 4}, 2)), 'U'),
           make("(1, 1)", input({1, 1}, 3), 'L'), make("(0, 0)", input({0, 0}, 4), 'L'),
           make("(0, 2, 2)", input({0, 2, 2}, 5), 'L')}};
  row.scale = 4;
  // Eigenvectors turn by the error over the distance of eigenvalues, here at least 1/2; in their
  // derivatives that distance is divided by twice.
  row.ulps = 16;
  row.gradient_ulps = 256;
  row.errors = square_errors("eigh", [](const Tensor& x) { eigh(x); });
  row.errors.push_back(error("an unknown triangle",
                             [] {
                               return eigh(ones({2, 2}), 'l');
                             },
                             {"eigh: uplo is 'l'", "'L' or 'U'"}));
  row.errors.push_back(error("NaN",
                             [] {
                               return eigh(full({2, 2}, std::nan("")));
                             },
                             {"eigh: ", "finite"}));
  return row;
}

Row eigvalsh_row() {
  const auto make = [](const std::string& name, const Tensor& x, char uplo) {
    return of_symmetric(
        name, x, [uplo](const Tensor& a) -> Tensors { return {eigvalsh(a, uplo)}; },
        [](const Matrix& a) -> Parts { return {eigen_of(a).values}; },
        std::string("torch.linalg.eigvalsh(") + symmetric_in_torch() + ", UPLO='" + uplo + "')");
  };
  Row row{"eigvalsh",
          {make("(3, 3)", input({3, 3}, 1), 'L'),
           make("(2, 4, 4), strided, upper", strided(input({2, 4, 4}, 2)), 'U'),
           make("(0, 0)", input({0, 0}, 3), 'L')}};
  row.large = [=] { return make("large", input({2, 70, 70}, 31), 'L'); };
  row.scale = 8;
  row.errors = square_errors("eigvalsh", [](const Tensor& x) { eigvalsh(x); });
  return row;
}

// Singular values and vectors from the eigenvectors of A^T A, or of A A^T.
struct Singular {
  std::vector<double> values;
  Matrix u, vt;
};
Singular singular_of(const Matrix& a) {
  if (a.rows < a.columns) {
    const Singular t = singular_of(turned(a));
    return {t.values, turned(t.vt), turned(t.u)};
  }
  const Eigen e = eigen_of(product(turned(a), a));
  const int64_t n = a.columns;
  Matrix v(n, n);
  std::vector<double> values;
  for (int64_t j = 0; j < n; ++j) {
    values.push_back(std::sqrt(e.values[static_cast<size_t>(n - 1 - j)]));
    for (int64_t i = 0; i < n; ++i) v.at(i, j) = e.vectors.at(i, n - 1 - j);
  }
  Matrix u = product(a, v);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < n; ++j) u.at(i, j) /= values[static_cast<size_t>(j)];
  }
  return {values, u, turned(v)};
}

Matrix squared(Matrix a) {
  for (double& x : a.data) x *= x;
  return a;
}

// Of the first min(m, n) vectors what does not depend on signs: squares, and the polar factor U Vh.
Row svd_row() {
  const auto make = [](const std::string& name, const Tensor& x, bool full) {
    return of_raised(
        name, x,
        [full](const Tensor& a) -> Tensors {
          const auto [u, s, vh] = svd(a, full);
          const int64_t k = s.shape().back();
          const Tensor left = slice(u, -1, 0, k), right = slice(vh, -2, 0, k);
          return {square(left), s, square(right), matmul(left, right)};
        },
        [](const Matrix& a) -> Parts {
          const Singular f = singular_of(a);
          return {squared(f.u), f.values, squared(f.vt), product(f.u, f.vt)};
        },
        std::string("(lambda u, s, v: (u * u, s, v * v, u @ v))(*(lambda u, s, v: ") +
            "(u[..., :s.shape[-1]], s, v[..., :s.shape[-1], :]))(*torch.linalg.svd(" +
            raised_in_torch() + ", full_matrices=" + (full ? "True" : "False") + ")))");
  };
  Row row{"svd",
          {make("(3, 3)", input({3, 3}, 1), true),
           make("(2, 4, 2), reduced", input({2, 4, 2}, 2), false),
           make("(2, 4), reduced, strided", strided(input({2, 4}, 3)), false),
           make("(4, 2), full", input({4, 2}, 4), true),
           make("(2, 3), full", input({2, 3}, 5), true), make("(1, 1)", input({1, 1}, 6), true),
           make("(1, 3)", input({1, 3}, 7), false), make("(0, 2, 2)", input({0, 2, 2}, 8), true)}};
  row.scale = 4;
  row.ulps = 16;  // as of eigenvectors
  row.gradient_ulps = 256;
  row.errors = {error("a vector", [] { return svd(ones({3})); }, {"svd: ", "(3,)"}),
                error("integers",
                      [] {
                        return svd(ones({2, 2}, DType::i64));
                      },
                      {"svd: ", "i64"}),
                error("bf16",
                      [] {
                        return svd(ones({2, 2}, DType::bf16));
                      },
                      {"svd: ", "bf16"}),
                error("infinity",
                      [] {
                        return svd(full({2, 3}, std::numeric_limits<double>::infinity()));
                      },
                      {"svd: ", "(2, 3)", "finite"})};
  return row;
}

Row svdvals_row() {
  const auto make = [](const std::string& name, const Tensor& x) {
    return of_raised(
        name, x, [](const Tensor& a) -> Tensors { return {svdvals(a)}; },
        [](const Matrix& a) -> Parts { return {singular_of(a).values}; },
        "torch.linalg.svdvals(" + raised_in_torch() + ")");
  };
  Row row{
      "svdvals",
      {make("(3, 3)", input({3, 3}, 1)), make("(2, 4, 2)", input({2, 4, 2}, 2)),
       make("(2, 4), strided", strided(input({2, 4}, 3))), make("(0, 2, 2)", input({0, 2, 2}, 4))}};
  row.large = [=] { return make("large", input({2, 70, 90}, 31)); };
  row.scale = 8;
  row.errors = {error("a vector", [] { return svdvals(ones({3})); }, {"svdvals: ", "(3,)"}),
                error("integers",
                      [] {
                        return svdvals(ones({2, 2}, DType::i64));
                      },
                      {"svdvals: ", "i64"}),
                error("f16",
                      [] {
                        return svdvals(ones({2, 2}, DType::f16));
                      },
                      {"svdvals: ", "f16"})};
  return row;
}

Row pinv_row() {
  const auto make = [](const std::string& name, const Tensor& x) {
    return of_raised(
        name, x, [](const Tensor& a) -> Tensors { return {pinv(a)}; },
        [](const Matrix& a) -> Parts { return {full_rank_inverse(a)}; },
        "torch.linalg.pinv(" + raised_in_torch() + ")");
  };
  Row row{"pinv",
          {make("(3, 3)", input({3, 3}, 1)), make("(2, 4, 2)", input({2, 4, 2}, 2)),
           make("(2, 4), strided", strided(input({2, 4}, 3))),
           make("(0, 2, 3)", input({0, 2, 3}, 4)), make("(2, 0)", input({2, 0}, 5))}};
  // Of rank 2: the pseudo-inverse of B C is that of C times that of B.
  Sample low{"(4, 2)(2, 3), of rank 2",
             {input({4, 2}, 6), input({2, 3}, 7)},
             [](const Tensors& in) -> Tensors {
               return {pinv(matmul(raised(in[0]), raised(in[1])), std::nullopt, 1e-5)};
             },
             by_matrix([](const Matrices& m) -> Parts {
               return {product(full_rank_inverse(raised(m[1])), full_rank_inverse(raised(m[0])))};
             })};
  low.torch =
      "torch.linalg.pinv(" + raised_in_torch() + " @ " + raised_in_torch("x[1]") + ", rtol=1e-5)";
  low.halves = false;
  row.samples.push_back(low);
  row.scale = 4;
  row.errors = {error("a vector", [] { return pinv(ones({3})); }, {"pinv: ", "(3,)"}),
                error("integers",
                      [] {
                        return pinv(ones({2, 2}, DType::i64));
                      },
                      {"pinv: ", "i64"}),
                error("a negative tolerance",
                      [] {
                        return pinv(ones({2, 2}), -1.0);
                      },
                      {"pinv: atol is -1"})};
  return row;
}

// --- norms ---

double norm_of(const Matrix& a, const std::string& ord) {
  if (ord == "'fro'") {
    double sum = 0;
    for (const double x : a.data) sum += x * x;
    return std::sqrt(sum);
  }
  std::vector<double> values;
  if (ord == "'nuc'" || ord == "2" || ord == "-2") {
    values = singular_of(a).values;
    if (ord == "'nuc'") return std::accumulate(values.begin(), values.end(), 0.0);
  } else {
    const Matrix rows = ord == "1" || ord == "-1" ? turned(a) : a;
    for (int64_t i = 0; i < rows.rows; ++i) {
      double sum = 0;
      for (int64_t j = 0; j < rows.columns; ++j) sum += std::abs(rows.at(i, j));
      values.push_back(sum);
    }
  }
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  return ord[0] == '-' ? *least : *most;
}

Sample norm_sample(const std::string& ord, const Tensor& x) {
  const double number = ord == "torch.inf"    ? std::numeric_limits<double>::infinity()
                        : ord == "-torch.inf" ? -std::numeric_limits<double>::infinity()
                        : ord[0] == '\''      ? 0.0
                                              : std::stod(ord);
  Sample s = of_raised(
      ord + " of " + to_string(x.shape()) + (x.is_contiguous() ? "" : ", strided"), x,
      [=](const Tensor& a) -> Tensors {
        return {ord[0] == '\'' ? matrix_norm(a, ord.substr(1, 3)) : matrix_norm(a, number)};
      },
      [ord](const Matrix& a) -> Parts { return {norm_of(a, ord)}; },
      "torch.linalg.matrix_norm(" + raised_in_torch() + ", " + ord + ")");
  s.halves = ord != "'nuc'" && std::abs(number) != 2;
  return s;
}

Row matrix_norm_row() {
  Row row{"matrix_norm", {}};
  uint64_t seed = 0;
  for (const char* ord : {"'fro'", "'nuc'", "1", "-1", "2", "-2", "torch.inf", "-torch.inf"}) {
    row.samples.push_back(norm_sample(ord, input({2, 3, 4}, ++seed)));
  }
  row.samples.push_back(norm_sample("'fro'", strided(input({4, 2}, 11))));
  row.samples.push_back(norm_sample("'fro'", input({0, 2, 2}, 12)));
  // Dimensions that are not the last, and kept.
  Sample moved{"1 over dimensions (2, 0), kept",
               {input({2, 3, 4}, 13)},
               [](const Tensors& in) -> Tensors {
                 return {matrix_norm(in[0], 1.0, {2, 0}, true)};
               },
               [](const Tensors& in) -> Tensors {
                 const Array x(in[0]);
                 return {make_array({1, 3, 1}, [&](const Shape& index) {
                           double most = 0;
                           for (int64_t column = 0; column < 2; ++column) {
                             double sum = 0;
                             for (int64_t i = 0; i < 4; ++i) {
                               sum += std::abs(x.at({column, index[1], i}));
                             }
                             most = std::max(most, sum);
                           }
                           return most;
                         }).tensor()};
               }};
  moved.torch = "torch.linalg.matrix_norm(x[0], 1, (2, 0), True)";
  row.samples.push_back(moved);
  row.scale = 8;
  row.bf16_roundings = 3;  // of the raised input, of sums, and of the result
  row.bf16_gradient_roundings = 6;
  row.errors = {error("a vector", [] { return matrix_norm(ones({3})); }, {"matrix_norm: ", "(3,)"}),
                error("an unknown order",
                      [] {
                        return matrix_norm(ones({2, 2}), 3.0);
                      },
                      {"matrix_norm: ord is 3"}),
                error("an unknown name",
                      [] {
                        return matrix_norm(ones({2, 2}), "frob");
                      },
                      {"matrix_norm: ord is 'frob'"}),
                error("a dimension twice",
                      [] {
                        return matrix_norm(ones({2, 2}), "fro", {0, -2});
                      },
                      {"matrix_norm: dim is (0, -2)"}),
                error("integers",
                      [] {
                        return matrix_norm(ones({2, 2}, DType::i64));
                      },
                      {"matrix_norm: ", "i64"})};
  return row;
}

}  // namespace

void add_factors(std::vector<Row>& rows) {
  for (auto* make :
       {&qr_row, &eigh_row, &eigvalsh_row, &svd_row, &svdvals_row, &pinv_row, &matrix_norm_row}) {
    rows.push_back(make());
  }
}

}  // namespace adjoint::catalog
