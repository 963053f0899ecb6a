// What the elementwise operators share: numbers as operands, casts, the operator of one tensor.
#pragma once

#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>

#include <algorithm>

#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint {

// A number in memory, as a kernel reads it.
struct TypedScalar {
  alignas(8) char bytes[8];
  TypedScalar(Scalar value, DType dtype) {
    dispatch(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      T typed;
      if constexpr (is_floating_point(dtype_of<T>)) {
        typed = static_cast<T>(value.real());
      } else if constexpr (std::is_same_v<T, bool>) {
        typed = value.real() != 0;
      } else {
        typed = static_cast<T>(value.integer());
      }
      std::copy_n(reinterpret_cast<const char*>(&typed), sizeof(T), bytes);
    });
  }
};

// Adds an operand that is one number to a loop.
template <int N>
kernels::Loop<N + 1> with_scalar(const kernels::Loop<N>& loop, const TypedScalar& value, int at) {
  kernels::Loop<N + 1> result;
  result.rank = loop.rank;
  for (double& parameter : result.parameter) parameter = 0;
  for (int d = 0; d < loop.rank; ++d) result.size[d] = loop.size[d];
  for (int i = 0, from = 0; i <= N; ++i) {
    const bool number = i == at;
    result.data[i] = number ? const_cast<char*>(value.bytes) : loop.data[from];
    for (int d = 0; d < loop.rank; ++d) result.stride[i][d] = number ? 0 : loop.stride[from][d];
    if (!number) ++from;
  }
  return result;
}

// The loop over y and x, of y's shape, with a number as operand `at`, of the type that x is
// computed in: 0.1 is not rounded to bf16 before it multiplies.
inline kernels::Loop<3> loop_with_scalar(const Tensor& y, const Tensor& x, const TypedScalar& value,
                                         int at) {
  kernels::Loop<3> loop;  // the one thing returned: a copy would cost as much as the kernel
  if (!x.impl()->contiguous) {
    loop = with_scalar(make_loop<2>(y.shape(), {&y, &x}), value, at);
    loop.number = at;
    return loop;
  }
  loop.rank = 1;
  loop.size[0] = x.impl()->numel;
  for (double& parameter : loop.parameter) parameter = 0;
  loop.number = at;
  loop.data[0] = y.impl()->bytes();
  loop.data[at] = const_cast<char*>(value.bytes);
  loop.data[3 - at] = x.impl()->bytes();
  loop.stride[0][0] = loop.stride[3 - at][0] = 1;
  loop.stride[at][0] = 0;
  return loop;
}

// The first operand that nothing broadcasts, whose order in memory the result keeps; or nullptr.
inline const Tensor* whole_operand(const Shape& shape, std::initializer_list<const Tensor*> of) {
  const auto* const found =
      std::find_if(of.begin(), of.end(), [&shape](const Tensor* x) { return x->shape() == shape; });
  return found == of.end() ? nullptr : *found;
}
inline Tensor make_pointwise(const char* op, const Shape& shape,
                             std::initializer_list<const Tensor*> operands, DType dtype) {
  const Tensor* like = whole_operand(shape, operands);
  return like != nullptr ? make_like(op, *like, dtype) : make_empty(op, shape, dtype);
}

// x in another dtype, or x itself: a reference, for copying a handle costs two locked instructions.
class Cast {
 public:
  Cast(const Tensor& x, DType dtype)
      : converted_(x.dtype() == dtype ? Tensor() : to(x, dtype)),
        tensor_(converted_.defined() ? converted_ : x) {}
  const Tensor& operator*() const { return tensor_; }

 private:
  const Tensor converted_;
  const Tensor& tensor_;
};

// f of each pair of whole numbers or bools, of i64, in what whole ones promote to; without history.
inline Tensor map_integers(const Op& op, const Tensor& a, const Tensor& b, const Shape& shape,
                           int64_t (*f)(int64_t, int64_t)) {
  const DType promoted = promote(a, b);
  const Cast a0(a, DType::i64), b0(b, DType::i64);
  Tensor y = make_pointwise(op.name(), shape, {&a, &b}, DType::i64);
  kernel_table().elementwise.map_integers(KernelScope(), make_loop<3>(shape, {&y, &*a0, &*b0}), f);
  return is_integer(promoted) ? rounded(y, promoted) : y;
}

// DTypeError for the difference of bools, which is not what anybody means by it.
inline void check_no_bools(const char* op, DType a, DType b) {
  check<DTypeError>(a != DType::boolean && b != DType::boolean, op, ": operands of ", a, " and ", b,
                    "; expected numbers; logical_not(x) inverts a mask, logical_xor(a, b) tells "
                    "where two differ");
}

// x in what its dtype is computed in, for formulas of several steps that round once at their end.
inline Tensor widened(const Tensor& x) { return x.defined() ? to(x, computed_in(x.dtype())) : x; }

// Integers and bools become f32 where a function has only real values.
inline Tensor as_floating(const Tensor& x) {
  return is_floating_point(x.dtype()) ? x : to(x, DType::f32);
}

}  // namespace adjoint
