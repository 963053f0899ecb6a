// Rows of functions of matrices that are made of products, solutions and factors.
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/matrices.h"

namespace adjoint::catalog {
namespace {

Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.1, 0.6, seed); }

Row logdet_row() {
  const auto make = [](const std::string& name, const Tensor& x) {
    return of_raised(
        name, x, [](const Tensor& a) -> Tensors { return {logdet(a)}; },
        [](const Matrix& a) -> Parts {
          double determinant = 1;
          eliminated(a, identity(a.rows), &determinant);
          return {std::log(determinant)};
        },
        "torch.logdet(" + raised_in_torch() + ")");
  };
  Row row{"logdet",
          {make("(3, 3)", input({3, 3}, 1)), make("(2, 1, 4, 4)", input({2, 1, 4, 4}, 2)),
           make("(2, 3, 3), strided", strided(input({2, 3, 3}, 3))),
           make("(0, 0)", input({0, 0}, 4)), make("(0, 3, 3)", input({0, 3, 3}, 5))}};
  row.scale = 4;
  row.errors = square_errors("logdet", [](const Tensor& x) { logdet(x); });
  return row;
}

// --- with Cholesky factors ---

// The factor that `factor` holds: a triangle of it.
Matrix triangle(const Matrix& x, bool upper) {
  Matrix y = x;
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.columns; ++j) {
      if (upper ? j < i : j > i) y.at(i, j) = 0;
    }
  }
  return upper ? turned(y) : y;  // lower
}
Matrix squared(const Matrix& lower) { return product(lower, turned(lower)); }

std::string triangle_in_torch(const std::string& x, bool upper) {
  return raised_in_torch(x) + (upper ? ".triu()" : ".tril()");
}

Row cholesky_solve_row() {
  const auto make = [](const std::string& name, const Tensor& b, const Tensor& factor, bool upper) {
    Sample s{name,
             {b, factor},
             binary([upper](const Tensor& right, const Tensor& f) {
               return cholesky_solve(right, raised(f), upper);
             }),
             by_matrix([upper](const Matrices& m) -> Parts {
               return {eliminated(squared(triangle(raised(m[1]), upper)), m[0])};
             })};
    s.torch = "torch.cholesky_solve(x[0], " + triangle_in_torch("x[1]", upper) + ", " +
              (upper ? "True)" : "False)");
    s.halves = false;
    return s;
  };
  Row row{"cholesky_solve",
          {make("(3, 2), (3, 3)", input({3, 2}, 1), input({3, 3}, 2), false),
           make("(2, 3, 2), (3, 3) strided, upper", input({2, 3, 2}, 3), strided(input({3, 3}, 4)),
                true),
           make("(3, 0), (3, 3)", input({3, 0}, 5), input({3, 3}, 6), false)}};
  row.scale = 4;
  row.errors = {error("other rows",
                      [] {
                        return cholesky_solve(ones({2, 1}), ones({3, 3}));
                      },
                      {"cholesky_solve: ", "(3, 3)", "(2, 1)"}),
                error("no square",
                      [] {
                        return cholesky_solve(ones({2, 1}), ones({2, 3}));
                      },
                      {"cholesky_solve: ", "(2, 3)", "square"}),
                error("other dtypes",
                      [] {
                        return cholesky_solve(ones({2, 1}, DType::f64), ones({2, 2}));
                      },
                      {"cholesky_solve: ", "f32", "f64"}),
                error("a vector",
                      [] {
                        return cholesky_solve(ones({2}), ones({2, 2}));
                      },
                      {"cholesky_solve: ", "(2,)", "two dimensions or more"})};
  return row;
}

