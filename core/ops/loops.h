// How operators reach kernels, and the loops that elementwise kernels take.
#pragma once

#include <array>
#include <initializer_list>

#include "core/kernels/dtypes.h"
#include "core/kernels/kernels.h"
#include "core/kernels/loop.h"
#include "core/tensor/tensor_impl.h"
#include "core/tensor/thread_pool.h"

namespace adjoint {

// The kernels of this machine: kernel_table().gemm.f32(KernelScope(), gemm).
inline const kernels::KernelTable& kernel_table() { return kernels::kernels(); }

// Whether all lie alike, without gaps, in another order than row-major.
template <size_t N>
bool same_dense_layout(const Shape& shape, const std::array<const Tensor*, N>& operands) {
  const TensorImpl* first = operands[0]->impl();
  if (first->contiguous) return false;
  for (const Tensor* x : operands) {
    if (x->impl()->shape != shape || x->impl()->strides != first->strides) return false;
  }
  return is_dense(shape, first->strides);
}

// The loop over `shape` with the operands broadcast to it, operand 0 being the output; neighbouring
// dimensions that lie evenly in memory for all operands are merged. REQUIRES: the operands
// broadcast to shape.
template <size_t N>
kernels::Loop<static_cast<int>(N)> make_loop(const Shape& shape,
                                             const std::array<const Tensor*, N>& operands) {
  kernels::Loop<static_cast<int>(N)> loop;
  loop.rank = 0;
  for (double& parameter : loop.parameter) parameter = 0;
  for (size_t i = 0; i < N; ++i) loop.data[i] = operands[i]->impl()->bytes();
  bool contiguous = true;
  for (size_t i = 0; i < N; ++i) {
    contiguous =
        contiguous && operands[i]->impl()->contiguous && operands[i]->impl()->shape == shape;
  }
  if (contiguous) {  // by far the commonest case
    loop.rank = 1;
    loop.size[0] = shape.numel();
    for (size_t i = 0; i < N; ++i) loop.stride[i][0] = 1;
    return loop;
  }
  if (same_dense_layout<N>(shape, operands)) {
    loop.rank = 1;
    loop.size[0] = shape.numel();
    for (size_t i = 0; i < N; ++i) loop.stride[i][0] = 1;
    return loop;
  }
  // Along the output's memory, whichever dimension that is.
  int order[kMaxDims];
  order_of_strides(operands[0]->impl()->strides, order);
  for (int at = shape.rank() - 1; at >= 0; --at) {
    const int d = order[at];
    if (shape[d] == 1) continue;
    int64_t stride[N];
    for (size_t i = 0; i < N; ++i) {
      const TensorImpl* impl = operands[i]->impl();
      const int own = d - (shape.rank() - impl->shape.rank());
      stride[i] = own < 0 || impl->shape[own] == 1 ? 0 : impl->strides[own];
    }
    const int last = loop.rank - 1;
    bool merge = loop.rank > 0;
    for (size_t i = 0; merge && i < N; ++i) {
      merge = stride[i] == loop.stride[i][last] * loop.size[last];
    }
    if (merge) {
      loop.size[last] *= shape[d];
      continue;
    }
    loop.size[loop.rank] = shape[d];
    for (size_t i = 0; i < N; ++i) loop.stride[i][loop.rank] = stride[i];
    ++loop.rank;
  }
  if (loop.rank == 0) {  // one element
    loop.rank = 1;
    loop.size[0] = shape.numel();
    for (size_t i = 0; i < N; ++i) loop.stride[i][0] = 1;
  }
  return loop;
}

// Sorts the numbers of dimensions, stably; the standard library's would allocate.
template <class Before>
void sort_dims(int* order, int count, Before before) {
  for (int i = 1; i < count; ++i) {
    const int d = order[i];
    int at = i;
    for (; at > 0 && before(d, order[at - 1]); --at) order[at] = order[at - 1];
    order[at] = d;
  }
}

// Where a kernel's table has the entry of a dtype.
static_assert(static_cast<int>(DType::f32) == kernels::kF32 &&
              static_cast<int>(DType::f64) == kernels::kF64 &&
              static_cast<int>(DType::bf16) == kernels::kBf16 &&
              static_cast<int>(DType::f16) == kernels::kF16 &&
              static_cast<int>(DType::i64) == kernels::kI64 &&
              static_cast<int>(DType::i32) == kernels::kI32 &&
              static_cast<int>(DType::u8) == kernels::kU8 &&
              static_cast<int>(DType::boolean) == kernels::kBool && kDTypes == kernels::kPlaces);
inline int index(DType dtype) { return static_cast<int>(dtype); }

// Every element of `to` becomes that of `from`, which broadcasts and is cast; unrecorded and
// unmarked.
void write_elements(const Tensor& to, const Tensor& from);

// A copy in row-major order without gaps, recorded.
Tensor row_major(const Tensor& x);

// x in row-major order without gaps, without history: x itself where it lies so, a copy otherwise;
// undefined stays so.
Tensor packed(const Tensor& x);

// x in another dtype, without history; x itself where it is of it.
Tensor rounded(const Tensor& x, DType dtype);

// The 0-dimensional tensor of a number, of the given dtype.
Tensor scalar_tensor(Scalar value, DType dtype);

// The same for a number that elements of a tensor become: ConfigError where they do not hold it.
Tensor held_scalar(const char* op, Scalar value, DType dtype);

// The dtype of an operation on a tensor and a number.
DType promote_scalar(DType dtype, Scalar value);

// The dtype of an operation on tensors: torch.result_type. What those with dimensions promote to,
// unless one of 0 dimensions is of a higher kind (bool < whole < floating). REQUIRES: all defined.
DType promote(std::initializer_list<const Tensor*> operands);
inline DType promote(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() ? a.dtype() : promote({&a, &b});
}

}  // namespace adjoint
