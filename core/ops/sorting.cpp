// Orders, and elements chosen by their place in one. Their kernels give indices; values are picked.
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/sorting.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/autograd/op.h"
#include "core/ops/loops.h"
#include "core/ops/picks.h"
#include "core/ops/reduce.h"

namespace adjoint {
namespace {

using RankingKernels = void (*const (&)[kDTypes])(const kernels::Exec&, const kernels::Ranking&,
                                                  int64_t*);

int64_t size_along(const Tensor& x, int d) { return x.dim() == 0 ? 1 : x.shape()[d]; }

// What the kernel finds along d: indices of x's shape but with `k` elements along d, or of `shape`
// where that lacks d.
Tensor ranked(const Op& op, const Tensor& x, int d, kernels::Ranking ranking, const Shape& shape,
              RankingKernels kernel, bool squeezed = false) {
  ranking.n = size_along(x, d);
  op.check(ranking.n < std::numeric_limits<uint32_t>::max(), ranking.n,
           " elements along a dimension; expected fewer than 2^32 - 1");
  const Tensor rows = picks::with_last(x, d);
  ranking.x = rows.raw_data();
  ranking.rows = ranking.n == 0 ? 0 : x.numel() / ranking.n;
  Shape turned = shape;
  if (!squeezed && x.dim() > 0) std::swap(turned[d], turned[x.dim() - 1]);
  const Tensor indices = make_empty(op.name(), turned, DType::i64);
  if (indices.numel() > 0) {
    kernel[index(x.dtype())](KernelScope(), ranking, indices.impl()->data<int64_t>());
  }
  return squeezed ? indices : picks::from_last(indices, d);
}

Tensor order(const Op& op, const Tensor& x, int d, bool descending) {
  kernels::Ranking ranking{};
  ranking.descending = descending;
  return ranked(op, x, d, ranking, x.shape(), kernel_table().sort.order);
}

// Where runs of equal values begin; NaN equals nothing.
template <class T>
std::vector<int64_t> starts_of_runs(const T* values, int64_t n) {
  const auto number = [](T x) {
    if constexpr (is_half(dtype_of<T>)) {
      return static_cast<float>(x);
    } else {
      return x;
    }
  };
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || !(number(values[i]) == number(values[i - 1]))) starts.push_back(i);
  }
  return starts;
}

// Of n things in the order `order`, of which runs of equal ones begin at `starts`: where each
// stands among the runs, and how long those are.
void describe_runs(const std::vector<int64_t>& starts, const int64_t* order, const Tensor& inverse,
                   const Tensor& counts, int64_t n) {
  for (size_t run = 0; run < starts.size(); ++run) {
    const int64_t end = run + 1 < starts.size() ? starts[run + 1] : n;
    if (counts.defined()) counts.impl()->data<int64_t>()[run] = end - starts[run];
    for (int64_t i = starts[run]; inverse.defined() && i < end; ++i) {
      inverse.impl()->data<int64_t>()[order[i]] = static_cast<int64_t>(run);
    }
  }
}

// The results of `unique` without values: which of n things in order begin a run.
UniqueValues make_unique(const std::vector<int64_t>& starts, const Tensor& order,
                         const Shape& inverse_shape, bool return_inverse, bool return_counts) {
  UniqueValues result;
  if (return_inverse) result.inverse = make_empty("unique", inverse_shape, DType::i64);
  if (return_counts) {
    result.counts = make_empty("unique", {static_cast<int64_t>(starts.size())}, DType::i64);
  }
  describe_runs(starts, order.impl()->data<int64_t>(), result.inverse, result.counts,
                order.numel());
  return result;
}

// The elements of `order` at `starts`.
Tensor firsts(const std::vector<int64_t>& starts, const Tensor& order) {
  std::vector<int64_t> at;
  at.reserve(starts.size());
  for (const int64_t start : starts) at.push_back(order.impl()->data<int64_t>()[start]);
  return from_vector(at);
}

