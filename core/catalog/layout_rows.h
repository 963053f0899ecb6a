// What rows of operators that move elements are written with.
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "core/catalog/builders.h"

namespace adjoint::catalog {

inline Tensor input(const Shape& shape, uint64_t seed) { return both_signs(shape, 0.2, 1.8, seed); }

// The same elements in row-major order, in another shape.
inline TensorFunction reshaped_to(const Shape& shape) {
  return [shape](const Tensors& in) -> Tensors {
    Array y(in[0]);
    y.shape = shape;
    return {y.tensor()};
  };
}

// y[index] = x[from(index)], y of the given shape.
template <class F>
TensorFunction gathered(const Shape& shape, F from) {
  return [shape, from](const Tensors& in) -> Tensors {
    const Array x(in[0]);
    return {make_array(shape, [&](const Shape& index) { return x.at(from(index)); }).tensor()};
  };
}

inline TensorFunction same() {
  return map_reference([](double v) { return v; });
}

// A sample of an operator that takes one tensor.
template <class F>
Sample sample(std::string name, const Tensor& x, F f, TensorFunction reference,
              std::string torch = {}) {
  Sample one{std::move(name), {x}, unary(f), std::move(reference)};
  one.torch = std::move(torch);
  return one;
}

// The calls of PyTorch of a row's samples, in their order.
inline void set_torch(Row& row, std::initializer_list<const char*> calls) {
  size_t i = 0;
  for (const char* call : calls) row.samples.at(i++).torch = call;
}

}  // namespace adjoint::catalog