Row cholesky_inverse_row() {
  const auto make = [](const std::string& name, const Tensor& x, bool upper) {
    return of_raised(
        name, x, [upper](const Tensor& f) -> Tensors { return {cholesky_inverse(f, upper)}; },
        [upper](const Matrix& f) -> Parts {
          return {eliminated(squared(triangle(f, upper)), identity(f.rows))};
        },
        "torch.cholesky_inverse(" + triangle_in_torch("x[0]", upper) + ", " +
            (upper ? "True)" : "False)"));
  };
  Row row{"cholesky_inverse",
          {make("(3, 3)", input({3, 3}, 1), false),
           make("(2, 3, 3) strided, upper", strided(input({2, 3, 3}, 2)), true),
           make("(0, 2, 2)", input({0, 2, 2}, 3), false)}};
  row.scale = 1;
  row.errors = square_errors("cholesky_inverse", [](const Tensor& x) { cholesky_inverse(x); });
  return row;
}

// --- least squares ---

Row lstsq_row() {
  // Of matrices of full rank, through (A^T A)^-1 A^T; A is raised(x[0]).
  const auto make = [](const std::string& name, const Tensor& x, const Tensor& b,
                       const std::string& driver) {
    const bool tall = x.shape()[x.dim() - 2] > x.shape().back();
    Sample s{name,
             {x, b},
             [=](const Tensors& in) -> Tensors {
               const LeastSquares y = lstsq(raised(in[0]), in[1], std::nullopt, driver);
               return tall ? Tensors{y.solution, y.residuals} : Tensors{y.solution};
             },
             by_matrix([tall](const Matrices& m) -> Parts {
               const Matrix a = raised(m[0]), solution = product(full_rank_inverse(a), m[1]);
               if (!tall) return {solution};
               const Matrix reached = product(a, solution);
               std::vector<double> residuals(static_cast<size_t>(m[1].columns));
               for (int64_t i = 0; i < m[1].rows; ++i) {
                 for (int64_t k = 0; k < m[1].columns; ++k) {
                   const double off = reached.at(i, k) - m[1].at(i, k);
                   residuals[static_cast<size_t>(k)] += off * off;
                 }
               }
               return {solution, residuals};
             })};
    // Its residuals have no gradient.
    s.torch = "(lambda a, y: (y, ((a @ y - x[1]) ** 2).sum(-2))" + std::string(tall ? "" : "[0]") +
              ")(*(lambda a: (a, torch.linalg.lstsq(a, x[1], driver='" + driver + "').solution))(" +
              raised_in_torch() + "))";
    s.halves = false;
    return s;
  };
  Row row{"lstsq",
          {make("(4, 2), (4, 3)", input({4, 2}, 1), input({4, 3}, 2), "gelsy"),
           make("(2, 3, 3), (2, 3, 1)", input({2, 3, 3}, 3), input({2, 3, 1}, 4), "gelsd"),
           make("(2, 4) strided, (2, 2)", strided(input({2, 4}, 5)), input({2, 2}, 6), "gels"),
           make("(5, 3), (5, 1)", input({5, 3}, 7), input({5, 1}, 8), "gelss")}};
  Sample none = make("(0, 3, 2), (0, 3, 1)", input({0, 3, 2}, 9), input({0, 3, 1}, 10), "gelsy");
  row.samples.push_back(none);
  // Of rank 2: the pseudo-inverse of B C is that of C times that of B.
  Sample low{"(4, 2)(2, 3), of rank 2, (4, 1)",
             {input({4, 2}, 11), input({2, 3}, 12), input({4, 1}, 13)},
             [](const Tensors& in) -> Tensors {
               return {lstsq(matmul(raised(in[0]), raised(in[1])), in[2], 1e-5).solution};
             },
             by_matrix([](const Matrices& m) -> Parts {
               return {product(full_rank_inverse(raised(m[1])),
                               product(full_rank_inverse(raised(m[0])), m[2]))};
             })};
  low.torch = "torch.linalg.lstsq(" + raised_in_torch() + " @ " + raised_in_torch("x[1]") +
              ", x[2], rcond=1e-5).solution";
  low.halves = false;
  row.samples.push_back(low);
  row.scale = 4;
  row.errors = {error("other rows",
                      [] {
                        return lstsq(ones({3, 2}), ones({2, 1})).solution;
                      },
                      {"lstsq: ", "(3, 2)", "(2, 1)", "3 equations"}),
                error("an unknown driver",
                      [] {
                        return lstsq(ones({3, 2}), ones({3}), std::nullopt, "qr").solution;
                      },
                      {"lstsq: driver is 'qr'", "gelsy"}),
                error("integers",
                      [] {
                        return lstsq(ones({3, 2}, DType::i64), ones({3})).solution;
                      },
                      {"lstsq: ", "i64"}),
                error("other dtypes",
                      [] {
                        return lstsq(ones({3, 2}), ones({3}, DType::f64)).solution;
                      },
                      {"lstsq: ", "f32", "f64"})};
  return row;
}

