// The graph: a node for each recorded operation, an edge to what made each of its inputs.
#pragma once

#include <adjoint/core/tensor.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor/tensor_impl.h"

namespace adjoint {

class Node;
class BackwardRun;

// The gradients that a backward closure returns, one for each input; undefined where none is
// needed.
class Grads {
 public:
  template <class... T>
  requires(std::is_same_v<std::remove_cvref_t<T>, Tensor>&&...) Grads(T&&... grads)
      : inline_{std::forward<T>(grads)...}, size_(sizeof...(T)) {  // NOLINT
    static_assert(sizeof...(T) <= kInline);
  }
  explicit Grads(std::vector<Tensor> grads)
      : many_(std::move(grads)), size_(static_cast<int>(many_.size())) {}

  int size() const { return size_; }
  Tensor& operator[](int i) { return many_.empty() ? inline_[i] : many_[i]; }

 private:
  static constexpr int kInline = 6;
  std::array<Tensor, kInline> inline_;
  std::vector<Tensor> many_;
  int size_;
};

// What a backward closure is called with.
class Backward {
 public:
  Backward(BackwardRun& run, Node& node, Tensor* dy) : run_(run), node_(node), dy_(dy) {}

  // The gradient of output i; undefined when nothing depends on it.
  const Tensor& dy(int i) const { return dy_[i]; }
  // The same, given up by the engine: for the closure's last use of it. Passed on it costs nothing,
  // and an operator that takes a temporary writes over it, if nobody else holds it (the caller of
  // backward, a hook, a retained gradient do). See Note [Donation].
  Tensor take_dy(int i) const { return std::move(dy_[i]); }
  // Whether input i's gradient is wanted.
  bool needs(int i) const;
  // A buffer of input i's shape and dtype that its gradient will be added to and that nobody else
  // sees: a kernel may add into it and the closure return it. Undefined when there is none.
  Tensor into(int i) const;

 private:
  BackwardRun& run_;
  Node& node_;
  Tensor* dy_;
};

struct Edge {
  Node* node = nullptr;  // owned; nullptr where no gradient is wanted
  int32_t output = 0;
};

struct OutputMeta {
  Shape shape;
  DType dtype;
};

// Note [Graph ownership]
// A tensor owns the node that made it; a node owns the nodes of its inputs through its edges. What
// a node saved of its own outputs holds elements only, so there is no cycle. The last release of a
// node never recurses: released nodes queue up and one loop destroys them (a chain of a million
// operations must not overflow the stack).
//
// Note [Sequence]
// Backward runs nodes in falling order of their numbers, so a node's number must be above those of
// the nodes that its edges lead to. It is one more than the largest of these and of the last number
// that this thread gave (Lamport's clock): creation order within a thread, and topological where a
// graph crosses threads, with nothing shared. Two threads may give the same number, but then
// neither node depends on the other.
class Node {
 public:
  // `number` 0 is for leaves, which run last.
  Node(const char* op_name, uint64_t number);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  static void retain(Node* node) { node->references_.fetch_add(1, std::memory_order_relaxed); }
  static void release(Node* node) noexcept;
  // Gives the node its number, once its edges are set. See Note [Sequence].
  void set_sequence();

  virtual Grads call(const Backward& backward) = 0;
  // Frees what was saved, if it `saves`. A second call of `call` is then an error.
  virtual void free_saved() noexcept = 0;
  bool is_leaf() const { return sequence == 0; }

  const char* const name;
  uint64_t sequence;
  int32_t edge_count = 0, output_count = 0;
  bool saves = false, freed = false;
  Edge* edges = nullptr;          // in the node's own allocation
  OutputMeta* outputs = nullptr;  // likewise

  // Hooks and retained gradients, by output. Rare, so behind one pointer.
  struct Hook {
    int64_t id;
    int32_t output;
    std::function<Tensor(const Tensor&)> function;
  };
  struct PostHook {
    int64_t id;
    Tensor leaf;  // its elements, without history: what keeps the leaf alive is no cycle
    std::function<void(const Tensor&)> function;
  };
  struct Extras {
    // Handles of hooks hold this list weakly: a handle that is kept keeps no graph alive.
    std::shared_ptr<std::vector<Hook>> hooks = std::make_shared<std::vector<Hook>>();
    std::vector<std::pair<int32_t, Tensor>> retained;  // output, gradient
    // Of leaves: when the gradient has been added to.
    std::shared_ptr<std::vector<PostHook>> post_hooks = std::make_shared<std::vector<PostHook>>();
    std::string where;  // the module that ran the forward, under DetectAnomaly

    // Whether a gradient that arrives is looked at or kept.
    bool observes() const { return !hooks->empty() || !retained.empty() || !post_hooks->empty(); }
  };
  std::unique_ptr<Extras> extras;
  Extras& get_extras() {
    if (!extras) extras = std::make_unique<Extras>();
    return *extras;
  }

  // The backward that is using this node, and its place there. See Note [Claims] in engine.cpp.
  std::atomic<BackwardRun*> run{nullptr};
  uint32_t run_entry = 0;
  std::atomic<bool> executing{false};  // a thread is inside it

 protected:
  virtual ~Node();
  // Destroys the node and frees its allocation.
  virtual void destroy() noexcept = 0;

 private:
  std::atomic<int32_t> references_{1};
  Node* next_released_ = nullptr;
};

// The node of a tensor that was not computed: where its gradient accumulates.
class Leaf final : public Node {
 public:
  explicit Leaf(const Tensor& x);
  static void* operator new(size_t bytes);
  static void operator delete(void* memory, size_t bytes) noexcept;

  Grads call(const Backward& backward) override;
  void free_saved() noexcept override {}

  Tensor get_grad();
  // Returns what was there.
  Tensor exchange_grad(Tensor grad);
  // Adds, in place unless the sum is to be recorded.
  void accumulate(Tensor gradient, bool record);

  bool requires_grad = true;

 private:
  void destroy() noexcept override { delete this; }
  void lock() {
    while (busy_.test_and_set(std::memory_order_acquire)) {}
  }
  void unlock() { busy_.clear(std::memory_order_release); }

  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  Tensor grad_;
  OutputMeta meta_;
};

// The node whose closure runs on this thread; nullptr outside of a backward.
Node* running_node();
// Returns the one before.
Node* exchange_running_node(Node* node);

// Whether gradients flow to the tensor.
inline bool wants_grad(const Tensor& x) {
  if (!x.defined()) return false;
  const Node* node = x.impl()->node;
  return node != nullptr && (!node->is_leaf() || static_cast<const Leaf*>(node)->requires_grad);
}

}  // namespace adjoint
