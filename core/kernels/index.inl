// Kernels that move elements by index.
#include "core/kernels/index.h"

#include "core/kernels/scatter.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows of at most so many elements are copied by a loop, for a call would cost more.
constexpr int64_t kShortRow = 16;

// The loop without its innermost dimension.
template <int N>
Loop<N> without_innermost(const Loop<N>& loop) {
  Loop<N> rows = loop;
  --rows.rank;
  for (int d = 0; d < rows.rank; ++d) {
    rows.size[d] = loop.size[d + 1];
    for (int i = 0; i < N; ++i) rows.stride[i][d] = loop.stride[i][d + 1];
  }
  return rows;
}

// By size of element: T is an unsigned type.
template <class T>
void gather(const Exec& exec, const Loop<3>& loop, const Along& along) {
  T* const to = static_cast<T*>(loop.data[0]);
  const auto* indices = static_cast<const int64_t*>(loop.data[1]);
  const T* const from = static_cast<const T*>(loop.data[2]);
  const int64_t sy = loop.stride[0][0], si = loop.stride[1][0], st = loop.stride[2][0];
  if (loop.rank > 1 && si == 0 && loop.size[0] <= kShortRow) {  // a row for each index
    const Loop<3> rows = without_innermost(loop);
    for_rows(exec, rows, false, [&](const int64_t* at, int64_t n) {
      for (int64_t row = 0; row < n; ++row) {
        const int64_t index = indices[at[1] + row * rows.stride[1][0]];
        const T* x = from + at[2] + row * rows.stride[2][0];
        x += wrapped(index, along.extent) * along.step;
        T* y = to + at[0] + row * rows.stride[0][0];
        for (int64_t j = 0; j < loop.size[0]; ++j) y[j * sy] = x[j * st];
      }
    });
    return;
  }
  const bool whole_rows = si == 0 && st == 1 && sy == 1,
             streamed = whole_rows && streams<T>(exec, loop);
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    T* y = to + at[0];
    const int64_t* index = indices + at[1];
    const T* x = from + at[2];
    if (si != 0) {
      for (int64_t j = 0; j < n; ++j) {
        y[j * sy] = x[j * st + wrapped(index[j * si], along.extent) * along.step];
      }
      return;
    }
    x += wrapped(*index, along.extent) * along.step;
    if (streamed) {
      stream_copy(y, x, n * static_cast<int64_t>(sizeof(T)));
    } else if (whole_rows) {
      __builtin_memcpy(y, x, static_cast<size_t>(n) * sizeof(T));
    } else {
      for (int64_t j = 0; j < n; ++j) y[j * sy] = x[j * st];
    }
  });
}

void outside(const Exec& exec, const Loop<1>& loop, int64_t low, int64_t high, bool* found) {
  for_rows(exec, loop, false, [&](const int64_t* at, int64_t n) {
    const auto* index = static_cast<const int64_t*>(loop.data[0]) + at[0];
    bool any = false;
    for (int64_t j = 0; j < n; ++j) {
      const int64_t i = index[j * loop.stride[0][0]];
      any |= (i < low) | (i >= high);
    }
    if (any) __atomic_store_n(found, true, __ATOMIC_RELAXED);
  });
}

void combine(const Exec& exec, const Loop<2>& loop, int64_t extent, int64_t weight) {
  for_rows(exec, loop, false, [&](const int64_t* at, int64_t n) {
    auto* sum = static_cast<int64_t*>(loop.data[0]) + at[0];
    const auto* index = static_cast<const int64_t*>(loop.data[1]) + at[1];
    for (int64_t j = 0; j < n; ++j) {
      sum[j * loop.stride[0][0]] += wrapped(index[j * loop.stride[1][0]], extent) * weight;
    }
  });
}

