#include "core/autograd/node.h"

#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>

#include <algorithm>
#include <mutex>

#include "core/autograd/gradient_ops.h"
#include "core/tensor/tensor_impl.h"

namespace adjoint {
namespace {

// How many nodes this thread has made and not destroyed; negative where it destroys what others
// made. A thread writes its own figure only, so counting needs no locked instruction.
struct LiveCount {
  std::atomic<int64_t> nodes{0};
  LiveCount *before = nullptr, *after = nullptr;
  bool registered = false, closed = false;
};
constinit thread_local LiveCount live;

// The figures of all threads. Never destroyed: nodes may outlive every static object.
struct LiveCounts {
  std::mutex mutex;
  LiveCount* first = nullptr;
  std::atomic<int64_t> ended{0};  // of threads that are no more

  static LiveCounts& instance() {
    static auto* counts = new LiveCounts;
    return *counts;
  }
};

struct LiveGuard {
  ~LiveGuard() {
    LiveCounts& all = LiveCounts::instance();
    const std::lock_guard lock(all.mutex);
    (live.before != nullptr ? live.before->after : all.first) = live.after;
    if (live.after != nullptr) live.after->before = live.before;
    all.ended += live.nodes.load(std::memory_order_relaxed);
    live.closed = true;
  }
};

[[gnu::noinline]] void register_thread() {
  live.registered = true;
  thread_local LiveGuard guard;
  (void)guard;
  LiveCounts& all = LiveCounts::instance();
  const std::lock_guard lock(all.mutex);
  live.after = all.first;
  if (all.first != nullptr) all.first->before = &live;
  all.first = &live;
}

void count_node(int64_t change) {
  if (!live.registered) register_thread();
  if (live.closed) {
    LiveCounts::instance().ended += change;
    return;
  }
  live.nodes.store(live.nodes.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

constinit thread_local uint64_t last_sequence = 0;

// Released nodes that wait to be destroyed, and whether the loop that does it is running.
thread_local Node* released = nullptr;
thread_local bool destroying = false;

}  // namespace

int64_t live_nodes() {
  LiveCounts& all = LiveCounts::instance();
  const std::lock_guard lock(all.mutex);
  int64_t nodes = all.ended;
  for (const LiveCount* thread = all.first; thread != nullptr; thread = thread->after) {
    nodes += thread->nodes.load(std::memory_order_relaxed);
  }
  return nodes;
}

Node::Node(const char* op_name, uint64_t number) : name(op_name), sequence(number) {
  count_node(1);
}

void Node::set_sequence() {
  uint64_t last = last_sequence;
  for (int32_t i = 0; i < edge_count; ++i) {
    if (edges[i].node != nullptr) last = std::max(last, edges[i].node->sequence);
  }
  sequence = last_sequence = last + 1;
}

Node::~Node() {
  for (int32_t i = 0; i < edge_count; ++i) {
    if (edges[i].node != nullptr) release(edges[i].node);
  }
  count_node(-1);
}

// See Note [Graph ownership].
void Node::release(Node* node) noexcept {
  if (!drop_reference(node->references_)) return;
  node->next_released_ = released;
  released = node;
  if (destroying) return;
  destroying = true;
  while (released != nullptr) {
    Node* next = released;
    released = next->next_released_;
    next->destroy();
  }
  destroying = false;
}

Leaf::Leaf(const Tensor& x) : Node("leaf", 0), meta_{x.shape(), x.dtype()} {
  output_count = 1;
  outputs = &meta_;
}

void* Leaf::operator new(size_t bytes) { return allocate(bytes); }
void Leaf::operator delete(void* memory, size_t bytes) noexcept { deallocate(memory, bytes); }

Grads Leaf::call(const Backward&) { return {}; }

Tensor Leaf::get_grad() {
  lock();
  Tensor grad = grad_;
  unlock();
  return grad;
}

Tensor Leaf::exchange_grad(Tensor grad) {
  lock();
  std::swap(grad_, grad);
  unlock();
  return grad;
}

void Leaf::accumulate(Tensor gradient, bool record) {
  // Taken out while it is added to, so the lock is never held over a kernel; another thread that
  // finishes meanwhile leaves its part, which is then added as well.
  Tensor sum = exchange_grad({});
  while (true) {
    if (!sum.defined()) {
      // Moved in if nobody else can see it; a copy otherwise, for an optimizer may write to it.
      const TensorImpl* impl = gradient.impl();
      if (impl->unique() && impl->contiguous && (record || impl->node == nullptr)) {
        sum = std::move(gradient);
      } else {
        sum = gradient_ops::clone(record ? gradient : gradient.detach());
      }
    } else if (record || sum.impl()->node != nullptr || sum.dtype() != gradient.dtype()) {
      sum = gradient_ops::add(sum, gradient);
    } else {
      gradient_ops::add_in_place(sum, gradient);
    }
    lock();
    if (!grad_.defined()) {
      grad_ = std::move(sum);
      unlock();
      return;
    }
    gradient = std::move(grad_);
    grad_ = Tensor();
    unlock();
  }
}

// --- what tensors know of the graph ---

bool Tensor::requires_grad() const {
  check(impl_ != nullptr, "requires_grad: undefined tensor; expected a tensor with elements");
  Node* node = impl_->node;
  return node != nullptr && (!node->is_leaf() || static_cast<Leaf*>(node)->requires_grad);
}

bool Tensor::is_leaf() const {
  check(impl_ != nullptr, "is_leaf: undefined tensor; expected a tensor with elements");
  return impl_->node == nullptr || impl_->node->is_leaf();
}

const char* Tensor::grad_fn_name() const { return is_leaf() ? nullptr : impl_->node->name; }

const Tensor& Tensor::requires_grad_(bool value) const {
  check<AutogradError>(is_leaf(), "requires_grad_: the tensor of shape ", shape(), " was made by '",
                       is_leaf() ? "" : impl_->node->name,
                       "'; expected a leaf; use detach() for one");
  check<AutogradError>(!value || is_floating_point(dtype()), "requires_grad_: dtype ", dtype(),
                       " has no gradients; expected a floating dtype");
  check<AutogradError>(!value || !is_inference() || inference_mode(),
                       "requires_grad_: the tensor of shape ", shape(),
                       " was made under InferenceMode; expected another outside of it; clone() it");
  if (impl_->node != nullptr) {
    static_cast<Leaf*>(impl_->node)->requires_grad = value;
  } else if (value) {
    impl_->node = new Leaf(*this);
    impl_->output = 0;
  }
  return *this;
}

Tensor Tensor::grad() const {
  if (is_leaf())
    return impl_->node == nullptr ? Tensor() : static_cast<Leaf*>(impl_->node)->get_grad();
  if (impl_->node->extras) {
    for (const auto& [output, gradient] : impl_->node->extras->retained) {
      if (output == impl_->output) return gradient;
    }
  }
  return {};
}

void Tensor::set_grad(Tensor grad) const {
  check<AutogradError>(is_leaf(), "set_grad: the tensor of shape ", shape(),
                       " is not a leaf; expected a leaf");
  if (impl_->node == nullptr) {
    if (!grad.defined()) return;
    impl_->node = new Leaf(*this);
    static_cast<Leaf*>(impl_->node)->requires_grad = false;
  }
  if (grad.defined()) {
    check<ShapeError>(grad.shape() == shape(), "set_grad: a gradient of shape ", grad.shape(),
                      " for a tensor of shape ", shape(), "; expected equal shapes");
    check<DTypeError>(grad.dtype() == dtype(), "set_grad: a gradient of ", grad.dtype(),
                      " for a tensor of ", dtype(), "; expected one dtype; convert it with to()");
  }
  static_cast<Leaf*>(impl_->node)->exchange_grad(std::move(grad));
}

void Tensor::retain_grad() const {
  check<AutogradError>(requires_grad(), "retain_grad: the tensor of shape ", shape(),
                       " does not require grad; expected one that does");
  if (is_leaf()) return;
  auto& retained = impl_->node->get_extras().retained;
  for (const auto& entry : retained) {
    if (entry.first == impl_->output) return;
  }
  retained.emplace_back(impl_->output, Tensor());
}

namespace {

// Handles hold the list weakly: see Node::Extras.
template <class Hook>
HookHandle add_hook(const std::shared_ptr<std::vector<Hook>>& hooks, Hook hook) {
  static std::atomic<int64_t> last_id{0};
  const int64_t id = hook.id = ++last_id;
  hooks->push_back(std::move(hook));
  return HookHandle([weak = std::weak_ptr(hooks), id] {
    const auto list = weak.lock();
    if (list) std::erase_if(*list, [id](const Hook& h) { return h.id == id; });
  });
}

}  // namespace

HookHandle Tensor::register_hook(std::function<Tensor(const Tensor&)> hook) const {
  check<AutogradError>(requires_grad(), "register_hook: the tensor of shape ", shape(),
                       " does not require grad; expected one that does");
  return add_hook(impl_->node->get_extras().hooks, Node::Hook{0, impl_->output, std::move(hook)});
}

HookHandle Tensor::register_post_accumulate_grad_hook(
    std::function<void(const Tensor&)> hook) const {
  check<AutogradError>(requires_grad() && is_leaf(),
                       "register_post_accumulate_grad_hook: the tensor of shape ", shape(),
                       is_leaf() ? " does not require grad" : " is no leaf",
                       "; expected a leaf that requires grad");
  return add_hook(impl_->node->get_extras().post_hooks,
                  Node::PostHook{0, detach(), std::move(hook)});
}

Tensor Tensor::detach() const {
  check(impl_ != nullptr, "detach: undefined tensor; expected a tensor with elements");
  return make_view(*this, shape(), strides(), impl_->offset);
}

}  // namespace adjoint
