// Activation checkpointing: memory for time.
//
//   for (const Block& block : blocks) x = checkpoint([&](const Tensor& h) { return block(h); }, x);
//
// What fn would save for backward is not kept: backward calls fn again when it first needs some of
// it, and keeps that until it has run through. Gradients are those of fn, to the inputs and to
// whatever fn captures, bit for bit: the second call finds the calling thread's generator (and
// those that are named in the options), autocast and precision as the first did. What a forward
// must not do twice, such as updating running statistics, asks recomputing() of
// <adjoint/core/autograd.h>.
//
// Works with grad(), create_graph, retain_graph (what was computed again is then kept), hooks, and
// checkpoints inside fn. fn itself and what it captures by reference must live until backward has
// run; it must do the same each time: AutogradError, in backward, where it saves other tensors the
// second time or where an input or a leaf that fn saves was changed since. Inside fn no gradient
// may be asked for of what it computes: AutogradError. Without grad mode it is fn(inputs).
//
// Any thread may run the backward. As torch.utils.checkpoint with use_reentrant=False. Chen, Xu,
// Zhang, Guestrin 2016, arXiv 1604.06174.
#pragma once

#include <adjoint/core/functional.h>
#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <type_traits>
#include <utility>
#include <vector>

namespace adjoint {

struct CheckpointOptions {
  // Other generators that fn draws from. They must outlive the backward.
  std::vector<Generator*> generators = {};
};

std::vector<Tensor> checkpoint(TensorFunction fn, const std::vector<Tensor>& inputs,
                               const CheckpointOptions& options = {});

// For functions of one tensor, or of several, that give one.
template <class F>
requires std::is_invocable_r_v<Tensor, const F&, const Tensor&> Tensor
checkpoint(F fn, const Tensor& input, const CheckpointOptions& options = {}) {
  const TensorFunction of_list =
      [fn = std::move(fn)](const std::vector<Tensor>& x) -> std::vector<Tensor> {
    return {fn(x[0])};
  };
  return checkpoint(of_list, std::vector<Tensor>{input}, options)[0];
}

}  // namespace adjoint
