// Optimizer updates.
#include "core/kernels/fused_optimizer.h"

#include "core/kernels/streams.h"
#include "core/kernels/update_steps.h"
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

// A rule on n elements.
template <class T>
using Apply = void (*)(const void* rule, const Piece<T>& piece, int64_t n);

template <class Rule, class T>
void apply(const void* rule, const Piece<T>& piece, int64_t n) {
  const auto step = step_of<T>(*static_cast<const Rule*>(rule));
  for_vectors<Register<T>::size>(
      n, [&](int64_t i, int lanes) __attribute__((always_inline)) { step(piece, i, lanes); });
}

// In the order of UpdateRule.
template <class T>
constexpr Apply<T> kApply[] = {
    &apply<SgdRule, T>,  &apply<AsgdRule, T>, &apply<AdamRule, T>,     &apply<AdamaxRule, T>,
    &apply<LambRule, T>, &apply<RmsRule, T>,  &apply<AdadeltaRule, T>, &apply<RpropRule, T>,
    &apply<LionRule, T>, &apply<AddRule, T>,  &apply<AverageRule, T>,
};
static_assert(sizeof(kApply<float>) / sizeof(kApply<float>[0]) == kUpdateRules);

template <class T>
void update_piece(UpdateRule rule, const ParameterSpan& span, int64_t from, int64_t n) {
  Piece<T> piece = {static_cast<T*>(span.p) + from, nullptr, {}, nullptr};
  if (span.g != nullptr) piece.g = static_cast<const T*>(span.g) + from;
  for (int m = 0; m < kMaxMoments; ++m) {
    if (span.moments[m] == nullptr) continue;
    piece.moments[m] = static_cast<Computed<T>*>(span.moments[m]) + from;
  }
  if (span.rounded != nullptr) piece.rounded = span.rounded + from;
  kApply<T>[static_cast<int>(rule)](span.rule, piece, n);
}

// Prefetching (1 and 4 KiB ahead) and pieces eight times as long change nothing: memory is the
// bound.
void update(const Exec& exec, UpdateRule rule, const ParameterSpan* spans, int64_t count) {
  for_pieces(
      exec, spans, count, kGrain, [](const ParameterSpan& span) { return span.n; },
      [rule](const ParameterSpan& span, int64_t from, int64_t n) {
        if (span.dtype == kF32) {
          update_piece<float>(rule, span, from, n);
        } else if (span.dtype == kF64) {
          update_piece<double>(rule, span, from, n);
        } else if (span.dtype == kBf16) {
          update_piece<bfloat16>(rule, span, from, n);
        } else {
          update_piece<float16>(rule, span, from, n);
        }
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
double squares_of(const T* x, int64_t count) {
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

double squares_of_block(const SquaresSpan& span, int64_t block) {
  const int64_t from = block * kSpan, count = min_of(kSpan, span.n - from);
  const auto* bytes = static_cast<const char*>(span.x);
  const char* at = bytes + from * (span.dtype == kF64 ? 8 : span.dtype == kF32 ? 4 : 2);
  switch (span.dtype) {
    case kF64:
      return squares_of(reinterpret_cast<const double*>(at), count);
    case kBf16:
      return squares_of(reinterpret_cast<const bfloat16*>(at), count);
    case kF16:
      return squares_of(reinterpret_cast<const float16*>(at), count);
    default:
      return squares_of(reinterpret_cast<const float*>(at), count);
  }
}

void sum_of_squares(const Exec& exec, SquaresSpan* spans, int64_t count) {
  const auto blocks_of = [](const SquaresSpan& a) { return ceil_div(a.n, kSpan); };
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
             [&](const SquaresSpan& a, int64_t from, int64_t n) {
               for (int64_t b = from; b < from + n; ++b) {
                 sums[static_cast<int64_t>(a.sum) + b] = squares_of_block(a, b);
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
constinit const FusedOptimizerTable ADJOINT_TABLE = {.update = &update,
                                                     .sum_of_squares = &sum_of_squares};

}  // namespace adjoint::kernels::ADJOINT_ISA
