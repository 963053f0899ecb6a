// Vec for NEON on aarch64: 4 floats or 2 doubles. The contract stands in vec_scalar.h.
#pragma once

#include <arm_neon.h>

#include "core/simd/vec_scalar.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// All bits of a lane are set, or none.
template <>
struct Mask<float> {
  uint32x4_t m;

  static ADJOINT_INLINE Mask load_bools(const bool* p, int n) {
    uint32_t bytes = 0;
    if (n == 4) {
      __builtin_memcpy(&bytes, p, 4);
    } else {
      for (int i = 0; i < n; ++i) bytes |= static_cast<uint32_t>(p[i]) << (8 * i);
    }
    const uint32x4_t wide = vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(bytes))));
    return {vtstq_u32(wide, wide)};
  }
  ADJOINT_INLINE void store_bools(bool* p, int n) const {
    const uint16x4_t half = vmovn_u32(vshrq_n_u32(m, 31));
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(half, half));
    const uint32_t word = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    if (n == 4) {
      __builtin_memcpy(p, &word, 4);
    } else {
      for (int i = 0; i < n; ++i) p[i] = ((word >> (8 * i)) & 1) != 0;
    }
  }
  ADJOINT_INLINE bool any() const { return vmaxvq_u32(m) != 0; }
  ADJOINT_INLINE bool all() const { return vminvq_u32(m) != 0; }
  friend ADJOINT_INLINE Mask operator&(Mask a, Mask b) { return {vandq_u32(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator|(Mask a, Mask b) { return {vorrq_u32(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator^(Mask a, Mask b) { return {veorq_u32(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator!(Mask a) { return {vmvnq_u32(a.m)}; }
};

// There is no masked load or store: halves and single lanes, as the bits of n say.
template <>
struct Vec<float> {
  static constexpr int size = 4;
  float32x4_t v;

  Vec() = default;
  ADJOINT_INLINE Vec(float32x4_t r) : v(r) {}
  ADJOINT_INLINE Vec(float s) : v(vdupq_n_f32(s)) {}
  ADJOINT_INLINE Vec(double s) : v(vdupq_n_f32(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(int s) : v(vdupq_n_f32(static_cast<float>(s))) {}
  ADJOINT_INLINE Vec(int64_t s) : v(vdupq_n_f32(static_cast<float>(s))) {}

  static ADJOINT_INLINE Vec load(const float* p) { return vld1q_f32(p); }
  static ADJOINT_INLINE Vec load_n(const float* p, int n) {
    if (n >= 4) return vld1q_f32(p);
    float32x4_t r = vdupq_n_f32(0);
    if ((n & 2) != 0) {
      r = vcombine_f32(vld1_f32(p), vdup_n_f32(0));
      if ((n & 1) != 0) r = vld1q_lane_f32(p + 2, r, 2);
    } else if ((n & 1) != 0) {
      r = vld1q_lane_f32(p, r, 0);
    }
    return r;
  }
  ADJOINT_INLINE void store(float* p) const { vst1q_f32(p, v); }
  ADJOINT_INLINE void store_n(float* p, int n) const {
    if (n >= 4) {
      vst1q_f32(p, v);
    } else if ((n & 2) != 0) {
      vst1_f32(p, vget_low_f32(v));
      if ((n & 1) != 0) vst1q_lane_f32(p + 2, v, 2);
    } else if ((n & 1) != 0) {
      vst1q_lane_f32(p, v, 0);
    }
  }
  static ADJOINT_INLINE Vec load(const bfloat16* p) {
    uint16x4_t half;
    __builtin_memcpy(&half, p, sizeof(half));
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(half), 16));
  }
  static ADJOINT_INLINE Vec load_n(const bfloat16* p, int n) {
    bfloat16 space[size] = {};
    __builtin_memcpy(space, p, static_cast<size_t>(n) * sizeof(bfloat16));
    return load(space);
  }
  ADJOINT_INLINE void store(bfloat16* p) const {
    const uint32x4_t bits = vreinterpretq_u32_f32(v), upper = vshrq_n_u32(bits, 16);
    const uint32x4_t half = vaddq_u32(vandq_u32(upper, vdupq_n_u32(1)), vdupq_n_u32(0x7fff));
    const uint32x4_t rounded = vshrq_n_u32(vaddq_u32(bits, half), 16);
    const uint32x4_t quiet = vorrq_u32(upper, vdupq_n_u32(0x40));
    const uint16x4_t words = vmovn_u32(vbslq_u32(is_nan(*this).m, quiet, rounded));
    __builtin_memcpy(p, &words, sizeof(words));
  }
  ADJOINT_INLINE void store_n(bfloat16* p, int n) const {
    bfloat16 space[size];
    store(space);
    __builtin_memcpy(p, space, static_cast<size_t>(n) * sizeof(bfloat16));
  }
  static ADJOINT_INLINE Vec load(const float16* p) {
    float16x4_t half;
    __builtin_memcpy(&half, p, sizeof(half));
    return vcvt_f32_f16(half);
  }
  static ADJOINT_INLINE Vec load_n(const float16* p, int n) {
    float16 space[size] = {};
    __builtin_memcpy(space, p, static_cast<size_t>(n) * sizeof(float16));
    return load(space);
  }
  ADJOINT_INLINE void store(float16* p) const {
    const float16x4_t half = vcvt_f16_f32(v);
    __builtin_memcpy(p, &half, sizeof(half));
  }
  ADJOINT_INLINE void store_n(float16* p, int n) const {
    float16 space[size];
    store(space);
    __builtin_memcpy(p, space, static_cast<size_t>(n) * sizeof(float16));
  }
  static ADJOINT_INLINE Vec iota() { return float32x4_t{0, 1, 2, 3}; }

  friend ADJOINT_INLINE Vec operator+(Vec a, Vec b) { return vaddq_f32(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a, Vec b) { return vsubq_f32(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator*(Vec a, Vec b) { return vmulq_f32(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator/(Vec a, Vec b) { return vdivq_f32(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a) { return vnegq_f32(a.v); }

  ADJOINT_INLINE Vec& operator+=(Vec b) { return *this = *this + b; }
  ADJOINT_INLINE Vec& operator-=(Vec b) { return *this = *this - b; }
  ADJOINT_INLINE Vec& operator*=(Vec b) { return *this = *this * b; }
  ADJOINT_INLINE Vec& operator/=(Vec b) { return *this = *this / b; }

  friend ADJOINT_INLINE Mask<float> operator==(Vec a, Vec b) { return {vceqq_f32(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<float> operator!=(Vec a, Vec b) { return !(a == b); }
  friend ADJOINT_INLINE Mask<float> operator<(Vec a, Vec b) { return {vcltq_f32(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<float> operator<=(Vec a, Vec b) { return {vcleq_f32(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<float> operator>(Vec a, Vec b) { return {vcgtq_f32(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<float> operator>=(Vec a, Vec b) { return {vcgeq_f32(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<float> is_nan(Vec a) { return a != a; }
  friend ADJOINT_INLINE Vec select(Mask<float> m, Vec a, Vec b) { return vbslq_f32(m.m, a.v, b.v); }
  friend ADJOINT_INLINE Vec where(Mask<float> m, Vec a, Vec b) { return select(m, a, b); }

  friend ADJOINT_INLINE Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c.v, a.v, b.v); }
  friend ADJOINT_INLINE Vec fnma(Vec a, Vec b, Vec c) { return vfmsq_f32(c.v, a.v, b.v); }
  // Not vminq and vmaxq, which order zeros by sign and never give b for a NaN in a.
  friend ADJOINT_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
  friend ADJOINT_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
  friend ADJOINT_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }
  friend ADJOINT_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
  friend ADJOINT_INLINE Vec abs(Vec a) { return vabsq_f32(a.v); }
  friend ADJOINT_INLINE Vec copysign(Vec a, Vec b) {
    return vbslq_f32(vdupq_n_u32(0x80000000u), b.v, a.v);
  }
  friend ADJOINT_INLINE Vec sqrt(Vec a) { return vsqrtq_f32(a.v); }
  friend ADJOINT_INLINE Vec floor(Vec a) { return vrndmq_f32(a.v); }
  friend ADJOINT_INLINE Vec round_even(Vec a) { return vrndnq_f32(a.v); }
  // In two factors, for 2^n itself can leave the range where the result does not.
  friend ADJOINT_INLINE Vec ldexp_int(Vec x, Vec n) {
    const Vec half = floor(n * 0.5);
    return x * power_of_two(half) * power_of_two(n - half);
  }
  friend ADJOINT_INLINE Vec frexp_int(Vec x, Vec& e) {
    const Mask<float> denormal = x < Vec(0x1p-126f);
    x = select(denormal, x * 0x1p24f, x);
    const uint32x4_t bits = vreinterpretq_u32_f32(x.v);
    e = Vec(vcvtq_f32_u32(vshrq_n_u32(bits, 23))) - 127.0f;
    e = select(denormal, e - 24.0f, e);
    return vreinterpretq_f32_u32(
        vbslq_u32(vdupq_n_u32(0x007fffffu), bits, vdupq_n_u32(0x3f800000u)));
  }

  friend ADJOINT_INLINE float reduce_add(Vec a) { return vaddvq_f32(a.v); }
  // These keep NaN.
  friend ADJOINT_INLINE float reduce_max(Vec a) { return vmaxvq_f32(a.v); }
  friend ADJOINT_INLINE float reduce_min(Vec a) { return vminvq_f32(a.v); }

 private:
  // 2^n for whole n in the range of normal exponents.
  static ADJOINT_INLINE Vec power_of_two(Vec n) {
    const int32x4_t biased = vaddq_s32(vcvtq_s32_f32(n.v), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(biased, 23));
  }
};

template <>
struct Mask<double> {
  uint64x2_t m;

  static ADJOINT_INLINE Mask load_bools(const bool* p, int n) {
    const uint64_t first = n > 0 && p[0] ? ~uint64_t{0} : 0;
    const uint64_t second = n > 1 && p[1] ? ~uint64_t{0} : 0;
    return {uint64x2_t{first, second}};
  }
  ADJOINT_INLINE void store_bools(bool* p, int n) const {
    if (n > 0) p[0] = vgetq_lane_u64(m, 0) != 0;
    if (n > 1) p[1] = vgetq_lane_u64(m, 1) != 0;
  }
  ADJOINT_INLINE bool any() const { return vmaxvq_u32(vreinterpretq_u32_u64(m)) != 0; }
  ADJOINT_INLINE bool all() const { return vminvq_u32(vreinterpretq_u32_u64(m)) != 0; }
  friend ADJOINT_INLINE Mask operator&(Mask a, Mask b) { return {vandq_u64(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator|(Mask a, Mask b) { return {vorrq_u64(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator^(Mask a, Mask b) { return {veorq_u64(a.m, b.m)}; }
  friend ADJOINT_INLINE Mask operator!(Mask a) {
    return {veorq_u64(a.m, vdupq_n_u64(~uint64_t{0}))};
  }
};

template <>
struct Vec<double> {
  static constexpr int size = 2;
  float64x2_t v;

  Vec() = default;
  ADJOINT_INLINE Vec(float64x2_t r) : v(r) {}
  ADJOINT_INLINE Vec(float s) : v(vdupq_n_f64(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(double s) : v(vdupq_n_f64(s)) {}
  ADJOINT_INLINE Vec(int s) : v(vdupq_n_f64(static_cast<double>(s))) {}
  ADJOINT_INLINE Vec(int64_t s) : v(vdupq_n_f64(static_cast<double>(s))) {}

  static ADJOINT_INLINE Vec load(const double* p) { return vld1q_f64(p); }
  static ADJOINT_INLINE Vec load_n(const double* p, int n) {
    if (n >= 2) return vld1q_f64(p);
    return n > 0 ? vcombine_f64(vld1_f64(p), vdup_n_f64(0)) : vdupq_n_f64(0);
  }
  ADJOINT_INLINE void store(double* p) const { vst1q_f64(p, v); }
  ADJOINT_INLINE void store_n(double* p, int n) const {
    if (n >= 2) {
      vst1q_f64(p, v);
    } else if (n > 0) {
      vst1_f64(p, vget_low_f64(v));
    }
  }
  static ADJOINT_INLINE Vec iota() { return float64x2_t{0, 1}; }

  friend ADJOINT_INLINE Vec operator+(Vec a, Vec b) { return vaddq_f64(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a, Vec b) { return vsubq_f64(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator*(Vec a, Vec b) { return vmulq_f64(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator/(Vec a, Vec b) { return vdivq_f64(a.v, b.v); }
  friend ADJOINT_INLINE Vec operator-(Vec a) { return vnegq_f64(a.v); }

  ADJOINT_INLINE Vec& operator+=(Vec b) { return *this = *this + b; }
  ADJOINT_INLINE Vec& operator-=(Vec b) { return *this = *this - b; }
  ADJOINT_INLINE Vec& operator*=(Vec b) { return *this = *this * b; }
  ADJOINT_INLINE Vec& operator/=(Vec b) { return *this = *this / b; }

  friend ADJOINT_INLINE Mask<double> operator==(Vec a, Vec b) { return {vceqq_f64(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<double> operator!=(Vec a, Vec b) { return !(a == b); }
  friend ADJOINT_INLINE Mask<double> operator<(Vec a, Vec b) { return {vcltq_f64(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<double> operator<=(Vec a, Vec b) { return {vcleq_f64(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<double> operator>(Vec a, Vec b) { return {vcgtq_f64(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<double> operator>=(Vec a, Vec b) { return {vcgeq_f64(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<double> is_nan(Vec a) { return a != a; }
  friend ADJOINT_INLINE Vec select(Mask<double> m, Vec a, Vec b) {
    return vbslq_f64(m.m, a.v, b.v);
  }
  friend ADJOINT_INLINE Vec where(Mask<double> m, Vec a, Vec b) { return select(m, a, b); }

  friend ADJOINT_INLINE Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f64(c.v, a.v, b.v); }
  friend ADJOINT_INLINE Vec fnma(Vec a, Vec b, Vec c) { return vfmsq_f64(c.v, a.v, b.v); }
  friend ADJOINT_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
  friend ADJOINT_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
  friend ADJOINT_INLINE Vec minimum(Vec a, Vec b) { return select(is_nan(a), a, min(a, b)); }
  friend ADJOINT_INLINE Vec maximum(Vec a, Vec b) { return select(is_nan(a), a, max(a, b)); }
  friend ADJOINT_INLINE Vec abs(Vec a) { return vabsq_f64(a.v); }
  friend ADJOINT_INLINE Vec copysign(Vec a, Vec b) {
    return vbslq_f64(vdupq_n_u64(uint64_t{1} << 63), b.v, a.v);
  }
  friend ADJOINT_INLINE Vec sqrt(Vec a) { return vsqrtq_f64(a.v); }
  friend ADJOINT_INLINE Vec floor(Vec a) { return vrndmq_f64(a.v); }
  friend ADJOINT_INLINE Vec round_even(Vec a) { return vrndnq_f64(a.v); }
  // In two factors, for 2^n itself can leave the range where the result does not.
  friend ADJOINT_INLINE Vec ldexp_int(Vec x, Vec n) {
    const Vec half = floor(n * 0.5);
    return x * power_of_two(half) * power_of_two(n - half);
  }
  friend ADJOINT_INLINE Vec frexp_int(Vec x, Vec& e) {
    const Mask<double> denormal = x < Vec(0x1p-1022);
    x = select(denormal, x * 0x1p54, x);
    const uint64x2_t bits = vreinterpretq_u64_f64(x.v);
    e = Vec(vcvtq_f64_u64(vshrq_n_u64(bits, 52))) - 1023.0;
    e = select(denormal, e - 54.0, e);
    return vreinterpretq_f64_u64(
        vbslq_u64(vdupq_n_u64(0x000fffffffffffff), bits, vdupq_n_u64(0x3ff0000000000000)));
  }

  friend ADJOINT_INLINE double reduce_add(Vec a) { return vaddvq_f64(a.v); }
  friend ADJOINT_INLINE double reduce_max(Vec a) { return vmaxvq_f64(a.v); }
  friend ADJOINT_INLINE double reduce_min(Vec a) { return vminvq_f64(a.v); }

 private:
  // 2^n for whole n in the range of normal exponents.
  static ADJOINT_INLINE Vec power_of_two(Vec n) {
    const int64x2_t biased = vaddq_s64(vcvtq_s64_f64(n.v), vdupq_n_s64(1023));
    return vreinterpretq_f64_s64(vshlq_n_s64(biased, 52));
  }
};

struct VecU32 {
  static constexpr int size = 4;
  uint32x4_t v;

  VecU32() = default;
  ADJOINT_INLINE VecU32(uint32x4_t r) : v(r) {}
  ADJOINT_INLINE VecU32(uint32_t s) : v(vdupq_n_u32(s)) {}
  static ADJOINT_INLINE VecU32 load(const uint32_t* p) { return vld1q_u32(p); }
  static ADJOINT_INLINE VecU32 load_n(const uint32_t* p, int n) {
    if (n >= 4) return vld1q_u32(p);
    uint32x4_t r = vdupq_n_u32(0);
    if ((n & 2) != 0) {
      r = vcombine_u32(vld1_u32(p), vdup_n_u32(0));
      if ((n & 1) != 0) r = vld1q_lane_u32(p + 2, r, 2);
    } else if ((n & 1) != 0) {
      r = vld1q_lane_u32(p, r, 0);
    }
    return r;
  }
  ADJOINT_INLINE void store(uint32_t* p) const { vst1q_u32(p, v); }
  ADJOINT_INLINE void store_n(uint32_t* p, int n) const {
    if (n >= 4) {
      vst1q_u32(p, v);
    } else if ((n & 2) != 0) {
      vst1_u32(p, vget_low_u32(v));
      if ((n & 1) != 0) vst1q_lane_u32(p + 2, v, 2);
    } else if ((n & 1) != 0) {
      vst1q_lane_u32(p, v, 0);
    }
  }
  static ADJOINT_INLINE VecU32 iota() { return uint32x4_t{0, 1, 2, 3}; }
  friend ADJOINT_INLINE VecU32 operator+(VecU32 a, VecU32 b) { return vaddq_u32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator-(VecU32 a, VecU32 b) { return vsubq_u32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator^(VecU32 a, VecU32 b) { return veorq_u32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator&(VecU32 a, VecU32 b) { return vandq_u32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator|(VecU32 a, VecU32 b) { return vorrq_u32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 operator<<(VecU32 a, int s) {
    return vshlq_u32(a.v, vdupq_n_s32(s));
  }
  friend ADJOINT_INLINE VecU32 operator>>(VecU32 a, int s) {
    return vshlq_u32(a.v, vdupq_n_s32(-s));
  }
  friend ADJOINT_INLINE VecU32 mul_lo(VecU32 a, VecU32 b) { return vmulq_u32(a.v, b.v); }
  friend ADJOINT_INLINE VecU32 mul_hi(VecU32 a, VecU32 b) {
    const uint64x2_t low = vmull_u32(vget_low_u32(a.v), vget_low_u32(b.v));
    const uint64x2_t high = vmull_high_u32(a.v, b.v);
    return vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high));
  }
  friend ADJOINT_INLINE Mask<float> operator<(VecU32 a, VecU32 b) { return {vcltq_u32(a.v, b.v)}; }
  friend ADJOINT_INLINE Mask<float> operator==(VecU32 a, VecU32 b) { return {vceqq_u32(a.v, b.v)}; }
  friend ADJOINT_INLINE Vec<float> to_float(VecU32 a) {
    return vcvtq_f32_s32(vreinterpretq_s32_u32(a.v));
  }
  friend ADJOINT_INLINE Vec<float> float_from_bits(VecU32 a) { return vreinterpretq_f32_u32(a.v); }
  static ADJOINT_INLINE VecU32 bits_of(Vec<float> a) { return vreinterpretq_u32_f32(a.v); }
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
