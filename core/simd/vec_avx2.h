// Vec for AVX2 with FMA: 8 floats or 4 doubles. The contract stands in vec_scalar.h.
#pragma once

#include <immintrin.h>

#include "core/simd/vec_scalar.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The last three (two) steps of a reduction, over what is left of a register.
#define ADJOINT_REDUCE(name, op)                                                       \
  ADJOINT_INLINE float name(__m256 x) {                                                \
    __m128 h = _mm_##op##_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));  \
    h = _mm_##op##_ps(h, _mm_movehl_ps(h, h));                                         \
    return _mm_cvtss_f32(_mm_##op##_ss(h, _mm_movehdup_ps(h)));                        \
  }                                                                                    \
  ADJOINT_INLINE double name(__m256d x) {                                              \
    __m128d h = _mm_##op##_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1)); \
    return _mm_cvtsd_f64(_mm_##op##_sd(h, _mm_unpackhi_pd(h, h)));                     \
  }
ADJOINT_REDUCE(reduce_add_256, add)
ADJOINT_REDUCE(reduce_max_256, max)
ADJOINT_REDUCE(reduce_min_256, min)
#undef ADJOINT_REDUCE

template <>
struct Mask<float> {
  __m256 m;

  static ADJOINT_INLINE __m256i lanes(int n) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static ADJOINT_INLINE Mask load_bools(const bool* p, int n) {
    uint64_t bytes = 0;
    if (n == 8) {
      __builtin_memcpy(&bytes, p, 8);
    } else {
      for (int i = 0; i < n; ++i) bytes |= static_cast<uint64_t>(p[i]) << (8 * i);
    }
    const __m256i wide = _mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(bytes)));
    return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(wide, _mm256_setzero_si256()))};
  }
  ADJOINT_INLINE void store_bools(bool* p, int n) const {
    const uint64_t bytes =
        _pdep_u64(static_cast<uint64_t>(_mm256_movemask_ps(m)), 0x0101010101010101);
    if (n == 8) {
      __builtin_memcpy(p, &bytes, 8);
    } else {
      for (int i = 0; i < n; ++i) p[i] = ((bytes >> (8 * i)) & 1) != 0;
    }
  }
  ADJOINT_INLINE bool any() const { return _mm256_movemask_ps(m) != 0; }
  ADJOINT_INLINE bool all() const { return _mm256_movemask_ps(m) == 0xff; }
  friend ADJOINT_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_ps(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator|(Mask a, Mask b) { return {_mm256_or_ps(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator^(Mask a, Mask b) { return {_mm256_xor_ps(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator!(Mask a) {
    return {_mm256_xor_ps(a.m, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))};
  }
};

template <>
struct Vec<float> {
  static constexpr int size = 8;
  __m256 v;

  Vec() = default;
  ADJOINT_INLINE Vec(__m256 r) : v(r) {}
  ADJOINT_INLINE Vec(float s) : v(_mm256_set1_ps(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(double s) : v(_mm256_set1_ps(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(int s) : v(_mm256_set1_ps(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(int64_t s) : v(_mm256_set1_ps(static_cast<float>(s))) {}

  static ADJOINT_INLINE Vec load(const float* p) { return _mm256_loadu_ps(p); }
  static ADJOINT_INLINE Vec load_n(const float* p, int n) {
    return _mm256_maskload_ps(p, Mask<float>::lanes(n));
  }
  ADJOINT_INLINE void store(float* p) const { _mm256_storeu_ps(p, v); }
  ADJOINT_INLINE void store_n(float* p, int n) const {
    _mm256_maskstore_ps(p, Mask<float>::lanes(n), v);
  }
  static ADJOINT_INLINE Vec load(const bfloat16* p) {
    return widened(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static ADJOINT_INLINE Vec load_n(const bfloat16* p, int n) {
    bfloat16 space[size] = {};
    __builtin_memcpy(space, p, static_cast<size_t>(n) * sizeof(bfloat16));
    return load(space);
  }
  ADJOINT_INLINE void store(bfloat16* p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), narrowed());
  }
  ADJOINT_INLINE void store_n(bfloat16* p, int n) const {
    bfloat16 space[size];
    store(space);
    __builtin_memcpy(p, space, static_cast<size_t>(n) * sizeof(bfloat16));
  }
  static ADJOINT_INLINE Vec load(const float16* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static ADJOINT_INLINE Vec load_n(const float16* p, int n) {
    float16 space[size] = {};
    __builtin_memcpy(space, p, static_cast<size_t>(n) * sizeof(float16));
    return load(space);
  }
  ADJOINT_INLINE void store(float16* p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  ADJOINT_INLINE void store_n(float16* p, int n) const {
    float16 space[size];
    store(space);
    __builtin_memcpy(p, space, static_cast<size_t>(n) * sizeof(float16));
  }
  static ADJOINT_INLINE Vec iota() { return _mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7); }

  friend ADJOINT_INLINE Vec operator+(Vec a, Vec b) { return _mm256_add_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a, Vec b) { return _mm256_sub_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator*(Vec a, Vec b) { return _mm256_mul_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator/(Vec a, Vec b) { return _mm256_div_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a) {
    return _mm256_xor_ps(a.v, _mm256_set1_ps(float(-0.0)));
  }

  ADJOINT_INLINE Vec& operator+=(Vec b) { return *this = *this + b; }
  ADJOINT_INLINE Vec& operator-=(Vec b) { return *this = *this - b; }
  ADJOINT_INLINE Vec& operator*=(Vec b) { return *this = *this * b; }
  ADJOINT_INLINE Vec& operator/=(Vec b) { return *this = *this / b; }

  friend ADJOINT_INLINE Mask<float> operator==(Vec a, Vec b) { return compare<_CMP_EQ_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<float> operator!=(Vec a, Vec b) { return compare<_CMP_NEQ_UQ>(a, b); }
  friend ADJOINT_INLINE Mask<float> operator<(Vec a, Vec b) { return compare<_CMP_LT_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<float> operator<=(Vec a, Vec b) { return compare<_CMP_LE_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<float> operator>(Vec a, Vec b) { return compare<_CMP_GT_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<float> operator>=(Vec a, Vec b) { return compare<_CMP_GE_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<float> is_nan(Vec a) { return compare<_CMP_UNORD_Q>(a, a); }
  friend ADJOINT_INLINE Vec select(Mask<float> m, Vec a, Vec b) {
    return _mm256_blendv_ps(b.v, a.v, m.m);
  }
  friend ADJOINT_INLINE Vec where(Mask<float> m, Vec a, Vec b) { return select(m, a, b); }

  friend ADJOINT_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_ps(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec min(Vec a, Vec b) { return _mm256_min_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec max(Vec a, Vec b) { return _mm256_max_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }
  friend ADJOINT_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
  friend ADJOINT_INLINE Vec abs(Vec a) {
    return _mm256_andnot_ps(_mm256_set1_ps(float(-0.0)), a.v);
  }
  friend ADJOINT_INLINE Vec copysign(Vec a, Vec b) {
    const __m256 sign = _mm256_set1_ps(float(-0.0));
    return _mm256_or_ps(_mm256_andnot_ps(sign, a.v), _mm256_and_ps(sign, b.v));
  }
  friend ADJOINT_INLINE Vec sqrt(Vec a) { return _mm256_sqrt_ps(a.v); }
  friend ADJOINT_INLINE Vec floor(Vec a) { return _mm256_floor_ps(a.v); }
  friend ADJOINT_INLINE Vec round_even(Vec a) {
    return _mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // In two factors, for 2^n itself can leave the range where the result does not.
  friend ADJOINT_INLINE Vec ldexp_int(Vec x, Vec n) {
    const Vec half = floor(n * 0.5);
    return x * power_of_two(half) * power_of_two(n - half);
  }
  friend ADJOINT_INLINE Vec frexp_int(Vec x, Vec& e) {
    const Mask<float> denormal = x < Vec(float(0x1p-126));
    x = select(denormal, x * float(0x1p24), x);
    const __m256i bits = _mm256_castps_si256(x.v);
    // The biased exponent in the low bits of the number 2^23.
    const __m256i power =
        _mm256_or_si256(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(0x4b000000));
    e = Vec(_mm256_castsi256_ps(power)) - (float(0x1p23) + float(127));
    e = select(denormal, e - float(24), e);
    const __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi32(0x007fffff));
    return _mm256_castsi256_ps(_mm256_or_si256(fraction, _mm256_set1_epi32(0x3f800000)));
  }

  friend ADJOINT_INLINE float reduce_add(Vec a) { return reduce_add_256(a.v); }
  friend ADJOINT_INLINE float reduce_max(Vec a) {
    return is_nan(a).any() ? float(__builtin_nan("")) : reduce_max_256(a.v);
  }
  friend ADJOINT_INLINE float reduce_min(Vec a) {
    return is_nan(a).any() ? float(__builtin_nan("")) : reduce_min_256(a.v);
  }

 private:
  static ADJOINT_INLINE Vec widened(__m128i half) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
  }
  ADJOINT_INLINE __m128i narrowed() const {
    const __m256i bits = _mm256_castps_si256(v), upper = _mm256_srli_epi32(bits, 16);
    const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
    const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
    const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
    const __m256i quiet = _mm256_or_si256(upper, _mm256_set1_epi32(0x40));
    const __m256i words = _mm256_blendv_epi8(rounded, quiet, _mm256_castps_si256(is_nan(*this).m));
    return _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  }
  template <int predicate>
  static ADJOINT_INLINE Mask<float> compare(Vec a, Vec b) {
    return {_mm256_cmp_ps(a.v, b.v, predicate)};
  }
  // 2^n for whole n in the range of normal exponents: adding 1.5 * 2^23 leaves n + bias in the
  // low bits.
  static ADJOINT_INLINE Vec power_of_two(Vec n) {
    const Vec biased = n + (float(1.5) * float(0x1p23) + float(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(biased.v), 23));
  }
};

template <>
struct Mask<double> {
  __m256d m;

  static ADJOINT_INLINE __m256i lanes(int n) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static ADJOINT_INLINE Mask load_bools(const bool* p, int n) {
    uint32_t bytes = 0;
    if (n == 4) {
      __builtin_memcpy(&bytes, p, 4);
    } else {
      for (int i = 0; i < n; ++i) bytes |= static_cast<uint32_t>(p[i]) << (8 * i);
    }
    const __m256i wide = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(static_cast<int>(bytes)));
    return {_mm256_castsi256_pd(_mm256_cmpgt_epi64(wide, _mm256_setzero_si256()))};
  }
  ADJOINT_INLINE void store_bools(bool* p, int n) const {
    const uint32_t bytes = _pdep_u32(static_cast<uint32_t>(_mm256_movemask_pd(m)), 0x01010101);
    if (n == 4) {
      __builtin_memcpy(p, &bytes, 4);
    } else {
      for (int i = 0; i < n; ++i) p[i] = ((bytes >> (8 * i)) & 1) != 0;
    }
  }
  ADJOINT_INLINE bool any() const { return _mm256_movemask_pd(m) != 0; }
  ADJOINT_INLINE bool all() const { return _mm256_movemask_pd(m) == 0xf; }
  friend ADJOINT_INLINE Mask operator&(Mask a, Mask b) { return {_mm256_and_pd(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator|(Mask a, Mask b) { return {_mm256_or_pd(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator^(Mask a, Mask b) { return {_mm256_xor_pd(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator!(Mask a) {
    return {_mm256_xor_pd(a.m, _mm256_castsi256_pd(_mm256_set1_epi32(-1)))};
  }
};

template <>
struct Vec<double> {
  static constexpr int size = 4;
  __m256d v;

  Vec() = default;
  ADJOINT_INLINE Vec(__m256d r) : v(r) {}
  ADJOINT_INLINE Vec(float s) : v(_mm256_set1_pd(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(double s) : v(_mm256_set1_pd(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(int s) : v(_mm256_set1_pd(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(int64_t s) : v(_mm256_set1_pd(static_cast<double>(s))) {}

  static ADJOINT_INLINE Vec load(const double* p) { return _mm256_loadu_pd(p); }
  static ADJOINT_INLINE Vec load_n(const double* p, int n) {
    return _mm256_maskload_pd(p, Mask<double>::lanes(n));
  }
  ADJOINT_INLINE void store(double* p) const { _mm256_storeu_pd(p, v); }
  ADJOINT_INLINE void store_n(double* p, int n) const {
    _mm256_maskstore_pd(p, Mask<double>::lanes(n), v);
  }
  static ADJOINT_INLINE Vec iota() { return _mm256_setr_pd(0, 1, 2, 3); }

  friend ADJOINT_INLINE Vec operator+(Vec a, Vec b) { return _mm256_add_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a, Vec b) { return _mm256_sub_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator*(Vec a, Vec b) { return _mm256_mul_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator/(Vec a, Vec b) { return _mm256_div_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a) {
    return _mm256_xor_pd(a.v, _mm256_set1_pd(double(-0.0)));
  }

  ADJOINT_INLINE Vec& operator+=(Vec b) { return *this = *this + b; }
  ADJOINT_INLINE Vec& operator-=(Vec b) { return *this = *this - b; }
  ADJOINT_INLINE Vec& operator*=(Vec b) { return *this = *this * b; }
  ADJOINT_INLINE Vec& operator/=(Vec b) { return *this = *this / b; }

  friend ADJOINT_INLINE Mask<double> operator==(Vec a, Vec b) { return compare<_CMP_EQ_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<double> operator!=(Vec a, Vec b) { return compare<_CMP_NEQ_UQ>(a, b); }
  friend ADJOINT_INLINE Mask<double> operator<(Vec a, Vec b) { return compare<_CMP_LT_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<double> operator<=(Vec a, Vec b) { return compare<_CMP_LE_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<double> operator>(Vec a, Vec b) { return compare<_CMP_GT_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<double> operator>=(Vec a, Vec b) { return compare<_CMP_GE_OQ>(a, b); }
  friend ADJOINT_INLINE Mask<double> is_nan(Vec a) { return compare<_CMP_UNORD_Q>(a, a); }
  friend ADJOINT_INLINE Vec select(Mask<double> m, Vec a, Vec b) {
    return _mm256_blendv_pd(b.v, a.v, m.m);
  }
  friend ADJOINT_INLINE Vec where(Mask<double> m, Vec a, Vec b) { return select(m, a, b); }

  friend ADJOINT_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_pd(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm256_fnmadd_pd(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec min(Vec a, Vec b) { return _mm256_min_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec max(Vec a, Vec b) { return _mm256_max_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }
  friend ADJOINT_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
  friend ADJOINT_INLINE Vec abs(Vec a) {
    return _mm256_andnot_pd(_mm256_set1_pd(double(-0.0)), a.v);
  }
  friend ADJOINT_INLINE Vec copysign(Vec a, Vec b) {
    const __m256d sign = _mm256_set1_pd(double(-0.0));
    return _mm256_or_pd(_mm256_andnot_pd(sign, a.v), _mm256_and_pd(sign, b.v));
  }
  friend ADJOINT_INLINE Vec sqrt(Vec a) { return _mm256_sqrt_pd(a.v); }
  friend ADJOINT_INLINE Vec floor(Vec a) { return _mm256_floor_pd(a.v); }
  friend ADJOINT_INLINE Vec round_even(Vec a) {
    return _mm256_round_pd(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  // In two factors, for 2^n itself can leave the range where the result does not.
  friend ADJOINT_INLINE Vec ldexp_int(Vec x, Vec n) {
    const Vec half = floor(n * 0.5);
    return x * power_of_two(half) * power_of_two(n - half);
  }
  friend ADJOINT_INLINE Vec frexp_int(Vec x, Vec& e) {
    const Mask<double> denormal = x < Vec(double(0x1p-1022));
    x = select(denormal, x * double(0x1p54), x);
    const __m256i bits = _mm256_castpd_si256(x.v);
    // The biased exponent in the low bits of the number 2^52.
    const __m256i power =
        _mm256_or_si256(_mm256_srli_epi64(bits, 52), _mm256_set1_epi64x(0x4330000000000000));
    e = Vec(_mm256_castsi256_pd(power)) - (double(0x1p52) + double(1023));
    e = select(denormal, e - double(54), e);
    const __m256i fraction = _mm256_and_si256(bits, _mm256_set1_epi64x(0x000fffffffffffff));
    return _mm256_castsi256_pd(_mm256_or_si256(fraction, _mm256_set1_epi64x(0x3ff0000000000000)));
  }

  friend ADJOINT_INLINE double reduce_add(Vec a) { return reduce_add_256(a.v); }
  friend ADJOINT_INLINE double reduce_max(Vec a) {
    return is_nan(a).any() ? double(__builtin_nan("")) : reduce_max_256(a.v);
  }
  friend ADJOINT_INLINE double reduce_min(Vec a) {
    return is_nan(a).any() ? double(__builtin_nan("")) : reduce_min_256(a.v);
  }

 private:
  template <int predicate>
  static ADJOINT_INLINE Mask<double> compare(Vec a, Vec b) {
    return {_mm256_cmp_pd(a.v, b.v, predicate)};
  }
  // 2^n for whole n in the range of normal exponents: adding 1.5 * 2^52 leaves n + bias in the
  // low bits.
  static ADJOINT_INLINE Vec power_of_two(Vec n) {
    const Vec biased = n + (double(1.5) * double(0x1p52) + double(1023));
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(biased.v), 52));
  }
};

struct VecU32 {
  static constexpr int size = 8;
  __m256i v;

  VecU32() = default;
  ADJOINT_INLINE VecU32(__m256i r) : v(r) {}
  ADJOINT_INLINE VecU32(uint32_t s) : v(_mm256_set1_epi32(static_cast<int>(s))) {}
  static ADJOINT_INLINE VecU32 load(const uint32_t* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static ADJOINT_INLINE VecU32 load_n(const uint32_t* p, int n) {
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), Mask<float>::lanes(n));
  }
  ADJOINT_INLINE void store(uint32_t* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
  }
  ADJOINT_INLINE void store_n(uint32_t* p, int n) const {
    _mm256_maskstore_epi32(reinterpret_cast<int*>(p), Mask<float>::lanes(n), v);
  }
  static ADJOINT_INLINE VecU32 iota() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
  friend ADJOINT_INLINE VecU32 operator+(VecU32 a, VecU32 b) { return _mm256_add_epi32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator-(VecU32 a, VecU32 b) { return _mm256_sub_epi32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator^(VecU32 a, VecU32 b) { return _mm256_xor_si256(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator&(VecU32 a, VecU32 b) { return _mm256_and_si256(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator|(VecU32 a, VecU32 b) { return _mm256_or_si256(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator<<(VecU32 a, int s) {
    return _mm256_sllv_epi32(a.v, _mm256_set1_epi32(s));
  }
  friend ADJOINT_INLINE VecU32 operator>>(VecU32 a, int s) {
    return _mm256_srlv_epi32(a.v, _mm256_set1_epi32(s));
  }
  friend ADJOINT_INLINE VecU32 mul_lo(VecU32 a, VecU32 b) { return _mm256_mullo_epi32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 mul_hi(VecU32 a, VecU32 b) {
    const __m256i even = _mm256_mul_epu32(a.v, b.v);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a.v, 32), _mm256_srli_epi64(b.v, 32));
    return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  }
  friend ADJOINT_INLINE Mask<float> operator<(VecU32 a, VecU32 b) {
    const VecU32 top(0x80000000u);
    return {_mm256_castsi256_ps(_mm256_cmpgt_epi32((b ^ top).v, (a ^ top).v))};
  }
  friend ADJOINT_INLINE Mask<float> operator==(VecU32 a, VecU32 b) {
    return {_mm256_castsi256_ps(_mm256_cmpeq_epi32(a.v, b.v))};
  }
  friend ADJOINT_INLINE Vec<float> to_float(VecU32 a) { return _mm256_cvtepi32_ps(a.v); }
  friend ADJOINT_INLINE Vec<float> float_from_bits(VecU32 a) { return _mm256_castsi256_ps(a.v); }
  static ADJOINT_INLINE VecU32 bits_of(Vec<float> a) { return _mm256_castps_si256(a.v); }
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
