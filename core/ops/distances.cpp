// Distances, and the losses that compare them.
#include <adjoint/core/activations.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <algorithm>
#include <cmath>

#include "core/ops/linalg.h"
#include "core/ops/loops.h"
#include "core/ops/loss.h"

namespace adjoint {
namespace {

// sqrt(x) for x >= 0, with the derivative 0 at 0.
Tensor root(const Tensor& x) {
  const Tensor nothing = x == 0.0;
  return where(nothing, 0.0, sqrt(where(nothing, 1.0, x)));
}

// The p-norm over a dimension, with gradient 0 where it is 0.
Tensor p_norm(const Tensor& x, double p, int64_t dim, bool keepdim) {
  if (p == 2) return root(sum(square(x), {dim}, keepdim));
  if (p == 1) return sum(abs(x), {dim}, keepdim);
  if (p == 0) return sum(clamp_max(ceil(abs(x)), 1.0), {dim}, keepdim);  // gradient 0
  if (std::isinf(p)) return amax(abs(x), {dim}, keepdim);
  const Tensor nothing = x == 0.0;
  const Tensor powers = where(nothing, 0.0, pow(where(nothing, 1.0, abs(x)), p));
  const Tensor total = sum(powers, {dim}, keepdim), none = total == 0.0;
  return where(none, 0.0, pow(where(none, 1.0, total), 1 / p));
}

void check_p(const Op& op, double p) {
  op.check<ConfigError>(p >= 0, "p is ", p, "; expected 0 or more");
}

// The dtype that operands promote to, floating.
DType common_dtype(const Op& op, DType dtype) {
  op.check<DTypeError>(is_floating_point(dtype), "operands of dtype ", dtype,
                       "; expected a floating dtype");
  return dtype;
}

// Beyond so many rows of either, squares and a product are worth what they lose to cancellation.
constexpr int64_t kRowsForProduct = 25;

// |a|^2 + |b|^2 - 2 a b
Tensor euclidean_by_product(const Tensor& a, const Tensor& b) {
  const Tensor squares =
      sum(square(a), {-1}, kKeepDim) + transpose(sum(square(b), {-1}, kKeepDim), -2, -1);
  return root(hinge(squares - 2.0 * matmul(a, transpose(b, -2, -1))));
}

// The norm, at least eps; its gradient passes as if it were not bounded.
Tensor bounded_norm(const Tensor& x, int64_t dim, double eps) {
  const Tensor norm = p_norm(x, 2, dim, true), plain = norm.detach();
  return norm + (clamp_min(plain, eps) - plain);
}

}  // namespace

// |x1 - x2 + eps|_p;   dx1 = (d / y)^(p - 1) sign(d) dy with d that sum, dx2 = -dx1
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim) {
  const Op op("pairwise_distance", {x1, x2}, {{"p", p}, {"eps", eps}, {"keepdim", keepdim}});
  const DType dtype = common_dtype(op, promote(x1, x2)), wide = computed_in(dtype);
  check_p(op, p);
  op.check(std::max(x1.dim(), x2.dim()) >= 1, "shapes ", x1.shape(), " and ", x2.shape(),
           "; expected (..., width)");
  broadcast_shapes(op.name(), x1.shape(), x2.shape());
  return to(p_norm(to(x1, wide) - to(x2, wide) + eps, p, -1, keepdim), dtype);
}

// x1 . x2 / (|x1| |x2|);   dx1 = (x2 / |x2| - y x1 / |x1|) / |x1| dy
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  const Op op("cosine_similarity", {x1, x2}, {{"dim", dim}, {"eps", eps}});
  const DType dtype = common_dtype(op, promote(x1.dtype(), x2.dtype())), wide = computed_in(dtype);
  const Shape shape = broadcast_shapes(op.name(), x1.shape(), x2.shape());
  op.check(shape.rank() >= 1, "shapes ", x1.shape(), " and ", x2.shape(),
           "; expected vectors along dim ", dim);
  const int d = normalize_dim(op.name(), dim, shape.rank());
  const Tensor a = expand(to(x1, wide), shape), b = expand(to(x2, wide), shape);
  return to(sum(a / bounded_norm(a, d, eps) * (b / bounded_norm(b, d, eps)), {d}), dtype);
}

