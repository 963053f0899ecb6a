// Tensors as text, in NumPy's layout.
#include <adjoint/core/autograd.h>
#include <adjoint/core/tensor.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <sstream>

#include "core/tensor/tensor_impl.h"

namespace adjoint {
namespace {

constexpr int64_t kSummarizeAbove = 1000;
constexpr int64_t kEdge = 3;
constexpr int64_t kLineWidth = 80;

// Whether a number needs an exponent: four digits behind the point would not show it.
bool is_extreme(double value) {
  const double size = std::fabs(value);
  return std::isfinite(value) && size != 0 && (size < 1e-4 || size >= 1e6);
}

std::string number(double value, bool floating, bool boolean, bool scientific) {
  if (boolean) return value != 0 ? "true" : "false";
  char text[40];
  if (!floating) {
    std::snprintf(text, sizeof(text), "%lld", static_cast<long long>(value));
    return text;
  }
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::snprintf(text, sizeof(text), scientific ? "%.4e" : "%.4f", value);
  return text;
}

class Printer {
 public:
  Printer(const Tensor& x, std::ostream& out)
      : x_(*x.impl()), out_(out), summarize_(x.numel() > kSummarizeAbove) {
    // One form for all that is shown.
    visit(0, 0, [this](double v) { scientific_ = scientific_ || is_extreme(v); });
    visit(0, 0, [this](double v) { width_ = std::max(width_, text(v).size()); });
  }

  void print() { print(0, 0); }

 private:
  std::string text(double v) const {
    return number(v, is_floating_point(x_.dtype), x_.dtype == DType::boolean, scientific_);
  }

  double at(int64_t offset) const {
    return dispatch(x_.dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      return static_cast<double>(x_.data<T>()[offset]);
    });
  }

  bool hidden(int dim, int64_t i) const {
    return summarize_ && x_.shape[dim] > 2 * kEdge && i >= kEdge && i < x_.shape[dim] - kEdge;
  }

  template <class F>
  void visit(int dim, int64_t offset, const F& f) {
    if (dim == x_.shape.rank()) {
      if (x_.numel > 0) f(at(offset));
      return;
    }
    for (int64_t i = 0; i < x_.shape[dim]; ++i) {
      if (!hidden(dim, i)) visit(dim + 1, offset + i * x_.strides[dim], f);
    }
  }

  void print(int dim, int64_t offset) {
    if (dim == x_.shape.rank()) {
      const std::string value = text(at(offset));
      out_ << std::string(width_ - value.size(), ' ') << value;
      return;
    }
    const bool last = dim + 1 == x_.shape.rank();
    const int64_t indent = dim + 8;  // of what stands inside this bracket
    const int64_t on_a_line =
        std::max<int64_t>(1, (kLineWidth - indent) / (static_cast<int64_t>(width_) + 2));
    // Between two neighbours: numbers go on in the line while there is room, rows do not.
    const auto separate = [&](int64_t shown, int64_t lines) {
      const bool breaks = !last || shown % on_a_line == 0;
      out_ << (breaks ? "," + std::string(static_cast<size_t>(lines), '\n') +
                            std::string(static_cast<size_t>(indent), ' ')
                      : ", ");
    };
    int64_t shown = 0;
    out_ << '[';
    for (int64_t i = 0; i < x_.shape[dim]; ++i) {
      if (hidden(dim, i)) {
        if (i != kEdge) continue;
        separate(shown++, 1);
        out_ << "...";
        continue;
      }
      if (shown > 0) separate(shown, last ? 1 : x_.shape.rank() - dim - 1);
      ++shown;
      print(dim + 1, offset + i * x_.strides[dim]);
    }
    out_ << ']';
  }

  const TensorImpl& x_;
  std::ostream& out_;
  bool summarize_;
  size_t width_ = 0;
  bool scientific_ = false;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  if (!x.defined()) return out << "tensor(undefined)";
  out << "tensor(";
  if (x.numel() == 0) {
    out << "[], shape=" << x.shape();
  } else {
    Printer(x, out).print();
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
