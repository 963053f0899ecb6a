// Running a Loop: rows cut into tasks, rows read and written through blocks that vectors can use
// whatever the stride. For kernel sources only.
#pragma once

#include "core/kernels/common.h"
#include "core/kernels/exec.h"
#include "core/kernels/loop.h"
#include "core/simd/stream.h"

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

// Whether a result of so many bytes goes around the caches (core/simd/stream.h): what is larger
// than its share of the last level would not be there when it is read. Not in place (`apart`: it is
// none of the inputs), where its lines have been read anyway. It changes no bit.
ADJOINT_INLINE bool streams(const Exec& exec, int64_t bytes, bool apart) {
  return kCanStream && apart && bytes >= exec.stream_bytes;
}

// The same of a loop's output of type T; not in rows of a few lines.
template <class T, int N>
bool streams(const Exec& exec, const Loop<N>& loop) {
  const auto row = loop.size[0] * static_cast<int64_t>(sizeof(T));
  int64_t bytes = row;
  for (int d = 1; d < loop.rank; ++d) bytes *= loop.size[d];
  bool apart = true;
  for (int i = 1; i < N; ++i) apart = apart && loop.data[i] != loop.data[0];
  return loop.stride[0][0] == 1 && row >= 16 * kLine && streams(exec, bytes, apart);
}

// The most bytes, and so elements, of rows that with_long_rows exchanges with columns.
constexpr int64_t kAlternating = 20;

// Calls f(at, n) for runs of n elements along dimension 0, at[i] being the offset of operand i.
// `streamed`: f writes through stream_copy.
template <int N, class F>
void for_rows(const Exec& exec, const Loop<N>& loop, bool streamed, const F& f) {
  const int64_t inner = loop.size[0];
  int64_t rows = 1;
  for (int d = 1; d < loop.rank; ++d) rows *= loop.size[d];
  if (inner == 0 || rows == 0) return;
  // Rows that alternate in memory (with_long_rows) together: their lines are no two threads'.
  const bool alternate =
      loop.rank > 1 && loop.stride[0][1] < loop.stride[0][0] && loop.size[1] <= kAlternating;
  const int64_t least = alternate ? loop.size[1] : 1;
  const int64_t pieces = ceil_div(inner, 2 * kGrain / least);  // of a long row
  const int64_t piece = ceil_div(inner, pieces);
  const int64_t group =  // short rows together
      pieces > 1 ? least : least * max_of(1, kGrain / (inner * least));
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
    if (streamed) stream_fence();
  });
}

// Whether a loop's rows are of a few bytes, and there are many.
template <class T, int N>
ADJOINT_INLINE bool short_rows(const Loop<N>& loop) {
  constexpr int64_t kMany = 32;
  return loop.rank > 1 && loop.size[1] >= kMany &&
         loop.size[0] * static_cast<int64_t>(sizeof(T)) <= kAlternating;
}

// The loop itself, or, where its rows are short, `space` with the first two dimensions exchanged:
// to begin a row costs more than to gather and scatter the elements of a long one (in rows of 3
// floats 4.6 ns an element, against 0.9). For elementwise results, which do not depend on it.
template <class T, int N>
const Loop<N>& with_long_rows(const Loop<N>& loop, Loop<N>& space) {
  if (!short_rows<T>(loop)) return loop;
  space = loop;
  space.size[0] = loop.size[1];
  space.size[1] = loop.size[0];
  for (int i = 0; i < N; ++i) {
    space.stride[i][0] = loop.stride[i][1];
    space.stride[i][1] = loop.stride[i][0];
  }
  return space;
}

// Elements that are read or written at a time when they have to be gathered.
constexpr int64_t kBlock = 256;

// Calls body(j, lanes) for each vector of a block of n: whole ones, then what is left.
template <int size, class Body>
ADJOINT_INLINE void for_vectors(int64_t n, const Body& body) {
  int64_t j = 0;
  for (; j + size <= n; j += size) body(j, size);
  if (j < n) body(j, static_cast<int>(n - j));
}

// to[j] = from[j] for j < n: from a type of storage to what it is computed in, or back, rounded
// once.
template <class From, class To>
ADJOINT_INLINE void convert_block(const From* from, To* to, int64_t n) {
  for_vectors<Register<To>::size>(
      n, [&](int64_t j, int lanes) { store(load(from + j, lanes), to + j, lanes); });
}

