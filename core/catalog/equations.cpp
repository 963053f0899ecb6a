// Rows of linear equations, inverses, determinants and Cholesky factors.
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>

#include <cmath>

#include "core/catalog/matrices.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.1, 0.6, seed); }

// The samples of a function of square matrices: one, a batch, strided, transposed, and none.
Row square_row(const char* name, const OfTensor& f, const OfMatrix& reference,
               const std::string& call, const Shape& batch = {2, 1, 4, 4}) {
  const auto torch = [&](const std::string& x) { return call + "(" + x + ")"; };
  Row row{name,
          {of_raised("(3, 3)", input({3, 3}, 1), f, reference, torch(raised_in_torch())),
           of_raised(to_string(batch), input(batch, 2), f, reference, torch(raised_in_torch())),
           of_raised("(2, 3, 3), strided", strided(input({2, 3, 3}, 3)), f, reference,
                     torch(raised_in_torch())),
           of_raised("(1, 1)", input({1, 1}, 4), f, reference, torch(raised_in_torch())),
           of_raised("(0, 0)", input({0, 0}, 5), f, reference, torch(raised_in_torch())),
           of_raised("(0, 3, 3)", input({0, 3, 3}, 6), f, reference, torch(raised_in_torch()))}};
  row.samples.push_back(of_raised(
      "(3, 3), transposed", input({3, 3}, 7),
      [f](const Tensor& x) { return f(transpose(x, -2, -1)); },
      [reference](const Matrix& x) { return reference(turned(x)); },
      torch(raised_in_torch() + ".mT")));
  row.large = [=] { return of_raised("large", input({2, 150, 150}, 31), f, reference, ""); };
  row.scale = 4;
  return row;
}

// A batch of which item (1,) has rank 1.
Tensor singular_batch() {
  return from_vector(std::vector<double>{1, 0, 0, 1, 1, 1, 1, 1}, {2, 2, 2});
}

Row inverse_row() {
  Row row = square_row(
      "inverse", [](const Tensor& x) -> Tensors { return {inverse(x)}; },
      [](const Matrix& x) -> Parts { return {eliminated(x, identity(x.rows))}; },
      "torch.linalg.inv");
  row.errors = square_errors("inverse", [](const Tensor& x) { inverse(x); });
  row.errors.push_back(error("a singular item", [] { return inverse(singular_batch()); },
                             {"inverse: batch item (1,): ", "singular", "pivot 1 of 2"}));
  return row;
}

Row det_row() {
  const OfMatrix reference = [](const Matrix& x) -> Parts {
    double determinant = 1;
    eliminated(x, identity(x.rows), &determinant);
    return {determinant};
  };
  Row row = square_row(
      "det", [](const Tensor& x) -> Tensors { return {det(x)}; }, reference, "torch.linalg.det",
      // Of four rows the determinant is so large that differences of it lose what gradcheck needs.
      {2, 1, 2, 2});
  row.large = {};  // no kernel of its own, and the determinant of a large matrix overflows
  row.scale = 64;  // the size of the products
  row.errors = square_errors("det", [](const Tensor& x) { det(x); });
  return row;
}

Row slogdet_row() {
  const OfMatrix reference = [](const Matrix& x) -> Parts {
    double determinant = 1;
    eliminated(x, identity(x.rows), &determinant);
    return {determinant < 0 ? -1.0 : 1.0, std::log(std::abs(determinant))};
  };
  Row row = square_row(
      "slogdet",
      [](const Tensor& x) -> Tensors {
        const auto [sign, logabsdet] = slogdet(x);
        return {sign, logabsdet};
      },
      reference, "torch.linalg.slogdet");
  row.large = {};
  row.errors = square_errors("slogdet", [](const Tensor& x) { slogdet(x); });
  row.errors.push_back(error("the gradient of a singular matrix",
                             [] {
                               slogdet(ones({2, 2}).requires_grad_()).logabsdet.backward();
                             },
                             {"slogdet: ", "singular"}));
  return row;
}

