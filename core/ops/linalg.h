// What operators on matrices share: the last two dimensions are a matrix, all before them a batch.
#pragma once

#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/parallel.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "core/autograd/op.h"
#include "core/ops/loops.h"

namespace adjoint::linalg {

// The transposed matrices, recorded.
inline Tensor mt(const Tensor& x) { return transpose(x, -2, -1); }

int64_t rows(const Tensor& x);
int64_t columns(const Tensor& x);
Shape batch_shape(const Tensor& x);
Shape with_matrix(Shape batch, int64_t rows, int64_t columns);

// Throws for bool: products are of numbers, of which whole ones wrap around.
void check_numbers(const Op& op, DType dtype);

// The dtype of a product of these tensors, some of which may be undefined: that of all of them, or
// what those of f32, bf16 and f16 promote to, which mix. DTypeError for any other two, and for
// bool.
DType product_dtype(const Op& op, std::initializer_list<const Tensor*> operands);

// Throw unless x has two dimensions or more; and is square; and is of f32 or f64.
void check_matrix(const Op& op, const Tensor& x);
void check_square(const Op& op, const Tensor& x);
void check_factorised(const Op& op, const Tensor& x);

// x in fresh memory, row-major, without history.
Tensor fresh(const Tensor& x);

// The text that names item `item` of the batch of x in an error: empty for one matrix.
std::string batch_item(const Tensor& x, int64_t item);

// Calls f(item, pointers to the item's part of each tensor) for every matrix, on several threads
// where there are several. `work`: multiplications for one. REQUIRES: the tensors are row-major
// with `items` equal parts each.
template <class F>
void each_item(int64_t items, int64_t work, const F& f) {
  if (items == 1) {
    const KernelScope scope;  // denormals are flushed, as they are in tasks
    f(int64_t{0});
    return;
  }
  constexpr int64_t kWorthTask = 1 << 16;
  const int64_t group = std::max<int64_t>(1, kWorthTask / std::max<int64_t>(1, work));
  parallel_for((items + group - 1) / group, [&](int64_t task) {
    for (int64_t i = task * group; i < std::min(items, (task + 1) * group); ++i) f(i);
  });
}

// Calls f(TypeTag<float>) or f(TypeTag<double>).
template <class F>
void for_dtype(DType dtype, const F& f) {
  if (dtype == DType::f32) {
    f(TypeTag<float>{});
  } else {
    f(TypeTag<double>{});
  }
}

// The first element of item `item` of `items` equal parts.
template <class T>
T* item_of(const Tensor& x, int64_t items, int64_t item) {
  return x.impl()->data<T>() + (items == 0 ? 0 : x.numel() / items * item);
}

// LU factors with partial pivoting: L U, and the rows that were exchanged (..., n), i64.
struct Lu {
  Tensor factors, pivots;
  int64_t singular_item = -1, singular_pivot = -1;  // the first pivot that is 0, or -1
};
Lu lu_of(const Op& op, const Tensor& a);
// X with A X = B, or A^T X = B, in the place of b, which is row-major and fresh.
void lu_solve(const Tensor& factors, const Tensor& pivots, const Tensor& b, bool transposed);
// A^-1, in fresh memory.
Tensor lu_inverse(const Tensor& factors, const Tensor& pivots);

}  // namespace adjoint::linalg
