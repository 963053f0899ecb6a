// Neighbours taken apart and put together again: a row's elements at even and at odd places. For
// kernel sources only.
#pragma once

#include "core/kernels/common.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// even[i] = p[2 i], odd[i] = p[2 i + 1]
ADJOINT_INLINE void load_pairs(const float* p, Vec<float>& even, Vec<float>& odd) {
#if defined(ADJOINT_ISA_AVX512)
  const __m512i places =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const __m512i next = _mm512_add_epi32(places, _mm512_set1_epi32(1));
  const __m512 a = _mm512_loadu_ps(p), b = _mm512_loadu_ps(p + 16);
  even = _mm512_permutex2var_ps(a, places, b);
  odd = _mm512_permutex2var_ps(a, next, b);
#elif defined(ADJOINT_ISA_AVX2)
  const __m256 a = _mm256_loadu_ps(p), b = _mm256_loadu_ps(p + 8);
  const auto in_order = [](__m256 x) __attribute__((always_inline)) {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(x), 0xd8));
  };
  even = in_order(_mm256_shuffle_ps(a, b, 0x88));
  odd = in_order(_mm256_shuffle_ps(a, b, 0xdd));
#elif defined(ADJOINT_ISA_NEON)
  const float32x4x2_t both = vld2q_f32(p);
  even = both.val[0];
  odd = both.val[1];
#else
  even = p[0];
  odd = p[1];
#endif
}

// p[2 i] = even[i], p[2 i + 1] = odd[i]
ADJOINT_INLINE void store_pairs(Vec<float> even, Vec<float> odd, float* p) {
#if defined(ADJOINT_ISA_AVX512)
  const __m512i places = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
  const __m512i behind = _mm512_add_epi32(places, _mm512_set1_epi32(8));
  _mm512_storeu_ps(p, _mm512_permutex2var_ps(even.v, places, odd.v));
  _mm512_storeu_ps(p + 16, _mm512_permutex2var_ps(even.v, behind, odd.v));
#elif defined(ADJOINT_ISA_AVX2)
  const __m256 low = _mm256_unpacklo_ps(even.v, odd.v), high = _mm256_unpackhi_ps(even.v, odd.v);
  _mm256_storeu_ps(p, _mm256_permute2f128_ps(low, high, 0x20));
  _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(low, high, 0x31));
#elif defined(ADJOINT_ISA_NEON)
  vst2q_f32(p, float32x4x2_t{{even.v, odd.v}});
#else
  even.store(p);
  odd.store(p + 1);
#endif
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
