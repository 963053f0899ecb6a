// float16: IEEE 754's binary16. 5 bits of exponent and 11 of precision: from 6.1e-5 (denormal
// numbers from 6.0e-8) to 65504.
//
// A type to store numbers in: arithmetic is f32's, after a conversion that loses nothing. Kernels
// include this header, so it includes <cstdint> and bfloat16.h only and every function of it is
// inlined always.
#pragma once

#include <adjoint/core/bfloat16.h>

#include <cstdint>

namespace adjoint {

struct float16 {
  uint16_t bits;

  float16() = default;
  // The nearest, ties to even; from 65520 on, infinity. NaN stays NaN.
  [[gnu::always_inline]] constexpr explicit float16(float x) : bits(nearest(x)) {}
  // Rounded once, not to f32 first.
  [[gnu::always_inline]] constexpr explicit float16(double x)
      : bits(nearest(detail::float_to_odd(x))) {}
  // A double holds every whole number that float16 tells from infinity.
  [[gnu::always_inline]] constexpr explicit float16(int64_t x) : float16(static_cast<double>(x)) {}
  [[gnu::always_inline]] constexpr explicit float16(int x) : float16(static_cast<double>(x)) {}
  [[gnu::always_inline]] constexpr explicit float16(bool x) : float16(x ? 1.0f : 0.0f) {}

  [[gnu::always_inline]] constexpr explicit operator float() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
    const uint32_t rest = bits & 0x7fff;
    if (rest >= 0x7c00) {  // infinity, NaN
      return __builtin_bit_cast(float, sign | 0x7f800000 | (rest & 0x3ff) << 13);
    }
    if (rest >= 0x400) return __builtin_bit_cast(float, sign | ((rest << 13) + (112u << 23)));
    // Denormal: a whole number of 2^-24.
    const float magnitude = static_cast<float>(rest) * 0x1p-24f;
    return __builtin_bit_cast(float, sign | __builtin_bit_cast(uint32_t, magnitude));
  }
  [[gnu::always_inline]] constexpr explicit operator double() const {
    return static_cast<float>(*this);
  }
  [[gnu::always_inline]] constexpr explicit operator int64_t() const {
    return static_cast<int64_t>(static_cast<float>(*this));
  }
  [[gnu::always_inline]] constexpr explicit operator bool() const {
    return static_cast<float>(*this) != 0.0f;
  }

 private:
  [[gnu::always_inline]] static constexpr uint16_t nearest(float x) {
    const auto word = __builtin_bit_cast(uint32_t, x);
    const auto sign = static_cast<uint16_t>(word >> 16 & 0x8000);
    const uint32_t rest = word & 0x7fffffff;
    if (rest > 0x7f800000) {  // NaN, quiet
      return static_cast<uint16_t>(sign | 0x7e00 | (rest >> 13 & 0x3ff));
    }
    if (rest >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // 65520 and more
    if (rest < 0x38800000) {               // below 2^-14: whole numbers of 2^-24, rounded by hand
      if (rest < 0x33000000) return sign;  // below 2^-25
      const int shift = 126 - static_cast<int>(rest >> 23);  // 14 to 24
      const uint32_t mantissa = (rest & 0x7fffff) | 0x800000;
      const uint32_t kept = mantissa >> shift, half = 1u << (shift - 1);
      const uint32_t lost = mantissa & ((half << 1) - 1);
      const bool up = lost > half || (lost == half && (kept & 1) != 0);
      return static_cast<uint16_t>(sign | (kept + (up ? 1 : 0)));
    }
    const uint32_t rounded = rest + 0xfff + (rest >> 13 & 1) - (112u << 23);
    return static_cast<uint16_t>(sign | rounded >> 13);
  }
};

}  // namespace adjoint
