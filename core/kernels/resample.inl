// Planes read at other places.
#include "core/kernels/resample.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Tasks, each with memory of its own for a row.
constexpr int64_t kMostTasks = 64;

// The sum of weighted rows of the plane that one row of results is made of: x's own row where it is
// one with weight 1.
template <class T>
ADJOINT_INLINE const Computed<T>* outer_sum(const Resample& op, const T* plane, int64_t d,
                                            int64_t h, Computed<T>* row) {
  using A = Computed<T>;
  using V = Vec<A>;
  const int64_t width = op.in[2];
  const int64_t *begin_d = op.begin[0] + d, *begin_h = op.begin[1] + h;
  const bool one = begin_d[1] - begin_d[0] == 1 && begin_h[1] - begin_h[0] == 1;
  bool first = true;
  for (int64_t i = begin_d[0]; i < begin_d[1]; ++i) {
    for (int64_t k = begin_h[0]; k < begin_h[1]; ++k) {
      const T* from = plane + (op.index[0][i] * op.in[1] + op.index[1][k]) * width;
      const double weight = op.weight[0][i] * op.weight[1][k];
      if constexpr (__is_same(T, A)) {
        if (one && weight == 1) return from;
      }
      const V w = static_cast<A>(weight);
      if (first) {
        for_vectors<V::size>(
            width, [&](int64_t j, int lanes) { store(load(from + j, lanes) * w, row + j, lanes); });
      } else {
        for_vectors<V::size>(width, [&](int64_t j, int lanes) {
          store(fma(load(from + j, lanes), w, load(row + j, lanes)), row + j, lanes);
        });
      }
      first = false;
    }
  }
  if (first) __builtin_memset(row, 0, static_cast<size_t>(width) * sizeof(A));
  return row;
}

// How the width's matrix looks: as many taps for each result, or any number of them.
enum class Form { one, two, any };

// The sum of `count` neighbours by their weights.
template <class A>
ADJOINT_INLINE A sum_of_run(const A* x, const A* weight, int64_t count) {
  using V = Vec<A>;
  const V sum = fold_row<V>(
      count, V(0), [](V a, V b) { return a + b; },
      [&](V s, int64_t j, int lanes) {
        return fma(load(x + j, lanes), load(weight + j, lanes), s);
      });
  return reduce_add(sum);
}

// A row of results of the row that the outer dimensions left.
template <class A>
ADJOINT_INLINE void inner_sums(const Resample& op, Form form, const A* weight, const A* x, A* y) {
  const int64_t n = op.out[2];
  const int64_t *begin = op.begin[2], *index = op.index[2];
  if (form == Form::one) {
    for (int64_t o = 0; o < n; ++o) y[o] = weight[o] * x[index[o]];
    return;
  }
  if (form == Form::two) {
    for (int64_t o = 0; o < n; ++o) {
      y[o] = weight[2 * o] * x[index[2 * o]] + weight[2 * o + 1] * x[index[2 * o + 1]];
    }
    return;
  }
  constexpr int64_t kRun = 16;
  for (int64_t o = 0; o < n; ++o) {
    const int64_t from = begin[o], to = begin[o + 1];
    if (to - from >= kRun && index[to - 1] - index[from] == to - from - 1) {
      y[o] = sum_of_run(x + index[from], weight + from, to - from);
      continue;
    }
    A sum = 0;
    for (int64_t k = from; k < to; ++k) sum += weight[k] * x[index[k]];
    y[o] = sum;
  }
}

Form form_of(const Resample& op) {
  const int64_t n = op.out[2];
  for (int64_t taps = 1; taps <= 2; ++taps) {
    bool all = true;
    for (int64_t o = 0; all && o <= n; ++o) all = op.begin[2][o] == taps * o;
    if (all) return taps == 1 ? Form::one : Form::two;
  }
  return Form::any;
}

// Whether each plane has one result, the sum of all its elements, which lie in one row, by the same
// weight.
bool is_mean(const Resample& op) {
  const int64_t n = op.in[2];
  bool all = op.out[0] * op.out[1] * op.out[2] == 1 && op.in[0] * op.in[1] == 1 && n > 0 &&
             op.begin[2][1] == n;
  for (int d = 0; d < 2; ++d) all = all && op.begin[d][1] == 1 && op.weight[d][0] == 1;
  for (int64_t k = 0; all && k < n; ++k) {
    all = op.index[2][k] == k && op.weight[2][k] == op.weight[2][0];
  }
  return all;
}

