// Vec for AVX-512: 16 floats or 8 doubles. The contract stands in vec_scalar.h.
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
  __mmask16 m;

  static ADJOINT_INLINE __mmask16 lanes(int n) {
    return static_cast<__mmask16>(_bzhi_u32(0xffff, static_cast<unsigned>(n)));
  }
  static ADJOINT_INLINE Mask load_bools(const bool* p, int n) {
    const __m128i bytes = _mm_maskz_loadu_epi8(static_cast<__mmask16>(lanes(n)), p);
    return {static_cast<__mmask16>(_mm_test_epi8_mask(bytes, bytes))};
  }
  ADJOINT_INLINE void store_bools(bool* p, int n) const {
    const __m128i bytes = _mm_maskz_set1_epi8(static_cast<__mmask16>(m), 1);
    _mm_mask_storeu_epi8(p, static_cast<__mmask16>(lanes(n)), bytes);
  }
  ADJOINT_INLINE bool any() const { return m != 0; }
  ADJOINT_INLINE bool all() const { return m == 0xffff; }
  friend ADJOINT_INLINE Mask operator&(Mask a, Mask b) {
    return {static_cast<__mmask16>(a.m & b.m)};
  }
  friend ADJOINT_INLINE Mask operator|(Mask a, Mask b) {
    return {static_cast<__mmask16>(a.m | b.m)};
  }
  friend ADJOINT_INLINE Mask operator^(Mask a, Mask b) {
    return {static_cast<__mmask16>(a.m ^ b.m)};
  }
  friend ADJOINT_INLINE Mask operator!(Mask a) { return {static_cast<__mmask16>(a.m ^ 0xffff)}; }
};

template <>
struct Vec<float> {
  static constexpr int size = 16;
  __m512 v;

