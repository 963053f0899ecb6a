#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/tensor.h>

#include <algorithm>
#include <atomic>

#include "core/autograd/gradient_ops.h"
#include "core/autograd/node.h"
#include "core/tensor/tensor_impl.h"

namespace adjoint {
namespace {

constinit thread_local bool inference = false;

}  // namespace

bool inference_mode() { return inference; }

InferenceMode::InferenceMode(bool enabled)
    : inference_before_(std::exchange(inference, enabled)), grad_before_(grad_enabled()) {
  set_grad_enabled(!enabled);
}

InferenceMode::~InferenceMode() {
  inference = inference_before_;
  set_grad_enabled(grad_before_);
}

uint64_t next_stamp() {
  // Each thread takes a range at a time, so that stamps cost no shared write.
  constexpr uint64_t kRange = uint64_t{1} << 20;
  static std::atomic<uint64_t> ranges{0};
  static thread_local uint64_t next = 0;
  if (next % kRange == 0) next = ranges.fetch_add(1, std::memory_order_relaxed) * kRange + 1;
  return next++;
}

bool is_contiguous(const Shape& shape, const Strides& strides) {
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

bool view_strides(const Shape& from, const Strides& strides, const Shape& shape, Strides& result) {
  result = contiguous_strides(shape);
  if (shape.numel() == 0 || is_contiguous(from, strides)) return true;
  // Walks both shapes from the right, matching blocks of `from` that lie evenly in memory with
  // dimensions of `shape`.
  int to = shape.rank() - 1;
  int64_t block = 1, base = 0;
  for (int i = from.rank() - 1; i >= 0; --i) {
    if (block == 1) base = strides[i];
    block *= from[i];
    const bool ends = i == 0 || (from[i - 1] != 1 && strides[i - 1] != block * base);
    if (!ends) continue;
    int64_t covered = 1;
    while (to >= 0 && (covered < block || shape[to] == 1)) {
      result[to] = covered * base;
      covered *= shape[to];
      --to;
    }
    if (covered != block) return false;
    block = 1;
  }
  return to < 0;
}

int64_t checked_numel(const char* op, const Shape& shape) {
  // Strides are products of the sizes that are not zero: they must fit too.
  int64_t product = 1;
  bool fits = true, none = false;
  for (int64_t size : shape) {
    check<ShapeError>(size >= 0, op, ": negative size: ", shape, "; expected sizes of 0 or more");
    none = none || size == 0;
    fits = fits && !__builtin_mul_overflow(product, std::max<int64_t>(size, 1), &product);
  }
  check<ShapeError>(fits && (none || product < (int64_t{1} << 58)), op,
                    ": too many elements: ", shape, "; expected fewer than 2^58");
  return none ? 0 : product;
}

Tensor make_empty(const char* op, const Shape& shape, DType dtype) {
  const int64_t numel = checked_numel(op, shape);
  Storage* storage = Storage::create(static_cast<size_t>(numel) * element_size(dtype), !inference);
  auto* impl = new TensorImpl;
  impl->dtype = dtype;
  impl->contiguous = true;
  impl->storage = storage;
  impl->numel = numel;
  impl->shape = shape;
  impl->strides.set_contiguous_strides(shape);
  return Tensor(impl);
}

Tensor make_over(const char* op, const Tensor& dying, const Shape& shape, DType dtype) {
  const TensorImpl* impl = dying.impl();
  const bool fits =
      impl->unique() && impl->contiguous && impl->dtype == dtype && impl->shape == shape &&
      impl->storage->bytes == static_cast<size_t>(impl->numel) * element_size(dtype) &&
      (impl->node == nullptr || !impl->node->is_leaf());
  if (!fits) return make_empty(op, shape, dtype);
  impl->storage->change(op);
  return make_view(dying, impl->shape, impl->strides, 0);
}

Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset) {
  const TensorImpl* from = x.impl();
  auto* impl = new TensorImpl;
  impl->dtype = from->dtype;
  impl->contiguous = is_contiguous(shape, strides);
  impl->storage = from->storage;
  impl->storage->retain();
  impl->offset = offset;
  impl->numel = shape.numel();
  impl->shape = shape;
  impl->strides = strides;
  return Tensor(impl);
}

namespace {

TensorImpl* get(TensorImpl* impl) {
  check(impl != nullptr, "Tensor: undefined; expected a tensor with elements");
  return impl;
}

}  // namespace

Tensor::Tensor(const Tensor& other) noexcept : impl_(other.impl_) {
  if (impl_ != nullptr) impl_->references.fetch_add(1, std::memory_order_relaxed);
}

Tensor& Tensor::operator=(const Tensor& other) noexcept {
  Tensor copy(other);
  std::swap(impl_, copy.impl_);
  return *this;
}

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  Tensor taken(std::move(other));
  std::swap(impl_, taken.impl_);
  return *this;
}

