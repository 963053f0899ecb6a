// Normalisation of groups of runs. A group's statistics are taken and used by one task, while its
// elements are in the second-level cache.
#include "core/kernels/channel_norm.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Elements whose sums are taken in the precision of the elements; sums of such blocks are f64.
constexpr int64_t kBlockElements = 4096;

template <class V, class F>
ADJOINT_INLINE V sum_of(int64_t n, const F& add) {
  return fold_row<V>(
      n, V(0), [](V a, V b) { return a + b; }, add);
}

// Calls f(x, n) for blocks of a group's elements in their order: pieces of runs, or short runs
// together.
template <class T, class F>
ADJOINT_INLINE void for_blocks(const Runs& at, int64_t group, const void* data, const F& f) {
  const T* x = static_cast<const T*>(data) + group * at.group_step;
  int64_t runs = at.runs, length = at.length;
  if (at.run_step == length) {  // they lie one after the other
    length *= runs;
    runs = 1;
  }
  constexpr int64_t kShort = 256;
  if (runs == 1 || length >= kShort) {
    for (int64_t r = 0; r < runs; ++r) {
      for (int64_t i = 0; i < length; i += kBlockElements) {
        f(x + r * at.run_step + i, min_of(kBlockElements, length - i));
      }
    }
    return;
  }
  alignas(kLine) T near[kBlockElements];
  for (int64_t r = 0; r < runs;) {
    int64_t n = 0;
    for (; r < runs && n + length <= kBlockElements; ++r, n += length) {
      const T* from = x + r * at.run_step;
      if (length == 1) {
        near[n] = *from;
      } else {
        __builtin_memcpy(near + n, from, static_cast<size_t>(length) * sizeof(T));
      }
    }
    f(near, n);
  }
}

struct Moments {
  double count, mean, squares;  // of deviations from the mean
};

// Those of two sets together: Chan, Golub, LeVeque 1979.
ADJOINT_INLINE Moments both(const Moments& a, const Moments& b) {
  if (a.count == 0) return b;
  const double count = a.count + b.count, apart = b.mean - a.mean;
  return {count, a.mean + apart * (b.count / count),
          a.squares + b.squares + apart * apart * (a.count * b.count / count)};
}

template <class T>
ADJOINT_INLINE Moments moments_of(const T* x, int64_t n) {
  using A = Computed<T>;
  using V = Vec<A>;
  const V sum = sum_of<V>(n, [&](V s, int64_t j, int lanes) { return s + load(x + j, lanes); });
  const A mean = reduce_add(sum) / static_cast<A>(n);
  const V squares = sum_of<V>(n, [&](V s, int64_t j, int lanes) {
    const V c = load(x + j, lanes) - V(mean);
    return fma(c, c, s);
  });
  return {static_cast<double>(n), static_cast<double>(mean),
          static_cast<double>(reduce_add(squares))};
}

ADJOINT_INLINE int64_t channel_of(const Runs& at, int64_t group, int64_t run) {
  return group % (at.channels / at.channels_each) * at.channels_each + run % at.channels_each;
}

template <class A>
ADJOINT_INLINE A entry_or(const void* data, int64_t i, A otherwise) {
  return data == nullptr ? otherwise : static_cast<const A*>(data)[i];
}

// Runs of a channel that lie one after the other are one.
ADJOINT_INLINE Runs merged(Runs at) {
  if (at.channels_each == 1 && at.run_step == at.length) {
    at.length *= at.runs;
    at.runs = 1;
  }
  return at;
}

template <class T>
void forward(const Exec& exec, const ChannelNorm& op) {
  using A = Computed<T>;
  using V = Vec<A>;
  const Runs at = merged(op.at);
  A *means = static_cast<A*>(op.mean), *rstds = static_cast<A*>(op.rstd);
  const int64_t elements = at.runs * at.length;
  const bool streamed =
      streams_rows(exec, at.groups * at.runs, at.length * int64_t{sizeof(T)}, op.x != op.y);
  for_each_row(
      exec, at.groups, elements,
      [&](int64_t group) {
        if (!op.given) {
          Moments m = {0, 0, 0};
          for_blocks<T>(at, group, op.x,
                        [&](const T* x, int64_t n) { m = both(m, moments_of(x, n)); });
          const double variance = m.squares / m.count;
          means[group] = static_cast<A>(m.mean);
          static_cast<A*>(op.variance)[group] = static_cast<A>(variance);
          rstds[group] = static_cast<A>(1 / __builtin_sqrt(variance + op.eps));
        }
        const V mean = means[group];
        for (int64_t run = 0; run < at.runs; ++run) {
          const int64_t channel = channel_of(at, group, run);
          const int64_t from = group * at.group_step + run * at.run_step;
          const T* x = static_cast<const T*>(op.x) + from;
          const V scale = rstds[group] * entry_or<A>(op.weight, channel, 1);
          const V shift = entry_or<A>(op.bias, channel, 0);
          write_row(static_cast<T*>(op.y) + from, at.length, streamed, [&](int64_t j, int lanes) {
            return fma(load(x + j, lanes) - mean, scale, shift);
          });
        }
      },
      streamed);
}

// Of one channel's elements in one group: the sums of dy and of dy (x - mean).
struct Sums {
  double dy = 0, dy_x = 0;
};

