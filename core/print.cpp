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

std::string number(double value, bool floating, bool boolean) {
  if (boolean) return value != 0 ? "true" : "false";
  char text[40];
  if (!floating) {
    std::snprintf(text, sizeof(text), "%lld", static_cast<long long>(value));
    return text;
  }
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const double size = std::fabs(value);
  std::snprintf(text, sizeof(text), size != 0 && (size < 1e-4 || size >= 1e6) ? "%.4e" : "%.4f",
                value);
  return text;
}

class Printer {
 public:
  Printer(const Tensor& x, std::ostream& out)
      : x_(*x.impl()), out_(out), summarize_(x.numel() > kSummarizeAbove) {
    visit(0, 0, [this](double v) { width_ = std::max(width_, text(v).size()); });
  }

  void print() { print(0, 0); }

 private:
  std::string text(double v) const {
    return number(v, is_floating_point(x_.dtype), x_.dtype == DType::boolean);
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
    out_ << '[';
    for (int64_t i = 0; i < x_.shape[dim]; ++i) {
      if (hidden(dim, i)) {
        if (i == kEdge) {
          out_ << (last ? ", ..." : ",\n" + std::string(static_cast<size_t>(dim) + 8, ' ') + "...");
        }
        continue;
      }
      if (i > 0) {
        out_ << (last ? ", "
                      : "," + std::string(static_cast<size_t>(x_.shape.rank() - dim) - 1, '\n') +
                            std::string(static_cast<size_t>(dim) + 8, ' '));
      }
      print(dim + 1, offset + i * x_.strides[dim]);
    }
    out_ << ']';
  }

  const TensorImpl& x_;
  std::ostream& out_;
  bool summarize_;
  size_t width_ = 0;
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
