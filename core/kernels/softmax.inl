// Softmax along rows (lanes along the row) and across them (a row in each lane).
#include "core/kernels/softmax.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// One row of n contiguous elements, the next one behind it. `streamed`: results go around the
// caches.
template <class T>
struct Along {
  int64_t n;
  bool streamed;

  template <class C, class F>
  ADJOINT_INLINE Vec<T> fold(Vec<T> first, const C& combine, const F& step) const {
    return fold_row(n, first, combine, step);
  }
  // y = f
  template <class F>
  ADJOINT_INLINE void write(T* y, const F& f) const {
    write_row(y, n, streamed, f);
  }
  // Asks for the next row, a vector at a time, while this one is worked on.
  ADJOINT_INLINE void ahead(const T* x, int64_t at) const {
    prefetch(x + at, n * int64_t{sizeof(T)});
  }
  ADJOINT_INLINE Vec<T> sum(Vec<T> x) const { return reduce_add(x); }
  ADJOINT_INLINE Vec<T> max(Vec<T> x) const { return reduce_max(x); }
};

// As many neighbouring rows as there are lanes, whose elements lie `stride` apart.
template <class T>
struct Across {
  int64_t n, stride;
  int lanes;

  template <class C, class F>
  ADJOINT_INLINE Vec<T> fold(Vec<T> first, const C&, const F& step) const {
    for (int64_t j = 0; j < n; ++j) first = step(first, j * stride, lanes);
    return first;
  }
  template <class F>
  ADJOINT_INLINE void write(T* y, const F& f) const {
    for (int64_t j = 0; j < n; ++j) store(f(j * stride, lanes), y + j * stride, lanes);
  }
  ADJOINT_INLINE void ahead(const T*, int64_t) const {}
  ADJOINT_INLINE Vec<T> sum(Vec<T> x) const { return x; }
  ADJOINT_INLINE Vec<T> max(Vec<T> x) const { return x; }
};

template <class T>
ADJOINT_INLINE Vec<T> larger(Vec<T> a, Vec<T> b) {
  return max(a, b);
}
template <class T>
ADJOINT_INLINE Vec<T> plus(Vec<T> a, Vec<T> b) {
  return a + b;
}

// A NaN anywhere makes the sum of exponentials NaN, and with it the whole row.
template <class T, class Line>
ADJOINT_INLINE Vec<T> line_max(const Line& line, const T* x) {
  return line.max(
      line.fold(Vec<T>(-infinity<T>()), larger<T>,
                [&](Vec<T> m, int64_t at, int lanes) { return max(m, load(x + at, lanes)); }));
}

// Rows that are kept near while their exponentials wait for the sum.
constexpr int64_t kNearBytes = 16384;

template <class T>
struct Softmax {
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* x, T* y) {
    const Vec<T> m = line_max(line, x);
    if constexpr (__is_same(Line, Along<T>)) {
      if (line.streamed) {
        alignas(kLine) T near[kNearBytes / sizeof(T)];
        finish(line, m, x, near, y);
        return;
      }
    }
    finish(line, m, x, y, y);
  }
  // Streamed rows are at most this long.
  static constexpr int64_t kLongest = kNearBytes / sizeof(T);

 private:
  template <class Line>
  static ADJOINT_INLINE void finish(const Line& line, Vec<T> m, const T* x, T* e, T* y) {
    const Vec<T> s = line.fold(Vec<T>(0), plus<T>, [&](Vec<T> sum, int64_t at, int lanes) {
      line.ahead(x, at);
      const Vec<T> v = exp(load(x + at, lanes) - m);
      store(v, e + at, lanes);
      return sum + v;
    });
    const Vec<T> scale = 1.0 / line.sum(s);
    line.write(y, [&](int64_t at, int lanes) { return load(e + at, lanes) * scale; });
  }
};

