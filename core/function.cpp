#include <adjoint/core/function.h>

#include <algorithm>

#include "core/autograd/op.h"

namespace adjoint {

namespace detail {

struct SavedForFunction {
  struct Entry {
    SavedTensor tensor;
    bool on_the_way;  // neither input nor output: its own derivative is not known
  };
  const char* function;
  std::vector<Entry> entries;
};

}  // namespace detail

void FunctionContext::save_for_backward(std::vector<Tensor> tensors) {
  to_save_ = std::move(tensors);
}

void FunctionContext::mark_non_differentiable(const Tensor& output) {
  without_gradient_.push_back(output);
}

bool FunctionContext::needs_input_grad(size_t i) const {
  check<IndexError>(i < needs_.size(), "needs_input_grad: input ", i, " of ", needs_.size(),
                    "; expected one of the tensors that forward takes");
  return needs_[i];
}

Tensor FunctionContext::saved(size_t i) const {
  const size_t count = saved_ == nullptr ? 0 : saved_->entries.size();
  check<IndexError>(i < count, "saved: tensor ", i, " of ", count,
                    "; expected one that forward gave to save_for_backward");
  const detail::SavedForFunction::Entry& entry = saved_->entries[i];
  check<AutogradError>(
      !entry.on_the_way || !grad_enabled(), saved_->function, ": saved tensor ", i,
      " is neither an input nor an output, so how it depends on the inputs is not known to a "
      "backward that is recorded (create_graph); return it as an output, compute it again in "
      "backward, or keep it in the state if it is a constant");
  return *entry.tensor;
}

std::vector<Tensor> FunctionContext::saved() const {
  std::vector<Tensor> all;
  const size_t count = saved_ == nullptr ? 0 : saved_->entries.size();
  for (size_t i = 0; i < count; ++i) all.push_back(saved(i));
  return all;
}

namespace detail {
namespace {

int place_of(const Tensor& x, const std::vector<Tensor>& list) {
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&x](const Tensor& y) { return y.impl() == x.impl(); });
  return found == list.end() ? -1 : static_cast<int>(found - list.begin());
}

// The first of the list that has x's elements; -1 if none has.
int sharing(const Tensor& x, const std::vector<Tensor>& list) {
  const auto found = std::find_if(list.begin(), list.end(), [&x](const Tensor& y) {
    return y.impl()->storage == x.impl()->storage;
  });
  return found == list.end() ? -1 : static_cast<int>(found - list.begin());
}

// Whether a gradient of shape `from` can be summed to `to`, where that was broadcast.
bool sums_to(const Shape& from, const Shape& to) {
  const int extra = from.rank() - to.rank();
  if (extra < 0) return false;
  for (int d = 0; d < to.rank(); ++d) {
    if (to[d] != 1 && to[d] != from[d + extra]) return false;
  }
  return true;
}

// The same gradients, whose own backward is an error: they depend on what the node that runs does.
void forbid_second_derivative(const char* name, const std::vector<Tensor>& dy,
                              std::vector<Tensor>& dx) {
  std::vector<Tensor> depends = histories_of_running_node();
  for (const Tensor& one : dy) {
    if (one.defined()) depends.push_back(one);
  }
  for (Tensor& one : dx) {
    if (!one.defined()) continue;
    const Op op(name, depends);
    one = op.differentiable(one.detach(), [name](const Backward&) -> Grads {
      fail<AutogradError>(name,
                          ": the gradient of its gradient is asked for, but its backward is "
                          "once_differentiable; expected a backward of recorded operators");
    });
  }
}

struct OutputInfo {
  Shape shape;
  DType dtype;
};

// What backward is called with, and what it returns, checked.
struct BackwardOfFunction {
  const char* name;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> backward;
  bool once_differentiable;
  bool materialize;
  std::vector<OutputInfo> outputs;
  std::vector<Shape> inputs;   // of those that were defined
  std::vector<size_t> places;  // of these among all
  size_t input_count;
  std::vector<bool>& needs;  // of the context, which `backward` keeps alive