template <class T>
void means(const Exec& exec, const Resample& op) {
  using V = Register<T>;
  const int64_t n = op.in[2], group = max_of(1, kGrain / n);
  const V weight = static_cast<Computed<T>>(op.weight[2][0]);
  parallel_tasks(exec, ceil_div(op.planes, group), [&](int64_t task) {
    for (int64_t p = task * group; p < min_of(op.planes, (task + 1) * group); ++p) {
      const T* x = static_cast<const T*>(op.x) + p * n;
      const V sum = fold_row<V>(
          n, V(0), [](V a, V b) { return a + b; },
          [&](V s, int64_t j, int lanes) { return fma(load(x + j, lanes), weight, s); });
      static_cast<T*>(op.y)[p] = static_cast<T>(reduce_add(sum));
    }
  });
}

template <class T>
void resample(const Exec& exec, const Resample& op) {
  using A = Computed<T>;
  constexpr bool kSame = __is_same(T, A);
  const int64_t n = op.out[2], width = op.in[2], rows = op.planes * op.out[0] * op.out[1];
  if (rows == 0 || n == 0) return;
  if (is_mean(op)) {
    means<T>(exec, op);
    return;
  }
  const int64_t count = op.begin[2][n], group = max_of(1, kGrain / max_of(1, n + count + width));
  const int64_t tasks = min_of(kMostTasks, ceil_div(rows, group));
  const int64_t space = ceil_div(width + (kSame ? 0 : n), kLine) * kLine;
  A* const memory = static_cast<A*>(
      exec.acquire(static_cast<size_t>(tasks * space + max_of(1, count)) * sizeof(A)));
  A* const weight = memory + tasks * space;
  for (int64_t k = 0; k < count; ++k) weight[k] = static_cast<A>(op.weight[2][k]);
  const Form form = form_of(op);
  parallel_tasks(exec, tasks, [&](int64_t task) {
    A* const row = memory + task * space;
    const int64_t last = rows * (task + 1) / tasks;
    for (int64_t r = rows * task / tasks; r < last; ++r) {
      const int64_t h = r % op.out[1], d = r / op.out[1] % op.out[0];
      const int64_t plane = r / (op.out[1] * op.out[0]);
      const T* from = static_cast<const T*>(op.x) + plane * op.in[0] * op.in[1] * width;
      const A* const x = outer_sum<T>(op, from, d, h, row);
      T* const to = static_cast<T*>(op.y) + r * n;
      if constexpr (kSame) {
        inner_sums<A>(op, form, weight, x, to);
      } else {
        inner_sums<A>(op, form, weight, x, row + width);
        convert_block(row + width, to, n);
      }
    }
  });
  exec.release(memory);
}

// --- lists of places ---

template <class A>
ADJOINT_INLINE const A* weights_of(const Taps& op, int64_t group) {
  if (op.weight == nullptr) return nullptr;
  return static_cast<const A*>(op.weight) + group * op.taps * op.outputs;
}

template <class T>
void gather(const Exec& exec, const Taps& op, const void* x, void* y) {
  using A = Computed<T>;
  const int64_t n = op.outputs, rows = op.groups * op.channels;
  for_each_row(exec, rows, n * op.taps, [&](int64_t row) {
    const int64_t group = row / op.channels;
    const T* from = static_cast<const T*>(x) + row * op.size;
    T* to = static_cast<T*>(y) + row * n;
    const int64_t* index = op.index + group * op.taps * n;
    const A* weight = weights_of<A>(op, group);
    for (int64_t o = 0; o < n; ++o) {
      A sum = 0;
      for (int64_t k = 0; k < op.taps; ++k) {
        const int64_t at = index[k * n + o];
        if (at < 0) continue;
        const A value = static_cast<A>(from[at]);
        sum += weight == nullptr ? value : weight[k * n + o] * value;
      }
      to[o] = static_cast<T>(sum);
    }
  });
}

template <class T>
void scatter(const Exec& exec, const Taps& op, const void* y, void* x) {
  using A = Computed<T>;
  const int64_t n = op.outputs, rows = op.groups * op.channels;
  for_each_row(exec, rows, n * op.taps + op.size, [&](int64_t row) {
    const int64_t group = row / op.channels;
    const T* from = static_cast<const T*>(y) + row * n;
    A* to = static_cast<A*>(x) + row * op.size;
    const int64_t* index = op.index + group * op.taps * n;
    const A* weight = weights_of<A>(op, group);
    __builtin_memset(to, 0, static_cast<size_t>(op.size) * sizeof(A));
    for (int64_t o = 0; o < n; ++o) {
      const A value = static_cast<A>(from[o]);
      for (int64_t k = 0; k < op.taps; ++k) {
        const int64_t at = index[k * n + o];
        if (at < 0) continue;
        to[at] += weight == nullptr ? value : weight[k * n + o] * value;
      }
    }
  });
}

