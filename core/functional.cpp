#include <adjoint/core/autograd.h>
#include <adjoint/core/functional.h>
#include <adjoint/core/layout.h>

#include <algorithm>

#include "core/autograd/op.h"

namespace adjoint {
namespace {

using Tensors = std::vector<Tensor>;

bool differentiable(const Tensor& x) { return x.defined() && is_floating_point(x.dtype()); }

// The same elements as a node of its own, so that gradients with respect to it stop here: neither
// another use of x nor x's influence on other inputs counts.
Tensor separate_input(const char* name, const Tensor& x, bool recorded) {
  if (!recorded || !x.requires_grad()) return x.detach().requires_grad_();
  const Op op(name, {x});
  return op.differentiable(make_view(x, x.shape(), x.strides(), x.impl()->offset),
                           [](const Backward& b) -> Grads { return {b.dy(0)}; });
}

// Without history in what is given there is nothing to differentiate again.
bool is_recorded(const Tensors& inputs, const Tensors& vectors, const FunctionalOptions& options) {
  return grad_enabled() &&
         (options.create_graph || std::any_of(inputs.begin(), inputs.end(), wants_grad) ||
          std::any_of(vectors.begin(), vectors.end(), wants_grad));
}

// A call of fn with inputs of its own.
struct Call {
  const char* name;
  bool strict;
  bool recorded;  // whether the results are to have a history
  Tensors outputs, wanted;
  std::vector<size_t> places;  // of `wanted` among the inputs

  Call(const char* op, const TensorFunction& fn, const Tensors& inputs, const Tensors& vectors,
       const FunctionalOptions& options)
      : name(op), strict(options.strict), recorded(is_recorded(inputs, vectors, options)) {
    const EnableGrad guard;
    Tensors separate = inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!differentiable(inputs[i])) continue;
      separate[i] = separate_input(name, inputs[i], recorded);
      wanted.push_back(separate[i]);
      places.push_back(i);
    }
    outputs = fn(separate);
  }

  // The gradients of sum(of . vectors) by `by`; zeros of their shape where there is no influence.
  Tensors gradients(const Tensors& of, const Tensors& by, const Tensors& vectors, bool create_graph,
                    bool retain_graph = false) const {
    const EnableGrad guard;
    Tensors found(by.size());
    if (!of.empty() && !by.empty()) {
      found = grad(of, by,
                   {.grad_outputs = vectors,
                    .retain_graph = retain_graph,
                    .create_graph = create_graph,
                    .allow_unused = true});
    }
    for (size_t i = 0; i < by.size(); ++i) {
      if (found[i].defined()) continue;
      check<AutogradError>(!strict, name, ": tensor ", i, " of shape ", by[i].shape(),
                           " has no influence on a result; expected some, for it is strict");
      found[i] = zeros_like(by[i]);
    }
    return found;
  }

  // Whether output i is a function of the inputs.
  bool depends(size_t i) const {
    check<AutogradError>(!strict || wants_grad(outputs[i]), name, ": output ", i,
                         " does not depend on the inputs; expected that it does, for it is strict");
    return wants_grad(outputs[i]);
  }

  Tensor result(const Tensor& x) const { return recorded || !x.defined() ? x : x.detach(); }
  Tensors results(Tensors list) const {
    for (Tensor& x : list) x = result(x);
    return list;
  }
  // At the places of the inputs.
  Tensors by_input(const Tensors& found, size_t inputs) const {
    Tensors all(inputs);
    for (size_t i = 0; i < found.size(); ++i) all[places[i]] = result(found[i]);
    return all;
  }
};

void check_vectors(const char* name, const Tensors& inputs, const Tensors& v) {
  check<AutogradError>(v.empty() || v.size() == inputs.size(), name, ": ", v.size(),
                       " vectors for ", inputs.size(), " inputs; expected as many, or none");
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!differentiable(inputs[i])) continue;
    if (v.empty()) {
      check<AutogradError>(inputs[i].numel() == 1, name, ": input ", i, " of shape ",
                           inputs[i].shape(),
                           " and no vector; expected one element, or a vector of that shape");
    } else if (v[i].defined()) {
      check<ShapeError>(v[i].shape() == inputs[i].shape(), name, ": vector ", i, " has shape ",
                        v[i].shape(), "; expected ", inputs[i].shape());
    }
  }
}

Shape joined(const Shape& a, const Shape& b) {
  check<ShapeError>(a.rank() + b.rank() <= kMaxDims, "jacobian: an output of shape ", a,
                    " by an input of shape ", b, "; expected at most ", kMaxDims,
                    " dimensions together");
  Shape all = a;
  for (const int64_t size : b) all.push_back(size);
  return all;
}

// fn's gradient; and its result, if somebody wants it.
TensorFunction gradient_of(const char* name, const TensorFunction& fn, Tensor* result = nullptr) {
  return [name, &fn, result](const Tensors& x) -> Tensors {
    const TensorFunction checked = [name, &fn](const Tensors& in) {
      Tensors y = fn(in);
      check<AutogradError>(y.size() == 1 && y[0].defined() && y[0].numel() == 1, name, ": ",
                           y.size(), " results",
                           y.empty() || !y[0].defined()
                               ? std::string()
                               : ", the first of " + std::to_string(y[0].numel()) + " elements",
                           "; expected one result, of one element");
      return y;
    };
    auto [y, dx] = vjp(checked, x, {}, {.create_graph = true});
    if (result != nullptr) *result = y[0];
    return dx;
  };
}

}  // namespace

