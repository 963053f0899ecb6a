// How modules tell about themselves, in Python's notation, and what their constructors check.
#pragma once

#include <adjoint/core/error.h>
#include <adjoint/core/shape.h>
#include <adjoint/core/slot.h>

#include <cstdint>
#include <string>

namespace adjoint::nn::detail {

// As Python's repr: 1.0, 1e-05, True.
std::string python(double value);
std::string python(bool value);
std::string python(int64_t value);
std::string python(int value);
std::string python(const char* value);
std::string python(const std::string& value);
// One entry as a number, several as a tuple: what was written where both are allowed.
std::string python(const Shape& value);

// "kernel_size=3, stride=(2, 1)", argument by argument.
class Description {
 public:
  template <class T>
  Description& operator()(const char* name, const T& value) {
    if (!text_.empty()) text_ += ", ";
    text_ += name;
    text_ += '=';
    text_ += python(value);
    return *this;
  }
  // Without a name.
  template <class T>
  Description& operator()(const T& value) {
    if (!text_.empty()) text_ += ", ";
    text_ += python(value);
    return *this;
  }
  operator std::string() const { return text_; }  // NOLINT(google-explicit-constructor)

 private:
  std::string text_;
};

// An argument of `rank` numbers, of which one may stand for all: all of them. ConfigError, naming
// module and argument, for another count or a number below `least` (INT64_MIN: any will do).
Shape each(const std::string& module, const char* argument, const Shape& given, int rank,
           int64_t least);

// "Linear", or "LazyLinear" while the sizes of its parameters are not known.
std::string lazy_name(const std::string& name, bool lazy);

// One of three values, by the number of sizes.
template <int N, class One, class Two, class Three>
constexpr auto by_rank(One one, Two two, Three three) {
  static_assert(N >= 1 && N <= 3);
  if constexpr (N == 1) {
    return one;
  } else if constexpr (N == 2) {
    return two;
  } else {
    return three;
  }
}

// "Conv2d" of "Conv" and 2.
template <int N>
std::string ranked(const char* name) {
  return std::string(name) + std::to_string(N) + "d";
}

}  // namespace adjoint::nn::detail
