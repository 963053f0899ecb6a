// Keys: unsigned numbers in the order of elements, and how a few of them are sorted. For kernel
// sources only.
#pragma once

#include "core/kernels/common.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// NaN last, both zeros alike. Of bits alone: comparisons would take denormal numbers for 0.
template <class U>
ADJOINT_INLINE U ordered(U bits, U infinity) {
  constexpr U kSign = static_cast<U>(U(1) << (8 * sizeof(U) - 1)), kAll = static_cast<U>(~U(0));
  const U magnitude = static_cast<U>(bits & ~kSign);
  const U key = static_cast<U>((bits & kSign) != 0 ? ~bits : bits | kSign);
  return magnitude > infinity ? kAll : magnitude == 0 ? kSign : key;
}
ADJOINT_INLINE uint32_t key_of(float x) {
  return ordered(__builtin_bit_cast(uint32_t, x), 0x7f800000u);
}
ADJOINT_INLINE uint64_t key_of(double x) {
  return ordered(__builtin_bit_cast(uint64_t, x), uint64_t{0x7ff0000000000000});
}
ADJOINT_INLINE uint32_t key_of(bfloat16 x) { return ordered(x.bits, uint16_t{0x7f80}); }
ADJOINT_INLINE uint32_t key_of(float16 x) { return ordered(x.bits, uint16_t{0x7c00}); }
ADJOINT_INLINE uint64_t key_of(int64_t x) {
  return static_cast<uint64_t>(x) ^ uint64_t { 1 } << 63;
}
ADJOINT_INLINE uint32_t key_of(int32_t x) { return static_cast<uint32_t>(x) ^ 0x80000000u; }
ADJOINT_INLINE uint32_t key_of(uint8_t x) { return x; }
ADJOINT_INLINE uint32_t key_of(bool x) { return x ? 1 : 0; }

template <class T>
using Key = decltype(key_of(T()));

// The keys of n elements, turned round by `flip`, which is all ones for a falling order.
template <class T>
void fill_keys(const void* data, int64_t at, int64_t n, Key<T> flip, Key<T>* keys) {
  const T* x = static_cast<const T*>(data) + at;
  constexpr int64_t kTogether = 16;  // a constant, which compilers make vectors of
  int64_t j = 0;
  for (; j + kTogether <= n; j += kTogether) {
    for (int64_t i = 0; i < kTogether; ++i) keys[j + i] = key_of(x[j + i]) ^ flip;
  }
  for (; j < n; ++j) keys[j] = key_of(x[j]) ^ flip;
}

// How a kernel for keys sees elements of any type.
template <class K>
struct Keys {
  void (*fill)(const void* x, int64_t at, int64_t n, K flip, K* keys);
  K nan;  // the key of NaN, where there is one
  bool has_nan;
};
template <class T>
constexpr Keys<Key<T>> keys_for() {
  if constexpr (__is_same(T, float) || __is_same(T, double)) {
    return {&fill_keys<T>, static_cast<Key<T>>(~Key<T>(0)), true};
  } else if constexpr (sizeof(T) == 2) {
    return {&fill_keys<T>, Key<T>(0xffff), true};
  } else {
    return {&fill_keys<T>, Key<T>(0), false};
  }
}

// An index is of the size of its key.
template <class K>
struct Pair {
  K key, index;
};

// Below so many, insertion is faster than counting digits, and merging than passes over them.
constexpr int64_t kFew = 48, kMerged = 192;

template <class K>
ADJOINT_INLINE K key_in(K k) {
  return k;
}
template <class K>
ADJOINT_INLINE K key_in(const Pair<K>& p) {
  return p.key;
}

// Stable.
template <class P>
void insertion_sort(P* p, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    const P own = p[i];
    int64_t j = i;
    for (; j > 0 && key_in(own) < key_in(p[j - 1]); --j) p[j] = p[j - 1];
    p[j] = own;
  }
}

// Sorts n elements in `a`, stably, by runs that are merged from `a` to `b` and back; returns where
// they are then.
template <class P>
P* merge_sort(P* a, P* b, int64_t n) {
  constexpr int64_t kRun = 16;
  for (int64_t i = 0; i < n; i += kRun) insertion_sort(a + i, min_of(kRun, n - i));
  for (int64_t width = kRun; width < n; width *= 2) {
    for (int64_t first = 0; first < n; first += 2 * width) {
      const int64_t middle = min_of(n, first + width), end = min_of(n, first + 2 * width);
      int64_t left = first, right = middle;
      for (int64_t to = first; to < end; ++to) {
        const bool second = left == middle || (right < end && key_in(a[right]) < key_in(a[left]));
        b[to] = a[second ? right : left];
        (second ? right : left) += 1;
      }
    }
    P* const merged = b;
    b = a;
    a = merged;
  }
  return a;
}

// The k-th smallest of n keys, which it overwrites: those that share the first digit with it, then
// of those the ones that share the second, and so on.
template <class K>
K kth_smallest(K* keys, int64_t n, int64_t k) {
  for (int shift = 8 * (static_cast<int>(sizeof(K)) - 1); n > kFew && shift >= 0; shift -= 8) {
    int64_t count[256] = {};
    for (int64_t i = 0; i < n; ++i) ++count[keys[i] >> shift & 255];
    K digit = 0;
    for (; k >= count[digit]; ++digit) k -= count[digit];
    if (count[digit] == n) continue;
    int64_t left = 0;
    for (int64_t i = 0; i < n; ++i) {
      const K key = keys[i];
      keys[left] = key;
      left += (key >> shift & 255) == digit ? 1 : 0;
    }
    n = left;
  }
  if (n > kFew) return keys[0];  // equal in every digit
  insertion_sort(keys, n);
  return keys[k];
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
