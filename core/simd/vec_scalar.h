// Vec<T> with one lane: every type in the scalar table, and what is not float or double elsewhere.
// The comments here are the contract of the other instruction sets too.
#pragma once

#include <adjoint/core/bfloat16.h>
#include <adjoint/core/float16.h>

#include <cstddef>
#include <cstdint>

#define ADJOINT_INLINE __attribute__((always_inline)) inline

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// T from a wider value: like static_cast, but "is it nonzero" for bool.
template <class T, class W>
ADJOINT_INLINE T narrow(W w) {
  if constexpr (__is_same(T, W)) {
    return w;
  } else if constexpr (__is_same(W, bfloat16) || __is_same(W, float16)) {
    return narrow<T>(static_cast<float>(w));
  } else if constexpr (__is_same(T, bool)) {
    return w != W(0);
  } else {
    return static_cast<T>(w);
  }
}

template <class T>
struct Mask {
  bool m;

  // The lanes below n from bytes of zero and one; the others false. Reads n bytes.
  static ADJOINT_INLINE Mask load_bools(const bool* p, int n) { return {n > 0 && *p}; }
  // Writes n bytes of zero and one.
  ADJOINT_INLINE void store_bools(bool* p, int n) const {
    if (n > 0) *p = m;
  }
  ADJOINT_INLINE bool any() const { return m; }
  ADJOINT_INLINE bool all() const { return m; }
  friend ADJOINT_INLINE Mask operator&(Mask a, Mask b) { return {a.m && b.m}; }
  friend ADJOINT_INLINE Mask operator|(Mask a, Mask b) { return {a.m || b.m}; }
  friend ADJOINT_INLINE Mask operator^(Mask a, Mask b) { return {a.m != b.m}; }
  friend ADJOINT_INLINE Mask operator!(Mask a) { return {!a.m}; }
};

template <class T>
struct Vec;

// What a type of storage is computed in, and the register for it: Vec<float>::load widens bfloat16
// and float16, store rounds to them; whole numbers are computed in int64_t, and wrap around when
// they are stored. A kernel over elements of type T works on Register<T>.
template <class T>
struct ComputedAs {
  using type = T;
};
template <>
struct ComputedAs<bfloat16> {
  using type = float;
};
template <>
struct ComputedAs<float16> {
  using type = float;
};
template <>
struct ComputedAs<int32_t> {
  using type = int64_t;
};
template <>
struct ComputedAs<uint8_t> {
  using type = int64_t;
};
template <class T>
using Computed = typename ComputedAs<T>::type;
template <class T>
using Register = Vec<Computed<T>>;

template <class T>
struct Vec {
  static constexpr int size = 1;
  static constexpr bool kFloating = __is_same(T, float) || __is_same(T, double);
  static constexpr bool kSigned = kFloating || __is_same(T, int64_t) || __is_same(T, int32_t);
  T v;

  Vec() = default;
  ADJOINT_INLINE Vec(float s) : v(narrow<T>(s)) {}
  ADJOINT_INLINE Vec(double s) : v(narrow<T>(s)) {}
  ADJOINT_INLINE Vec(int s) : v(narrow<T>(s)) {}
  ADJOINT_INLINE Vec(int64_t s) : v(narrow<T>(s)) {}
  ADJOINT_INLINE Vec(bool s) : v(narrow<T>(s)) {}
  ADJOINT_INLINE Vec(uint8_t s) : v(narrow<T>(s)) {}

  static ADJOINT_INLINE Vec load(const T* p) { return *p; }
  // The first n lanes, 0 <= n <= size; the others zero. Reads nothing beyond them.
  static ADJOINT_INLINE Vec load_n(const T* p, int n) { return n > 0 ? *p : T(0); }
  ADJOINT_INLINE void store(T* p) const { *p = v; }
  // Writes the first n lanes and nothing else.
  ADJOINT_INLINE void store_n(T* p, int n) const {
    if (n > 0) *p = v;
  }
  // From and to types of storage; 16 bits are rounded to the nearest, ties to even.
  template <class U>
  static ADJOINT_INLINE Vec load(const U* p) {
    return static_cast<T>(*p);
  }
  template <class U>
  static ADJOINT_INLINE Vec load_n(const U* p, int n) {
    return n > 0 ? static_cast<T>(*p) : T(0);
  }
  template <class U>
  ADJOINT_INLINE void store(U* p) const {
    *p = static_cast<U>(v);
  }
  template <class U>
  ADJOINT_INLINE void store_n(U* p, int n) const {
    if (n > 0) *p = static_cast<U>(v);
  }
  // 0, 1, 2, ... by lane.
  static ADJOINT_INLINE Vec iota() { return T(0); }