UniqueValues unique_elements(const Op& op, const Tensor& x, bool return_inverse,
                             bool return_counts) {
  const Tensor row = reshape(packed(x), {x.numel()});
  const Tensor by_value = order(op, row, 0, false);
  const Tensor sorted = gather(row, 0, by_value);
  const std::vector<int64_t> starts = dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    return starts_of_runs(sorted.impl()->data<T>(), sorted.numel());
  });
  UniqueValues result = make_unique(starts, by_value, x.shape(), return_inverse, return_counts);
  result.values = gather(row, 0, firsts(starts, by_value));
  return result;
}

// Where rows of m numbers differ from the one before.
template <class T>
std::vector<int64_t> starts_of_rows(const T* x, int64_t m, int64_t n) {
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < n; ++i) {
    if (i == 0 || !std::equal(x + i * m, x + (i + 1) * m, x + (i - 1) * m)) starts.push_back(i);
  }
  return starts;
}

// Rows of m numbers in lexicographic order, and where other ones begin.
template <class T>
std::vector<int64_t> order_rows(const T* x, int64_t m, int64_t* order, int64_t n) {
  for (int64_t i = 0; i < n; ++i) order[i] = i;
  std::stable_sort(order, order + n, [&](int64_t a, int64_t b) {
    return std::lexicographical_compare(x + a * m, x + (a + 1) * m, x + b * m, x + (b + 1) * m);
  });
  std::vector<int64_t> starts;
  for (int64_t i = 0; i < n; ++i) {
    const T* own = x + order[i] * m;
    if (i == 0 || !std::equal(own, own + m, x + order[i - 1] * m)) starts.push_back(i);
  }
  return starts;
}

UniqueValues unique_along(const Op& op, const Tensor& x, int d, bool return_inverse,
                          bool return_counts) {
  const int64_t n = size_along(x, d);
  op.check(n == 0 || x.numel() > 0, "shape ", x.shape(), ", dim ", d,
           "; expected elements along the other dimensions");
  const bool real = is_floating_point(x.dtype());
  const Tensor first = x.dim() == 0 ? reshape(x, {1}) : transpose(x, 0, d);
  const Tensor rows = packed(rounded(first, real ? DType::f64 : DType::i64));
  const Tensor by_row = make_empty(op.name(), {n}, DType::i64);
  auto* places = by_row.impl()->data<int64_t>();
  const int64_t m = n == 0 ? 0 : x.numel() / n;
  const std::vector<int64_t> starts = real ? order_rows(rows.impl()->data<double>(), m, places, n)
                                           : order_rows(rows.impl()->data<int64_t>(), m, places, n);
  UniqueValues result = make_unique(starts, by_row, {n}, return_inverse, return_counts);
  // The indices of the rows that stay, for every element of them.
  Shape shape = first.shape(), one = Shape::filled(shape.rank(), 1);
  shape[0] = one[0] = static_cast<int64_t>(starts.size());
  const Tensor places_of_all = contiguous(expand(reshape(firsts(starts, by_row), one), shape));
  const Tensor values = gather(first, 0, places_of_all);
  result.values = x.dim() == 0 ? values : packed(transpose(values, 0, d));
  return result;
}

}  // namespace

// (y, i) = x in order;   dx = dy at the places that its elements came from
ValuesAndIndices sort(const Tensor& x, int64_t dim, bool descending, bool stable) {
  const Op op("sort", {x}, {{"dim", dim}, {"descending", descending}, {"stable", stable}});
  const int d = normalize_dim("sort", dim, x.dim());
  return picks::chosen(op, x, order(op, x, d, descending), d);
}

Tensor argsort(const Tensor& x, int64_t dim, bool descending, bool stable) {
  const Op op("argsort", {x}, {{"dim", dim}, {"descending", descending}, {"stable", stable}});
  return op.no_gradient(order(op, x, normalize_dim("argsort", dim, x.dim()), descending));
}

