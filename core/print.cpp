// Tensors as text, in NumPy's layout and with its digits.
#include <adjoint/core/autograd.h>
#include <adjoint/core/tensor.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <sstream>

#include "core/tensor/tensor_impl.h"

namespace adjoint {
namespace {

constexpr int64_t kSummarizeAbove = 1000;
constexpr int64_t kEdge = 3;
constexpr size_t kLineWidth = 75;
constexpr int kPrecision = 8;  // digits behind the point, at most
const std::string kPrefix = "tensor(";

// A decimal number: sign, whole part, digits behind the point, power of ten.
struct Decimal {
  std::string whole, fraction;
  int exponent = 0;
};

void trim_zeros(std::string& digits) { digits.erase(digits.find_last_not_of('0') + 1); }

// "-1.25e-07", as printf and to_chars write it.
Decimal parse_scientific(const std::string& text) {
  const size_t e = text.find('e'), point = std::min(text.find('.'), e);
  Decimal d{text.substr(0, point), point < e ? text.substr(point + 1, e - point - 1) : "",
            std::atoi(text.c_str() + e + 1)};
  trim_zeros(d.fraction);
  return d;
}

std::string printed(const char* format, int precision, double value) {
  char text[400];  // -1.8e308 has 309 digits before the point
  std::snprintf(text, sizeof(text), format, precision, value);
  return text;
}

// The fewest digits that tell the number from all others of its type.
template <class T>
Decimal shortest(T value) {
  if constexpr (is_half(dtype_of<T>)) {
    const auto wide = static_cast<double>(value);
    int digits = 0;
    std::string text;
    do {
      text = printed("%.*e", digits++, wide);
    } while (T(std::strtod(text.c_str(), nullptr)).bits != value.bits);
    return parse_scientific(text);
  } else {
    char text[40];
    const auto end = std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific);
    return parse_scientific(std::string(text, end.ptr));
  }
}

// A number in both forms, rounded to kPrecision digits behind the point where it has more.
struct Number {
  double value = 0;
  Decimal scientific, positional;

  template <class T>
  explicit Number(T x) : value(static_cast<double>(x)) {
    if (!std::isfinite(value)) return;
    scientific = shortest(x);
    positional = positional_of(scientific, value);
    if (scientific.fraction.size() > static_cast<size_t>(kPrecision)) {
      scientific = parse_scientific(printed("%.*e", kPrecision, value));
    }
  }

