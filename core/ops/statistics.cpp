// Moments without NaN and in pairs, quantiles, covariances, differences and areas: compositions,
// those of 16 bits in f32 and rounded once.
#include <adjoint/core/statistics.h>

#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/scans.h>
#include <adjoint/core/sorting.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "core/ops/pointwise.h"

namespace adjoint {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// f of x in what its dtype is computed in, rounded once.
template <class F>
Tensor in_wide(const Tensor& x, const F& f) {
  return to(f(widened(x)), x.dtype());
}

// Throws unless dims are dimensions of x, each once.
void check_dims(const Op& op, const Tensor& x, const Shape& dims) {
  bool seen[kMaxDims] = {};
  for (const int64_t dim : dims) {
    const int d = normalize_dim(op.name(), dim, x.dim());
    op.check(!seen[d], "dimension ", dim, " twice in ", dims, "; expected each dimension once");
    seen[d] = true;
  }
}

}  // namespace

Tensor nansum(const Tensor& x, const Shape& dims, bool keepdim) {
  const Op op("nansum", {x}, {{"dims", dims}, {"keepdim", keepdim}});
  check_dims(op, x, dims);
  if (!is_floating_point(x.dtype())) return sum(x, dims, keepdim);
  return sum(where(isnan(x.detach()), 0.0, x), dims, keepdim);
}

Tensor nanmean(const Tensor& x, const Shape& dims, bool keepdim) {
  const Op op("nanmean", {x}, {{"dims", dims}, {"keepdim", keepdim}});
  op.check_floating(0);
  check_dims(op, x, dims);
  return in_wide(x, [&](const Tensor& wide) {
    const Tensor counted = logical_not(isnan(wide.detach()));
    return nansum(wide, dims, keepdim) / to(sum(counted, dims, keepdim), wide.dtype());
  });
}

VarAndMean var_mean(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  const Op op("var_mean", {x}, {{"dims", dims}, {"correction", correction}, {"keepdim", keepdim}});
  op.check_floating(0);
  check_dims(op, x, dims);
  return {var(x, dims, correction, keepdim), mean(x, dims, keepdim)};
}
StdAndMean std_mean(const Tensor& x, const Shape& dims, double correction, bool keepdim) {
  const Op op("std_mean", {x}, {{"dims", dims}, {"correction", correction}, {"keepdim", keepdim}});
  op.check_floating(0);
  check_dims(op, x, dims);
  return {adjoint::std(x, dims, correction, keepdim), mean(x, dims, keepdim)};
}

MinAndMax aminmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  const Op op("aminmax", {x}, {{"dim", dim.value_or(-1)}, {"keepdim", keepdim}});
  Shape dims;
  if (dim.has_value()) {
    const int d = normalize_dim("aminmax", *dim, x.dim());
    if (x.dim() > 0) dims = {d};
  }
  const int64_t count = dims.empty() ? x.numel() : x.shape()[static_cast<int>(dims[0])];
  op.check(count > 0, "no elements to choose from: shape ", x.shape(), ", dims ", dims,
           "; expected at least one");
  return {amin(x, dims, keepdim), amax(x, dims, keepdim)};
}

// --- quantiles ---

