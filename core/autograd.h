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

struct GradOptions {
  std::vector<Tensor> grad_outputs = {};  // one for each output; ones where undefined
  bool retain_graph = false;              // as in BackwardOptions; create_graph implies it
  bool create_graph = false;
  bool allow_unused = false;  // an input without influence gives an undefined tensor, not an error
};

// Adds d(sum of outputs . gradients) / d(leaf) to the grad of every leaf. Several threads may do so
// with one graph at once, if they retain it. With create_graph a leaf's grad has a history that may
// lead to the leaf itself: zero_grad() it when done, or neither is freed.
//
// If it throws (a changed saved tensor, a hook's own exception), gradients that were there before
// may have parts of the new ones added: zero_grad() before going on.
void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& gradients = {},
              bool retain_graph = false, bool create_graph = false);

// The gradients of the outputs with respect to the inputs (vector-Jacobian product); no grad
// attribute is touched, and only paths that lead to an input are computed.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options = {});

// The graph nodes alive in the process: a test that ends with more than it began has leaked.
int64_t live_nodes();

}  // namespace adjoint