// |x1_i - x2_j|_p;   as pairwise_distance
Tensor cdist(const Tensor& x1, const Tensor& x2, double p) {
  const Op op("cdist", {x1, x2}, {{"p", p}});
  const DType dtype = common_dtype(op, linalg::product_dtype(op, {&x1, &x2})),
              wide = computed_in(dtype);
  check_p(op, p);
  op.check(x1.dim() >= 2 && x2.dim() >= 2 && x1.size(-1) == x2.size(-1), "shapes ", x1.shape(),
           " and ", x2.shape(), "; expected (..., P, M) and (..., R, M)");
  const Tensor a = to(x1, wide), b = to(x2, wide);
  if (p == 2 && (a.size(-2) > kRowsForProduct || b.size(-2) > kRowsForProduct)) {
    return to(euclidean_by_product(a, b), dtype);
  }
  if (a.size(-1) == 0) return to(matmul(a, transpose(b, -2, -1)), dtype);  // zeros
  return to(p_norm(unsqueeze(a, -2) - unsqueeze(b, -3), p, -1, false), dtype);
}

// max(0, margin - t (a - b));   da = -t dy inside the margin, db = -da
Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                           double margin, Reduction reduction) {
  const Op op("margin_ranking_loss", {input1, input2, target},
              {{"margin", margin}, {"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  op.check(input1.dim() == input2.dim() && input1.dim() == target.dim(), "inputs of shape ",
           input1.shape(), " and ", input2.shape(), " and target of shape ", target.shape(),
           "; expected as many dimensions of each");
  broadcast_shapes(op.name(), broadcast_shapes(op.name(), input1.shape(), input2.shape()),
                   target.shape());
  const DType dtype =
      loss_dtype(op, promote(promote(input1.dtype(), input2.dtype()), target.dtype()));
  const DType wide = computed_in(dtype);
  const Tensor difference = to(input2, wide) - to(input1, wide);
  return to(reduced(hinge(to(target, wide) * difference + margin), reduction), dtype);
}

// max(0, margin + |a - p| - |a - n|);   by its parts
Tensor triplet_margin_with_distance_loss(const Tensor& anchor, const Tensor& positive,
                                         const Tensor& negative, const DistanceFunction& distance,
                                         double margin, bool swap, Reduction reduction) {
  const Op op("triplet_margin_with_distance_loss", {anchor, positive, negative},
              {{"margin", margin}, {"swap", swap}, {"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  op.check<ConfigError>(margin > 0, "margin is ", margin, "; expected more than 0");
  op.check(anchor.dim() == positive.dim() && anchor.dim() == negative.dim(), "anchor of shape ",
           anchor.shape(), ", positive of ", positive.shape(), " and negative of ",
           negative.shape(), "; expected as many dimensions of each");
  const DType dtype =
      loss_dtype(op, promote(promote(anchor.dtype(), positive.dtype()), negative.dtype()));
  const DType wide = computed_in(dtype);
  const auto between = [&](const Tensor& a, const Tensor& b) {
    return distance ? distance(a, b) : pairwise_distance(a, b);
  };
  const Tensor a = to(anchor, wide), p = to(positive, wide), n = to(negative, wide);
  Tensor far = between(a, n);
  if (swap) far = minimum(far, between(p, n));
  return to(reduced(hinge(between(a, p) - far + margin), reduction), dtype);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin, double p, double eps, bool swap, Reduction reduction) {
  const Op op("triplet_margin_loss", {anchor, positive, negative},
              {{"margin", margin},
               {"p", p},
               {"eps", eps},
               {"swap", swap},
               {"reduction", reduction_name(reduction)}});
  check_p(op, p);
  op.check<ConfigError>(margin > 0, "margin is ", margin, "; expected more than 0");
  op.check(anchor.dim() == positive.dim() && anchor.dim() == negative.dim(), "anchor of shape ",
           anchor.shape(), ", positive of ", positive.shape(), " and negative of ",
           negative.shape(), "; expected as many dimensions of each");
  return triplet_margin_with_distance_loss(
      anchor, positive, negative,
      [p, eps](const Tensor& a, const Tensor& b) { return pairwise_distance(a, b, p, eps); },
      margin, swap, reduction);
}

// 1 - cos where t is 1, max(0, cos - margin) where it is -1;   by its parts
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target,
                             double margin, Reduction reduction) {
  const Op op("cosine_embedding_loss", {input1, input2, target},
              {{"margin", margin}, {"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  op.check(
      target.dim() <= 1 && input1.dim() == target.dim() + 1 && input2.dim() == target.dim() + 1,
      "inputs of shape ", input1.shape(), " and ", input2.shape(), " and target of shape ",
      target.shape(), "; expected (N, width) and (N,), or (width,) and ()");
  broadcast_shapes(op.name(), input1.shape(), input2.shape());
  const DType dtype = loss_dtype(op, promote(input1.dtype(), input2.dtype()));
  const DType wide = computed_in(dtype);
  const Tensor a = to(input1, wide), b = to(input2, wide);
  constexpr double kEpsilon = 1e-12;  // of squares, as PyTorch's
  const Tensor squares = (sum(a * a, {-1}) + kEpsilon) * (sum(b * b, {-1}) + kEpsilon);
  const Tensor cosine = sum(a * b, {-1}) / sqrt(squares);
  broadcast_shapes(op.name(), cosine.shape(), target.shape());
  const Tensor losses =
      where(target == 1, 1.0 - cosine, 0.0) + where(target == -1, hinge(cosine - margin), 0.0);
  return to(reduced(losses, reduction), dtype);
}

// (log(v) + (x - t)^2 / v) / 2;   dx = (x - t) / v dy, dt = -dx, dv = (1 - (x - t)^2 / v) / 2v dy
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, bool full,
                         double eps, Reduction reduction) {
  const Op op("gaussian_nll_loss", {input, target, var},
              {{"full", full}, {"eps", eps}, {"reduction", reduction_name(reduction)}});
  check_reduction(op, reduction);
  const DType dtype = loss_dtype(op, promote(promote(input.dtype(), target.dtype()), var.dtype()));
  const DType wide = computed_in(dtype);
  op.check<ConfigError>(eps > 0, "eps is ", eps, "; expected more than 0");
  const Shape& shape = input.shape();
  int singles = 0, others = 0;
  const bool same_rank = var.dim() == shape.rank();
  for (int i = 0; same_rank && i < shape.rank(); ++i) {
    if (var.shape()[i] != shape[i]) ++(var.shape()[i] == 1 ? singles : others);
  }
  const bool without_last =
      shape.rank() >= 1 && var.dim() == shape.rank() - 1 &&
      Shape(shape.span().first(static_cast<size_t>(var.dim()))) == var.shape();
  op.check(without_last || (same_rank && others == 0 && singles <= 1), "var of shape ", var.shape(),
           " for an input of shape ", shape,
           "; expected that shape, it without its last dimension, or with one dimension of size 1");
  broadcast_shapes(op.name(), shape, target.shape());
  const Tensor v0 = to(without_last ? unsqueeze(var, -1) : var, wide), plain = v0.detach();
  op.check<Error>(!any(plain < 0.0), "var has a negative element; expected variances of 0 or more");
  const Tensor v = v0 + (clamp_min(plain, eps) - plain);  // the gradient passes the bound
  Tensor losses = 0.5 * (log(v) + square(to(input, wide) - to(target, wide)) / v);
  constexpr double kLogRoot = 0.91893853320467274;  // log(2 pi) / 2
  if (full) losses = losses + kLogRoot;
  return to(reduced(losses, reduction), dtype);
}

}  // namespace adjoint
