// Optimizer updates.
#include "core/kernels/fused_optimizer.h"

#include "core/kernels/streams.h"
#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Calls f(span, from, n) for pieces of spans that lie end to end, cut without regard to where one
// ends: the work of a task is the same however many spans it is in. size(span) is a span's part of
// the whole, `piece` what a task does of it.
template <class Args, class Size, class F>
void for_pieces(const Exec& exec, Args* spans, int64_t count, int64_t piece, const Size& size,
                const F& f) {
  auto* starts = static_cast<int64_t*>(exec.acquire(static_cast<size_t>(count + 1) * 8));
  starts[0] = 0;
  for (int64_t i = 0; i < count; ++i) starts[i + 1] = starts[i] + size(spans[i]);
  const int64_t total = starts[count];
  parallel_tasks(exec, ceil_div(total, piece), [&](int64_t task) {
    int64_t from = task * piece;
    const int64_t to = min_of(total, from + piece);
    int64_t i = 0;  // the last span that starts at or before `from`
    for (int64_t end = count; end - i > 1;) {
      const int64_t middle = i + (end - i) / 2;
      (starts[middle] <= from ? i : end) = middle;
    }
    for (; from < to; ++i) {
      const int64_t n = min_of(to, starts[i + 1]) - from;
      if (n > 0) f(spans[i], from - starts[i], n);
      from += n;
    }
  });
  exec.release(starts);
}

// Calls update(span)(at, lanes) for all vectors of all spans. Prefetching (1 and 4 KiB ahead) and
// pieces eight times as long change nothing: memory is the bound.
template <class T, class Args, class Update>
void sweep(const Exec& exec, const Args* spans, int64_t count, const Update& update) {
  for_pieces(
      exec, spans, count, kGrain, [](const Args& a) { return a.n; },
      [&](const Args& a, int64_t from, int64_t n) {
        const auto step = update(a);
        for_vectors<Register<T>::size>(n, [&](int64_t j, int lanes) { step(from + j, lanes); });
      });
}

// Parameters at i, also in bf16 where the span has a place for them.
template <class Args, class V>
ADJOINT_INLINE void store_parameters(const Args& a, V x, int64_t i, int lanes) {
  store(x, a.p + i, lanes);
  if constexpr (__is_same(decltype(a.p), float*)) {
    if (a.rounded != nullptr) store(x, a.rounded + i, lanes);
  }
}

template <class T>
void sgd(const Exec& exec, const SgdArgs<T, Computed<T>>* spans, int64_t count) {
  using V = Register<T>;
  sweep<T>(exec, spans, count, [](const SgdArgs<T, Computed<T>>& a) {
    const V lr = a.lr, momentum = a.momentum, keep = 1 - a.dampening, decay = a.weight_decay;
    const V scale = a.gradient_scale;
    return [=](int64_t i, int lanes) {
      const V p = load(a.p + i, lanes);
      V g = fma(decay, p, load(a.g + i, lanes) * scale);
      if (a.momentum_buffer != nullptr) {
        V m = a.first_step ? g : fma(momentum, load(a.momentum_buffer + i, lanes), keep * g);
        store(m, a.momentum_buffer + i, lanes);
        g = a.nesterov ? fma(momentum, m, g) : m;
      }
      store_parameters(a, fnma(lr, g, p), i, lanes);
    };
  });
}

