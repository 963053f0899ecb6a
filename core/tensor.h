// Tensors: strided arrays of one dtype, with an optional place in a graph of operations.
//
// A Tensor is a handle: copies share elements, gradient and history. Handles may be used from
// several threads as std::shared_ptr may; writing the elements of one tensor from two threads at
// once is a race. Operators are free functions in <adjoint/core/ops.h>.
#pragma once

#include <adjoint/core/dtype.h>
#include <adjoint/core/shape.h>

#include <concepts>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace adjoint {

struct TensorImpl;
struct BackwardOptions;
class Index;
class Indexed;
struct ValuesAndIndices;  // in <adjoint/core/reductions.h>

// A number that remembers whether it was written as an integer, a real or a bool, so that
// `ints + 2` stays i64 and `ints + 0.5` becomes f32, as in PyTorch.
class Scalar {
 public:
  template <std::integral T>
  requires(!std::same_as<T, bool>) Scalar(T value)
      : integer_(static_cast<int64_t>(value)) {}                          // NOLINT
  Scalar(double value) : real_(value), kind_(DType::f32) {}               // NOLINT
  Scalar(float value) : Scalar(static_cast<double>(value)) {}             // NOLINT
  Scalar(bfloat16 value) : Scalar(static_cast<double>(value)) {}          // NOLINT
  Scalar(float16 value) : Scalar(static_cast<double>(value)) {}           // NOLINT
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

// The order of elements in memory: row-major, or with dimension 1, the channels of images (N, C, H,
// W) or volumes (N, C, D, H, W), innermost. Shapes and results are the same; elementwise operators
// keep the order, as they keep every one that leaves no gaps, and others give row-major results.
enum class MemoryFormat : uint8_t { contiguous, channels_last, channels_last_3d };

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
  Tensor& operator=(const Tensor& other) & noexcept;
  Tensor& operator=(Tensor&& other) & noexcept;
  // `x[0] = y` would change a handle that nobody keeps: x.index({0}) = y writes elements.
  void operator=(const Tensor& other) && = delete;
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
  bool is_contiguous(MemoryFormat format) const;

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
  // The elements in row-major order. ShapeError where they do not lie so: use contiguous().
  template <class T>
  std::span<const T> span() const {
    return {data<T>(), packed_size()};
  }
  template <class T>
  std::span<T> mutable_span() const {  // see mutable_data
    const size_t size = packed_size();
    return {mutable_data<T>(), size};
  }

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

  // Over dimension 0, each a view: for (const Tensor row : x). ShapeError without dimensions.
  class Iterator;
  Iterator begin() const;
  Iterator end() const;

  // A copy with its own elements, recorded. `contiguous` copies only if needed. `to` casts.
  Tensor clone() const;
  Tensor contiguous(MemoryFormat format = MemoryFormat::contiguous) const;
  Tensor to(DType dtype) const;

