// Optimizer updates.
#include "core/kernels/fused_optimizer.h"

#include "core/kernels/streams.h"
#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Calls f(i, lanes) for the vectors of [0, n), on several threads.
template <class T, class F>
void sweep(const Exec& exec, int64_t n, const F& f) {
  parallel_tasks(exec, ceil_div(n, kGrain), [&](int64_t task) {
    const int64_t from = task * kGrain;
    for_vectors<Vec<T>::size>(min_of(kGrain, n - from),
                              [&](int64_t j, int lanes) { f(from + j, lanes); });
  });
}

template <class T>
void sgd(const Exec& exec, const SgdArgs<T>& a) {
  using V = Vec<T>;
  const V lr = a.lr, momentum = a.momentum, keep = 1 - a.dampening, decay = a.weight_decay;
  const V scale = a.gradient_scale;
  sweep<T>(exec, a.n, [&](int64_t i, int lanes) {
    const V p = V::load_n(a.p + i, lanes);
    V g = fma(decay, p, V::load_n(a.g + i, lanes) * scale);
    if (a.momentum_buffer != nullptr) {
      V m = a.first_step ? g : fma(momentum, V::load_n(a.momentum_buffer + i, lanes), keep * g);
      m.store_n(a.momentum_buffer + i, lanes);
      g = a.nesterov ? fma(momentum, m, g) : m;
    }
    fnma(lr, g, p).store_n(a.p + i, lanes);
  });
}

template <class T>
void adam(const Exec& exec, const AdamArgs<T>& a) {
  using V = Vec<T>;
  const V decay = a.decay, l2 = a.l2, step_size = a.step_size, v_scale = a.v_scale, eps = a.eps;
  const V beta2 = a.beta2, rest1 = 1 - a.beta1, rest2 = 1 - a.beta2, scale = a.gradient_scale;
  sweep<T>(exec, a.n, [&](int64_t i, int lanes) {
    V p = V::load_n(a.p + i, lanes);
    const V g = fma(l2, p, V::load_n(a.g + i, lanes) * scale);
    p *= decay;
    V m = V::load_n(a.m + i, lanes), v = V::load_n(a.v + i, lanes);
    m = fma(rest1, g - m, m);
    v = fma(beta2, v, rest2 * g * g);
    m.store_n(a.m + i, lanes);
    v.store_n(a.v + i, lanes);
    if (a.v_max != nullptr) {
      v = maximum(v, V::load_n(a.v_max + i, lanes));
      v.store_n(a.v_max + i, lanes);
    }
    fnma(step_size, m / fma(sqrt(v), v_scale, eps), p).store_n(a.p + i, lanes);
  });
}

// Eight elements, which the compiler widens with whatever the instruction set has.
typedef double Wide __attribute__((vector_size(64)));
template <class T>
struct Eight;
template <>
struct Eight<float> {
  typedef float type __attribute__((vector_size(32)));
};
template <>
struct Eight<double> {
  typedef Wide type;
};

template <class T>
double sum_of_squares(const Exec& exec, const T* x, int64_t n) {
  // Blocks of fixed size, each with eight running sums; the blocks' sums are added pairwise.
  constexpr int64_t kSpan = 8192;
  using Narrow = typename Eight<T>::type;
  const int64_t blocks = ceil_div(n, kSpan);
  if (blocks == 0) return 0;
  auto* sums = static_cast<double*>(exec.acquire(static_cast<size_t>(blocks) * sizeof(double)));
  parallel_tasks(exec, blocks, [&](int64_t block) {
    const T* from = x + block * kSpan;
    const int64_t count = min_of(kSpan, n - block * kSpan);
    Wide sum = {};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
      Narrow narrow;
      __builtin_memcpy(&narrow, from + i, sizeof(narrow));
      const Wide wide = __builtin_convertvector(narrow, Wide);
      sum += wide * wide;
    }
    for (; i < count; ++i) sum[i % 8] += static_cast<double>(from[i]) * from[i];
    sums[block] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
  });
  for (int64_t width = 1; width < blocks; width *= 2) {
    for (int64_t i = 0; i + width < blocks; i += 2 * width) sums[i] += sums[i + width];
  }
  const double total = sums[0];
  exec.release(sums);
  return total;
}

}  // namespace

extern const FusedOptimizerTable ADJOINT_TABLE;
constinit const FusedOptimizerTable ADJOINT_TABLE = {
    &sgd<float>,   &sgd<double>,           &adam<float>,
    &adam<double>, &sum_of_squares<float>, &sum_of_squares<double>,
};

}  // namespace adjoint::kernels::ADJOINT_ISA
