// Tensors of given numbers, and of numbers that follow a rule.
#include <adjoint/core/error.h>
#include <adjoint/core/factories.h>

#include <algorithm>
#include <cmath>

#include "core/autograd/gradient_ops.h"
#include "core/tensor/tensor_impl.h"

namespace adjoint {

Tensor empty(const Shape& shape, DType dtype) { return make_empty("empty", shape, dtype); }

namespace {

Tensor filled(Tensor x, Scalar value) {
  gradient_ops::fill(x, value);
  return x;
}

}  // namespace

Tensor full(const Shape& shape, Scalar value, DType dtype) {
  check_holds("full", value, dtype);
  return filled(make_empty("full", shape, dtype), value);
}
Tensor zeros(const Shape& shape, DType dtype) {
  return filled(make_empty("zeros", shape, dtype), 0);
}
Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }
Tensor empty_like(const Tensor& x, std::optional<DType> dtype) {
  return make_like("empty_like", x, dtype.value_or(x.dtype()));
}
Tensor full_like(const Tensor& x, Scalar value, std::optional<DType> dtype) {
  const Tensor y = empty_like(x, dtype);
  check_holds("full_like", value, y.dtype());
  return filled(y, value);
}
Tensor zeros_like(const Tensor& x, std::optional<DType> dtype) { return full_like(x, 0, dtype); }
Tensor ones_like(const Tensor& x, std::optional<DType> dtype) { return full_like(x, 1, dtype); }
Tensor scalar(Scalar value, DType dtype) {
  check_holds("scalar", value, dtype);
  return filled(make_empty("scalar", {}, dtype), value);
}

// --- rules ---

namespace {

// Elements [at, at + n) of x, each converted once.
template <class V>
void store_block(const Tensor& x, int64_t at, int64_t n, const V* values) {
  dispatch(x.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = x.impl()->data<T>() + at;
    for (int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(values[i]);
  });
}

// x[i] = value(i), a double or an int64_t.
template <class F>
Tensor sequence(const char* op, int64_t count, DType dtype, F value) {
  Tensor x = make_empty(op, {count}, dtype);
  constexpr int64_t kBlock = 256;
  decltype(value(0)) block[kBlock];
  for (int64_t at = 0; at < count; at += kBlock) {
    const int64_t n = std::min(kBlock, count - at);
    for (int64_t i = 0; i < n; ++i) block[i] = value(at + i);
    store_block(x, at, n, block);
  }
  return x;
}

bool is_whole(Scalar x) { return x.kind() != DType::f32; }

// In whole numbers, which wrap around where the dtype ends.
Tensor whole_range(int64_t start, int64_t end, int64_t step, DType dtype) {
  __extension__ using Wide = __int128;
  const Wide span = step > 0 ? Wide{end} - start : Wide{start} - end;
  const Wide size = step > 0 ? Wide{step} : -Wide{step};
  const Wide count = (span + size - 1) / size;
  check<ShapeError>(count < (Wide{1} << 58), "arange: too many numbers from ", start, " to ", end,
                    " by ", step, "; expected fewer than 2^58");
  return sequence("arange", static_cast<int64_t>(count), dtype, [=](int64_t i) {
    return static_cast<int64_t>(static_cast<uint64_t>(start) +
                                static_cast<uint64_t>(i) * static_cast<uint64_t>(step));
  });
}

void check_steps(const char* op, double start, double end, int64_t steps, DType dtype) {
  check<ConfigError>(std::isfinite(start) && std::isfinite(end), op, ": from ", start, " to ", end,
                     "; expected finite numbers");
  check<ConfigError>(steps >= 0, op, ": steps is ", steps, "; expected 0 or more");
  check<DTypeError>(dtype != DType::boolean, op, ": dtype bool; expected numbers");
}

// From both ends to the middle, so that both are exact.
double at_step(double start, double end, int64_t steps, int64_t i) {
  if (steps == 1) return start;
  const double step = (end - start) / static_cast<double>(steps - 1);
  return i < steps / 2 ? start + step * static_cast<double>(i)
                       : end - step * static_cast<double>(steps - 1 - i);
}

}  // namespace

Tensor arange(Scalar start, Scalar end, Scalar step, std::optional<DType> dtype) {
  const bool whole = is_whole(start) && is_whole(end) && is_whole(step);
  const DType type = dtype.value_or(whole ? DType::i64 : DType::f32);
  check<DTypeError>(type != DType::boolean, "arange: dtype bool; expected numbers");
  const double from = start.real(), to = end.real(), by = step.real();
  check<ConfigError>(std::isfinite(from) && std::isfinite(to), "arange: from ", from, " to ", to,
                     "; expected finite numbers");
  check<ConfigError>(std::isfinite(by) && by != 0 && (!is_integer(type) || step.integer() != 0),
                     "arange: step is ", by, "; expected a number that is not 0");
  check<ConfigError>(by > 0 ? from <= to : from >= to, "arange: step ", by, " leads from ", from,
                     " away from ", to, "; expected the sign of their difference");
  if (whole || is_integer(type)) {
    return whole_range(start.integer(), end.integer(), step.integer(), type);
  }
  const double count = std::ceil((to - from) / by);
  check<ShapeError>(count < 0x1p58, "arange: too many numbers from ", from, " to ", to, " by ", by,
                    "; expected fewer than 2^58");
  return sequence("arange", static_cast<int64_t>(count), type,
                  [=](int64_t i) { return from + by * static_cast<double>(i); });
}

