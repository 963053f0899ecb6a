// Packing: panels of A and slivers of B in the order in which the register tile reads them.
#pragma once

#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Transposes a square of Vec<T>::size rows in registers: out[k] lane r = src[r * row + k], for
// r < rows, else 0. The generic one goes through memory.
template <class T>
ADJOINT_INLINE void load_transposed(const T* src, int64_t row, int rows,
                                    Vec<T> (&out)[Vec<T>::size]) {
  constexpr int size = Vec<T>::size;
  T square[size][size] = {};
  for (int r = 0; r < rows; ++r) {
    for (int k = 0; k < size; ++k) square[k][r] = src[r * row + k];
  }
  for (int k = 0; k < size; ++k) out[k] = Vec<T>::load(square[k]);
}

#if defined(ADJOINT_ISA_AVX512)
// Four rows' quarters in one register at the load, then two steps of shuffles inside quarters.
ADJOINT_INLINE void load_transposed(const float* src, int64_t row, int rows,
                                    Vec<float> (&out)[16]) {
  const auto at = [=](int r) { return src + r * row; };
#pragma GCC unroll 4
  for (int q = 0; q < 4; ++q) {  // k = 4 q ... 4 q + 3
    __m512 x[4];
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) {  // rows s, 4 + s, 8 + s, 12 + s
      __m512 v = _mm512_setzero_ps();
#pragma GCC unroll 4
      for (int p = 0; p < 4; ++p) {
        const int r = 4 * p + s;
        if (r < rows) {
          v = _mm512_mask_broadcast_f32x4(v, static_cast<__mmask16>(0xf << (4 * p)),
                                          _mm_loadu_ps(at(r) + 4 * q));
        }
      }
      x[s] = v;
    }
    const __m512 lo01 = _mm512_unpacklo_ps(x[0], x[1]), hi01 = _mm512_unpackhi_ps(x[0], x[1]);
    const __m512 lo23 = _mm512_unpacklo_ps(x[2], x[3]), hi23 = _mm512_unpackhi_ps(x[2], x[3]);
    out[4 * q + 0] = _mm512_shuffle_ps(lo01, lo23, 0x44);
    out[4 * q + 1] = _mm512_shuffle_ps(lo01, lo23, 0xee);
    out[4 * q + 2] = _mm512_shuffle_ps(hi01, hi23, 0x44);
    out[4 * q + 3] = _mm512_shuffle_ps(hi01, hi23, 0xee);
  }
}
#elif defined(ADJOINT_ISA_AVX2)
ADJOINT_INLINE void load_transposed(const float* src, int64_t row, int rows, Vec<float> (&out)[8]) {
  const auto half = [=](int r, int k) {
    return r < rows ? _mm_loadu_ps(src + r * row + k) : _mm_setzero_ps();
  };
#pragma GCC unroll 2
  for (int q = 0; q < 2; ++q) {
    __m256 x[4];
#pragma GCC unroll 4
    for (int s = 0; s < 4; ++s) {
      x[s] = _mm256_insertf128_ps(_mm256_castps128_ps256(half(s, 4 * q)), half(4 + s, 4 * q), 1);
    }
    const __m256 lo01 = _mm256_unpacklo_ps(x[0], x[1]), hi01 = _mm256_unpackhi_ps(x[0], x[1]);
    const __m256 lo23 = _mm256_unpacklo_ps(x[2], x[3]), hi23 = _mm256_unpackhi_ps(x[2], x[3]);
    out[4 * q + 0] = _mm256_shuffle_ps(lo01, lo23, 0x44);
    out[4 * q + 1] = _mm256_shuffle_ps(lo01, lo23, 0xee);
    out[4 * q + 2] = _mm256_shuffle_ps(hi01, hi23, 0x44);
    out[4 * q + 3] = _mm256_shuffle_ps(hi01, hi23, 0xee);
  }
}
#elif defined(ADJOINT_ISA_NEON)
// Neighbouring rows trade lanes, then pairs of rows trade halves.
ADJOINT_INLINE void load_transposed(const float* src, int64_t row, int rows, Vec<float> (&out)[4]) {
  const auto at = [=](int r) { return r < rows ? vld1q_f32(src + r * row) : vdupq_n_f32(0); };
  const auto pairs = [](float32x4_t x) { return vreinterpretq_f64_f32(x); };
  const auto lanes = [](float64x2_t x) { return vreinterpretq_f32_f64(x); };
  const float32x4_t x0 = at(0), x1 = at(1), x2 = at(2), x3 = at(3);
  const float64x2_t even01 = pairs(vtrn1q_f32(x0, x1)), odd01 = pairs(vtrn2q_f32(x0, x1));
  const float64x2_t even23 = pairs(vtrn1q_f32(x2, x3)), odd23 = pairs(vtrn2q_f32(x2, x3));
  out[0] = lanes(vtrn1q_f64(even01, even23));
  out[1] = lanes(vtrn1q_f64(odd01, odd23));
  out[2] = lanes(vtrn2q_f64(even01, even23));
  out[3] = lanes(vtrn2q_f64(odd01, odd23));
}
#endif