  // The commonest operators, as the free functions of the same names, in the headers of <adjoint/
  // core/ops.h>. A list of dimensions may be one number.
  //
  // Shapes:
  Tensor reshape(const Shape& shape) const;
  Tensor reshape_as(const Tensor& other) const;
  Tensor view(const Shape& shape) const;
  Tensor view_as(const Tensor& other) const;
  Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1) const;
  Tensor unflatten(int64_t dim, const Shape& sizes) const;
  Tensor transpose(int64_t dim0, int64_t dim1) const;
  Tensor t() const;   // of one dimension or none itself, of two transposed
  Tensor mT() const;  // the last two dimensions exchanged
  Tensor permute(const Shape& dims) const;
  Tensor movedim(const Shape& source, const Shape& destination) const;
  Tensor squeeze() const;
  Tensor squeeze(const Shape& dims) const;
  Tensor unsqueeze(int64_t dim) const;
  Tensor expand(const Shape& shape) const;
  Tensor expand_as(const Tensor& other) const;
  Tensor broadcast_to(const Shape& shape) const;
  Tensor type_as(const Tensor& other) const;
  Tensor slice(int64_t dim, int64_t start, int64_t end = INT64_MAX, int64_t step = 1) const;
  Tensor narrow(int64_t dim, int64_t start, int64_t length) const;
  Tensor select(int64_t dim, int64_t index) const;
  Tensor operator[](int64_t index) const;  // select(0, index), to be read
  Tensor diagonal(int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1) const;
  Tensor unfold(int64_t dim, int64_t size, int64_t step) const;
  std::vector<Tensor> split(int64_t split_size, int64_t dim = 0) const;
  std::vector<Tensor> chunk(int64_t chunks, int64_t dim = 0) const;
  std::vector<Tensor> unbind(int64_t dim = 0) const;
  Tensor repeat(const Shape& sizes) const;
  Tensor flip(const Shape& dims) const;
  Tensor roll(const Shape& shifts, const Shape& dims = {}) const;
  Tensor tril(int64_t diagonal = 0) const;
  Tensor triu(int64_t diagonal = 0) const;

  // Chosen elements, read or assigned: x.index({Slice(0, 2), mask}) = 0. See
  // <adjoint/core/indexing.h>, without which this cannot be called.
  Indexed index(std::initializer_list<Index> indices) const;
  Tensor index_select(int64_t dim, const Tensor& index) const;
  Tensor gather(int64_t dim, const Tensor& index) const;
  Tensor scatter(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor scatter(int64_t dim, const Tensor& index, Scalar value) const;
  Tensor scatter_add(int64_t dim, const Tensor& index, const Tensor& src) const;
  Tensor masked_fill(const Tensor& mask, Scalar value) const;
  Tensor masked_select(const Tensor& mask) const;
  Tensor nonzero() const;
  Tensor where(const Tensor& condition, const Tensor& other) const;
  Tensor where(const Tensor& condition, Scalar other) const;
  ValuesAndIndices sort(int64_t dim = -1, bool descending = false) const;
  Tensor argsort(int64_t dim = -1, bool descending = false) const;
  ValuesAndIndices topk(int64_t k, int64_t dim = -1, bool largest = true, bool sorted = true) const;

  // Reductions:
  Tensor sum() const;
  Tensor sum(const Shape& dims, bool keepdim = false) const;
  Tensor mean() const;
  Tensor mean(const Shape& dims, bool keepdim = false) const;
  Tensor prod() const;
  Tensor prod(int64_t dim, bool keepdim = false) const;
  Tensor var() const;
  Tensor var(const Shape& dims, double correction = 1, bool keepdim = false) const;
  Tensor std() const;
  Tensor std(const Shape& dims, double correction = 1, bool keepdim = false) const;
  Tensor norm(double p = 2) const;
  Tensor norm(double p, const Shape& dims, bool keepdim = false) const;
  Tensor logsumexp(const Shape& dims, bool keepdim = false) const;
  Tensor cumsum(int64_t dim) const;
  Tensor cumprod(int64_t dim) const;
  Tensor amax(const Shape& dims = {}, bool keepdim = false) const;
  Tensor amin(const Shape& dims = {}, bool keepdim = false) const;
  Tensor max() const;
  ValuesAndIndices max(int64_t dim, bool keepdim = false) const;
  Tensor min() const;
  ValuesAndIndices min(int64_t dim, bool keepdim = false) const;
  Tensor argmax() const;
  Tensor argmax(int64_t dim, bool keepdim = false) const;
  Tensor argmin() const;
  Tensor argmin(int64_t dim, bool keepdim = false) const;
  bool any() const;
  Tensor any(const Shape& dims, bool keepdim = false) const;
  bool all() const;
  Tensor all(const Shape& dims, bool keepdim = false) const;

  // Element by element:
  Tensor neg() const;
  Tensor abs() const;
  Tensor sign() const;
  Tensor exp() const;
  Tensor log() const;
  Tensor log1p() const;
  Tensor sqrt() const;
  Tensor rsqrt() const;
  Tensor square() const;
  Tensor reciprocal() const;
  Tensor sin() const;
  Tensor cos() const;
  Tensor tanh() const;
  Tensor sigmoid() const;
  Tensor relu() const;
  Tensor erf() const;
  Tensor floor() const;
  Tensor ceil() const;
  Tensor round() const;
  Tensor isnan() const;
  Tensor isfinite() const;
  Tensor logical_not() const;
  Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt) const;
  Tensor clamp_min(Scalar min) const;
  Tensor clamp_max(Scalar max) const;
  Tensor softmax(int64_t dim) const;
  Tensor log_softmax(int64_t dim) const;
  Tensor add(const Tensor& other) const;
  Tensor add(Scalar other) const;
  Tensor sub(const Tensor& other) const;
  Tensor sub(Scalar other) const;
  Tensor mul(const Tensor& other) const;
  Tensor mul(Scalar other) const;
  Tensor div(const Tensor& other) const;
  Tensor div(Scalar other) const;
  Tensor pow(const Tensor& exponent) const;
  Tensor pow(Scalar exponent) const;
  Tensor eq(const Tensor& other) const;
  Tensor eq(Scalar other) const;
  Tensor ne(const Tensor& other) const;
  Tensor ne(Scalar other) const;
  Tensor lt(const Tensor& other) const;
  Tensor lt(Scalar other) const;
  Tensor le(const Tensor& other) const;
  Tensor le(Scalar other) const;
  Tensor gt(const Tensor& other) const;
  Tensor gt(Scalar other) const;
  Tensor ge(const Tensor& other) const;
  Tensor ge(Scalar other) const;

  // Products of matrices:
  Tensor matmul(const Tensor& other) const;
  Tensor mm(const Tensor& other) const;
  Tensor bmm(const Tensor& other) const;
  Tensor dot(const Tensor& other) const;

  // In place, by the rules of <adjoint/core/inplace.h>:
  const Tensor& operator+=(const Tensor& other) const;
  const Tensor& operator+=(Scalar other) const;
  const Tensor& operator-=(const Tensor& other) const;
  const Tensor& operator-=(Scalar other) const;
  const Tensor& operator*=(const Tensor& other) const;
  const Tensor& operator*=(Scalar other) const;
  const Tensor& operator/=(const Tensor& other) const;
  const Tensor& operator/=(Scalar other) const;
  const Tensor& operator&=(const Tensor& other) const;
  const Tensor& operator|=(const Tensor& other) const;
  const Tensor& operator^=(const Tensor& other) const;
  const Tensor& add_(const Tensor& other) const;
  const Tensor& add_(Scalar other) const;
  const Tensor& sub_(const Tensor& other) const;
  const Tensor& sub_(Scalar other) const;
  const Tensor& mul_(const Tensor& other) const;
  const Tensor& mul_(Scalar other) const;
  const Tensor& div_(const Tensor& other) const;
  const Tensor& div_(Scalar other) const;
  const Tensor& copy_(const Tensor& source) const;
  const Tensor& fill_(Scalar value) const;
  const Tensor& zero_() const;
  const Tensor& clamp_(std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt) const;
  const Tensor& relu_() const;
  const Tensor& exp_() const;
  const Tensor& sqrt_() const;
  const Tensor& neg_() const;
  const Tensor& pow_(Scalar exponent) const;
  const Tensor& uniform_(double low = 0, double high = 1) const;
  const Tensor& normal_(double mean = 0, double std = 1) const;
  const Tensor& masked_fill_(const Tensor& mask, Scalar value) const;
  const Tensor& index_add_(int64_t dim, const Tensor& index, const Tensor& source) const;
  const Tensor& scatter_(int64_t dim, const Tensor& index, const Tensor& src) const;
  const Tensor& scatter_(int64_t dim, const Tensor& index, Scalar value) const;
  const Tensor& scatter_add_(int64_t dim, const Tensor& index, const Tensor& src) const;
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
  size_t packed_size() const;

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