namespace {

// The numbers of the elements that a quantile lies between, and how far it is from the lower one.
struct Ranks {
  Tensor below, above, weight;
};
Ranks ranks_of(const Tensor& rank, QuantileInterpolation interpolation) {
  const Tensor exact = rank.detach();
  switch (interpolation) {
    case QuantileInterpolation::lower:
      return {floor(exact), {}, {}};
    case QuantileInterpolation::higher:
      return {ceil(exact), {}, {}};
    case QuantileInterpolation::nearest:
      return {round(exact), {}, {}};
    case QuantileInterpolation::midpoint:
      return {floor(exact), ceil(exact), full({}, 0.5, rank.dtype())};
    case QuantileInterpolation::linear:
      break;
  }
  const Tensor below = floor(exact);
  return {below, ceil(exact), rank - below};
}

void check_quantiles(const Op& op, const Tensor& x, const Tensor& q) {
  op.check(q.dim() <= 1, "q of shape ", q.shape(), "; expected a number or one dimension");
  op.check<DTypeError>(computed_in(q.dtype()) == computed_in(x.dtype()), "q is of dtype ",
                       q.dtype(), ", x of ", x.dtype(), "; expected the same");
  const NoGrad guard;
  const Tensor wrong = masked_select(q, logical_not(logical_and(q >= 0.0, q <= 1.0)));
  if (wrong.numel() > 0) {
    fail<ConfigError>(op.name(), ": q is ", select(wrong, 0, 0).item(),
                      "; expected numbers from 0 to 1");
  }
}

// y = (1 - w) s[floor(r)] + w s[ceil(r)], s = x in order, r = q (n - 1); n counts no NaN where
// those are passed over.
Tensor quantile_of(const Op& op, const Tensor& x, const Tensor& q, std::optional<int64_t> dim,
                   bool keepdim, QuantileInterpolation interpolation, bool pass_nan) {
  op.check_floating(0);
  check_quantiles(op, x, q);
  const int d = dim.has_value() ? normalize_dim(op.name(), *dim, x.dim()) : 0;
  const bool all = !dim.has_value() || x.dim() == 0;
  const Tensor line = all ? reshape(x, {x.numel()}) : movedim(x, {d}, {-1});
  const int64_t n = line.shape().back(), count = q.numel();
  op.check(n > 0, "no elements to choose from: shape ", x.shape(), "; expected at least one");
  const Tensor sorted = widened(sort(line, -1).values);  // (..., n), NaN at the end
  // Places that f32 does not hold are counted in f64.
  const DType wide = n > (1 << 24) ? DType::f64 : sorted.dtype();
  Tensor last, without;  // (..., 1)
  {
    const NoGrad guard;
    const Tensor numbers = sum(logical_not(isnan(sorted)), {-1}, kKeepDim);
    without = pass_nan ? numbers == 0 : numbers < n;
    last = pass_nan ? to(clamp_min(numbers - 1, 0), wide) : full_like(to(numbers, wide), n - 1);
  }
  const auto [below, above, weight] = ranks_of(reshape(to(q, wide), {count}) * last, interpolation);
  const auto pick = [&](const Tensor& rank) { return gather(sorted, -1, to(rank, DType::i64)); };
  Tensor y = pick(below);
  if (weight.defined()) y = lerp(y, pick(above), to(weight, y.dtype()));
  // Of q's dimension, the first, and those of x that are left.
  y = movedim(to(where(without, kNaN, y), x.dtype()), {-1}, {0});
  if (keepdim) {
    Shape kept = Shape::filled(x.dim(), 1);
    kept.insert(0, count);
    y = all ? reshape(y, kept) : unsqueeze(y, d + 1);
  }
  return q.dim() == 0 ? squeeze(y, 0) : y;
}

// The number as quantile_of takes it: not rounded to 16 bits.
Tensor number(const Tensor& x, double q) {
  return scalar_tensor(q, is_floating_point(x.dtype()) ? computed_in(x.dtype()) : DType::f32);
}

}  // namespace

Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                QuantileInterpolation interpolation) {
  const Op op("quantile", {x, q}, {{"dim", dim.value_or(-1)}, {"keepdim", keepdim}});
  return quantile_of(op, x, q, dim, keepdim, interpolation, false);
}
Tensor quantile(const Tensor& x, double q, std::optional<int64_t> dim, bool keepdim,
                QuantileInterpolation interpolation) {
  const Op op("quantile", {x}, {{"q", q}, {"dim", dim.value_or(-1)}, {"keepdim", keepdim}});
  return quantile_of(op, x, number(x, q), dim, keepdim, interpolation, false);
}

Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim, bool keepdim,
                   QuantileInterpolation interpolation) {
  const Op op("nanquantile", {x, q}, {{"dim", dim.value_or(-1)}, {"keepdim", keepdim}});
  return quantile_of(op, x, q, dim, keepdim, interpolation, true);
}
Tensor nanquantile(const Tensor& x, double q, std::optional<int64_t> dim, bool keepdim,
                   QuantileInterpolation interpolation) {
  const Op op("nanquantile", {x}, {{"q", q}, {"dim", dim.value_or(-1)}, {"keepdim", keepdim}});
  return quantile_of(op, x, number(x, q), dim, keepdim, interpolation, true);
}

