// Lanes of even and of odd number: what lies side by side in memory, taken apart.
//
// evens(a, b) are lanes 0, 2, ... of a and then of b, odds(a, b) lanes 1, 3, ...: of registers of
// one lane, a and b.
#pragma once

#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

#if defined(ADJOINT_ISA_AVX512)

ADJOINT_INLINE Vec<float> evens(Vec<float> a, Vec<float> b) {
  const __m512i which =
      _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  return _mm512_permutex2var_ps(a.v, which, b.v);
}
ADJOINT_INLINE Vec<float> odds(Vec<float> a, Vec<float> b) {
  const __m512i which =
      _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
  return _mm512_permutex2var_ps(a.v, which, b.v);
}
ADJOINT_INLINE Vec<double> evens(Vec<double> a, Vec<double> b) {
  return _mm512_permutex2var_pd(a.v, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b.v);
}
ADJOINT_INLINE Vec<double> odds(Vec<double> a, Vec<double> b) {
  return _mm512_permutex2var_pd(a.v, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), b.v);
}

#elif defined(ADJOINT_ISA_AVX2)

// Within halves of a register first, then the four pairs in order.
ADJOINT_INLINE __m256d in_order(__m256d pairs) {
  return _mm256_permute4x64_pd(pairs, _MM_SHUFFLE(3, 1, 2, 0));
}
ADJOINT_INLINE Vec<float> evens(Vec<float> a, Vec<float> b) {
  const __m256 pairs = _mm256_shuffle_ps(a.v, b.v, _MM_SHUFFLE(2, 0, 2, 0));
  return _mm256_castpd_ps(in_order(_mm256_castps_pd(pairs)));
}
ADJOINT_INLINE Vec<float> odds(Vec<float> a, Vec<float> b) {
  const __m256 pairs = _mm256_shuffle_ps(a.v, b.v, _MM_SHUFFLE(3, 1, 3, 1));
  return _mm256_castpd_ps(in_order(_mm256_castps_pd(pairs)));
}
ADJOINT_INLINE Vec<double> evens(Vec<double> a, Vec<double> b) {
  return in_order(_mm256_unpacklo_pd(a.v, b.v));
}
ADJOINT_INLINE Vec<double> odds(Vec<double> a, Vec<double> b) {
  return in_order(_mm256_unpackhi_pd(a.v, b.v));
}

#elif defined(ADJOINT_ISA_NEON)

ADJOINT_INLINE Vec<float> evens(Vec<float> a, Vec<float> b) { return vuzp1q_f32(a.v, b.v); }
ADJOINT_INLINE Vec<float> odds(Vec<float> a, Vec<float> b) { return vuzp2q_f32(a.v, b.v); }
ADJOINT_INLINE Vec<double> evens(Vec<double> a, Vec<double> b) { return vuzp1q_f64(a.v, b.v); }
ADJOINT_INLINE Vec<double> odds(Vec<double> a, Vec<double> b) { return vuzp2q_f64(a.v, b.v); }

#endif

// Registers of one lane.
template <class T>
ADJOINT_INLINE Vec<T> evens(Vec<T> a, Vec<T> /*b*/) {
  return a;
}
template <class T>
ADJOINT_INLINE Vec<T> odds(Vec<T> /*a*/, Vec<T> b) {
  return b;
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
