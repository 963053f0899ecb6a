// Kernels of functions of one tensor.
#include "core/kernels/unary.h"

#include "core/kernels/streams.h"
#include "core/simd/math.h"
#include "core/simd/math_activations.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// What a function does with a block of contiguous elements is compiled once for each type that is
// computed in; how blocks are read and written, once for each that is stored. Only what is cheap is
// also compiled for bf16 as it is stored.
template <class F>
constexpr bool kCheap = __is_same(F, functors::Neg) || __is_same(F, functors::Abs) ||
                        __is_same(F, functors::Square) || __is_same(F, functors::Relu) ||
                        __is_same(F, functors::LeakyRelu) || __is_same(F, functors::Clamp);
template <class F>
constexpr bool kCheapDerivative = kCheap<F> || __is_same(F, functors::Exp) ||
                                  __is_same(F, functors::Tanh) || __is_same(F, functors::Sigmoid);

// F::value(x), or F::value(x, p) for a function with parameters, such as a slope.
template <class F, class V>
ADJOINT_INLINE V value_of(const V& x, const double* p) {
  if constexpr (requires { F::value(x, p); }) {
    return F::value(x, p);
  } else {
    return F::value(x);
  }
}
template <class F, class V>
ADJOINT_INLINE V derivative_of(const V& x, const V& y, const V& dy, const double* p) {
  if constexpr (requires { F::derivative(x, y, dy, p); }) {
    return F::derivative(x, y, dy, p);
  } else {
    return F::derivative(x, y, dy);
  }
}

template <class C, class F>
void unary_block(const C* x, C* y, int64_t n, const double* parameter) {
  for_vectors<Register<C>::size>(n, [&](int64_t j, int lanes) {
    store(value_of<F>(load(x + j, lanes), parameter), y + j, lanes);
  });
}

// Calls f(x, y, n, parameters) for blocks.
template <class T, template <class> class Held = Computed, class F>
void run_unary(const Exec& exec, const Loop<2>& given, const F& f) {
  Loop<2> space;
  const Loop<2>& loop = with_long_rows<T>(given, space);
  const bool streamed = streams<T>(exec, loop);
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    Result<T, Held> y(loop.data[0], at[0], loop.stride[0][0], streamed);
    In<T, Held> x(loop.data[1], at[1], loop.stride[1][0], n);
    for (int64_t i = 0, m; i < n; i += m) {
      m = y.count(i, n);
      f(x.block(i, m), y.block(i), m, loop.parameter);
      y.flush(i, m);
    }
  });
}

template <class T, class F>
void unary(const Exec& exec, const Loop<2>& loop) {
  if constexpr (__is_same(T, bfloat16) && kCheap<F>) {
    if (converts_in_registers<T>(loop)) {
      run_unary<T, AsStored>(exec, loop, &unary_block<T, F>);
      return;
    }
  }
  run_unary<T>(exec, loop, &unary_block<Computed<T>, F>);
}

template <class C, class F>
void derivative_block(const C* x, const C* y, const C* dy, C* dx, int64_t n,
                      const double* parameter) {
  for_vectors<Register<C>::size>(n, [&](int64_t j, int lanes) {
    const Register<C> vdy = load(dy + j, lanes);
    Register<C> vx = vdy, vy = vdy;
    if constexpr (uses_input(F::kUses)) vx = load(x + j, lanes);
    if constexpr (uses_output(F::kUses)) vy = load(y + j, lanes);
    store(derivative_of<F>(vx, vy, vdy, parameter), dx + j, lanes);
  });
}

// `uses`: which of x and y are read.
template <class T, template <class> class Held = Computed>
void run_derivative(const Exec& exec, const Loop<4>& given, functors::Uses uses,
                    void (*f)(const Held<T>* x, const Held<T>* y, const Held<T>* dy, Held<T>* dx,
                              int64_t n, const double*)) {
  Loop<4> space;
  const Loop<4>& loop = with_long_rows<T>(given, space);
  const bool streamed = streams<T>(exec, loop);
  const bool input = uses_input(uses), output = uses_output(uses);
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    Result<T, Held> dx(loop.data[0], at[0], loop.stride[0][0], streamed);
    In<T, Held> x(loop.data[1], at[1], loop.stride[1][0], n);
    In<T, Held> y(loop.data[2], at[2], loop.stride[2][0], n);
    In<T, Held> dy(loop.data[3], at[3], loop.stride[3][0], n);
    for (int64_t i = 0, m; i < n; i += m) {
      m = dx.count(i, n);
      const Held<T>* const px = input ? x.block(i, m) : nullptr;
      const Held<T>* const py = output ? y.block(i, m) : nullptr;
      f(px, py, dy.block(i, m), dx.block(i), m, loop.parameter);
      dx.flush(i, m);
    }
  });
}

template <class T, class F>
void unary_backward(const Exec& exec, const Loop<4>& loop) {
  if constexpr (__is_same(T, bfloat16) && kCheapDerivative<F>) {
    if (converts_in_registers<T>(loop)) {
      run_derivative<T, AsStored>(exec, loop, F::kUses, &derivative_block<T, F>);
      return;
    }
  }
  run_derivative<T>(exec, loop, F::kUses, &derivative_block<Computed<T>, F>);
}

template <class T>
void map(const Exec& exec, const Loop<2>& loop, double (*f)(double)) {
  using C = Computed<T>;
  run_unary<T>(exec, loop, [f](const C* x, C* y, int64_t n, const double*) {
    for (int64_t j = 0; j < n; ++j) y[j] = static_cast<C>(f(static_cast<double>(x[j])));
  });
}

template <class F>
constexpr void set(UnaryTable& t, Unary op) {
  auto& forward = t.value[static_cast<int>(op)];
  forward[kF32] = &unary<float, F>;
  forward[kF64] = &unary<double, F>;
  forward[kBf16] = &unary<bfloat16, F>;
  forward[kF16] = &unary<float16, F>;
  if constexpr (requires { F::kUses; }) {
    auto& backward = t.derivative[static_cast<int>(op)];
    backward[kF32] = &unary_backward<float, F>;
    backward[kF64] = &unary_backward<double, F>;
    backward[kBf16] = &unary_backward<bfloat16, F>;
    backward[kF16] = &unary_backward<float16, F>;
  }
}

template <class F>
constexpr void set_integer(UnaryTable& t, Unary op) {
  auto& row = t.value[static_cast<int>(op)];
  row[kI64] = &unary<int64_t, F>;
  row[kI32] = &unary<int32_t, F>;
  row[kU8] = &unary<uint8_t, F>;
}

constexpr UnaryTable make_table() {
  UnaryTable t{};
#define ADJOINT_SET(name, functor) set<functors::functor>(t, Unary::name);
  ADJOINT_UNARY_FUNCTIONS(ADJOINT_SET)
#undef ADJOINT_SET
  set_integer<functors::Neg>(t, Unary::neg);
  set_integer<functors::Abs>(t, Unary::abs);
  set_integer<functors::Square>(t, Unary::square);
  set_integer<functors::Sign>(t, Unary::sign);
  t.map[kF32] = &map<float>;
  t.map[kF64] = &map<double>;
  t.map[kBf16] = &map<bfloat16>;
  t.map[kF16] = &map<float16>;
  return t;
}

}  // namespace

extern const UnaryTable ADJOINT_TABLE;
constinit const UnaryTable ADJOINT_TABLE = make_table();

}  // namespace adjoint::kernels::ADJOINT_ISA
