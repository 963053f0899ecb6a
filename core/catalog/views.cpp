// Rows of views: dimensions moved and parted, diagonals, windows, any strides.
#include <adjoint/core/layout.h>

#include <algorithm>
#include <cmath>

#include "core/catalog/layout_rows.h"

namespace adjoint::catalog {
namespace {

Row movedim_row() {
  const auto f = [](const Shape& from, const Shape& to) {
    return [from, to](const Tensor& x) { return movedim(x, from, to); };
  };
  // Dimension d of the result is dims[d] of the input.
  const auto moved = [](const Shape& shape, const Shape& dims) {
    return gathered(shape, [dims](const Shape& index) {
      Shape from = index;
      for (int d = 0; d < dims.rank(); ++d) from[static_cast<int>(dims[d])] = index[d];
      return from;
    });
  };
  Row row{"movedim",
          {sample("(2, 3, 4), 0 to -1", input({2, 3, 4}, 1), f(0, -1), moved({3, 4, 2}, {1, 2, 0}),
                  "x[0].movedim(0, -1)"),
           sample("(2, 3, 4) strided, 2 and 0 to 0 and 1", strided(input({2, 3, 4}, 2)),
                  f({2, 0}, {0, 1}), moved({4, 2, 3}, {2, 0, 1}), "x[0].movedim((2, 0), (0, 1))"),
           sample("(2, 0), 1 to 0", input({2, 0}, 3), f(1, 0), moved({0, 2}, {1, 0}),
                  "x[0].movedim(1, 0)"),
           sample("() nothing", input({}, 4), f({}, {}), same(), "x[0].movedim((), ())")}};
  row.errors = {error("more sources than destinations",
                      [f] {
                        return f({0, 1}, 0)(ones({2, 3}));
                      },
                      {"movedim: ", "(0, 1)", "(0,)"}),
                error("a destination twice",
                      [f] {
                        return f({0, 1}, {1, -1})(ones({2, 3}));
                      },
                      {"movedim: ", "(1, -1)", "twice"}),
                error("a dimension that is not there",
                      [f] {
                        return f(2, 0)(ones({2, 3}));
                      },
                      {"movedim: ", "2"})};
  return row;
}

Row unflatten_row() {
  const auto f = [](int64_t dim, const Shape& sizes) {
    return [dim, sizes](const Tensor& x) { return unflatten(x, dim, sizes); };
  };
  Row row{"unflatten",
          {sample("(2, 6), 1 as (3, 2)", input({2, 6}, 1), f(1, {3, 2}), reshaped_to({2, 3, 2}),
                  "x[0].unflatten(1, (3, 2))"),
           sample("(4, 3) strided, 0 as (-1, 2)", strided(input({4, 3}, 2)), f(0, {-1, 2}),
                  reshaped_to({2, 2, 3}), "x[0].unflatten(0, (-1, 2))"),
           sample("(2, 0), -1 as (0, 3)", input({2, 0}, 3), f(-1, {0, 3}), reshaped_to({2, 0, 3}),
                  "x[0].unflatten(-1, (0, 3))")}};
  row.errors = {error("sizes that do not fit",
                      [f] {
                        return f(1, {2, 2})(ones({2, 6}));
                      },
                      {"unflatten: ", "(2, 2)", "(2, 6)", "6"}),
                error("two sizes to infer",
                      [f] {
                        return f(1, {-1, -1})(ones({2, 6}));
                      },
                      {"unflatten: ", "(-1, -1)"}),
                error("a dimension that is not there",
                      [f] {
                        return f(2, {1, 1})(ones({2, 6}));
                      },
                      {"unflatten: ", "2"})};
  return row;
}

Row narrow_row() {
  const auto cut = [](const std::string& name, const Tensor& x, int64_t dim, int64_t start,
                      int64_t length, int64_t first) {
    Shape shape = x.shape();
    const auto d = static_cast<int>(dim);
    shape[d] = length;
    return sample(
        name, x, [=](const Tensor& v) { return narrow(v, dim, start, length); },
        gathered(shape,
                 [=](Shape index) {
                   index[d] += first;
                   return index;
                 }),
        "x[0].narrow(" + std::to_string(dim) + ", " + std::to_string(start) + ", " +
            std::to_string(length) + ")");
  };
  Row row{"narrow",
          {cut("(2, 5) [:, 1:4]", input({2, 5}, 1), 1, 1, 3, 1),
           cut("(5, 2) strided [-3:-1]", strided(input({5, 2}, 2)), 0, -3, 2, 2),
           cut("(3) nothing at its end", input({3}, 3), 0, 3, 0, 3),
           cut("(0, 2) nothing", input({0, 2}, 4), 0, 0, 0, 0)}};
  row.errors = {error("a length too large",
                      [] {
                        return narrow(ones({2, 5}), 1, 3, 3);
                      },
                      {"narrow: ", "length 3", "3", "(2, 5)"}),
                error("a start too large", [] { return narrow(ones({5}), 0, 6, 0); },
                      {"narrow: ", "start 6", "[-5, 5]"}),
                error("no dimensions", [] { return narrow(ones({}), 0, 0, 0); },
                      {"narrow: ", "0-dimensional"})};
  return row;
}

// The places of the diagonal's elements: (..., i) is (.., i + below, .., i + beside).
TensorFunction diagonal_reference(int64_t offset, int dim1, int dim2) {
  return [=](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    const int64_t below = std::max<int64_t>(-offset, 0), beside = std::max<int64_t>(offset, 0);
    Shape shape = x.shape;
    const int64_t size = std::max<int64_t>(0, std::min(shape[dim1] - below, shape[dim2] - beside));
    shape.erase(std::max(dim1, dim2));
    shape.erase(std::min(dim1, dim2));
    shape.push_back(size);
    return {make_array(shape, [&](Shape index) {
              const int64_t i = index.back();
              index.erase(index.rank() - 1);
              const bool first = dim1 < dim2;
              index.insert(first ? dim1 : dim2, first ? i + below : i + beside);
              index.insert(first ? dim2 : dim1, first ? i + beside : i + below);
              return x.at(index);
            }).tensor()};
  };
}

Row diagonal_row() {
  const auto f = [](int64_t offset, int64_t dim1, int64_t dim2) {
    return [=](const Tensor& x) { return diagonal(x, offset, dim1, dim2); };
  };
  Row row{"diagonal",
          {sample("(3, 4)", input({3, 4}, 1), f(0, 0, 1), diagonal_reference(0, 0, 1),
                  "x[0].diagonal()"),
           sample("(2, 4, 3) strided, 1 beside, of -1 and 0", strided(input({2, 4, 3}, 2)),
                  f(1, -1, 0), diagonal_reference(1, 2, 0), "x[0].diagonal(1, -1, 0)"),
           sample("(4, 3), 2 below", input({4, 3}, 3), f(-2, 0, 1), diagonal_reference(-2, 0, 1),
                  "x[0].diagonal(-2)"),
           sample("(2, 3), beyond", input({2, 3}, 4), f(3, 0, 1), diagonal_reference(3, 0, 1),
                  "x[0].diagonal(3)"),
           sample("(0, 2, 2), of 1 and 2", input({0, 2, 2}, 5), f(0, 1, 2),
                  diagonal_reference(0, 1, 2), "x[0].diagonal(0, 1, 2)")}};
  row.errors = {error("one dimension", [] { return diagonal(ones({3})); }, {"diagonal: ", "(3,)"}),
                error("one dimension twice",
                      [] {
                        return diagonal(ones({2, 3}), 0, 1, -1);
                      },
                      {"diagonal: ", "dim1 1", "dim2 -1"}),
                error("a dimension that is not there",
                      [] {
                        return diagonal(ones({2, 3}), 0, 0, 2);
                      },
                      {"diagonal: ", "2"})};
  return row;
}

// y[.., r, .., c, ..] = x[.., i] where r - below = c - beside = i.
TensorFunction diag_embed_reference(const Shape& shape, int64_t offset, int dim1, int dim2) {
  return [=](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    return {make_array(shape, [&](Shape index) {
              const int64_t row = index[dim1] - std::max<int64_t>(-offset, 0);
              const int64_t column = index[dim2] - std::max<int64_t>(offset, 0);
              if (row != column || row < 0 || row >= x.shape.back()) return 0.0;
              index.erase(std::max(dim1, dim2));
              index.erase(std::min(dim1, dim2));
              index.push_back(row);
              return x.at(index);
            }).tensor()};
  };
}

Row diag_embed_row() {
  const auto f = [](int64_t offset, int64_t dim1, int64_t dim2) {
    return [=](const Tensor& x) { return diag_embed(x, offset, dim1, dim2); };
  };
  Row row{"diag_embed",
          {sample("(3)", input({3}, 1), f(0, -2, -1), diag_embed_reference({3, 3}, 0, 0, 1),
                  "torch.diag_embed(x[0])"),
           sample("(2, 3) strided, 1 beside, of 2 and 0", strided(input({2, 3}, 2)), f(1, 2, 0),
                  diag_embed_reference({4, 2, 4}, 1, 2, 0), "torch.diag_embed(x[0], 1, 2, 0)"),
           sample("(2, 2), 2 below", input({2, 2}, 3), f(-2, -2, -1),
                  diag_embed_reference({2, 4, 4}, -2, 1, 2), "torch.diag_embed(x[0], -2)"),
           sample("(0)", input({0}, 4), f(0, -2, -1), diag_embed_reference({0, 0}, 0, 0, 1),
                  "torch.diag_embed(x[0])")}};
  row.errors = {
      error("no dimensions", [] { return diag_embed(ones({})); }, {"diag_embed: ", "0-dim"}),
      error("one dimension twice", [] { return diag_embed(ones({3}), 0, 1, -1); },
            {"diag_embed: ", "dim1 1"}),
      error("an offset that nothing can hold", [] { return diag_embed(ones({3}), INT64_MAX); },
            {"diag_embed: ", "9223372036854775807"})};
  return row;
}

Row diag_row() {
  const auto f = [](int64_t diagonal) {
    return [=](const Tensor& x) { return diag(x, diagonal); };
  };
  Row row{"diag",
          {sample("(3), 1 beside", input({3}, 1), f(1), diag_embed_reference({4, 4}, 1, 0, 1),
                  "torch.diag(x[0], 1)"),
           sample("(3, 4) strided", strided(input({3, 4}, 2)), f(0), diagonal_reference(0, 0, 1),
                  "torch.diag(x[0])"),
           sample("(4, 3), 1 below", input({4, 3}, 3), f(-1), diagonal_reference(-1, 0, 1),
                  "torch.diag(x[0], -1)"),
           sample("(0)", input({0}, 4), f(0), diag_embed_reference({0, 0}, 0, 0, 1),
                  "torch.diag(x[0])")}};
  row.errors = {
      error("three dimensions",
            [] {
              return diag(ones({2, 3, 4}));
            },
            {"diag: ", "(2, 3, 4)", "diag_embed()"}),
      error("no dimensions", [] { return diag(ones({})); }, {"diag: ", "()"}),
      error("a diagonal that nothing can hold", [] { return diag(ones({3}), INT64_MAX); },
            {"diag: ", "diagonal 9223372036854775807"}),
      error("more than memory can hold", [] { return diag(ones({3}), int64_t{1} << 30); },
            {"diag: ", "(1073741827, 1073741827)"}),
      error("an undefined tensor", [] { return diag(Tensor()); }, {"diag: ", "undefined"})};
  return row;
}

Row unfold_dim_row() {
  const auto windows = [](const std::string& name, const Tensor& x, int64_t dim, int64_t size,
                          int64_t step, int64_t count) {
    Shape shape = x.shape();
    const auto d = static_cast<int>(dim);
    if (x.dim() > 0) shape[d] = count;
    shape.push_back(size);
    return sample(
        name, x, [=](const Tensor& v) { return unfold_dim(v, dim, size, step); },
        gathered(shape,
                 [=](Shape index) {
                   const int64_t i = index.back();
                   index.erase(index.rank() - 1);
                   if (index.rank() > 0) index[d] = index[d] * step + i;
                   return index;
                 }),
        "x[0].unfold(" + std::to_string(dim) + ", " + std::to_string(size) + ", " +
            std::to_string(step) + ")");
  };
  Row row{"unfold_dim",
          {windows("(7), 3 by 2", input({7}, 1), 0, 3, 2, 3),
           windows("(2, 6, 2) strided, 2 by 1 along 1", strided(input({2, 6, 2}, 2)), 1, 2, 1, 5),
           windows("(2, 6), 5 by 1 along 1", input({2, 6}, 3), 1, 5, 1, 2),
           windows("(8), 2 by 3", input({8}, 4), 0, 2, 3, 3),
           windows("(0, 3), 2 by 1 along 1", input({0, 3}, 5), 1, 2, 1, 2),
           windows("(), 1 by 1", input({}, 6), 0, 1, 1, 1)}};
  row.errors = {error("windows too long",
                      [] {
                        return unfold_dim(ones({2, 3}), 1, 4, 1);
                      },
                      {"unfold_dim: ", "windows of 4", "(2, 3)", "0 to 3"}),
                error("a step of 0", [] { return unfold_dim(ones({3}), 0, 2, 0); },
                      {"unfold_dim: ", "step 0"}),
                error("a dimension that is not there",
                      [] { return unfold_dim(ones({3}), 1, 1, 1); }, {"unfold_dim: ", "1"})};
  row.bf16_gradient_roundings = 1;
  return row;
}

Row as_strided_row() {
  // y[index] = the element of x of number sum index strides + offset in row-major order.
  const auto shown = [](const Shape& shape, const Shape& strides, int64_t offset) {
    return [=](const Tensors& in) -> Tensors {
      const Array x(in[0]);
      return {make_array(shape, [&](const Shape& index) {
                int64_t at = offset;
                for (int d = 0; d < index.rank(); ++d) at += index[d] * strides[d];
                return x.data[static_cast<size_t>(at)];
              }).tensor()};
    };
  };
  const auto plain = [&](const std::string& name, const Tensor& x, const Shape& shape,
                         const Shape& strides, int64_t offset) {
    return sample(
        name, x, [=](const Tensor& v) { return as_strided(v, shape, strides, offset); },
        shown(shape, strides, offset),
        "torch.as_strided(x[0], " + tuple(shape) + ", " + tuple(strides) + ", " +
            std::to_string(offset) + ")");
  };
  const auto corner = [](const Tensor& v) {
    return as_strided(v, {2, 2}, {v.strides()[0], v.strides()[1]});
  };
  Row row{"as_strided",
          {plain("(2, 6) transposed by hand", input({2, 6}, 1), {6, 2}, {1, 6}, 0),
           plain("(7) in windows that overlap", input({7}, 2), {3, 3}, {2, 1}, 0),
           sample("(2, 3) strided, two columns", strided(input({2, 3}, 3)), corner,
                  gathered({2, 2}, [](const Shape& index) { return index; })),
           plain("(6), one element four times", input({6}, 4), {2, 2}, {0, 0}, 5),
           plain("(0) nothing", input({0}, 5), {0, 3}, {3, 1}, 0)}};
  row.errors = {error("past the storage",
                      [] {
                        return as_strided(ones({6}), {2, 3}, {4, 1}, 0);
                      },
                      {"as_strided: ", "(2, 3)", "(4, 1)", "6 elements"}),
                error("fewer strides than sizes",
                      [] {
                        return as_strided(ones({6}), {2, 3}, {1}, 0);
                      },
                      {"as_strided: ", "1 strides", "(2, 3)"}),
                error("negative strides", [] { return as_strided(ones({6}), {2}, {-1}, 3); },
                      {"as_strided: ", "(-1,)", "flip()"}),
                error("a negative offset", [] { return as_strided(ones({6}), {2}, {1}, -1); },
                      {"as_strided: ", "offset -1"})};
  row.bf16_gradient_roundings = 1;
  return row;
}

}  // namespace

void add_views(std::vector<Row>& rows) {
  rows.push_back(movedim_row());
  rows.push_back(unflatten_row());
  rows.push_back(narrow_row());
  rows.push_back(diagonal_row());
  rows.push_back(unfold_dim_row());
  rows.push_back(as_strided_row());
  rows.push_back(diag_row());
  rows.push_back(diag_embed_row());
}

}  // namespace adjoint::catalog