// Calls f(i, d, coordinate) for element i and each dimension d, innermost first.
template <class F>
void unravel(const Exec& exec, const Unravel& u, const F& f) {
  parallel_tasks(exec, ceil_div(u.count, kGrain), [&](int64_t task) {
    for (int64_t i = task * kGrain; i < min_of(u.count, (task + 1) * kGrain); ++i) {
      int64_t rest = wrapped(u.flat[i], u.extent);
      for (int d = u.rank - 1; d >= 0; --d) {
        f(i, d, rest % u.size[d]);
        rest /= u.size[d];
      }
    }
  });
}

void offsets(const Exec& exec, const Unravel& u) {
  unravel(exec, u, [&](int64_t i, int d, int64_t coordinate) {
    u.out[i] = (d == u.rank - 1 ? 0 : u.out[i]) + coordinate * u.stride[d];
  });
}

void coordinates(const Exec& exec, const Unravel& u) {
  unravel(exec, u,
          [&](int64_t i, int d, int64_t coordinate) { u.out[i * u.rank + d] = coordinate; });
}

// Eight elements of a mask, the first in the lowest byte, each 0 or 1; missing ones are 0.
ADJOINT_INLINE uint64_t eight(const bool* mask, int64_t n) {
  uint64_t word = 0;
  __builtin_memcpy(&word, mask, static_cast<size_t>(min_of(n, 8)));
  return word;
}

void count_true(const Exec& exec, const bool* mask, int64_t n, int64_t* counts) {
  parallel_tasks(exec, ceil_div(n, kMaskBlock), [&](int64_t task) {
    const int64_t last = min_of(n, (task + 1) * kMaskBlock);
    uint64_t count = 0;
    // Multiplied so, the highest byte is the sum of all eight.
    for (int64_t i = task * kMaskBlock; i < last; i += 8) {
      count += (eight(mask + i, last - i) * 0x0101010101010101) >> 56;
    }
    counts[task] = static_cast<int64_t>(count);
  });
}

void where_true(const Exec& exec, const bool* mask, int64_t n, const int64_t* starts,
                int64_t* out) {
  parallel_tasks(exec, ceil_div(n, kMaskBlock), [&](int64_t task) {
    const int64_t last = min_of(n, (task + 1) * kMaskBlock);
    int64_t* to = out + starts[task];
    for (int64_t i = task * kMaskBlock; i < last; i += 8) {
      for (uint64_t word = eight(mask + i, last - i); word != 0; word &= word - 1) {
        *to++ = i + __builtin_ctzll(word) / 8;
      }
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
    .gather = {&gather<uint8_t>, &gather<uint16_t>, &gather<uint32_t>, &gather<uint64_t>},
    .scatter = {&in_order<Assign<uint8_t>>, &in_order<Assign<uint16_t>>,
                &in_order<Assign<uint32_t>>, &in_order<Assign<uint64_t>>},
    .add = {&in_order<Add<float>>, &in_order<Add<double>>, &in_order<Add<bfloat16>>,
            &in_order<Add<float16>>, &in_order<Add<int64_t>>, nullptr, nullptr, nullptr},
    .fold = {{&in_order<Multiply<float>>, &in_order<Multiply<double>>, nullptr, nullptr,
              &in_order<Multiply<int64_t>>, nullptr, nullptr, nullptr},
             {&in_order<Largest<float>>, &in_order<Largest<double>>, nullptr, nullptr,
              &in_order<Largest<int64_t>>, nullptr, nullptr, nullptr},
             {&in_order<Smallest<float>>, &in_order<Smallest<double>>, nullptr, nullptr,
              &in_order<Smallest<int64_t>>, nullptr, nullptr, nullptr}},
    .outside = &outside,
    .combine = &combine,
    .offsets = &offsets,
    .coordinates = &coordinates,
    .count_true = &count_true,
    .where_true = &where_true,
    .triangle = {&triangle<float>, &triangle<double>, &triangle<bfloat16>, &triangle<float16>,
                 &triangle<int64_t>, &triangle<int32_t>, &triangle<uint8_t>, &triangle<bool>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