// (y, i) = the first k of x in order;   dx = dy at their places
ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
  const Op op("topk", {x}, {{"k", k}, {"dim", dim}, {"largest", largest}, {"sorted", sorted}});
  const int d = normalize_dim("topk", dim, x.dim());
  const int64_t n = size_along(x, d);
  op.check<IndexError>(k >= 0 && k <= n, "k ", k, " of ", n, " elements along dimension ", dim,
                       " of shape ", x.shape(), "; expected a k from 0 to ", n);
  op.check(x.dim() > 0 || k == 1, "k ", k, " of a 0-dimensional tensor; expected 1");
  kernels::Ranking ranking{};
  ranking.k = k;
  ranking.descending = largest;
  ranking.sorted = sorted;
  Shape shape = x.shape();
  if (x.dim() > 0) shape[d] = k;
  return picks::chosen(op, x, ranked(op, x, d, ranking, shape, kernel_table().sort.top), d);
}

// (y, i) = the element in the middle of x in order;   dx = dy at its place
ValuesAndIndices median(const Tensor& x, int64_t dim, bool keepdim) {
  const Op op("median", {x}, {{"dim", dim}, {"keepdim", keepdim}});
  const reduction::Place place = reduction::one_dim(op, x, dim, keepdim);
  kernels::Ranking ranking{};
  ranking.k = (place.dims.count - 1) / 2;
  const Tensor indices =
      ranked(op, x, place.d, ranking, place.dims.shape, kernel_table().sort.kth, true);
  return picks::chosen(op, x, indices, place.d, !keepdim);
}

// y = the same of all elements;   dx = dy shared between the elements that equal y
Tensor median(const Tensor& x) {
  const Op op("median", {x});
  const reduction::Dims dims = reduction::reduced_dims(op, x, {}, false);
  op.check(x.numel() > 0 || is_floating_point(x.dtype()), "no elements of dtype ", x.dtype(),
           ": shape ", x.shape(), "; expected at least one, or a floating dtype, which has NaN");
  Tensor y;
  if (x.numel() == 0) {
    y = full({}, std::numeric_limits<double>::quiet_NaN(), x.dtype());
  } else {
    const NoGrad guard;
    kernels::Ranking ranking{};
    ranking.k = (x.numel() - 1) / 2;
    const Tensor row = reshape(packed(x), {x.numel()});
    const Tensor at = ranked(op, row, 0, ranking, {}, kernel_table().sort.kth, true);
    y = reshape(gather(row, 0, reshape(at, {1})), {});
  }
  return op.differentiable(
      y, [x = op.save(x), y = op.save_output(y), dims](const Backward& b) -> Grads {
        return {reduction::shared_among_equals(*x, reshape(*y, dims.keep),
                                               reshape(b.dy(0), dims.keep), dims)};
      });
}

// (y, i) = the k-th element of x in order;   dx = dy at its place
ValuesAndIndices kthvalue(const Tensor& x, int64_t k, int64_t dim, bool keepdim) {
  const Op op("kthvalue", {x}, {{"k", k}, {"dim", dim}, {"keepdim", keepdim}});
  const reduction::Place place = reduction::one_dim(op, x, dim, keepdim);
  op.check<IndexError>(k >= 1 && k <= place.dims.count, "k ", k, " of ", place.dims.count,
                       " elements along dimension ", dim, " of shape ", x.shape(),
                       "; expected a k from 1 to ", place.dims.count);
  // The kernel finds medians, which are NaN beside any.
  if (x.dim() > 0 && is_floating_point(x.dtype()) && any(isnan(x.detach()))) {
    const Tensor at = select(order(op, x, place.d, false), place.d, k - 1);
    return picks::chosen(op, x, packed(reshape(at, place.dims.shape)), place.d, !keepdim);
  }
  kernels::Ranking ranking{};
  ranking.k = k - 1;
  const Tensor indices =
      ranked(op, x, place.d, ranking, place.dims.shape, kernel_table().sort.kth, true);
  return picks::chosen(op, x, indices, place.d, !keepdim);
}