Tensor arange(Scalar end, std::optional<DType> dtype) { return arange(0, end, 1, dtype); }

Tensor linspace(double start, double end, int64_t steps, DType dtype) {
  check_steps("linspace", start, end, steps, dtype);
  return sequence("linspace", steps, dtype,
                  [=](int64_t i) { return at_step(start, end, steps, i); });
}

Tensor logspace(double start, double end, int64_t steps, double base, DType dtype) {
  check_steps("logspace", start, end, steps, dtype);
  return sequence("logspace", steps, dtype,
                  [=](int64_t i) { return std::pow(base, at_step(start, end, steps, i)); });
}

Tensor eye(int64_t n, int64_t m, DType dtype) {
  Tensor x = make_empty("eye", {n, m}, dtype);
  gradient_ops::fill(x, 0);
  const int64_t count = std::min(n, m);
  gradient_ops::fill(make_view(x, {count}, {m + 1}, 0), 1);
  return x;
}
Tensor eye(int64_t n, DType dtype) { return eye(n, n, dtype); }

// --- given numbers ---

Tensor from_blob(void* data, const Shape& shape, DType dtype, std::shared_ptr<void> owner) {
  const int64_t numel = checked_numel("from_blob", shape);
  if (numel == 0) return make_empty("from_blob", shape, dtype);
  check<Error>(data != nullptr, "from_blob: no memory for shape ", shape, "; expected ", numel,
               " elements");
  auto* impl = new TensorImpl;
  impl->dtype = dtype;
  impl->contiguous = true;
  impl->storage =
      Storage::adopt(data, static_cast<size_t>(numel) * element_size(dtype), std::move(owner));
  impl->numel = numel;
  impl->shape = shape;
  impl->strides = contiguous_strides(shape);
  return Tensor(impl);
}

template <class T>
Tensor from_span(std::span<const T> values, const Shape& shape) {
  Tensor x = make_empty("from_span", shape, dtype_of<T>);
  check<ShapeError>(x.numel() == static_cast<int64_t>(values.size()), "from_span: ", values.size(),
                    " values for shape ", shape, "; expected ", x.numel());
  std::copy(values.begin(), values.end(), x.impl()->template data<T>());
  return x;
}

template <class T>
Tensor from_vector(std::vector<T>&& values, const Shape& shape) {
  constexpr size_t kFew = 4096;  // bytes; a copy costs less than another block's bookkeeping
  const bool few = values.size() * sizeof(T) <= kFew;
  if (few || checked_numel("from_vector", shape) != static_cast<int64_t>(values.size())) {
    return from_span(std::span<const T>(values), shape);
  }
  auto owner = std::make_shared<std::vector<T>>(std::move(values));
  T* data = owner->data();
  return from_blob(data, shape, dtype_of<T>, std::move(owner));
}

namespace {

// Writes the numbers of a list to `to`, each inner list being of shape[depth], ...
template <class T>
void flatten_list(const NestedList<T>& list, const Shape& shape, int depth, T*& to) {
  if (depth == shape.rank()) {
    check<ShapeError>(!list.is_list(), "tensor: a list beside a number at depth ", depth,
                      "; expected lists of one depth");
    *to++ = list.value();
    return;
  }
  check<ShapeError>(list.is_list(), "tensor: a number beside a list at depth ", depth,
                    "; expected lists of one depth");
  check<ShapeError>(static_cast<int64_t>(list.items().size()) == shape[depth], "tensor: a list of ",
                    list.items().size(), " at depth ", depth, " beside one of ", shape[depth],
                    "; expected lists of one length");
  for (const NestedList<T>& item : list.items()) flatten_list(item, shape, depth + 1, to);
}

}  // namespace

template <class T>
Tensor tensor(const NestedList<T>& values) {
  Shape shape;
  for (const NestedList<T>* at = &values; at->is_list(); at = at->items().data()) {
    shape.push_back(static_cast<int64_t>(at->items().size()));
    if (at->items().empty()) break;
  }
  Tensor x = make_empty("tensor", shape, dtype_of<T>);
  T* to = x.impl()->template data<T>();
  flatten_list(values, shape, 0, to);
  return x;
}

template Tensor from_span(std::span<const bool>, const Shape&);
template Tensor tensor(const NestedList<bool>&);
#define ADJOINT_FACTORIES(T)                                   \
  template Tensor from_span(std::span<const T>, const Shape&); \
  template Tensor from_vector(std::vector<T>&&, const Shape&); \
  template Tensor tensor(const NestedList<T>&);
ADJOINT_FACTORIES(float)
ADJOINT_FACTORIES(double)
ADJOINT_FACTORIES(bfloat16)
ADJOINT_FACTORIES(float16)
ADJOINT_FACTORIES(int32_t)
ADJOINT_FACTORIES(uint8_t)
ADJOINT_FACTORIES(int64_t)
#undef ADJOINT_FACTORIES

}  // namespace adjoint
