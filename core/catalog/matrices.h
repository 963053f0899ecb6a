// Matrices of numbers for references, and samples of functions of well-conditioned matrices.
//
// Inputs are small numbers to which a diagonal of 3, 4, 5, ... is added: such matrices are well
// conditioned, whatever is done to the inputs, and their eigenvalues and singular values differ.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/catalog/builders.h"

namespace adjoint::catalog {

struct Matrix {
  int64_t rows, columns;
  std::vector<double> data;

  Matrix(int64_t m, int64_t n) : rows(m), columns(n), data(static_cast<size_t>(m * n)) {}
  double& at(int64_t i, int64_t j) { return data[static_cast<size_t>(i * columns + j)]; }
  double at(int64_t i, int64_t j) const { return data[static_cast<size_t>(i * columns + j)]; }
};
using Matrices = std::vector<Matrix>;

Matrix product(const Matrix& a, const Matrix& b);
Matrix turned(const Matrix& a);  // transposed
Matrix identity(int64_t n);
// A^-1 B and det A by Gauss-Jordan elimination with pivoting.
Matrix eliminated(Matrix a, Matrix b, double* determinant = nullptr);
// (A^T A)^-1 A^T or A^T (A A^T)^-1 of a matrix of full rank.
Matrix full_rank_inverse(const Matrix& a);

struct Eigen {
  std::vector<double> values;  // ascending
  Matrix vectors;              // columns
};
Eigen eigen_of(Matrix a);  // of a symmetric matrix, by Jacobi's rotations

// One result for a matrix: its sizes beside those of the batch, and the numbers.
struct Part {
  Shape shape;
  std::vector<double> data;
  Part(const Matrix& m) : shape{m.rows, m.columns}, data(m.data) {}  // NOLINT
  Part(std::vector<double> v)                                        // NOLINT
      : shape{static_cast<int64_t>(v.size())}, data(std::move(v)) {}
  Part(double v) : data{v} {}  // NOLINT
};
using Parts = std::vector<Part>;

// f of the matrices at each place of the batch, to which the inputs broadcast.
TensorFunction by_matrix(std::function<Parts(const Matrices&)> f);

// x with the diagonal added; and its symmetric part so.
Tensor raised(const Tensor& x);
Tensor symmetric(const Tensor& x);
Matrix raised(Matrix x);
Matrix symmetric(const Matrix& x);
std::string raised_in_torch(const std::string& x);
std::string raised_in_torch();     // of x[0]
std::string symmetric_in_torch();  // of x[0]

// Samples of f(raised(x)) and f(symmetric(x)), which take f64 and f32.
using OfTensor = std::function<Tensors(const Tensor&)>;
using OfMatrix = std::function<Parts(const Matrix&)>;
Sample of_raised(const std::string& name, const Tensor& x, const OfTensor& f,
                 const OfMatrix& reference, const std::string& torch);
Sample of_symmetric(const std::string& name, const Tensor& x, const OfTensor& f,
                    const OfMatrix& reference, const std::string& torch);

// The wrong calls of functions of square matrices of f32 and f64.
std::vector<ErrorCase> square_errors(const std::string& name,
                                     const std::function<void(const Tensor&)>& f);

}  // namespace adjoint::catalog
