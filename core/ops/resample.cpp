// Planes read at other places: the operators beneath pooling by means, resizing and sampling.
#include "core/ops/resample.h"

#include <adjoint/core/layout.h>

#include <utility>

namespace adjoint {
namespace {

SparseRows transposed(const SparseRows& m) {
  SparseRows t;
  t.in = m.rows();
  t.begin.assign(static_cast<size_t>(m.in) + 1, 0);
  for (const int64_t i : m.index) ++t.begin[static_cast<size_t>(i) + 1];
  for (size_t i = 1; i < t.begin.size(); ++i) t.begin[i] += t.begin[i - 1];
  t.index.resize(m.index.size());
  t.weight.resize(m.index.size());
  std::vector<int64_t> at(t.begin.begin(), t.begin.end() - 1);
  for (int64_t o = 0; o < m.rows(); ++o) {
    const auto row = static_cast<size_t>(o);
    for (auto k = static_cast<size_t>(m.begin[row]); k < static_cast<size_t>(m.begin[row + 1]);
         ++k) {
      const auto to = static_cast<size_t>(at[static_cast<size_t>(m.index[k])]++);
      t.index[to] = o;
      t.weight[to] = m.weight[k];
    }
  }
  return t;
}

std::shared_ptr<const Resampling> transposed(const Resampling& r) {
  Resampling t;
  for (size_t d = 0; d < 3; ++d) t.dims[d] = transposed(r.dims[d]);
  t.in = r.out;
  t.out = r.in;
  return std::make_shared<const Resampling>(std::move(t));
}

kernels::Taps taps_of(const Tensor& index, const Tensor& weight, int64_t channels, int64_t size) {
  const Shape& shape = index.shape();  // (groups, taps, outputs)
  return {shape[0],
          channels,
          size,
          shape[2],
          shape[1],
          index.impl()->data<int64_t>(),
          weight.defined() ? weight.raw_data() : nullptr};
}

}  // namespace

SparseRows identity(int64_t n) {
  SparseRows m;
  m.in = n;
  for (int64_t i = 0; i < n; ++i) {
    m.add(i, 1);
    m.end_row();
  }
  return m;
}

Tensor resampled(const char* name, const Tensor& x,
                 const std::shared_ptr<const Resampling>& resampling,
                 std::initializer_list<Attribute> attributes) {
  const Op op(name, {x}, attributes);
  const Resampling& r = *resampling;
  const Tensor x0 = packed(x);
  const Shape lead(x.shape().span().first(static_cast<size_t>(x.dim() - r.in.rank())));
  Tensor y = make_empty(name, with_sizes(x, r.out), x.dtype());
  kernels::Resample k;
  k.planes = lead.numel();
  for (int d = 0; d < 3; ++d) {
    const SparseRows& m = r.dims[static_cast<size_t>(d)];
    k.in[d] = m.in;
    k.out[d] = m.rows();
    k.begin[d] = m.begin.data();
    k.index[d] = m.index.data();
    k.weight[d] = m.weight.data();
  }
  k.x = x0.raw_data();
  k.y = y.impl()->bytes();
  kernel_table().resample.resample[index(x.dtype())](KernelScope(), k);
  return op.differentiable(y, [name, resampling](const Backward& b) -> Grads {
    return {resampled(name, b.dy(0), transposed(*resampling))};
  });
}

Tensor gather_taps(const char* name, const Tensor& x, const Tensor& index, const Tensor& weight) {
  const Op op(name, {x, index, optional_input(weight)});
  const Tensor x0 = packed(x), index0 = packed(index), weight0 = packed(weight);
  const int64_t channels = x.shape()[1], size = x.shape()[2];
  Tensor y = make_empty(name, {x.shape()[0], channels, index.shape()[2]}, x.dtype());
  kernel_table().resample.gather[adjoint::index(x.dtype())](
      KernelScope(), taps_of(index0, weight0, channels, size), x0.raw_data(), y.impl()->bytes());
  return op.differentiable(
      y,
      [name, size, x = op.save_if(op.needs(2), x), index = op.save(index),
       weight = op.save_if(weight.defined(), weight)](const Backward& b) -> Grads {
        const Tensor w = weight.defined() ? *weight : Tensor();
        return {b.needs(0) ? scatter_taps(name, b.dy(0), *index, w, size) : Tensor(), Tensor(),
                b.needs(2) ? correlate_taps(name, b.dy(0), *x, *index) : Tensor()};
      });
}

Tensor scatter_taps(const char* name, const Tensor& y, const Tensor& index, const Tensor& weight,
                    int64_t size) {
  const Op op(name, {y, index, optional_input(weight)}, {{"size", size}});
  const Tensor y0 = packed(y), index0 = packed(index), weight0 = packed(weight);
  const int64_t channels = y.shape()[1];
  Tensor x = make_empty(name, {y.shape()[0], channels, size}, computed_in(y.dtype()));
  kernel_table().resample.scatter[adjoint::index(y.dtype())](
      KernelScope(), taps_of(index0, weight0, channels, size), y0.raw_data(), x.impl()->bytes());
  x = rounded(x, y.dtype());
  return op.differentiable(
      x,
      [name, y = op.save_if(op.needs(2), y), index = op.save(index),
       weight = op.save_if(weight.defined(), weight)](const Backward& b) -> Grads {
        const Tensor w = weight.defined() ? *weight : Tensor();
        return {b.needs(0) ? gather_taps(name, b.dy(0), *index, w) : Tensor(), Tensor(),
                b.needs(2) ? correlate_taps(name, *y, b.dy(0), *index) : Tensor()};
      });
}

Tensor correlate_taps(const char* name, const Tensor& y, const Tensor& x, const Tensor& index) {
  const Op op(name, {y, x, index});
  const Tensor y0 = packed(y), x0 = packed(x), index0 = packed(index);
  const int64_t channels = x.shape()[1], size = x.shape()[2];
  Tensor weight = make_empty(name, index.shape(), computed_in(x.dtype()));
  kernel_table().resample.correlate[adjoint::index(x.dtype())](
      KernelScope(), taps_of(index0, {}, channels, size), y0.raw_data(), x0.raw_data(),
      weight.impl()->bytes());
  return op.differentiable(
      weight,
      [name, size, y = op.save_if(op.needs(1), y), x = op.save_if(op.needs(0), x),
       index = op.save(index)](const Backward& b) -> Grads {
        return {b.needs(0) ? gather_taps(name, *x, *index, b.dy(0)) : Tensor(),
                b.needs(1) ? scatter_taps(name, *y, *index, b.dy(0), size) : Tensor(), Tensor()};
      });
}

// --- sizes ---

Shape for_each_size(const char* op, const char* what, const Shape& given, int rank, int64_t least) {
  check<ShapeError>(given.rank() == 1 || given.rank() == rank, op, ": ", what, " ", given, " for ",
                    rank, " sizes; expected one entry, or one for each");
  for (const int64_t value : given) {
    check<ShapeError>(value >= least, op, ": ", what, " ", given, "; expected ", least, " or more");
    check<ShapeError>(value <= kMostOfWindow, op, ": ", what, " ", given, "; expected at most ",
                      kMostOfWindow);
  }
  return given.rank() == rank ? given : Shape::filled(rank, given[0]);
}

Shape plane_sizes(const char* op, const Tensor& x, int rank) {
  check_defined(op, x, 0);
  check<ShapeError>(x.dim() == rank + 1 || x.dim() == rank + 2, op, ": input of shape ", x.shape(),
                    "; expected ", rank + 2, " dimensions, or ", rank + 1, " without a batch");
  const Shape sizes(x.shape().span().subspan(static_cast<size_t>(x.dim() - rank)));
  for (const int64_t size : sizes) {
    check<ShapeError>(size > 0, op, ": input of shape ", x.shape(),
                      "; expected sizes above 0 after the channels");
  }
  return sizes;
}

Shape with_sizes(const Tensor& x, const Shape& sizes) {
  Shape shape(x.shape().span().first(static_cast<size_t>(x.dim() - sizes.rank())));
  for (const int64_t size : sizes) shape.push_back(size);
  return shape;
}

void check_floating_input(const char* op, const Tensor& x) {
  check<DTypeError>(is_floating_point(x.dtype()), op, ": input of dtype ", x.dtype(),
                    "; expected a floating dtype");
}

}  // namespace adjoint
