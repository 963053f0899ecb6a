// Rows by index, and triangles.
#include <adjoint/core/embedding.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>

#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// The indices, contiguous, each checked to be in [0, rows).
Tensor checked_indices(const Tensor& indices, int64_t rows) {
  check<DTypeError>(indices.dtype() == DType::i64, "embedding: indices are of dtype ",
                    indices.dtype(), "; expected i64; convert them with to()");
  Tensor checked = packed(indices);
  const int64_t* begin = checked.impl()->data<int64_t>();
  for (int64_t i = 0; i < checked.numel(); ++i) {
    check<IndexError>(begin[i] >= 0 && begin[i] < rows, "embedding: index ", begin[i], " at ",
                      unravel_index(i, indices.shape()), " of indices of shape ", indices.shape(),
                      "; expected values in [0, ", rows, "), the rows of the weight");
  }
  return checked;
}

kernels::Rows rows_of(const Tensor& indices, int64_t width, int64_t skip) {
  return {indices.impl()->data<int64_t>(), indices.numel(), width, skip};
}

Tensor look_up(const Tensor& indices, const Tensor& weight, int64_t skip);

// table[indices[i]] += dy[i] for all i. REQUIRES: the indices are checked and contiguous, and table
// is contiguous, of what dy is computed in.
void scatter_add(const Tensor& dy, const Tensor& indices, int64_t skip, const Tensor& table) {
  const Tensor rows = packed(dy);
  kernel_table().index.scatter_add[index(dy.dtype())](KernelScope(),
                                                      rows_of(indices, table.shape()[1], skip),
                                                      rows.impl()->bytes(), table.impl()->bytes());
}

// The gradient of `look_up` as an operator of its own: a table of `rows` rows with dy[i] added to
// row indices[i];   ddy = the rows of its gradient, zero where the index is `skip`
Tensor embedding_backward(const Tensor& dy, const Tensor& indices, int64_t rows, int64_t skip) {
  const Op op("embedding_backward", {dy, indices}, {{"rows", rows}});
  const int64_t width = dy.shape().back();
  Tensor table = zeros({rows, width}, computed_in(dy.dtype()));
  scatter_add(dy, indices, skip, table);
  table = rounded(table, dy.dtype());
  return op.differentiable(table, [indices = op.save(indices), skip](const Backward& b) -> Grads {
    const Tensor i = *indices;
    Tensor ddy = look_up(i, b.dy(0), skip);
    if (skip >= 0) ddy = masked_fill(ddy, unsqueeze(i == skip, -1), 0);
    return {ddy, Tensor()};
  });
}

// REQUIRES: the indices are checked and contiguous.
Tensor look_up(const Tensor& indices, const Tensor& weight, int64_t skip) {
  const Op op("embedding", {indices, weight}, {{"padding_idx", skip}});
  const int64_t rows = weight.shape()[0], width = weight.shape()[1];
  const Tensor table = packed(weight);
  Shape shape = indices.shape();
  shape.push_back(width);
  Tensor y = make_empty("embedding", shape, weight.dtype());
  kernel_table().index.gather[index(weight.dtype())](KernelScope(), rows_of(indices, width, -1),
                                                     table.impl()->bytes(), y.impl()->bytes());
  return op.differentiable(y, [indices = op.save(indices), rows, skip](const Backward& b) -> Grads {
    const Tensor& dy = b.dy(0);
    if (!grad_enabled() && computed_in(dy.dtype()) == dy.dtype()) {
      // Without a table of zeros, where a gradient is already there to be added to.
      if (const Tensor into = b.into(1); into.defined()) {
        scatter_add(dy, *indices, skip, into);
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
  check<Error>(indices.defined() && weight.defined(), "embedding: input ",
               indices.defined() ? 1 : 0,
               " is an undefined tensor; expected a tensor with elements");
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
  return look_up(checked_indices(indices, rows), weight, skip);
}

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", x, diagonal, true); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", x, diagonal, false); }

}  // namespace adjoint
