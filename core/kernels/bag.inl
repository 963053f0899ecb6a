// Sums of rows of a table, bag by bag.
#include "core/kernels/bag.h"

#include "core/kernels/rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class A>
ADJOINT_INLINE A weight_of(const Bags& op, int64_t i) {
  return op.weight == nullptr ? A(1) : static_cast<const A*>(op.weight)[i];
}

// Columns that are summed in registers or near them.
constexpr int64_t kColumns = 256;

template <class T>
void sum(const Exec& exec, const Bags& op, const void* table, void* y) {
  using A = Computed<T>;
  using V = Vec<A>;
  if (op.bags == 0) return;
  const int64_t each = op.width * max_of(1, op.count / op.bags);
  for_each_row(exec, op.bags, each, [&](int64_t b) {
    alignas(kLine) A sums[kColumns];
    for (int64_t first = 0; first < op.width; first += kColumns) {
      const int64_t n = min_of(kColumns, op.width - first);
      __builtin_memset(sums, 0, sizeof sums);
      for (int64_t i = op.begin[b]; i < op.begin[b + 1]; ++i) {
        if (op.index[i] < 0) continue;
        const T* row = static_cast<const T*>(table) + op.index[i] * op.width + first;
        const V w = weight_of<A>(op, i);
        for_vectors<V::size>(n, [&](int64_t j, int lanes) {
          store(fma(load(row + j, lanes), w, load(sums + j, lanes)), sums + j, lanes);
        });
      }
      convert_block(sums, static_cast<T*>(y) + b * op.width + first, n);
    }
  });
}

// Tasks are blocks of columns, each of which walks all entries.
template <class T>
void scatter(const Exec& exec, const Bags& op, const void* y, void* table) {
  using A = Computed<T>;
  using V = Vec<A>;
  constexpr int64_t kBlockColumns = 64;
  parallel_tasks(exec, ceil_div(op.width, kBlockColumns), [&](int64_t task) {
    const int64_t first = task * kBlockColumns, n = min_of(kBlockColumns, op.width - first);
    for (int64_t i = 0; i < op.count; ++i) {
      if (op.index[i] < 0) continue;
      const T* from = static_cast<const T*>(y) + op.bag[i] * op.width + first;
      A* to = static_cast<A*>(table) + op.index[i] * op.width + first;
      const V w = weight_of<A>(op, i);
      for_vectors<V::size>(n, [&](int64_t j, int lanes) {
        store(fma(load(from + j, lanes), w, load(to + j, lanes)), to + j, lanes);
      });
    }
  });
}

template <class T>
void dot(const Exec& exec, const Bags& op, const void* y, const void* table, void* weight) {
  using A = Computed<T>;
  using V = Vec<A>;
  for_each_row(exec, op.count, op.width, [&](int64_t i) {
    A* const to = static_cast<A*>(weight) + i;
    *to = 0;
    if (op.index[i] < 0) return;
    const T* row = static_cast<const T*>(table) + op.index[i] * op.width;
    const T* other = static_cast<const T*>(y) + op.bag[i] * op.width;
    *to = reduce_add(fold_row<V>(
        op.width, V(0), [](V a, V b) { return a + b; },
        [&](V s, int64_t j, int lanes) {
          return fma(load(row + j, lanes), load(other + j, lanes), s);
        }));
  });
}

template <class T>
void find_max(const Exec& exec, const Bags& op, const void* table, int64_t* found) {
  using A = Computed<T>;
  const T* rows = static_cast<const T*>(table);
  for_each_row(exec, op.bags, 16 * op.width, [&](int64_t b) {
    int64_t* const best = found + b * op.width;
    for (int64_t j = 0; j < op.width; ++j) best[j] = -1;
    for (int64_t i = op.begin[b]; i < op.begin[b + 1]; ++i) {
      if (op.index[i] < 0) continue;
      for (int64_t j = 0; j < op.width; ++j) {
        const int64_t at = op.index[i] * op.width + j;
        const A value = static_cast<A>(rows[at]);
        const A before = best[j] < 0 ? value : static_cast<A>(rows[best[j]]);
        if (best[j] < 0 || value > before || (value != value && before == before)) best[j] = at;
      }
    }
  });
}

}  // namespace

extern const BagTable ADJOINT_TABLE;
constinit const BagTable ADJOINT_TABLE = {
    .sum = {&sum<float>, &sum<double>, &sum<bfloat16>, &sum<float16>},
    .scatter = {&scatter<float>, &scatter<double>, &scatter<bfloat16>, &scatter<float16>},
    .dot = {&dot<float>, &dot<double>, &dot<bfloat16>, &dot<float16>},
    .find_max = {&find_max<float>, &find_max<double>, &find_max<bfloat16>, &find_max<float16>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