std::pair<Tensors, Tensors> vjp(const TensorFunction& fn, const Tensors& inputs,
                                const Tensors& grad_outputs, const FunctionalOptions& options) {
  const Call call("vjp", fn, inputs, grad_outputs, options);
  check<AutogradError>(grad_outputs.empty() || grad_outputs.size() == call.outputs.size(),
                       "vjp: ", grad_outputs.size(), " gradients for ", call.outputs.size(),
                       " outputs; expected as many, or none");
  Tensors counted, gradients;
  for (size_t i = 0; i < call.outputs.size(); ++i) {
    const bool given = !grad_outputs.empty();
    if (!wants_grad(call.outputs[i]) || (given && !grad_outputs[i].defined())) continue;
    counted.push_back(call.outputs[i]);
    if (given) gradients.push_back(grad_outputs[i]);
  }
  const Tensors found = call.gradients(counted, call.wanted, gradients, call.recorded);
  return {call.results(call.outputs), call.by_input(found, inputs.size())};
}

// J v = d(u^T J v)/du, where u^T J is the vjp by u: it is linear in u, so any u will do.
std::pair<Tensors, Tensors> jvp(const TensorFunction& fn, const Tensors& inputs, const Tensors& v,
                                const FunctionalOptions& options) {
  check_vectors("jvp", inputs, v);
  const Call call("jvp", fn, inputs, v, options);
  Tensors counted, u;
  for (const Tensor& y : call.outputs) {
    if (!wants_grad(y)) continue;
    counted.push_back(y);
    u.push_back(zeros_like(y).requires_grad_());
  }
  const Tensors pulled = call.gradients(counted, call.wanted, u, true);
  Tensors along, vectors;
  for (size_t i = 0; i < pulled.size(); ++i) {
    const Tensor vector = v.empty() ? ones_like(call.wanted[i]) : v[call.places[i]];
    if (!wants_grad(pulled[i]) || !vector.defined()) continue;
    along.push_back(pulled[i]);
    vectors.push_back(vector);
  }
  const Tensors found = call.gradients(along, u, vectors, call.recorded);
  Tensors derivatives(call.outputs.size());
  for (size_t i = 0, next = 0; i < derivatives.size(); ++i) {
    const Tensor& y = call.outputs[i];
    if (!differentiable(y)) continue;
    derivatives[i] = call.result(call.depends(i) ? found[next++] : zeros_like(y));
  }
  return {call.results(call.outputs), std::move(derivatives)};
}

std::vector<Tensors> jacobian(const TensorFunction& fn, const Tensors& inputs,
                              const FunctionalOptions& options) {
  const Call call("jacobian", fn, inputs, {}, options);
  std::vector<Tensors> all;
  for (size_t o = 0; o < call.outputs.size(); ++o) {
    const Tensor& y = call.outputs[o];
    Tensors found(differentiable(y) ? call.wanted.size() : 0);
    std::vector<Tensors> rows(found.size());  // by input
    const int64_t count = !found.empty() && call.depends(o) ? y.numel() : 0;
    for (int64_t row = 0; row < count; ++row) {
      std::vector<double> one(static_cast<size_t>(count), 0.0);
      one[static_cast<size_t>(row)] = 1;
      const Tensor dy = from_vector(one, y.shape()).to(y.dtype());
      const Tensors dx = call.gradients({y}, call.wanted, {dy}, call.recorded, true);
      for (size_t i = 0; i < dx.size(); ++i) rows[i].push_back(dx[i]);
    }
    for (size_t i = 0; i < found.size(); ++i) {
      const Shape shape = joined(y.shape(), call.wanted[i].shape());
      found[i] = rows[i].empty() ? zeros(shape, call.wanted[i].dtype())
                                 : reshape(stack(std::span<const Tensor>(rows[i])), shape);
    }
    all.push_back(call.by_input(found, inputs.size()));
  }
  return all;
}

std::vector<Tensors> hessian(const TensorFunction& fn, const Tensors& inputs,
                             const FunctionalOptions& options) {
  return jacobian(gradient_of("hessian", fn), inputs, options);
}

std::pair<Tensor, Tensors> hvp(const TensorFunction& fn, const Tensors& inputs, const Tensors& v,
                               const FunctionalOptions& options) {
  Tensor y;
  check_vectors("hvp", inputs, v);
  Tensors product = jvp(gradient_of("hvp", fn, &y), inputs, v, options).second;
  return {is_recorded(inputs, v, options) ? y : y.detach(), std::move(product)};
}

std::pair<Tensor, Tensors> vhp(const TensorFunction& fn, const Tensors& inputs, const Tensors& v,
                               const FunctionalOptions& options) {
  Tensor y;
  check_vectors("vhp", inputs, v);
  Tensors product = vjp(gradient_of("vhp", fn, &y), inputs, v, options).second;
  return {is_recorded(inputs, v, options) ? y : y.detach(), std::move(product)};
}

}  // namespace adjoint
