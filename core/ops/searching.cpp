// Places in sorted sequences, and counts of what lies between edges or is equal. Nothing here has a
// gradient but weights that are counted.
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/sorting.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// Where the table of searches has a dtype, and what others are converted to, which keeps order.
DType searched_in(DType dtype) {
  return is_floating_point(dtype) ? computed_in(dtype) : DType::i64;
}

Tensor search(const Op& op, const Tensor& edges, const Tensor& values, bool right) {
  op.check<DTypeError>(edges.dtype() == values.dtype(), "a sequence of dtype ", edges.dtype(),
                       " and values of dtype ", values.dtype(), "; expected the same");
  op.check(edges.dim() > 0, "a sequence of shape ", edges.shape(),
           "; expected one dimension or more");
  const bool one_row = edges.dim() == 1;
  bool fits = one_row || edges.dim() == values.dim();
  for (int d = 0; fits && !one_row && d < edges.dim() - 1; ++d) {
    fits = edges.shape()[d] == values.shape()[d];
  }
  op.check(fits, "a sequence of shape ", edges.shape(), " and values of shape ", values.shape(),
           "; expected a sequence of one dimension, or sizes that differ in the last only");
  const DType dtype = searched_in(edges.dtype());
  const Tensor edges0 = packed(rounded(edges, dtype)), values0 = packed(rounded(values, dtype));
  const Tensor y = make_empty(op.name(), values.shape(), DType::i64);
  kernels::Search s{};
  s.edges = edges0.raw_data();
  s.values = values0.raw_data();
  s.places = y.impl()->data<int64_t>();
  s.count = one_row ? values.numel() : values.shape().back();
  s.rows = one_row || s.count == 0 ? 1 : values.numel() / s.count;
  s.edge_count = edges.shape().back();
  s.one_row = one_row;
  s.right = right;
  if (values.numel() > 0) {
    kernel_table().sort.search[dtype == DType::i64 ? 2 : index(dtype)](KernelScope(), s);
  }
  return op.no_gradient(y);
}

}  // namespace

Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool right) {
  const Op op("searchsorted", {sorted_sequence, values}, {{"right", right}});
  return search(op, sorted_sequence, values, right);
}
Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, bool right) {
  const Op op("searchsorted", {sorted_sequence}, {{"right", right}});
  // A number that the dtype cannot hold is compared as what holds both.
  const DType dtype = promote_scalar(sorted_sequence.dtype(), value);
  op.check(sorted_sequence.dim() == 1, "a number and a sequence of shape ", sorted_sequence.shape(),
           "; expected one dimension");
  return search(op, rounded(sorted_sequence, dtype), scalar_tensor(value, dtype), right);
}

Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right) {
  const Op op("bucketize", {x, boundaries}, {{"right", right}});
  op.check(boundaries.dim() == 1, "boundaries of shape ", boundaries.shape(),
           "; expected one dimension");
  const DType dtype = promote(x.dtype(), boundaries.dtype());
  return search(op, rounded(boundaries, dtype), rounded(x, dtype), right);
}

namespace {

bool to_the_right(const char* op, const SearchOptions& options) {
  check<ConfigError>(!(options.right && options.side == SearchSide::left), op,
                     ": right and side left; expected one of them, or two that agree");
  return options.right || options.side == SearchSide::right;
}

Tensor places(const Tensor& found, const SearchOptions& options) {
  return options.out_int32 ? to(found, DType::i32) : found;
}

// The sequence in order.
Tensor arranged(const Tensor& sequence, const Tensor& sorter) {
  if (!sorter.defined()) return sequence;
  check<DTypeError>(sorter.dtype() == DType::i64, "searchsorted: sorter is of dtype ",
                    sorter.dtype(), "; expected i64");
  check<ShapeError>(sorter.shape() == sequence.shape(), "searchsorted: sorter of shape ",
                    sorter.shape(), " for a sequence of shape ", sequence.shape(),
                    "; expected the same");
  return gather(sequence.detach(), -1, sorter);
}

}  // namespace

Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values,
                    const SearchOptions& options) {
  const bool right = to_the_right("searchsorted", options);
  return places(searchsorted(arranged(sorted_sequence, options.sorter), values, right), options);
}
Tensor searchsorted(const Tensor& sorted_sequence, Scalar value, const SearchOptions& options) {
  const bool right = to_the_right("searchsorted", options);
  return places(searchsorted(arranged(sorted_sequence, options.sorter), value, right), options);
}

Tensor bucketize(const Tensor& x, const Tensor& boundaries, const SearchOptions& options) {
  check<ConfigError>(!options.side.has_value() && !options.sorter.defined(),
                     "bucketize: a side or a sorter; expected right and out_int32 only");
  return places(bucketize(x, boundaries, options.right), options);
}