template <class T>
void correlate(const Exec& exec, const Taps& op, const void* y, const void* x, void* weight) {
  using A = Computed<T>;
  const int64_t n = op.outputs;
  for_each_row(exec, op.groups * op.taps, n * op.channels, [&](int64_t row) {
    const int64_t group = row / op.taps;
    const T* other = static_cast<const T*>(y) + group * op.channels * n;
    const T* from = static_cast<const T*>(x) + group * op.channels * op.size;
    const int64_t* index = op.index + row * n;
    A* to = static_cast<A*>(weight) + row * n;
    __builtin_memset(to, 0, static_cast<size_t>(n) * sizeof(A));
    for (int64_t c = 0; c < op.channels; ++c, other += n, from += op.size) {
      for (int64_t o = 0; o < n; ++o) {
        if (index[o] >= 0) to[o] += static_cast<A>(other[o]) * static_cast<A>(from[index[o]]);
      }
    }
  });
}

// --- grids ---

// Along one size: where each tap reads (-1: nothing), its weight, and how that changes with the
// coordinate.
template <class A>
struct Around {
  int64_t index[4];
  A weight[4], slope[4];
};

ADJOINT_INLINE float floor_of(float x) { return __builtin_floorf(x); }
ADJOINT_INLINE double floor_of(double x) { return __builtin_floor(x); }
ADJOINT_INLINE float nearest_of(float x) { return __builtin_rintf(x); }
ADJOINT_INLINE double nearest_of(double x) { return __builtin_rint(x); }
ADJOINT_INLINE float remainder_of(float x, float y) { return __builtin_fmodf(x, y); }
ADJOINT_INLINE double remainder_of(double x, double y) { return __builtin_fmod(x, y); }

// A place in elements, and how it changes with the coordinate.
template <class A>
struct Spot {
  A at, slope;
};

// Mirrored at the centres of the outer elements (align_corners), or at their edges.
template <class A>
ADJOINT_INLINE Spot<A> reflect(Spot<A> s, int64_t size, bool align_corners) {
  const A low = align_corners ? A(0) : A(-0.5);
  const A span = static_cast<A>(align_corners ? size - 1 : size);
  if (span == 0) return {0, 0};
  A off = s.at - low;
  if (off < 0) {
    off = -off;
    s.slope = -s.slope;
  }
  const A rest = remainder_of(off, span);
  if (remainder_of(floor_of(off / span), A(2)) == 0) return {rest + low, s.slope};
  return {span - rest + low, -s.slope};
}

// Into [0, size - 1]; what is no number becomes 0.
template <class A>
ADJOINT_INLINE Spot<A> clip(Spot<A> s, int64_t size) {
  const A last = static_cast<A>(size - 1);
  if (!(s.at > 0)) return {0, 0};
  return s.at < last ? s : Spot<A>{last, 0};
}

template <class A>
ADJOINT_INLINE Spot<A> inside(const GridTaps& op, Spot<A> s, int64_t size) {
  if (op.reflection) s = reflect(s, size, op.align_corners);
  return op.border || op.reflection ? clip(s, size) : s;
}

template <class A>
ADJOINT_INLINE int64_t element_at(A at, int64_t size) {
  if (at != at) return 0;  // its weight is no number either
  return at >= 0 && at <= static_cast<A>(size - 1) ? static_cast<int64_t>(at) : -1;
}

template <class A>
ADJOINT_INLINE void set_cubic(Around<A>& a, A t) {
  constexpr A c = A(-0.75);
  const auto near = [](A x) { return ((c + 2) * x - (c + 3)) * x * x + 1; };
  const auto near_slope = [](A x) { return (3 * (c + 2) * x - 2 * (c + 3)) * x; };
  const auto far = [](A x) { return ((c * x - 5 * c) * x + 8 * c) * x - 4 * c; };
  const auto far_slope = [](A x) { return (3 * c * x - 10 * c) * x + 8 * c; };
  a.weight[0] = far(t + 1);
  a.weight[1] = near(t);
  a.weight[2] = near(1 - t);
  a.weight[3] = far(2 - t);
  a.slope[0] = far_slope(t + 1);
  a.slope[1] = near_slope(t);
  a.slope[2] = -near_slope(1 - t);
  a.slope[3] = -far_slope(2 - t);
}

