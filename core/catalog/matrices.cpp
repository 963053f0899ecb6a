#include "core/catalog/matrices.h"

#include <adjoint/core/layout.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace adjoint::catalog {

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix c(a.rows, b.columns);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t k = 0; k < a.columns; ++k) {
      for (int64_t j = 0; j < b.columns; ++j) c.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return c;
}

Matrix turned(const Matrix& a) {
  Matrix b(a.columns, a.rows);
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < a.columns; ++j) b.at(j, i) = a.at(i, j);
  }
  return b;
}

Matrix identity(int64_t n) {
  Matrix a(n, n);
  for (int64_t i = 0; i < n; ++i) a.at(i, i) = 1;
  return a;
}

Matrix eliminated(Matrix a, Matrix b, double* determinant) {
  const int64_t n = a.rows;
  double det = 1;
  for (int64_t k = 0; k < n; ++k) {
    int64_t p = k;
    for (int64_t i = k; i < n; ++i) {
      if (std::abs(a.at(i, k)) > std::abs(a.at(p, k))) p = i;
    }
    for (int64_t j = 0; j < n && p != k; ++j) std::swap(a.at(k, j), a.at(p, j));
    for (int64_t j = 0; j < b.columns && p != k; ++j) std::swap(b.at(k, j), b.at(p, j));
    const double pivot = a.at(k, k);
    det *= p == k ? pivot : -pivot;
    for (int64_t j = 0; j < n; ++j) a.at(k, j) /= pivot;
    for (int64_t j = 0; j < b.columns; ++j) b.at(k, j) /= pivot;
    for (int64_t i = 0; i < n; ++i) {
      const double factor = a.at(i, k);
      if (i == k || factor == 0) continue;
      for (int64_t j = 0; j < n; ++j) a.at(i, j) -= factor * a.at(k, j);
      for (int64_t j = 0; j < b.columns; ++j) b.at(i, j) -= factor * b.at(k, j);
    }
  }
  if (determinant != nullptr) *determinant = det;
  return b;
}

Matrix full_rank_inverse(const Matrix& a) {
  const Matrix t = turned(a);
  if (a.rows >= a.columns) return eliminated(product(t, a), t);
  return turned(eliminated(product(a, t), a));
}

Eigen eigen_of(Matrix a) {
  const int64_t n = a.rows;
  Matrix v = identity(n);
  for (int sweep = 0; sweep < 12; ++sweep) {
    for (int64_t p = 0; p < n; ++p) {
      for (int64_t q = p + 1; q < n; ++q) {
        if (a.at(p, q) == 0) continue;
        const double theta = (a.at(q, q) - a.at(p, p)) / (2 * a.at(p, q));
        const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        const auto turn = [&](double& x, double& y) {
          const double old = x;
          x = c * old - s * y;
          y = s * old + c * y;
        };
        for (int64_t k = 0; k < n; ++k) turn(a.at(k, p), a.at(k, q));
        for (int64_t k = 0; k < n; ++k) turn(a.at(p, k), a.at(q, k));
        for (int64_t k = 0; k < n; ++k) turn(v.at(k, p), v.at(k, q));
      }
    }
  }
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t i, int64_t j) { return a.at(i, i) < a.at(j, j); });
  Eigen result{{}, Matrix(n, n)};
  for (int64_t j = 0; j < n; ++j) {
    const int64_t from = order[static_cast<size_t>(j)];
    result.values.push_back(a.at(from, from));
    for (int64_t k = 0; k < n; ++k) result.vectors.at(k, j) = v.at(k, from);
  }
  return result;
}

