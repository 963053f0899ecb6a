// Functions of matrices that are made of products, solutions and factors: all derivatives are
// theirs.
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "core/ops/linalg.h"

namespace adjoint {
namespace {

using namespace linalg;

// Throws unless factors (..., n, n) and b (..., n, k) are matrices of f32 or f64 that fit.
void check_factor(const Op& op, const Tensor& factor, const Tensor& b) {
  check_square(op, factor);
  check_matrix(op, b);
  op.check(rows(factor) == rows(b), "a factor of shape ", factor.shape(), " and b of shape ",
           b.shape(), "; expected as many rows");
  check_factorised(op, factor);
  op.check<DTypeError>(factor.dtype() == b.dtype(), "dtypes ", factor.dtype(), " and ", b.dtype(),
                       "; expected one dtype");
  static_cast<void>(broadcast_shapes(op.name(), batch_shape(factor), batch_shape(b)));
}

}  // namespace

Tensor logdet(const Tensor& a) {
  const Op op("logdet", {a});
  check_square(op, a);
  check_factorised(op, a);
  const auto [sign, logabsdet] = slogdet(a);
  return where(sign.detach() < 0.0, std::numeric_limits<double>::quiet_NaN(), logabsdet);
}

Tensor cholesky_solve(const Tensor& b, const Tensor& factor, bool upper) {
  const Op op("cholesky_solve", {b, factor}, {{"upper", upper}});
  check_factor(op, factor, b);
  const Tensor lower = upper ? mt(factor) : factor;
  return solve_triangular(mt(lower), solve_triangular(lower, b, false), true);
}

Tensor cholesky_inverse(const Tensor& factor, bool upper) {
  const Op op("cholesky_inverse", {factor}, {{"upper", upper}});
  check_square(op, factor);
  check_factorised(op, factor);
  return cholesky_solve(expand(eye(rows(factor), factor.dtype()), factor.shape()), factor, upper);
}

// --- least squares ---

namespace {

// How many singular values (descending; or sizes of eigenvalues) are above the tolerance; i64.
Tensor rank_of(const Tensor& values, double atol, double rtol) {
  if (values.numel() == 0) {
    return zeros(Shape(values.shape().span().first(static_cast<size_t>(values.dim() - 1))),
                 DType::i64);
  }
  const Tensor least = clamp_min(amax(values, {-1}, kKeepDim) * rtol, atol);
  return sum(values > least, {-1});
}

// Of a matrix of full rank: R X = Q^T B where there are more rows than columns, and else the
// smallest solution, Q R^-T B, of the factors of A^T.
Tensor solved_by_qr(const Tensor& a, const Tensor& b) {
  if (rows(a) >= columns(a)) {
    const auto [q, r] = qr(a);
    return solve_triangular(r, matmul(mt(q), b), true);
  }
  const auto [q, r] = qr(mt(a));
  return matmul(q, solve_triangular(mt(r), b, false));
}

}  // namespace

LeastSquares lstsq(const Tensor& a, const Tensor& b, std::optional<double> rcond,
                   const std::string& driver) {
  const Op op("lstsq", {a, b}, {{"rcond", rcond.value_or(-1)}, {"driver", driver.c_str()}});
  check_matrix(op, a);
  check_factorised(op, a);
  op.check<ConfigError>(
      driver == "gelsy" || driver == "gels" || driver == "gelsd" || driver == "gelss",
      "driver is '", driver, "'; expected \"gelsy\", \"gels\", \"gelsd\" or \"gelss\"");
  const Shape of_vector(a.shape().span().first(static_cast<size_t>(a.dim() - 1)));
  const bool vector = b.dim() == 1 || b.shape() == of_vector;
  const Tensor matrix = vector ? unsqueeze(b, -1) : b;
  const int64_t m = rows(a), n = columns(a);
  check_matrix(op, matrix);
  op.check(rows(matrix) == m, "shapes ", a.shape(), " and ", b.shape(), " do not fit: ", m,
           " equations against ", rows(matrix), " rows of b; expected as many");
  op.check<DTypeError>(a.dtype() == b.dtype(), "dtypes ", a.dtype(), " and ", b.dtype(),
                       "; expected one dtype");
  static_cast<void>(broadcast_shapes(op.name(), batch_shape(a), batch_shape(matrix)));
  const double rtol = rcond.value_or(static_cast<double>(std::max(m, n)) * epsilon(a.dtype()));

  LeastSquares result;
  bool full = driver == "gels";
  result.rank = zeros({0}, DType::i64);
  result.singular_values = zeros({0}, a.dtype());
  if (driver != "gels") {
    const NoGrad guard;
    const Tensor values = svdvals(a);
    result.rank = rank_of(values, 0, rtol);
    full = all(result.rank == std::min(m, n));
    if (driver != "gelsy") result.singular_values = values;
  }
  result.solution = full && std::min(m, n) > 0 ? solved_by_qr(a, matrix)
                                               : matmul(pinv(a, std::nullopt, rtol), matrix);
  result.residuals = m > n && full ? sum(square(matmul(a, result.solution) - matrix), {-2})
                                   : zeros({0}, a.dtype());
  if (!vector) return result;
  result.solution = squeeze(result.solution, -1);
  if (m > n && full) result.residuals = squeeze(result.residuals, -1);
  return result;
}

Tensor matrix_rank(const Tensor& a, std::optional<double> atol, std::optional<double> rtol,
                   bool hermitian) {
  const double absolute = atol.value_or(0.0);
  const Op op("matrix_rank", {a},
              {{"atol", absolute}, {"rtol", rtol.value_or(-1)}, {"hermitian", hermitian}});
  check_matrix(op, a);
  if (hermitian) check_square(op, a);
  check_factorised(op, a);
  op.check<ConfigError>(absolute >= 0 && rtol.value_or(0) >= 0, "atol is ", absolute, ", rtol ",
                        rtol.value_or(0), "; expected 0 or more");
  const bool given = rtol.has_value() || absolute > 0;
  const double relative = rtol.value_or(
      given ? 0.0 : static_cast<double>(std::max(rows(a), columns(a))) * epsilon(a.dtype()));
  const NoGrad guard;
  const Tensor values = hermitian ? abs(eigvalsh(a)) : svdvals(a);
  return op.no_gradient(rank_of(values, absolute, relative));
}

// --- exponentials ---

namespace {

// sum over k = 0 to 16 of x^k / k!, six products, for columns whose magnitudes add up to 1/2 at
// most: what is left out, and left out of the derivative, is below 1e-18.
Tensor taylor_exp(const Tensor& x) {
  const Tensor one = eye(rows(x), x.dtype()), x2 = matmul(x, x), x3 = matmul(x2, x),
               x4 = matmul(x2, x2);
  double factorial[17] = {1};
  for (int k = 1; k <= 16; ++k) factorial[k] = factorial[k - 1] * k;
  // Paterson and Stockmeyer's scheme: a polynomial in x^4 whose coefficients are cubic ones.
  Tensor y = x4 * (1 / factorial[16]);
  for (int k = 12; k >= 0; k -= 4) {
    y = y + one * (1 / factorial[k]) + x * (1 / factorial[k + 1]) + x2 * (1 / factorial[k + 2]) +
        x3 * (1 / factorial[k + 3]);
    if (k > 0) y = matmul(y, x4);
  }
  return y;
}

}  // namespace

// exp(x) = exp(x / 2^s)^(2^s), s being each matrix's own, that the rest of a batch changes nothing.
Tensor matrix_exp(const Tensor& x) {
  const Op op("matrix_exp", {x});
  check_square(op, x);
  op.check<DTypeError>(is_floating_point(x.dtype()), "a tensor of dtype ", x.dtype(),
                       "; expected a floating dtype; cast with to()");
  if (is_half(x.dtype())) return to(matrix_exp(to(x, DType::f32)), x.dtype());
  if (x.numel() == 0) return clone(x);
  Tensor halvings, scale;  // s and 2^-s, (..., 1, 1)
  {
    const NoGrad guard;
    const Tensor size = amax(sum(abs(x), {-2}, kKeepDim), {-1}, kKeepDim);
    const Tensor finite = where(isfinite(size), size, 0.0);
    // 2^-s is no denormal number; beyond that exp is not finite anyway.
    const double most = x.dtype() == DType::f64 ? 1000 : 120;
    halvings = clamp(ceil(log2(finite)) + 1.0, 0.0, most);
    scale = exp2(-halvings);
  }
  Tensor y = taylor_exp(x * scale);
  const auto most = static_cast<int64_t>(max(halvings).item());
  for (int64_t i = 0; i < most; ++i) {
    const Tensor wanted = halvings > static_cast<double>(i), squared = matmul(y, y);
    y = all(wanted) ? squared : where(wanted, squared, y);
  }
  return y;
}

// --- products ---

namespace {

// The product of tensors[from] to tensors[to], split where `split` says.
Tensor product_of(std::span<const Tensor> tensors, const std::vector<std::vector<size_t>>& split,
                  size_t from, size_t to) {
  if (from == to) return tensors[from];
  const size_t at = split[from][to];
  return matmul(product_of(tensors, split, from, at), product_of(tensors, split, at + 1, to));
}

}  // namespace

// In the order of the fewest multiplications, found by dynamic programming over the chain.
Tensor multi_dot(std::span<const Tensor> tensors) {
  const Op op("multi_dot", tensors);
  const size_t count = tensors.size();
  op.check(count >= 2, count, " tensors; expected two or more");
  std::vector<double> sizes;  // (sizes[i], sizes[i + 1]) is the shape of matrix i
  for (size_t i = 0; i < count; ++i) {
    const Tensor& x = tensors[i];
    const bool end = i == 0 || i + 1 == count;
    op.check(x.dim() == 2 || (end && x.dim() == 1), "tensor ", i, " is of shape ", x.shape(),
             "; expected a matrix", end ? ", or a vector" : "");
    op.check<DTypeError>(x.dtype() == tensors[0].dtype(), "tensor ", i, " is of dtype ", x.dtype(),
                         ", the first of ", tensors[0].dtype(), "; expected one dtype");
    const Shape shape = x.dim() == 2 ? x.shape()
                        : i == 0     ? Shape{1, x.numel()}
                                     : Shape{x.numel(), 1};
    if (i == 0) sizes.push_back(static_cast<double>(shape[0]));
    op.check(static_cast<double>(shape[0]) == sizes.back(), "tensor ", i, " is of shape ",
             x.shape(), "; expected ", static_cast<int64_t>(sizes.back()), " rows");
    sizes.push_back(static_cast<double>(shape[1]));
  }
  check_numbers(op, tensors[0].dtype());
  std::vector<std::vector<double>> cost(count, std::vector<double>(count));
  std::vector<std::vector<size_t>> split(count, std::vector<size_t>(count));
  for (size_t length = 1; length < count; ++length) {
    for (size_t from = 0; from + length < count; ++from) {
      const size_t to = from + length;
      cost[from][to] = std::numeric_limits<double>::infinity();
      for (size_t at = from; at < to; ++at) {
        const double own =
            cost[from][at] + cost[at + 1][to] + sizes[from] * sizes[at + 1] * sizes[to + 1];
        if (own >= cost[from][to]) continue;
        cost[from][to] = own;
        split[from][to] = at;
      }
    }
  }
  return product_of(tensors, split, 0, count - 1);
}

// y_i = a_(i + 1) b_(i + 2) - a_(i + 2) b_(i + 1)
Tensor cross(const Tensor& a, const Tensor& b, int64_t dim) {
  const Op op("cross", {a, b}, {{"dim", dim}});
  op.check(a.dim() == b.dim() && a.dim() > 0, "shapes ", a.shape(), " and ", b.shape(),
           "; expected as many dimensions, one or more");
  const int d = normalize_dim("cross", dim, a.dim());
  op.check(a.shape()[d] == 3 && b.shape()[d] == 3, "shapes ", a.shape(), " and ", b.shape(),
           ", dim ", dim, "; expected three elements along it");
  static_cast<void>(broadcast_shapes("cross", a.shape(), b.shape()));
  const DType dtype = promote(a.dtype(), b.dtype()), wide = computed_in(dtype);
  check_numbers(op, dtype);
  const Tensor a0 = to(a, wide), b0 = to(b, wide);
  return to(roll(a0 * roll(b0, {-1}, {d}) - roll(a0, {-1}, {d}) * b0, {-1}, {d}), dtype);
}

Tensor block_diag(std::span<const Tensor> tensors) {
  const Op op("block_diag", tensors);
  int64_t width = 0, before = 0;
  std::vector<Tensor> blocks;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& x = tensors[i];
    op.check(x.dim() <= 2, "tensor ", i, " is of shape ", x.shape(),
             "; expected two dimensions at most");
    blocks.push_back(x.dim() == 2 ? x : reshape(x, {1, x.numel()}));
    width += columns(blocks.back());
  }
  if (tensors.empty()) return zeros({1, 0});
  for (Tensor& block : blocks) {
    const int64_t own = columns(block);
    block = pad(block, {before, width - before - own});
    before += own;
  }
  return cat(blocks, 0);
}

}  // namespace adjoint
