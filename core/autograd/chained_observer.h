// An observer for guards: installed while it lives, and the one before sees everything too.
#pragma once

#include "core/autograd/op.h"

namespace adjoint {

class ChainedObserver : public OpObserver {
 public:
  ChainedObserver() : outer_(set_op_observer(this)) {}
  ~ChainedObserver() override { set_op_observer(outer_); }
  ChainedObserver(const ChainedObserver&) = delete;
  ChainedObserver& operator=(const ChainedObserver&) = delete;

  void on_begin(const Op& op) override {
    if (outer_ != nullptr) outer_->on_begin(op);
  }
  void on_output(const Op& op, const Tensor& output) override {
    if (outer_ != nullptr) outer_->on_output(op, output);
  }
  void on_end(const Op& op) override {
    if (outer_ != nullptr) outer_->on_end(op);
  }
  void on_node(const Node& node, std::span<const Tensor> dy) override {
    if (outer_ != nullptr) outer_->on_node(node, dy);
  }
  void on_gradient(const Node& node, int input, const Tensor& dx) override {
    if (outer_ != nullptr) outer_->on_gradient(node, input, dx);
  }

 protected:
  // While it lives nobody sees the operators of this thread: an observer's own.
  class Unobserved {
   public:
    Unobserved() : before_(set_op_observer(nullptr)) {}
    ~Unobserved() { set_op_observer(before_); }
    Unobserved(const Unobserved&) = delete;
    Unobserved& operator=(const Unobserved&) = delete;

   private:
    OpObserver* before_;
  };

 private:
  OpObserver* outer_;
};

}  // namespace adjoint