Row cholesky_row() {
  const auto lower = [](const Matrix& a) {
    Matrix l(a.rows, a.rows);
    for (int64_t j = 0; j < a.rows; ++j) {
      for (int64_t i = j; i < a.rows; ++i) {
        double sum = a.at(i, j);
        for (int64_t k = 0; k < j; ++k) sum -= l.at(i, k) * l.at(j, k);
        l.at(i, j) = i == j ? std::sqrt(sum) : sum / l.at(j, j);
      }
    }
    return l;
  };
  const OfTensor f = [](const Tensor& x) -> Tensors { return {cholesky(x)}; };
  const OfMatrix reference = [=](const Matrix& x) -> Parts { return {lower(x)}; };
  const std::string torch = "torch.linalg.cholesky(" + symmetric_in_torch() + ")";
  Row row{
      "cholesky",
      {of_symmetric("(3, 3)", input({3, 3}, 1), f, reference, torch),
       of_symmetric("(2, 2, 4, 4), strided", strided(input({2, 2, 4, 4}, 2)), f, reference, torch),
       of_symmetric(
           "(2, 3, 3), upper", input({2, 3, 3}, 3),
           [](const Tensor& x) -> Tensors { return {cholesky(x, true)}; },
           [=](const Matrix& x) -> Parts { return {turned(lower(x))}; },
           "torch.linalg.cholesky(" + symmetric_in_torch() + ", upper=True)"),
       of_symmetric("(1, 1)", input({1, 1}, 4), f, reference, torch),
       of_symmetric("(0, 0)", input({0, 0}, 5), f, reference, torch),
       of_symmetric("(0, 2, 2)", input({0, 2, 2}, 6), f, reference, torch)}};
  row.large = [=] { return of_symmetric("large", input({2, 150, 150}, 31), f, reference, ""); };
  row.scale = 4;
  row.errors = square_errors("cholesky", [](const Tensor& x) { cholesky(x); });
  row.errors.push_back(
      error("not positive definite",
            [] {
              return cholesky(from_vector(std::vector<double>{1, 0, 0, 1, 1, 2, 2, 1}, {2, 2, 2}));
            },
            {"cholesky: batch item (1,): ", "leading minor of order 2", "positive definite"}));
  return row;
}

// --- equations ---

Parts substituted(const Matrix& a, const Matrix& b, bool upper, bool unit) {
  Matrix t(a.rows, a.rows);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.rows; ++j) {
      if (i == j) t.at(i, j) = unit ? 1 : a.at(i, j);
      if (upper ? j > i : j < i) t.at(i, j) = a.at(i, j);
    }
  }
  return {eliminated(t, b)};
}

Sample triangular_sample(const std::string& name, Tensors inputs, bool upper, bool left,
                         bool unit) {
  Sample s{name, std::move(inputs),
           [=](const Tensors& in) -> Tensors {
             return {solve_triangular(in[0], in[1], upper, left, unit)};
           },
           by_matrix([=](const Matrices& m) -> Parts {
             if (left) return substituted(m[0], m[1], upper, unit);
             const Parts x = substituted(turned(m[0]), turned(m[1]), !upper, unit);
             Matrix xt(m[0].rows, m[1].rows);
             xt.data = x[0].data;
             return {turned(xt)};
           })};
  s.torch = std::string("torch.linalg.solve_triangular(x[0], x[1], upper=") +
            (upper ? "True" : "False") + ", left=" + (left ? "True" : "False") +
            ", unitriangular=" + (unit ? "True" : "False") + ")";
  s.halves = false;
  return s;
}

Tensor triangle_input(const Shape& shape, uint64_t seed) {
  return both_signs(shape, 0.6, 1.1, seed);
}

