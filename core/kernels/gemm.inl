// Matrix products, straightforward: every row of C in registers' widths of columns.
#include "core/kernels/gemm.h"

#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class V>
ADJOINT_INLINE V activate(Activation activation, V x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return max(x, V(0.0));
    case Activation::gelu_tanh:
      return 0.5 * x * (1.0 + tanh(0.7978845608028654 * fma(0.044715 * x * x, x, x)));
    case Activation::gelu_erf:
      return 0.5 * x * erfc(-0.7071067811865476 * x);
    case Activation::silu:
      return x * sigmoid(x);
  }
  return x;
}

template <class T>
struct Job {
  const Gemm<T>* g;
};

template <class T>
void product(const Exec& exec, const Gemm<T>& gemm) {
  using V = Vec<T>;
  const int64_t tasks = gemm.batch[0] * gemm.batch[1] * gemm.batch[2] * gemm.m;
  if (tasks <= 0 || gemm.n <= 0) return;
  Job<T> job{&gemm};
  exec.parallel_for(
      tasks,
      [](void* context, int64_t task) {
        const Gemm<T>& g = *static_cast<Job<T>*>(context)->g;
        const int64_t i = task % g.m;
        int64_t rest = task / g.m, a_at = i * g.a_row, b_at = 0, c_at = i * g.c_row;
        for (int d = 2; d >= 0; --d) {
          const int64_t index = rest % g.batch[d];
          rest /= g.batch[d];
          a_at += index * g.a_batch[d];
          b_at += index * g.b_batch[d];
          c_at += index * g.c_batch[d];
        }
        for (int64_t j = 0; j < g.n; j += V::size) {
          const int count = g.n - j < V::size ? static_cast<int>(g.n - j) : V::size;
          V sum = 0;
          for (int64_t k = 0; k < g.k; ++k) {
            const T* b = g.b + b_at + k * g.b_row + j * g.b_col;
            V row;
            if (g.b_col == 1) {
              row = V::load_n(b, count);
            } else {
              T lanes[V::size] = {};
              for (int l = 0; l < count; ++l) lanes[l] = b[l * g.b_col];
              row = V::load(lanes);
            }
            sum = fma(V(g.a[a_at + k * g.a_col]), row, sum);
          }
          sum *= g.alpha;
          if (g.bias != nullptr) sum += V::load_n(g.bias + j, count);
          if (g.preactivation != nullptr) sum.store_n(g.preactivation + c_at + j, count);
          sum = activate(g.activation, sum);
          T* c = g.c + c_at + j;
          if (g.accumulate) sum += V::load_n(c, count);
          sum.store_n(c, count);
        }
      },
      &job);
}

}  // namespace

extern const GemmTable ADJOINT_TABLE;
const GemmTable ADJOINT_TABLE = {.f32 = product<float>, .f64 = product<double>};

}  // namespace adjoint::kernels::ADJOINT_ISA