template <class T>
ADJOINT_INLINE void add_run(const T* x, const T* dy, Computed<T> mean, int64_t length, Sums& sums) {
  using V = Register<T>;
  for (int64_t i = 0; i < length; i += kBlockElements) {
    const int64_t n = min_of(kBlockElements, length - i);
    const V a =
        sum_of<V>(n, [&](V s, int64_t j, int lanes) { return s + load(dy + i + j, lanes); });
    const V b = sum_of<V>(n, [&](V s, int64_t j, int lanes) {
      return fma(load(x + i + j, lanes) - V(mean), load(dy + i + j, lanes), s);
    });
    sums.dy += static_cast<double>(reduce_add(a));
    sums.dy_x += static_cast<double>(reduce_add(b));
  }
}

// dx = (w dy - mean(w dy) - (x - mean) rstd^2 mean(w dy (x - mean))) rstd, w being the channel's
// weight; for given statistics dx = w dy rstd.
template <class T>
ADJOINT_INLINE void write_gradient(const ChannelNormBackward& op, const Runs& at, int64_t group,
                                   const Sums& whole, bool streamed) {
  using A = Computed<T>;
  using V = Vec<A>;
  const double count = static_cast<double>(at.runs * at.length);
  const A rstd = static_cast<const A*>(op.rstd)[group];
  const double wide = static_cast<double>(rstd);
  const V mean = static_cast<const A*>(op.mean)[group];
  const V shift = static_cast<A>(wide * whole.dy / count);
  const V slope = static_cast<A>(wide * wide * wide * whole.dy_x / count);
  for (int64_t run = 0; run < at.runs; ++run) {
    const int64_t from = group * at.group_step + run * at.run_step;
    const T* x = static_cast<const T*>(op.x) + from;
    const T* dy = static_cast<const T*>(op.dy) + from;
    const V scale = rstd * entry_or<A>(op.weight, channel_of(at, group, run), 1);
    T* dx = static_cast<T*>(op.dx) + from;
    if (op.given) {
      write_row(dx, at.length, streamed,
                [&](int64_t j, int lanes) { return load(dy + j, lanes) * scale; });
    } else {
      write_row(dx, at.length, streamed, [&](int64_t j, int lanes) {
        return fma(load(dy + j, lanes), scale, fnma(load(x + j, lanes) - mean, slope, -shift));
      });
    }
  }
}

// dweight and dbias of a channel: its sums of all groups, in their order.
template <class A>
void add_groups(const ChannelNormBackward& op, const Runs& at, const Sums* sums, int64_t channel) {
  const int64_t cycle = at.channels / at.channels_each;
  double weight = 0, bias = 0;
  for (int64_t g = channel / at.channels_each; g < at.groups; g += cycle) {
    const Sums& s = sums[g * at.channels_each + channel % at.channels_each];
    weight += s.dy_x * static_cast<double>(static_cast<const A*>(op.rstd)[g]);
    bias += s.dy;
  }
  if (op.dweight != nullptr) static_cast<A*>(op.dweight)[channel] = static_cast<A>(weight);
  if (op.dbias != nullptr) static_cast<A*>(op.dbias)[channel] = static_cast<A>(bias);
}

template <class T>
void backward(const Exec& exec, const ChannelNormBackward& op) {
  using A = Computed<T>;
  const Runs at = merged(op.at);
  const int64_t entries = at.groups * at.channels_each;
  Sums* const sums =
      static_cast<Sums*>(exec.acquire(static_cast<size_t>(max_of(1, entries)) * sizeof(Sums)));
  const bool streamed =
      op.dx != nullptr && streams_rows(exec, at.groups * at.runs, at.length * int64_t{sizeof(T)},
                                       op.dx != op.x && op.dx != op.dy);
  for_each_row(
      exec, at.groups, 2 * at.runs * at.length,
      [&](int64_t group) {
        Sums* const own = sums + group * at.channels_each;
        for (int64_t c = 0; c < at.channels_each; ++c) own[c] = Sums();
        for (int64_t run = 0; run < at.runs; ++run) {
          const int64_t from = group * at.group_step + run * at.run_step;
          add_run(static_cast<const T*>(op.x) + from, static_cast<const T*>(op.dy) + from,
                  static_cast<const A*>(op.mean)[group], at.length, own[run % at.channels_each]);
        }
        if (op.dx == nullptr) return;
        Sums whole;
        for (int64_t c = 0; c < at.channels_each; ++c) {
          const double w = static_cast<double>(entry_or<A>(op.weight, channel_of(at, group, c), 1));
          whole.dy += w * own[c].dy;
          whole.dy_x += w * own[c].dy_x;
        }
        write_gradient<T>(op, at, group, whole, streamed);
      },
      streamed);
  if (op.dweight != nullptr || op.dbias != nullptr) {
    for (int64_t c = 0; c < at.channels; ++c) add_groups<A>(op, at, sums, c);
  }
  exec.release(sums);
}

}  // namespace

extern const ChannelNormTable ADJOINT_TABLE;
constinit const ChannelNormTable ADJOINT_TABLE = {
    .forward = {&forward<float>, &forward<double>, &forward<bfloat16>, &forward<float16>},
    .backward = {&backward<float>, &backward<double>, &backward<bfloat16>, &backward<float16>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
