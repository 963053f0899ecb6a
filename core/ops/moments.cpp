// Reductions of several steps: products, moments, norms.
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "core/ops/defined.h"
#include "core/ops/reduce.h"
#include "core/ops/scans.h"

namespace adjoint {
namespace {

using namespace reduction;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// y = sum (x - mean)^2 / (n - correction), or the root of that
// dx = dy 2 (x - mean) / (n - correction);   of the root: dx = dy (x - mean) / (n - correction) / y
Tensor spread(const char* name, bool root, const Tensor& x, const Shape& requested,
              double correction, bool keepdim) {
  const Op op(name, {x}, {{"dims", requested}, {"correction", correction}, {"keepdim", keepdim}});
  op.check_floating(0);
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  // As PyTorch: no degrees of freedom give NaN, or infinity where the mean leaves a remainder.
  const double divisor = std::max(0.0, static_cast<double>(dims.count) - correction);
  const Tensor center = reduced(op, Kind::sum, x, dims);
  divide(center, static_cast<double>(dims.count));
  Tensor y = reduced(op, Kind::squared_deviations, x, dims, center);
  divide(y, divisor);
  if (root) {
    const NoGrad guard;
    y = sqrt(y);
  }
  y = rounded(y, x.dtype());
  return op.differentiable(y,
                           [x = op.save(x), y = root ? op.save_output(y) : SavedTensor(), dims,
                            divisor](const Backward& b) -> Grads {
                             const Tensor x0 = to(
                                 *x, computed_in((*x).dtype()));  // not to cancel what is rounded
                             Tensor scale = reshape(b.dy(0), dims.keep) * (2.0 / divisor);
                             if (y.defined()) {
                               // As PyTorch's, 0 where all are equal, not the infinity of a root at
                               // 0.
                               const Tensor y0 = reshape(*y, dims.keep), none = y0 == 0.0;
                               scale = where(none, 0.0, scale / (where(none, 1.0, y0) * 2.0));
                             }
                             return {(x0 - mean(x0, dims.gone(), kKeepDim)) * scale};
                           });
}

// y = product of x;   dx_k = dy (product of those before k) (product of those after k)
Tensor product(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  const Shape requested = dim.has_value() && x.dim() > 0 ? Shape{*dim} : Shape();
  const Op op("prod", {x}, {{"dims", requested}, {"keepdim", keepdim}});
  if (dim.has_value()) normalize_dim("prod", *dim, x.dim());
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  if (is_half(x.dtype())) return to(product(to(x, DType::f32), dim, keepdim), x.dtype());
  if (!is_floating_point(x.dtype()) && x.dtype() != DType::i64) {
    return product(to(x, DType::i64), dim, keepdim);
  }
  Tensor y = reduced(op, Kind::product, x, dims);
  const int d = requested.empty() ? 0 : normalize_dim("prod", requested[0], x.dim());
  return op.differentiable(
      y,
      [x = op.save(x), keep = dims.keep, d, all = requested.empty()](const Backward& b) -> Grads {
        const Tensor x0 = *x;
        const Tensor line = all ? reshape(x0, {x0.numel()}) : x0;
        const Tensor before =
            scans::moved(scans::products("cumprod", line, d, false), d, false, 1.0);
        const Tensor after = scans::moved(scans::products("cumprod", line, d, true), d, true, 1.0);
        const Tensor others = before * after;
        return {reshape(b.dy(0), keep) * (all ? reshape(others, x0.shape()) : others)};
      });
}

// dx = dy (|x| / y)^(p - 1) sign(x), for a p that is neither 0 nor infinite; 0 where x or y is 0,
// beside which powers and their derivatives may be infinite.
Tensor norm_gradient(const Tensor& x, const Tensor& y, const Tensor& dy, double p) {
  if (p == 1) return sign(x) * dy;
  const Tensor none = y == 0.0, safe = where(none, 1.0, y);
  if (p == 2) return x * where(none, 0.0, dy / safe);
  const Tensor zero = x == 0.0;
  const Tensor power = where(zero, 0.0, pow(where(zero, 1.0, abs(x)), p - 1));
  return sign(x) * power * where(none, 0.0, dy * pow(safe, 1.0 - p));
}

// The elements that norms of infinite order choose: |x| = y. Shared, as extrema share.
Tensor norm_choice_gradient(const Tensor& x, const Tensor& y, const Tensor& dy, const Dims& dims) {
  return sign(x) * shared_among_equals(abs(x), y, dy, dims);
}

// The sum of |x|^p, or the extremum of |x|, and what norms make of it.
Tensor norm_value(const Op& op, const Tensor& x, double p, const Dims& dims) {
  const NoGrad guard;
  if (p == 0) {
    return to(reduced(op, Kind::sum, truth(x), dims, DType::i64), computed_in(x.dtype()));
  }
  if (p == 1) return reduced(op, Kind::absolute, x, dims);
  if (p == 2) return sqrt(reduced(op, Kind::squared_deviations, x, dims));
  if (std::isinf(p)) return reduced(op, p > 0 ? Kind::max : Kind::min, abs(x), dims);
  const Tensor powers = pow(abs(to(x, computed_in(x.dtype()))), p);
  return pow(reduced(op, Kind::sum, powers, dims), 1.0 / p);
}

// y = (sum |x|^p)^(1 / p);   dx: see norm_gradient
Tensor norm_of(const char* name, const char* order, const Tensor& x, double p,
               const Shape& requested, bool keepdim) {
  const Op op(name, {x}, {{order, p}, {"dims", requested}, {"keepdim", keepdim}});
  op.check_floating(0);
  op.check(!std::isnan(p), order, " is NaN; expected a number or an infinity");
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  op.check(dims.count > 0 || (p >= 0 && p < kInfinity), "no elements: shape ", x.shape(), ", dims ",
           requested, ", ", order, " ", p, "; expected at least one, or a finite ", order,
           " of 0 or more");
  Tensor y = rounded(norm_value(op, x, p, dims), x.dtype());
  return op.differentiable(
      y, [x = op.save(x), y = op.save_output(y), dims, p](const Backward& b) -> Grads {
        const Tensor dy = reshape(b.dy(0), dims.keep), x0 = *x, y0 = reshape(*y, dims.keep);
        if (p == 0) return {zeros_like(x0)};
        if (std::isinf(p)) return {norm_choice_gradient(x0, y0, dy, dims)};
        const DType wide = computed_in(x0.dtype());
        return {norm_gradient(to(x0, wide), to(y0, wide), to(dy, wide), p)};
      });
}

}  // namespace

Tensor var(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  return spread("var", false, x, dims, correction, keepdim);
}
Tensor var(const Tensor& x) { return var(x, Shape{}); }
Tensor std(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  return spread("std", true, x, dims, correction, keepdim);
}
Tensor std(const Tensor& x) { return adjoint::std(x, Shape{}); }

Tensor prod(const Tensor& x) { return product(x, std::nullopt, false); }
Tensor prod(const Tensor& x, int64_t dim, bool keepdim) { return product(x, dim, keepdim); }

Tensor norm(const Tensor& x, double p, const Shape& requested, bool keepdim) {
  return norm_of("norm", "p", x, p, requested, keepdim);
}
Tensor norm(const Tensor& x, double p) { return norm(x, p, {}); }
Tensor vector_norm(const Tensor& x, double ord, const Shape& requested, bool keepdim) {
  return norm_of("vector_norm", "ord", x, ord, requested, keepdim);
}
Tensor norm(const Tensor& x, const std::string& p, const Shape& dims, bool keepdim) {
  check<ConfigError>(p == "fro" || p == "nuc", "norm: p is '", p,
                     "'; expected \"fro\", \"nuc\" or a number");
  if (p == "fro") return norm(x, 2, dims, keepdim);
  check<ShapeError>(dims.rank() == 2 || (dims.empty() && x.dim() == 2),
                    "norm: p is \"nuc\" for shape ", x.shape(), ", dims ", dims,
                    "; expected a matrix, or two dimensions");
  return matrix_norm(x, p, dims.empty() ? Shape{-2, -1} : dims, keepdim);
}

// y = x / max(norm(x), eps)
Tensor normalize(const Tensor& x, double p, const Shape& dim, double eps) {
  check_defined("normalize", x, 0);
  check<DTypeError>(is_floating_point(x.dtype()), "normalize: input of dtype ", x.dtype(),
                    "; expected a floating dtype");
  check<ConfigError>(!std::isnan(p) && eps >= 0, "normalize: p ", p, " and eps ", eps,
                     "; expected numbers, eps of 0 or more");
  for (const int64_t d : dim) normalize_dim("normalize", d, x.dim());
  const Tensor wide = to(x, computed_in(x.dtype()));  // in which eps is not 0
  return to(wide / clamp_min(norm(wide, p, dim, kKeepDim), eps), x.dtype());
}

// y = log(sum(exp(x)));   dx = dy exp(x - y)
Tensor logsumexp(const Tensor& x, const Shape& requested, bool keepdim) {
  const Op op("logsumexp", {x}, {{"dims", requested}, {"keepdim", keepdim}});
  const Dims dims = reduced_dims(op, x, requested, keepdim);
  if (!is_floating_point(x.dtype())) return logsumexp(to(x, DType::f32), requested, keepdim);
  if (is_half(x.dtype())) {
    return to(logsumexp(to(x, DType::f32), requested, keepdim), x.dtype());
  }
  Tensor y;
  {
    const NoGrad guard;
    Dims kept = dims;
    kept.shape = dims.keep;
    // What is subtracted changes nothing but keeps exp finite; from infinities, nothing is.
    const Tensor highest = reduced(op, Kind::max, x, kept);
    const Tensor shift = where(isfinite(highest), highest, 0.0);
    y = reshape(log(reduced(op, Kind::sum, exp(x - shift), kept)) + shift, dims.shape);
  }
  return op.differentiable(
      y, [x = op.save(x), y = op.save_output(y), keep = dims.keep](const Backward& b) -> Grads {
        const Tensor y0 = reshape(*y, keep);
        const Tensor shift = where(y0 == -kInfinity, 0.0, y0);
        return {exp(*x - shift) * reshape(b.dy(0), keep)};
      });
}

}  // namespace adjoint
