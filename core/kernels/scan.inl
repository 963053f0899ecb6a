// Kernels of scans.
#include "core/kernels/scan.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// What sums and products are kept in: of millions of elements of f32 each result is rounded once.
template <class T>
struct KeptIn {
  using type = double;
};
template <>
struct KeptIn<int64_t> {
  using type = int64_t;
};
template <class T>
using Kept = typename KeptIn<T>::type;

// Whole numbers wrap around.
ADJOINT_INLINE double plus(double a, double b) { return a + b; }
ADJOINT_INLINE int64_t plus(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}
ADJOINT_INLINE double times(double a, double b) { return a * b; }
ADJOINT_INLINE int64_t times(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
}

constexpr int64_t kPiece = 32768, kManyRows = 16;

// run(row, first, n, before) for pieces of rows that cover them all, see Note [Long scans].
// `nothing` is the State before a row, total(row, first, n) that of a piece alone, join(a, b) that
// of one after the other.
template <class State, class Total, class Join, class Run>
void scan_rows(const Exec& exec, int64_t rows, int64_t n, State nothing, const Total& total,
               const Join& join, const Run& run) {
  if (n < 4 * kPiece || rows >= kManyRows) {
    for_each_row(exec, rows, n, [&](int64_t row) { run(row, 0, n, nothing); });
    return;
  }
  const int64_t pieces = ceil_div(n, kPiece);
  auto* before =
      static_cast<State*>(exec.acquire(static_cast<size_t>(rows * pieces) * sizeof(State)));
  parallel_tasks(exec, rows * pieces, [&](int64_t task) {
    const int64_t first = task % pieces * kPiece;
    before[task] = total(task / pieces, first, min_of(kPiece, n - first));
  });
  for (int64_t row = 0; row < rows; ++row) {
    State sum = nothing;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const State own = before[row * pieces + piece];
      before[row * pieces + piece] = sum;
      sum = join(sum, own);
    }
  }
  parallel_tasks(exec, rows * pieces, [&](int64_t task) {
    const int64_t first = task % pieces * kPiece;
    run(task / pieces, first, min_of(kPiece, n - first), before[task]);
  });
  exec.release(before);
}

// --- sums and products ---

template <class T>
struct Sum {
  using A = Kept<T>;
  static ADJOINT_INLINE A nothing() { return A(0); }
  static ADJOINT_INLINE A join(A a, A b) { return plus(a, b); }
  // Four at a time, so that an addition waits for the one before only every fourth element.
  static void run(const T* x, T* y, int64_t n, int64_t step, A before) {
    int64_t j = 0;
    for (; j + 4 <= n; j += 4, x += 4 * step, y += 4 * step) {
      const A a = static_cast<A>(x[0]), c = static_cast<A>(x[2 * step]);
      const A ab = plus(a, static_cast<A>(x[step])), cd = plus(c, static_cast<A>(x[3 * step]));
      y[0] = static_cast<T>(plus(before, a));
      y[step] = static_cast<T>(plus(before, ab));
      y[2 * step] = static_cast<T>(plus(before, plus(ab, c)));
      before = plus(before, plus(ab, cd));
      y[3 * step] = static_cast<T>(before);
    }
    for (; j < n; ++j, x += step, y += step) {
      before = plus(before, static_cast<A>(*x));
      *y = static_cast<T>(before);
    }
  }
};

template <class T>
struct Product {
  using A = Kept<T>;
  static ADJOINT_INLINE A nothing() { return A(1); }
  static ADJOINT_INLINE A join(A a, A b) { return times(a, b); }
  static void run(const T* x, T* y, int64_t n, int64_t step, A before) {
    for (int64_t j = 0; j < n; ++j, x += step, y += step) {
      before = times(before, static_cast<A>(*x));
      *y = static_cast<T>(before);
    }
  }
};

template <class T>
Kept<T> total(const T* x, int64_t n) {
  using A = Kept<T>;
  A a = 0, b = 0, c = 0, d = 0;
  int64_t j = 0;
  for (; j + 4 <= n; j += 4) {
    a = plus(a, static_cast<A>(x[j]));
    b = plus(b, static_cast<A>(x[j + 1]));
    c = plus(c, static_cast<A>(x[j + 2]));
    d = plus(d, static_cast<A>(x[j + 3]));
  }
  for (; j < n; ++j) a = plus(a, static_cast<A>(x[j]));
  return plus(plus(a, b), plus(c, d));
}

// Neighbouring lines that advance together.
constexpr int64_t kStripe = 64;

