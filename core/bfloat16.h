// bfloat16: the upper half of a float. 8 bits of exponent, as f32 has, and 8 of precision.
//
// A type to store numbers in: arithmetic is f32's, after a conversion that loses nothing. Kernels
// include this header, so it includes <cstdint> only and every function of it is inlined always.
#pragma once

#include <cstdint>

namespace adjoint {

namespace detail {

// x in f32, rounded to odd: what is not exact ends in a one, so that rounding once more gives
// what rounding x would have (Boldo and Melquiond 2008, IEEE Trans. Comput. 57 (4)).
[[gnu::always_inline]] constexpr inline float float_to_odd(double x) {
  const auto y = static_cast<float>(x);
  const double magnitude = x < 0 ? -x : x, rounded = y < 0 ? -static_cast<double>(y) : y;
  if (magnitude == rounded || x != x) return y;
  auto word = __builtin_bit_cast(uint32_t, y);
  if (rounded > magnitude) --word;
  return __builtin_bit_cast(float, word | 1);
}

}  // namespace detail

struct bfloat16 {
  uint16_t bits;

  bfloat16() = default;
  // The nearest, ties to even; beyond the largest (3.39e38), infinity. NaN stays NaN.
  [[gnu::always_inline]] constexpr explicit bfloat16(float x) : bits(nearest(x)) {}
  // Rounded once, not to f32 first.
  [[gnu::always_inline]] constexpr explicit bfloat16(double x)
      : bits(nearest(detail::float_to_odd(x))) {}
  [[gnu::always_inline]] constexpr explicit bfloat16(int64_t x)
      : bfloat16(static_cast<double>(to_odd(x))) {}
  [[gnu::always_inline]] constexpr explicit bfloat16(int x) : bfloat16(static_cast<double>(x)) {}
  [[gnu::always_inline]] constexpr explicit bfloat16(bool x) : bfloat16(x ? 1.0f : 0.0f) {}

  [[gnu::always_inline]] constexpr explicit operator float() const {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
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
    if ((word & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(word >> 16 | 0x40);
    return static_cast<uint16_t>((word + 0x7fff + (word >> 16 & 1)) >> 16);
  }
  // x where a double holds it, else rounded to odd, with 53 bits.
  [[gnu::always_inline]] static constexpr int64_t to_odd(int64_t x) {
    constexpr int64_t kExact = int64_t{1} << 53, kLow = 1023;
    if (x <= kExact && x >= -kExact) return x;
    return (x & ~kLow) | ((x & kLow) != 0 ? kLow + 1 : 0);
  }
};

}  // namespace adjoint
