// Arithmetic on sizes that come from files: nothing wraps in silence.
#pragma once

#include <cstdint>
#include <optional>

namespace adjoint::io {

// a + b, or nothing where it does not fit in 64 bits.
constexpr std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) {
  uint64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

// a * b, or nothing where it does not fit in 64 bits.
constexpr std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// The least multiple of alignment that is not below value, or nothing where it does not fit in 64
// bits or alignment is 0.
constexpr std::optional<uint64_t> checked_align_up(uint64_t value, uint64_t alignment) {
  if (alignment == 0) return std::nullopt;
  const uint64_t over = value % alignment;
  return over == 0 ? std::optional(value) : checked_add(value, alignment - over);
}

}  // namespace adjoint::io
