// Random tensors whose distributions are tensors, or cut off.
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

void check_floating(const char* op, int input, const Tensor& x) {
  check_defined(op, x, input);
  check<DTypeError>(is_floating_point(x.dtype()), op, ": input ", input, " of dtype ", x.dtype(),
                    "; expected a floating dtype");
}

// mean + std z, of normal numbers z, one for each element of `shape`.
Tensor scaled_normal(const Shape& shape, const Tensor& mean, const Tensor& std,
                     Generator& generator) {
  const DType dtype = promote(mean.dtype(), std.dtype());
  const Tensor z = randn(shape, dtype, generator);
  return to(to(mean, computed_in(dtype)) + to(std, computed_in(dtype)) * z, dtype);
}

void check_std(const Tensor& std) {
  const std::vector<double> values = to(std, DType::f64).to_vector<double>();
  const auto wrong = std::find_if(values.begin(), values.end(), [](double v) { return !(v >= 0); });
  check<ConfigError>(wrong == values.end(), "normal: std has ", wrong == values.end() ? 0 : *wrong,
                     "; expected 0 or more");
}

}  // namespace

Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator) {
  check_floating("normal", 0, mean);
  check_floating("normal", 1, std);
  const NoGrad guard;
  check_std(std);
  return scaled_normal(broadcast_shapes("normal", mean.shape(), std.shape()), mean, std, generator);
}

Tensor normal(const Tensor& mean, double std, Generator& generator) {
  check_floating("normal", 0, mean);
  return normal(mean, full({}, std, mean.dtype()), generator);
}

Tensor normal(double mean, const Tensor& std, Generator& generator) {
  check_floating("normal", 1, std);
  return normal(full({}, mean, std.dtype()), std, generator);
}

namespace {

void check_distribution(const char* op, DType dtype, const char* what, double value) {
  check<DTypeError>(is_floating_point(dtype), op, ": dtype ", dtype, "; expected a floating dtype");
  check<ConfigError>(value > 0 && std::isfinite(value), op, ": ", what, " is ", value,
                     "; expected a finite number above 0");
}

}  // namespace

// The inverse of 1 - exp(-lambd x), of u in [0, 1).
Tensor exponential(double lambd, const Shape& shape, DType dtype, Generator& generator) {
  check_distribution("exponential", dtype, "lambd", lambd);
  const NoGrad guard;
  return to(log1p(-rand(shape, DType::f64, generator)) / -lambd, dtype);
}

// An exponential number to either side: u in [0, 1) below 1/2, and from there on, is one each.
Tensor laplace(double loc, double scale, const Shape& shape, DType dtype, Generator& generator) {
  check_distribution("laplace", dtype, "scale", scale);
  const NoGrad guard;
  const Tensor u = rand(shape, DType::f64, generator) * 2.0, side = floor(u);
  return to(log1p(side - u) * (1.0 - 2.0 * side) * scale + loc, dtype);
}

// The normal distribution's values F(a) and F(b) are cut out of [0, 1), and F's inverse taken of a
// uniform number there; on the side of the mean where F is small, which f64 tells best.
Tensor trunc_normal(double mean, double std, double a, double b, const Shape& shape, DType dtype,
                    Generator& generator) {
  check<DTypeError>(is_floating_point(dtype), "trunc_normal: dtype ", dtype,
                    "; expected a floating dtype");
  check<ConfigError>(std > 0 && a < b, "trunc_normal: std ", std, " in [", a, ", ", b,
                     "]; expected std > 0 and a < b");
  const NoGrad guard;
  const double sign = (a - mean) + (b - mean) > 0 ? -1 : 1;
  const double low = sign > 0 ? (a - mean) / std : (mean - b) / std;
  const double high = sign > 0 ? (b - mean) / std : (mean - a) / std;
  // 2 F - 1 = erf(x / sqrt(2)).
  const double from = std::erf(low / std::sqrt(2.0)), to_end = std::erf(high / std::sqrt(2.0));
  Tensor u = rand(shape, DType::f64, generator);
  const Tensor z = erfinv(std::move(u) * (to_end - from) + from);
  return to(clamp(z * (sign * std * std::sqrt(2.0)) + mean, a, b), dtype);
}

Tensor bernoulli(const Tensor& p, Generator& generator) {
  check_floating("bernoulli", 0, p);
  const NoGrad guard;
  const Tensor chances = packed(to(p, DType::f64));
  const double* at = chances.data<double>();
  for (int64_t i = 0; i < chances.numel(); ++i) {
    check<ConfigError>(at[i] >= 0 && at[i] <= 1, "bernoulli: p is ", at[i], " at ",
                       unravel_index(i, p.shape()), " of shape ", p.shape(),
                       "; expected values in [0, 1]");
  }
  return to(rand(p.shape(), DType::f64, generator) < chances, p.dtype());
}

