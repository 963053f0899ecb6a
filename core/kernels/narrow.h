// Numbers of fewer bits than a float, widened in registers. For kernel sources only.
#pragma once

#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

constexpr uint32_t kUpper = 0xffff0000u;

// The nearest bf16, ties to even, as an f32; NaN stays NaN.
ADJOINT_INLINE Vec<float> nearest_bf16(Vec<float> x) {
  const VecU32 bits = VecU32::bits_of(x);
  const VecU32 up = (bits + VecU32(0x7fff) + ((bits >> 16) & VecU32(1))) & VecU32(kUpper);
  const VecU32 nan = (bits | VecU32(0x00400000)) & VecU32(kUpper);
  return select(is_nan(x), float_from_bits(nan), float_from_bits(up));
}

// The bits of bfloat16.
struct Bf16 {
  using Stored = uint16_t;

  static ADJOINT_INLINE Stored narrowed(float x) { return bfloat16(x).bits; }
  static ADJOINT_INLINE Vec<float> widened(const Stored* p) {
    return Vec<float>::load(reinterpret_cast<const bfloat16*>(p));
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
