// The record of one operator call: the one seam on which errors, graph, anomaly detection, profiler
// and export hang.
//
//   Tensor sigmoid(const Tensor& x) {
//     const Op op("sigmoid", {x});
//     Tensor y = ...;
//     return op.differentiable(y, [y = op.save_output(y)](const Backward& b) -> Grads {
//       const Tensor y0 = *y;
//       return {b.dy(0) * y0 * (1 - y0)};
//     });
//   }
//
// Rules. A closure keeps tensors by `save` and `save_output` only, and only what it needs
// (`op.needs(i)`): anything else would hide changes, leak or waste. Every result goes through
// `differentiable`, `view` or `no_gradient`. A closure that calls operators of <adjoint/core/ops.h>
// is differentiable again by itself; one that calls kernels does so only when !grad_enabled().
#pragma once

#include <adjoint/core/autocast.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/autograd/node.h"
#include "core/autograd/saved.h"
#include "core/tensor/tensor_impl.h"

namespace adjoint {

class Op;

// Sees every operator call on this thread while it is installed: anomaly detection, profiling,
// counting, export.
class OpObserver {
 public:
  virtual ~OpObserver() = default;
  virtual void on_begin(const Op& op) = 0;
  virtual void on_output(const Op& op, const Tensor& output) = 0;
  virtual void on_end(const Op& op) = 0;
  // Backward reaches a node with the gradients of its outputs; and has those of its inputs that are
  // wanted, which may be undefined.
  virtual void on_node(const Node& /*node*/, std::span<const Tensor> /*dy*/) {}
  virtual void on_gradient(const Node& /*node*/, int /*input*/, const Tensor& /*dx*/) {}
};
// Returns the one that was installed before; nullptr for none.
OpObserver* set_op_observer(OpObserver* observer);
OpObserver* op_observer();

// A tensor argument without a copy of the handle. Undefined tensors are errors unless marked.
struct Input {
  Input(const Tensor& x) : tensor(&x) {}  // NOLINT(google-explicit-constructor)
  Input(const Tensor& x, bool may_be_undefined) : tensor(&x), optional(may_be_undefined) {}
  const Tensor* tensor;
  bool optional = false;
};
inline Input optional_input(const Tensor& x) { return {x, true}; }

// A value of an attribute, for messages and export.
struct Attribute {
  enum class Kind : uint8_t { integer, real, boolean, text, shape };
  Attribute() = default;  // uninitialised: an Op has room for several, and most have none
  Attribute(const char* key, int64_t v) : name(key), kind(Kind::integer) { value.integer = v; }
  Attribute(const char* key, int v) : Attribute(key, static_cast<int64_t>(v)) {}
  Attribute(const char* key, double v) : name(key), kind(Kind::real) { value.real = v; }
  Attribute(const char* key, bool v) : name(key), kind(Kind::boolean) { value.integer = v; }
  Attribute(const char* key, const char* v) : name(key), kind(Kind::text) { value.text = v; }
  // REQUIRES: the shape outlives the Op.
  Attribute(const char* key, const Shape& v) : name(key), kind(Kind::shape) { value.shape = &v; }

  const char* name;
  Kind kind;
  union {
    int64_t integer;
    double real;
    const char* text;
    const Shape* shape;
  } value;
};

// What autocast makes of an operator (<adjoint/core/autocast.h>): products are computed in bf16,
// losses in f32. Whoever says neither computes in what its inputs promote to.
enum class Casts : uint8_t { product, loss };

template <class F>
class ClosureNode final : public Node {
 public:
  // One allocation: the node, then its edges, then the shapes of its outputs.
  static ClosureNode* create(const char* name, F&& closure, bool saves, int edges, int outputs) {
    const size_t bytes = total_bytes(edges, outputs);
    auto* memory = static_cast<char*>(allocate(bytes));
    auto* node = new (memory) ClosureNode(name, std::move(closure), saves);
    node->edge_count = edges;
    node->output_count = outputs;
    node->edges = new (memory + sizeof(ClosureNode)) Edge[static_cast<size_t>(edges)];
    node->outputs = new (memory + sizeof(ClosureNode) + sizeof(Edge) * static_cast<size_t>(edges))
        OutputMeta[static_cast<size_t>(outputs)];
    return node;
  }

  Grads call(const Backward& backward) override { return (*closure_)(backward); }
  void free_saved() noexcept override {
    closure_.reset();
    freed = true;
  }

 private:
  ClosureNode(const char* op_name, F&& closure, bool saves_some)
      : Node(op_name, 1), closure_(std::move(closure)) {
    saves = saves_some;
  }

  static size_t total_bytes(int edges, int outputs) {
    return sizeof(ClosureNode) + sizeof(Edge) * static_cast<size_t>(edges) +
           sizeof(OutputMeta) * static_cast<size_t>(outputs);
  }

  void destroy() noexcept override {
    const size_t bytes = total_bytes(edge_count, output_count);
    this->~ClosureNode();
    deallocate(this, bytes);
  }

  std::optional<F> closure_;
};

// Tensors without elements that have the histories of the inputs of the node whose closure runs.
std::vector<Tensor> histories_of_running_node();

class Op {
 public:
  // `name` must live for ever.
  Op(const char* name, std::initializer_list<Input> inputs,
     std::initializer_list<Attribute> attributes = {});
  // For operators of a list of tensors (cat, stack).
  Op(const char* name, std::span<const Tensor> inputs,
     std::initializer_list<Attribute> attributes = {});
  ~Op();
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;

  const char* name() const { return name_; }
  int input_count() const { return input_count_; }
  const Tensor& input(int i) const { return many_ != nullptr ? many_[i] : *inputs_[i]; }
  std::span<const Attribute> attributes() const {
    return {attributes_, static_cast<size_t>(attribute_count_)};
  }