// dst[k * width + r] = src[r * r_stride + k * k_stride] for r < count and k < kc, and 0 for
// count <= r < width. Rows of whole registers go without masks, which cost as much again.
template <class T>
void pack(const T* src, int64_t r_stride, int64_t k_stride, int count, int width, int64_t kc,
          T* dst) {
  using V = Vec<T>;
  constexpr int size = V::size;
  const auto clip = [](int n) { return n < 0 ? 0 : n < size ? n : size; };
  const bool whole = count == width && width % size == 0;
  int64_t k = 0;
  if (r_stride == 1) {
    for (; k < kc; ++k) {
      const T* const from = src + k * k_stride;
      T* const to = dst + k * width;
      for (int r = 0; r < width; r += size) {
        __builtin_prefetch(from + 16 * k_stride + r);
        if (whole) {
          V::load(from + r).store(to + r);
        } else {
          V::load_n(from + r, clip(count - r)).store_n(to + r, clip(width - r));
        }
      }
    }
    return;
  }
  // Squares. The neighbouring part comes next: its rows are streams that no hardware has seen yet.
  const auto ask_for_next = [&](int r, int rows) __attribute__((always_inline)) {
    for (int i = 0; i < rows; ++i) __builtin_prefetch(src + (r + i + width) * r_stride + k);
  };
  if (k_stride == 1 && whole) {
    for (; k + size <= kc; k += size) {
      for (int r = 0; r < width; r += size) {
        V square[size];
        ask_for_next(r, size);
        load_transposed(src + r * r_stride + k, r_stride, size, square);
#pragma GCC unroll 16
        for (int i = 0; i < size; ++i) square[i].store(dst + (k + i) * width + r);
      }
    }
  } else if (k_stride == 1) {
    for (; k + size <= kc; k += size) {
      for (int r = 0; r < width; r += size) {
        V square[size];
        ask_for_next(r, clip(width - r));
        load_transposed(src + r * r_stride + k, r_stride, clip(count - r), square);
#pragma GCC unroll 16
        for (int i = 0; i < size; ++i) {
          square[i].store_n(dst + (k + i) * width + r, clip(width - r));
        }
      }
    }
  }
  for (; k < kc; ++k) {
    for (int r = 0; r < width; ++r) {
      dst[k * width + r] = r < count ? src[r * r_stride + k * k_stride] : T(0);
    }
  }
}

// Packs several neighbours: part p takes rows begin[p] to begin[p + 1], clipped to `count`, and
// goes to dst + begin[p] * kc. Where rows are contiguous all parts advance together, for a memory
// page holds one k of them all.
template <class T>
void pack_parts(const T* src, int64_t r_stride, int64_t k_stride, const int* begin, int parts,
                int count, int64_t kc, T* dst) {
  const int64_t step = r_stride == 1 && parts > 1 ? 8 : kc;
  for (int64_t k = 0; k < kc; k += step) {
    const int64_t length = kc - k < step ? kc - k : step;
    for (int p = 0; p < parts; ++p) {
      const int r = begin[p], width = begin[p + 1] - r;
      pack(src + r * r_stride + k * k_stride, r_stride, k_stride,
           count - r < width ? count - r : width, width, length, dst + r * kc + k * width);
    }
  }
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