Row solve_triangular_row() {
  const auto t = [](const Shape& shape, uint64_t seed) { return triangle_input(shape, seed); };
  Row row{
      "solve_triangular",
      {triangular_sample("(3, 3)(3, 2), upper", {t({3, 3}, 1), t({3, 2}, 2)}, true, true, false),
       triangular_sample("(3, 3)(3, 2), lower, strided",
                         {strided(t({3, 3}, 3)), strided(t({3, 2}, 4))}, false, true, false),
       triangular_sample("(2, 1, 2, 2)(3, 2, 2), unitriangular",
                         {t({2, 1, 2, 2}, 5), t({3, 2, 2}, 6)}, true, true, true),
       triangular_sample("(3, 3)(2, 2, 3), right", {t({3, 3}, 7), t({2, 2, 3}, 8)}, true, false,
                         false),
       triangular_sample("(2, 3, 3)(2, 1, 3), right, lower, unitriangular",
                         {t({2, 3, 3}, 9), t({2, 1, 3}, 10)}, false, false, true),
       triangular_sample("(0, 0)(0, 2)", {t({0, 0}, 11), t({0, 2}, 12)}, true, true, false),
       triangular_sample("(2, 2)(2, 0)", {t({2, 2}, 13), t({2, 0}, 14)}, true, true, false)}};
  // The solution grows with every row: small numbers beside the diagonal.
  row.large = [] {
    return triangular_sample("large",
                             {raised(input({2, 150, 150}, 31) * 0.1), input({2, 150, 70}, 32)},
                             false, true, false);
  };
  row.scale = 8;
  row.errors = {error("no square",
                      [] {
                        return solve_triangular(ones({2, 3}), ones({3, 1}), true);
                      },
                      {"solve_triangular: ", "(2, 3)", "square"}),
                error("rows that do not fit",
                      [] {
                        return solve_triangular(ones({2, 2}), ones({3, 1}), true);
                      },
                      {"solve_triangular: ", "(2, 2)", "(3, 1)", "2 unknowns against 3 rows"}),
                error("columns that do not fit",
                      [] {
                        return solve_triangular(ones({2, 2}), ones({2, 3}), true, false);
                      },
                      {"solve_triangular: ", "3 columns"}),
                error("dtypes that differ",
                      [] {
                        return solve_triangular(ones({2, 2}), ones({2, 1}, DType::f64), true);
                      },
                      {"solve_triangular: ", "f32", "f64"}),
                error("batches that do not broadcast",
                      [] {
                        return solve_triangular(ones({2, 2, 2}), ones({3, 2, 1}), true);
                      },
                      {"solve_triangular: ", "(2,)", "(3,)"})};
  return row;
}

Row triangular_solve_row() {
  const auto make = [](const std::string& name, const Tensor& b, const Tensor& a, bool upper,
                       bool transpose, bool unit) {
    Sample s{name,
             {b, a},
             [=](const Tensors& in) -> Tensors {
               return {triangular_solve(in[0], in[1], upper, transpose, unit)};
             },
             by_matrix([=](const Matrices& m) -> Parts {
               return transpose ? substituted(turned(m[1]), m[0], !upper, unit)
                                : substituted(m[1], m[0], upper, unit);
             })};
    s.torch = std::string("torch.triangular_solve(x[0], x[1], upper=") +
              (upper ? "True" : "False") + ", transpose=" + (transpose ? "True" : "False") +
              ", unitriangular=" + (unit ? "True" : "False") + ")[0]";
    s.halves = false;
    return s;
  };
  const auto t = [](const Shape& shape, uint64_t seed) { return triangle_input(shape, seed); };
  Row row{"triangular_solve",
          {make("(3, 2)(3, 3)", t({3, 2}, 1), t({3, 3}, 2), true, false, false),
           make("(3, 2)(3, 3), transposed, strided", strided(t({3, 2}, 3)), strided(t({3, 3}, 4)),
                true, true, false),
           make("(2, 2, 1)(2, 2, 2), lower, transposed, unitriangular", t({2, 2, 1}, 5),
                t({2, 2, 2}, 6), false, true, true),
           make("(0, 2)(0, 0)", t({0, 2}, 7), t({0, 0}, 8), true, false, false)}};
  row.scale = 8;
  row.errors = {error("no square",
                      [] {
                        return triangular_solve(ones({2, 2}), ones({2, 3}));
                      },
                      {"triangular_solve: ", "(2, 3)"}),
                error("rows that do not fit",
                      [] {
                        return triangular_solve(ones({3, 2}), ones({2, 2}));
                      },
                      {"triangular_solve: ", "(2, 2)", "(3, 2)"}),
                error("a vector",
                      [] {
                        return triangular_solve(ones({2}), ones({2, 2}));
                      },
                      {"triangular_solve: ", "(2,)"})};
  return row;
}

