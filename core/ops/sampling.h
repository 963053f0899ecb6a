// Weights of cubic convolution.
#pragma once

#include <array>
#include <type_traits>

namespace adjoint {

// Of the elements 1 + t, t, 1 - t and 2 - t away, 0 <= t < 1, for numbers and tensors alike. Keys
// 1981, "Cubic convolution interpolation for digital image processing", a = -0.75.
template <class T>
std::array<T, 4> cubic_weights(const T& t) {
  using Number = std::conditional_t<std::is_floating_point_v<T>, T, double>;
  constexpr Number a = -0.75, one = 1;
  const auto near = [](const T& x) -> T { return ((a + 2) * x - (a + 3)) * x * x + one; };
  const auto far = [](const T& x) -> T { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a; };
  const T rest = one - t;
  return {far(t + one), near(t), near(rest), far(rest + one)};
}

}  // namespace adjoint
