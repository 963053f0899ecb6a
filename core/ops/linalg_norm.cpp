// Norms of matrices, and their powers.
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <cmath>
#include <limits>

#include "core/ops/linalg.h"

namespace adjoint {
namespace {

using namespace linalg;

// y = |x|;   dx = dy x / y, 0 where y is 0
Tensor frobenius_norm(const Tensor& x) {
  const Op op("matrix_norm", {x}, {{"ord", "fro"}});
  Tensor y;
  {
    const NoGrad guard;
    const Tensor wide = to(x, computed_in(x.dtype()));
    y = to(sqrt(sum(wide * wide, {-2, -1})), x.dtype());
  }
  return op.differentiable(y, [x = op.save(x), y = op.save_output(y)](const Backward& g) -> Grads {
    const Tensor y0 = *y;
    const Tensor size = where(y0 == 0, 1.0, y0);
    return {*x * unsqueeze(unsqueeze(g.dy(0) / size, -1), -1)};
  });
}

// The matrices of the two dimensions as the last two.
Tensor with_matrices_last(const Tensor& a, int first, int second) {
  Shape order;
  for (int d = 0; d < a.dim(); ++d) {
    if (d != first && d != second) order.push_back(d);
  }
  order.push_back(first);
  order.push_back(second);
  return permute(a, order);
}

// f of the matrices in two dimensions, one number each.
template <class F>
Tensor over_matrices(const Op& op, const Tensor& a, const Shape& dim, bool keepdim, const F& f) {
  check_matrix(op, a);
  op.check<DTypeError>(is_floating_point(a.dtype()), "a tensor of dtype ", a.dtype(),
                       "; expected a floating dtype; cast with to()");
  op.check(dim.rank() == 2, "dim is ", dim, "; expected two dimensions");
  const int first = normalize_dim(op.name(), dim[0], a.dim());
  const int second = normalize_dim(op.name(), dim[1], a.dim());
  op.check(first != second, "dim is ", dim, " for a tensor of shape ", a.shape(),
           "; expected two different dimensions");
  const Tensor y = f(with_matrices_last(a, first, second));
  if (!keepdim) return y;
  return unsqueeze(unsqueeze(y, std::min(first, second)), std::max(first, second));
}

}  // namespace

Tensor matrix_norm(const Tensor& a, const std::string& ord, const Shape& dim, bool keepdim) {
  const Op op("matrix_norm", {a}, {{"ord", ord.c_str()}, {"dim", dim}, {"keepdim", keepdim}});
  op.check<ConfigError>(ord == "fro" || ord == "nuc", "ord is '", ord,
                        "'; expected \"fro\", \"nuc\", or 1, 2, infinity or their negatives");
  return over_matrices(op, a, dim, keepdim, [&](const Tensor& x) {
    return ord == "fro" ? frobenius_norm(x) : sum(svdvals(x), {-1});
  });
}

Tensor matrix_norm(const Tensor& a, double ord, const Shape& dim, bool keepdim) {
  const Op op("matrix_norm", {a}, {{"ord", ord}, {"dim", dim}, {"keepdim", keepdim}});
  const double size = std::abs(ord);
  op.check<ConfigError>(size == 1 || size == 2 || size == std::numeric_limits<double>::infinity(),
                        "ord is ", ord,
                        "; expected \"fro\", \"nuc\", or 1, 2, infinity or their negatives");
  return over_matrices(op, a, dim, keepdim, [&](const Tensor& x) {
    const Tensor values = size == 2 ? svdvals(x) : sum(abs(x), {size == 1 ? -2 : -1});
    return ord > 0 ? amax(values, {-1}) : amin(values, {-1});
  });
}

Tensor matrix_power(const Tensor& x, int64_t n) {
  const Op op("matrix_power", {x}, {{"n", n}});
  check_square(op, x);
  check_numbers(op, x.dtype());
  op.check<DTypeError>(n >= 0 || is_floating_point(x.dtype()), "n is ", n, " for dtype ", x.dtype(),
                       "; expected a floating dtype, for an inverse; cast with to()");
  if (is_half(x.dtype())) return to(matrix_power(to(x, DType::f32), n), x.dtype());  // rounded once
  // The identity for n = 0 too has a history, and the gradient 0.
  if (n == 0) return expand(eye(rows(x), x.dtype()), x.shape()) + x * 0;
  Tensor square = n < 0 ? inverse(x) : x, power;
  for (uint64_t rest = n < 0 ? -static_cast<uint64_t>(n) : static_cast<uint64_t>(n);;) {
    if (rest % 2 == 1) power = power.defined() ? matmul(power, square) : square;
    rest /= 2;
    if (rest == 0) return power;
    square = matmul(square, square);
  }
}

}  // namespace adjoint