// What the blocks of an input or a result of T hold: what it is computed in, or T as it is stored,
// where registers widen and round it on the way.
template <class T>
using AsStored = T;

// Whether bf16 is read and written where it lies, which spares copies: where little is computed,
// a quarter of the time. f16 gains nothing.
template <class T, int N>
ADJOINT_INLINE bool converts_in_registers(const Loop<N>& loop) {
  bool result = loop.number == 0 && !short_rows<T>(loop);
  for (int i = 0; i < N; ++i) result = result && loop.stride[i][0] == 1;
  return result;
}

// An input along one run of n elements, read a block at a time.
template <class T, template <class> class Held = Computed>
class In {
 public:
  // `number`: data is one number, of the type that is computed in.
  In(const void* data, int64_t at, int64_t stride, int64_t n, bool number = false)
      : origin_(static_cast<const T*>(data) + at), stride_(stride) {
    if (stride_ != 0) return;
    const Register<T> value = number ? *static_cast<const Computed<T>*>(data) : load_one(*origin_);
    // Whole registers: loads wait long for parts of one that were just stored.
    for (int64_t j = 0; j < min_of(n, kBlock); j += Register<T>::size) value.store(buffer_ + j);
  }
  // The block of n elements that starts at i.
  ADJOINT_INLINE const Held<T>* block(int64_t i, int64_t n) {
    if (stride_ == 0) return buffer_;
    if constexpr (__is_same(T, Held<T>)) {
      if (stride_ == 1) return origin_ + i;
      for (int64_t j = 0; j < n; ++j) buffer_[j] = origin_[(i + j) * stride_];
    } else {
      if (stride_ == 1) {
        convert_block(origin_ + i, buffer_, n);
      } else {
        for (int64_t j = 0; j < n; ++j) buffer_[j] = load_one(origin_[(i + j) * stride_]);
      }
    }
    return buffer_;
  }

 private:
  static ADJOINT_INLINE Computed<T> load_one(T x) { return static_cast<Computed<T>>(x); }

  const T* origin_;
  int64_t stride_;
  alignas(kLine) Held<T> buffer_[kBlock];
};

// The output along one run, written a block at a time: block i of count(i, n) elements is filled at
// block(i) and then flushed. `streamed`: around the caches.
template <class T>
class Out {
 public:
  Out(void* data, int64_t at, int64_t stride, bool streamed = false)
      : origin_(static_cast<T*>(data) + at),
        stride_(stride),
        direct_(stride == 1 && !streamed),
        streamed_(streamed) {}
  // Blocks after the first of a streamed run begin at a line.
  ADJOINT_INLINE int64_t count(int64_t i, int64_t n) const {
    if (!streamed_) return min_of(kBlock, n - i);
    const auto past = static_cast<int64_t>(reinterpret_cast<uintptr_t>(origin_ + i) % kLine);
    return min_of(kBlock - past / static_cast<int64_t>(sizeof(T)), n - i);
  }
  ADJOINT_INLINE T* block(int64_t i) { return direct_ ? origin_ + i : buffer_; }
  ADJOINT_INLINE void flush(int64_t i, int64_t n) {
    if (direct_) return;
    if (streamed_) {
      stream_copy(origin_ + i, buffer_, n * static_cast<int64_t>(sizeof(T)));
      return;
    }
    for (int64_t j = 0; j < n; ++j) origin_[(i + j) * stride_] = buffer_[j];
  }

 private:
  T* origin_;
  int64_t stride_;
  bool direct_, streamed_;
  alignas(kLine) T buffer_[kBlock];
};

// The same, filled as what it is held in and rounded once.
template <class T, template <class> class Held = Computed>
class Result {
 public:
  Result(void* data, int64_t at, int64_t stride, bool streamed)
      : out_(data, at, stride, streamed) {}
  ADJOINT_INLINE int64_t count(int64_t i, int64_t n) const { return out_.count(i, n); }
  ADJOINT_INLINE Held<T>* block(int64_t i) {
    if constexpr (kSame) {
      return out_.block(i);
    } else {
      return buffer_;
    }
  }
  ADJOINT_INLINE void flush(int64_t i, int64_t n) {
    if constexpr (!kSame) convert_block(buffer_, out_.block(i), n);
    out_.flush(i, n);
  }

 private:
  static constexpr bool kSame = __is_same(T, Held<T>);
  Out<T> out_;
  alignas(kLine) Held<T> buffer_[kSame ? 1 : kBlock];
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
