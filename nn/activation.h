// Functions of one tensor, as modules for Sequential, and dropout.
#pragma once

#include <adjoint/core/activations.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

struct ReLU : Module<ReLU> {
  Tensor forward(const Tensor& x) const { return relu(x); }
};

struct SiLU : Module<SiLU> {
  Tensor forward(const Tensor& x) const { return silu(x); }
};

struct Tanh : Module<Tanh> {
  Tensor forward(const Tensor& x) const { return tanh(x); }
};

struct Sigmoid : Module<Sigmoid> {
  Tensor forward(const Tensor& x) const { return sigmoid(x); }
};

class GELU : public Module<GELU> {
 public:
  explicit GELU(Gelu approximate = Gelu::erf) : approximate_(approximate) {}
  Tensor forward(const Tensor& x) const { return gelu(x, approximate_); }
  std::string describe() const override;

 private:
  Gelu approximate_;
};

class Softmax : public Module<Softmax> {
 public:
  explicit Softmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return softmax(x, dim_); }
  std::string describe() const override { return "dim=" + std::to_string(dim_); }

 private:
  int64_t dim_;
};

class LogSoftmax : public Module<LogSoftmax> {
 public:
  explicit LogSoftmax(int64_t dim) : dim_(dim) {}
  Tensor forward(const Tensor& x) const { return log_softmax(x, dim_); }
  std::string describe() const override { return "dim=" + std::to_string(dim_); }

 private:
  int64_t dim_;
};

// In training, zeroes each element with probability p and divides the others by 1 - p, with the
// thread's default generator; otherwise returns x itself. Srivastava et al. 2014. ConfigError
// unless 0 <= p <= 1.
class Dropout : public Module<Dropout> {
 public:
  explicit Dropout(double p = 0.5);
  Tensor forward(const Tensor& x) const;
  std::string describe() const override;

  double p() const { return p_; }

 private:
  double p_;
};

// The functions that FeedForward and TransformerBlock choose from.
using adjoint::Activation;
using adjoint::name;
Tensor activate(const Tensor& x, Activation activation);

}  // namespace adjoint::nn