template <class T>
struct LogSoftmax {
  static constexpr int64_t kLongest = INT64_MAX;
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* x, T* y) {
    const Vec<T> m = line_max(line, x);
    const Vec<T> s = line.fold(Vec<T>(0), plus<T>, [&](Vec<T> sum, int64_t at, int lanes) {
      line.ahead(x, at);
      return sum + exp(load(x + at, lanes) - m);
    });
    const Vec<T> log_sum = log(line.sum(s));
    line.write(y, [&](int64_t at, int lanes) { return load(x + at, lanes) - m - log_sum; });
  }
};

template <class T>
struct SoftmaxBackward {
  static constexpr int64_t kLongest = INT64_MAX;
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* y, const T* dy, T* dx) {
    const Vec<T> dot = line.fold(Vec<T>(0), plus<T>, [&](Vec<T> sum, int64_t at, int lanes) {
      return fma(load(y + at, lanes), load(dy + at, lanes), sum);
    });
    const Vec<T> total = line.sum(dot);
    line.write(dx, [&](int64_t at, int lanes) {
      line.ahead(y, at);
      line.ahead(dy, at);
      return load(y + at, lanes) * (load(dy + at, lanes) - total);
    });
  }
};

template <class T>
struct LogSoftmaxBackward {
  static constexpr int64_t kLongest = INT64_MAX;
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* y, const T* dy, T* dx) {
    const Vec<T> total =
        line.sum(line.fold(Vec<T>(0), plus<T>, [&](Vec<T> sum, int64_t at, int lanes) {
          return sum + load(dy + at, lanes);
        }));
    line.write(dx, [&](int64_t at, int lanes) {
      line.ahead(y, at);
      line.ahead(dy, at);
      return fnma(exp(load(y + at, lanes)), total, load(dy + at, lanes));
    });
  }
};

// F::run on every line; the pointers are offset alike. `apart`: the result is none of the inputs.
template <class T, class F, class... P>
void for_lines(const Exec& exec, const Lines& lines, bool apart, P*... p) {
  constexpr int64_t size = Vec<T>::size;
  const int64_t count = lines.outer * lines.n * lines.inner;
  if (count == 0) return;
  if (lines.inner == 1) {
    constexpr auto kBytes = static_cast<int64_t>(sizeof(T));
    const bool streamed =
        streams_rows(exec, lines.outer, lines.n * kBytes, apart) && lines.n <= F::kLongest;
    for_each_row(
        exec, lines.outer, lines.n,
        [&](int64_t row) {
          F::run(Along<T>{lines.n, streamed}, (p + row * lines.n)...);
        },
        streamed);
    return;
  }
  const int64_t groups = ceil_div(lines.inner, size);
  for_each_row(exec, lines.outer * groups, lines.n * size, [&](int64_t task) {
    const int64_t i = task % groups * size, at = task / groups * lines.n * lines.inner + i;
    const int lanes = static_cast<int>(min_of(size, lines.inner - i));
    F::run(Across<T>{lines.n, lines.inner, lanes}, (p + at)...);
  });
}

template <class T, template <class> class F>
void forward(const Exec& exec, const Lines& lines, const void* x, void* y) {
  for_lines<T, F<T>>(exec, lines, x != y, static_cast<const T*>(x), static_cast<T*>(y));
}

template <class T, template <class> class F>
void backward(const Exec& exec, const Lines& lines, const void* y, const void* dy, void* dx) {
  for_lines<T, F<T>>(exec, lines, dx != y && dx != dy, static_cast<const T*>(y),
                     static_cast<const T*>(dy), static_cast<T*>(dx));
}

}  // namespace

extern const SoftmaxTable ADJOINT_TABLE;
const SoftmaxTable ADJOINT_TABLE = {
    .softmax = {forward<float, Softmax>, forward<double, Softmax>},
    .log_softmax = {forward<float, LogSoftmax>, forward<double, LogSoftmax>},
    .softmax_backward = {backward<float, SoftmaxBackward>, backward<double, SoftmaxBackward>},
    .log_softmax_backward = {backward<float, LogSoftmaxBackward>,
                             backward<double, LogSoftmaxBackward>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
