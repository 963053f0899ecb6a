// The tensors among the arguments and results of functions.
#pragma once

#include <adjoint/core/tensor.h>

#include <tuple>
#include <utility>
#include <vector>

namespace adjoint::detail {

// Calls f for each tensor of what a function takes or returns: a Tensor, vectors, pairs and tuples
// of them, or a struct whose tensors() is a tuple of references. Passes over anything else.
template <class F>
void each_tensor(F&, const auto&) {}
template <class F>
void each_tensor(F& f, Tensor& x) {
  f(x);
}
template <class F>
void each_tensor(F& f, std::vector<Tensor>& list) {
  for (Tensor& x : list) f(x);
}
template <class F, class... T>
void each_tensor(F& f, std::tuple<T...>& parts) {
  std::apply([&f](auto&... part) { (each_tensor(f, part), ...); }, parts);
}
template <class F, class A, class B>
void each_tensor(F& f, std::pair<A, B>& parts) {
  each_tensor(f, parts.first);
  each_tensor(f, parts.second);
}
template <class F, class Struct>
requires requires(Struct& parts) { parts.tensors(); }
void each_tensor(F& f, Struct& parts) {
  auto members = parts.tensors();
  each_tensor(f, members);
}

}  // namespace adjoint::detail