template <class A>
ADJOINT_INLINE Around<A> around(const GridTaps& op, A coordinate, int64_t size) {
  Around<A> a;
  const A half = static_cast<A>(op.align_corners ? size - 1 : size) / 2;
  Spot<A> s = {(coordinate + 1) * half - (op.align_corners ? A(0) : A(0.5)), half};
  if (op.taps_each == 4) {
    const A below = floor_of(s.at);
    set_cubic(a, s.at - below);
    for (int64_t k = 0; k < 4; ++k) {
      a.index[k] = element_at(inside<A>(op, {below + static_cast<A>(k - 1), 0}, size).at, size);
      a.slope[k] *= half;
    }
    return a;
  }
  s = inside(op, s, size);
  if (op.taps_each == 1) {
    a.index[0] = s.at != s.at ? -1 : element_at(nearest_of(s.at), size);
    a.weight[0] = 1;
    a.slope[0] = 0;
    return a;
  }
  const A below = floor_of(s.at), t = s.at - below;
  a.index[0] = element_at(below, size);
  a.index[1] = element_at(below + 1, size);
  a.weight[0] = 1 - t;
  a.weight[1] = t;
  a.slope[0] = -s.slope;
  a.slope[1] = s.slope;
  return a;
}

// Calls f(o, around) for each place of a grid.
template <class A, class F>
void for_each_place(const Exec& exec, const GridTaps& op, const F& f) {
  for_each_row(exec, op.groups * op.outputs, 16, [&](int64_t place) {
    const A* coordinates = static_cast<const A*>(op.grid) + place * op.rank;
    Around<A> along[3];
    for (int d = 0; d < op.rank; ++d) along[d] = around(op, coordinates[d], op.size[d]);
    f(place, along);
  });
}

ADJOINT_INLINE int64_t all_taps(const GridTaps& op) {
  return op.taps_each * op.taps_each * (op.rank == 3 ? op.taps_each : 1);
}

template <class A>
void grid_taps(const Exec& exec, const GridTaps& op) {
  const int64_t each = op.taps_each, taps = all_taps(op), n = op.outputs;
  for_each_place<A>(exec, op, [&](int64_t place, const Around<A>* along) {
    const int64_t first = place / n * taps * n + place % n;
    for (int64_t k = 0; k < taps; ++k) {
      int64_t index = 0, stride = 1, rest = k;
      A weight = 1;
      for (int d = 0; d < op.rank; ++d, rest /= each) {
        const int64_t at = along[d].index[rest % each];
        weight *= along[d].weight[rest % each];
        index = at < 0 || index < 0 ? -1 : index + at * stride;
        stride *= op.size[d];
      }
      op.index[first + k * n] = index;
      static_cast<A*>(op.weight)[first + k * n] = weight;
    }
  });
}

template <class A>
void grid_taps_backward(const Exec& exec, const GridTaps& op) {
  const int64_t each = op.taps_each, taps = all_taps(op), n = op.outputs;
  for_each_place<A>(exec, op, [&](int64_t place, const Around<A>* along) {
    const A* dweight = static_cast<const A*>(op.dweight) + place / n * taps * n + place % n;
    A* dgrid = static_cast<A*>(op.dgrid) + place * op.rank;
    for (int of = 0; of < op.rank; ++of) {
      A sum = 0;
      for (int64_t k = 0; k < taps; ++k) {
        int64_t rest = k;
        A change = dweight[k * n];
        for (int d = 0; d < op.rank; ++d, rest /= each) {
          change *= d == of ? along[d].slope[rest % each] : along[d].weight[rest % each];
        }
        sum += change;
      }
      dgrid[of] = sum;
    }
  });
}

}  // namespace

extern const ResampleTable ADJOINT_TABLE;
constinit const ResampleTable ADJOINT_TABLE = {
    .resample = {&resample<float>, &resample<double>, &resample<bfloat16>, &resample<float16>},
    .gather = {&gather<float>, &gather<double>, &gather<bfloat16>, &gather<float16>},
    .scatter = {&scatter<float>, &scatter<double>, &scatter<bfloat16>, &scatter<float16>},
    .correlate = {&correlate<float>, &correlate<double>, &correlate<bfloat16>, &correlate<float16>},
    .grid_taps = {&grid_taps<float>, &grid_taps<double>},
    .grid_taps_backward = {&grid_taps_backward<float>, &grid_taps_backward<double>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
