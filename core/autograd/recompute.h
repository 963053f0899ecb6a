// Saved tensors whose elements are computed when they are asked for.
#pragma once

#include <adjoint/core/tensor.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "core/autograd/node.h"

namespace adjoint {

// Note [Recomputation]
// While a function runs under checkpoint(), what operators save goes to the innermost SaveScope of
// the thread. In the first call the scope keeps the place in the graph and not the elements, under
// a number: the order of saving. In the second call, which records a graph that is thrown away, it
// collects the elements under the same numbers, for the nodes of the first call. Leaves that
// require grad are saved as ever: they live anyway, and a change of them is found.
class SaveSource {
 public:
  virtual ~SaveSource() = default;
  // The elements of saved tensor `index`, without history.
  virtual Tensor open(size_t index) = 0;
  // Nobody will ask for it again.
  virtual void drop(size_t index) noexcept = 0;
};

// What a SavedTensor holds in place of elements.
class Postponed {
 public:
  Postponed(std::shared_ptr<SaveSource> source, size_t index, const Tensor& x, bool history)
      : source_(std::move(source)), index_(index) {
    if (!history || x.impl()->node == nullptr) return;
    node_ = x.impl()->node;
    output_ = x.impl()->output;
    Node::retain(node_);
  }
  Postponed(const Postponed&) = delete;
  Postponed& operator=(const Postponed&) = delete;
  ~Postponed() {
    source_->drop(index_);
    if (node_ != nullptr) Node::release(node_);
  }

  // With the history that the tensor had when it was saved.
  Tensor open() const;

 private:
  std::shared_ptr<SaveSource> source_;
  size_t index_;
  Node* node_ = nullptr;
  int32_t output_ = 0;
};

// What is saved on this thread while the innermost one lives.
class SaveScope {
 public:
  SaveScope();
  virtual ~SaveScope();
  SaveScope(const SaveScope&) = delete;
  SaveScope& operator=(const SaveScope&) = delete;

  // `output` as in SavedTensor. Returns what stands for the elements, or nothing: they are kept.
  virtual std::shared_ptr<const Postponed> save(const Tensor& x, int output) = 0;

 private:
  SaveScope* outer_;
};

}  // namespace adjoint