  // Integers wrap around; x / 0 is 0.
  friend ADJOINT_INLINE Vec operator+(Vec a, Vec b) {
    if constexpr (kFloating) {
      return a.v + b.v;
    } else if constexpr (__is_same(T, bool)) {
      return a.v || b.v;
    } else {
      T r;
      __builtin_add_overflow(a.v, b.v, &r);
      return r;
    }
  }
  friend ADJOINT_INLINE Vec operator-(Vec a, Vec b) {
    if constexpr (kFloating) {
      return a.v - b.v;
    } else if constexpr (__is_same(T, bool)) {
      return a.v != b.v;
    } else {
      T r;
      __builtin_sub_overflow(a.v, b.v, &r);
      return r;
    }
  }
  friend ADJOINT_INLINE Vec operator*(Vec a, Vec b) {
    if constexpr (kFloating) {
      return a.v * b.v;
    } else if constexpr (__is_same(T, bool)) {
      return a.v && b.v;
    } else {
      T r;
      __builtin_mul_overflow(a.v, b.v, &r);
      return r;
    }
  }
  friend ADJOINT_INLINE Vec operator/(Vec a, Vec b) {
    if constexpr (kFloating) {
      return a.v / b.v;
    } else if constexpr (__is_same(T, bool)) {
      return a.v && b.v;
    } else {
      if (b.v == T(0)) return T(0);
      if constexpr (kSigned) {
        if (b.v == T(-1)) return Vec(T(0)) - a;
      }
      return narrow<T>(a.v / b.v);
    }
  }
  friend ADJOINT_INLINE Vec operator-(Vec a) {
    if constexpr (kFloating) {
      return -a.v;
    } else {
      return Vec(T(0)) - a;
    }
  }
  ADJOINT_INLINE Vec& operator+=(Vec b) { return *this = *this + b; }
  ADJOINT_INLINE Vec& operator-=(Vec b) { return *this = *this - b; }
  ADJOINT_INLINE Vec& operator*=(Vec b) { return *this = *this * b; }
  ADJOINT_INLINE Vec& operator/=(Vec b) { return *this = *this / b; }

  friend ADJOINT_INLINE Mask<T> operator==(Vec a, Vec b) { return {a.v == b.v}; }
  friend ADJOINT_INLINE Mask<T> operator!=(Vec a, Vec b) { return {a.v != b.v}; }
  friend ADJOINT_INLINE Mask<T> operator<(Vec a, Vec b) { return {a.v < b.v}; }
  friend ADJOINT_INLINE Mask<T> operator<=(Vec a, Vec b) { return {a.v <= b.v}; }
  friend ADJOINT_INLINE Mask<T> operator>(Vec a, Vec b) { return {a.v > b.v}; }
  friend ADJOINT_INLINE Mask<T> operator>=(Vec a, Vec b) { return {a.v >= b.v}; }
  friend ADJOINT_INLINE Mask<T> is_nan(Vec a) { return {a.v != a.v}; }
  friend ADJOINT_INLINE Vec select(Mask<T> m, Vec a, Vec b) { return m.m ? a : b; }
  friend ADJOINT_INLINE Vec where(Mask<T> m, Vec a, Vec b) { return m.m ? a : b; }

  // a * b + c and c - a * b: rounded once where the instruction set has it, twice in the scalar
  // table.
  friend ADJOINT_INLINE Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
  friend ADJOINT_INLINE Vec fnma(Vec a, Vec b, Vec c) { return c - a * b; }

