// Where the windows of poolings stand.
#pragma once

#include <adjoint/core/tensor.h>

namespace adjoint {

struct PoolOptions {
  const Shape &kernel_size, &stride, &padding, &dilation;
  bool ceil_mode;
};

// Window o of dimension d has the elements o stride - padding + k dilation, k < kernel, as far as
// they are in [0, in). By default one window over one element.
struct PoolWindows {
  Shape in = 1, out = 1, kernel = 1, stride = 1, padding = 0, dilation = 1;
};
PoolWindows pool_windows(const char* op, const Tensor& x, int rank, const PoolOptions& options);

// The sizes of an adaptive pooling's result.
Shape adaptive_sizes(const char* op, const Shape& in, const Shape& output_size);
inline int64_t adaptive_first(int64_t o, int64_t in, int64_t out) { return o * in / out; }
inline int64_t adaptive_last(int64_t o, int64_t in, int64_t out) {
  return ((o + 1) * in + out - 1) / out;
}

}  // namespace adjoint