class Tensor::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = Tensor;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Tensor;

  Iterator(Tensor tensor, int64_t at) : tensor_(std::move(tensor)), at_(at) {}
  Tensor operator*() const { return tensor_.select(0, at_); }
  Iterator& operator++() {
    ++at_;
    return *this;
  }
  Iterator operator++(int) {
    Iterator before = *this;
    ++at_;
    return before;
  }
  // Of the same tensor.
  bool operator==(const Iterator& other) const { return at_ == other.at_; }

 private:
  Tensor tensor_;
  int64_t at_;
};

// Factories; more in <adjoint/core/factories.h> and <adjoint/core/random_tensors.h>. A negative
// size, or more elements than memory can hold, throws.
Tensor empty(const Shape& shape, DType dtype = DType::f32);
Tensor zeros(const Shape& shape, DType dtype = DType::f32);
Tensor ones(const Shape& shape, DType dtype = DType::f32);
Tensor full(const Shape& shape, Scalar value, DType dtype = DType::f32);
// Of x's shape, and of its dtype if none is given; of its order in memory where that has no gaps.
Tensor empty_like(const Tensor& x, std::optional<DType> dtype = std::nullopt);
Tensor zeros_like(const Tensor& x, std::optional<DType> dtype = std::nullopt);
Tensor ones_like(const Tensor& x, std::optional<DType> dtype = std::nullopt);
Tensor full_like(const Tensor& x, Scalar value, std::optional<DType> dtype = std::nullopt);
Tensor scalar(Scalar value, DType dtype = DType::f32);  // 0-dimensional
// 0, 1, ... before end; i64 where no dtype is given and end is a whole number, else f32.
Tensor arange(Scalar end, std::optional<DType> dtype = std::nullopt);
Tensor eye(int64_t n, DType dtype = DType::f32);

