// The types of a tensor's elements.
#pragma once

#include <adjoint/core/bfloat16.h>

#include <cstddef>
#include <cstdint>
#include <iosfwd>

namespace adjoint {

// Floating ones first. bf16 is stored in 16 bits and computed in f32.
enum class DType : uint8_t { f32, f64, bf16, i64, boolean };

// The number of dtypes: tables of kernels have one entry for each.
inline constexpr int kDTypes = 5;

// The size of one element, in bytes.
constexpr size_t element_size(DType dtype) {
  constexpr size_t sizes[kDTypes] = {4, 8, 2, 8, 1};
  return sizes[static_cast<int>(dtype)];
}

constexpr bool is_floating_point(DType dtype) { return dtype < DType::i64; }

// What values of the dtype are computed in, and sums kept in until they are rounded to it: f32 for
// bf16, itself for the others.
constexpr DType computed_in(DType dtype) { return dtype == DType::bf16 ? DType::f32 : dtype; }

// The distance from 1 to the next number of a floating dtype: 2^-23, 2^-52, 2^-7.
constexpr double epsilon(DType dtype) {
  return dtype == DType::f64 ? 0x1p-52 : dtype == DType::f32 ? 0x1p-23 : 0x1p-7;
}

// "f32", "f64", "bf16", "i64", "bool".
const char* name(DType dtype);
std::ostream& operator<<(std::ostream& out, DType dtype);

// The dtype of a binary result: bool < i64 < bf16 < f32 < f64, as PyTorch promotes tensors of one
// or more dimensions.
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
    case DType::i64:
      return f(TypeTag<int64_t>{});
    case DType::boolean:
      return f(TypeTag<bool>{});
    case DType::f32:
      break;
  }
  return f(TypeTag<float>{});
}

}  // namespace adjoint
