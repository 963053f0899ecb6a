#include <adjoint/core/multiply_adds.h>

#include <string_view>

#include "core/autograd/chained_observer.h"

namespace adjoint {
namespace {

// Of an operator with the result y.
using Rule = int64_t (*)(const Op& op, const Tensor& y);

// a (..., m, k), b (..., k, n)
int64_t of_product(const Op& op, const Tensor& y) { return y.numel() * op.input(0).shape().back(); }

// weight (out, in)
int64_t of_linear(const Op& op, const Tensor& y) { return y.numel() * op.input(1).size(1); }

// weight (out, in / groups, kernel...)
int64_t of_convolution(const Op& op, const Tensor& y) {
  const Tensor& weight = op.input(1);
  return weight.numel() == 0 ? 0 : y.numel() * (weight.numel() / weight.size(0));
}

// weight (in, out / groups, kernel...): each element of the input goes to so many of the result.
int64_t of_transposed(const Op& op, const Tensor&) {
  const Tensor& weight = op.input(1);
  return weight.numel() == 0 ? 0 : op.input(0).numel() * (weight.numel() / weight.size(0));
}

// q k^T and its product with v
int64_t of_attention(const Op& op, const Tensor& y) {
  const Tensor &q = op.input(0), &k = op.input(1), &v = op.input(2);
  const int64_t width = v.size(-1);
  return width == 0 ? 0 : y.numel() / width * k.size(-2) * (q.size(-1) + width);
}

// logits x w^T, which are not kept
int64_t of_linear_loss(const Op& op, const Tensor&) {
  return op.input(0).numel() * op.input(1).size(0);
}

// weight_ih of all steps and weight_hh of each, and of lstm what projects
int64_t of_recurrent(const Op& op, const Tensor&) {
  const Tensor &x = op.input(0), &weight_ih = op.input(3), &weight_hr = op.input(7);
  const int64_t width = weight_ih.size(1), rows = width == 0 ? 0 : x.numel() / width;
  return rows *
         (weight_ih.numel() + op.input(4).numel() + (weight_hr.defined() ? weight_hr.numel() : 0));
}

constexpr struct {
  std::string_view op;
  Rule rule;
} kRules[] = {
    {"matmul", of_product},
    {"bmm", of_product},
    {"linear", of_linear},
    {"linear_add", of_linear},
    {"linear_activation", of_linear},
    {"linear_cross_entropy", of_linear_loss},
    {"scaled_dot_product_attention", of_attention},
    {"conv1d", of_convolution},
    {"conv2d", of_convolution},
    {"conv3d", of_convolution},
    {"conv_transpose1d", of_transposed},
    {"conv_transpose2d", of_transposed},
    {"conv_transpose3d", of_transposed},
    {"lstm", of_recurrent},
    {"gru", of_recurrent},
    {"rnn_tanh", of_recurrent},
    {"rnn_relu", of_recurrent},
    {"lstm_cell", of_recurrent},
    {"gru_cell", of_recurrent},
    {"rnn_tanh_cell", of_recurrent},
    {"rnn_relu_cell", of_recurrent},
};

}  // namespace

class MultiplyAddCounter::Watch : public ChainedObserver {
 public:
  int64_t count = 0;

  // What hands its work to other operators has no result of its own: those count. One that has
  // several counts with the first.
  void on_output(const Op& op, const Tensor& output) override {
    ChainedObserver::on_output(op, output);
    if (counted_ == &op) return;
    counted_ = &op;
    for (const auto& [name, rule] : kRules) {
      if (name == op.name()) count += rule(op, output);
    }
  }
  void on_end(const Op& op) override {
    ChainedObserver::on_end(op);
    counted_ = nullptr;  // results follow each other, and another operator may have this address
  }

 private:
  const Op* counted_ = nullptr;
};

MultiplyAddCounter::MultiplyAddCounter() : watch_(std::make_unique<Watch>()) {}
MultiplyAddCounter::~MultiplyAddCounter() = default;
int64_t MultiplyAddCounter::count() const { return watch_->count; }

}  // namespace adjoint
