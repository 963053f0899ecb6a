// Tensors joined, and taken apart again.
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {

namespace {

// As PyTorch a tensor of shape (0,) stands beside any others: a list begins with it.
constexpr int64_t kNothing = -1;  // in place of its size
bool is_nothing(const Tensor& x) { return x.dim() == 1 && x.shape()[0] == 0; }

// The number of the tensor whose shape all others follow.
size_t first_of_shape(std::span<const Tensor> tensors) {
  size_t i = 0;
  while (i + 1 < tensors.size() && is_nothing(tensors[i])) ++i;
  return i;
}

}  // namespace

// y = the tensors one after the other;   dx_i = its part of dy
Tensor cat(std::span<const Tensor> tensors, int64_t dim) {
  const Op op("cat", tensors, {{"dim", dim}});
  op.check(!tensors.empty(), "no tensors; expected at least one");
  const size_t first = first_of_shape(tensors);
  op.check(tensors[first].dim() > 0,
           "a 0-dimensional tensor; expected one dimension or more; stack() adds one");
  Shape shape = tensors[first].shape();
  const int d = normalize_dim("cat", dim, shape.rank());
  DType dtype = tensors[0].dtype();
  std::vector<int64_t> sizes;
  sizes.reserve(tensors.size());
  shape[d] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Shape& own = tensors[i].shape();
    dtype = promote(dtype, tensors[i].dtype());
    if (is_nothing(tensors[i])) {
      sizes.push_back(kNothing);
      continue;
    }
    bool fits = own.rank() == shape.rank();
    for (int k = 0; fits && k < shape.rank(); ++k) fits = k == d || own[k] == shape[k];
    op.check(fits, "tensor ", i, " of shape ", own, " beside tensor ", first, " of shape ",
             tensors[first].shape(), "; expected equal sizes but at dimension ", d);
    shape[d] += own[d];
    sizes.push_back(own[d]);
  }
  Tensor y = make_empty("cat", shape, dtype);
  int64_t start = 0;
  for (const Tensor& x : tensors) {
    if (is_nothing(x)) continue;
    const Tensor part = make_view(y, x.shape(), y.strides(), start * y.strides()[d]);
    kernel_table().elementwise.copy[static_cast<int>(x.dtype())][static_cast<int>(dtype)](
        KernelScope(), make_loop<2>(x.shape(), {&part, &x}));
    start += x.shape()[d];
  }
  return op.differentiable(y, [sizes = std::move(sizes), d](const Backward& b) -> Grads {
    std::vector<Tensor> grads(sizes.size());
    int64_t at = 0;
    for (size_t i = 0; i < sizes.size(); ++i) {
      const bool nothing = sizes[i] == kNothing, needed = b.needs(static_cast<int>(i));
      if (needed && nothing) grads[i] = zeros({0}, b.dy(0).dtype());
      if (nothing) continue;
      if (needed) grads[i] = slice(b.dy(0), d, at, at + sizes[i]);
      at += sizes[i];
    }
    return Grads(std::move(grads));
  });
}

Tensor stack(std::span<const Tensor> tensors, int64_t dim) {
  check<ShapeError>(!tensors.empty(), "stack: no tensors; expected at least one");
  check_defined("stack", tensors[0], 0);
  const int d = normalize_dim("stack", dim, tensors[0].dim() + 1);
  std::vector<Tensor> apart;
  apart.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    check_defined("stack", tensors[i], static_cast<int>(i));
    check<ShapeError>(tensors[i].shape() == tensors[0].shape(), "stack: tensor ", i, " of shape ",
                      tensors[i].shape(), " beside tensor 0 of shape ", tensors[0].shape(),
                      "; expected equal shapes");
    apart.push_back(unsqueeze(tensors[i], d));
  }
  return cat(apart, d);
}

std::vector<Tensor> split(const Tensor& x, std::span<const int64_t> sizes, int64_t dim) {
  check<ShapeError>(x.dim() > 0, "split: a 0-dimensional tensor; expected one dimension or more");
  const int d = normalize_dim("split", dim, x.dim());
  int64_t total = 0;
  for (int64_t size : sizes) {
    check<ShapeError>(size >= 0 && !__builtin_add_overflow(total, size, &total), "split: size ",
                      size, "; expected sizes of 0 or more");
  }
  check<ShapeError>(total == x.shape()[d], "split: sizes add up to ", total, " at dimension ", dim,
                    " of shape ", x.shape(), "; expected ", x.shape()[d]);
  std::vector<Tensor> parts;
  parts.reserve(sizes.size());
  int64_t start = 0;
  for (int64_t size : sizes) {
    parts.push_back(slice(x, d, start, start + size));
    start += size;
  }
  return parts;
}

std::vector<Tensor> split(const Tensor& x, int64_t split_size, int64_t dim) {
  check<ShapeError>(x.dim() > 0, "split: a 0-dimensional tensor; expected one dimension or more");
  check<ShapeError>(split_size >= 1, "split: split_size ", split_size, "; expected 1 or more");
  const int d = normalize_dim("split", dim, x.dim());
  const int64_t size = x.shape()[d];
  std::vector<Tensor> parts;
  parts.reserve(static_cast<size_t>(size / split_size + 1));
  int64_t start = 0;
  do {  // an empty dimension gives one empty part
    parts.push_back(slice(x, d, start, std::min(size, start + split_size)));
    start += split_size;
  } while (start < size);
  return parts;
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  check<ShapeError>(x.dim() > 0, "chunk: a 0-dimensional tensor; expected one dimension or more");
  check<ShapeError>(chunks >= 1, "chunk: ", chunks, " chunks; expected 1 or more");
  const int64_t size = x.shape()[normalize_dim("chunk", dim, x.dim())];
  // Of nothing, that many parts of nothing, as PyTorch.
  if (size == 0) return split(x, std::vector<int64_t>(static_cast<size_t>(chunks)), dim);
  return split(x, (size + chunks - 1) / chunks, dim);
}

}  // namespace adjoint