Tensor bernoulli(const Tensor& x, double p, Generator& generator) {
  check_defined("bernoulli", x, 0);
  check<ConfigError>(p >= 0 && p <= 1, "bernoulli: p is ", p, "; expected a value in [0, 1]");
  return to(rand(x.shape(), DType::f64, generator) < p, x.dtype());
}

namespace {

// One row of weights, checked: numbers of 0 and more, some of them more.
double checked_total(const double* weights, int64_t columns, int64_t row) {
  double total = 0;
  for (int64_t c = 0; c < columns; ++c) {
    check<ConfigError>(std::isfinite(weights[c]) && weights[c] >= 0, "multinomial: weight ",
                       weights[c], " at column ", c, " of row ", row,
                       "; expected finite numbers of 0 or more");
    total += weights[c];
  }
  check<ConfigError>(std::isfinite(total) && total > 0, "multinomial: the weights of row ", row,
                     " add up to ", total, "; expected a finite sum above 0");
  return total;
}

// The inverse of the distribution function at each uniform number.
void draw(const double* weights, int64_t columns, double total, const double* u, int64_t samples,
          int64_t* out) {
  std::vector<double> sums(static_cast<size_t>(columns));
  double sum = 0;
  int64_t last = 0;  // of positive weight: where rounding would lead past the end
  for (int64_t c = 0; c < columns; ++c) {
    sums[static_cast<size_t>(c)] = sum += weights[c];
    if (weights[c] > 0) last = c;
  }
  for (int64_t i = 0; i < samples; ++i) {
    const auto at = std::upper_bound(sums.begin(), sums.end(), u[i] * total);
    out[i] = std::min<int64_t>(at - sums.begin(), last);
  }
}

// Efraimidis and Spirakis (2006), "Weighted random sampling with a reservoir": the columns of the
// smallest exponential numbers with the weights as rates, in their order.
void draw_apart(const double* weights, int64_t columns, const double* u, int64_t samples,
                int64_t row, int64_t* out) {
  std::vector<std::pair<double, int64_t>> times;
  for (int64_t c = 0; c < columns; ++c) {
    if (weights[c] > 0) times.emplace_back(-std::log1p(-u[c]) / weights[c], c);
  }
  const auto count = static_cast<int64_t>(times.size());
  check<ConfigError>(samples <= count, "multinomial: ", samples, " samples of ", count,
                     " columns of row ", row,
                     " that have a weight above 0; expected no more, or replacement");
  std::partial_sort(times.begin(), times.begin() + samples, times.end());
  for (int64_t i = 0; i < samples; ++i) out[i] = times[static_cast<size_t>(i)].second;
}

}  // namespace

Tensor multinomial(const Tensor& weights, int64_t num_samples, bool replacement,
                   Generator& generator) {
  check_floating("multinomial", 0, weights);
  check<ShapeError>((weights.dim() == 1 || weights.dim() == 2) && weights.shape().back() > 0,
                    "multinomial: weights of shape ", weights.shape(),
                    "; expected (C) or (N, C), with columns");
  const int64_t columns = weights.shape().back();
  check<ConfigError>(num_samples >= 1 && (replacement || num_samples <= columns),
                     "multinomial: ", num_samples, " samples of ", columns,
                     " columns; expected 1 or more, and no more without replacement");
  const NoGrad guard;
  const Tensor w = packed(to(weights, DType::f64));
  const int64_t rows = w.numel() / columns, numbers = replacement ? num_samples : columns;
  Shape shape = weights.shape();
  shape[shape.rank() - 1] = num_samples;
  checked_numel("multinomial", shape);
  const Tensor u = rand({rows, numbers}, DType::f64, generator);
  Tensor y = make_empty("multinomial", shape, DType::i64);
  for (int64_t row = 0; row < rows; ++row) {
    const double *own = w.data<double>() + row * columns,
                 *random = u.data<double>() + row * numbers;
    int64_t* out = y.impl()->data<int64_t>() + row * num_samples;
    const double total = checked_total(own, columns, row);
    if (replacement) {
      draw(own, columns, total, random, num_samples, out);
    } else {
      draw_apart(own, columns, random, num_samples, row, out);
    }
  }
  return y;
}

}  // namespace adjoint
