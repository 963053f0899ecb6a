// Backward: runs the nodes that the roots depend on, newest first.
#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>

#include <algorithm>
#include <span>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/autograd/gradient_ops.h"
#include "core/autograd/node.h"
#include "core/autograd/op.h"
#include "core/tensor/tensor_impl.h"

namespace adjoint {

// Note [Claims]
// A run keeps an entry for each node that it has reached. The node points to its run and entry, so
// that finding it again costs a load. When another run (another thread, or a hook that calls
// backward) has claimed the node first, this run keeps its entry in a map of its own instead.
class BackwardRun {
 public:
  BackwardRun(bool retain_graph, bool create_graph)
      : retain_(retain_graph),
        record_(create_graph),
        buffers_(std::move(spare().buffers)),
        entries_(std::move(spare().entries)),
        free_(std::move(spare().free)),
        ready_(std::move(spare().ready)),
        offered_(std::move(spare().offered)) {
    clear();
  }

  ~BackwardRun() {
    for (const Entry& entry : entries_) unclaim(entry);
    clear();
    spare() = {std::move(buffers_), std::move(entries_), std::move(free_), std::move(ready_),
               std::move(offered_)};
  }
  BackwardRun(const BackwardRun&) = delete;
  BackwardRun& operator=(const BackwardRun&) = delete;

  // Restricts the run to what leads to these inputs.
  void restrict_to(std::span<const Tensor> outputs, std::span<const Tensor> inputs) {
    pruned_ = true;
    for (const Tensor& x : inputs) entries_[entry_of(x.impl()->node)].useful = true;
    mark_useful(outputs);
  }
  // Likewise; their gradients go to results() and to no grad attribute.
  void capture(std::span<const Tensor> outputs, std::span<const Tensor> inputs) {
    restrict_to(outputs, inputs);
    capturing_ = true;
    results_.resize(inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      captures_.push_back({inputs[i].impl()->node, inputs[i].impl()->output, i});
    }
  }

  void seed(const Tensor& output, Tensor gradient) {
    Node* node = output.impl()->node;
    if (pruned_ && !useful(node)) return;
    add(node, output.impl()->output, std::move(gradient));
  }

  // Runs until nothing is left.
  void execute() {
    const Autocast off(false);  // dtypes are the forward's
    struct Restore {
      Node* node = exchange_running_node(nullptr);
      ~Restore() { exchange_running_node(node); }
    } restore;
    while (true) {
      Ready next = next_;
      if (next.node == nullptr || (!ready_.empty() && next < ready_.front())) {
        if (ready_.empty()) return;
        std::pop_heap(ready_.begin(), ready_.end());
        next = ready_.back();
        ready_.pop_back();
      } else {
        next_.node = nullptr;
      }
      run_node(next.node, next.entry);
    }
  }

  std::vector<Tensor>& results() { return results_; }

  bool needs(const Node& node, int i) {
    Node* target = node.edges[i].node;
    return target != nullptr && (!pruned_ || useful(target));
  }

  Tensor into(const Node& node, int i) {
    const Edge& edge = node.edges[i];
    if (record_ || edge.node == nullptr || pruned_) return {};
    if (edge.node->extras != nullptr && edge.node->extras->observes()) return {};
    const uint32_t entry = entry_of(edge.node);
    Tensor& buffer = buffers_[entries_[entry].first + static_cast<uint32_t>(edge.output)];
    const OutputMeta& meta = edge.node->outputs[edge.output];
    const auto usable = [&meta](const Tensor& x) {
      const TensorImpl* impl = x.impl();
      return impl != nullptr && impl->unique() && impl->contiguous && impl->node == nullptr &&
             impl->dtype == meta.dtype && impl->shape == meta.shape;
    };
    if (!buffer.defined() && edge.node->is_leaf()) {
      // The leaf's gradient itself becomes the buffer: while it is here nobody else has it.
      Leaf* leaf = static_cast<Leaf*>(edge.node);
      if (!leaf->requires_grad) return {};
      Tensor held = leaf->exchange_grad({});
      if (!usable(held)) {
        if (held.defined()) leaf->exchange_grad(std::move(held));
        return {};
      }
      buffer = std::move(held);
      entries_[entry].taken = true;
      make_ready(edge.node, entry);
    }
    if (!usable(buffer)) return {};
    offered_.push_back(buffer.impl());
    return buffer;
  }