template <class T, class F>
void across(const T* x, T* y, int64_t n, int64_t step, int64_t width) {
  using A = Kept<T>;
  A so_far[kStripe];
  for (A& a : so_far) a = F::nothing();
  const auto advance = [&](const T* __restrict from, T* __restrict to, int64_t m) {
    for (int64_t i = 0; i < m; ++i) {
      so_far[i] = F::join(so_far[i], static_cast<A>(from[i]));
      to[i] = static_cast<T>(so_far[i]);
    }
  };
  for (int64_t j = 0; j < n; ++j, x += step, y += step) {
    // A constant, for compilers that use vectors only where they know how many there are.
    if (width == kStripe) {
      advance(x, y, kStripe);
    } else {
      advance(x, y, width);
    }
  }
}

template <class T, class F, bool kPieces>
void scan(const Exec& exec, const Scan& s) {
  using A = Kept<T>;
  const auto* x = static_cast<const T*>(s.x);
  auto* y = static_cast<T*>(s.y);
  if (s.outer * s.n * s.inner == 0) return;
  if (s.inner > 1) {
    const int64_t stripes = ceil_div(s.inner, kStripe);
    for_each_row(exec, s.outer * stripes, s.n * min_of(s.inner, kStripe), [&](int64_t unit) {
      const int64_t i = unit % stripes * kStripe, last = s.reverse ? (s.n - 1) * s.inner : 0;
      const int64_t at = unit / stripes * s.n * s.inner + i + last;
      across<T, F>(x + at, y + at, s.n, s.reverse ? -s.inner : s.inner,
                   min_of(kStripe, s.inner - i));
    });
    return;
  }
  // The n elements from `first` on in the order of the scan.
  const auto run = [&](int64_t row, int64_t first, int64_t n, A before) {
    const int64_t at = row * s.n + (s.reverse ? s.n - 1 - first : first);
    F::run(x + at, y + at, n, s.reverse ? -1 : 1, before);
  };
  if constexpr (kPieces) {
    scan_rows(
        exec, s.outer, s.n, F::nothing(),
        [&](int64_t row, int64_t first, int64_t n) {
          return total(x + row * s.n + (s.reverse ? s.n - first - n : first), n);
        },
        [](A a, A b) { return F::join(a, b); }, run);
  } else {
    for_each_row(exec, s.outer, s.n, [&](int64_t row) { run(row, 0, s.n, F::nothing()); });
  }
}

template <class T>
void sum(const Exec& exec, const Scan& s) {
  scan<T, Sum<T>, true>(exec, s);
}
template <class T>
void product(const Exec& exec, const Scan& s) {
  scan<T, Product<T>, false>(exec, s);
}

// --- extrema ---

template <class T>
struct Extremum {
  T value;
  int64_t index;  // -1: nothing yet
};

template <bool kMax, class T>
ADJOINT_INLINE bool replaces(T x, T value) {
  // Nothing but NaN takes the place of NaN.
  return (kMax ? x >= value : x <= value) || x != x;
}

template <class T, bool kMax>
void extremum(const Exec& exec, const RowScan& s) {
  const auto* x = static_cast<const T*>(s.x);
  auto* y = static_cast<T*>(s.y);
  const auto find = [&](const T* from, int64_t first, int64_t n, Extremum<T> best,
                        const auto& see) {
    for (int64_t j = 0; j < n; ++j) {
      if (replaces<kMax>(from[j], best.value)) best = {from[j], first + j};
      see(j, best);
    }
    return best;
  };
  T lowest;
  if constexpr (__is_same(T, int64_t)) {
    lowest = kMax ? INT64_MIN : INT64_MAX;
  } else {
    lowest = kMax ? -infinity<T>() : infinity<T>();
  }
  const Extremum<T> nothing{lowest, -1};
  scan_rows(
      exec, s.rows, s.n, nothing,
      [&](int64_t row, int64_t first, int64_t n) {
        return find(x + row * s.n + first, first, n, nothing, [](int64_t, const Extremum<T>&) {});
      },
      [](const Extremum<T>& a, const Extremum<T>& b) {
        return b.index >= 0 && replaces<kMax>(b.value, a.value) ? b : a;
      },
      [&](int64_t row, int64_t first, int64_t n, const Extremum<T>& before) {
        const int64_t at = row * s.n + first;
        find(x + at, first, n, before, [&](int64_t j, const Extremum<T>& best) {
          y[at + j] = best.value;
          s.indices[at + j] = best.index;
        });
      });
}

// --- logarithms of sums of exponentials ---

// The logarithm of the sum is max + log(sum): a sum of 0 is nothing yet.
template <class T>
struct LogSum {
  T max;
  double sum;
};

template <class T>
ADJOINT_INLINE T exp_of(T x) {
  T lanes[Vec<T>::size];
  exp(Vec<T>(x)).store(lanes);
  return lanes[0];
}
template <class T>
ADJOINT_INLINE T log_of(const LogSum<T>& s) {
  T lanes[Vec<T>::size];
  log(Vec<T>(static_cast<T>(s.sum))).store(lanes);
  return s.sum == 0 ? -infinity<T>() : s.max + lanes[0];
}

