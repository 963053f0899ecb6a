// Reductions of what indices send to one place.
#include <adjoint/core/functional.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>

#include <limits>

#include "core/ops/along.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

using kernels::Fold;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// What a call is, beside its tensors.
struct Folding {
  Fold fold;
  int dim;
  bool include_self;
};

// What leaves a value as it is.
Scalar identity(Fold fold, DType dtype) {
  if (fold == Fold::multiply) return 1;
  const bool largest = fold == Fold::maximum;
  if (is_floating_point(dtype)) return largest ? -kInfinity : kInfinity;
  using Limits = std::numeric_limits<int64_t>;
  return largest ? Limits::min() : Limits::max();
}

Tensor folded(const Folding& r, const Tensor& x, const Tensor& index, const Tensor& src) {
  const NoGrad guard;
  const Places places = along(r.dim, Places::By::each);
  const DType wide = is_floating_point(x.dtype()) ? x.dtype() : DType::i64;
  const Tensor table = x.dtype() == wide ? clone(x) : to(x, wide);
  if (!r.include_self) {
    write_places("scatter_reduce", "", table, places, index,
                 scalar_tensor(identity(r.fold, wide), wide), Write::assign);
  }
  fold_places(r.fold, table, places, index, to(src, wide));
  return to(table, x.dtype());
}

Tensor truth(const Tensor& condition, const Tensor& like) { return to(condition, like.dtype()); }

// Equal extrema share dy.
Grads extremum_gradients(const Folding& r, const Tensor& x, const Tensor& index, const Tensor& src,
                         const Tensor& y, const Tensor& dy) {
  Tensor own = eq(x, y);
  if (!r.include_self) own = scatter(own, r.dim, index, false);
  const Tensor sent = eq(src, gather(y, r.dim, index));
  const Tensor count = scatter_add(truth(own, dy), r.dim, index, truth(sent, dy));
  const Tensor share = dy / count;
  return {where(own, share, 0.0), Tensor(), where(sent, gather(share, r.dim, index), 0.0)};
}

// The product as one of tensors, in which no value meets another: right where some are 0, to any
// order. As many rounds as values go to one place.
Tensor product_in_rounds(const Folding& r, const Tensor& x, const Tensor& index,
                         const Tensor& src) {
  const Places places = along(r.dim, Places::By::each);
  Tensor y = r.include_self ? x : scatter(x, r.dim, index, 1);
  const Tensor number = view(arange(index.numel()), index.shape());
  Tensor left = ones(index.shape(), DType::boolean);
  while (any(left)) {
    const Tensor last = full(x.shape(), -1, DType::i64);
    fold_places(Fold::maximum, last, places, index, where(left, number, -1));
    const Tensor now = logical_and(left, eq(gather(last, r.dim, index), number));
    left = logical_and(left, logical_not(now));
    // Where nothing is sent in this round, times 1.
    const Tensor rest = scatter_add(ones_like(x), r.dim, index, -truth(now, x));
    y = y * scatter_add(rest, r.dim, index, where(now, src, 0.0));
  }
  return y;
}

// dy times the product of all other factors.
Grads product_gradients(const Folding& r, const Tensor& x, const Tensor& index, const Tensor& src,
                        const Tensor& y, const Tensor& dy) {
  const Tensor no_self = r.include_self ? Tensor() : scatter(dy, r.dim, index, 0);
  const Tensor x_zero = eq(x, 0), src_zero = eq(src, 0);
  if (!any(src_zero) && !(r.include_self && any(x_zero))) {
    const Tensor share = dy * y;
    return {r.include_self ? share / x : no_self, Tensor(), gather(share, r.dim, index) / src};
  }
  if (grad_enabled()) {
    const auto definition = [r, index](const std::vector<Tensor>& in) -> std::vector<Tensor> {
      return {product_in_rounds(r, in[0], index, in[1])};
    };
    const std::vector<Tensor> grads = vjp(definition, {x, src}, {dy}).second;
    return {grads[0], Tensor(), grads[1]};
  }
  // The product of what is not 0, and how many are.
  const Tensor product = folded(r, where(x_zero, 1.0, x), index, where(src_zero, 1.0, src)) * dy;
  const Tensor count = scatter_add(r.include_self ? truth(x_zero, dy) : zeros_like(dy), r.dim,
                                   index, truth(src_zero, dy));
  const auto others = [](const Tensor& is_zero, const Tensor& value, const Tensor& all,
                         const Tensor& zeros) {
    const Tensor alone = where(eq(zeros, 1), all, 0.0), none = where(eq(zeros, 0), all, 0.0);
    return where(is_zero, alone, none / where(is_zero, 1.0, value));
  };
  return {r.include_self ? others(x_zero, x, product, count) : no_self, Tensor(),
          others(src_zero, src, gather(product, r.dim, index), gather(count, r.dim, index))};
}

Tensor reduced(const Folding& r, const Tensor& x, const Tensor& index, const Tensor& src) {
  const Op op("scatter_reduce", {x, index, src},
              {{"dim", r.dim}, {"include_self", r.include_self}});
  Tensor y = folded(r, x, index, src);
  return op.differentiable(y,
                           [r, x = op.save(x), index = op.save(index), src = op.save(src),
                            y = op.save_output(y)](const Backward& b) -> Grads {
                             const auto gradients = r.fold == Fold::multiply ? &product_gradients
                                                                             : &extremum_gradients;
                             return gradients(r, *x, *index, *src, *y, b.dy(0));
                           });
}

// The sum, or the mean: of whole numbers rounded down.
Tensor summed(const Folding& r, const Tensor& x, const Tensor& index, const Tensor& src,
              bool mean) {
  const auto base = [&](const Tensor& self) {
    return r.include_self ? self : scatter(self, r.dim, index, 0);
  };
  Tensor total = scatter_add(base(x), r.dim, index, src);
  if (!mean) return total;
  const Tensor count =
      scatter_add(base(ones_like(x)), r.dim, index, ones(index.shape(), x.dtype()));
  return is_floating_point(x.dtype()) ? total / count : floor_divide(total, count);
}

}  // namespace

Tensor scatter_reduce(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                      ScatterReduce reduce, bool include_self) {
  constexpr const char* kOp = "scatter_reduce";
  const int d = normalize_dim(kOp, dim, x.dim());
  const Tensor i = index_for_each(kOp, x, d, index, false);
  const Tensor part = source_of_each(kOp, x, i, src);
  const DType wide = is_half(x.dtype()) ? DType::f32 : x.dtype();  // rounded once
  const Tensor x0 = to(x, wide), src0 = to(part, wide);
  const auto result = [&] {
    switch (reduce) {
      case ScatterReduce::prod:
        return reduced({Fold::multiply, d, include_self}, x0, i, src0);
      case ScatterReduce::amax:
        return reduced({Fold::maximum, d, include_self}, x0, i, src0);
      case ScatterReduce::amin:
        return reduced({Fold::minimum, d, include_self}, x0, i, src0);
      default:
        return summed({Fold::count, d, include_self}, x0, i, src0, reduce == ScatterReduce::mean);
    }
  };
  return to(result(), x.dtype());
}

}  // namespace adjoint
