// Dropout: of elements, of whole channels, and such that mean and variance stay. In training, with
// the thread's default generator; otherwise each returns its input itself.
#pragma once

#include <adjoint/core/dropout.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

namespace detail {
// ConfigError unless 0 <= p <= 1.
double checked_probability(const char* name, double p);
std::string describe_probability(double p);
}  // namespace detail

// What they have in common; Self has a kName and applies an operator.
template <class Self>
class DropoutOf : public Module<Self> {
 public:
  explicit DropoutOf(double p = 0.5) : p_(detail::checked_probability(Self::kName, p)) {}
  Tensor forward(const Tensor& x) const {
    return this->is_training() && p_ > 0 ? Self::drop(x, p_) : x;
  }
  std::string describe() const override { return detail::describe_probability(p_); }

  double p() const { return p_; }

 private:
  double p_;
};

// Zeroes each element with probability p and divides the others by 1 - p. Srivastava et al. 2014.
struct Dropout : DropoutOf<Dropout> {
  using DropoutOf::DropoutOf;
  static constexpr const char* kName = "Dropout";
  static Tensor drop(const Tensor& x, double p) { return dropout(x, p); }
};

// The same of whole channels of (N, C, L), (N, C, H, W), (N, C, D, H, W). Tompson et al. 2015,
// arXiv 1411.4280.
struct Dropout1d : DropoutOf<Dropout1d> {
  using DropoutOf::DropoutOf;
  static constexpr const char* kName = "Dropout1d";
  static Tensor drop(const Tensor& x, double p) { return dropout1d(x, p); }
};

struct Dropout2d : DropoutOf<Dropout2d> {
  using DropoutOf::DropoutOf;
  static constexpr const char* kName = "Dropout2d";
  static Tensor drop(const Tensor& x, double p) { return dropout2d(x, p); }
};

struct Dropout3d : DropoutOf<Dropout3d> {
  using DropoutOf::DropoutOf;
  static constexpr const char* kName = "Dropout3d";
  static Tensor drop(const Tensor& x, double p) { return dropout3d(x, p); }
};

// For networks of SELU: keeps mean 0 and variance 1. Klambauer et al. 2017, arXiv 1706.02515.
struct AlphaDropout : DropoutOf<AlphaDropout> {
  using DropoutOf::DropoutOf;
  static constexpr const char* kName = "AlphaDropout";
  static Tensor drop(const Tensor& x, double p) { return alpha_dropout(x, p); }
};

struct FeatureAlphaDropout : DropoutOf<FeatureAlphaDropout> {
  using DropoutOf::DropoutOf;
  static constexpr const char* kName = "FeatureAlphaDropout";
  static Tensor drop(const Tensor& x, double p) { return feature_alpha_dropout(x, p); }
};

}  // namespace adjoint::nn
