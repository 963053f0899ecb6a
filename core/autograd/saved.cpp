#include "core/autograd/saved.h"

#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>

#include <utility>

#include "core/autograd/node.h"
#include "core/autograd/recompute.h"
#include "core/tensor/tensor_impl.h"

namespace adjoint {
namespace {

// The node whose closure is running on this thread: where saved outputs belong.
constinit thread_local Node* current_node = nullptr;
constinit thread_local SaveScope* save_scope = nullptr;

// The same elements, with a history.
Tensor with_history(const Tensor& x, Node* node, int32_t output) {
  Tensor y = make_view(x, x.shape(), x.strides(), x.impl()->offset);
  if (node != nullptr) {
    Node::retain(node);
    y.impl()->node = node;
    y.impl()->output = output;
  }
  return y;
}

// The same elements and history, in a tensor that no write will give another history.
Tensor snapshot(const Tensor& x) {
  const TensorImpl* from = x.impl();
  // A leaf that requires grad cannot be written to while recording, and indices carry no history.
  if (wants_grad(x) ? from->node->is_leaf() : !is_floating_point(from->dtype)) return x;
  return with_history(x, from->node, from->output);
}

}  // namespace

Node* running_node() { return current_node; }
Node* exchange_running_node(Node* node) { return std::exchange(current_node, node); }

SaveScope::SaveScope() : outer_(std::exchange(save_scope, this)) {}
SaveScope::~SaveScope() { save_scope = outer_; }

Tensor Postponed::open() const { return with_history(source_->open(index_), node_, output_); }

SavedTensor::SavedTensor(const Tensor& tensor, int output, const char* op) : output_(output) {
  if (!tensor.defined()) return;
  check<AutogradError>(!tensor.is_inference(), op, ": a tensor of shape ", tensor.shape(),
                       " that was made under InferenceMode cannot be saved for backward; expected "
                       "an ordinary one; clone() it outside of the mode");
  if (save_scope != nullptr) [[unlikely]] {
    postponed_ = save_scope->save(tensor, output);
    if (postponed_ != nullptr) return;
  }
  tensor_ = output >= 0 ? tensor : snapshot(tensor);
  version_ = tensor.version();
}

void check_unchanged(const Tensor& saved, uint64_t version) {
  const Storage& storage = *saved.impl()->storage;
  check<AutogradError>(
      saved.version() == version, current_node != nullptr ? current_node->name : "backward",
      ": a tensor that was saved for backward has changed: shape ", saved.shape(),
      ", saved at version ", version, ", now at ", saved.version(), ", written by ",
      storage.changed_by != nullptr ? storage.changed_by : "unknown",
      "; expected the saved values; use a function that returns a new tensor, or clone() before "
      "changing it");
}

Tensor SavedTensor::operator*() const {
  if (!defined()) return {};
  Tensor x = postponed_ != nullptr ? postponed_->open() : tensor_;
  if (postponed_ == nullptr) check_unchanged(x, version_);
  if (output_ < 0 || current_node == nullptr || !grad_enabled()) return x;
  // Its own history: the node that is running.
  return with_history(x, current_node, output_);
}

}  // namespace adjoint
