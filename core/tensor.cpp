#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/tensor.h>

#include <algorithm>
#include <atomic>
#include <cmath>

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

bool is_dense(const Shape& shape, const Strides& strides) {
  int order[kMaxDims];
  order_of_strides(strides, order);
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    const int d = order[i];
    if (shape[d] == 1) continue;
    if (shape[d] == 0 || strides[d] != step) return false;
    step *= shape[d];
  }
  return true;
}

void order_of_strides(const Strides& strides, int* order) {
  for (int d = 0; d < strides.rank(); ++d) {
    int at = d;
    for (; at > 0 && strides[order[at - 1]] < strides[d]; --at) order[at] = order[at - 1];
    order[at] = d;
  }
}

Strides strides_of(MemoryFormat format, const Shape& shape) {
  Strides strides = contiguous_strides(shape);
  if (format == MemoryFormat::contiguous) return strides;
  int64_t step = shape[1];
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[d] = d == 1 ? 1 : step;
    if (d != 1) step *= shape[d];
  }
  return strides;
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

void check_holds(const char* op, Scalar value, DType dtype) {
  const double number = value.real();
  bool holds = true;
  if (is_floating_point(dtype)) {
    holds = !std::isfinite(number) || std::abs(number) <= largest(dtype);
  } else if (is_integer(dtype) && (dtype != DType::i64 || value.kind() == DType::f32)) {
    const double whole = std::trunc(number),
                 beyond = dtype == DType::i64 ? 0x1p63 : largest(dtype) + 1;
    holds = whole < beyond && (dtype == DType::u8 ? whole > -beyond : whole >= -beyond);
  }
  check<ConfigError>(holds, op, ": the value ", number, " for elements of ", dtype,
                     "; expected a number that they hold, at most ", largest(dtype));
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

Tensor make_strided(const char* op, const Shape& shape, const Strides& strides, DType dtype) {
  Tensor x = make_empty(op, shape, dtype);
  x.impl()->strides = strides;
  x.impl()->contiguous = is_contiguous(shape, strides);
  return x;
}

namespace {

// Whether a result of this shape and dtype may take the place of a dying tensor that fills its
// storage: nobody else can see it.
bool may_write_over(const TensorImpl* dying, const Shape& shape, DType dtype) {
  return dying->unique() && dying->dtype == dtype && dying->shape == shape &&
         dying->storage->bytes == static_cast<size_t>(dying->numel) * element_size(dtype) &&
         (dying->node == nullptr || !dying->node->is_leaf());
}

Tensor take_over(const char* op, const Tensor& dying) {
  const TensorImpl* impl = dying.impl();
  impl->storage->change(op);
  return make_view(dying, impl->shape, impl->strides, 0);
}

}  // namespace

Tensor make_over(const char* op, const Tensor& dying, const Shape& shape, DType dtype) {
  const TensorImpl* impl = dying.impl();
  const bool fits = impl->contiguous && may_write_over(impl, shape, dtype);
  return fits ? take_over(op, dying) : make_empty(op, shape, dtype);
}

Tensor make_like(const char* op, const Tensor& like, DType dtype, const Tensor* dying) {
  const TensorImpl* impl = like.impl();
  if (impl->contiguous || !is_dense(impl->shape, impl->strides)) {
    return dying != nullptr ? make_over(op, *dying, impl->shape, dtype)
                            : make_empty(op, impl->shape, dtype);
  }
  const bool fits = dying != nullptr && dying->impl()->strides == impl->strides &&
                    may_write_over(dying->impl(), impl->shape, dtype);
  return fits ? take_over(op, *dying) : make_strided(op, impl->shape, impl->strides, dtype);
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

Tensor make_part(const Tensor& x, int dim, int64_t start, int64_t size) {
  const TensorImpl* from = x.impl();
  Shape shape = from->shape;
  shape[dim] = size;
  // Past the end there is nothing to show.
  const int64_t skip = size > 0 ? start * from->strides[dim] : 0;
  return make_view(x, shape, from->strides, from->offset + skip);
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

Tensor& Tensor::operator=(const Tensor& other) & noexcept {
  Tensor copy(other);
  std::swap(impl_, copy.impl_);
  return *this;
}

Tensor& Tensor::operator=(Tensor&& other) & noexcept {
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
bool Tensor::is_contiguous(MemoryFormat format) const {
  const TensorImpl* impl = get(impl_);
  if (format == MemoryFormat::contiguous) return impl->contiguous;
  if (impl->shape.rank() != (format == MemoryFormat::channels_last ? 4 : 5)) return false;
  const Strides wanted = strides_of(format, impl->shape);
  bool same = true;
  for (int d = 0; d < wanted.rank(); ++d) {
    same = same && (impl->shape[d] == 1 || impl->strides[d] == wanted[d]);
  }
  return same || impl->numel == 0;
}
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

size_t Tensor::packed_size() const {
  check<ShapeError>(get(impl_)->contiguous, "span: a tensor of shape ", impl_->shape,
                    " with strides ", impl_->strides,
                    "; expected row-major elements without gaps; use contiguous()");
  return static_cast<size_t>(impl_->numel);
}

Tensor::Iterator Tensor::begin() const { return {*this, 0}; }
Tensor::Iterator Tensor::end() const {
  check<ShapeError>(dim() > 0, "iteration: a 0-dimensional tensor; expected one dimension or more");
  return {*this, shape()[0]};
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

}  // namespace adjoint
