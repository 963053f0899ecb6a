#include "core/autograd/op.h"

#include <algorithm>

namespace adjoint {
namespace {

thread_local bool recording_enabled = true;
thread_local OpObserver* observer = nullptr;

// The node whose closure is running on this thread: where saved outputs belong.
thread_local Node* current_node = nullptr;

}  // namespace

bool grad_enabled() { return recording_enabled; }
void set_grad_enabled(bool enabled) { recording_enabled = enabled; }

OpObserver* set_op_observer(OpObserver* next) { return std::exchange(observer, next); }

Node* exchange_current_node(Node* node) { return std::exchange(current_node, node); }

namespace {

// The same elements and history, in a tensor that no write will give another history.
Tensor snapshot(const Tensor& x) {
  const TensorImpl* from = x.impl();
  // A leaf that requires grad cannot be written to while recording, and indices carry no history.
  if (wants_grad(x) ? from->node->is_leaf() : !is_floating_point(from->dtype)) return x;
  Tensor y = make_view(x, from->shape, from->strides, from->offset);
  if (from->node != nullptr) {
    Node::retain(from->node);
    y.impl()->node = from->node;
    y.impl()->output = from->output;
  }
  return y;
}

}  // namespace

SavedTensor::SavedTensor(const Tensor& tensor, int output)
    : tensor_(!tensor.defined() || output >= 0 ? tensor : snapshot(tensor)),
      version_(tensor.defined() ? tensor.version() : 0),
      output_(output) {}

Tensor SavedTensor::operator*() const {
  if (!tensor_.defined()) return {};
  const Storage& storage = *tensor_.impl()->storage;
  check<AutogradError>(
      tensor_.version() == version_, current_node != nullptr ? current_node->name : "backward",
      ": a tensor that was saved for backward has changed: shape ", tensor_.shape(),
      ", saved at version ", version_, ", now at ", tensor_.version(), ", written by ",
      storage.changed_by != nullptr ? storage.changed_by : "unknown",
      "; expected the saved values; use a function that returns a new tensor, or clone() before "
      "changing it");
  if (output_ < 0 || current_node == nullptr || !grad_enabled()) return tensor_;
  // Its own history: the node that is running.
  Tensor y = make_view(tensor_, tensor_.shape(), tensor_.strides(), tensor_.impl()->offset);
  Node::retain(current_node);
  y.impl()->node = current_node;
  y.impl()->output = output_;
  return y;
}

Op::Op(const char* name, std::initializer_list<Input> inputs,
       std::initializer_list<Attribute> attributes)
    : name_(name) {
  input_count_ = static_cast<int>(inputs.size());
  int i = 0;
  for (const Input& in : inputs) {
    inputs_[i] = in.tensor;
    check<Error>(in.optional || in.tensor->defined(), "input ", i,
                 " is an undefined tensor; expected a tensor with elements");
    recording_ = recording_ || wants_grad(*in.tensor);
    ++i;
  }
  set_attributes(attributes);
  recording_ = recording_ && recording_enabled;
  begin();
}

Op::Op(const char* name, std::span<const Tensor> inputs,
       std::initializer_list<Attribute> attributes)
    : name_(name), many_(inputs.data()) {
  input_count_ = static_cast<int>(inputs.size());
  for (int i = 0; i < input_count_; ++i) {
    check<Error>(inputs[i].defined(), "input ", i,
                 " is an undefined tensor; expected a tensor with elements");
    recording_ = recording_ || wants_grad(inputs[i]);
  }
  set_attributes(attributes);
  recording_ = recording_ && recording_enabled;
  begin();
}

void Op::set_attributes(std::initializer_list<Attribute> attributes) {
  attribute_count_ = static_cast<int>(attributes.size());
  if (attribute_count_ == 1) {  // by far the commonest; not worth a call of memmove
    attributes_[0] = *attributes.begin();
  } else {
    std::copy(attributes.begin(), attributes.end(), attributes_);
  }
}

void Op::begin() {
  if (observer != nullptr) {
    observed_ = true;
    observer->on_begin(*this);
  }
}

Op::~Op() {
  if (observed_ && observer != nullptr) observer->on_end(*this);
}

void Op::observe(const Tensor& y) const {
  if (observer != nullptr) observer->on_output(*this, y);
}

SavedTensor Op::save_output(const Tensor& y, int output) const {
  if (!recording_) return {};
  saves_ = true;
  return SavedTensor(make_view(y, y.shape(), y.strides(), y.impl()->offset), output);
}

void Op::connect(Edge& edge, const Tensor& x) {
  if (!wants_grad(x)) return;
  edge.node = x.impl()->node;
  edge.output = x.impl()->output;
  Node::retain(edge.node);
}

bool Op::attach(const Tensor& y, Node* node, int output) {
  TensorImpl* impl = y.impl();
  node->outputs[output] = {impl->shape, impl->dtype};
  if (!is_floating_point(impl->dtype)) return false;
  impl->node = node;
  impl->output = output;
  return true;
}

void Op::reattach(const Tensor& x, Node* node) {
  TensorImpl* impl = x.impl();
  node->outputs[0] = {impl->shape, impl->dtype};
  Node::retain(node);
  if (Node* before = std::exchange(impl->node, node)) {
    // retain_grad() was said of the tensor, so it moves on with it.
    if (before->extras != nullptr) {
      auto& retained = before->extras->retained;
      const auto own = std::find_if(retained.begin(), retained.end(), [impl](const auto& entry) {
        return entry.first == impl->output;
      });
      if (own != retained.end()) {
        retained.erase(own);
        node->get_extras().retained.emplace_back(0, Tensor());
      }
    }
    Node::release(before);
  }
  impl->output = 0;
}

// Note [Writes and views]
// A recorded write gives the tensor that is written to a new node. Other tensors with the same
// elements would keep their old ones, and with them a gradient that is no longer true: so a
// recorded write into a view, or into a tensor of which a view is alive, is an error. So is a write
// that is not recorded because the view itself was not (it was made under NoGrad) though what it
// shows has history. detach() makes no view in this sense: who calls it wants the elements without
// the history.
void Op::mark_view(const Tensor& y) const {
  TensorImpl* impl = y.impl();
  const TensorImpl* from = input(0).impl();
  impl->view = true;
  impl->hides_history = !recording_ && (wants_grad(input(0)) || from->hides_history);
  impl->storage->views.fetch_add(1, std::memory_order_relaxed);
}

void Op::mark_written(const Tensor& x) const { x.impl()->storage->change(name_); }

void Op::check_in_place(const Tensor& x, const char* functional_form) const {
  const TensorImpl* impl = x.impl();
  check<AutogradError>(recording_ || !recording_enabled || !impl->hides_history,
                       "writes into a view of shape ", x.shape(),
                       " that was made under NoGrad of a tensor with history; expected a tensor of "
                       "its own elements; use ",
                       functional_form, ", or NoGrad, which leaves the gradients as they were");
  if (!recording_) return;
  check<AutogradError>(!(x.is_leaf() && x.requires_grad()),
                       "writes into a leaf that requires grad, shape ", x.shape(),
                       "; expected another tensor; use ", functional_form,
                       ", or NoGrad to change a parameter");
  check<AutogradError>(!impl->view, "writes into a view, shape ", x.shape(),
                       "; expected a tensor of its own elements; use ", functional_form);
  check<AutogradError>(impl->storage->views.load(std::memory_order_relaxed) == 0,
                       "writes into a tensor of which views are alive, shape ", x.shape(),
                       "; expected a tensor without views; use ", functional_form);
}

void Op::check_floating(int i) const {
  check<DTypeError>(is_floating_point(input(i).dtype()), "input ", i, " is of dtype ",
                    input(i).dtype(), "; expected a floating dtype; convert it with to()");
}

}  // namespace adjoint
