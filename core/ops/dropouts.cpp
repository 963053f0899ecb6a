// Dropout of channels, and for networks of selu. A small mask, by dropout of ones, and a product.
#include <adjoint/core/dropout.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <cmath>

#include "core/ops/pointwise.h"
#include "core/ops/resample.h"

namespace adjoint {
namespace {

void check_dropout(const char* op, const Tensor& x, double p) {
  check_defined(op, x, 0);
  check<ConfigError>(p >= 0 && p <= 1, op, ": p is ", p, "; expected a value in [0, 1]");
  check_floating_input(op, x);
}

// Ones in the places of channels of x, whose first is dimension 0 where there is no batch.
Tensor ones_for_channels(const Tensor& x, int lead, DType dtype) {
  Shape shape = Shape::filled(x.dim(), 1);
  for (int d = 0; d < lead; ++d) shape[d] = x.shape()[d];
  return ones(shape, dtype);
}

// y = x mask / (1 - p), the mask being of channels;   dx = dy mask / (1 - p)
Tensor drop_channels(const char* op, int rank, const Tensor& x, double p, bool training,
                     Generator& generator) {
  check_dropout(op, x, p);
  check<ShapeError>(x.dim() == rank + 1 || x.dim() == rank + 2, op, ": input of shape ", x.shape(),
                    "; expected ", rank + 2, " dimensions, or ", rank + 1);
  if (!training || p == 0) return x;
  const bool batch = x.dim() == rank + 2 || rank == 2;
  return x * dropout(ones_for_channels(x, batch ? 2 : 1, x.dtype()), p, true, generator);
}

// y = a (x m + limit (1 - m)) + b, m being 1 where x is kept, a and b such that mean 0 and variance
// 1 stay
Tensor drop_to_limit(const Tensor& x, const Tensor& one, double p, Generator& generator) {
  if (p == 1) return x * 0.0;
  constexpr double kLimit = -1.7580993408473766;  // selu's
  const double a = 1 / std::sqrt((kLimit * kLimit * p + 1) * (1 - p));
  const Tensor kept = dropout(one, p, true, generator) * (1 - p);
  return to(x * (kept * a) + ((1.0 - kept) * (a * kLimit) - a * kLimit * p), x.dtype());
}

}  // namespace

Tensor dropout1d(const Tensor& x, double p, bool training, Generator& generator) {
  return drop_channels("dropout1d", 1, x, p, training, generator);
}
Tensor dropout2d(const Tensor& x, double p, bool training, Generator& generator) {
  return drop_channels("dropout2d", 2, x, p, training, generator);
}
Tensor dropout3d(const Tensor& x, double p, bool training, Generator& generator) {
  return drop_channels("dropout3d", 3, x, p, training, generator);
}

Tensor alpha_dropout(const Tensor& x, double p, bool training, Generator& generator) {
  check_dropout("alpha_dropout", x, p);
  if (!training || p == 0) return x;
  const Tensor one = ones(x.shape(), computed_in(x.dtype()));
  return drop_to_limit(x, one, p, generator);
}

Tensor feature_alpha_dropout(const Tensor& x, double p, bool training, Generator& generator) {
  check_dropout("feature_alpha_dropout", x, p);
  check<ShapeError>(x.dim() >= 2, "feature_alpha_dropout: input of shape ", x.shape(),
                    "; expected (N, C, ...)");
  if (!training || p == 0) return x;
  const Tensor one = ones_for_channels(x, 2, computed_in(x.dtype()));
  return drop_to_limit(x, one, p, generator);
}

}  // namespace adjoint
