// The types of a tensor's elements.
#pragma once

#include <adjoint/core/bfloat16.h>
#include <adjoint/core/float16.h>

#include <cstddef>
#include <cstdint>
#include <iosfwd>

namespace adjoint {

// Floating ones first. bf16 and f16 are stored in 16 bits and computed in f32; i32 and u8 wrap
// around.
enum class DType : uint8_t { f32, f64, bf16, f16, i64, i32, u8, boolean };

// The number of dtypes: tables of kernels have one entry for each.
inline constexpr int kDTypes = 8;

// The size of one element, in bytes.
constexpr size_t element_size(DType dtype) {
  constexpr size_t sizes[kDTypes] = {4, 8, 2, 2, 8, 4, 1, 1};
  return sizes[static_cast<int>(dtype)];
}

constexpr bool is_floating_point(DType dtype) { return dtype < DType::i64; }

constexpr bool is_integer(DType dtype) { return dtype >= DType::i64 && dtype <= DType::u8; }

// Floating, of 16 bits.
constexpr bool is_half(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }

// What values of the dtype are computed in, and sums kept in until they are rounded to it: f32 for
// bf16 and f16, i64 for i32 and u8, itself for the others.
constexpr DType computed_in(DType dtype) {
  return is_half(dtype) ? DType::f32 : is_integer(dtype) ? DType::i64 : dtype;
}

// The distance from 1 to the next number of a floating dtype: 2^-23, 2^-52, 2^-7, 2^-10. 0 for the
// others, which are not rounded.
constexpr double epsilon(DType dtype) {
  constexpr double of[kDTypes] = {0x1p-23, 0x1p-52, 0x1p-7, 0x1p-10};
  return of[static_cast<int>(dtype)];
}

// The largest finite number of a dtype, rounded to f64 where that is i64's.
constexpr double largest(DType dtype) {
  constexpr double of[kDTypes] = {
      0x1.fffffep127, 0x1.fffffffffffffp1023, 0x1.fep127, 65504, 0x1p63, 2147483647, 255, 1};
  return of[static_cast<int>(dtype)];
}

// "f32", "f64", "bf16", "f16", "i64", "i32", "u8", "bool".
const char* name(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);

// The dtype of a binary result: bool < u8 < i32 < i64 < f16, bf16 < f32 < f64, and f32 for f16 with
// bf16, as PyTorch promotes tensors of one or more dimensions.
DType promote(DType a, DType b);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct DTypeOf<bfloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct DTypeOf<float16> {
  static constexpr DType value = DType::f16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::boolean;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

template <class T>
struct TypeTag {
  using type = T;
};

// Calls f(TypeTag<T>) with the C++ type of the dtype: the one place that lists them.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f64:
      return f(TypeTag<double>{});
    case DType::bf16:
      return f(TypeTag<bfloat16>{});
    case DType::f16:
      return f(TypeTag<float16>{});
    case DType::i64:
      return f(TypeTag<int64_t>{});
    case DType::i32:
      return f(TypeTag<int32_t>{});
    case DType::u8:
      return f(TypeTag<uint8_t>{});
    case DType::boolean:
      return f(TypeTag<bool>{});
    case DType::f32:
      break;
  }
  return f(TypeTag<float>{});
}

}  // namespace adjoint
