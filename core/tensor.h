// Tensors: strided arrays of one dtype, with an optional place in a graph of operations.
//
// A Tensor is a handle: copies share elements, gradient and history. Handles may be used from
// several threads as std::shared_ptr may; writing the elements of one tensor from two threads at
// once is a race. Operators are free functions in <adjoint/core/ops.h>.
#pragma once

#include <adjoint/core/dtype.h>
#include <adjoint/core/shape.h>

#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace adjoint {

struct TensorImpl;
struct BackwardOptions;
class Index;
class Indexed;

// A number that remembers whether it was written as an integer, a real or a bool, so that
// `ints + 2` stays i64 and `ints + 0.5` becomes f32, as in PyTorch.
class Scalar {
 public:
  Scalar(int value) : integer_(value) {}                                  // NOLINT
  Scalar(int64_t value) : integer_(value) {}                              // NOLINT
  Scalar(double value) : real_(value), kind_(DType::f32) {}               // NOLINT
  Scalar(float value) : Scalar(static_cast<double>(value)) {}             // NOLINT
  Scalar(bfloat16 value) : Scalar(static_cast<double>(value)) {}          // NOLINT
  Scalar(float16 value) : Scalar(static_cast<double>(value)) {}           // NOLINT
  Scalar(uint8_t value) : Scalar(static_cast<int>(value)) {}              // NOLINT
  Scalar(bool value) : integer_(value ? 1 : 0), kind_(DType::boolean) {}  // NOLINT
  // f32 stands for any real, i64 for any integer.
  DType kind() const { return kind_; }
  double real() const { return kind_ == DType::f32 ? real_ : static_cast<double>(integer_); }
  int64_t integer() const { return kind_ == DType::f32 ? static_cast<int64_t>(real_) : integer_; }

 private:
  int64_t integer_ = 0;
  double real_ = 0;
  DType kind_ = DType::i64;
};

// Removes a hook when asked; does nothing by itself when it dies.
class HookHandle {
 public:
  HookHandle() = default;
  explicit HookHandle(std::function<void()> remove) : remove_(std::move(remove)) {}
  void remove() {
    if (remove_) std::exchange(remove_, nullptr)();
  }

 private:
  std::function<void()> remove_;
};

