// Rows by index, and triangles.
#include <adjoint/core/embedding.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>
#include <bit>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"
#include "core/ops/places.h"

namespace adjoint {
namespace {

// The table's rows at index 0, as many as there are indices, and the indices beside them.
struct RowLoop {
  RowLoop(const Tensor& indices, const Tensor& table)
      : shape({indices.numel(), table.shape()[1]}),
        rows(make_view(table, shape, {0, table.strides()[1]}, table.impl()->offset)),
        index(make_view(indices, shape, {1, 0}, indices.impl()->offset)) {}

  kernels::Along along(const Tensor& table, int64_t skip = -1) const {
    return {table.strides()[0], table.shape()[0], skip};
  }
  Shape shape;
  Tensor rows, index;
};

Tensor look_up(const Tensor& indices, const Tensor& weight, int64_t skip);

// table[indices[i]] += dy[i] for all i. REQUIRES: the indices are contiguous and in range, and the
// table is of what dy is computed in.
void add_rows(const Tensor& dy, const Tensor& indices, int64_t skip, const Tensor& table) {
  const RowLoop loop(indices, table);
  const Tensor values = packed(dy);
  const Tensor rows =
      make_view(values, loop.shape, contiguous_strides(loop.shape), values.impl()->offset);
  kernel_table().index.add[index(dy.dtype())](
      KernelScope(), make_loop<3>(loop.shape, {&loop.rows, &loop.index, &rows}),
      loop.along(table, skip));
}

// The gradient of `look_up` as an operator of its own: a table of `rows` rows with dy[i] added to
// row indices[i];   ddy = the rows of its gradient, zero where the index is `skip`
Tensor embedding_backward(const Tensor& dy, const Tensor& indices, int64_t rows, int64_t skip) {
  const Op op("embedding_backward", {dy, indices}, {{"rows", rows}});
  const int64_t width = dy.shape().back();
  Tensor table = zeros({rows, width}, computed_in(dy.dtype()));
  add_rows(dy, indices, skip, table);
  table = rounded(table, dy.dtype());
  return op.differentiable(table, [indices = op.save(indices), skip](const Backward& b) -> Grads {
    const Tensor i = *indices;
    Tensor ddy = look_up(i, b.dy(0), skip);
    if (skip >= 0) ddy = masked_fill(ddy, unsqueeze(i == skip, -1), 0);
    return {ddy, Tensor()};
  });
}

// REQUIRES: the indices are contiguous and in range.
Tensor look_up(const Tensor& indices, const Tensor& weight, int64_t skip) {
  const Op op("embedding", {indices, weight}, {{"padding_idx", skip}});
  const int64_t rows = weight.shape()[0];
  Shape shape = indices.shape();
  shape.push_back(weight.shape()[1]);
  Tensor y = make_empty("embedding", shape, weight.dtype());
  const RowLoop loop(indices, weight);
  const Tensor flat = make_view(y, loop.shape, contiguous_strides(loop.shape), 0);
  kernel_table().index.gather[std::countr_zero(element_size(weight.dtype()))](
      KernelScope(), make_loop<3>(loop.shape, {&flat, &loop.index, &loop.rows}),
      loop.along(weight));
  return op.differentiable(y, [indices = op.save(indices), rows, skip](const Backward& b) -> Grads {
    const Tensor& dy = b.dy(0);
    if (!grad_enabled() && computed_in(dy.dtype()) == dy.dtype()) {
      // Without a table of zeros, where a gradient is already there to be added to.
      if (const Tensor into = b.into(1); into.defined()) {
        add_rows(dy, *indices, skip, into);
        return {Tensor(), into};
      }
    }
    return {Tensor(), embedding_backward(dy, *indices, rows, skip)};
  });
}

// y = x on and below (above) the diagonal, else 0;   dx = the same part of dy
Tensor triangle(const char* name, const Tensor& x, int64_t diagonal, bool lower) {
  const Op op(name, {x}, {{"diagonal", diagonal}});
  op.check(x.dim() >= 2, "a tensor of shape ", x.shape(), "; expected two dimensions or more");
  const Tensor x0 = packed(x);
  Tensor y = make_empty(name, x.shape(), x.dtype());
  const int64_t rows = x.shape()[x.dim() - 2], columns = x.shape()[x.dim() - 1];
  const int64_t matrices = y.numel() == 0 ? 0 : y.numel() / (rows * columns);
  // Beyond the matrix every diagonal is alike, and sums with it cannot overflow.
  const int64_t near = std::clamp(diagonal, -rows - 1, columns + 1);
  kernel_table().index.triangle[index(x.dtype())](
      KernelScope(), {x0.impl()->bytes(), y.impl()->bytes(), matrices, rows, columns, near, lower});
  return op.differentiable(y, [name, diagonal, lower](const Backward& b) -> Grads {
    return {triangle(name, b.dy(0), diagonal, lower)};
  });
}

}  // namespace

Tensor embedding(const Tensor& indices, const Tensor& weight, std::optional<int64_t> padding_idx) {
  check_defined("embedding", indices, 0);
  check_defined("embedding", weight, 1);
  check<ShapeError>(weight.dim() == 2, "embedding: weight of shape ", weight.shape(),
                    "; expected (rows, width)");
  const int64_t rows = weight.shape()[0];
  int64_t skip = -1;
  if (padding_idx.has_value()) {
    check<IndexError>(*padding_idx >= -rows && *padding_idx < rows, "embedding: padding_idx ",
                      *padding_idx, " for ", rows, " rows; expected a value in [", -rows, ", ",
                      rows, ")");
    skip = *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
  }
  const Tensor i = packed(adjoint::indices("embedding", indices));
  check_range("embedding", i, rows, false, "the rows of the weight");
  return look_up(i, weight, skip);
}

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, false); }

}  // namespace adjoint
