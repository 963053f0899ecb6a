// Rotary positions.
#include "core/kernels/rotary.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Pairs that are gathered at a time.
constexpr int64_t kPairs = 64;

template <class C>
ADJOINT_INLINE void turn(Vec<C> a, Vec<C> b, Vec<C> cos, Vec<C> sin, Vec<C>& first,
                         Vec<C>& second) {
  first = a * cos - b * sin;
  second = b * cos + a * sin;
}

template <class T>
void rotate_row(const Rotary& op, const T* x, const Computed<T>* cos, const Computed<T>* sin,
                T* y) {
  using C = Computed<T>;
  using V = Vec<C>;
  const V sign = op.back ? C(-1) : C(1);
  if (!op.interleaved) {
    const T* const other = x + op.pairs;
    T* const out = y + op.pairs;
    for_vectors<V::size>(op.pairs, [&](int64_t j, int lanes) {
      V first, second;
      turn(load(x + j, lanes), load(other + j, lanes), load(cos + j, lanes),
           load(sin + j, lanes) * sign, first, second);
      store(first, y + j, lanes);
      store(second, out + j, lanes);
    });
  } else {
    C a[kPairs], b[kPairs];
    for (int64_t from = 0; from < op.pairs; from += kPairs) {
      const int64_t n = min_of(kPairs, op.pairs - from);
      const T* const in = x + 2 * from;
      T* const out = y + 2 * from;
      for (int64_t j = 0; j < n; ++j) {
        a[j] = static_cast<C>(in[2 * j]);
        b[j] = static_cast<C>(in[2 * j + 1]);
      }
      for_vectors<V::size>(n, [&](int64_t j, int lanes) {
        V first, second;
        turn(load(a + j, lanes), load(b + j, lanes), load(cos + from + j, lanes),
             load(sin + from + j, lanes) * sign, first, second);
        store(first, a + j, lanes);
        store(second, b + j, lanes);
      });
      for (int64_t j = 0; j < n; ++j) {
        out[2 * j] = static_cast<T>(a[j]);
        out[2 * j + 1] = static_cast<T>(b[j]);
      }
    }
  }
  for (int64_t j = 2 * op.pairs; j < op.width; ++j) y[j] = x[j];
}

template <class T>
void rotate(const Exec& exec, const Rotary& op) {
  using C = Computed<T>;
  int64_t rows = 1;
  for (int d = 0; d < op.rank; ++d) rows *= op.size[d];
  const int64_t group = rows_per_task(op.width);
  parallel_tasks(exec, ceil_div(rows, group), [&](int64_t task) {
    const int64_t last = min_of(rows, (task + 1) * group);
    for (int64_t row = task * group; row < last; ++row) {
      int64_t x = 0, y = 0, table = 0;
      for (int64_t rest = row, d = op.rank - 1; d >= 0; --d) {
        const int64_t i = rest % op.size[d];
        rest /= op.size[d];
        x += i * op.x_stride[d];
        y += i * op.y_stride[d];
        table += i * op.table_stride[d];
      }
      rotate_row(op, static_cast<const T*>(op.x) + x, static_cast<const C*>(op.cos) + table,
                 static_cast<const C*>(op.sin) + table, static_cast<T*>(op.y) + y);
    }
  });
}

}  // namespace

extern const RotaryTable ADJOINT_TABLE;
const RotaryTable ADJOINT_TABLE = {
    .rotate = {rotate<float>, rotate<double>, rotate<bfloat16>, rotate<float16>}};

}  // namespace adjoint::kernels::ADJOINT_ISA
