// See Note [Alignments] in ctc.h.
#include "core/kernels/ctc.h"

#include "core/kernels/rows.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// States that nothing reaches, before the first (and after the last, going back).
constexpr int64_t kMargin = 2;

// log(exp(a) + exp(b) + exp(c))
template <class T>
ADJOINT_INLINE Vec<T> log_sum(Vec<T> a, Vec<T> b, Vec<T> c) {
  using V = Vec<T>;
  const V none = -infinity<T>(), top = max(a, max(b, c));
  const V shift = select(top == none, V(0), top);
  return shift + log(exp(a - shift) + exp(b - shift) + exp(c - shift));
}

// One item's states, and scratch for a row of them with margins on both sides.
template <class T>
struct States {
  const Ctc* op;
  int64_t item, times, count;
  const int64_t* labels;
  T *emission, *may_skip, *rows[2];

  int64_t class_of(int64_t s) const { return s % 2 == 0 ? op->blank : labels[s / 2]; }
  const T* log_probs(int64_t t) const {
    return static_cast<const T*>(op->log_probs) + (t * op->items + item) * op->classes;
  }
  T* alpha(int64_t t) const {
    return static_cast<T*>(op->alpha) + (item * op->times + t) * (2 * op->longest + 1 + kMargin) +
           kMargin;
  }
};

ADJOINT_INLINE int64_t row_length(const Ctc& op) { return 2 * op.longest + 1 + 2 * kMargin; }

template <class T>
void fill(T* x, int64_t n, T value) {
  for (int64_t i = 0; i < n; ++i) x[i] = value;
}

// `space`: four rows.
template <class T>
States<T> states_of(const Ctc& op, int64_t item, T* space) {
  const int64_t length = row_length(op);
  States<T> s{&op,
              item,
              op.input_lengths[item],
              2 * op.target_lengths[item] + 1,
              op.labels + op.starts[item],
              space,
              space + length,
              {space + 2 * length, space + 3 * length}};
  fill(space, 4 * length, -infinity<T>());
  s.may_skip += kMargin;
  for (int64_t i = 3; i < s.count; i += 2) {
    if (s.labels[i / 2] != s.labels[i / 2 - 1]) s.may_skip[i] = T(0);
  }
  return s;
}

template <class T>
void load_emission(const States<T>& s, int64_t t) {
  const T* const from = s.log_probs(t);
  for (int64_t i = 0; i < s.count; ++i) s.emission[i] = from[s.class_of(i)];
}

template <class T>
void forward_item(const Ctc& op, int64_t item, T* space) {
  using V = Vec<T>;
  const States<T> s = states_of(op, item, space);
  T* const loss = static_cast<T*>(op.loss) + item;
  if (s.times == 0) {
    *loss = s.count == 1 ? T(0) : infinity<T>();
    return;
  }
  for (int64_t t = 0; t < s.times; ++t) {
    T* const now = s.alpha(t);
    fill(now - kMargin, s.count + kMargin, -infinity<T>());
    load_emission(s, t);
    if (t == 0) {
      for (int64_t i = 0; i < min_of(2, s.count); ++i) now[i] = s.emission[i];
      continue;
    }
    const T* const before = s.alpha(t - 1);
    for_vectors<V::size>(s.count, [&](int64_t i, int lanes) {
      const V stay = load(before + i, lanes), step = load(before + i - 1, lanes);
      const V skip = load(before + i - 2, lanes) + load(s.may_skip + i, lanes);
      store(log_sum(stay, step, skip) + load(s.emission + i, lanes), now + i, lanes);
    });
  }
  const T* const end = s.alpha(s.times - 1) + s.count;
  const V likelihood =
      log_sum(V(end[-1]), V(s.count > 1 ? end[-2] : -infinity<T>()), V(-infinity<T>()));
  (-likelihood).store_n(loss, 1);
}

template <class T>
void backward_item(const Ctc& op, int64_t item, T* space) {
  using V = Vec<T>;
  const States<T> s = states_of(op, item, space);
  const T loss = static_cast<const T*>(op.loss)[item], dy = static_cast<const T*>(op.dy)[item];
  const auto row_of = [&](int64_t t) {
    return static_cast<T*>(op.d) + (t * op.items + item) * op.classes;
  };
  const bool none = loss == infinity<T>();
  for (int64_t t = 0; t < op.times; ++t) {
    const bool broken = none && !op.zero_infinity && t < s.times;
    fill(row_of(t), op.classes, broken ? loss - loss : T(0));
  }
  if (none) return;
  T *now = s.rows[0], *after = s.rows[1];  // endings; their margin is behind the last state
  for (int64_t t = s.times - 1; t >= 0; --t) {
    if (t == s.times - 1) {
      for (int64_t i = max_of(0, s.count - 2); i < s.count; ++i) now[i] = T(0);
    } else {
      T* const swapped = now;
      now = after;
      after = swapped;
      // What follows counts with its own probability, those of time t + 1.
      for_vectors<V::size>(s.count, [&](int64_t i, int lanes) {
        store(load(after + i, lanes) + load(s.emission + i, lanes), after + i, lanes);
      });
      for_vectors<V::size>(s.count, [&](int64_t i, int lanes) {
        const V stay = load(after + i, lanes), step = load(after + i + 1, lanes);
        const V skip = load(after + i + 2, lanes) + load(s.may_skip + i + 2, lanes);
        store(log_sum(stay, step, skip), now + i, lanes);
      });
    }
    load_emission(s, t);
    T* const share = after;  // what was there has been used
    const T* const alpha = s.alpha(t);
    for_vectors<V::size>(s.count, [&](int64_t i, int lanes) {
      store(exp(load(alpha + i, lanes) + load(now + i, lanes) + V(loss)), share + i, lanes);
    });
    T* const d = row_of(t);
    for (int64_t i = 0; i < s.count; ++i) d[s.class_of(i)] -= share[i] * dy;
    fill(share, s.count, -infinity<T>());
  }
}

// Calls f(item, four rows of scratch) for each item; each has its own.
template <class T, class F>
void for_items(const Exec& exec, const Ctc& op, const F& f) {
  const int64_t each = 4 * row_length(op);
  T* const space =
      static_cast<T*>(exec.acquire(static_cast<size_t>(max_of(1, op.items * each)) * sizeof(T)));
  parallel_tasks(exec, op.items, [&](int64_t item) { f(item, space + item * each); });
  exec.release(space);
}

template <class T>
void forward(const Exec& exec, const Ctc& op) {
  for_items<T>(exec, op, [&](int64_t item, T* space) { forward_item(op, item, space); });
}

template <class T>
void backward(const Exec& exec, const Ctc& op) {
  for_items<T>(exec, op, [&](int64_t item, T* space) { backward_item(op, item, space); });
}

}  // namespace

extern const CtcTable ADJOINT_TABLE;
const CtcTable ADJOINT_TABLE = {.forward = {forward<float>, forward<double>},
                                .backward = {backward<float>, backward<double>}};

}  // namespace adjoint::kernels::ADJOINT_ISA
