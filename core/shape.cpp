#include <adjoint/core/error.h>
#include <adjoint/core/shape.h>

#include <algorithm>
#include <ostream>
#include <sstream>

namespace adjoint {

Shape::Shape(std::span<const int64_t> values) : values_{} {
  check<ShapeError>(values.size() <= kMaxDims, "Shape: ", values.size(),
                    " dimensions; expected at most ", kMaxDims);
  std::copy(values.begin(), values.end(), values_);
  rank_ = static_cast<int32_t>(values.size());
}

Shape Shape::filled(int rank, int64_t value) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(value);
  return shape;
}

void Shape::push_back(int64_t value) { insert(rank_, value); }

void Shape::insert(int position, int64_t value) {
  check<ShapeError>(rank_ < kMaxDims, "Shape: ", rank_ + 1, " dimensions; expected at most ",
                    kMaxDims);
  std::copy_backward(values_ + position, values_ + rank_, values_ + rank_ + 1);
  values_[position] = value;
  ++rank_;
}

void Shape::erase(int position) {
  std::copy(values_ + position + 1, values_ + rank_, values_ + position);
  --rank_;
}

std::string to_string(const Shape& shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '(';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << (shape.rank() == 1 ? ",)" : ")");
}

Strides contiguous_strides(const Shape& shape) {
  Strides strides;
  strides.set_contiguous_strides(shape);
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const Shape& longer = a.rank() >= b.rank() ? a : b;
  const Shape& shorter = a.rank() >= b.rank() ? b : a;
  Shape result = longer;
  const int shift = longer.rank() - shorter.rank();
  for (int i = 0; i < shorter.rank(); ++i) {
    const int64_t x = longer[i + shift], y = shorter[i];
    check<ShapeError>(x == y || x == 1 || y == 1, op, ": shapes do not broadcast: ", a, " and ", b,
                      " differ at dimension ", i + shift, " of the result (", x, " and ", y,
                      "); expected equal sizes or 1");
    result[i + shift] = x == 1 ? y : x;
  }
  return result;
}

Shape unravel_index(int64_t element, const Shape& shape) {
  Shape index = shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[d] = element % shape[d];
    element /= shape[d];
  }
  return index;
}

int normalize_dim(const char* op, int64_t dim, int rank, const char* what) {
  const int64_t limit = std::max(rank, 1);
  check<IndexError>(dim >= -limit && dim < limit, op, ": ", what, " is out of range: ", dim,
                    "; expected a value in [", -limit, ", ", limit - 1, "]");
  return static_cast<int>(dim < 0 ? dim + limit : dim);
}

}  // namespace adjoint
