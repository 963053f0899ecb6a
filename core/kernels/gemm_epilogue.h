// The end of a product: the activation of a tile of C. For kernel sources only.
#pragma once

#include "core/kernels/functors.h"
#include "core/kernels/gemm.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

struct Unchanged {
  template <class V>
  static ADJOINT_INLINE V value(V x) {
    return x;
  }
};

template <class T, class F>
void activate_rows(const Gemm<T>& g, const T* x, int x_row, int rows, int cols, T* c,
                   T* preactivation) {
  using V = Vec<T>;
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < cols; j += V::size) {
      const int n = cols - j < V::size ? cols - j : V::size;
      const V value = V::load(x + i * x_row + j);
      if (preactivation != nullptr) value.store_n(preactivation + i * g.c_row + j, n);
      V y = F::value(value);
      if (g.accumulate) y += V::load_n(c + i * g.c_row + j, n);
      y.store_n(c + i * g.c_row + j, n);
    }
  }
}

// c = act(x) (+ c) for a tile of rows by cols, where x has rows of x_row; x is kept in
// `preactivation` (laid out as c) unless that is null. The same bits as the elementwise kernels'.
template <class T>
void activate_tile(const Gemm<T>& g, const T* x, int x_row, int rows, int cols, T* c,
                   T* preactivation) {
  switch (g.activation) {
    case Activation::none:
      return activate_rows<T, Unchanged>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::relu:
      return activate_rows<T, functors::Relu>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::gelu_tanh:
      return activate_rows<T, functors::GeluTanh>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::gelu_erf:
      return activate_rows<T, functors::GeluErf>(g, x, x_row, rows, cols, c, preactivation);
    case Activation::silu:
      return activate_rows<T, functors::Silu>(g, x, x_row, rows, cols, c, preactivation);
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
