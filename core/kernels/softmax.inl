// Softmax along rows (lanes along the row) and across them (a row in each lane).
#include "core/kernels/softmax.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// One row of n contiguous elements.
template <class T>
struct Along {
  int64_t n;
  template <class F>
  ADJOINT_INLINE void each(const F& f) const {
    for_vectors<Vec<T>::size>(n, f);
  }
  ADJOINT_INLINE Vec<T> sum(Vec<T> x) const { return reduce_add(x); }
  ADJOINT_INLINE Vec<T> max(Vec<T> x) const { return reduce_max(x); }
};

// As many neighbouring rows as there are lanes, whose elements lie `stride` apart.
template <class T>
struct Across {
  int64_t n, stride;
  int lanes;
  template <class F>
  ADJOINT_INLINE void each(const F& f) const {
    for (int64_t j = 0; j < n; ++j) f(j * stride, lanes);
  }
  ADJOINT_INLINE Vec<T> sum(Vec<T> x) const { return x; }
  ADJOINT_INLINE Vec<T> max(Vec<T> x) const { return x; }
};

// A NaN anywhere makes the sum of exponentials NaN, and with it the whole row.
template <class T, class Line>
ADJOINT_INLINE Vec<T> line_max(const Line& line, const T* x) {
  const Vec<T> lowest = -infinity<T>();
  Vec<T> m = lowest;
  line.each([&](int64_t at, int lanes) { m = max(m, keep(load(x + at, lanes), lanes, lowest)); });
  return line.max(m);
}

template <class T>
struct Softmax {
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* x, T* y) {
    const Vec<T> m = line_max(line, x);
    Vec<T> s = 0;
    line.each([&](int64_t at, int lanes) {
      const Vec<T> e = exp(load(x + at, lanes) - m);
      store(e, y + at, lanes);
      s += keep(e, lanes, Vec<T>(0));
    });
    const Vec<T> scale = 1.0 / line.sum(s);
    line.each([&](int64_t at, int lanes) { store(load(y + at, lanes) * scale, y + at, lanes); });
  }
};

template <class T>
struct LogSoftmax {
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* x, T* y) {
    const Vec<T> m = line_max(line, x);
    Vec<T> s = 0;
    line.each(
        [&](int64_t at, int lanes) { s += keep(exp(load(x + at, lanes) - m), lanes, Vec<T>(0)); });
    const Vec<T> log_sum = log(line.sum(s));
    line.each(
        [&](int64_t at, int lanes) { store(load(x + at, lanes) - m - log_sum, y + at, lanes); });
  }
};

template <class T>
struct SoftmaxBackward {
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* y, const T* dy, T* dx) {
    Vec<T> s = 0;
    line.each(
        [&](int64_t at, int lanes) { s = fma(load(y + at, lanes), load(dy + at, lanes), s); });
    const Vec<T> total = line.sum(s);
    line.each([&](int64_t at, int lanes) {
      store(load(y + at, lanes) * (load(dy + at, lanes) - total), dx + at, lanes);
    });
  }
};

template <class T>
struct LogSoftmaxBackward {
  template <class Line>
  static ADJOINT_INLINE void run(const Line& line, const T* y, const T* dy, T* dx) {
    Vec<T> s = 0;
    line.each([&](int64_t at, int lanes) { s += load(dy + at, lanes); });
    const Vec<T> total = line.sum(s);
    line.each([&](int64_t at, int lanes) {
      store(fnma(exp(load(y + at, lanes)), total, load(dy + at, lanes)), dx + at, lanes);
    });
  }
};

// F::run on every line; the pointers are offset alike.
template <class T, class F, class... P>
void for_lines(const Exec& exec, const Lines& lines, P*... p) {
  constexpr int64_t size = Vec<T>::size;
  if (lines.outer * lines.n * lines.inner == 0) return;
  if (lines.inner == 1) {
    for_each_row(exec, lines.outer, lines.n,
                 [&](int64_t row) { F::run(Along<T>{lines.n}, (p + row * lines.n)...); });
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
  for_lines<T, F<T>>(exec, lines, static_cast<const T*>(x), static_cast<T*>(y));
}

template <class T, template <class> class F>
void backward(const Exec& exec, const Lines& lines, const void* y, const void* dy, void* dx) {
  for_lines<T, F<T>>(exec, lines, static_cast<const T*>(y), static_cast<const T*>(dy),
                     static_cast<T*>(dx));
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
