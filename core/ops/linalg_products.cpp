// Products of matrices and vectors that are made of matmul, and products by index.
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <cmath>

#include "core/ops/einsum.h"
#include "core/ops/linalg.h"

namespace adjoint {
namespace {

using namespace linalg;

void check_product(const Op& op, const Tensor& a, const Tensor& b, int a_rank, int b_rank,
                   const char* expected) {
  op.check(a.dim() == a_rank && b.dim() == b_rank, "shapes ", a.shape(), " and ", b.shape(),
           "; expected ", expected);
  const int64_t k = a.shape().back(), other = b.shape()[b_rank == 1 ? 0 : b_rank - 2];
  op.check(k == other, "shapes ", a.shape(), " and ", b.shape(), " do not fit: ", k,
           " columns against ", other, " rows; expected ", expected);
  product_dtype(op, {&a, &b});
}

// Throws unless input broadcasts to the shape of the product of a and b, and may be added to it.
void check_summand(const Op& op, const Tensor& input, const Tensor& a, const Shape& shape) {
  product_dtype(op, {&input, &a});
  bool fits = input.dim() <= shape.rank();
  for (int i = 1; fits && i <= input.dim(); ++i) {
    const int64_t size = input.shape()[input.dim() - i];
    fits = size == 1 || size == shape[shape.rank() - i];
  }
  op.check(fits, "input of shape ", input.shape(), " for a product of shape ", shape,
           "; expected a shape that broadcasts to it");
}

// A b: one row times the transposed of a matrix, which is read at the speed of memory.
Tensor matrix_vector(const Tensor& a, const Tensor& b) { return linear(b, a); }

// beta input + alpha product(a, b); of 16 bits made in f32 and rounded once, of whole numbers in
// i64 with whole factors.
Tensor scaled_sum(const Op& op, const Tensor& input, const Tensor& a, const Tensor& b, double beta,
                  double alpha, Tensor (*product)(const Tensor&, const Tensor&)) {
  const DType dtype =
      op.computes_in(promote(input.dtype(), promote(a.dtype(), b.dtype())), Casts::product);
  const DType wide = computed_in(dtype);
  const auto factor = [&](double value) -> Scalar {
    if (is_floating_point(dtype)) return value;
    op.check<ConfigError>(value == std::trunc(value) && std::abs(value) < 0x1p63, "a factor of ",
                          value, " for operands of dtype ", dtype, "; expected a whole number");
    return static_cast<int64_t>(value);
  };
  Tensor y = to(product(to(a, wide), to(b, wide)), wide);
  if (alpha != 1) y = mul(std::move(y), factor(alpha));
  if (beta != 0) {
    const Tensor summand = to(input, wide);
    y = add(beta == 1 ? summand : summand * factor(beta), std::move(y));
  }
  return to(y, dtype);
}

}  // namespace

Tensor mm(const Tensor& a, const Tensor& b) {
  const Op op("mm", {a, b});
  check_product(op, a, b, 2, 2, "(m, k) and (k, n)");
  return matmul(a, b);
}

Tensor mv(const Tensor& a, const Tensor& b) {
  const Op op("mv", {a, b});
  check_product(op, a, b, 2, 1, "(m, k) and (k,)");
  return matrix_vector(a, b);
}

Tensor dot(const Tensor& a, const Tensor& b) {
  const Op op("dot", {a, b});
  check_product(op, a, b, 1, 1, "two vectors of one size");
  return sum_of_products(a, b, {0});
}

Tensor inner(const Tensor& a, const Tensor& b) {
  const Op op("inner", {a, b});
  if (a.dim() == 0 || b.dim() == 0) return a * b;
  product_dtype(op, {&a, &b});
  op.check(a.shape().back() == b.shape().back(), "shapes ", a.shape(), " and ", b.shape(),
           "; expected last dimensions of one size");
  if (a.dim() == 1 && b.dim() == 1) return dot(a, b);
  return tensordot(a, b, {-1}, {-1});
}

// y = beta input + alpha A B;   dinput = beta dy, dA = alpha dy B^T, dB = alpha A^T dy
Tensor addmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  const Op op("addmm", {input, a, b}, {{"beta", beta}, {"alpha", alpha}});
  check_product(op, a, b, 2, 2, "(m, k) and (k, n)");
  const int64_t n = columns(b);
  check_summand(op, input, a, {rows(a), n});
  // A bias is added in the product's epilogue.
  if (beta == 1 && alpha == 1 && input.shape() == Shape{n}) return linear(a, mt(b), input);
  return scaled_sum(op, input, a, b, beta, alpha, &matmul);
}

