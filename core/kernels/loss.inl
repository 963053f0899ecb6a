// Cross entropy: one sweep forward and one backward.
#include "core/kernels/loss.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T>
ADJOINT_INLINE T first(Vec<T> x) {
  T value;
  x.store_n(&value, 1);
  return value;
}

template <class T>
void cross_entropy(const Exec& exec, const CrossEntropy& op) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t n = op.n;
  const A smoothing = static_cast<A>(op.smoothing);
  const A* const weight = static_cast<const A*>(op.weight);
  for_each_row(exec, op.rows, n, [&](int64_t row) {
    const T* x = static_cast<const T*>(op.x) + row * n;
    A* const loss = static_cast<A*>(op.loss) + row;
    A* const logsumexp = static_cast<A*>(op.logsumexp) + row;
    const int64_t target = op.target[row];
    if (target == op.ignore_index) {
      *loss = *logsumexp = A(0);
      return;
    }
    const auto plus = [](V a, V b) { return a + b; };
    const V m = reduce_max(fold_row(
        n, V(-infinity<A>()), [](V a, V b) { return max(a, b); },
        [&](V highest, int64_t j, int lanes) { return max(highest, load(x + j, lanes)); }));
    const V sum = fold_row(n, V(0), plus, [&](V so_far, int64_t j, int lanes) {
      prefetch(x + j, n * int64_t{sizeof(T)});
      return so_far + exp(load(x + j, lanes) - m);
    });
    const A lse = first(m + log(V(reduce_add(sum))));
    *logsumexp = lse;
    *loss = lse - static_cast<A>(x[target]);
    if (weight != nullptr) *loss *= weight[target];
    if (smoothing != A(0) && weight != nullptr) {
      const V terms = fold_row(n, V(0), plus, [&](V so_far, int64_t j, int lanes) {
        return fma(load(weight + j, lanes), V(lse) - load(x + j, lanes), so_far);
      });
      *loss = (1 - smoothing) * *loss + smoothing * (reduce_add(terms) / static_cast<A>(n));
    } else if (smoothing != A(0)) {
      const V sum_x = fold_row(n, V(0), plus, [&](V so_far, int64_t j, int lanes) {
        return so_far + load(x + j, lanes);
      });
      const A uniform = lse - reduce_add(sum_x) / static_cast<A>(n);
      *loss = (1 - smoothing) * *loss + smoothing * uniform;
    }
  });
}

template <class T>
void cross_entropy_backward(const Exec& exec, const CrossEntropyBackward& op) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t n = op.n;
  const A smoothing = static_cast<A>(op.smoothing);
  const bool streamed = streams_rows(exec, op.rows, n * int64_t{sizeof(T)}, op.dx != op.x);
  const A* const weight = static_cast<const A*>(op.weight);
  A total_weight = 0;
  if (weight != nullptr) {
    total_weight = reduce_add(fold_row(
        n, V(0), [](V a, V b) { return a + b; },
        [&](V so_far, int64_t j, int lanes) { return so_far + load(weight + j, lanes); }));
  }
  const auto gradient_of = [&](int64_t row) {
    const T* x = static_cast<const T*>(op.x) + row * n;
    T* dx = static_cast<T*>(op.dx) + row * n;
    const int64_t target = op.target[row];
    if (target == op.ignore_index) {
      __builtin_memset(dx, 0, static_cast<size_t>(n) * sizeof(T));
      return;
    }
    const A scale = static_cast<const A*>(op.dy)[row * op.dy_stride] * static_cast<A>(op.scale);
    const V lse = static_cast<const A*>(op.logsumexp)[row];
    const A share = smoothing / static_cast<A>(n);
    if (weight != nullptr) {
      const A own = (1 - smoothing) * weight[target];
      const V all = own + share * total_weight, every = share;
      const auto gradient = [&](V v, V w) { return (exp(v - lse) * all - every * w) * V(scale); };
      const A of_target =
          first(gradient(V(static_cast<A>(x[target])), V(weight[target]))) - own * scale;
      write_row(dx, n, streamed, [&](int64_t j, int lanes) {
        return gradient(load(x + j, lanes), load(weight + j, lanes));
      });
      dx[target] = static_cast<T>(of_target);
      return;
    }
    const V everywhere = share;
    const auto gradient = [&](V v) { return (exp(v - lse) - everywhere) * V(scale); };
    // Made apart: reading it back would wait for memory where it has gone around the caches.
    const A of_target = first(gradient(V(static_cast<A>(x[target])))) - (1 - smoothing) * scale;
    write_row(dx, n, streamed, [&](int64_t j, int lanes) { return gradient(load(x + j, lanes)); });
    dx[target] = static_cast<T>(of_target);
  };
  for_each_row(exec, op.rows, n, gradient_of, streamed);
}

}  // namespace

extern const LossTable ADJOINT_TABLE;
const LossTable ADJOINT_TABLE = {
    .cross_entropy = {cross_entropy<float>, cross_entropy<double>, cross_entropy<bfloat16>,
                      cross_entropy<float16>},
    .cross_entropy_backward = {cross_entropy_backward<float>, cross_entropy_backward<double>,
                               cross_entropy_backward<bfloat16>, cross_entropy_backward<float16>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
