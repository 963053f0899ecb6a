// Layers that normalise.
#pragma once

#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/module.h>

#include <optional>

namespace adjoint::nn {

struct LayerNormOptions {
  double eps = 1e-5;
  bool elementwise_affine = true;  // has a weight, and a bias
  bool bias = true;                // where there is a weight
};

// Over the last dimensions, which have normalized_shape. Starts with weight 1 and bias 0. Ba,
// Kiros, Hinton 2016, arXiv 1607.06450.
class LayerNorm : public Module<LayerNorm> {
 public:
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {});
  explicit LayerNorm(int64_t size, const LayerNormOptions& options = {})
      : LayerNorm(Shape{size}, options) {}

  Tensor forward(const Tensor& x) const;
  // A residual connection in front: x + residual, and what this module makes of it, in one pass
  // over memory where no hook or observer sees this module's calls.
  SumAndNormalized add(const Tensor& x, const Tensor& residual) const;
  void members(Visitor& v) override;
  std::string describe() const override;

  Parameter weight, bias;  // normalized_shape, or undefined

 private:
  Shape normalized_shape_;
  double eps_;
};

struct RmsNormOptions {
  std::optional<double> eps = std::nullopt;  // the dtype's epsilon
  bool elementwise_affine = true;            // has a weight
};

// Divides by the root mean square over the last dimensions, which have normalized_shape. Starts
// with weight 1. Zhang, Sennrich 2019, arXiv 1910.07467.
class RMSNorm : public Module<RMSNorm> {
 public:
  explicit RMSNorm(const Shape& normalized_shape, const RmsNormOptions& options = {});
  explicit RMSNorm(int64_t size, const RmsNormOptions& options = {})
      : RMSNorm(Shape{size}, options) {}

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;
  std::string describe() const override;

  Parameter weight;  // normalized_shape, or undefined

 private:
  Shape normalized_shape_;
  std::optional<double> eps_;
};

struct GroupNormOptions {
  double eps = 1e-5;
  bool affine = true;  // has a weight, and a bias
  bool bias = true;    // where there is a weight
};

// Each of num_groups groups of channels of each sample of (N, C, ...): the operator group_norm.
// Starts with weight 1 and bias 0. ConfigError unless the groups divide the channels. Wu, He 2018,
// arXiv 1803.08494.
class GroupNorm : public Module<GroupNorm> {
 public:
  GroupNorm(int64_t num_groups, int64_t num_channels, const GroupNormOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;
  std::string describe() const override;

  Parameter weight, bias;  // (C), or undefined

 private:
  int64_t num_groups_, num_channels_;
  GroupNormOptions options_;
};

struct LocalResponseNormOptions {
  double alpha = 1e-4;
  double beta = 0.75;
  double k = 1.0;
};

// Divides by a function of the squares of `size` channels around each: the operator
// local_response_norm. ConfigError for a size below 1. Krizhevsky et al. 2012.
class LocalResponseNorm : public Module<LocalResponseNorm> {
 public:
  explicit LocalResponseNorm(int64_t size, const LocalResponseNormOptions& options = {});

  Tensor forward(const Tensor& x) const;
  std::string describe() const override;

 private:
  int64_t size_;
  LocalResponseNormOptions options_;
};

}  // namespace adjoint::nn