Row matrix_rank_row() {
  // Of a product of matrices of full rank, whose rank is the size between them.
  const auto make = [](const std::string& name, const Tensor& a, const Tensor& b, bool hermitian) {
    const TensorFunction reference = by_matrix([](const Matrices& m) -> Parts {
      return {static_cast<double>(std::min({m[0].rows, m[0].columns, m[1].columns}))};
    });
    Sample s{
        name,
        {a, b},
        binary([hermitian](const Tensor& x, const Tensor& y) {
          const Tensor z = matmul(raised(x), raised(y));
          return matrix_rank(hermitian ? matmul(z, transpose(z, -2, -1)) : z, std::nullopt, 1e-4,
                             hermitian);
        }),
        [reference](const Tensors& in) -> Tensors { return {reference(in)[0].to(DType::i64)}; }};
    const std::string z = raised_in_torch() + " @ " + raised_in_torch("x[1]");
    s.torch = "torch.linalg.matrix_rank(" + (hermitian ? "(lambda z: z @ z.mT)(" + z + ")" : z) +
              ", rtol=1e-4, hermitian=" + (hermitian ? "True)" : "False)");
    s.halves = false;
    return s;
  };
  Row row{"matrix_rank",
          {make("(4, 2)(2, 3)", input({4, 2}, 1), input({2, 3}, 2), false),
           make("(2, 3, 3)(3, 3) strided", input({2, 3, 3}, 3), strided(input({3, 3}, 4)), false),
           make("(4, 2)(2, 3), symmetric", input({4, 2}, 5), input({2, 3}, 6), true),
           make("(0, 2, 2)(2, 3)", input({0, 2, 2}, 7), input({2, 3}, 8), false)}};
  row.errors = {error("a vector", [] { return matrix_rank(ones({3})); }, {"matrix_rank: ", "(3,)"}),
                error("integers",
                      [] {
                        return matrix_rank(ones({2, 2}, DType::i64));
                      },
                      {"matrix_rank: ", "i64"}),
                error("a negative tolerance",
                      [] {
                        return matrix_rank(ones({2, 2}), -1.0);
                      },
                      {"matrix_rank: atol is -1"}),
                no_derivative(row.samples.front())};
  row.differentiable = false;
  return row;
}

// --- exponentials ---

