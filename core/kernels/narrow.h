// Numbers of fewer bits than a float, widened in registers. For kernel sources only.
#pragma once

#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The upper half of a float.
struct Bf16 {
  using Stored = uint16_t;

  // The nearest, ties to even; beyond the largest, infinity. NaN stays NaN.
  static ADJOINT_INLINE Stored narrowed(float x) {
    uint32_t bits;
    __builtin_memcpy(&bits, &x, sizeof bits);
    if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<Stored>(bits >> 16 | 0x40);
    return static_cast<Stored>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
  static ADJOINT_INLINE Vec<float> widened(const Stored* p) {
#if defined(ADJOINT_ISA_AVX512)
    const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(
        _mm512_maskz_slli_epi32(0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, half), 16));
#elif defined(ADJOINT_ISA_AVX2)
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
#else
    uint32_t bits[Vec<float>::size];
    for (int i = 0; i < Vec<float>::size; ++i) bits[i] = static_cast<uint32_t>(p[i]) << 16;
    return float_from_bits(VecU32::load(bits));
#endif
  }
};

struct Int8 {
  using Stored = int8_t;

  static ADJOINT_INLINE Vec<float> widened(const Stored* p) {
#if defined(ADJOINT_ISA_AVX512)
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_maskz_cvtepi32_ps(0xffff, _mm512_maskz_cvtepi8_epi32(0xffff, bytes));
#elif defined(ADJOINT_ISA_AVX2)
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
#else
    float values[Vec<float>::size];
    for (int i = 0; i < Vec<float>::size; ++i) values[i] = p[i];
    return Vec<float>::load(values);
#endif
  }
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