  // Whether the result will carry a gradient, and to which inputs it flows.
  bool recording() const { return recording_; }
  bool needs(int i) const { return recording_ && wants_grad(input(i)); }

  // For the closure: see Note [Saved tensors]. Empty when nothing is recorded.
  SavedTensor save(const Tensor& x) const {
    if (!recording_) return {};
    saves_ = true;
    return SavedTensor(x, -1, name_);
  }
  SavedTensor save_if(bool wanted, const Tensor& x) const {
    return wanted ? save(x) : SavedTensor();
  }
  SavedTensor save_output(const Tensor& y, int output = 0) const;

  // Memory for an elementwise result of like's shape, in like's order. `dying` is an input that
  // ends with this operator (nullptr: none does) and that nothing saves. See Note [Donation].
  Tensor make_result(const Tensor* dying, const Tensor& like, DType dtype) const {
    return make_like(name_, like, dtype, observed_ ? nullptr : dying);
  }

  // Ends the operator: y gets a node with the closure `Grads(const Backward&)`, which returns one
  // gradient for each input. Takes y out of the caller's variable: handing a handle on costs
  // nothing, copying it two locked instructions.
  template <class F>
  Tensor differentiable(Tensor& y, F&& backward) const {
    if (recording_) {
      Node* node = make_node(std::forward<F>(backward), 1);
      if (!attach(y, node, 0)) Node::release(node);
    }
    finish(y);
    return std::move(y);
  }
  template <class F>
  Tensor differentiable(Tensor&& y, F&& backward) const {
    return differentiable(y, std::forward<F>(backward));
  }
  // Several outputs of one node; those that are not of a floating dtype stay without gradient.
  template <size_t N, class F>
  std::array<Tensor, N> differentiable(std::array<Tensor, N> ys, F&& backward) const {
    attach_all(ys, std::forward<F>(backward));
    return ys;
  }
  // Undefined ones are passed over.
  template <class F>
  std::vector<Tensor> differentiable(std::vector<Tensor> ys, F&& backward) const {
    attach_all(ys, std::forward<F>(backward));
    return ys;
  }
  // Says that y shares the elements of an input. See Note [Writes and views].
  void mark_view(const Tensor& y, int input = 0) const;
  // As differentiable, for a result that shares the first input's elements.
  template <class F>
  Tensor view(Tensor y, F&& backward) const {
    mark_view(y);
    return differentiable(std::move(y), std::forward<F>(backward));
  }
  // See Note [Writes and views]. In place: `x`, an input, becomes the result. The new node replaces
  // its history. Call check_in_place before the elements change.
  template <class F>
  void in_place(const Tensor& x, F&& backward) const {
    mark_written(x);
    if (recording_) {
      Node* node = make_node(std::forward<F>(backward), 1);
      reattach(x, node);
      Node::release(node);
    }
    finish(x);
  }
  void check_in_place(const Tensor& x, const char* functional_form) const;
  // For results that have no derivative (indices, comparisons).
  Tensor no_gradient(Tensor y) const {
    finish(y);
    return y;
  }

  // Throws E with the operator's name before the parts, unless ok.
  template <class E = ShapeError, class... Parts>
  void check(bool ok, const Parts&... parts) const {
    if (!ok) [[unlikely]] {
      detail::throw_error<E>(name_, ": ", parts...);
    }
  }
  // The dtype to compute in, that of the result, for inputs that promote to `promoted`.
  DType computes_in(DType promoted, Casts casts) const {
    if (!autocast_enabled()) [[likely]]
      return promoted;
    if (promoted != DType::f32 && promoted != DType::bf16) return promoted;
    return casts == Casts::product ? DType::bf16 : DType::f32;
  }
  // Throws DTypeError unless input i is of a floating dtype.
  void check_floating(int i) const;

 private:
  static constexpr int kInputs = 8, kAttributes = 8;

  template <class F>
  Node* make_node(F&& backward, int outputs) const {
    using Closure = std::decay_t<F>;
    Node* node = ClosureNode<Closure>::create(name_, Closure(std::forward<F>(backward)), saves_,
                                              input_count_, outputs);
    for (int i = 0; i < input_count_; ++i) connect(node->edges[i], input(i));
    node->set_sequence();
    return node;
  }
  template <class F>
  void attach_all(std::span<const Tensor> ys, F&& backward) const {
    if (recording_) {
      Node* node = make_node(std::forward<F>(backward), static_cast<int>(ys.size()));
      for (size_t i = 0; i < ys.size(); ++i) {
        if (ys[i].defined() && attach(ys[i], node, static_cast<int>(i))) Node::retain(node);
      }
      Node::release(node);
    }
    for (const Tensor& y : ys) {
      if (y.defined()) finish(y);
    }
  }
  void set_attributes(std::initializer_list<Attribute> attributes);
  void begin();
  static void connect(Edge& edge, const Tensor& x);
  // Gives y a reference to the node, unless its dtype has no gradients.
  static bool attach(const Tensor& y, Node* node, int output);
  static void reattach(const Tensor& x, Node* node);
  void mark_written(const Tensor& x) const;
  void finish(const Tensor& y) const {
    if (observed_) [[unlikely]] {
      observe(y);
    }
  }
  void observe(const Tensor& y) const;

  const char* name_;
  const Tensor* inputs_[kInputs];
  const Tensor* many_ = nullptr;
  Attribute attributes_[kAttributes];
  int input_count_ = 0, attribute_count_ = 0;
  bool recording_ = false, observed_ = false;
  mutable bool saves_ = false;
};

}  // namespace adjoint
