// y = x W^T + b.
#pragma once

#include <adjoint/nn/activation.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

struct LinearOptions {
  bool bias = true;
};

// (..., in_features) -> (..., out_features). Starts, as in PyTorch, from uniform(-b, b) with
// b = 1 / sqrt(in_features). ConfigError for negative sizes.
class Linear : public Module<Linear> {
 public:
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});

  Tensor forward(const Tensor& x) const;
  void members(Visitor& v) override;
  std::string describe() const override;

  // activate((*this)(x), activation), in one operator unless a hook wants to see what is between.
  Tensor activated(const Tensor& x, Activation activation) const;

  int64_t in_features() const { return in_features_; }
  int64_t out_features() const { return out_features_; }

  Parameter weight;  // (out_features, in_features)
  Parameter bias;    // (out_features), or undefined

 private:
  int64_t in_features_, out_features_;
};

// Returns what it gets.
class Identity : public Module<Identity> {
 public:
  Tensor forward(const Tensor& x) const { return x; }
};

}  // namespace adjoint::nn