class Tensor {
 public:
  Tensor() noexcept = default;  // undefined: no elements, no shape
  Tensor(const Tensor& other) noexcept;
  Tensor(Tensor&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
  Tensor& operator=(const Tensor& other) noexcept;
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor() {
    if (impl_ != nullptr) release(impl_);
  }

  bool defined() const { return impl_ != nullptr; }

  // Everything below REQUIRES defined(); Error otherwise.

  const Shape& shape() const;
  const Strides& strides() const;  // in elements
  int dim() const;                 // the number of dimensions
  int64_t size(int64_t dim) const;
  int64_t numel() const;
  DType dtype() const;
  bool is_contiguous() const;  // row-major without gaps

  // The elements, at index (0, ..., 0). Throws DTypeError unless T is the dtype's type. A call of
  // mutable_data counts as a change: a graph that saved the tensor notices. Only the call does, not
  // what is written later through a pointer that was kept: call it again before such writes, for
  // products may also read a copy of what was there (InferenceWeights, Autocast).
  template <class T>
  const T* data() const {
    return static_cast<const T*>(checked_data(dtype_of<T>));
  }
  template <class T>
  T* mutable_data() const {
    mark_changed("mutable_data");
    return static_cast<T*>(const_cast<void*>(checked_data(dtype_of<T>)));
  }
  const void* raw_data() const;

  // The one element of a tensor with one element, converted as by static_cast from the type of its
  // dtype: item<int64_t>() of an i64 is exact. ShapeError for any other number of elements.
  template <class T>
  T item() const {
    const Scalar value = only_element();
    return value.kind() == DType::f32 ? static_cast<T>(value.real())
                                      : static_cast<T>(value.integer());
  }
  double item() const { return item<double>(); }
  // All elements in row-major order. DTypeError unless T is the dtype's type.
  template <class T>
  std::vector<T> to_vector() const;

  // A copy with its own elements, recorded. `contiguous` copies only if needed. `to` casts.
  Tensor clone() const;
  Tensor contiguous() const;
  Tensor to(DType dtype) const;

  // Views and the commonest operators, as free functions of the same names.
  Tensor reshape(const Shape& shape) const;
  Tensor view(const Shape& shape) const;
  Tensor transpose(int64_t dim0, int64_t dim1) const;
  Tensor permute(const Shape& dims) const;
  Tensor sum() const;
  Tensor mean() const;
  // Chosen elements, read or assigned: x.index({Slice(0, 2), mask}) = 0. See
  // <adjoint/core/indexing.h>, without which this cannot be called.
  Indexed index(std::initializer_list<Index> indices) const;
  void index_put_(std::initializer_list<Index> indices, const Tensor& values,
                  bool accumulate = false) const;
  void index_put_(std::initializer_list<Index> indices, Scalar value,
                  bool accumulate = false) const;

  // --- differentiation (see <adjoint/core/autograd.h>) ---

  bool requires_grad() const;
  // Only leaves of a floating dtype can be told; AutogradError otherwise.
  const Tensor& requires_grad_(bool value = true) const;
  bool is_leaf() const;
  const char* grad_fn_name() const;  // the operator that made it, or nullptr for a leaf

  // Accumulated by backward(); undefined before. For a leaf, or after retain_grad().
  Tensor grad() const;
  void set_grad(Tensor grad) const;
  void zero_grad() const { set_grad({}); }
  void retain_grad() const;

  // Adds d(this)/d(leaf) to each leaf's grad. Without options: this has one element, whose
  // gradient is 1.
  void backward() const;
  void backward(BackwardOptions options) const;  // a moved gradient may be written over

  // The same elements without history.
  Tensor detach() const;

  // Called with the gradient of this tensor when backward has all of it; what it returns, if
  // defined, takes its place. In the order of registration; before a retained gradient is kept. A
  // hook that a hook removes still runs in that backward.
  HookHandle register_hook(std::function<Tensor(const Tensor&)> hook) const;
  // For a leaf: called with it whenever a backward has added to its gradient, without grad mode
  // unless create_graph. It may use up the gradient (an optimizer's step, zero_grad()). Leaves get
  // theirs when the rest of the backward is done.
  HookHandle register_post_accumulate_grad_hook(std::function<void(const Tensor&)> hook) const;

  // The stamp of the last change to the elements: equal stamps mean equal elements. AutogradError
  // if it is_inference().
  uint64_t version() const;
  // Whether its elements were made under InferenceMode.
  bool is_inference() const;

  // --- for operators ---
  explicit Tensor(TensorImpl* owned) noexcept : impl_(owned) {}
  TensorImpl* impl() const { return impl_; }
  void mark_changed(const char* op) const;

 private:
  static void release(TensorImpl* impl) noexcept;
  const void* checked_data(DType dtype) const;
  Scalar only_element() const;

  TensorImpl* impl_ = nullptr;
};

struct BackwardOptions {
  Tensor gradient = {};       // of the tensor itself; ones if undefined and there is one element
  bool retain_graph = false;  // keep what was saved, so that backward can run again
  bool create_graph = false;  // record the gradients, so that they can be differentiated
  // The tensors whose grad is added to; every leaf if there is none here. Those that are no leaves
  // retain_grad(). AutogradError for one that does not require grad.
  std::vector<Tensor> inputs = {};
};

// Factories. A negative size, or more elements than memory can hold, throws.
Tensor empty(const Shape& shape, DType dtype = DType::f32);
Tensor zeros(const Shape& shape, DType dtype = DType::f32);
Tensor ones(const Shape& shape, DType dtype = DType::f32);
Tensor full(const Shape& shape, Scalar value, DType dtype = DType::f32);
Tensor empty_like(const Tensor& x);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, Scalar value);
Tensor scalar(Scalar value, DType dtype = DType::f32);  // 0-dimensional
// 0, 1, ..., count - 1.
Tensor arange(int64_t count, DType dtype = DType::i64);
Tensor eye(int64_t n, DType dtype = DType::f32);

// A copy of the values, of the given shape; one dimension if it is left out. ShapeError if the
// counts differ.
template <class T>
Tensor from_span(std::span<const T> values, const Shape& shape);
template <class T>
Tensor tensor(std::initializer_list<T> values) {
  return from_span(std::span<const T>(values.begin(), values.size()),
                   Shape{static_cast<int64_t>(values.size())});
}
template <class T>
Tensor tensor(std::initializer_list<T> values, const Shape& shape) {
  return from_span(std::span<const T>(values.begin(), values.size()), shape);
}
template <class T>
Tensor from_vector(const std::vector<T>& values) {
  return from_span(std::span<const T>(values), Shape{static_cast<int64_t>(values.size())});
}
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  return from_span(std::span<const T>(values), shape);
}

// As NumPy prints arrays; large tensors are summarised, with three values at each end of a
// dimension.
std::string to_string(const Tensor& x);
std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace adjoint
