// Pooling over windows of N sizes. Inputs are (N, C, sizes...) or, without a batch, (C, sizes...);
// sizes of windows have one entry for each, or one for all.
//
//   nn::MaxPool2d(3, {.stride = 2, .padding = 1})
#pragma once

#include <adjoint/core/pooling.h>
#include <adjoint/nn/module.h>

#include <optional>

namespace adjoint::nn {

struct MaxPoolOptions {
  Shape stride = {};  // the kernel's size
  Shape padding = 0;
  Shape dilation = 1;
  bool ceil_mode = false;
};

struct PoolForwardOptions {
  // Gets where each maximum stands (i64), as MaxUnpool takes it: PyTorch's return_indices.
  Tensor* indices = nullptr;
};

// The largest element of each window: the operator max_pool. ConfigError for sizes that are not
// positive and a padding of more than half a window.
template <int N>
class MaxPool : public Module<MaxPool<N>> {
 public:
  using ForwardOptions = PoolForwardOptions;
  explicit MaxPool(const Shape& kernel_size, const MaxPoolOptions& options = {});
  Tensor forward(const Tensor& x, const ForwardOptions& options = {}) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  Shape kernel_size_;
  MaxPoolOptions options_;
};

struct MaxUnpoolOptions {
  Shape stride = {};  // the kernel's size
  Shape padding = 0;
};

struct MaxUnpoolForwardOptions {
  Shape output_size = {};  // the smallest possible
};

// forward(x, indices): the operator max_unpool.
template <int N>
class MaxUnpool : public Module<MaxUnpool<N>> {
 public:
  using ForwardOptions = MaxUnpoolForwardOptions;
  explicit MaxUnpool(const Shape& kernel_size, const MaxUnpoolOptions& options = {});
  Tensor forward(const Tensor& x, const Tensor& indices, const ForwardOptions& options = {}) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  Shape kernel_size_, stride_, padding_;
};

struct AvgPoolOptions {
  Shape stride = {};  // the kernel's size
  Shape padding = 0;
  bool ceil_mode = false;
  bool count_include_pad = true;
  std::optional<int64_t> divisor_override = std::nullopt;  // not of AvgPool1d
};

// The mean of each window: the operator avg_pool. ConfigError as for MaxPool.
template <int N>
class AvgPool : public Module<AvgPool<N>> {
 public:
  explicit AvgPool(const Shape& kernel_size, const AvgPoolOptions& options = {});
  Tensor forward(const Tensor& x) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  Shape kernel_size_;
  AvgPoolOptions options_;
};

struct LPPoolOptions {
  Shape stride = {};  // the kernel's size
  bool ceil_mode = false;
};

// The p-norm of each window, p = norm_type: the operator lp_pool.
template <int N>
class LPPool : public Module<LPPool<N>> {
 public:
  LPPool(double norm_type, const Shape& kernel_size, const LPPoolOptions& options = {});
  Tensor forward(const Tensor& x) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  double norm_type_;
  Shape kernel_size_;
  LPPoolOptions options_;
};

// As many windows as output_size says; -1, PyTorch's None, keeps a size of the input.
template <int N>
class AdaptiveMaxPool : public Module<AdaptiveMaxPool<N>> {
 public:
  using ForwardOptions = PoolForwardOptions;
  explicit AdaptiveMaxPool(const Shape& output_size);
  Tensor forward(const Tensor& x, const ForwardOptions& options = {}) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  Shape output_size_;
};

template <int N>
class AdaptiveAvgPool : public Module<AdaptiveAvgPool<N>> {
 public:
  explicit AdaptiveAvgPool(const Shape& output_size);
  Tensor forward(const Tensor& x) const;
  std::string type_name() const override;
  std::string describe() const override;

 private:
  Shape output_size_;
};

extern template class MaxPool<1>;
extern template class MaxPool<2>;
extern template class MaxPool<3>;
extern template class MaxUnpool<1>;
extern template class MaxUnpool<2>;
extern template class MaxUnpool<3>;
extern template class AvgPool<1>;
extern template class AvgPool<2>;
extern template class AvgPool<3>;
extern template class LPPool<1>;
extern template class LPPool<2>;
extern template class LPPool<3>;
extern template class AdaptiveMaxPool<1>;
extern template class AdaptiveMaxPool<2>;
extern template class AdaptiveMaxPool<3>;
extern template class AdaptiveAvgPool<1>;
extern template class AdaptiveAvgPool<2>;
extern template class AdaptiveAvgPool<3>;
using MaxPool1d = MaxPool<1>;
using MaxPool2d = MaxPool<2>;
using MaxPool3d = MaxPool<3>;
using MaxUnpool1d = MaxUnpool<1>;
using MaxUnpool2d = MaxUnpool<2>;
using MaxUnpool3d = MaxUnpool<3>;
using AvgPool1d = AvgPool<1>;
using AvgPool2d = AvgPool<2>;
using AvgPool3d = AvgPool<3>;
using LPPool1d = LPPool<1>;
using LPPool2d = LPPool<2>;
using LPPool3d = LPPool<3>;
using AdaptiveMaxPool1d = AdaptiveMaxPool<1>;
using AdaptiveMaxPool2d = AdaptiveMaxPool<2>;
using AdaptiveMaxPool3d = AdaptiveMaxPool<3>;
using AdaptiveAvgPool1d = AdaptiveAvgPool<1>;
using AdaptiveAvgPool2d = AdaptiveAvgPool<2>;
using AdaptiveAvgPool3d = AdaptiveAvgPool<3>;

}  // namespace adjoint::nn
