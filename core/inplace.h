// Functions that write into a tensor. Their names end in `_`.
//
// The version of the elements changes, so a graph that saved them notices. With grad mode on and
// history in x or in a source they record themselves; they throw AutogradError, naming the
// functional form, when x is a leaf that requires grad, a view, or has views that are alive; also,
// recorded or not, when x is a view that was made under NoGrad of a tensor with history.
#pragma once

#include <adjoint/core/indexing.h>
#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <initializer_list>

namespace adjoint {

// x op= y; y broadcasts to x's shape and is cast to x's dtype.
void add_(const Tensor& x, const Tensor& y);
void sub_(const Tensor& x, const Tensor& y);
void mul_(const Tensor& x, const Tensor& y);
void div_(const Tensor& x, const Tensor& y);
void add_(const Tensor& x, Scalar y);
void sub_(const Tensor& x, Scalar y);
void mul_(const Tensor& x, Scalar y);
void div_(const Tensor& x, Scalar y);
void copy_(const Tensor& x, const Tensor& source);  // broadcasts and casts
void fill_(const Tensor& x, Scalar value);
void zero_(const Tensor& x);

// Chosen elements: see the functional forms in <adjoint/core/indexing.h>. Values are of x's dtype.
void index_put_(const Tensor& x, Indices indices, const Tensor& values, bool accumulate = false);
void index_put_(const Tensor& x, Indices indices, Scalar value, bool accumulate = false);
inline void index_put_(const Tensor& x, std::initializer_list<Index> indices, const Tensor& values,
                       bool accumulate = false) {
  index_put_(x, Indices(indices.begin(), indices.size()), values, accumulate);
}
inline void index_put_(const Tensor& x, std::initializer_list<Index> indices, Scalar value,
                       bool accumulate = false) {
  index_put_(x, Indices(indices.begin(), indices.size()), value, accumulate);
}
void index_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                Scalar alpha = 1);
void index_copy_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source);
void index_fill_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
void index_fill_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value);
void scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
void scatter_(const Tensor& x, int64_t dim, const Tensor& index, Scalar value);
void scatter_add_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
void masked_fill_(const Tensor& x, const Tensor& mask, Scalar value);
void masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value);
void masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source);

// Fills. What x was has no influence any more: its gradient is zero.
void uniform_(const Tensor& x, double low = 0, double high = 1,
              Generator& generator = default_generator());
void normal_(const Tensor& x, double mean = 0, double std = 1,
             Generator& generator = default_generator());

}  // namespace adjoint