 private:
  static Decimal positional_of(const Decimal& s, double value) {
    const auto digits = static_cast<int>(s.fraction.size());
    if (digits - s.exponent > kPrecision) {
      const std::string text = printed("%.*f", kPrecision, value);
      const size_t point = text.find('.');
      Decimal d{text.substr(0, point), text.substr(point + 1)};
      trim_zeros(d.fraction);
      return d;
    }
    const std::string sign = s.whole[0] == '-' ? "-" : "";
    std::string all = s.whole.substr(sign.size()) + s.fraction;
    if (s.exponent < 0) {
      all.insert(0, static_cast<size_t>(-s.exponent), '0');
      return {sign + "0", all.substr(1)};
    }
    const auto whole = static_cast<size_t>(s.exponent) + 1;
    if (all.size() < whole) all.append(whole - all.size(), '0');
    return {sign + all.substr(0, whole), all.substr(whole)};
  }
};

std::string padded(const std::string& text, size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

// The value with so many digits behind the point and in the power of ten, those before it in a
// column of `left`.
std::string with_exponent(double value, size_t left, int right, size_t power) {
  const std::string text = printed("%.*e", right, value);
  const size_t e = text.find('e'), point = std::min(text.find('.'), e);
  const std::string fraction = point < e ? text.substr(point, e - point) : ".";
  const std::string size = text.substr(e + 2);
  return padded(text.substr(0, point), left) + fraction + text.substr(e, 2) +
         std::string(power - std::min(power, size.size()), '0') + size;
}

// One form for all the numbers that are shown: NumPy's FloatingFormat.
template <class T>
std::vector<std::string> in_one_form(const std::vector<Number>& numbers) {
  double most = 0, least = HUGE_VAL;
  bool all_finite = true, negative_infinity = false, any_finite = false;
  for (const Number& n : numbers) {
    const double size = std::fabs(n.value);
    any_finite = any_finite || std::isfinite(size);
    all_finite = all_finite && std::isfinite(size);
    negative_infinity = negative_infinity || n.value == -HUGE_VAL;
    if (!std::isfinite(size) || size == 0) continue;
    most = std::max(most, size);
    least = std::min(least, size);
  }
  const auto ratio = static_cast<double>(static_cast<T>(most / least));
  const bool exponents = most > 0 && (most >= 1e8 || least < 1e-4 || ratio > 1000);
  size_t left = 0, right = 0, power = 2;
  for (const Number& n : numbers) {
    if (!std::isfinite(n.value)) continue;
    const Decimal& d = exponents ? n.scientific : n.positional;
    left = std::max(left, d.whole.size());
    right = std::max(right, d.fraction.size());
    power = std::max(power, std::to_string(std::abs(d.exponent)).size());
  }
  const size_t tail = right + (exponents ? power + 2 : 0) + 1;  // the point and what follows it
  const size_t infinity = negative_infinity ? 4 : 3;
  if (!all_finite && infinity > tail) left = std::max(left, infinity - tail);
  std::vector<std::string> texts;
  texts.reserve(numbers.size());
  for (const Number& n : numbers) {
    if (!std::isfinite(n.value)) {
      texts.push_back(padded(std::isnan(n.value) ? "nan"
                             : n.value > 0       ? "inf"
                                                 : "-inf",
                             left + tail));
      continue;
    }
    if (exponents) {
      texts.push_back(with_exponent(n.value, left, static_cast<int>(right), power));
    } else {
      const Decimal& d = n.positional;
      texts.push_back(padded(d.whole, left) + '.' + d.fraction +
                      std::string(right - d.fraction.size(), ' '));
    }
  }
  return texts;
}

class Printer {
 public:
  explicit Printer(const Tensor& x) : x_(*x.impl()), summarize_(x.numel() > kSummarizeAbove) {
    std::vector<int64_t> offsets;
    visit(0, 0, offsets);
    dispatch(x_.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T* data = x_.data<T>();
      if constexpr (is_floating_point(dtype_of<T>)) {
        std::vector<Number> numbers;
        numbers.reserve(offsets.size());
        for (const int64_t at : offsets) numbers.emplace_back(data[at]);
        texts_ = in_one_form<T>(numbers);
      } else {
        for (const int64_t at : offsets) texts_.push_back(of_integer(data[at]));
      }
    });
    size_t width = 0;
    for (const std::string& text : texts_) width = std::max(width, text.size());
    if (x_.dtype == DType::boolean && x_.shape.rank() > 0) width = 5;
    for (std::string& text : texts_) text = padded(text, width);
  }

  std::string text() { return print(0, std::string(kPrefix.size() + 1, ' '), kLineWidth - 1); }

 private:
  static std::string of_integer(bool v) { return v ? "True" : "False"; }
  template <class T>
  static std::string of_integer(T v) {
    return std::to_string(v);
  }

  bool summarized(int dim) const { return summarize_ && x_.shape[dim] > 2 * kEdge; }

  // Calls f(i) for the indices along dim that are shown, and `gap` where others are left out.
  template <class F, class Gap>
  void each_shown(int dim, const F& f, const Gap& gap) const {
    const int64_t size = x_.shape[dim];
    if (!summarized(dim)) {
      for (int64_t i = 0; i < size; ++i) f(i);
      return;
    }
    for (int64_t i = 0; i < kEdge; ++i) f(i);
    gap();
    for (int64_t i = size - kEdge; i < size; ++i) f(i);
  }

  void visit(int dim, int64_t offset, std::vector<int64_t>& offsets) const {
    if (dim == x_.shape.rank()) {
      offsets.push_back(offset);
      return;
    }
    each_shown(
        dim, [&](int64_t i) { visit(dim + 1, offset + i * x_.strides[dim], offsets); }, [] {});
  }

  // The bracket of dim, whose lines after the first begin with `indent` and end before `width`.
  std::string print(int dim, const std::string& indent, size_t width) {
    if (dim == x_.shape.rank()) return texts_[next_++];
    const int64_t last = x_.shape[dim] - 1;
    std::string done, line = indent;
    if (dim + 1 < x_.shape.rank()) {
      const std::string between =
          "," + std::string(static_cast<size_t>(x_.shape.rank() - dim - 1), '\n') + indent;
      const auto row = [&](int64_t i) {
        line += print(dim + 1, indent + ' ', width - 1) + (i < last ? between : "");
      };
      each_shown(dim, row, [&] { line += "..." + between; });
    } else {
      const auto word = [&](const std::string& text, bool more) {
        if (line.size() + text.size() > width - 1 && line.size() > indent.size()) {
          done += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
          line = indent;
        }
        line += text;
        if (more) line += ", ";
      };
      each_shown(
          dim, [&](int64_t i) { word(texts_[next_++], i < last); }, [&] { word("...", true); });
    }
    return '[' + (done + line).substr(indent.size()) + ']';
  }

  const TensorImpl& x_;
  bool summarize_;
  std::vector<std::string> texts_;  // of the elements that are shown
  size_t next_ = 0;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  if (!x.defined()) return out << "tensor(undefined)";
  out << kPrefix;
  if (x.numel() == 0) {
    out << "[], shape=" << x.shape();
  } else {
    out << Printer(x).text();
  }
  if (x.dtype() != DType::f32) out << ", dtype=" << x.dtype();
  if (!x.is_leaf()) {
    out << ", grad_fn=" << x.grad_fn_name();
  } else if (x.requires_grad()) {
    out << ", requires_grad";
  }
  return out << ')';
}

std::string to_string(const Tensor& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}

}  // namespace adjoint
