// Automatic mixed precision: products in bf16 with weights in f32.
//
//   Tensor loss;
//   {
//     const Autocast guard(DType::bf16);
//     loss = model.loss(ids, targets);
//   }
//   loss.backward();  // the gradients of f32 parameters are f32
//
// While it is on, on this thread, as PyTorch's on CPUs:
// - matmul, bmm, linear (also within linear_add), linear_activation and
//   scaled_dot_product_attention round operands of f32 to bf16, sum in f32 and give bf16;
// - the losses of <adjoint/core/losses.h> compute in f32 and give f32; linear_cross_entropy
//   multiplies at Precision::medium;
// - every other operator computes in what its inputs promote to (bf16 in f32, rounded once);
// - f64 stays f64.
// A weight is read as it is and rounded where a product packs it, or from the copy in bf16 that
// the step of an optimizer left of it; the copy goes when the weight is written. Backward runs in
// the dtypes of the forward's results, wherever it is called: it ignores the mode.
#pragma once

#include <adjoint/core/dtype.h>

namespace adjoint {

// Whether products of this thread are of bf16.
bool autocast_enabled();

// Switches autocast on or off while it lives, on this thread. Restores what was before.
class Autocast {
 public:
  // ConfigError unless it is bf16.
  explicit Autocast(DType dtype);
  explicit Autocast(bool enabled);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  bool before_;
};

}  // namespace adjoint