TensorFunction by_matrix(std::function<Parts(const Matrices&)> f) {
  return [f = std::move(f)](const Tensors& in) -> Tensors {
    Shape batch;
    std::vector<Array> arrays(in.begin(), in.end());
    const auto lead = [](const Shape& s) {
      return Shape(s.span().first(static_cast<size_t>(s.rank() - 2)));
    };
    for (const Array& a : arrays) batch = broadcast_shapes("reference", batch, lead(a.shape));
    std::vector<Shape> shapes;
    std::vector<std::vector<double>> data;
    const auto take = [&](Parts parts, bool counts) {
      shapes.resize(parts.size());
      data.resize(parts.size());
      for (size_t i = 0; i < parts.size(); ++i) {
        shapes[i] = parts[i].shape;
        if (counts) data[i].insert(data[i].end(), parts[i].data.begin(), parts[i].data.end());
      }
    };
    Matrices ones;
    for (const Array& a : arrays) {
      const int r = a.shape.rank();
      ones.emplace_back(a.shape[r - 2], a.shape[r - 1]);
      for (int64_t i = 0; i < std::min(ones.back().rows, ones.back().columns); ++i) {
        ones.back().at(i, i) = 1;
      }
    }
    take(f(ones), false);  // the sizes, also where the batch is empty
    for_each_index(batch, [&](const Shape& index) {
      Matrices matrices;
      for (size_t k = 0; k < arrays.size(); ++k) {
        Matrix m(ones[k].rows, ones[k].columns);
        for (int64_t i = 0; i < m.rows; ++i) {
          for (int64_t j = 0; j < m.columns; ++j) {
            Shape at = index;
            at.push_back(i);
            at.push_back(j);
            m.at(i, j) = arrays[k].broadcast(at);
          }
        }
        matrices.push_back(std::move(m));
      }
      take(f(matrices), true);
    });
    Tensors result;
    for (size_t i = 0; i < shapes.size(); ++i) {
      Shape shape = batch;
      for (const int64_t size : shapes[i]) shape.push_back(size);
      result.push_back(from_vector(data[i], shape));
    }
    return result;
  };
}

Tensor raised(const Tensor& x) {
  const int64_t m = x.shape()[x.dim() - 2], n = x.shape()[x.dim() - 1];
  std::vector<double> diagonal(static_cast<size_t>(m * n));
  for (int64_t i = 0; i < std::min(m, n); ++i) {
    diagonal[static_cast<size_t>(i * n + i)] = static_cast<double>(3 + i);
  }
  return x + from_vector(diagonal, {m, n}).to(x.dtype());
}
Tensor symmetric(const Tensor& x) { return raised((x + transpose(x, -2, -1)) * 0.5); }

Matrix raised(Matrix x) {
  for (int64_t i = 0; i < std::min(x.rows, x.columns); ++i)
    x.at(i, i) += static_cast<double>(3 + i);
  return x;
}
Matrix symmetric(const Matrix& x) {
  Matrix y = x;
  for (int64_t i = 0; i < x.rows; ++i) {
    for (int64_t j = 0; j < x.rows; ++j) y.at(i, j) = (x.at(i, j) + x.at(j, i)) / 2;
  }
  return raised(y);
}

std::string raised_in_torch(const std::string& x) {
  return "(" + x + " + torch.eye(" + x + ".shape[-2], " + x + ".shape[-1], dtype=" + x +
         ".dtype) * torch.arange(3, 3 + " + x + ".shape[-1]))";
}
std::string raised_in_torch() { return raised_in_torch("x[0]"); }
std::string symmetric_in_torch() { return raised_in_torch("((x[0] + x[0].mT) / 2)"); }

Sample of_raised(const std::string& name, const Tensor& x, const OfTensor& f,
                 const OfMatrix& reference, const std::string& torch) {
  Sample s{name,
           {x},
           [f](const Tensors& in) { return f(raised(in[0])); },
           by_matrix([reference](const Matrices& m) { return reference(raised(m[0])); })};
  s.torch = torch;
  s.halves = false;
  return s;
}
Sample of_symmetric(const std::string& name, const Tensor& x, const OfTensor& f,
                    const OfMatrix& reference, const std::string& torch) {
  Sample s{name,
           {x},
           [f](const Tensors& in) { return f(symmetric(in[0])); },
           by_matrix([reference](const Matrices& m) { return reference(symmetric(m[0])); })};
  s.torch = torch;
  s.halves = false;
  return s;
}

std::vector<ErrorCase> square_errors(const std::string& name,
                                     const std::function<void(const Tensor&)>& f) {
  return {error("no square",
                [f] {
                  f(ones({2, 3}));
                  return 0;
                },
                {name + ": ", "(2, 3)", "square"}),
          error("a vector",
                [f] {
                  f(ones({3}));
                  return 0;
                },
                {name + ": ", "(3,)"}),
          error("integers",
                [f] {
                  f(ones({2, 2}, DType::i64));
                  return 0;
                },
                {name + ": ", "i64", "f32 or f64"}),
          error("f16",
                [f] {
                  f(ones({2, 2}, DType::f16));
                  return 0;
                },
                {name + ": ", "f16"})};
}

}  // namespace adjoint::catalog