 private:
  struct Entry {
    Node* node;
    uint32_t first;  // of its outputs' buffers
    bool queued, useful, foreign, taken;
  };
  struct Ready {
    uint64_t sequence;
    Node* node;
    uint32_t entry;
    bool operator<(const Ready& other) const { return sequence < other.sequence; }
  };
  struct Capture {
    Node* node;
    int32_t output;
    size_t result;
  };
  struct Spare {
    std::vector<Tensor> buffers;
    std::vector<Entry> entries;
    std::vector<uint32_t> free;
    std::vector<Ready> ready;
    std::vector<const TensorImpl*> offered;
  };

  // The vectors of the last run on this thread, for the next: a step allocates none.
  static Spare& spare() {
    static thread_local Spare instance;
    return instance;
  }

  void clear() {
    buffers_.clear();
    entries_.clear();
    free_.clear();
    ready_.clear();
    offered_.clear();
  }

  uint32_t add_entry(Node* node, bool foreign) {
    // The entry of a node that has run serves the next, so that a long chain stays in the cache.
    if (node->output_count == 1 && !free_.empty()) {
      const uint32_t entry = free_.back();
      free_.pop_back();
      entries_[entry] = {node, entries_[entry].first, false, false, foreign, false};
      return entry;
    }
    const auto entry = static_cast<uint32_t>(entries_.size());
    entries_.push_back(
        {node, static_cast<uint32_t>(buffers_.size()), false, false, foreign, false});
    buffers_.resize(buffers_.size() + static_cast<size_t>(node->output_count));
    return entry;
  }

  // See Note [Claims].
  uint32_t entry_of(Node* node) {
    BackwardRun* owner = node->run.load(std::memory_order_acquire);
    if (owner == this) return node->run_entry;
    if (!foreign_.empty()) {
      const auto found = foreign_.find(node);
      if (found != foreign_.end()) return found->second;
    }
    if (owner == nullptr &&
        node->run.compare_exchange_strong(owner, this, std::memory_order_acq_rel)) {
      node->run_entry = add_entry(node, false);
      return node->run_entry;
    }
    const uint32_t entry = add_entry(node, true);
    foreign_.emplace(node, entry);
    return entry;
  }

  // Whether the node leads to an input that is asked for; only asked of pruned runs.
  bool useful(Node* node) {
    if (node->run.load(std::memory_order_acquire) == this) return entries_[node->run_entry].useful;
    const auto found = foreign_.find(node);
    return found != foreign_.end() && entries_[found->second].useful;
  }

  void unclaim(const Entry& entry) {
    if (entry.node == nullptr) return;
    // An exception came between: what was taken from a leaf goes back, with what was added to it.
    if (entry.taken && buffers_[entry.first].defined()) {
      static_cast<Leaf*>(entry.node)->exchange_grad(std::move(buffers_[entry.first]));
    }
    if (!entry.foreign) entry.node->run.store(nullptr, std::memory_order_release);
  }

  // Depth first over what the outputs depend on; a node is useful when an edge leads to one that
  // is. Iterative, in two visits of each node.
  void mark_useful(std::span<const Tensor> outputs) {
    struct Visit {
      Node* node;
      int32_t next;
    };
    std::vector<Visit> stack;
    std::unordered_map<Node*, bool> seen;
    for (const Tensor& output : outputs) {
      Node* root = output.impl()->node;
      if (!seen.emplace(root, true).second) continue;
      stack.push_back({root, 0});
      while (!stack.empty()) {
        Visit& top = stack.back();
        if (top.next < top.node->edge_count) {
          Node* child = top.node->edges[top.next++].node;
          if (child != nullptr && seen.emplace(child, true).second) stack.push_back({child, 0});
          continue;
        }
        Node* node = top.node;
        stack.pop_back();
        for (int32_t i = 0; i < node->edge_count; ++i) {
          if (node->edges[i].node != nullptr && useful(node->edges[i].node)) {
            entries_[entry_of(node)].useful = true;
            break;
          }
        }
      }
    }
  }