// exp(a) and exp(b) added up; infinities and NaN as they come.
template <class T>
ADJOINT_INLINE LogSum<T> join(LogSum<T> a, LogSum<T> b) {
  if (b.sum == 0) return a;
  if (a.sum == 0) return b;
  if (b.max > a.max) {
    const LogSum<T> smaller = a;
    a = b;
    b = smaller;
  }
  // Equal infinities have a difference of 0.
  const T difference = b.max == a.max ? T(0) : b.max - a.max;
  return {a.max, a.sum + b.sum * static_cast<double>(exp_of(difference))};
}

constexpr int64_t kLogBlock = 256;

// Elements [0, n), n <= kLogBlock, added to `s`; y: null where only that is asked for. They are
// added relative to the largest of all where that is near the first of the sums (which only grow):
// then none vanishes, and log(sum) + max rounds to a few units of max - first.
template <class T>
LogSum<T> log_block(const T* x, T* y, int64_t n, LogSum<T> s) {
  constexpr T kRange = 8;
  Vec<T> highest = -infinity<T>();
  for_vectors<Vec<T>::size>(n, [&](int64_t j, int lanes) {
    highest = maximum(highest, keep(load(x + j, lanes), lanes, Vec<T>(-infinity<T>())));
  });
  const T high = reduce_max(highest), first = s.sum == 0 ? x[0] : s.max;
  const T max = s.sum != 0 && s.max > high ? s.max : high;
  if (!(max - first <= kRange && max < infinity<T>())) {
    for (int64_t j = 0; j < n; ++j) {
      s = join(s, {x[j], x[j] == -infinity<T>() ? 0.0 : 1.0});
      if (y != nullptr) y[j] = log_of(s);
    }
    return s;
  }
  T e[kLogBlock];
  for_vectors<Vec<T>::size>(
      n, [&](int64_t j, int lanes) { store(exp(load(x + j, lanes) - Vec<T>(max)), e + j, lanes); });
  double sum = s.sum == 0 ? 0.0 : s.sum * static_cast<double>(exp_of(s.max - max));
  for (int64_t j = 0; j < n; ++j) {
    sum += static_cast<double>(e[j]);
    e[j] = static_cast<T>(sum);
  }
  if (y != nullptr) {
    for_vectors<Vec<T>::size>(n, [&](int64_t j, int lanes) {
      store(log(load(e + j, lanes)) + Vec<T>(max), y + j, lanes);
    });
  }
  return {max, sum};
}

template <class T>
void logsumexp(const Exec& exec, const RowScan& s) {
  const auto* x = static_cast<const T*>(s.x);
  auto* y = static_cast<T*>(s.y);
  const LogSum<T> nothing{-infinity<T>(), 0};
  const auto blocks = [](const T* from, T* to, int64_t n, LogSum<T> sum) {
    for (int64_t j = 0; j < n; j += kLogBlock) {
      sum = log_block(from + j, to == nullptr ? to : to + j, min_of(kLogBlock, n - j), sum);
    }
    return sum;
  };
  scan_rows(
      exec, s.rows, s.n, nothing,
      [&](int64_t row, int64_t first, int64_t n) {
        return blocks(x + row * s.n + first, nullptr, n, nothing);
      },
      [](const LogSum<T>& a, const LogSum<T>& b) { return join(a, b); },
      [&](int64_t row, int64_t first, int64_t n, const LogSum<T>& before) {
        blocks(x + row * s.n + first, y + row * s.n + first, n, before);
      });
}

// --- recurrences ---

template <class T>
void recurrence(const Exec& exec, const Recurrence& r) {
  const auto* a = static_cast<const T*>(r.a);
  const auto* b = static_cast<const T*>(r.b);
  auto* h = static_cast<T*>(r.h);
  for_each_row(exec, r.rows, r.n, [&](int64_t row) {
    int64_t at = row * r.n + (r.reverse ? r.n - 1 : 0);
    const int64_t step = r.reverse ? -1 : 1;
    double so_far = 0;
    for (int64_t j = 0; j < r.n; ++j, at += step) {
      so_far = static_cast<double>(a[at]) * so_far + static_cast<double>(b[at]);
      h[at] = static_cast<T>(so_far);
    }
  });
}

}  // namespace

extern const ScanTable ADJOINT_TABLE;
constinit const ScanTable ADJOINT_TABLE = {
    .sum = {&sum<float>, &sum<double>, &sum<int64_t>},
    .product = {&product<float>, &product<double>, &product<int64_t>},
    .max = {&extremum<float, true>, &extremum<double, true>, &extremum<int64_t, true>},
    .min = {&extremum<float, false>, &extremum<double, false>, &extremum<int64_t, false>},
    .logsumexp = {&logsumexp<float>, &logsumexp<double>},
    .recurrence = {&recurrence<float>, &recurrence<double>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
