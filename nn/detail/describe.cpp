#include "nn/detail/describe.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace adjoint::nn::detail {

std::string python(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // Python writes numbers of up to 16 digits before the point, or four zeros after it, in full.
  const double size = std::abs(value);
  const bool plain = value == 0 || (size >= 1e-4 && size < 1e16);
  char text[64];
  const auto end = std::to_chars(text, text + sizeof(text), value,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific);
  std::string result(text, end.ptr);
  if (plain && result.find('.') == std::string::npos) result += ".0";
  return result;
}

std::string python(bool value) { return value ? "True" : "False"; }
std::string python(int64_t value) { return std::to_string(value); }
std::string python(int value) { return std::to_string(value); }
std::string python(const char* value) { return value; }
std::string python(const std::string& value) { return value; }

std::string python(const Shape& value) {
  return value.rank() == 1 ? std::to_string(value[0]) : to_string(value);
}

Shape each(const std::string& module, const char* argument, const Shape& given, int rank,
           int64_t least) {
  const Shape all = given.rank() == 1 ? Shape::filled(rank, given[0]) : given;
  const bool fits = all.rank() == rank &&
                    std::ranges::all_of(all.span(), [least](int64_t n) { return n >= least; });
  if (fits) return all;
  std::string expected = rank == 1 ? "one number" : "one number or " + std::to_string(rank);
  if (least != INT64_MIN) expected += ", each " + std::to_string(least) + " or more";
  fail<ConfigError>(module, ": ", argument, " ", python(given), "; expected ", expected);
}

std::string lazy_name(const std::string& name, bool lazy) { return lazy ? "Lazy" + name : name; }

}  // namespace adjoint::nn::detail
