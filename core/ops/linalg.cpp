#include "core/ops/linalg.h"

#include <sstream>

#include "core/ops/factorize.h"

namespace adjoint::linalg {

int64_t rows(const Tensor& x) { return x.shape()[x.dim() - 2]; }
int64_t columns(const Tensor& x) { return x.shape()[x.dim() - 1]; }

Shape batch_shape(const Tensor& x) {
  return Shape(x.shape().span().first(static_cast<size_t>(x.dim() - 2)));
}

Shape with_matrix(Shape batch, int64_t rows, int64_t columns) {
  batch.push_back(rows);
  batch.push_back(columns);
  return batch;
}

void check_numbers(const Op& op, DType dtype) {
  op.check<DTypeError>(dtype != DType::boolean, "operands of dtype ", dtype,
                       "; expected numbers; cast with to()");
}

DType product_dtype(const Op& op, std::initializer_list<const Tensor*> operands) {
  const auto mixes = [](DType dtype) { return dtype == DType::f32 || is_half(dtype); };
  DType dtype = (*operands.begin())->dtype();
  for (const Tensor* x : operands) {
    if (!x->defined() || x->dtype() == dtype) continue;
    op.check<DTypeError>(mixes(x->dtype()) && mixes(dtype), "operands of ", dtype, " and ",
                         x->dtype(),
                         "; expected one dtype, or f32, bf16 and f16; convert with to()");
    dtype = promote(dtype, x->dtype());
  }
  check_numbers(op, dtype);
  return dtype;
}

void check_matrix(const Op& op, const Tensor& x) {
  op.check(x.dim() >= 2, "a tensor of shape ", x.shape(), "; expected two dimensions or more");
}

void check_square(const Op& op, const Tensor& x) {
  check_matrix(op, x);
  op.check(rows(x) == columns(x), "matrices of shape ", x.shape(),
           "; expected square ones, (..., n, n)");
}

void check_factorised(const Op& op, const Tensor& x) {
  op.check<DTypeError>(x.dtype() == DType::f32 || x.dtype() == DType::f64, "a tensor of dtype ",
                       x.dtype(), "; expected f32 or f64; cast with to()");
}

Tensor fresh(const Tensor& x) {
  Tensor y = make_empty("clone", x.shape(), x.dtype());
  kernel_table().elementwise.copy[index(x.dtype())][index(x.dtype())](
      KernelScope(), make_loop<2>(x.shape(), {&y, &x}));
  return y;
}

std::string batch_item(const Tensor& x, int64_t item) {
  if (x.dim() == 2) return "";
  std::ostringstream text;
  text << "batch item " << unravel_index(item, batch_shape(x)) << ": ";
  return text.str();
}

Lu lu_of(const Op& op, const Tensor& a) {
  Lu lu;
  const int64_t n = rows(a);
  Shape shape = batch_shape(a);
  const int64_t items = shape.numel();
  shape.push_back(n);
  lu.factors = fresh(a);
  lu.pivots = make_empty(op.name(), shape, DType::i64);
  for_dtype(a.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, n * n * n, [&](int64_t item) {
      factorize::lu(n, item_of<T>(lu.factors, items, item), n,
                    item_of<int64_t>(lu.pivots, items, item));
    });
    for (int64_t item = 0; item < items && lu.singular_item < 0; ++item) {
      const T* u = item_of<T>(lu.factors, items, item);
      for (int64_t i = 0; i < n && lu.singular_item < 0; ++i) {
        if (u[i * (n + 1)] == 0) {
          lu.singular_item = item;
          lu.singular_pivot = i;
        }
      }
    }
  });
  return lu;
}

void lu_solve(const Tensor& factors, const Tensor& pivots, const Tensor& b, bool transposed) {
  const int64_t n = rows(factors), m = columns(b), items = batch_shape(b).numel();
  for_dtype(factors.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, n * n * m, [&](int64_t item) {
      const T* lu = item_of<T>(factors, items, item);
      const int64_t* exchanged = item_of<int64_t>(pivots, items, item);
      T* const x = item_of<T>(b, items, item);
      if (transposed) {  // A^T = U^T L^T P
        factorize::solve_triangle<T>(n, m, {lu, 1, n}, false, false, x, m);
        factorize::solve_triangle<T>(n, m, {lu, 1, n}, true, true, x, m);
        factorize::exchange_rows(n, m, x, m, exchanged, true);
      } else {
        factorize::exchange_rows(n, m, x, m, exchanged);
        factorize::solve_triangle<T>(n, m, {lu, n, 1}, false, true, x, m);
        factorize::solve_triangle<T>(n, m, {lu, n, 1}, true, false, x, m);
      }
    });
  });
}

Tensor lu_inverse(const Tensor& factors, const Tensor& pivots) {
  Tensor y = make_empty("inverse", factors.shape(), factors.dtype());
  const int64_t n = rows(factors), items = batch_shape(factors).numel();
  for_dtype(factors.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    each_item(items, 2 * n * n * n, [&](int64_t item) {
      factorize::inverse(n, item_of<T>(factors, items, item), item_of<int64_t>(pivots, items, item),
                         item_of<T>(y, items, item));
    });
  });
  return y;
}

}  // namespace adjoint::linalg
