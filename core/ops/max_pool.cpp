// Pooling by maxima, and its undoing.
#include <adjoint/core/layout.h>
#include <adjoint/core/pooling.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/ops/pool_windows.h"
#include "core/ops/resample.h"

namespace adjoint {
namespace {

// As a kernel takes them, with the elements of each window along each dimension.
struct MaxWindows {
  kernels::MaxPool pool;
  std::vector<int64_t> first[3], last[3];
  Shape out;
};

void add_window(MaxWindows& w, int dim, int64_t first, int64_t last) {
  w.first[dim].push_back(first);
  w.last[dim].push_back(last);
}

// One dimension that is not there, or regular windows along one that is.
void set_regular(MaxWindows& w, int dim, const PoolWindows& from, int d) {
  kernels::MaxPool& p = w.pool;
  p.in[dim] = from.in[d];
  p.out[dim] = from.out[d];
  p.kernel[dim] = from.kernel[d];
  p.stride[dim] = from.stride[d];
  p.padding[dim] = from.padding[d];
  p.dilation[dim] = from.dilation[d];
  for (int64_t o = 0; o < from.out[d]; ++o) {
    const int64_t step = from.dilation[d], begin = o * from.stride[d] - from.padding[d];
    const int64_t first = begin >= 0 ? begin : begin + (-begin + step - 1) / step * step;
    add_window(w, dim, first, std::min(from.in[d], begin + (from.kernel[d] - 1) * step + 1));
  }
}

MaxWindows unit_windows(int64_t planes, const Shape& out) {
  MaxWindows w;
  w.out = out;
  w.pool.planes = planes;
  const PoolWindows unit{};
  for (int dim = 0; dim < 3 - out.rank(); ++dim) set_regular(w, dim, unit, 0);
  return w;
}

// Windows that adapt: regular ones where the sizes divide.
void set_adaptive(MaxWindows& w, int dim, int64_t in, int64_t out) {
  if (out > 0 && in % out == 0) {
    PoolWindows even;
    even.in = in;
    even.out = out;
    even.kernel = even.stride = in / out;
    set_regular(w, dim, even, 0);
    return;
  }
  kernels::MaxPool& p = w.pool;
  p.in[dim] = in;
  p.out[dim] = out;
  p.stride[dim] = p.padding[dim] = 0;
  p.dilation[dim] = 1;
  p.kernel[dim] = out > 0 ? in / out + 2 : 1;
  for (int64_t o = 0; o < out; ++o) {
    add_window(w, dim, adaptive_first(o, in, out), adaptive_last(o, in, out));
  }
}

int64_t planes_of(const Tensor& x, int rank) {
  return Shape(x.shape().span().first(static_cast<size_t>(x.dim() - rank))).numel();
}

// y = x[index of the maximum of each window];   dx[index] = sum of dy
ValuesAndIndices pooled(const char* name, const Tensor& x, MaxWindows& windows, bool with_indices,
                        std::initializer_list<Attribute> attributes) {
  const Op op(name, {x}, attributes);
  const DType dtype = x.dtype();
  op.check<DTypeError>(dtype != DType::boolean, "input of dtype bool; expected numbers");
  const Tensor x0 = packed(rounded(x, is_integer(dtype) ? DType::i64 : dtype));
  const Shape shape = with_sizes(x, windows.out);
  Tensor y = make_empty(name, shape, x0.dtype()), indices;
  if (with_indices || op.recording()) indices = make_empty(name, shape, DType::i64);
  kernels::MaxPool& p = windows.pool;
  for (int d = 0; d < 3; ++d) {
    for (size_t o = 0; o < windows.first[d].size(); ++o) {
      op.check(windows.first[d][o] < windows.last[d][o], "window ", o,
               " along a dimension of size ", p.in[d],
               " has no element; expected less padding or dilation");
    }
    p.first[d] = windows.first[d].data();
    p.last[d] = windows.last[d].data();
  }
  p.x = x0.raw_data();
  p.y = y.impl()->bytes();
  p.indices = indices.defined() ? indices.impl()->data<int64_t>() : nullptr;
  kernel_table().pool.max_pool[index(x0.dtype())](KernelScope(), p);
  y = rounded(y, dtype);
  const int64_t planes = p.planes, size = p.in[0] * p.in[1] * p.in[2];
  const int64_t outputs = windows.out.numel();
  y = op.differentiable(
      y,
      [name, planes, size, outputs, of = x.shape(),
       indices = op.save_if(op.recording(), indices)](const Backward& b) -> Grads {
        const Tensor dy = reshape(b.dy(0), {planes, 1, outputs});
        const Tensor at = view(*indices, {planes, 1, outputs});
        return {reshape(scatter_taps(name, dy, at, {}, size), of)};
      });
  return {std::move(y), with_indices ? op.no_gradient(std::move(indices)) : Tensor()};
}

ValuesAndIndices max_pool(const char* name, int rank, const Tensor& x, const Shape& kernel_size,
                          const Shape& stride, const Shape& padding, const Shape& dilation,
                          bool ceil_mode, bool with_indices) {
  const PoolWindows regular =
      pool_windows(name, x, rank, {kernel_size, stride, padding, dilation, ceil_mode});
  MaxWindows windows = unit_windows(planes_of(x, rank), regular.out);
  for (int d = 0; d < rank; ++d) set_regular(windows, 3 - rank + d, regular, d);
  return pooled(name, x, windows, with_indices,
                {{"kernel_size", regular.kernel},
                 {"stride", regular.stride},
                 {"padding", regular.padding},
                 {"dilation", regular.dilation},
                 {"ceil_mode", ceil_mode}});
}

ValuesAndIndices adaptive_max_pool(const char* name, int rank, const Tensor& x,
                                   const Shape& output_size, bool with_indices) {
  const Shape in = plane_sizes(name, x, rank), out = adaptive_sizes(name, in, output_size);
  MaxWindows windows = unit_windows(planes_of(x, rank), out);
  for (int d = 0; d < rank; ++d) set_adaptive(windows, 3 - rank + d, in[d], out[d]);
  return pooled(name, x, windows, with_indices, {{"output_size", out}});
}

// --- undone ---

// The sizes of the result: given, or what the pooling had at least.
Shape unpooled_sizes(const char* op, int rank, const Shape& in, const Shape& kernel,
                     const Shape& stride, const Shape& padding, const Shape& given) {
  Shape sizes;
  for (int d = 0; d < rank; ++d) {
    sizes.push_back((in[d] - 1) * stride[d] - 2 * padding[d] + kernel[d]);
  }
  if (given.empty()) {
    for (const int64_t size : sizes) {
      check<ShapeError>(size > 0, op, ": a result of sizes ", sizes, "; expected sizes above 0");
    }
    return sizes;
  }
  check<ShapeError>(given.rank() >= rank && given.rank() <= rank + 2, op, ": output_size ", given,
                    "; expected ", rank, " sizes");
  const Shape last(given.span().subspan(static_cast<size_t>(given.rank() - rank)));
  for (int d = 0; d < rank; ++d) {
    check<ShapeError>(last[d] > sizes[d] - stride[d] && last[d] < sizes[d] + stride[d], op,
                      ": output_size ", last, " with a default of ", sizes, " and strides ", stride,
                      "; expected less than a stride between them");
  }
  return last;
}

// For each element of the planes of a result, which element of x is put there: -1 for none, the
// last of several.
Tensor sources_of(const char* op, const Tensor& indices, int64_t planes, int64_t count,
                  int64_t size) {
  const Tensor packed_indices = packed(rounded(indices, DType::i64));
  Tensor sources = full({planes, 1, size}, -1, DType::i64);
  const int64_t* from = packed_indices.impl()->data<int64_t>();
  auto* to = sources.impl()->data<int64_t>();
  for (int64_t i = 0; i < planes * count; ++i) {
    check<IndexError>(from[i] >= 0 && from[i] < size, op, ": index ", from[i], " at ",
                      unravel_index(i, indices.shape()), " of indices of shape ", indices.shape(),
                      "; expected values in [0, ", size, "), the elements of a channel");
    to[i / count * size + from[i]] = i % count;
  }
  return sources;
}

// y[indices] = x, 0 elsewhere;   dx = dy[indices], of those that stayed
Tensor max_unpool(const char* name, int rank, const Tensor& x, const Tensor& indices,
                  const Shape& kernel_size, const Shape& stride, const Shape& padding,
                  const Shape& output_size) {
  check_floating_input(name, x);
  check_defined(name, indices, 1);
  const Shape in = plane_sizes(name, x, rank);
  check<DTypeError>(indices.dtype() == DType::i64, name, ": indices of dtype ", indices.dtype(),
                    "; expected i64");
  check<ShapeError>(indices.shape() == x.shape(), name, ": indices of shape ", indices.shape(),
                    " for an input of shape ", x.shape(), "; expected equal shapes");
  const Shape kernel = for_each_size(name, "kernel_size", kernel_size, rank, 1);
  const Shape steps = stride.empty() ? kernel : for_each_size(name, "stride", stride, rank, 1);
  const Shape pads = for_each_size(name, "padding", padding, rank, 0);
  const Shape sizes = unpooled_sizes(name, rank, in, kernel, steps, pads, output_size);
  const int64_t planes = planes_of(x, rank), count = in.numel();
  const Tensor sources = sources_of(name, indices, planes, count, sizes.numel());
  return reshape(gather_taps(name, reshape(x, {planes, 1, count}), sources, {}),
                 with_sizes(x, sizes));
}

}  // namespace

Tensor max_pool1d(const Tensor& x, const Shape& kernel_size, const Shape& stride,
                  const Shape& padding, const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool1d", 1, x, kernel_size, stride, padding, dilation, ceil_mode, false)
      .values;
}
Tensor max_pool2d(const Tensor& x, const Shape& kernel_size, const Shape& stride,
                  const Shape& padding, const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool2d", 2, x, kernel_size, stride, padding, dilation, ceil_mode, false)
      .values;
}
Tensor max_pool3d(const Tensor& x, const Shape& kernel_size, const Shape& stride,
                  const Shape& padding, const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool3d", 3, x, kernel_size, stride, padding, dilation, ceil_mode, false)
      .values;
}
ValuesAndIndices max_pool1d_with_indices(const Tensor& x, const Shape& kernel_size,
                                         const Shape& stride, const Shape& padding,
                                         const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool1d_with_indices", 1, x, kernel_size, stride, padding, dilation,
                  ceil_mode, true);
}
ValuesAndIndices max_pool2d_with_indices(const Tensor& x, const Shape& kernel_size,
                                         const Shape& stride, const Shape& padding,
                                         const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool2d_with_indices", 2, x, kernel_size, stride, padding, dilation,
                  ceil_mode, true);
}
ValuesAndIndices max_pool3d_with_indices(const Tensor& x, const Shape& kernel_size,
                                         const Shape& stride, const Shape& padding,
                                         const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool3d_with_indices", 3, x, kernel_size, stride, padding, dilation,
                  ceil_mode, true);
}

