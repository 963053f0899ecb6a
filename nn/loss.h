// Losses as modules.
#pragma once

#include <adjoint/core/losses.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

// forward(logits, target), as the operator cross_entropy.
class CrossEntropyLoss : public Module<CrossEntropyLoss> {
 public:
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {}) : options_(options) {}
  Tensor forward(const Tensor& logits, const Tensor& target) const {
    return cross_entropy(logits, target, options_);
  }

 private:
  CrossEntropyOptions options_;
};

// forward(input, target), as the operator mse_loss.
class MSELoss : public Module<MSELoss> {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor forward(const Tensor& input, const Tensor& target) const {
    return mse_loss(input, target, reduction_);
  }

 private:
  Reduction reduction_;
};

}  // namespace adjoint::nn