// A copy of the values, of the given shape; one dimension if it is left out. ShapeError if the
// counts differ.
template <class T>
Tensor from_span(std::span<const T> values, const Shape& shape);
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
  return from_span(std::span<const T>(values), shape);
}
template <class T>
Tensor from_vector(const std::vector<T>& values) {
  return from_vector(values, Shape{static_cast<int64_t>(values.size())});
}
// The tensor takes the vector's memory: nothing is copied, except of a few values.
template <class T>
Tensor from_vector(std::vector<T>&& values, const Shape& shape);
template <class T>
Tensor from_vector(std::vector<T>&& values) {
  const auto size = static_cast<int64_t>(values.size());
  return from_vector(std::move(values), Shape{size});
}
// The elements at `data`, row-major, which the tensor shares with whoever made them; `owner` lives
// as long as any tensor does that shows them. REQUIRES: they are aligned to their size.
Tensor from_blob(void* data, const Shape& shape, DType dtype, std::shared_ptr<void> owner);

// Numbers in nested braces, for the length of a call.
template <class T>
class NestedList {
 public:
  NestedList(T value) : value_(value) {}                                               // NOLINT
  NestedList(std::initializer_list<NestedList> items) : items_(items), list_(true) {}  // NOLINT
  bool is_list() const { return list_; }
  T value() const { return value_; }
  std::span<const NestedList> items() const { return {items_.begin(), items_.size()}; }

 private:
  T value_{};
  std::initializer_list<NestedList> items_;
  bool list_ = false;
};
// tensor<float>({{1, 2, 3}, {4, 5, 6}}) is of shape (2, 3). ShapeError where lists of a depth
// differ in length. The type of one list of numbers may be left out.
template <class T>
Tensor tensor(const NestedList<T>& values);
template <class... Given, class T>
requires(sizeof...(Given) == 0) Tensor tensor(std::initializer_list<T> values) {
  return from_span(std::span<const T>(values.begin(), values.size()),
                   Shape{static_cast<int64_t>(values.size())});
}
template <class T>
Tensor tensor(std::initializer_list<T> values, const Shape& shape) {
  return from_span(std::span<const T>(values.begin(), values.size()), shape);
}

// As NumPy prints arrays, with as many digits as tell the numbers apart, at most eight behind the
// point; of more than 1000 elements three at each end of a dimension.
std::string to_string(const Tensor& x);
std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace adjoint
