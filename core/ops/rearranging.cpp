// Operators that put tensors together, turn them and choose among their elements, made of others.
#include <adjoint/core/rearranging.h>

#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/scans.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {

// --- joined and taken apart ---

Tensor atleast_1d(const Tensor& x) {
  check_defined("atleast_1d", x, 0);
  return x.dim() > 0 ? x : reshape(x, {1});
}

Tensor atleast_2d(const Tensor& x) {
  check_defined("atleast_2d", x, 0);
  return x.dim() > 1 ? x : unsqueeze(atleast_1d(x), 0);
}

Tensor atleast_3d(const Tensor& x) {
  check_defined("atleast_3d", x, 0);
  return x.dim() > 2 ? x : unsqueeze(atleast_2d(x), -1);
}

namespace {

void check_list(const char* op, std::span<const Tensor> tensors) {
  check<ShapeError>(!tensors.empty(), op, ": no tensors; expected at least one");
  for (size_t i = 0; i < tensors.size(); ++i) check_defined(op, tensors[i], static_cast<int>(i));
}

// cat() of what `widen` makes of each, with errors that name the operator and the given shapes.
template <class Widen>
Tensor joined(const char* op, std::span<const Tensor> tensors, int dim, Widen widen) {
  std::vector<Tensor> parts;
  parts.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    parts.push_back(widen(tensors[i]));
    const Shape &own = parts[i].shape(), &first = parts[0].shape();
    bool fits = own.rank() == first.rank();
    for (int d = 0; fits && d < own.rank(); ++d) fits = d == dim || own[d] == first[d];
    check<ShapeError>(fits, op, ": tensor ", i, " of shape ", tensors[i].shape(),
                      " beside tensor 0 of shape ", tensors[0].shape(),
                      "; expected equal sizes but at dimension ", dim, " of ", first);
  }
  return cat(parts, dim);
}

}  // namespace

Tensor hstack(std::span<const Tensor> tensors) {
  check_list("hstack", tensors);
  return joined("hstack", tensors, tensors[0].dim() < 2 ? 0 : 1, &atleast_1d);
}

Tensor vstack(std::span<const Tensor> tensors) {
  check_list("vstack", tensors);
  return joined("vstack", tensors, 0, &atleast_2d);
}

Tensor dstack(std::span<const Tensor> tensors) {
  check_list("dstack", tensors);
  return joined("dstack", tensors, 2, &atleast_3d);
}

Tensor column_stack(std::span<const Tensor> tensors) {
  check_list("column_stack", tensors);
  return joined("column_stack", tensors, 1,
                [](const Tensor& x) { return x.dim() > 1 ? x : unsqueeze(atleast_1d(x), 1); });
}

namespace {

int split_dim(const Tensor& x, int64_t dim) {
  check_defined("tensor_split", x, 0);
  check<ShapeError>(x.dim() > 0,
                    "tensor_split: a 0-dimensional tensor; expected one dimension or more");
  return normalize_dim("tensor_split", dim, x.dim());
}

}  // namespace

std::vector<Tensor> tensor_split(const Tensor& x, int64_t sections, int64_t dim) {
  const int d = split_dim(x, dim);
  check<ShapeError>(sections >= 1, "tensor_split: ", sections, " sections; expected 1 or more");
  const int64_t size = x.shape()[d], least = size / sections, longer = size % sections;
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (int64_t i = 0; i < sections; ++i) {
    const int64_t end = start + least + (i < longer ? 1 : 0);
    parts.push_back(slice(x, d, start, end));
    start = end;
  }
  return parts;
}

std::vector<Tensor> tensor_split(const Tensor& x, std::span<const int64_t> indices, int64_t dim) {
  const int d = split_dim(x, dim);
  std::vector<Tensor> parts;
  int64_t start = 0;
  for (const int64_t end : indices) {
    parts.push_back(slice(x, d, start, end));
    start = end;
  }
  parts.push_back(slice(x, d, start));
  return parts;
}

// --- turned ---

Tensor rot90(const Tensor& x, int64_t k, const Shape& dims) {
  check_defined("rot90", x, 0);
  check<ShapeError>(x.dim() >= 2 && dims.rank() == 2, "rot90: dims ", dims,
                    " for a tensor of shape ", x.shape(), "; expected two of its dimensions");
  const int a = normalize_dim("rot90", dims[0], x.dim());
  const int b = normalize_dim("rot90", dims[1], x.dim());
  check<ShapeError>(a != b, "rot90: dimension ", dims[0], " twice in ", dims,
                    "; expected two different ones");
  switch (k & 3) {  // modulo 4, of negative numbers too
    case 1:
      return transpose(flip(x, b), a, b);
    case 2:
      return flip(x, {a, b});
    case 3:
      return transpose(flip(x, a), a, b);
    default:
      return clone(x);
  }
}

Tensor fliplr(const Tensor& x) {
  check_defined("fliplr", x, 0);
  check<ShapeError>(x.dim() >= 2, "fliplr: a tensor of shape ", x.shape(),
                    "; expected two dimensions or more");
  return flip(x, 1);
}

Tensor flipud(const Tensor& x) {
  check_defined("flipud", x, 0);
  check<ShapeError>(x.dim() >= 1, "flipud: a tensor of shape ", x.shape(),
                    "; expected one dimension or more");
  return flip(x, 0);
}

