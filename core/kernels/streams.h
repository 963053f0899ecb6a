// Running a Loop: rows cut into tasks, rows read and written through blocks that vectors can use
// whatever the stride. For kernel sources only.
#pragma once

#include "core/kernels/common.h"
#include "core/kernels/exec.h"
#include "core/kernels/loop.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Calls f(task) for tasks [0, tasks).
template <class F>
void parallel_tasks(const Exec& exec, int64_t tasks, const F& f) {
  if (tasks == 1) {
    f(0);
    return;
  }
  exec.parallel_for(
      tasks, [](void* context, int64_t task) { (*static_cast<const F*>(context))(task); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

// The elements that one task works on. Elementwise results do not depend on it.
constexpr int64_t kGrain = 16384;

// Calls f(at, n) for runs of n elements along dimension 0, at[i] being the offset of operand i.
template <int N, class F>
void for_rows(const Exec& exec, const Loop<N>& loop, const F& f) {
  const int64_t inner = loop.size[0];
  int64_t rows = 1;
  for (int d = 1; d < loop.rank; ++d) rows *= loop.size[d];
  if (inner == 0 || rows == 0) return;
  const int64_t pieces = ceil_div(inner, 2 * kGrain);  // of a long row
  const int64_t piece = ceil_div(inner, pieces);
  const int64_t group = pieces > 1 ? 1 : max_of(1, kGrain / inner);  // short rows together
  const int64_t groups = ceil_div(rows, group);
  parallel_tasks(exec, groups * pieces, [&](int64_t task) {
    const int64_t first = task / pieces * group, last = min_of(rows, first + group);
    const int64_t from = task % pieces * piece, n = min_of(piece, inner - from);
    int64_t index[8] = {}, at[N];
    int64_t rest = first;
    for (int i = 0; i < N; ++i) at[i] = from * loop.stride[i][0];
    for (int d = 1; d < loop.rank; ++d) {
      index[d] = rest % loop.size[d];
      rest /= loop.size[d];
      for (int i = 0; i < N; ++i) at[i] += index[d] * loop.stride[i][d];
    }
    for (int64_t row = first; row < last; ++row) {
      f(at, n);
      for (int d = 1; d < loop.rank; ++d) {
        for (int i = 0; i < N; ++i) at[i] += loop.stride[i][d];
        if (++index[d] < loop.size[d]) break;
        for (int i = 0; i < N; ++i) at[i] -= index[d] * loop.stride[i][d];
        index[d] = 0;
      }
    }
  });
}

// Elements that are read or written at a time when they have to be gathered.
constexpr int64_t kBlock = 256;

// An input along one run. Vector j of a block is at pointer(i, n) + j * step.
template <class T>
class In {
 public:
  In(const void* data, int64_t at, int64_t stride)
      : origin_(static_cast<const T*>(data) + at), stride_(stride), step(stride == 0 ? 0 : 1) {
    if (stride_ == 0) {
      for (int64_t j = 0; j < kLanes; ++j) buffer_[j] = *origin_;
    }
  }
  // The block of n elements that starts at i.
  ADJOINT_INLINE const T* block(int64_t i, int64_t n) {
    if (stride_ == 1) [[likely]]
      return origin_ + i;
    if (stride_ != 0) {
      for (int64_t j = 0; j < n; ++j) buffer_[j] = origin_[(i + j) * stride_];
    }
    return buffer_;
  }

 private:
  static constexpr int64_t kLanes = 64;
  const T* origin_;
  int64_t stride_;

 public:
  const int64_t step;

 private:
  T buffer_[kBlock];
};

template <class T>
class Out {
 public:
  Out(void* data, int64_t at, int64_t stride)
      : origin_(static_cast<T*>(data) + at), stride_(stride) {}
  ADJOINT_INLINE T* block(int64_t i) { return stride_ == 1 ? origin_ + i : buffer_; }
  ADJOINT_INLINE void flush(int64_t i, int64_t n) {
    if (stride_ == 1) [[likely]]
      return;
    for (int64_t j = 0; j < n; ++j) origin_[(i + j) * stride_] = buffer_[j];
  }

 private:
  T* origin_;
  int64_t stride_;
  T buffer_[kBlock];
};

// Calls body(j, lanes) for each vector of a block of n: whole ones, then what is left.
template <int size, class Body>
ADJOINT_INLINE void for_vectors(int64_t n, const Body& body) {
  int64_t j = 0;
  for (; j + size <= n; j += size) body(j, size);
  if (j < n) body(j, static_cast<int>(n - j));
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
