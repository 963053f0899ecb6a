// What a Tensor handle points to.
#pragma once

#include <adjoint/core/tensor.h>

#include <atomic>

#include "core/tensor/storage.h"

namespace adjoint {

class Node;

struct TensorImpl {
  std::atomic<int32_t> references{1};
  DType dtype;
  bool contiguous;    // derived from shape and strides
  bool view = false;  // made by an operator as a view; counted in its storage
  // A view that was not recorded, of a tensor with history: a write would change that tensor's
  // elements and not its gradient.
  bool hides_history = false;
  int32_t output = 0;  // which output of `node` this is
  Storage* storage;    // owned
  int64_t offset = 0;  // of element (0, ..., 0), in elements
  int64_t numel;
  Node* node = nullptr;  // owned; what made it, or its Leaf; nullptr without gradient
  Shape shape;
  Strides strides;

  static void* operator new(size_t bytes) { return allocate(bytes); }
  static void operator delete(void* memory, size_t bytes) noexcept { deallocate(memory, bytes); }

  char* bytes() const {
    return static_cast<char*>(storage->data) + offset * static_cast<int64_t>(element_size(dtype));
  }
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(bytes());
  }
  // Nobody else can see the elements.
  bool unique() const {
    return references.load(std::memory_order_acquire) == 1 && storage->unique();
  }
};

// The number of elements. Throws ShapeError naming op for a negative size, 2^58 elements or more,
// or sizes whose row-major strides do not fit in 63 bits.
int64_t checked_numel(const char* op, const Shape& shape);

// ConfigError unless elements of the dtype can hold the value, as PyTorch has it: floating ones
// infinities and NaN, u8 also negative numbers, which wrap around, bool any.
void check_holds(const char* op, Scalar value, DType dtype);

// A tensor of fresh, uninitialised elements. Checks the sizes; errors name op.
Tensor make_empty(const char* op, const Shape& shape, DType dtype);

// The same with strides that leave no gaps.
Tensor make_strided(const char* op, const Shape& shape, const Strides& strides, DType dtype);

// Note [Donation]
// A result of `shape` and `dtype` in the place of `dying`, an input whose last handle is dropped
// when the operator ends: where nobody else sees its elements, and they are as many and of the same
// dtype, the result shares its storage, which counts as changed by op; otherwise it is a fresh
// tensor. REQUIRES: the operator writes element i only when it has read every input's element i,
// and neither reads nor saves dying afterwards. Its history, which the graph goes on from, stays.
Tensor make_over(const char* op, const Tensor& dying, const Shape& shape, DType dtype);

// The result of an elementwise operator: of like's shape, and with its strides where these leave no
// gaps, row-major otherwise. In the place of `dying`, if one is given and lies the same way.
Tensor make_like(const char* op, const Tensor& like, DType dtype, const Tensor* dying = nullptr);

// A tensor of x's elements with another layout and without history. REQUIRES: it stays inside x's
// storage, and checked_numel took the shape where that is not smaller than x's.
Tensor make_view(const Tensor& x, const Shape& shape, const Strides& strides, int64_t offset);

// Elements [start, start + size) along dim of x, without history.
Tensor make_part(const Tensor& x, int dim, int64_t start, int64_t size);

bool is_contiguous(const Shape& shape, const Strides& strides);
// Whether the elements, in some order, fill memory without gaps and without being shown twice.
bool is_dense(const Shape& shape, const Strides& strides);
// The strides of a format. REQUIRES: the number of dimensions is the format's.
Strides strides_of(MemoryFormat format, const Shape& shape);
// The dimensions from the largest stride to the smallest, as they are where strides are equal.
void order_of_strides(const Strides& strides, int* order);

// The strides with which `shape` would show the elements of (from, strides) in the same order, if
// no copy is needed; false otherwise.
bool view_strides(const Shape& from, const Strides& strides, const Shape& shape, Strides& result);

}  // namespace adjoint
