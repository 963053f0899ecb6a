#include "core/autograd/op.h"

#include <algorithm>
#include <utility>

namespace adjoint {
namespace {

thread_local bool recording_enabled = true;
thread_local OpObserver* observer = nullptr;

}  // namespace

bool grad_enabled() { return recording_enabled; }
void set_grad_enabled(bool enabled) { recording_enabled = enabled && !inference_mode(); }

OpObserver* set_op_observer(OpObserver* next) { return std::exchange(observer, next); }
OpObserver* op_observer() { return observer; }

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

std::vector<Tensor> histories_of_running_node() {
  std::vector<Tensor> all;
  const Node* node = running_node();
  for (int32_t i = 0; node != nullptr && i < node->edge_count; ++i) {
    if (node->edges[i].node == nullptr) continue;
    const Tensor x = make_empty("history", {}, DType::f32);
    Node::retain(node->edges[i].node);
    x.impl()->node = node->edges[i].node;
    x.impl()->output = node->edges[i].output;
    all.push_back(x);
  }
  return all;
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
  return SavedTensor(make_view(y, y.shape(), y.strides(), y.impl()->offset), output, name_);
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
void Op::mark_view(const Tensor& y, int input) const {
  TensorImpl* impl = y.impl();
  const Tensor& from = this->input(input);
  impl->view = true;
  impl->hides_history = !recording_ && (wants_grad(from) || from.impl()->hides_history);
  impl->storage->views.fetch_add(1, std::memory_order_relaxed);
}

void Op::mark_written(const Tensor& x) const { x.impl()->storage->change(name_); }

void Op::check_in_place(const Tensor& x, const char* functional_form) const {
  const TensorImpl* impl = x.impl();
  check<AutogradError>(impl->storage->stamped() || inference_mode(),
                       "writes into a tensor that was made under InferenceMode, shape ", x.shape(),
                       "; expected it to be written inside of the mode; clone() it, or use ",
                       functional_form);
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