Tensor histc(const Tensor& x, int64_t bins, double min, double max) {
  const Op op("histc", {x}, {{"bins", bins}, {"min", min}, {"max", max}});
  op.check_floating(0);
  op.check(bins >= 1, bins, " bins; expected 1 or more");
  const NoGrad guard;
  if (min == max && x.numel() > 0) {
    min = adjoint::min(x).item();
    max = adjoint::max(x).item();
  }
  op.check(std::isfinite(min) && std::isfinite(max), "elements from ", min, " to ", max,
           "; expected a finite range");
  op.check(min <= max, "a range from ", min, " to ", max, "; expected one that does not fall");
  if (min == max) {
    min -= 1;
    max += 1;
  }
  const Tensor from = packed(rounded(x, computed_in(x.dtype())));
  const Tensor counts = make_empty("histc", {bins}, DType::i64);
  kernel_table().sort.histogram[index(from.dtype())](
      KernelScope(), {from.raw_data(), x.numel(), bins, min, max}, counts.impl()->data<int64_t>());
  return op.no_gradient(rounded(counts, x.dtype()));
}

namespace {

// The whole numbers of x as i64, and the largest of them; -1 for none.
Tensor counted(const Op& op, const Tensor& x, int64_t& most) {
  op.check<DTypeError>(is_integer(x.dtype()), "a tensor of dtype ", x.dtype(),
                       "; expected whole numbers");
  op.check(x.dim() == 1, "a tensor of shape ", x.shape(), "; expected one dimension");
  const NoGrad guard;
  Tensor numbers = to(x, DType::i64);
  const int64_t least = x.numel() == 0 ? 0 : adjoint::min(numbers).item<int64_t>();
  op.check<ConfigError>(least >= 0, "a tensor with the number ", least, "; expected 0 or more");
  most = x.numel() == 0 ? -1 : adjoint::max(numbers).item<int64_t>();
  return numbers;
}

}  // namespace

// y_k = sum of the weights w_i with x_i = k;   dw_i = dy_(x_i)
Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  const Op op("bincount", {x, optional_input(weights)}, {{"minlength", minlength}});
  op.check<ConfigError>(minlength >= 0, "minlength is ", minlength, "; expected 0 or more");
  int64_t most = -1;
  const Tensor numbers = counted(op, x, most);
  const Shape shape{std::max(minlength, most + 1)};
  if (!weights.defined()) {
    return index_add(zeros(shape, DType::i64), 0, numbers, ones(x.shape(), DType::i64));
  }
  op.check(weights.shape() == x.shape(), "weights of shape ", weights.shape(), " for shape ",
           x.shape(), "; expected the same");
  const Tensor real = is_floating_point(weights.dtype()) ? weights : to(weights, DType::f64);
  const DType wide = computed_in(real.dtype());
  return to(index_add(zeros(shape, wide), 0, numbers, to(real, wide)), real.dtype());
}

namespace {

Tensor among(const Op& op, const Tensor& elements, const Tensor& tests, bool invert) {
  const NoGrad guard;
  const DType dtype = promote(elements.dtype(), tests.dtype());
  const Tensor own = to(elements, dtype);
  const Tensor ordered = sort(to(reshape(tests, {tests.numel()}), dtype)).values;
  if (tests.numel() == 0) return op.no_gradient(full(elements.shape(), invert, DType::boolean));
  const Tensor place = clamp_max(searchsorted(ordered, own), tests.numel() - 1);
  const Tensor nearest = take(ordered, place);
  return op.no_gradient(invert ? ne(nearest, own) : eq(nearest, own));
}

Tensor as_tensor(Scalar number, const Tensor& beside) {
  return scalar_tensor(number,
                       beside.defined() ? promote_scalar(beside.dtype(), number) : DType::f32);
}

}  // namespace

Tensor isin(const Tensor& elements, const Tensor& test_elements, bool assume_unique, bool invert) {
  const Op op("isin", {elements, test_elements},
              {{"assume_unique", assume_unique}, {"invert", invert}});
  return among(op, elements, test_elements, invert);
}
Tensor isin(const Tensor& elements, Scalar test_element, bool assume_unique, bool invert) {
  const Op op("isin", {elements}, {{"assume_unique", assume_unique}, {"invert", invert}});
  return among(op, elements, as_tensor(test_element, elements), invert);
}
Tensor isin(Scalar element, const Tensor& test_elements, bool assume_unique, bool invert) {
  const Op op("isin", {test_elements}, {{"assume_unique", assume_unique}, {"invert", invert}});
  return among(op, as_tensor(element, test_elements), test_elements, invert);
}

}  // namespace adjoint
