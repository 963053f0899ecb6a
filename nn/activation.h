// Functions of one tensor, as modules for Sequential: the operators of
// <adjoint/core/activations.h>. One optional argument is given as such, LeakyReLU(0.2); several in
// braces.
#pragma once

#include <adjoint/core/activations.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

struct ReLU : Module<ReLU> {
  Tensor forward(const Tensor& x) const { return relu(x); }
};

struct ReLU6 : Module<ReLU6> {
  Tensor forward(const Tensor& x) const { return relu6(x); }
};

struct SELU : Module<SELU> {
  Tensor forward(const Tensor& x) const { return selu(x); }
};

struct SiLU : Module<SiLU> {
  Tensor forward(const Tensor& x) const { return silu(x); }
};

struct QuickGELU : Module<QuickGELU> {
  Tensor forward(const Tensor& x) const { return quick_gelu(x); }
};

struct Mish : Module<Mish> {
  Tensor forward(const Tensor& x) const { return mish(x); }
};

struct Tanh : Module<Tanh> {
  Tensor forward(const Tensor& x) const { return tanh(x); }
};

struct Tanhshrink : Module<Tanhshrink> {
  Tensor forward(const Tensor& x) const { return tanhshrink(x); }
};

struct Sigmoid : Module<Sigmoid> {
  Tensor forward(const Tensor& x) const { return sigmoid(x); }
};

struct LogSigmoid : Module<LogSigmoid> {
  Tensor forward(const Tensor& x) const { return logsigmoid(x); }
};

struct Hardsigmoid : Module<Hardsigmoid> {
  Tensor forward(const Tensor& x) const { return hardsigmoid(x); }
};

struct Hardswish : Module<Hardswish> {
  Tensor forward(const Tensor& x) const { return hardswish(x); }
};

struct Softsign : Module<Softsign> {
  Tensor forward(const Tensor& x) const { return softsign(x); }
};

class GELU : public Module<GELU> {
 public:
  explicit GELU(Gelu approximate = Gelu::erf) : approximate_(approximate) {}
  Tensor forward(const Tensor& x) const { return gelu(x, approximate_); }
  std::string describe() const override;

 private:
  Gelu approximate_;
};

class LeakyReLU : public Module<LeakyReLU> {
 public:
  explicit LeakyReLU(double negative_slope = 0.01) : negative_slope_(negative_slope) {}
  Tensor forward(const Tensor& x) const { return leaky_relu(x, negative_slope_); }
  std::string describe() const override;

 private:
  double negative_slope_;
};

class ELU : public Module<ELU> {
 public:
  explicit ELU(double alpha = 1.0) : alpha_(alpha) {}
  Tensor forward(const Tensor& x) const { return elu(x, alpha_); }
  std::string describe() const override;

 private:
  double alpha_;
};

// ConfigError for alpha 0.
class CELU : public Module<CELU> {
 public:
  explicit CELU(double alpha = 1.0);
  Tensor forward(const Tensor& x) const { return celu(x, alpha_); }
  std::string describe() const override;

 private:
  double alpha_;
};

// ConfigError for lambd below 0.
class Softshrink : public Module<Softshrink> {
 public:
  explicit Softshrink(double lambd = 0.5);
  Tensor forward(const Tensor& x) const { return softshrink(x, lambd_); }
  std::string describe() const override;

 private:
  double lambd_;
};

class Hardshrink : public Module<Hardshrink> {
 public:
  explicit Hardshrink(double lambd = 0.5) : lambd_(lambd) {}
  Tensor forward(const Tensor& x) const { return hardshrink(x, lambd_); }
  std::string describe() const override;

 private:
  double lambd_;
};

struct SoftplusOptions {
  double beta = 1.0;
  double threshold = 20.0;
};
// ConfigError for beta 0.
class Softplus : public Module<Softplus> {
 public:
  explicit Softplus(const SoftplusOptions& options = {});
  Tensor forward(const Tensor& x) const { return softplus(x, options_.beta, options_.threshold); }
  std::string describe() const override;

 private:
  SoftplusOptions options_;
};

struct HardtanhOptions {
  double min_val = -1.0;
  double max_val = 1.0;
};
// ConfigError unless min_val < max_val.
class Hardtanh : public Module<Hardtanh> {
 public:
  explicit Hardtanh(const HardtanhOptions& options = {});
  Tensor forward(const Tensor& x) const { return hardtanh(x, options_.min_val, options_.max_val); }
  std::string describe() const override;

 private:
  HardtanhOptions options_;
};

class Threshold : public Module<Threshold> {
 public:
  Threshold(double threshold, double value) : threshold_(threshold), value_(value) {}
  Tensor forward(const Tensor& x) const { return threshold(x, threshold_, value_); }
  std::string describe() const override;

 private:
  double threshold_, value_;
};

struct RReLUOptions {
  double lower = 1.0 / 8;
  double upper = 1.0 / 3;
};
// Random slopes in training, with the thread's default generator; their mean otherwise.
// ConfigError for lower above upper.
class RReLU : public Module<RReLU> {
 public:
  explicit RReLU(const RReLUOptions& options = {});
  Tensor forward(const Tensor& x) const {
    return rrelu(x, options_.lower, options_.upper, is_training());
  }
  std::string describe() const override;

 private:
  RReLUOptions options_;
};

struct PReLUOptions {
  int64_t num_parameters = 1;  // or one for each channel, dimension 1
  double init = 0.25;
};
// ConfigError for fewer than one parameter.
class PReLU : public Module<PReLU> {
 public:
  explicit PReLU(const PReLUOptions& options = {});
  Tensor forward(const Tensor& x) const { return prelu(x, weight); }
  void members(Visitor& v) override { v("weight", weight); }
  std::string describe() const override;

  Parameter weight;  // (num_parameters)
};

class GLU : public Module<GLU> {
 public:
  explicit GLU(int64_t dim = -1) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return glu(x, dim_); }
  std::string describe() const override;

 private:
  int64_t dim_;
};

class Softmax : public Module<Softmax> {
 public:
  explicit Softmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return softmax(x, dim_); }
  std::string describe() const override;

 private:
  int64_t dim_;
};

class LogSoftmax : public Module<LogSoftmax> {
 public:
  explicit LogSoftmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return log_softmax(x, dim_); }
  std::string describe() const override;

 private:
  int64_t dim_;
};

class Softmin : public Module<Softmin> {
 public:
  explicit Softmin(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return softmin(x, dim_); }
  std::string describe() const override;

 private:
  int64_t dim_;
};

// Over the channels of (N, C, H, W) or (C, H, W).
struct Softmax2d : Module<Softmax2d> {
  Tensor forward(const Tensor& x) const;
};

// The functions that FeedForward and TransformerBlock choose from.
using adjoint::Activation;
using adjoint::name;
Tensor activate(const Tensor& x, Activation activation);

}  // namespace adjoint::nn
