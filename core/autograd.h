// Reverse-mode differentiation of what was recorded.
//
// Recording is on by default, per thread. Independent threads may run forward and backward at once,
// also over shared parameters: each leaf's gradient is added under a lock.
#pragma once

#include <adjoint/core/tensor.h>

#include <vector>

namespace adjoint {

// Whether operators record themselves, on this thread.
bool grad_enabled();
void set_grad_enabled(bool enabled);

// Recording is on or off while it lives, whatever it was. Restores what was before.
class AutoGradMode {
 public:
  explicit AutoGradMode(bool enabled) : before_(grad_enabled()) { set_grad_enabled(enabled); }
  ~AutoGradMode() { set_grad_enabled(before_); }
  AutoGradMode(const AutoGradMode&) = delete;
  AutoGradMode& operator=(const AutoGradMode&) = delete;

 private:
  bool before_;
};

// Nothing is recorded while it lives.
class NoGrad : public AutoGradMode {
 public:
  NoGrad() : AutoGradMode(false) {}
};

// Recording is on while it lives, also inside NoGrad.
class EnableGrad : public AutoGradMode {
 public:
  EnableGrad() : AutoGradMode(true) {}
};

// While it lives nothing is recorded, as under NoGrad, and what is made keeps no versions: cheaper,
// for results that no graph will ever need. EnableGrad inside has no effect; InferenceMode(false)
// leaves the mode, and records. A backward leaves it while it runs.
//
// As in PyTorch such a tensor, outside of the mode, cannot be saved for a backward, written in
// place by an operator or told to require grad: AutogradError. clone() it there first. Views of it
// are as it is; views of other tensors, and writes into those, are ordinary ones.
class InferenceMode {
 public:
  explicit InferenceMode(bool enabled = true);
  ~InferenceMode();
  InferenceMode(const InferenceMode&) = delete;
  InferenceMode& operator=(const InferenceMode&) = delete;

 private:
  bool inference_before_, grad_before_;
};
bool inference_mode();

// Whether this thread computes a second time what checkpoint() did not keep: what a forward does
// beside its result, such as updating running statistics, was done the first time.
bool recomputing();

struct GradOptions {
  std::vector<Tensor> grad_outputs = {};  // one for each output; ones where undefined
  bool retain_graph = false;              // as in BackwardOptions; create_graph implies it
  bool create_graph = false;
  bool allow_unused = false;  // an input without influence gives an undefined tensor, not an error
  bool materialize_grads = false;  // an input without influence gives zeros
};

// Adds d(sum of outputs . gradients) / d(leaf) to the grad of every leaf, or of options.inputs.
// `gradients`: one for each output, undefined or left out for those of one element. Several threads
// may do so with one graph at once, if they retain it. With create_graph a leaf's grad has history
// that may lead to the leaf itself: zero_grad() it when done, or neither is freed.
//
// AutogradError: an output without history, one of several elements without gradient, a graph that
// a backward has freed, options.gradient (which is Tensor::backward's). ShapeError: a gradient of
// another shape than its output.
//
// If it throws (a changed saved tensor, a hook's own exception), gradients that were there before
// may have parts of the new ones added: zero_grad() before going on.
void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& gradients = {},
              const BackwardOptions& options = {});

// The gradients of the outputs with respect to the inputs (vector-Jacobian product); no grad
// attribute is touched, and only paths that lead to an input are computed. An input that is given
// twice has its whole gradient twice. Hooks of inputs run; those of leaves' accumulation do not.
// Errors as backward's; and AutogradError for an input that does not require grad or, unless it is
// allowed, has no influence.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options = {});

// The graph nodes alive in the process: a test that ends with more than it began has leaked.
int64_t live_nodes();

}  // namespace adjoint