// --- every choice ---

namespace {

void check_row(const char* op, const Tensor& x, size_t input) {
  check<ShapeError>(x.dim() == 1, op, ": tensor ", input, " of shape ", x.shape(),
                    "; expected one dimension");
}

// The places of every choice of r of n, a row each.
Tensor choices(int64_t n, int64_t r, bool repeat) {
  int64_t rows = 1;
  const int64_t from = repeat ? n + r - 1 : n;  // as many as choices of r of these without repeats
  for (int64_t i = 1; i <= r && rows > 0; ++i) {
    check<ShapeError>(!__builtin_mul_overflow(rows, std::max<int64_t>(from - r + i, 0), &rows),
                      "combinations: choices of ", r, " of ", n,
                      "; expected as many as memory can hold");
    rows /= i;
  }
  Tensor found = make_empty("combinations", {rows, r}, DType::i64);
  const int64_t step = repeat ? 0 : 1;  // from each place to the least next one
  auto* row = found.impl()->data<int64_t>();
  for (int64_t i = 0; i < rows; ++i, row += r) {
    if (i == 0) {
      for (int64_t k = 0; k < r; ++k) row[k] = step * k;
      continue;
    }
    std::copy(row - r, row, row);
    int64_t k = r - 1;
    while (row[k] == n - 1 - step * (r - 1 - k)) --k;
    ++row[k];
    for (++k; k < r; ++k) row[k] = row[k - 1] + step;
  }
  return found;
}

}  // namespace

Tensor cartesian_prod(std::span<const Tensor> tensors) {
  check_list("cartesian_prod", tensors);
  for (size_t i = 0; i < tensors.size(); ++i) {
    check_row("cartesian_prod", tensors[i], i);
    check<DTypeError>(tensors[i].dtype() == tensors[0].dtype(), "cartesian_prod: tensor ", i,
                      " of dtype ", tensors[i].dtype(), " beside ", tensors[0].dtype(),
                      "; expected one dtype");
  }
  if (tensors.size() == 1) return tensors[0];
  const Tensor grid = stack(meshgrid(tensors), -1);
  return reshape(grid, {grid.numel() / grid.shape().back(), grid.shape().back()});
}

Tensor combinations(const Tensor& x, int64_t r, bool with_replacement) {
  check_defined("combinations", x, 0);
  check_row("combinations", x, 0);
  check<ConfigError>(r >= 1, "combinations: r is ", r, "; expected 1 or more");
  const Tensor places = choices(x.numel(), r, with_replacement);
  return reshape(index_select(x, 0, flatten(places)), places.shape());
}

Tensor vander(const Tensor& x, std::optional<int64_t> n, bool increasing) {
  check_defined("vander", x, 0);
  check_row("vander", x, 0);
  const int64_t columns = n.value_or(x.numel());
  check<ShapeError>(columns >= 0, "vander: ", columns, " columns; expected 0 or more");
  const DType dtype = is_floating_point(x.dtype()) ? x.dtype() : DType::i64;
  if (columns == 0) return empty({x.numel(), 0}, dtype);
  const Tensor one = ones({x.numel(), 1}, dtype);
  const Tensor column = unsqueeze(to(x, dtype), 1);
  const Tensor powers = cat({one, cumprod(expand(column, {-1, columns - 1}), 1)}, 1);
  return increasing ? powers : flip(powers, 1);
}

// --- indices ---

namespace {

// Row by row, the columns in [first(row), last(row)).
template <class F>
Tensor triangle_indices(const char* op, int64_t row, int64_t col, DType dtype, F range) {
  check<ShapeError>(row >= 0 && col >= 0, op, ": a matrix of ", row, " rows and ", col,
                    " columns; expected sizes of 0 or more");
  check<DTypeError>(dtype == DType::i64 || dtype == DType::i32, op, ": dtype ", dtype,
                    "; expected i64 or i32");
  int64_t count = 0;
  for (int64_t i = 0; i < row; ++i) count += range(i).second - range(i).first;
  const Tensor found = make_empty(op, {2, count}, DType::i64);
  int64_t* rows = found.impl()->data<int64_t>();
  int64_t* columns = rows + count;
  for (int64_t i = 0; i < row; ++i) {
    const auto [first, last] = range(i);
    rows = std::fill_n(rows, last - first, i);
    std::iota(columns, columns + (last - first), first);
    columns += last - first;
  }
  return to(found, dtype);
}

}  // namespace

Tensor tril_indices(int64_t row, int64_t col, int64_t offset, DType dtype) {
  const int64_t near = std::clamp(offset, -row, col);  // beyond them all diagonals are alike
  return triangle_indices("tril_indices", row, col, dtype, [=](int64_t i) {
    return std::pair(int64_t{0}, std::clamp<int64_t>(i + near + 1, 0, col));
  });
}

Tensor triu_indices(int64_t row, int64_t col, int64_t offset, DType dtype) {
  const int64_t near = std::clamp(offset, -row, col);
  return triangle_indices("triu_indices", row, col, dtype, [=](int64_t i) {
    return std::pair(std::clamp<int64_t>(i + near, 0, col), col);
  });
}

}  // namespace adjoint