  void make_ready(Node* node, uint32_t entry) {
    if (entries_[entry].queued) return;
    entries_[entry].queued = true;
    const Ready ready{node->sequence, node, entry};
    if (next_.node == nullptr) {
      next_ = ready;
      return;
    }
    ready_.push_back(ready);
    std::push_heap(ready_.begin(), ready_.end());
  }

  void add(Node* node, int32_t output, Tensor gradient) {
    const OutputMeta& meta = node->outputs[output];
    if (gradient.shape() != meta.shape) gradient = gradient_ops::sum_to(gradient, meta.shape);
    if (gradient.dtype() != meta.dtype) gradient = gradient_ops::cast(gradient, meta.dtype);
    const uint32_t entry = entry_of(node);
    Tensor& buffer = buffers_[entries_[entry].first + static_cast<uint32_t>(output)];
    if (!buffer.defined()) {
      buffer = std::move(gradient);
    } else if (buffer.impl() != gradient.impl() || !was_offered(gradient)) {
      const TensorImpl* impl = buffer.impl();
      if (!record_ && impl->unique() && impl->contiguous && impl->node == nullptr) {
        gradient_ops::add_in_place(buffer, gradient);
      } else {
        buffer = gradient_ops::add(buffer, gradient);
      }
    }
    make_ready(node, entry);
  }

  // Whether a closure got this buffer from `into`, so that its gradient is in there already. The
  // same tensor as the gradient of two inputs, x + x, looks alike but counts twice.
  bool was_offered(const Tensor& x) const {
    return std::find(offered_.begin(), offered_.end(), x.impl()) != offered_.end();
  }

  void run_hooks(Node* node, Tensor* dy) {
    // A hook may remove itself or others: walks a copy.
    const std::vector<Node::Hook> hooks = *node->extras->hooks;
    for (const Node::Hook& hook : hooks) {
      if (!dy[hook.output].defined()) continue;
      Tensor replaced = hook.function(dy[hook.output]);
      if (!replaced.defined()) continue;
      check<ShapeError>(replaced.shape() == dy[hook.output].shape(), "hook of '", node->name,
                        "': returned a gradient of shape ", replaced.shape(), "; expected ",
                        dy[hook.output].shape());
      const DType dtype = node->outputs[hook.output].dtype;
      if (replaced.dtype() != dtype) replaced = gradient_ops::cast(replaced, dtype);
      dy[hook.output] = std::move(replaced);
    }
    if (capturing_) return;  // grad() touches no grad attribute
    for (auto& [output, gradient] : node->extras->retained) {
      if (!dy[output].defined()) continue;
      gradient = gradient.defined() ? gradient_ops::add(gradient, dy[output]) : dy[output];
    }
  }

  // One thread at a time runs a node: its hooks, its closure, and the freeing of what it saved. A
  // hook may run the same node again, in a backward of its own.
  class Executing {
   public:
    explicit Executing(Node* node) : node_(node->is_leaf() ? nullptr : node), outer_(innermost()) {
      for (const Executing* e = outer_; node_ != nullptr && e != nullptr; e = e->outer_) {
        if (e->node_ == node_) node_ = nullptr;  // ours already
      }
      while (node_ != nullptr && node_->executing.exchange(true, std::memory_order_acquire)) {
        std::this_thread::yield();
      }
      innermost() = this;
    }
    ~Executing() {
      innermost() = outer_;
      if (node_ != nullptr) node_->executing.store(false, std::memory_order_release);
    }
    Executing(const Executing&) = delete;
    Executing& operator=(const Executing&) = delete;

   private:
    static const Executing*& innermost() {
      static constinit thread_local const Executing* instance = nullptr;
      return instance;
    }
    Node* node_;
    const Executing* outer_;
  };

