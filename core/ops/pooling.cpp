// Where the windows of poolings stand, and pooling by means.
#include <adjoint/core/pointwise.h>
#include <adjoint/core/pooling.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/ops/pointwise.h"
#include "core/ops/pool_windows.h"
#include "core/ops/resample.h"

namespace adjoint {
namespace {

// The number of windows along one dimension, as PyTorch counts them.
int64_t window_count(int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                     bool ceil_mode) {
  const int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
  if (room < 0 && !(ceil_mode && room + stride - 1 >= 0)) return 0;
  int64_t count = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  // The last one begins inside, or in the padding before it.
  if (ceil_mode && (count - 1) * stride >= in + padding) --count;
  return count;
}

std::shared_ptr<Resampling> resampling_of(const Shape& in, const Shape& out) {
  auto r = std::make_shared<Resampling>();
  r->in = in;
  r->out = out;
  return r;
}

// A mean of [first, last), of `divisor` elements.
void add_mean(SparseRows& m, int64_t first, int64_t last, int64_t divisor) {
  for (int64_t i = first; i < last; ++i) m.add(i, 1.0 / static_cast<double>(divisor));
  m.end_row();
}

struct MeanOptions {
  bool ceil_mode, count_include_pad;
  std::optional<int64_t> divisor;
};

// y = means over the windows;   dx = of each window its share of dy
Tensor avg_pool(const char* name, int rank, const Tensor& x, const Shape& kernel_size,
                const Shape& stride, const Shape& padding, const MeanOptions& options) {
  check_defined(name, x, 0);
  check_floating_input(name, x);
  check<ConfigError>(options.divisor.value_or(1) != 0, name,
                     ": divisor_override is 0; expected another number");
  const PoolWindows w =
      pool_windows(name, x, rank, {kernel_size, stride, padding, 1, options.ceil_mode});
  const auto r = resampling_of(w.in, w.out);
  for (int d = 0; d < rank; ++d) {
    SparseRows m;
    m.in = w.in[d];
    // The divisor as a whole belongs to one dimension.
    const int64_t divisor = options.divisor.has_value() ? (d == 0 ? *options.divisor : 1) : 0;
    for (int64_t o = 0; o < w.out[d]; ++o) {
      const int64_t begin = o * w.stride[d] - w.padding[d];
      const int64_t end = std::min(begin + w.kernel[d], w.in[d] + w.padding[d]);
      const int64_t first = std::max<int64_t>(begin, 0), last = std::min(end, w.in[d]);
      const int64_t count = options.count_include_pad ? end - begin : last - first;
      add_mean(m, first, last, divisor != 0 ? divisor : count);
    }
    r->dims[static_cast<size_t>(3 - rank + d)] = std::move(m);
  }
  return resampled(name, x, r,
                   {{"kernel_size", w.kernel},
                    {"stride", w.stride},
                    {"padding", w.padding},
                    {"ceil_mode", options.ceil_mode},
                    {"count_include_pad", options.count_include_pad}});
}

// y = means over windows that adapt;   dx = of each window its share of dy
Tensor adaptive_avg_pool(const char* name, int rank, const Tensor& x, const Shape& output_size) {
  check_defined(name, x, 0);
  check_floating_input(name, x);
  const Shape in = plane_sizes(name, x, rank), out = adaptive_sizes(name, in, output_size);
  const auto r = resampling_of(in, out);
  if (out.numel() == 1) {  // one row for the whole plane
    const int64_t size = in.numel();
    SparseRows m;
    m.in = size;
    add_mean(m, 0, size, size);
    r->dims[2] = std::move(m);
    return resampled(name, x, r, {{"output_size", out}});
  }
  for (int d = 0; d < rank; ++d) {
    SparseRows m;
    m.in = in[d];
    for (int64_t o = 0; o < out[d]; ++o) {
      const int64_t first = adaptive_first(o, in[d], out[d]);
      const int64_t last = adaptive_last(o, in[d], out[d]);
      add_mean(m, first, last, last - first);
    }
    r->dims[static_cast<size_t>(3 - rank + d)] = std::move(m);
  }
  return resampled(name, x, r, {{"output_size", out}});
}

// y = (n mean(x^p))^(1 / p) over the windows, of n elements
Tensor lp_pool(const char* name, int rank, const Tensor& x, double p, const Shape& kernel_size,
               const Shape& stride, bool ceil_mode) {
  check_defined(name, x, 0);
  check_floating_input(name, x);
  check<ConfigError>(p != 0, name, ": norm_type is 0; expected another number");
  const Shape kernel = for_each_size(name, "kernel_size", kernel_size, rank, 1);
  const Tensor means =
      avg_pool(name, rank, pow(widened(x), p), kernel, stride, 0, {ceil_mode, true, {}});
  return to(pow(means * static_cast<double>(kernel.numel()), 1.0 / p), x.dtype());
}

}  // namespace

PoolWindows pool_windows(const char* op, const Tensor& x, int rank, const PoolOptions& options) {
  PoolWindows w;
  w.in = plane_sizes(op, x, rank);
  w.kernel = for_each_size(op, "kernel_size", options.kernel_size, rank, 1);
  w.stride =
      options.stride.empty() ? w.kernel : for_each_size(op, "stride", options.stride, rank, 1);
  w.padding = for_each_size(op, "padding", options.padding, rank, 0);
  w.dilation = for_each_size(op, "dilation", options.dilation, rank, 1);
  w.out = Shape::filled(rank, 0);
  for (int d = 0; d < rank; ++d) {
    const int64_t window = (w.kernel[d] - 1) * w.dilation[d] + 1;
    check<ShapeError>(w.padding[d] <= window / 2, op, ": padding ", w.padding, " for kernel_size ",
                      w.kernel, " and dilation ", w.dilation, "; expected at most half a window");
    w.out[d] = window_count(w.in[d], w.kernel[d], w.stride[d], w.padding[d], w.dilation[d],
                            options.ceil_mode);
    check<ShapeError>(w.out[d] > 0, op, ": no window of kernel_size ", w.kernel, ", dilation ",
                      w.dilation, " and padding ", w.padding, " in sizes ", w.in,
                      "; expected at least one");
  }
  return w;
}

Shape adaptive_sizes(const char* op, const Shape& in, const Shape& output_size) {
  Shape out = for_each_size(op, "output_size", output_size, in.rank(), -1);
  for (int d = 0; d < in.rank(); ++d) {
    if (out[d] == -1) out[d] = in[d];
  }
  return out;
}

Tensor avg_pool1d(const Tensor& x, const Shape& kernel_size, const Shape& stride,
                  const Shape& padding, bool ceil_mode, bool count_include_pad) {
  return avg_pool("avg_pool1d", 1, x, kernel_size, stride, padding,
                  {ceil_mode, count_include_pad, {}});
}
Tensor avg_pool2d(const Tensor& x, const Shape& kernel_size, const Shape& stride,
                  const Shape& padding, bool ceil_mode, bool count_include_pad,
                  std::optional<int64_t> divisor_override) {
  return avg_pool("avg_pool2d", 2, x, kernel_size, stride, padding,
                  {ceil_mode, count_include_pad, divisor_override});
}
Tensor avg_pool3d(const Tensor& x, const Shape& kernel_size, const Shape& stride,
                  const Shape& padding, bool ceil_mode, bool count_include_pad,
                  std::optional<int64_t> divisor_override) {
  return avg_pool("avg_pool3d", 3, x, kernel_size, stride, padding,
                  {ceil_mode, count_include_pad, divisor_override});
}

Tensor adaptive_avg_pool1d(const Tensor& x, const Shape& output_size) {
  return adaptive_avg_pool("adaptive_avg_pool1d", 1, x, output_size);
}
Tensor adaptive_avg_pool2d(const Tensor& x, const Shape& output_size) {
  return adaptive_avg_pool("adaptive_avg_pool2d", 2, x, output_size);
}
Tensor adaptive_avg_pool3d(const Tensor& x, const Shape& output_size) {
  return adaptive_avg_pool("adaptive_avg_pool3d", 3, x, output_size);
}

Tensor lp_pool1d(const Tensor& x, double norm_type, const Shape& kernel_size, const Shape& stride,
                 bool ceil_mode) {
  return lp_pool("lp_pool1d", 1, x, norm_type, kernel_size, stride, ceil_mode);
}
Tensor lp_pool2d(const Tensor& x, double norm_type, const Shape& kernel_size, const Shape& stride,
                 bool ceil_mode) {
  return lp_pool("lp_pool2d", 2, x, norm_type, kernel_size, stride, ceil_mode);
}
Tensor lp_pool3d(const Tensor& x, double norm_type, const Shape& kernel_size, const Shape& stride,
                 bool ceil_mode) {
  return lp_pool("lp_pool3d", 3, x, norm_type, kernel_size, stride, ceil_mode);
}

}  // namespace adjoint
