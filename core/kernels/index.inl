// Kernels that move rows.
#include "core/kernels/index.h"

#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T>
void gather(const Exec& exec, const Rows& r, const void* table, void* out) {
  if (r.width == 0) return;
  const auto* from = static_cast<const T*>(table);
  auto* to = static_cast<T*>(out);
  const int64_t group = max_of(1, kGrain / r.width);
  parallel_tasks(exec, ceil_div(r.count, group), [&](int64_t task) {
    for (int64_t i = task * group; i < min_of(r.count, (task + 1) * group); ++i) {
      __builtin_memcpy(to + i * r.width, from + r.indices[i] * r.width,
                       static_cast<size_t>(r.width) * sizeof(T));
    }
  });
}

// Tasks are blocks of columns: each walks all indices in order, so no two tasks meet and no order
// depends on how many run at once.
template <class T>
void scatter_add(const Exec& exec, const Rows& r, const void* dy, void* table) {
  using A = Computed<T>;
  constexpr int64_t kColumns = 64;
  parallel_tasks(exec, ceil_div(r.width, kColumns), [&](int64_t task) {
    const int64_t first = task * kColumns, n = min_of(kColumns, r.width - first);
    const T* from = static_cast<const T*>(dy) + first;
    A* to = static_cast<A*>(table) + first;
    for (int64_t i = 0; i < r.count; ++i) {
      if (r.indices[i] == r.skip) continue;
      const T* x = from + i * r.width;
      A* y = to + r.indices[i] * r.width;
      for_vectors<Vec<A>::size>(n, [&](int64_t j, int lanes) {
        store(load(y + j, lanes) + load(x + j, lanes), y + j, lanes);
      });
    }
  });
}

template <class T>
void triangle(const Exec& exec, const Triangle& t) {
  if (t.columns == 0) return;
  const int64_t rows = t.matrices * t.rows, group = max_of(1, kGrain / t.columns);
  parallel_tasks(exec, ceil_div(rows, group), [&](int64_t task) {
    for (int64_t i = task * group; i < min_of(rows, (task + 1) * group); ++i) {
      const T* x = static_cast<const T*>(t.x) + i * t.columns;
      T* y = static_cast<T*>(t.y) + i * t.columns;
      // Columns [0, middle) are kept by the lower triangle, the others by the upper.
      const int64_t edge = i % t.rows + t.diagonal + (t.lower ? 1 : 0);
      const int64_t middle = max_of(0, min_of(t.columns, edge));
      const auto left = static_cast<size_t>(middle) * sizeof(T);
      const auto right = static_cast<size_t>(t.columns - middle) * sizeof(T);
      if (t.lower) {
        __builtin_memcpy(y, x, left);
        __builtin_memset(y + middle, 0, right);
      } else {
        __builtin_memset(y, 0, left);
        __builtin_memcpy(y + middle, x + middle, right);
      }
    }
  });
}

}  // namespace

extern const IndexTable ADJOINT_TABLE;
constinit const IndexTable ADJOINT_TABLE = {
    .gather = {&gather<float>, &gather<double>, &gather<bfloat16>, &gather<float16>,
               &gather<int64_t>, &gather<int32_t>, &gather<uint8_t>, &gather<bool>},
    .scatter_add = {&scatter_add<float>, &scatter_add<double>, &scatter_add<bfloat16>,
                    &scatter_add<float16>},
    .triangle = {&triangle<float>, &triangle<double>, &triangle<bfloat16>, &triangle<float16>,
                 &triangle<int64_t>, &triangle<int32_t>, &triangle<uint8_t>, &triangle<bool>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