  void run_node(Node* node, uint32_t entry) {
    const Executing executing(node);
    // Taken out of the buffers, which may move while the closure runs.
    constexpr int kInline = 4;
    Tensor inline_dy[kInline];
    std::vector<Tensor> many;
    const int outputs = node->output_count;
    Tensor* dy = inline_dy;
    if (outputs > kInline) {
      many.resize(static_cast<size_t>(outputs));
      dy = many.data();
    }
    for (int i = 0; i < outputs; ++i) {
      dy[i] = std::move(buffers_[entries_[entry].first + static_cast<uint32_t>(i)]);
    }
    if (node->extras != nullptr) run_hooks(node, dy);
    if (observer_ != nullptr) [[unlikely]] {
      observer_->on_node(*node, {dy, static_cast<size_t>(outputs)});
    }
    for (const Capture& capture : captures_) {
      if (capture.node == node) results_[capture.result] = dy[capture.output];
    }
    if (node->is_leaf()) {
      if (!capturing_ && dy[0].defined()) accumulate(static_cast<Leaf*>(node), std::move(dy[0]));
    } else if (!pruned_ || leads_on(node)) {
      call(node, dy);
    }
    Entry& done = entries_[entry];
    if (!done.foreign) {
      node->run.store(nullptr, std::memory_order_release);
      // Pruned runs ask after nodes that have run.
      if (outputs == 1 && !pruned_) free_.push_back(entry);
    }
    done.node = nullptr;
  }

  void accumulate(Leaf* leaf, Tensor gradient) {
    if (!leaf->requires_grad) return;  // not any more
    leaf->accumulate(std::move(gradient), record_);
    if (leaf->extras == nullptr) return;
    const std::vector<Node::PostHook> hooks = *leaf->extras->post_hooks;  // may remove themselves
    for (const Node::PostHook& hook : hooks) {
      const Tensor x = hook.leaf.detach();
      Node::retain(leaf);
      x.impl()->node = leaf;
      hook.function(x);
    }
  }

  bool leads_on(Node* node) {
    for (int32_t i = 0; i < node->edge_count; ++i) {
      if (needs(*node, i)) return true;
    }
    return false;
  }

  void call(Node* node, Tensor* dy) {
    check<AutogradError>(!node->freed, node->name,
                         ": backward through a graph a second time: what '", node->name,
                         "' saved was freed by the first backward; expected a fresh forward; pass "
                         "retain_graph = true to the first one");
    exchange_running_node(node);
    offered_.clear();
    Grads grads = node->call(Backward(*this, *node, dy));
    check<AutogradError>(grads.size() == node->edge_count, node->name, ": backward returned ",
                         grads.size(), " gradients; expected ", node->edge_count);
    // Dropped before the inputs' gradients are added, so that one passed straight through is seen
    // to be uniquely owned.
    for (int i = 0; i < node->output_count; ++i) dy[i] = Tensor();
    for (int32_t i = 0; i < node->edge_count; ++i) {
      if (!needs(*node, i)) continue;
      if (observer_ != nullptr) [[unlikely]] {
        observer_->on_gradient(*node, i, grads[i]);
      }
      if (!grads[i].defined()) continue;
      add(node->edges[i].node, node->edges[i].output, std::move(grads[i]));
    }
    if (!retain_ && node->saves) node->free_saved();
  }