  // min and max give b where either is NaN (one instruction); minimum and maximum give NaN.
  friend ADJOINT_INLINE Vec min(Vec a, Vec b) { return a.v < b.v ? a : b; }
  friend ADJOINT_INLINE Vec max(Vec a, Vec b) { return a.v > b.v ? a : b; }
  friend ADJOINT_INLINE Vec minimum(Vec a, Vec b) { return a.v != a.v ? a : min(a, b); }
  friend ADJOINT_INLINE Vec maximum(Vec a, Vec b) { return a.v != a.v ? a : max(a, b); }
  friend ADJOINT_INLINE Vec abs(Vec a) {
    if constexpr (__is_same(T, float)) {
      return __builtin_fabsf(a.v);
    } else if constexpr (__is_same(T, double)) {
      return __builtin_fabs(a.v);
    } else if constexpr (kSigned) {
      return a.v < T(0) ? -a : a;
    } else {
      return a;
    }
  }
  // The magnitude of a with the sign of b. Floating types only, as are the next ones.
  friend ADJOINT_INLINE Vec copysign(Vec a, Vec b) {
    if constexpr (__is_same(T, float)) {
      return __builtin_copysignf(a.v, b.v);
    } else {
      return __builtin_copysign(a.v, b.v);
    }
  }
  friend ADJOINT_INLINE Vec sqrt(Vec a) {
    if constexpr (__is_same(T, float)) {
      return __builtin_sqrtf(a.v);
    } else {
      return __builtin_sqrt(a.v);
    }
  }
  friend ADJOINT_INLINE Vec floor(Vec a) {
    if constexpr (__is_same(T, float)) {
      return __builtin_floorf(a.v);
    } else {
      return __builtin_floor(a.v);
    }
  }
  friend ADJOINT_INLINE Vec round_even(Vec a) {
    if constexpr (__is_same(T, float)) {
      return __builtin_rintf(a.v);
    } else {
      return __builtin_rint(a.v);
    }
  }
  // x * 2^n for whole n, |n| <= 250 (double: 2000); over- and underflows as the product would.
  friend ADJOINT_INLINE Vec ldexp_int(Vec x, Vec n) {
    if constexpr (__is_same(T, float)) {
      return __builtin_ldexpf(x.v, static_cast<int>(n.v));
    } else {
      return __builtin_ldexp(x.v, static_cast<int>(n.v));
    }
  }
  // x = m * 2^e with m in [1, 2) and e whole, for finite x > 0 (denormal numbers too); other x give
  // anything.
  friend ADJOINT_INLINE Vec frexp_int(Vec x, Vec& e) {
    int power = 0;
    T m;
    if constexpr (__is_same(T, float)) {
      m = __builtin_frexpf(x.v, &power);
    } else {
      m = __builtin_frexp(x.v, &power);
    }
    e = power - 1;
    return m + m;
  }

  // Over the lanes, by a fixed tree.
  friend ADJOINT_INLINE T reduce_add(Vec a) { return a.v; }
  // NaN where any lane is.
  friend ADJOINT_INLINE T reduce_max(Vec a) { return a.v; }
  friend ADJOINT_INLINE T reduce_min(Vec a) { return a.v; }
};

#if defined(ADJOINT_ISA_SCALAR)
// Lanes of 32 unsigned bits, as many as Vec<float> has: for counters and random bits.
struct VecU32 {
  static constexpr int size = 1;
  uint32_t v;

  VecU32() = default;
  ADJOINT_INLINE VecU32(uint32_t s) : v(s) {}
  static ADJOINT_INLINE VecU32 load(const uint32_t* p) { return *p; }
  static ADJOINT_INLINE VecU32 load_n(const uint32_t* p, int n) { return n > 0 ? *p : 0u; }
  ADJOINT_INLINE void store(uint32_t* p) const { *p = v; }
  ADJOINT_INLINE void store_n(uint32_t* p, int n) const {
    if (n > 0) *p = v;
  }
  static ADJOINT_INLINE VecU32 iota() { return 0u; }
  friend ADJOINT_INLINE VecU32 operator+(VecU32 a, VecU32 b) { return a.v + b.v; }
  friend ADJOINT_INLINE VecU32 operator-(VecU32 a, VecU32 b) { return a.v - b.v; }
  friend ADJOINT_INLINE VecU32 operator^(VecU32 a, VecU32 b) { return a.v ^ b.v; }
  friend ADJOINT_INLINE VecU32 operator&(VecU32 a, VecU32 b) { return a.v & b.v; }
  friend ADJOINT_INLINE VecU32 operator|(VecU32 a, VecU32 b) { return a.v | b.v; }
  friend ADJOINT_INLINE VecU32 operator<<(VecU32 a, int s) { return a.v << s; }
  friend ADJOINT_INLINE VecU32 operator>>(VecU32 a, int s) { return a.v >> s; }
  // The low and the high half of the 64-bit product.
  friend ADJOINT_INLINE VecU32 mul_lo(VecU32 a, VecU32 b) { return a.v * b.v; }
  friend ADJOINT_INLINE VecU32 mul_hi(VecU32 a, VecU32 b) {
    return static_cast<uint32_t>((static_cast<uint64_t>(a.v) * b.v) >> 32);
  }
  // a < b as unsigned numbers, as a mask over floats.
  friend ADJOINT_INLINE Mask<float> operator<(VecU32 a, VecU32 b) { return {a.v < b.v}; }
  friend ADJOINT_INLINE Mask<float> operator==(VecU32 a, VecU32 b) { return {a.v == b.v}; }
  // The value as a float, for values below 2^31 (exact below 2^24).
  friend ADJOINT_INLINE Vec<float> to_float(VecU32 a) {
    return static_cast<float>(static_cast<int32_t>(a.v));
  }
  friend ADJOINT_INLINE Vec<float> float_from_bits(VecU32 a) {
    return __builtin_bit_cast(float, a.v);
  }
  static ADJOINT_INLINE VecU32 bits_of(Vec<float> a) { return __builtin_bit_cast(uint32_t, a.v); }
};
#endif

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
