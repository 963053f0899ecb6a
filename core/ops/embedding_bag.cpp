// Sums of rows of a table, bag by bag.
#include <adjoint/core/embedding.h>
#include <adjoint/core/layout.h>

#include <utility>

#include "core/ops/pointwise.h"
#include "core/ops/resample.h"

namespace adjoint {
namespace {

constexpr const char* kName = "embedding_bag";

// The entries of all bags, of i64: which row each is (-1: none), which bag it is in, and where each
// bag begins, with the end of the last.
struct Entries {
  Tensor row, bag, begin;

  int64_t count() const { return row.numel(); }
  int64_t bags() const { return begin.numel() - 1; }
};
struct SavedEntries {
  SavedTensor row, bag, begin;

  SavedEntries(const Op& op, const Entries& e)
      : row(op.save(e.row)), bag(op.save(e.bag)), begin(op.save(e.begin)) {}
  Entries operator*() const { return {*row, *bag, *begin}; }
};

const int64_t* numbers(const Tensor& x) { return x.impl()->data<int64_t>(); }

kernels::Bags bags_of(const Entries& e, const Tensor& weight, int64_t width) {
  return {numbers(e.row),
          numbers(e.bag),
          numbers(e.begin),
          e.count(),
          e.bags(),
          width,
          weight.defined() ? weight.raw_data() : nullptr};
}

// Three operators, each the derivative of sum(dy sum_rows(table, weight)) with respect to one of
// dy, table and weight; weight (one number for each entry, of what the table is computed in) may be
// undefined: ones.
//
// y[bag] += weight table[row];   dtable = scatter(dy, weight), dweight = dot(dy, table)
Tensor sum_rows(const Tensor& table, const Tensor& weight, const Entries& e);
// table[row] += weight y[bag];   dy = sum_rows(dtable, weight), dweight = dot(y, dtable)
Tensor scatter_rows(const Tensor& y, const Tensor& weight, const Entries& e, int64_t rows);
// weight = y[bag] . table[row];   dy = sum_rows(table, dweight), dtable = scatter(y, dweight)
Tensor dot_rows(const Tensor& y, const Tensor& table, const Entries& e);

Tensor sum_rows(const Tensor& table, const Tensor& weight, const Entries& e) {
  const Op op(kName, {table, optional_input(weight)});
  const Tensor table0 = packed(table), weight0 = packed(weight);
  const int64_t rows = table.shape()[0], width = table.shape()[1];
  Tensor y = make_empty(kName, {e.bags(), width}, table.dtype());
  kernel_table().bag.sum[index(table.dtype())](KernelScope(), bags_of(e, weight0, width),
                                               table0.raw_data(), y.impl()->bytes());
  return op.differentiable(
      y,
      [rows, entries = SavedEntries(op, e), table = op.save_if(op.needs(1), table),
       weight = op.save_if(weight.defined(), weight)](const Backward& b) -> Grads {
        const Tensor w = weight.defined() ? *weight : Tensor();
        return {b.needs(0) ? scatter_rows(b.dy(0), w, *entries, rows) : Tensor(),
                b.needs(1) ? dot_rows(b.dy(0), *table, *entries) : Tensor()};
      });
}

Tensor scatter_rows(const Tensor& y, const Tensor& weight, const Entries& e, int64_t rows) {
  const Op op("embedding_bag_backward", {y, optional_input(weight)}, {{"rows", rows}});
  const Tensor y0 = packed(y), weight0 = packed(weight);
  const int64_t width = y.shape()[1];
  Tensor table = zeros({rows, width}, computed_in(y.dtype()));
  kernel_table().bag.scatter[index(y.dtype())](KernelScope(), bags_of(e, weight0, width),
                                               y0.raw_data(), table.impl()->bytes());
  table = rounded(table, y.dtype());
  return op.differentiable(
      table,
      [entries = SavedEntries(op, e), y = op.save_if(op.needs(1), y),
       weight = op.save_if(weight.defined(), weight)](const Backward& b) -> Grads {
        const Tensor w = weight.defined() ? *weight : Tensor();
        return {b.needs(0) ? sum_rows(b.dy(0), w, *entries) : Tensor(),
                b.needs(1) ? dot_rows(*y, b.dy(0), *entries) : Tensor()};
      });
}

Tensor dot_rows(const Tensor& y, const Tensor& table, const Entries& e) {
  const Op op("embedding_bag_backward", {y, table});
  const Tensor y0 = packed(y), table0 = packed(table);
  const int64_t rows = table.shape()[0], width = table.shape()[1];
  Tensor weight = make_empty(kName, {e.count()}, computed_in(table.dtype()));
  kernel_table().bag.dot[index(table.dtype())](KernelScope(), bags_of(e, {}, width), y0.raw_data(),
                                               table0.raw_data(), weight.impl()->bytes());
  return op.differentiable(weight,
                           [rows, entries = SavedEntries(op, e), y = op.save_if(op.needs(1), y),
                            table = op.save_if(op.needs(0), table)](const Backward& b) -> Grads {
                             return {
                                 b.needs(0) ? sum_rows(*table, b.dy(0), *entries) : Tensor(),
                                 b.needs(1) ? scatter_rows(*y, b.dy(0), *entries, rows) : Tensor()};
                           });
}

// y = table[the row of the largest entry of a bag, column by column], 0 where a bag is empty
Tensor max_rows(const Tensor& table, const Entries& e) {
  const int64_t width = table.shape()[1];
  const Tensor table0 = packed(table.detach());
  const Tensor found = make_empty(kName, {1, 1, e.bags() * width}, DType::i64);
  kernel_table().bag.find_max[index(table.dtype())](
      KernelScope(), bags_of(e, {}, width), table0.raw_data(), found.impl()->data<int64_t>());
  return reshape(gather_taps(kName, reshape(table, {1, 1, table.numel()}), found, {}),
                 {e.bags(), width});
}

// --- what is asked for ---

bool is_index(DType dtype) { return dtype == DType::i64 || dtype == DType::i32; }

void check_inputs(const Tensor& indices, const Tensor& weight, const EmbeddingBagOptions& options) {
  check_defined(kName, indices, 0);
  check_defined(kName, weight, 1);
  check<DTypeError>(is_index(indices.dtype()), kName, ": indices of dtype ", indices.dtype(),
                    "; expected i64 or i32");
  check<DTypeError>(is_floating_point(weight.dtype()), kName, ": weight of dtype ", weight.dtype(),
                    "; expected a floating dtype");
  check<ShapeError>(weight.dim() == 2, kName, ": weight of shape ", weight.shape(),
                    "; expected (rows, width)");
  const bool offsets = options.offsets.defined();
  check<ShapeError>(indices.dim() == (offsets ? 1 : 2), kName, ": indices of shape ",
                    indices.shape(),
                    offsets ? " with offsets; expected one dimension"
                            : " without offsets; expected two dimensions, or offsets");
  const Tensor& samples = options.per_sample_weights;
  if (!samples.defined()) return;
  check<ConfigError>(options.mode == EmbeddingBagMode::sum, kName,
                     ": per_sample_weights with a mode other than sum; expected mode sum");
  check<ShapeError>(samples.shape() == indices.shape(), kName, ": per_sample_weights of shape ",
                    samples.shape(), " for indices of shape ", indices.shape(),
                    "; expected equal shapes");
  check<DTypeError>(samples.dtype() == weight.dtype(), kName, ": per_sample_weights of dtype ",
                    samples.dtype(), " for a weight of dtype ", weight.dtype(),
                    "; expected equal dtypes");
}

// Where each bag begins, and the end of the last.
Tensor beginnings(const Tensor& indices, const EmbeddingBagOptions& options) {
  const int64_t count = indices.numel();
  if (!options.offsets.defined()) {
    const int64_t bags = indices.shape()[0], each = indices.shape()[1];
    Tensor begin = make_empty(kName, {bags + 1}, DType::i64);
    for (int64_t b = 0; b <= bags; ++b) begin.impl()->data<int64_t>()[b] = b * each;
    return begin;
  }
  const Tensor& offsets = options.offsets;
  const bool last = options.include_last_offset;
  check<DTypeError>(is_index(offsets.dtype()), kName, ": offsets of dtype ", offsets.dtype(),
                    "; expected i64 or i32");
  check<ShapeError>(
      offsets.dim() == 1 && (offsets.numel() > 0 || !last), kName, ": offsets of shape ",
      offsets.shape(),
      last ? "; expected one dimension with the end of the last bag" : "; expected one dimension");
  const Tensor from = packed(rounded(offsets, DType::i64));
  const int64_t given = offsets.numel(), bags = given - (last ? 1 : 0);
  Tensor begin = make_empty(kName, {bags + 1}, DType::i64);
  auto* to = begin.impl()->data<int64_t>();
  for (int64_t b = 0; b < given; ++b) {
    const int64_t at = numbers(from)[b], before = b == 0 ? 0 : to[b - 1];
    check<IndexError>(at >= before && at <= count && (b > 0 || at == 0), kName, ": offset ", at,
                      " at ", b, " of ", given, " for ", count,
                      " indices; expected 0 first, then no less than before and no more than "
                      "there are indices");
    to[b] = at;
  }
  // With a last offset, what lies behind it belongs to no bag, as in PyTorch.
  if (!last) to[bags] = count;
  return begin;
}

Entries entries_of(const Tensor& indices, int64_t rows, const EmbeddingBagOptions& options) {
  const int64_t count = indices.numel();
  int64_t skip = -1;
  if (options.padding_idx.has_value()) {
    const int64_t given = *options.padding_idx;
    check<IndexError>(given >= -rows && given < rows, kName, ": padding_idx ", given, " for ", rows,
                      " rows; expected a value in [", -rows, ", ", rows, ")");
    skip = given < 0 ? given + rows : given;
  }
  Entries e{make_empty(kName, {count}, DType::i64), make_empty(kName, {count}, DType::i64),
            beginnings(indices, options)};
  const Tensor from = packed(rounded(indices, DType::i64));
  auto *row = e.row.impl()->data<int64_t>(), *bag = e.bag.impl()->data<int64_t>();
  const int64_t* begin = numbers(e.begin);
  int64_t in = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = numbers(from)[i];
    check<IndexError>(at >= 0 && at < rows, kName, ": index ", at, " at ",
                      unravel_index(i, indices.shape()), " of indices of shape ", indices.shape(),
                      "; expected values in [0, ", rows, "), the rows of the weight");
    while (in < e.bags() && i >= begin[in + 1]) ++in;
    row[i] = at == skip || in == e.bags() ? -1 : at;
    bag[i] = in == e.bags() ? 0 : in;
  }
  return e;
}

// 1 / the number of a bag's entries that count, for each entry.
Tensor shares(const Entries& e, DType dtype) {
  const Tensor share = make_empty(kName, {e.count()}, DType::f64);
  auto* to = share.impl()->data<double>();
  for (int64_t b = 0; b < e.bags(); ++b) {
    const int64_t first = numbers(e.begin)[b], last = numbers(e.begin)[b + 1];
    int64_t counted = 0;
    for (int64_t i = first; i < last; ++i) counted += numbers(e.row)[i] >= 0 ? 1 : 0;
    for (int64_t i = first; i < last; ++i) to[i] = 1 / static_cast<double>(counted);
  }
  return rounded(share, dtype);
}

}  // namespace

Tensor embedding_bag(const Tensor& indices, const Tensor& weight,
                     const EmbeddingBagOptions& options) {
  check_inputs(indices, weight, options);
  const Entries e = entries_of(indices, weight.shape()[0], options);
  switch (options.mode) {
    case EmbeddingBagMode::max:
      return max_rows(weight, e);
    case EmbeddingBagMode::mean:
      return sum_rows(weight, shares(e, computed_in(weight.dtype())), e);
    default:
      break;
  }
  const Tensor& samples = options.per_sample_weights;
  return sum_rows(weight, samples.defined() ? reshape(widened(samples), {e.count()}) : Tensor(), e);
}

}  // namespace adjoint
