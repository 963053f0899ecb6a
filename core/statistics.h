// What data sets are described by: moments without NaN and in pairs, quantiles, covariances; and
// differences and areas of sampled functions. Over all elements where no dim is given.
#pragma once

#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>

namespace adjoint {

// --- sums that pass over NaN ---
// The gradient of what is NaN is 0. The mean of NaN alone is NaN.
Tensor nansum(const Tensor& x, const Shape& dims = {}, bool keepdim = false);
Tensor nanmean(const Tensor& x, const Shape& dims = {}, bool keepdim = false);

// --- two in one call ---
struct VarAndMean {
  Tensor var, mean;
};
VarAndMean var_mean(const Tensor& x, const Shape& dims = {}, double correction = 1,
                    bool keepdim = false);
struct StdAndMean {
  Tensor std, mean;
};
StdAndMean std_mean(const Tensor& x, const Shape& dims = {}, double correction = 1,
                    bool keepdim = false);
// amin and amax, along one dimension or of all elements.
struct MinAndMax {
  Tensor min, max;
};
MinAndMax aminmax(const Tensor& x, std::optional<int64_t> dim = std::nullopt, bool keepdim = false);

// --- quantiles ---
// What lies at q (n - 1) of n elements in order, counted from 0; between two elements the one
// before or behind, the middle of both, the nearer one (of two as near the even one), or what is on
// the straight line. q (numbers from 0 to 1, of x's dtype) has one dimension, which becomes the
// first of the result, or none. NaN where there is one among the elements; `nanquantile` leaves it
// out. Floating dtypes; f16 and bf16 too. With gradients for x, and for q on straight lines.
enum class QuantileInterpolation : uint8_t { linear, lower, higher, midpoint, nearest };
Tensor quantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = std::nullopt,
                bool keepdim = false,
                QuantileInterpolation interpolation = QuantileInterpolation::linear);
Tensor quantile(const Tensor& x, double q, std::optional<int64_t> dim = std::nullopt,
                bool keepdim = false,
                QuantileInterpolation interpolation = QuantileInterpolation::linear);
Tensor nanquantile(const Tensor& x, const Tensor& q, std::optional<int64_t> dim = std::nullopt,
                   bool keepdim = false,
                   QuantileInterpolation interpolation = QuantileInterpolation::linear);
Tensor nanquantile(const Tensor& x, double q, std::optional<int64_t> dim = std::nullopt,
                   bool keepdim = false,
                   QuantileInterpolation interpolation = QuantileInterpolation::linear);

// --- covariances ---
// x (variables, observations), or of one variable (observations). Weights of observations: how
// often each was made (fweights, whole numbers), and how much it counts (aweights, floating).
// Divides by the sum of weights less the correction, with aweights a, w being all of them, less the
// correction times sum(w a) / sum(w).
Tensor cov(const Tensor& x, double correction = 1, const Tensor& fweights = {},
           const Tensor& aweights = {});
Tensor corrcoef(const Tensor& x);  // cov over the products of standard deviations

// --- along a line ---
// x[i + 1] - x[i], n times; of bools, whether they differ. prepend and append (of x's shape, but
// along dim) are put before and behind x first.
Tensor diff(const Tensor& x, int64_t n = 1, int64_t dim = -1, const Tensor& prepend = {},
            const Tensor& append = {});
// The area under straight lines between points (x, y), x rising by dx or given, of one dimension or
// broadcasting with y. `cumulative_trapezoid`: up to each point but the first.
Tensor trapezoid(const Tensor& y, double dx = 1, int64_t dim = -1);
Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1);
Tensor cumulative_trapezoid(const Tensor& y, double dx = 1, int64_t dim = -1);
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim = -1);

}  // namespace adjoint