// --- covariances ---

namespace {

void check_weights(const Op& op, const Tensor& weights, const char* name, bool whole, int64_t n) {
  if (!weights.defined()) return;
  op.check(weights.dim() == 1 && weights.numel() == n, name, " of shape ", weights.shape(), " for ",
           n, " observations; expected one for each, of one dimension");
  op.check<DTypeError>(whole ? is_integer(weights.dtype()) : is_floating_point(weights.dtype()),
                       name, " of dtype ", weights.dtype(), "; expected ",
                       whole ? "whole numbers" : "a floating dtype");
  const NoGrad guard;
  op.check<ConfigError>(!any(weights < 0), name, " has a negative number; expected none");
}

}  // namespace

// y = sum over k of w_k (x_ik - m_i) (x_jk - m_j) / divisor, m_i = sum over k of w_k x_ik / sum w
Tensor cov(const Tensor& x, double correction, const Tensor& fweights, const Tensor& aweights) {
  const Op op("cov", {x, optional_input(fweights), optional_input(aweights)},
              {{"correction", correction}});
  op.check(x.dim() <= 2, "a tensor of shape ", x.shape(), "; expected two dimensions at most");
  op.check<DTypeError>(x.dtype() != DType::boolean, "a tensor of dtype ", x.dtype(),
                       "; expected numbers; cast with to()");
  const Tensor real = as_floating(x), wide = widened(real);
  const Tensor rows = x.dim() == 2 ? wide : reshape(wide, {1, x.numel()});
  const int64_t n = rows.shape().back();
  check_weights(op, fweights, "fweights", true, n);
  check_weights(op, aweights, "aweights", false, n);
  Tensor y;
  if (!fweights.defined() && !aweights.defined()) {
    const Tensor centred = rows - mean(rows, {1}, kKeepDim);
    const double divisor = std::max(0.0, static_cast<double>(n) - correction);
    y = matmul(centred, transpose(centred, 0, 1)) / divisor;
  } else {
    const Tensor a = aweights.defined() ? to(aweights, rows.dtype()) : Tensor();
    Tensor w = fweights.defined() ? to(fweights, rows.dtype()) : a;
    if (fweights.defined() && aweights.defined()) w = w * a;
    const Tensor total = sum(w);
    const Tensor lost =
        a.defined() ? sum(w * a) / total * correction : full_like(total, correction);
    const Tensor centred = rows - sum(rows * w, {1}, kKeepDim) / total;
    y = matmul(centred * w, transpose(centred, 0, 1)) / clamp_min(total - lost, 0.0);
  }
  return to(squeeze(y), real.dtype());
}

Tensor corrcoef(const Tensor& x) {
  const Op op("corrcoef", {x});
  op.check(x.dim() <= 2, "a tensor of shape ", x.shape(), "; expected two dimensions at most");
  op.check<DTypeError>(x.dtype() != DType::boolean, "a tensor of dtype ", x.dtype(),
                       "; expected numbers; cast with to()");
  const Tensor real = as_floating(x), c = cov(widened(real));
  if (c.dim() == 0) return to(c / c, real.dtype());
  const Tensor deviation = sqrt(diagonal(c));
  const Tensor y = c / unsqueeze(deviation, 1) / deviation;
  return to(clamp(y, -1.0, 1.0), real.dtype());
}

// --- along a line ---