  Grads operator()(const Backward& b) {
    std::vector<Tensor> dy;
    for (size_t i = 0; i < outputs.size(); ++i) {
      dy.push_back(b.dy(static_cast<int>(i)));
      if (!dy[i].defined() && materialize) dy[i] = zeros(outputs[i].shape, outputs[i].dtype);
    }
    for (size_t i = 0; i < places.size(); ++i) needs[places[i]] = b.needs(static_cast<int>(i));
    std::vector<Tensor> dx;
    if (once_differentiable && grad_enabled()) {
      {
        const NoGrad guard;
        dx = backward(dy);
      }
      forbid_second_derivative(name, dy, dx);
    } else {
      dx = backward(dy);
    }
    check<AutogradError>(dx.size() == input_count, name, ": backward returned ", dx.size(),
                         " gradients; expected ", input_count,
                         ", one for each tensor that forward takes");
    std::vector<Tensor> defined;
    for (size_t i = 0; i < places.size(); ++i) {
      Tensor& one = dx[places[i]];
      check<ShapeError>(!one.defined() || sums_to(one.shape(), inputs[i]), name,
                        ": backward returned a gradient of shape ",
                        one.defined() ? one.shape() : Shape{}, " for input ", places[i],
                        "; expected ", inputs[i]);
      defined.push_back(std::move(one));
    }
    return Grads(std::move(defined));
  }
};

}  // namespace

std::vector<Tensor> FunctionCall::run(
    const std::function<std::vector<Tensor>()>& forward,
    std::function<std::vector<Tensor>(const std::vector<Tensor>&)> backward) {
  std::vector<Tensor> defined;
  std::vector<size_t> places;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) continue;
    defined.push_back(inputs[i]);
    places.push_back(i);
  }
  const Op op(name, defined);
  context.needs_.assign(inputs.size(), false);
  std::vector<uint64_t> versions;
  std::vector<Shape> shapes;
  for (size_t i = 0; i < defined.size(); ++i) {
    context.needs_[places[i]] = op.needs(static_cast<int>(i));
    versions.push_back(defined[i].impl()->storage->version);
    shapes.push_back(defined[i].shape());
  }
  std::vector<Tensor> returned;
  {
    const NoGrad guard;
    returned = forward();
  }
  for (size_t i = 0; i < defined.size(); ++i) {
    op.check<AutogradError>(
        !op.needs(static_cast<int>(i)) || defined[i].impl()->storage->version == versions[i],
        "forward wrote into input ", places[i], ", of shape ", shapes[i],
        "; expected it to leave what has a gradient alone; clone() it first");
  }
  // Tensors of their own: what forward returned may be an input, or known to somebody else.
  std::vector<Tensor> outputs = returned;
  std::vector<OutputInfo> infos;
  for (Tensor& y : outputs) {
    if (y.defined() && op.recording()) {
      y = y.detach();
      if (const int input = sharing(y, defined); input >= 0) op.mark_view(y, input);
    }
    infos.push_back(y.defined() ? OutputInfo{y.shape(), y.dtype()} : OutputInfo{{}, DType::f32});
  }
  if (op.recording() && !context.to_save_.empty()) {
    context.saved_ = std::make_shared<SavedForFunction>(SavedForFunction{name, {}});
    for (const Tensor& x : context.to_save_) {
      const int input = place_of(x, defined), output = place_of(x, returned);
      const bool constant = !x.defined() || !is_floating_point(x.dtype());
      if (input < 0 && output >= 0 && !constant) {
        const Tensor& y = outputs[static_cast<size_t>(output)];
        context.saved_->entries.push_back({op.save_output(y, output), false});
      } else {
        context.saved_->entries.push_back(
            {op.save(input < 0 && x.defined() ? x.detach() : x), input < 0 && !constant});
      }
    }
  }
  context.to_save_.clear();
  std::vector<bool> marked(outputs.size(), false);
  for (const Tensor& x : std::exchange(context.without_gradient_, {})) {
    const int output = place_of(x, returned);
    op.check<AutogradError>(output >= 0 && x.defined(),
                            "mark_non_differentiable: a tensor that is no output; expected one of "
                            "what forward returns");
    marked[static_cast<size_t>(output)] = true;
  }
  outputs = op.differentiable(
      std::move(outputs),
      BackwardOfFunction{name, std::move(backward), once_differentiable, context.materialize_,
                         std::move(infos), std::move(shapes), std::move(places), inputs.size(),
                         context.needs_});
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (marked[i]) outputs[i] = outputs[i].detach();
  }
  return outputs;
}

}  // namespace detail
}  // namespace adjoint