Row matrix_exp_row() {
  // By the sum of x^k / k!, x being small or of one sign.
  const auto series = [](const Matrix& x) -> Parts {
    Matrix term = identity(x.rows), sum = term;
    for (int k = 1; k < 60; ++k) {
      term = product(term, x);
      for (size_t i = 0; i < term.data.size(); ++i) sum.data[i] += term.data[i] /= k;
    }
    return {sum};
  };
  const auto make = [series](const std::string& name, const Tensor& x) {
    Sample s{name,
             {x},
             unary([](const Tensor& a) { return matrix_exp(a); }),
             by_matrix([series](const Matrices& m) { return series(m[0]); })};
    s.torch = "torch.linalg.matrix_exp(x[0])";
    return s;
  };
  // Items whose scales are 1 and 2^-4.
  const Tensor sizes = tensor({0.05, 1.0, 1.75}, {3, 1, 1});
  Row row{
      "matrix_exp",
      {make("(3, 3)", input({3, 3}, 1)),
       make("(3, 4, 4), small and large", spread({3, 4, 4}, 0.1, 1.2, 2) * sizes),
       make("(2, 3, 3) strided", strided(input({2, 3, 3}, 3))), make("(1, 1)", input({1, 1}, 4)),
       make("(0, 2, 2)", input({0, 2, 2}, 5)), make("(2, 0, 0)", input({2, 0, 0}, 6))}};
  row.ulps = 32;  // each of up to five squarings doubles the error
  row.scale = 1;
  row.gradient_ulps = 256;
  row.errors = {error("no square",
                      [] {
                        return matrix_exp(ones({2, 3}));
                      },
                      {"matrix_exp: ", "(2, 3)", "square"}),
                error("a vector", [] { return matrix_exp(ones({3})); }, {"matrix_exp: ", "(3,)"}),
                error("integers",
                      [] {
                        return matrix_exp(ones({2, 2}, DType::i64));
                      },
                      {"matrix_exp: ", "i64"})};
  return row;
}

// --- products ---

Row multi_dot_row() {
  const auto make = [](const std::string& name, const Tensors& inputs) {
    Sample s{name, inputs, [](const Tensors& in) -> Tensors { return {multi_dot(in)}; },
             [](const Tensors& in) -> Tensors {
               const auto matrix = [](const Tensor& x, bool row) {
                 const Array a(x);
                 Matrix m(x.dim() == 2 ? x.shape()[0]
                          : row        ? 1
                                       : x.numel(),
                          x.dim() == 2 ? x.shape()[1]
                          : row        ? x.numel()
                                       : 1);
                 m.data = a.data;
                 return m;
               };
               Matrix y = matrix(in[0], true);
               for (size_t i = 1; i < in.size(); ++i) y = product(y, matrix(in[i], false));
               Shape shape;
               if (in.front().dim() == 2) shape.push_back(y.rows);
               if (in.back().dim() == 2) shape.push_back(y.columns);
               return {from_vector(y.data, shape)};
             }};
    s.torch = "torch.linalg.multi_dot(x)";
    return s;
  };
  Row row{"multi_dot",
          {make("(2, 3)(3, 4)(4, 2)(2, 5)",
                {input({2, 3}, 1), input({3, 4}, 2), input({4, 2}, 3), input({2, 5}, 4)}),
           make("(3)(3, 4) strided (4)", {input({3}, 5), strided(input({3, 4}, 6)), input({4}, 7)}),
           make("(0, 3)(3, 2)(2, 4)", {input({0, 3}, 8), input({3, 2}, 9), input({2, 4}, 10)}),
           make("(3, 2)(2, 4)", {input({3, 2}, 11), input({2, 4}, 12)})}};
  row.scale = 2;
  row.bf16_roundings = 4;
  row.bf16_gradient_roundings = 6;
  row.errors = {error("one tensor",
                      [] {
                        return multi_dot({ones({2, 2})});
                      },
                      {"multi_dot: 1 tensors", "two or more"}),
                error("a vector between others",
                      [] {
                        return multi_dot({ones({2, 2}), ones({2}), ones({2, 2})});
                      },
                      {"multi_dot: tensor 1", "(2,)", "a matrix"}),
                error("sizes that do not fit",
                      [] {
                        return multi_dot({ones({2, 3}), ones({2, 2})});
                      },
                      {"multi_dot: tensor 1", "(2, 2)", "3 rows"})};
  return row;
}