  Vec() = default;
  ADJOINT_INLINE Vec(__m512 r) : v(r) {}
  ADJOINT_INLINE Vec(float s) : v(_mm512_set1_ps(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(double s) : v(_mm512_set1_ps(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(int s) : v(_mm512_set1_ps(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(int64_t s) : v(_mm512_set1_ps(static_cast<float>(s))) {}

  static ADJOINT_INLINE Vec load(const float* p) { return _mm512_loadu_ps(p); }
  static ADJOINT_INLINE Vec load_n(const float* p, int n) {
    return _mm512_maskz_loadu_ps(Mask<float>::lanes(n), p);
  }
  ADJOINT_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  ADJOINT_INLINE void store_n(float* p, int n) const {
    _mm512_mask_storeu_ps(p, Mask<float>::lanes(n), v);
  }
  static ADJOINT_INLINE Vec load(const bfloat16* p) {
    return widened(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static ADJOINT_INLINE Vec load_n(const bfloat16* p, int n) {
    return widened(_mm256_maskz_loadu_epi16(Mask<float>::lanes(n), p));
  }
  ADJOINT_INLINE void store(bfloat16* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), narrowed());
  }
  ADJOINT_INLINE void store_n(bfloat16* p, int n) const {
    _mm256_mask_storeu_epi16(p, Mask<float>::lanes(n), narrowed());
  }
  static ADJOINT_INLINE Vec load(const float16* p) {
    return _mm512_maskz_cvtph_ps(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static ADJOINT_INLINE Vec load_n(const float16* p, int n) {
    return _mm512_maskz_cvtph_ps(0xffff, _mm256_maskz_loadu_epi16(Mask<float>::lanes(n), p));
  }
  ADJOINT_INLINE void store(float16* p) const {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), halves());
  }
  ADJOINT_INLINE void store_n(float16* p, int n) const {
    _mm256_mask_storeu_epi16(p, Mask<float>::lanes(n), halves());
  }
  static ADJOINT_INLINE Vec iota() {
    return _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }

  friend ADJOINT_INLINE Vec operator+(Vec a, Vec b) { return _mm512_add_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a, Vec b) { return _mm512_sub_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator*(Vec a, Vec b) { return _mm512_mul_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator/(Vec a, Vec b) { return _mm512_div_ps(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a) {
    return _mm512_xor_ps(a.v, _mm512_set1_ps(float(-0.0)));
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
    return _mm512_mask_blend_ps(m.m, b.v, a.v);
  }
  friend ADJOINT_INLINE Vec where(Mask<float> m, Vec a, Vec b) { return select(m, a, b); }

  friend ADJOINT_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_ps(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec min(Vec a, Vec b) { return _mm512_maskz_min_ps(0xffff, a.v, b.v); }
  friend ADJOINT_INLINE Vec max(Vec a, Vec b) { return _mm512_maskz_max_ps(0xffff, a.v, b.v); }
  friend ADJOINT_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }
  friend ADJOINT_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
  friend ADJOINT_INLINE Vec abs(Vec a) {
    return _mm512_andnot_ps(_mm512_set1_ps(float(-0.0)), a.v);
  }
  friend ADJOINT_INLINE Vec copysign(Vec a, Vec b) {
    const __m512 sign = _mm512_set1_ps(float(-0.0));
    return _mm512_or_ps(_mm512_andnot_ps(sign, a.v), _mm512_and_ps(sign, b.v));
  }
  friend ADJOINT_INLINE Vec sqrt(Vec a) { return _mm512_maskz_sqrt_ps(0xffff, a.v); }
  friend ADJOINT_INLINE Vec floor(Vec a) {
    return _mm512_maskz_roundscale_ps(0xffff, a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  friend ADJOINT_INLINE Vec round_even(Vec a) {
    return _mm512_maskz_roundscale_ps(0xffff, a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  friend ADJOINT_INLINE Vec ldexp_int(Vec x, Vec n) {
    return _mm512_maskz_scalef_ps(0xffff, x.v, n.v);
  }
  friend ADJOINT_INLINE Vec frexp_int(Vec x, Vec& e) {
    e = _mm512_maskz_getexp_ps(0xffff, x.v);
    return _mm512_maskz_getmant_ps(0xffff, x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
  }

  friend ADJOINT_INLINE float reduce_add(Vec a) {
    const __m256 h = _mm256_add_ps(low(a), high(a));
    return reduce_add_256(h);
  }
  friend ADJOINT_INLINE float reduce_max(Vec a) {
    if (is_nan(a).any()) return float(__builtin_nan(""));
    const __m256 h = _mm256_max_ps(low(a), high(a));
    return reduce_max_256(h);
  }
  friend ADJOINT_INLINE float reduce_min(Vec a) {
    if (is_nan(a).any()) return float(__builtin_nan(""));
    const __m256 h = _mm256_min_ps(low(a), high(a));
    return reduce_min_256(h);
  }

 private:
  static ADJOINT_INLINE Vec widened(__m256i half) {
    return _mm512_castsi512_ps(
        _mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, half), 16));
  }
  ADJOINT_INLINE __m256i halves() const {
    return _mm512_maskz_cvtps_ph(0xffff, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  ADJOINT_INLINE __m256i narrowed() const {
    const __m512i bits = _mm512_castps_si512(v), upper = _mm512_maskz_srli_epi32(0xffff, bits, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
    const __m512i rounded = _mm512_maskz_srli_epi32(0xffff, _mm512_add_epi32(bits, half), 16);
    const __m512i quiet = _mm512_or_si512(upper, _mm512_set1_epi32(0x40));
    return _mm512_maskz_cvtepi32_epi16(0xffff,
                                       _mm512_mask_blend_epi32(is_nan(*this).m, rounded, quiet));
  }
  template <int predicate>
  static ADJOINT_INLINE Mask<float> compare(Vec a, Vec b) {
    return {_mm512_cmp_ps_mask(a.v, b.v, predicate)};
  }
  // Not the casts: g++ 12 warns of an uninitialised value inside them.
  static ADJOINT_INLINE __m256 low(Vec a) { return _mm512_maskz_extractf32x8_ps(0xff, a.v, 0); }
  static ADJOINT_INLINE __m256 high(Vec a) { return _mm512_maskz_extractf32x8_ps(0xff, a.v, 1); }
};

template <>
struct Mask<double> {
  __mmask8 m;

  static ADJOINT_INLINE __mmask8 lanes(int n) {
    return static_cast<__mmask8>(_bzhi_u32(0xff, static_cast<unsigned>(n)));
  }
  static ADJOINT_INLINE Mask load_bools(const bool* p, int n) {
    const __m128i bytes = _mm_maskz_loadu_epi8(static_cast<__mmask16>(lanes(n)), p);
    return {static_cast<__mmask8>(_mm_test_epi8_mask(bytes, bytes))};
  }
  ADJOINT_INLINE void store_bools(bool* p, int n) const {
    const __m128i bytes = _mm_maskz_set1_epi8(static_cast<__mmask16>(m), 1);
    _mm_mask_storeu_epi8(p, static_cast<__mmask16>(lanes(n)), bytes);
  }
  ADJOINT_INLINE bool any() const { return m != 0; }
  ADJOINT_INLINE bool all() const { return m == 0xff; }
  friend ADJOINT_INLINE Mask operator&(Mask a, Mask b) {
    return {static_cast<__mmask8>(a.m & b.m)};
  }
  friend ADJOINT_INLINE Mask operator|(Mask a, Mask b) {
    return {static_cast<__mmask8>(a.m | b.m)};
  }
  friend ADJOINT_INLINE Mask operator^(Mask a, Mask b) {
    return {static_cast<__mmask8>(a.m ^ b.m)};
  }
  friend ADJOINT_INLINE Mask operator!(Mask a) { return {static_cast<__mmask8>(a.m ^ 0xff)}; }
};

template <>
struct Vec<double> {
  static constexpr int size = 8;
  __m512d v;

  Vec() = default;
  ADJOINT_INLINE Vec(__m512d r) : v(r) {}
  ADJOINT_INLINE Vec(float s) : v(_mm512_set1_pd(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(double s) : v(_mm512_set1_pd(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(int s) : v(_mm512_set1_pd(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(int64_t s) : v(_mm512_set1_pd(static_cast<double>(s))) {}

  static ADJOINT_INLINE Vec load(const double* p) { return _mm512_loadu_pd(p); }
  static ADJOINT_INLINE Vec load_n(const double* p, int n) {
    return _mm512_maskz_loadu_pd(Mask<double>::lanes(n), p);
  }
  ADJOINT_INLINE void store(double* p) const { _mm512_storeu_pd(p, v); }
  ADJOINT_INLINE void store_n(double* p, int n) const {
    _mm512_mask_storeu_pd(p, Mask<double>::lanes(n), v);
  }
  static ADJOINT_INLINE Vec iota() { return _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7); }

  friend ADJOINT_INLINE Vec operator+(Vec a, Vec b) { return _mm512_add_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a, Vec b) { return _mm512_sub_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator*(Vec a, Vec b) { return _mm512_mul_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator/(Vec a, Vec b) { return _mm512_div_pd(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a) {
    return _mm512_xor_pd(a.v, _mm512_set1_pd(double(-0.0)));
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
    return _mm512_mask_blend_pd(m.m, b.v, a.v);
  }
  friend ADJOINT_INLINE Vec where(Mask<double> m, Vec a, Vec b) { return select(m, a, b); }

  friend ADJOINT_INLINE Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_pd(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec fnma(Vec a, Vec b, Vec c) { return _mm512_fnmadd_pd(a.v, b.v, c.v); }
  friend ADJOINT_INLINE Vec min(Vec a, Vec b) { return _mm512_maskz_min_pd(0xff, a.v, b.v); }
  friend ADJOINT_INLINE Vec max(Vec a, Vec b) { return _mm512_maskz_max_pd(0xff, a.v, b.v); }
  friend ADJOINT_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }
  friend ADJOINT_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
  friend ADJOINT_INLINE Vec abs(Vec a) {
    return _mm512_andnot_pd(_mm512_set1_pd(double(-0.0)), a.v);
  }
  friend ADJOINT_INLINE Vec copysign(Vec a, Vec b) {
    const __m512d sign = _mm512_set1_pd(double(-0.0));
    return _mm512_or_pd(_mm512_andnot_pd(sign, a.v), _mm512_and_pd(sign, b.v));
  }
  friend ADJOINT_INLINE Vec sqrt(Vec a) { return _mm512_maskz_sqrt_pd(0xff, a.v); }
  friend ADJOINT_INLINE Vec floor(Vec a) {
    return _mm512_maskz_roundscale_pd(0xff, a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  }
  friend ADJOINT_INLINE Vec round_even(Vec a) {
    return _mm512_maskz_roundscale_pd(0xff, a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  friend ADJOINT_INLINE Vec ldexp_int(Vec x, Vec n) {
    return _mm512_maskz_scalef_pd(0xff, x.v, n.v);
  }
  friend ADJOINT_INLINE Vec frexp_int(Vec x, Vec& e) {
    e = _mm512_maskz_getexp_pd(0xff, x.v);
    return _mm512_maskz_getmant_pd(0xff, x.v, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
  }

  friend ADJOINT_INLINE double reduce_add(Vec a) {
    const __m256d h = _mm256_add_pd(low(a), high(a));
    return reduce_add_256(h);
  }
  friend ADJOINT_INLINE double reduce_max(Vec a) {
    if (is_nan(a).any()) return double(__builtin_nan(""));
    const __m256d h = _mm256_max_pd(low(a), high(a));
    return reduce_max_256(h);
  }
  friend ADJOINT_INLINE double reduce_min(Vec a) {
    if (is_nan(a).any()) return double(__builtin_nan(""));
    const __m256d h = _mm256_min_pd(low(a), high(a));
    return reduce_min_256(h);
  }

 private:
  template <int predicate>
  static ADJOINT_INLINE Mask<double> compare(Vec a, Vec b) {
    return {_mm512_cmp_pd_mask(a.v, b.v, predicate)};
  }
  static ADJOINT_INLINE __m256d low(Vec a) { return _mm512_maskz_extractf64x4_pd(0xff, a.v, 0); }
  static ADJOINT_INLINE __m256d high(Vec a) { return _mm512_maskz_extractf64x4_pd(0xff, a.v, 1); }
};

struct VecU32 {
  static constexpr int size = 16;
  __m512i v;

  VecU32() = default;
  ADJOINT_INLINE VecU32(__m512i r) : v(r) {}
  ADJOINT_INLINE VecU32(uint32_t s) : v(_mm512_set1_epi32(static_cast<int>(s))) {}
  static ADJOINT_INLINE VecU32 load(const uint32_t* p) { return _mm512_loadu_si512(p); }
  static ADJOINT_INLINE VecU32 load_n(const uint32_t* p, int n) {
    return _mm512_maskz_loadu_epi32(Mask<float>::lanes(n), p);
  }
  ADJOINT_INLINE void store(uint32_t* p) const { _mm512_storeu_si512(p, v); }
  ADJOINT_INLINE void store_n(uint32_t* p, int n) const {
    _mm512_mask_storeu_epi32(p, Mask<float>::lanes(n), v);
  }
  static ADJOINT_INLINE VecU32 iota() {
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  }
  friend ADJOINT_INLINE VecU32 operator+(VecU32 a, VecU32 b) { return _mm512_add_epi32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator-(VecU32 a, VecU32 b) { return _mm512_sub_epi32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator^(VecU32 a, VecU32 b) { return _mm512_xor_si512(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator&(VecU32 a, VecU32 b) { return _mm512_and_si512(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator|(VecU32 a, VecU32 b) { return _mm512_or_si512(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator<<(VecU32 a, int s) {
    return _mm512_maskz_sllv_epi32(0xffff, a.v, _mm512_set1_epi32(s));
  }
  friend ADJOINT_INLINE VecU32 operator>>(VecU32 a, int s) {
    return _mm512_maskz_srlv_epi32(0xffff, a.v, _mm512_set1_epi32(s));
  }
  friend ADJOINT_INLINE VecU32 mul_lo(VecU32 a, VecU32 b) { return _mm512_mullo_epi32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 mul_hi(VecU32 a, VecU32 b) {
    const __m512i even = _mm512_maskz_mul_epu32(0xff, a.v, b.v);
    const __m512i odd = _mm512_maskz_mul_epu32(0xff, odd_lanes(a).v, odd_lanes(b).v);
    return _mm512_mask_blend_epi32(0xaaaa, odd_lanes(even).v, odd);
  }
  friend ADJOINT_INLINE Mask<float> operator<(VecU32 a, VecU32 b) {
    return {_mm512_cmplt_epu32_mask(a.v, b.v)};
  }
  friend ADJOINT_INLINE Mask<float> operator==(VecU32 a, VecU32 b) {
    return {_mm512_cmpeq_epi32_mask(a.v, b.v)};
  }
  friend ADJOINT_INLINE Vec<float> to_float(VecU32 a) {
    return _mm512_maskz_cvtepi32_ps(0xffff, a.v);
  }
  friend ADJOINT_INLINE Vec<float> float_from_bits(VecU32 a) { return _mm512_castsi512_ps(a.v); }
  static ADJOINT_INLINE VecU32 bits_of(Vec<float> a) { return _mm512_castps_si512(a.v); }
  // a[0], b[0], c[0], d[0], a[1], ...: 4 * size numbers.
  static ADJOINT_INLINE void store_interleaved(VecU32 a, VecU32 b, VecU32 c, VecU32 d,
                                               uint32_t* p) {
    // Four numbers of lanes 4 k + j are quarter k of four[j].
    const __m512i ab0 = low_pairs(a, b), ab1 = high_pairs(a, b);
    const __m512i cd0 = low_pairs(c, d), cd1 = high_pairs(c, d);
    const __m512i four[4] = {
        _mm512_maskz_unpacklo_epi64(0xff, ab0, cd0), _mm512_maskz_unpackhi_epi64(0xff, ab0, cd0),
        _mm512_maskz_unpacklo_epi64(0xff, ab1, cd1), _mm512_maskz_unpackhi_epi64(0xff, ab1, cd1)};
    const __m512i front01 = quarters<0x44>(four[0], four[1]);
    const __m512i front23 = quarters<0x44>(four[2], four[3]);
    const __m512i back01 = quarters<0xee>(four[0], four[1]);
    const __m512i back23 = quarters<0xee>(four[2], four[3]);
    _mm512_storeu_si512(p, quarters<0x88>(front01, front23));
    _mm512_storeu_si512(p + 16, quarters<0xdd>(front01, front23));
    _mm512_storeu_si512(p + 32, quarters<0x88>(back01, back23));
    _mm512_storeu_si512(p + 48, quarters<0xdd>(back01, back23));
  }

 private:
  // Within each quarter of the register.
  static ADJOINT_INLINE __m512i low_pairs(VecU32 a, VecU32 b) {
    return _mm512_maskz_unpacklo_epi32(0xffff, a.v, b.v);
  }
  static ADJOINT_INLINE __m512i high_pairs(VecU32 a, VecU32 b) {
    return _mm512_maskz_unpackhi_epi32(0xffff, a.v, b.v);
  }
  // Two quarters of a, then two of b.
  template <int which>
  static ADJOINT_INLINE __m512i quarters(__m512i a, __m512i b) {
    return _mm512_maskz_shuffle_i32x4(0xffff, a, b, which);
  }
  // Odd lanes to even ones.
  static ADJOINT_INLINE VecU32 odd_lanes(VecU32 a) {
    return _mm512_maskz_srli_epi64(0xff, a.v, 32);
  }
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
