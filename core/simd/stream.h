// Copies that go around the caches, for results larger than the caches, which nobody reads soon.
//
// An ordinary store to a line that is not in the cache reads the line from memory first; a store
// of a whole line around the cache does not, which spares a third of what a copy moves.
#pragma once

#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

#if defined(ADJOINT_ISA_AVX512) || defined(ADJOINT_ISA_AVX2)
constexpr bool kCanStream = true;
#else
constexpr bool kCanStream = false;
#endif
constexpr int64_t kLine = 64;  // bytes

// One line. REQUIRES: `to` is aligned to kLine.
ADJOINT_INLINE void stream_line(char* to, const char* from) {
#if defined(ADJOINT_ISA_AVX512)
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
#elif defined(ADJOINT_ISA_AVX2)
  const auto* source = reinterpret_cast<const __m256i*>(from);
  auto* lines = reinterpret_cast<__m256i*>(to);
  const __m256i low = _mm256_loadu_si256(source), high = _mm256_loadu_si256(source + 1);
  _mm256_stream_si256(lines, low);
  _mm256_stream_si256(lines + 1, high);
#else
  __builtin_memcpy(to, from, kLine);
#endif
}

// Copies n bytes, whole lines of the destination around the caches. Other threads see them after
// stream_fence().
ADJOINT_INLINE void stream_copy(void* to, const void* from, int64_t n) {
  auto* out = static_cast<char*>(to);
  const auto* in = static_cast<const char*>(from);
  int64_t head = -reinterpret_cast<int64_t>(out) & (kLine - 1);
  if (head > n) head = n;
  if (head != 0) __builtin_memcpy(out, in, static_cast<size_t>(head));
  int64_t i = head;
  for (; i + kLine <= n; i += kLine) stream_line(out + i, in + i);
  if (i < n) __builtin_memcpy(out + i, in + i, static_cast<size_t>(n - i));
}

// Asks for the line `bytes` beyond p, which will soon be read; it need not exist.
ADJOINT_INLINE void prefetch(const void* p, int64_t bytes) {
  __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<intptr_t>(p) + bytes));
}

// Before a thread tells others that it is done.
ADJOINT_INLINE void stream_fence() {
#if defined(ADJOINT_ISA_AVX512) || defined(ADJOINT_ISA_AVX2)
  _mm_sfence();
#endif
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