Row cross_row() {
  const auto make = [](const std::string& name, const Tensor& a, const Tensor& b, int64_t dim) {
    Sample s{name,
             {a, b},
             binary([dim](const Tensor& x, const Tensor& y) { return cross(x, y, dim); }),
             [dim](const Tensors& in) -> Tensors {
               const Array x(in[0]), y(in[1]);
               const Shape shape = broadcast_shapes("reference", x.shape, y.shape);
               const int d = static_cast<int>(dim < 0 ? dim + shape.rank() : dim);
               return {make_array(shape, [&](Shape i) {
                         Shape j = i, k = i;
                         j[d] = (i[d] + 1) % 3;
                         k[d] = (i[d] + 2) % 3;
                         return x.broadcast(j) * y.broadcast(k) - x.broadcast(k) * y.broadcast(j);
                       }).tensor()};
             }};
    s.torch = "torch.linalg.cross(x[0], x[1], dim=" + std::to_string(dim) + ")";
    return s;
  };
  Row row{"cross",
          {make("(2, 3), (2, 3)", input({2, 3}, 1), input({2, 3}, 2), -1),
           make("(3, 4) strided, (3, 1), 0", strided(input({3, 4}, 3)), input({3, 1}, 4), 0),
           make("(2, 3, 1), (1, 3, 2), 1", input({2, 3, 1}, 5), input({1, 3, 2}, 6), 1),
           make("(0, 3), (0, 3)", input({0, 3}, 7), input({0, 3}, 8), -1)}};
  row.samples.push_back(whole(row.samples.front()));
  row.scale = 1;
  row.errors = {error("two numbers", [] { return cross(ones({2}), ones({2})); },
                      {"cross: ", "(2,)", "three elements"}),
                error("other numbers of dimensions",
                      [] {
                        return cross(ones({2, 3}), ones({3}));
                      },
                      {"cross: ", "(2, 3)", "(3,)", "as many dimensions"}),
                error("bools",
                      [] {
                        const Tensor x = zeros({3}, DType::boolean);
                        return cross(x, x);
                      },
                      {"cross: ", "bool"})};
  return row;
}

Row block_diag_row() {
  const auto make = [](const std::string& name, const Tensors& inputs) {
    Sample s{name, inputs, [](const Tensors& in) -> Tensors { return {block_diag(in)}; },
             [](const Tensors& in) -> Tensors {
               std::vector<Array> blocks;
               Shape shape{0, 0};
               for (const Tensor& x : in) {
                 blocks.emplace_back(x);
                 while (blocks.back().shape.rank() < 2) blocks.back().shape.insert(0, 1);
                 for (int d = 0; d < 2; ++d) shape[d] += blocks.back().shape[d];
               }
               Array y(shape);
               int64_t row = 0, column = 0;
               for (const Array& block : blocks) {
                 for_each_index(block.shape, [&](const Shape& i) {
                   y.at({row + i[0], column + i[1]}) = block.at(i);
                 });
                 row += block.shape[0];
                 column += block.shape[1];
               }
               return {y.tensor()};
             }};
    s.torch = "torch.block_diag(*x)";
    return s;
  };
  Row row{"block_diag",
          {make("(2, 3), (), (2)", {input({2, 3}, 1), input({}, 2), input({2}, 3)}),
           make("(3, 2) strided, (1, 2)", {strided(input({3, 2}, 4)), input({1, 2}, 5)}),
           make("(0, 3), (2, 2)", {input({0, 3}, 6), input({2, 2}, 7)}),
           make("(2, 2)", {input({2, 2}, 8)})}};
  row.errors = {error("three dimensions",
                      [] {
                        return block_diag({ones({2}), ones({1, 2, 3})});
                      },
                      {"block_diag: tensor 1", "(1, 2, 3)", "two dimensions"}),
                error("an undefined tensor",
                      [] {
                        return block_diag({ones({2}), Tensor()});
                      },
                      {"block_diag: ", "undefined"}),
                wrong_gradient("cat", row.samples.front())};
  return row;
}

}  // namespace

void add_matrix_functions(std::vector<Row>& rows) {
  for (auto* make :
       {&logdet_row, &cholesky_solve_row, &cholesky_inverse_row, &lstsq_row, &matrix_rank_row,
        &matrix_exp_row, &multi_dot_row, &cross_row, &block_diag_row}) {
    rows.push_back(make());
  }
}

}  // namespace adjoint::catalog