template <class T>
void adam(const Exec& exec, const AdamArgs<T, Computed<T>>* spans, int64_t count) {
  using V = Register<T>;
  sweep<T>(exec, spans, count, [](const AdamArgs<T, Computed<T>>& a) {
    const V decay = a.decay, l2 = a.l2, step_size = a.step_size, v_scale = a.v_scale, eps = a.eps;
    const V beta2 = a.beta2, rest1 = 1 - a.beta1, rest2 = 1 - a.beta2, scale = a.gradient_scale;
    return [=](int64_t i, int lanes) {
      V p = load(a.p + i, lanes);
      const V g = fma(l2, p, load(a.g + i, lanes) * scale);
      p *= decay;
      V m = load(a.m + i, lanes), v = load(a.v + i, lanes);
      m = fma(rest1, g - m, m);
      v = fma(beta2, v, rest2 * g * g);
      store(m, a.m + i, lanes);
      store(v, a.v + i, lanes);
      if (a.v_max != nullptr) {
        v = maximum(v, load(a.v_max + i, lanes));
        store(v, a.v_max + i, lanes);
      }
      store_parameters(a, fnma(step_size, m / fma(sqrt(v), v_scale, eps), p), i, lanes);
    };
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

// Blocks of fixed size, each with eight running sums; the blocks' sums are added pairwise.
constexpr int64_t kSpan = 8192;

template <class T>
double squares_of_block(const T* x, int64_t count) {
  using Narrow = typename Eight<Computed<T>>::type;
  Wide sum = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    Narrow narrow = {};
    if constexpr (__is_same(T, Computed<T>)) {
      __builtin_memcpy(&narrow, x + i, sizeof(narrow));
    } else {
      for (int64_t k = 0; k < 8; ++k) narrow[k] = static_cast<Computed<T>>(x[i + k]);
    }
    const Wide wide = __builtin_convertvector(narrow, Wide);
    sum += wide * wide;
  }
  for (; i < count; ++i) {
    const auto value = static_cast<double>(x[i]);
    sum[i % 8] += value * value;
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

template <class T>
void sum_of_squares(const Exec& exec, SquaresArgs<T>* spans, int64_t count) {
  const auto blocks_of = [](const SquaresArgs<T>& a) { return ceil_div(a.n, kSpan); };
  int64_t blocks = 0;
  for (int64_t i = 0; i < count; ++i) blocks += blocks_of(spans[i]);
  auto* sums = static_cast<double*>(exec.acquire(static_cast<size_t>(max_of(1, blocks)) * 8));
  // Where each span's blocks begin, by its place: `sum` holds it until the sum is known.
  int64_t first = 0;
  for (int64_t i = 0; i < count; ++i) {
    spans[i].sum = static_cast<double>(first);
    first += blocks_of(spans[i]);
  }
  constexpr int64_t kBlocks = 2;  // of a task
  for_pieces(exec, spans, count, kBlocks, blocks_of,
             [&](const SquaresArgs<T>& a, int64_t from, int64_t n) {
               for (int64_t b = from; b < from + n; ++b) {
                 sums[static_cast<int64_t>(a.sum) + b] =
                     squares_of_block(a.x + b * kSpan, min_of(kSpan, a.n - b * kSpan));
               }
             });
  for (int64_t i = 0; i < count; ++i) {
    double* s = sums + static_cast<int64_t>(spans[i].sum);
    const int64_t n = blocks_of(spans[i]);
    for (int64_t width = 1; width < n; width *= 2) {
      for (int64_t b = 0; b + width < n; b += 2 * width) s[b] += s[b + width];
    }
    spans[i].sum = n == 0 ? 0 : s[0];
  }
  exec.release(sums);
}

}  // namespace

extern const FusedOptimizerTable ADJOINT_TABLE;
constinit const FusedOptimizerTable ADJOINT_TABLE = {
    .sgd_f32 = &sgd<float>,
    .sgd_f64 = &sgd<double>,
    .sgd_bf16 = &sgd<bfloat16>,
    .adam_f32 = &adam<float>,
    .adam_f64 = &adam<double>,
    .adam_bf16 = &adam<bfloat16>,
    .sum_of_squares_f32 = &sum_of_squares<float>,
    .sum_of_squares_f64 = &sum_of_squares<double>,
    .sum_of_squares_bf16 = &sum_of_squares<bfloat16>,
};

}  // namespace adjoint::kernels::ADJOINT_ISA
