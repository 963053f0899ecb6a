// Cross entropy and squared error, each one sweep forward and one backward.
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
    if (smoothing != A(0)) {
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
  const bool streamed = streams_rows(op.rows, n * int64_t{sizeof(T)}, op.dx != op.x);
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
    const V everywhere = smoothing / static_cast<A>(n);
    const auto gradient = [&](V v) { return (exp(v - lse) - everywhere) * V(scale); };
    // Made apart: reading it back would wait for memory where it has gone around the caches.
    const A of_target = first(gradient(V(static_cast<A>(x[target])))) - (1 - smoothing) * scale;
    write_row(dx, n, streamed, [&](int64_t j, int lanes) { return gradient(load(x + j, lanes)); });
    dx[target] = static_cast<T>(of_target);
  };
  for_each_row(exec, op.rows, n, gradient_of, streamed);
}

constexpr int64_t kErrorBlock = 8192;

template <class T>
void squared_error(const Exec& exec, int64_t n, const void* a, const void* b, double* sum) {
  using V = Vec<T>;
  const int64_t blocks = ceil_div(n, kErrorBlock);
  double* const partial =
      static_cast<double*>(exec.acquire(static_cast<size_t>(max_of(1, blocks)) * sizeof(double)));
  parallel_tasks(exec, blocks, [&](int64_t block) {
    const int64_t at = block * kErrorBlock;
    const T *x = static_cast<const T*>(a) + at, *y = static_cast<const T*>(b) + at;
    V squares = 0;
    for_vectors<V::size>(min_of(kErrorBlock, n - at), [&](int64_t j, int lanes) {
      const V d = load(x + j, lanes) - load(y + j, lanes);
      squares = fma(d, d, squares);
    });
    partial[block] = static_cast<double>(reduce_add(squares));
  });
  double total = 0;
  for (int64_t block = 0; block < blocks; ++block) total += partial[block];
  *sum = total;
  exec.release(partial);
}

template <class T>
void squared_error_backward(const Exec& exec, int64_t n, const void* a, const void* b, double scale,
                            void* d) {
  using V = Vec<T>;
  const V factor = static_cast<T>(scale);
  const bool streamed = streams(n * int64_t{sizeof(T)}, d != a && d != b);
  parallel_tasks(exec, ceil_div(n, kGrain), [&](int64_t block) {
    const int64_t at = block * kGrain;
    const T *x = static_cast<const T*>(a) + at, *y = static_cast<const T*>(b) + at;
    T* out = static_cast<T*>(d) + at;
    write_row(out, min_of(kGrain, n - at), streamed, [&](int64_t j, int lanes) {
      return (load(x + j, lanes) - load(y + j, lanes)) * factor;
    });
    if (streamed) stream_fence();
  });
}

}  // namespace

extern const LossTable ADJOINT_TABLE;
const LossTable ADJOINT_TABLE = {
    .cross_entropy = {cross_entropy<float>, cross_entropy<double>, cross_entropy<bfloat16>,
                      cross_entropy<float16>},
    .cross_entropy_backward = {cross_entropy_backward<float>, cross_entropy_backward<double>,
                               cross_entropy_backward<bfloat16>, cross_entropy_backward<float16>},
    .squared_error = {squared_error<float>, squared_error<double>},
    .squared_error_backward = {squared_error_backward<float>, squared_error_backward<double>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
