// Losses of two numbers. What a loss does with a block is compiled once for each type that is
// computed in; how blocks are read and written, once for each that is stored.
#include "core/kernels/pair_loss.h"

#include "core/kernels/rows.h"
#include "core/simd/math.h"
#include "core/simd/math_activations.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class C, class F>
void value_block(const C* x, const C* t, C* y, int64_t n, const double* parameter) {
  for_vectors<Vec<C>::size>(n, [&](int64_t j, int lanes) {
    store(F::value(load(x + j, lanes), load(t + j, lanes), parameter), y + j, lanes);
  });
}

template <class C, class F, bool kOfTarget>
void derivative_block(const C* x, const C* t, const C* dy, C* d, int64_t n, const double* parameter,
                      C scale) {
  using V = Vec<C>;
  const V factor = scale;
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    const V vx = load(x + j, lanes), vt = load(t + j, lanes), vdy = load(dy + j, lanes) * factor;
    store(kOfTarget ? F::dt(vx, vt, vdy, parameter) : F::dx(vx, vt, vdy, parameter), d + j, lanes);
  });
}

template <class C>
struct Blocks {
  void (*value)(const C* x, const C* t, C* y, int64_t n, const double* parameter);
  void (*derivative[2])(const C* x, const C* t, const C* dy, C* d, int64_t n,
                        const double* parameter, C scale);  // by x, by t
};

#define ADJOINT_BLOCKS(name, functor)               \
  {&value_block<C, functors::functor>,              \
   {&derivative_block<C, functors::functor, false>, \
    &derivative_block<C, functors::functor, true>}},
template <class C>
constexpr Blocks<C> kBlocks[static_cast<int>(PairLoss::count)] = {
    ADJOINT_PAIR_LOSSES(ADJOINT_BLOCKS)};
#undef ADJOINT_BLOCKS

template <class T>
void value(const Exec& exec, const Loop<3>& loop, PairLoss which) {
  const Blocks<Computed<T>>& blocks = kBlocks<Computed<T>>[static_cast<int>(which)];
  const bool streamed = streams<T>(exec, loop);
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    Result<T> y(loop.data[0], at[0], loop.stride[0][0], streamed);
    In<T> x(loop.data[1], at[1], loop.stride[1][0], n);
    In<T> t(loop.data[2], at[2], loop.stride[2][0], n);
    for (int64_t i = 0, m; i < n; i += m) {
      m = y.count(i, n);
      blocks.value(x.block(i, m), t.block(i, m), y.block(i), m, loop.parameter);
      y.flush(i, m);
    }
  });
}

// The elements whose sum is kept in f64 before it is added to others.
constexpr int64_t kSumBlock = 8192;

template <class T>
void sum(const Exec& exec, int64_t n, const void* x, const void* t, const double* parameter,
         PairLoss which, double* total) {
  using C = Computed<T>;
  using V = Vec<C>;
  const Blocks<C>& blocks = kBlocks<C>[static_cast<int>(which)];
  const int64_t count = ceil_div(n, kSumBlock);
  double* const partial =
      static_cast<double*>(exec.acquire(static_cast<size_t>(max_of(1, count)) * sizeof(double)));
  parallel_tasks(exec, count, [&](int64_t task) {
    const int64_t first = task * kSumBlock, last = min_of(n, first + kSumBlock);
    In<T> in(x, 0, 1, n), target(t, 0, 1, n);
    alignas(kLine) C losses[kBlock];
    double sum_of_task = 0;
    for (int64_t i = first; i < last; i += kBlock) {
      const int64_t m = min_of(kBlock, last - i);
      blocks.value(in.block(i, m), target.block(i, m), losses, m, parameter);
      const V sums = fold_row(
          m, V(0), [](V a, V b) { return a + b; },
          [&](V so_far, int64_t j, int lanes) { return so_far + load(losses + j, lanes); });
      sum_of_task += static_cast<double>(reduce_add(sums));
    }
    partial[task] = sum_of_task;
  });
  double sum_of_all = 0;
  for (int64_t task = 0; task < count; ++task) sum_of_all += partial[task];
  *total = sum_of_all;
  exec.release(partial);
}

template <class T>
void backward(const Exec& exec, const Loop<4>& loop, PairLoss which, bool of_target, double scale) {
  using C = Computed<T>;
  const auto derivative = kBlocks<C>[static_cast<int>(which)].derivative[of_target ? 1 : 0];
  const bool streamed = streams<T>(exec, loop);
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    Result<T> d(loop.data[0], at[0], loop.stride[0][0], streamed);
    In<T> x(loop.data[1], at[1], loop.stride[1][0], n);
    In<T> t(loop.data[2], at[2], loop.stride[2][0], n);
    In<T> dy(loop.data[3], at[3], loop.stride[3][0], n);
    for (int64_t i = 0, m; i < n; i += m) {
      m = d.count(i, n);
      derivative(x.block(i, m), t.block(i, m), dy.block(i, m), d.block(i), m, loop.parameter,
                 static_cast<C>(scale));
      d.flush(i, m);
    }
  });
}

}  // namespace

extern const PairLossTable ADJOINT_TABLE;
const PairLossTable ADJOINT_TABLE = {
    .value = {value<float>, value<double>, value<bfloat16>, value<float16>},
    .sum = {sum<float>, sum<double>, sum<bfloat16>, sum<float16>},
    .backward = {backward<float>, backward<double>, backward<bfloat16>, backward<float16>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