Tensor addmv(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  const Op op("addmv", {input, a, b}, {{"beta", beta}, {"alpha", alpha}});
  check_product(op, a, b, 2, 1, "(m, k) and (k,)");
  check_summand(op, input, a, {rows(a)});
  if (beta == 1 && alpha == 1 && input.shape() == Shape{rows(a)}) return linear(b, a, input);
  return scaled_sum(op, input, a, b, beta, alpha, &matrix_vector);
}

Tensor baddbmm(const Tensor& input, const Tensor& a, const Tensor& b, double beta, double alpha) {
  const Op op("baddbmm", {input, a, b}, {{"beta", beta}, {"alpha", alpha}});
  check_product(op, a, b, 3, 3, "(b, m, k) and (b, k, n)");
  op.check(a.shape()[0] == b.shape()[0], "shapes ", a.shape(), " and ", b.shape(),
           "; expected batches of one size");
  check_summand(op, input, a, {a.shape()[0], rows(a), columns(b)});
  return scaled_sum(op, input, a, b, beta, alpha, &bmm);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  const Op op("outer", {a, b});
  op.check(a.dim() == 1 && b.dim() == 1, "shapes ", a.shape(), " and ", b.shape(),
           "; expected two vectors");
  return unsqueeze(a, 1) * b;
}

// The dimensions of a and b alternate, and each pair becomes one.
Tensor kron(const Tensor& a, const Tensor& b) {
  const Op op("kron", {a, b});
  const int rank = std::max(a.dim(), b.dim());
  op.check(2 * rank <= kMaxDims, "shapes ", a.shape(), " and ", b.shape(), "; expected at most ",
           kMaxDims / 2, " dimensions");
  Shape of_a, of_b, shape;
  for (int d = 0; d < rank; ++d) {
    const int i = d - (rank - a.dim()), j = d - (rank - b.dim());
    const int64_t m = i < 0 ? 1 : a.shape()[i], n = j < 0 ? 1 : b.shape()[j];
    of_a.push_back(m);
    of_a.push_back(1);
    of_b.push_back(1);
    of_b.push_back(n);
    shape.push_back(m * n);
  }
  return reshape(reshape(a, of_a) * reshape(b, of_b), shape);
}

Tensor trace(const Tensor& x) {
  const Op op("trace", {x});
  op.check(x.dim() == 2, "a tensor of shape ", x.shape(), "; expected a matrix");
  return sum(diagonal(x, 0, -2, -1));
}

Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims) {
  const Op op("tensordot", {a, b}, {{"dims", dims}});
  op.check<IndexError>(dims >= 0 && dims <= std::min(a.dim(), b.dim()), "dims is ", dims,
                       " for shapes ", a.shape(), " and ", b.shape(),
                       "; expected no more than either has, and 0 or more");
  Shape a_dims, b_dims;
  for (int64_t i = 0; i < dims; ++i) {
    a_dims.push_back(a.dim() - dims + i);
    b_dims.push_back(i);
  }
  return tensordot(a, b, a_dims, b_dims);
}

// A dimension of size 1 that meets a longer one stands for all of it, as in PyTorch.
Tensor tensordot(const Tensor& a, const Tensor& b, const Shape& a_dims, const Shape& b_dims) {
  const Op op("tensordot", {a, b}, {{"a_dims", a_dims}, {"b_dims", b_dims}});
  op.check(a_dims.rank() == b_dims.rank(), "dims ", a_dims, " and ", b_dims,
           "; expected as many of a as of b");
  product_dtype(op, {&a, &b});
  std::vector<int> of_a, of_b, left;
  for (int d = 0; d < a.dim(); ++d) of_a.push_back(d);
  for (int d = 0; d < b.dim(); ++d) of_b.push_back(a.dim() + d);
  std::vector<bool> gone(static_cast<size_t>(a.dim() + b.dim()));
  for (int i = 0; i < a_dims.rank(); ++i) {
    const int p = normalize_dim(op.name(), a_dims[i], a.dim());
    const int q = normalize_dim(op.name(), b_dims[i], b.dim());
    const int64_t m = a.shape()[p], n = b.shape()[q];
    op.check(m == n || m == 1 || n == 1, "shapes ", a.shape(), " and ", b.shape(), ", dims ",
             a_dims, " and ", b_dims, ": sizes ", m, " and ", n, "; expected equal ones");
    const auto in_a = static_cast<size_t>(p), in_b = static_cast<size_t>(a.dim() + q);
    op.check(!gone[in_a] && !gone[in_b], "a dimension twice in ", a_dims, " or ", b_dims,
             "; expected each once");
    gone[in_a] = gone[in_b] = true;
    of_b[static_cast<size_t>(q)] = p;
  }
  for (int d = 0; d < a.dim() + b.dim(); ++d) {
    if (!gone[static_cast<size_t>(d)]) left.push_back(d);
  }
  return contract_labels(op, {{a, of_a}, {b, of_b}}, left);
}

}  // namespace adjoint