// (y, i) = the commonest element along dim;   dx = dy at i
ValuesAndIndices mode(const Tensor& x, int64_t dim, bool keepdim) {
  const Op op("mode", {x}, {{"dim", dim}, {"keepdim", keepdim}});
  const reduction::Place place = reduction::one_dim(op, x, dim, keepdim);
  const int64_t n = size_along(x, place.d);
  const Tensor rows = picks::with_last(x.detach(), place.d);
  const Tensor by_value = order(op, rows, std::max(0, rows.dim() - 1), false);
  const Tensor sorted = gather(rows, -1, by_value);
  Shape shape = rows.shape();
  if (shape.rank() > 0) shape[shape.rank() - 1] = 1;
  Tensor indices = make_empty(op.name(), shape, DType::i64);
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t row = 0; row < indices.numel(); ++row) {
      const std::vector<int64_t> starts = starts_of_runs(sorted.impl()->data<T>() + row * n, n);
      int64_t longest = 0, last = 0;
      for (size_t run = 0; run < starts.size(); ++run) {
        const int64_t end = run + 1 < starts.size() ? starts[run + 1] : n;
        if (end - starts[run] <= longest) continue;
        longest = end - starts[run];
        last = end - 1;
      }
      indices.impl()->data<int64_t>()[row] = by_value.impl()->data<int64_t>()[row * n + last];
    }
  });
  indices = reshape(picks::from_last(indices, place.d), place.dims.shape);
  return picks::chosen(op, x, indices, place.d, !keepdim);
}

UniqueValues unique(const Tensor& x, bool sorted, bool return_inverse, bool return_counts,
                    std::optional<int64_t> dim) {
  const Op op("unique", {x}, {{"sorted", sorted}, {"dim", dim.value_or(0)}});
  const NoGrad guard;
  UniqueValues result = dim.has_value()
                            ? unique_along(op, x, normalize_dim("unique", *dim, x.dim()),
                                           return_inverse, return_counts)
                            : unique_elements(op, x, return_inverse, return_counts);
  result.values = op.no_gradient(result.values);
  return result;
}

UniqueValues unique_consecutive(const Tensor& x, bool return_inverse, bool return_counts,
                                std::optional<int64_t> dim) {
  const Op op("unique_consecutive", {x}, {{"dim", dim.value_or(0)}});
  const NoGrad guard;
  const int d = dim.has_value() ? normalize_dim(op.name(), *dim, x.dim()) : 0;
  const Tensor first = !dim.has_value() ? reshape(packed(x), {x.numel()})
                       : x.dim() == 0   ? reshape(x, {1})
                                        : packed(transpose(x, 0, d));
  const int64_t n = first.shape()[0], m = n == 0 ? 0 : first.numel() / n;
  std::vector<int64_t> starts;
  if (dim.has_value()) {
    op.check(n == 0 || x.numel() > 0, "shape ", x.shape(), ", dim ", d,
             "; expected elements along the other dimensions");
    const Tensor rows =
        packed(rounded(first, is_floating_point(x.dtype()) ? DType::f64 : DType::i64));
    starts = is_floating_point(x.dtype()) ? starts_of_rows(rows.impl()->data<double>(), m, n)
                                          : starts_of_rows(rows.impl()->data<int64_t>(), m, n);
  } else {
    starts = dispatch(x.dtype(), [&](auto tag) {
      using T = typename decltype(tag)::type;
      return starts_of_runs(first.impl()->data<T>(), n);
    });
  }
  UniqueValues result = make_unique(starts, arange(n), dim.has_value() ? Shape{n} : x.shape(),
                                    return_inverse, return_counts);
  const Tensor values = index_select(first, 0, from_vector(starts));
  result.values =
      op.no_gradient(dim.has_value() && x.dim() > 0 ? packed(transpose(values, 0, d)) : values);
  return result;
}

}  // namespace adjoint