void Tensor::release(TensorImpl* impl) noexcept {
  if (!drop_reference(impl->references)) return;
  if (impl->view) impl->storage->views.fetch_sub(1, std::memory_order_relaxed);
  impl->storage->release();
  if (impl->node != nullptr) Node::release(impl->node);
  delete impl;
}

const Shape& Tensor::shape() const { return get(impl_)->shape; }
const Strides& Tensor::strides() const { return get(impl_)->strides; }
int Tensor::dim() const { return get(impl_)->shape.rank(); }
int64_t Tensor::numel() const { return get(impl_)->numel; }
DType Tensor::dtype() const { return get(impl_)->dtype; }
bool Tensor::is_contiguous() const { return get(impl_)->contiguous; }
const void* Tensor::raw_data() const { return get(impl_)->bytes(); }
bool Tensor::is_inference() const { return !get(impl_)->storage->stamped(); }
uint64_t Tensor::version() const {
  check<AutogradError>(!is_inference(), "version: the tensor of shape ", shape(),
                       " was made under InferenceMode, where no versions are kept; expected "
                       "another; clone() it outside of the mode");
  return get(impl_)->storage->version.load(std::memory_order_acquire);
}

int64_t Tensor::size(int64_t dim) const {
  const Shape& s = shape();
  check<IndexError>(s.rank() > 0, "size: a 0-dimensional tensor has no sizes; expected dimension ",
                    dim);
  return s[normalize_dim("size", dim, s.rank())];
}

const void* Tensor::checked_data(DType dtype) const {
  check<DTypeError>(get(impl_)->dtype == dtype, "data: wrong type: ", dtype, " for a tensor of ",
                    impl_->dtype, "; expected ", impl_->dtype);
  return impl_->bytes();
}

void Tensor::mark_changed(const char* op) const { get(impl_)->storage->change(op); }

Scalar Tensor::only_element() const {
  check<ShapeError>(numel() == 1, "item: a tensor of shape ", shape(), " has ", numel(),
                    " elements; expected one");
  return dispatch(dtype(), [this](auto tag) {
    using T = typename decltype(tag)::type;
    return Scalar(*impl_->data<T>());
  });
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor packed = detach().contiguous();
  const T* begin = packed.data<T>();
  return std::vector<T>(begin, begin + packed.numel());
}
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::vector<bfloat16> Tensor::to_vector() const;
template std::vector<float16> Tensor::to_vector() const;
template std::vector<int32_t> Tensor::to_vector() const;
template std::vector<uint8_t> Tensor::to_vector() const;
template std::vector<int64_t> Tensor::to_vector() const;
template std::vector<bool> Tensor::to_vector() const;

template <class T>
Tensor from_span(std::span<const T> values, const Shape& shape) {
  Tensor x = make_empty("from_span", shape, dtype_of<T>);
  check<ShapeError>(x.numel() == static_cast<int64_t>(values.size()), "from_span: ", values.size(),
                    " values for shape ", shape, "; expected ", x.numel());
  std::copy(values.begin(), values.end(), x.impl()->template data<T>());
  return x;
}
template Tensor from_span(std::span<const float>, const Shape&);
template Tensor from_span(std::span<const double>, const Shape&);
template Tensor from_span(std::span<const bfloat16>, const Shape&);
template Tensor from_span(std::span<const float16>, const Shape&);
template Tensor from_span(std::span<const int32_t>, const Shape&);
template Tensor from_span(std::span<const uint8_t>, const Shape&);
template Tensor from_span(std::span<const int64_t>, const Shape&);
template Tensor from_span(std::span<const bool>, const Shape&);

Tensor empty(const Shape& shape, DType dtype) { return make_empty("empty", shape, dtype); }

Tensor full(const Shape& shape, Scalar value, DType dtype) {
  Tensor x = make_empty("full", shape, dtype);
  gradient_ops::fill(x, value);
  return x;
}

Tensor zeros(const Shape& shape, DType dtype) {
  Tensor x = make_empty("zeros", shape, dtype);
  gradient_ops::fill(x, 0);
  return x;
}

Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor empty_like(const Tensor& x) { return empty(x.shape(), x.dtype()); }
Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype()); }
Tensor ones_like(const Tensor& x) { return full(x.shape(), 1, x.dtype()); }
Tensor full_like(const Tensor& x, Scalar value) { return full(x.shape(), value, x.dtype()); }
Tensor scalar(Scalar value, DType dtype) { return full({}, value, dtype); }

Tensor arange(int64_t count, DType dtype) {
  Tensor x = make_empty("arange", {count}, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = x.impl()->data<T>();
    for (int64_t i = 0; i < count; ++i) out[i] = static_cast<T>(i);
  });
  return x;
}

Tensor eye(int64_t n, DType dtype) {
  Tensor x = zeros({n, n}, dtype);
  dispatch(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = x.impl()->data<T>();
    for (int64_t i = 0; i < n; ++i) out[i * n + i] = static_cast<T>(1);
  });
  return x;
}

}  // namespace adjoint
