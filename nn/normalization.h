// Layers that normalise.
#pragma once

#include <adjoint/nn/module.h>

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
  void members(Visitor& v) override;
  std::string describe() const override;

  Parameter weight, bias;  // normalized_shape, or undefined

 private:
  Shape normalized_shape_;
  double eps_;
};

}  // namespace adjoint::nn
