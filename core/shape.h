// Sizes of a tensor: up to eight dimensions, kept inline.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <iosfwd>
#include <span>
#include <string>

namespace adjoint {

inline constexpr int kMaxDims = 8;

// A short list of integers, used for sizes, strides and lists of dimensions. A value type: copying
// allocates nothing. More than kMaxDims entries throw ShapeError.
class Shape {
 public:
  Shape() noexcept : values_{} {}
  explicit Shape(std::span<const int64_t> values);
  // One number stands for itself: zeros(3), sum(x, 1). Not a bool, which is another argument.
  template <std::integral T>
  requires(!std::same_as<T, bool>) Shape(T value)  // NOLINT(google-explicit-constructor)
      : values_{static_cast<int64_t>(value)}, rank_(1) {}
  // Several: zeros({2, 3}). No std::initializer_list, which g++ would make of {.dilation = 3}.
  template <std::integral... T>
  requires(sizeof...(T) > 1) Shape(T... values)  // NOLINT(google-explicit-constructor)
      : Shape(std::span<const int64_t>(std::array{static_cast<int64_t>(values)...})) {}
  static Shape filled(int rank, int64_t value);
  Shape(const Shape& other) noexcept { assign(other); }
  // Onto itself it copies what is there.
  Shape& operator=(const Shape& other) noexcept {  // NOLINT(bugprone-unhandled-self-assignment)
    assign(other);
    return *this;
  }
  ~Shape() = default;

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  int64_t operator[](int i) const { return values_[i]; }
  int64_t& operator[](int i) { return values_[i]; }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + rank_; }
  int64_t* begin() { return values_; }
  int64_t* end() { return values_ + rank_; }
  int64_t back() const { return values_[rank_ - 1]; }
  std::span<const int64_t> span() const { return {values_, static_cast<size_t>(rank_)}; }

  void push_back(int64_t value);
  void insert(int position, int64_t value);
  void erase(int position);

  // The product of all entries; 1 for none. REQUIRES: it fits in 63 bits (checked where shapes come
  // from outside).
  int64_t numel() const {
    int64_t product = 1;
    for (int i = 0; i < rank_; ++i) product *= values_[i];
    return product;
  }

  // By hand: for so few numbers a call of memcmp costs more than the comparison.
  bool operator==(const Shape& other) const {
    if (rank_ != other.rank_) return false;
    for (int i = 0; i < rank_; ++i) {
      if (values_[i] != other.values_[i]) return false;
    }
    return true;
  }

  // These become the strides of a row-major tensor of the shape, in elements.
  void set_contiguous_strides(const Shape& shape) {
    rank_ = shape.rank_;
    int64_t step = 1;
    for (int i = rank_ - 1; i >= 0; --i) {
      values_[i] = step;
      step *= shape[i] > 1 ? shape[i] : 1;
    }
  }

 private:
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
// It cannot see that a copy's entries below its rank are set.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
  // Entry by entry and no more than there are: an operator on one number spends a tenth of its time
  // on copies of all eight, and a wide load of entries just stored one by one waits for the stores.
  void assign(const Shape& other) {
    rank_ = other.rank_;
    if (rank_ < 1) return;
    values_[0] = other.values_[0];
    if (rank_ < 2) return;
    values_[1] = other.values_[1];
    if (rank_ < 3) return;
    values_[2] = other.values_[2];
    if (rank_ < 4) return;
    values_[3] = other.values_[3];
    for (int i = 4; i < rank_; ++i) values_[i] = other.values_[i];
  }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

  int64_t values_[kMaxDims];  // those from rank_ on have no meaning
  int32_t rank_ = 0;
};

using Strides = Shape;

// "(2, 3)", and "(2,)" for one dimension, as Python writes tuples.
std::string to_string(const Shape& shape);
std::ostream& operator<<(std::ostream& out, const Shape& shape);

// The strides of a row-major tensor of this shape, in elements.
Strides contiguous_strides(const Shape& shape);

// The shape that both broadcast to (right-aligned; sizes equal or 1). Throws ShapeError naming op.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

// The index of element `element` in row-major order: (1, 2) for element 5 of shape (2, 3).
// REQUIRES: 0 <= element < shape.numel().
Shape unravel_index(int64_t element, const Shape& shape);

// dim in [-rank, rank) as [0, rank); a 0-dimensional tensor takes -1 and 0. Throws IndexError
// naming op.
int normalize_dim(const char* op, int64_t dim, int rank, const char* what = "dim");

}  // namespace adjoint