// `kind`: 0 A X = B, 1 X A = B, 2 a vector.
Sample solve_sample(const std::string& name, const Tensor& a, const Tensor& b, int kind = 0) {
  const bool left = kind != 1;
  Sample s{name,
           {a, b},
           [=](const Tensors& in) -> Tensors { return {solve(raised(in[0]), in[1], left)}; },
           {}};
  const TensorFunction matrices = by_matrix([left](const Matrices& m) -> Parts {
    if (left) return {eliminated(raised(m[0]), m[1])};
    return {turned(eliminated(turned(raised(m[0])), turned(m[1])))};
  });
  s.reference = kind == 2 ? TensorFunction([matrices](const Tensors& in) -> Tensors {
    return {squeeze(matrices({in[0], unsqueeze(in[1], -1)})[0], -1)};
  })
                          : matrices;
  s.torch =
      "torch.linalg.solve(" + raised_in_torch() + ", x[1], left=" + (left ? "True" : "False") + ")";
  s.halves = false;
  return s;
}

Row solve_row() {
  Row row{"solve",
          {solve_sample("(3, 3)(3, 2)", input({3, 3}, 1), input({3, 2}, 2)),
           solve_sample("(3, 3)(3), a vector", input({3, 3}, 3), input({3}, 4), 2),
           solve_sample("(2, 3, 3)(2, 3), vectors", input({2, 3, 3}, 5), input({2, 3}, 6), 2),
           solve_sample("(2, 1, 2, 2)(3, 2, 2), strided", strided(input({2, 1, 2, 2}, 7)),
                        strided(input({3, 2, 2}, 8))),
           solve_sample("(3, 3)(2, 2, 3), right", input({3, 3}, 9), input({2, 2, 3}, 10), 1),
           solve_sample("(0, 0)(0, 2)", input({0, 0}, 11), input({0, 2}, 12)),
           solve_sample("(2, 2)(2, 0)", input({2, 2}, 13), input({2, 0}, 14))}};
  row.large = [] { return solve_sample("large", input({2, 150, 150}, 31), input({150, 70}, 32)); };
  row.scale = 4;
  row.errors = {error("no square",
                      [] {
                        return solve(ones({2, 3}), ones({3, 1}));
                      },
                      {"solve: ", "(2, 3)", "square"}),
                error("rows that do not fit",
                      [] {
                        return solve(ones({2, 2}), ones({3, 1}));
                      },
                      {"solve: ", "(2, 2)", "(3, 1)", "2 unknowns against 3 rows"}),
                error("a vector on the right", [] { return solve(eye(2), ones({2}), false); },
                      {"solve: b of shape (2,) is a vector", "left = false"}),
                error("dtypes that differ",
                      [] {
                        return solve(eye(2), ones({2, 1}, DType::f64));
                      },
                      {"solve: ", "f32", "f64"}),
                error("a singular item",
                      [] {
                        return solve(singular_batch(), ones({2, 2, 1}, DType::f64));
                      },
                      {"solve: batch item (1,): ", "singular", "pivot 1 of 2"})};
  return row;
}

}  // namespace

void add_equations(std::vector<Row>& rows) {
  for (auto* make : {&inverse_row, &det_row, &slogdet_row, &cholesky_row, &solve_triangular_row,
                     &triangular_solve_row, &solve_row}) {
    rows.push_back(make());
  }
}

}  // namespace adjoint::catalog