  bool retain_, record_, pruned_ = false, capturing_ = false;
  OpObserver* const observer_ = op_observer();
  std::vector<Tensor> buffers_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> free_;  // entries of nodes with one output that have run
  // The nodes that wait: one apart, so that a chain never touches the heap, which has the others.
  Ready next_{0, nullptr, 0};
  std::vector<Ready> ready_;
  std::unordered_map<Node*, uint32_t> foreign_;
  std::vector<const TensorImpl*> offered_;  // by `into`, to the node that runs
  std::vector<Capture> captures_;
  std::vector<Tensor> results_;
};

bool Backward::needs(int i) const { return run_.needs(node_, i); }
Tensor Backward::into(int i) const { return run_.into(node_, i); }

namespace {

// " of 'relu'" for the result of an operator.
std::string maker(const Tensor& output) {
  const char* name = output.grad_fn_name();
  return name == nullptr ? std::string() : std::string(" of '") + name + "'";
}

void check_outputs(const char* op, std::span<const Tensor> outputs,
                   std::span<const Tensor> gradients) {
  check<AutogradError>(!outputs.empty(), op, ": no outputs; expected at least one");
  check<AutogradError>(gradients.empty() || gradients.size() == outputs.size(), op, ": ",
                       gradients.size(), " gradients for ", outputs.size(),
                       " outputs; expected as many");
  for (size_t i = 0; i < outputs.size(); ++i) {
    check<AutogradError>(outputs[i].defined() && outputs[i].requires_grad(), op, ": output ", i,
                         " does not require grad and has no history; expected the result of "
                         "operators on a tensor that requires grad");
    const bool given = i < gradients.size() && gradients[i].defined();
    if (!given) {
      if (outputs[i].numel() == 1) continue;
      detail::throw_error<AutogradError>(
          op, ": output ", i, maker(outputs[i]), " has shape ", outputs[i].shape(),
          " and no gradient; expected one element, or a gradient of that shape");
    }
    if (gradients[i].shape() == outputs[i].shape()) continue;
    detail::throw_error<ShapeError>(op, ": gradient ", i, maker(outputs[i]), " has shape ",
                                    gradients[i].shape(), "; expected ", outputs[i].shape());
  }
}

// Nodes stay alive through their outputs: holding the outputs holds the graph.
void run(BackwardRun& engine, std::span<const Tensor> outputs, std::span<const Tensor> gradients,
         bool create_graph) {
  const InferenceMode ordinary(false);
  const AutoGradMode mode(create_graph);
  for (size_t i = 0; i < outputs.size(); ++i) {
    const bool given = i < gradients.size() && gradients[i].defined();
    engine.seed(outputs[i], given ? gradients[i] : ones_like(outputs[i]));
  }
  engine.execute();
}

void check_inputs(const char* op, std::span<const Tensor> inputs) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    check<AutogradError>(inputs[i].defined() && inputs[i].requires_grad(), op, ": input ", i,
                         " does not require grad; expected one that does");
  }
}

// Leaves the run to add to the grad of options.inputs, if there are any.
void restrict_to_inputs(BackwardRun& engine, std::span<const Tensor> outputs,
                        const BackwardOptions& options) {
  if (options.inputs.empty()) return;
  for (const Tensor& x : options.inputs) x.retain_grad();
  engine.restrict_to(outputs, options.inputs);
}

}  // namespace

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& gradients,
              const BackwardOptions& options) {
  check<AutogradError>(!options.gradient.defined(),
                       "backward: options.gradient is for Tensor::backward; expected the gradients "
                       "of several outputs in a list of their own");
  check_outputs("backward", outputs, gradients);
  check_inputs("backward", options.inputs);
  BackwardRun engine(options.retain_graph || options.create_graph, options.create_graph);
  restrict_to_inputs(engine, outputs, options);
  run(engine, outputs, gradients, options.create_graph);
}

void Tensor::backward() const { backward(BackwardOptions{}); }

void Tensor::backward(BackwardOptions options) const {
  const std::span<const Tensor> outputs(this, 1);
  check_outputs("backward", outputs, {&options.gradient, 1});
  check_inputs("backward", options.inputs);
  BackwardRun engine(options.retain_graph || options.create_graph, options.create_graph);
  restrict_to_inputs(engine, outputs, options);
  const InferenceMode ordinary(false);
  const AutoGradMode mode(options.create_graph);
  if (!options.gradient.defined()) options.gradient = ones_like(*this);
  // One that the caller gave away is now the engine's alone: see Note [Donation].
  engine.seed(*this, std::move(options.gradient));
  engine.execute();
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const GradOptions& options) {
  check_outputs("grad", outputs, options.grad_outputs);
  check_inputs("grad", inputs);
  BackwardRun engine(options.retain_graph || options.create_graph, options.create_graph);
  engine.capture(outputs, inputs);
  run(engine, outputs, options.grad_outputs, options.create_graph);
  for (size_t i = 0; i < inputs.size(); ++i) {
    Tensor& found = engine.results()[i];
    if (!found.defined() && options.materialize_grads) found = zeros_like(inputs[i]);
    check<AutogradError>(options.allow_unused || found.defined(), "grad: input ", i, " of shape ",
                         inputs[i].shape(),
                         " has no influence on the outputs; expected one that has; pass "
                         "allow_unused = true to get an undefined gradient, or materialize_grads = "
                         "true to get zeros");
  }
  return std::move(engine.results());
}

}  // namespace adjoint
