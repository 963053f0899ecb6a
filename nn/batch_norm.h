// Norms of channels: over a batch, and of each sample by itself.
//
// The running statistics are buffers, which a forward in training writes; a checkpoint that
// computes it again leaves them.
#pragma once

#include <adjoint/core/normalization.h>
#include <adjoint/nn/module.h>

#include <optional>

namespace adjoint::nn {

struct BatchNormOptions {
  double eps = 1e-5;
  // What a batch weighs in the running statistics; nullopt: 1 / (batches so far), their mean.
  std::optional<double> momentum = 0.1;
  bool affine = true;               // has a weight, and a bias
  bool track_running_stats = true;  // has buffers, by which it normalises when evaluated
  bool bias = true;                 // where there is a weight
};

// Each channel over the batch and all places: the operator batch_norm. Inputs are (N, C) or (N, C,
// L) of BatchNorm1d, (N, C, H, W) of 2d, (N, C, D, H, W) of 3d. num_features, C, may be kLazy.
// Starts with weight 1, bias 0, mean 0, variance 1. ConfigError for fewer than one feature, eps
// below 0, a momentum outside of [0, 1].
template <int N>
class BatchNorm : public Module<BatchNorm<N>> {
 public:
  explicit BatchNorm(int64_t num_features, const BatchNormOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;
  std::string type_name() const override;
  std::string describe() const override;

  Parameter weight, bias;            // (C), or undefined
  Buffer running_mean, running_var;  // (C), or undefined
  Buffer num_batches_tracked;        // i64 (), or undefined

 private:
  int64_t num_features_;
  BatchNormOptions options_;
};

struct InstanceNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;
  bool affine = false;
  bool track_running_stats = false;
  bool bias = true;  // where there is a weight
};

// Each channel of each sample over all its places: the operator instance_norm. Inputs are (N, C,
// sizes...) with N sizes, or (C, sizes...). Otherwise as BatchNorm.
template <int N>
class InstanceNorm : public Module<InstanceNorm<N>> {
 public:
  explicit InstanceNorm(int64_t num_features, const InstanceNormOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;
  std::string type_name() const override;
  std::string describe() const override;

  Parameter weight, bias;
  Buffer running_mean, running_var;
  Buffer num_batches_tracked;  // stays 0, as in PyTorch

 private:
  int64_t num_features_;
  InstanceNormOptions options_;
};

extern template class BatchNorm<1>;
extern template class BatchNorm<2>;
extern template class BatchNorm<3>;
extern template class InstanceNorm<1>;
extern template class InstanceNorm<2>;
extern template class InstanceNorm<3>;
using BatchNorm1d = BatchNorm<1>;
using BatchNorm2d = BatchNorm<2>;
using BatchNorm3d = BatchNorm<3>;
using InstanceNorm1d = InstanceNorm<1>;
using InstanceNorm2d = InstanceNorm<2>;
using InstanceNorm3d = InstanceNorm<3>;

}  // namespace adjoint::nn