Tensor adaptive_max_pool1d(const Tensor& x, const Shape& output_size) {
  return adaptive_max_pool("adaptive_max_pool1d", 1, x, output_size, false).values;
}
Tensor adaptive_max_pool2d(const Tensor& x, const Shape& output_size) {
  return adaptive_max_pool("adaptive_max_pool2d", 2, x, output_size, false).values;
}
Tensor adaptive_max_pool3d(const Tensor& x, const Shape& output_size) {
  return adaptive_max_pool("adaptive_max_pool3d", 3, x, output_size, false).values;
}
ValuesAndIndices adaptive_max_pool1d_with_indices(const Tensor& x, const Shape& output_size) {
  return adaptive_max_pool("adaptive_max_pool1d_with_indices", 1, x, output_size, true);
}
ValuesAndIndices adaptive_max_pool2d_with_indices(const Tensor& x, const Shape& output_size) {
  return adaptive_max_pool("adaptive_max_pool2d_with_indices", 2, x, output_size, true);
}
ValuesAndIndices adaptive_max_pool3d_with_indices(const Tensor& x, const Shape& output_size) {
  return adaptive_max_pool("adaptive_max_pool3d_with_indices", 3, x, output_size, true);
}

Tensor max_unpool1d(const Tensor& x, const Tensor& indices, const Shape& kernel_size,
                    const Shape& stride, const Shape& padding, const Shape& output_size) {
  return max_unpool("max_unpool1d", 1, x, indices, kernel_size, stride, padding, output_size);
}
Tensor max_unpool2d(const Tensor& x, const Tensor& indices, const Shape& kernel_size,
                    const Shape& stride, const Shape& padding, const Shape& output_size) {
  return max_unpool("max_unpool2d", 2, x, indices, kernel_size, stride, padding, output_size);
}
Tensor max_unpool3d(const Tensor& x, const Tensor& indices, const Shape& kernel_size,
                    const Shape& stride, const Shape& padding, const Shape& output_size) {
  return max_unpool("max_unpool3d", 3, x, indices, kernel_size, stride, padding, output_size);
}

}  // namespace adjoint