namespace {

// All but the first and all but the last element along d; none of one or none.
std::pair<Tensor, Tensor> neighbours(const Tensor& x, int d) {
  const int64_t n = std::max<int64_t>(0, x.shape()[d] - 1);
  return {narrow(x, d, std::min<int64_t>(1, x.shape()[d]), n), narrow(x, d, 0, n)};
}

int line_dim(const Op& op, const Tensor& x, int64_t dim) {
  op.check(x.dim() > 0, "a tensor of shape ", x.shape(), "; expected one dimension or more");
  return normalize_dim(op.name(), dim, x.dim());
}

}  // namespace

Tensor diff(const Tensor& x, int64_t n, int64_t dim, const Tensor& prepend, const Tensor& append) {
  const Op op("diff", {x, optional_input(prepend), optional_input(append)},
              {{"n", n}, {"dim", dim}});
  const int d = line_dim(op, x, dim);
  op.check<ConfigError>(n >= 0, "n is ", n, "; expected 0 or more");
  std::vector<Tensor> parts;
  for (const Tensor* part : {&prepend, &x, &append}) {
    if (!part->defined()) continue;
    Shape shape = part->shape();
    if (shape.rank() == x.dim()) shape[d] = x.shape()[d];
    op.check(shape == x.shape(), part == &prepend ? "prepend" : "append", " of shape ",
             part->shape(), " for a tensor of shape ", x.shape(),
             "; expected the same sizes but along dimension ", d);
    parts.push_back(*part);
  }
  const Tensor line = parts.size() == 1 ? x : cat(parts, d);
  if (n == 0) return parts.size() == 1 ? clone(x) : line;
  return in_wide(line, [&](Tensor y) {
    for (int64_t i = 0; i < n && y.shape()[d] > 0; ++i) {
      const auto [behind, before] = neighbours(y, d);
      y = y.dtype() == DType::boolean ? ne(behind, before) : behind - before;
    }
    return y;
  });
}

namespace {

// The areas between each two points along d, twice.
Tensor double_areas(const Op& op, const Tensor& y, const Tensor& x, double dx, int d) {
  const auto [behind, before] = neighbours(y, d);
  if (!x.defined()) return (behind + before) * dx;
  Tensor at = widened(as_floating(x));
  if (x.dim() == 1) {
    Shape shape = Shape::filled(y.dim(), 1);
    shape[d] = x.numel();
    at = reshape(at, shape);
  }
  const int own = d - (y.dim() - at.dim());  // where d is in x, which may have fewer dimensions
  op.check(own >= 0 && at.dim() <= y.dim() && at.shape()[own] == y.shape()[d], "x of shape ",
           x.shape(), " for y of shape ", y.shape(), ", dim ", d,
           "; expected a point for each element of y along it");
  static_cast<void>(broadcast_shapes(op.name(), at.shape(), y.shape()));
  const auto [to_point, from_point] = neighbours(at, own);
  return (to_point - from_point) * (behind + before);
}

Tensor areas(const char* name, const Tensor& y, const Tensor& x, double dx, int64_t dim,
             bool cumulative) {
  const Op op(name, {y, optional_input(x)}, {{"dx", dx}, {"dim", dim}});
  const int d = line_dim(op, y, dim);
  const Tensor real = as_floating(y);
  const DType dtype = x.defined() ? promote(real.dtype(), as_floating(x).dtype()) : real.dtype();
  const Tensor parts = double_areas(op, widened(real), x, dx, d);
  return to((cumulative ? cumsum(parts, d) : sum(parts, {d})) * 0.5, dtype);
}

}  // namespace

Tensor trapezoid(const Tensor& y, double dx, int64_t dim) {
  return areas("trapezoid", y, {}, dx, dim, false);
}
Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  return areas("trapezoid", y, x, 1, dim, false);
}
Tensor cumulative_trapezoid(const Tensor& y, double dx, int64_t dim) {
  return areas("cumulative_trapezoid", y, {}, dx, dim, true);
}
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  return areas("cumulative_trapezoid", y, x, 1, dim, true);
}

}  // namespace adjoint
