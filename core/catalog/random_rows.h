// What rows of random tensors are written with: Philox's words, and numbers worked out from them.
#pragma once

#include <adjoint/core/random_tensors.h>

#include <cmath>
#include <string>

#include "core/catalog/builders.h"

namespace adjoint::catalog {

inline constexpr uint64_t kSeed = 5, kOffset = 9;

inline uint32_t word(uint64_t i) { return philox(kSeed, kOffset, i / 4).word[i % 4]; }
inline uint64_t two_words(uint64_t i) { return uint64_t{word(2 * i + 1)} << 32 | word(2 * i); }

// floor(bits range / 2^64), by halves.
inline uint64_t scaled(uint64_t bits, uint64_t range) {
  const uint64_t low = (bits & 0xffffffff) * range, high = (bits >> 32) * range;
  return (high + (low >> 32)) >> 32;
}

// `make(generator)` against value(i) for each element.
template <class Make, class Value>
Sample made(const std::string& name, const Shape& shape, DType dtype, Make make, Value value) {
  return {name,
          {},
          [=](const Tensors&) -> Tensors {
            Generator generator(kSeed, kOffset);
            return {make(generator)};
          },
          [=](const Tensors&) -> Tensors {
            uint64_t i = 0;
            return {make_array(shape, [&](const Shape&) { return value(i++); }).tensor(dtype)};
          }};
}

inline double uniform_number(uint64_t i) {
  return static_cast<double>(two_words(i) >> 11) * 0x1p-53;
}

// Box and Muller (1958): elements 2 k and 2 k + 1 are the two parts of one pair.
inline double normal_number(uint64_t i) {
  const uint64_t pair = i / 2 * 2;
  const double u = static_cast<double>((two_words(pair) >> 11) + 1) * 0x1p-53;
  const double radius = std::sqrt(-2 * std::log(u));
  const double angle = 2 * std::acos(-1.0) * uniform_number(pair + 1);
  return radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

}  // namespace adjoint::catalog
