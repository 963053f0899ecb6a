// y = x W^T + b, and its like of two inputs.
#pragma once

#include <adjoint/nn/activation.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

struct LinearOptions {
  bool bias = true;
};

// (..., in_features) -> (..., out_features). Starts, as in PyTorch, from uniform(-b, b) with
// b = 1 / sqrt(in_features). in_features may be kLazy. ConfigError for negative sizes.
class Linear : public Module<Linear> {
 public:
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;
  std::string type_name() const override;
  std::string describe() const override;

  // activate((*this)(x), activation), in one operator unless a hook wants to see what is between.
  Tensor activated(const Tensor& x, Activation activation) const;

  int64_t in_features() const { return weight.is_lazy() ? kLazy : weight.size(1); }
  int64_t out_features() const { return out_features_; }

  Parameter weight;  // (out_features, in_features)
  Parameter bias;    // (out_features), or undefined

 private:
  void materialize(const Tensor& x) const;

  int64_t out_features_;
};

// forward(a, b): y[..., o] = a W[o] b + bias[o], of (..., in1_features) and (..., in2_features).
// Starts from uniform(-b, b) with b = 1 / sqrt(in1_features). ConfigError for sizes that are not
// positive.
class Bilinear : public Module<Bilinear> {
 public:
  Bilinear(int64_t in1_features, int64_t in2_features, int64_t out_features,
           const LinearOptions& options = {});

  Tensor forward(const Tensor& a, const Tensor& b) const;
  void members(Visitor& v) override;
  std::string describe() const override;

  Parameter weight;  // (out_features, in1_features, in2_features)
  Parameter bias;    // (out_features), or undefined
};

// Returns what it gets.
class Identity : public Module<Identity> {
 public:
  Tensor forward(const Tensor& x) const { return x; }
};

}  // namespace adjoint::nn
