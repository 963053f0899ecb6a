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
#include <optional>

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

// x becomes f(x), f being the operator without the underscore, whose result is of x's shape and of
// a dtype that x's can hold.
void neg_(const Tensor& x);
void abs_(const Tensor& x);
void exp_(const Tensor& x);
void log_(const Tensor& x);
void sqrt_(const Tensor& x);
void rsqrt_(const Tensor& x);
void square_(const Tensor& x);
void reciprocal_(const Tensor& x);
void sin_(const Tensor& x);
void cos_(const Tensor& x);
void tanh_(const Tensor& x);
void sigmoid_(const Tensor& x);
void relu_(const Tensor& x);
void leaky_relu_(const Tensor& x, double negative_slope = 0.01);
void elu_(const Tensor& x, double alpha = 1.0);
void erf_(const Tensor& x);
void floor_(const Tensor& x);
void ceil_(const Tensor& x);
void round_(const Tensor& x, int64_t decimals = 0);
void trunc_(const Tensor& x);
void logical_not_(const Tensor& x);
void pow_(const Tensor& x, const Tensor& exponent);
void pow_(const Tensor& x, Scalar exponent);
void remainder_(const Tensor& x, const Tensor& y);
void remainder_(const Tensor& x, Scalar y);
void clamp_(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt);
void clamp_(const Tensor& x, const Tensor& min, const Tensor& max = {});
void clamp_min_(const Tensor& x, Scalar min);
void clamp_max_(const Tensor& x, Scalar max);
void lerp_(const Tensor& x, const Tensor& end, const Tensor& weight);
void lerp_(const Tensor& x, const Tensor& end, double weight);
void addcmul_(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1.0);
void addcdiv_(const Tensor& x, const Tensor& a, const Tensor& b, double value = 1.0);
void bitwise_and_(const Tensor& x, const Tensor& y);
void bitwise_or_(const Tensor& x, const Tensor& y);
void bitwise_xor_(const Tensor& x, const Tensor& y);
void tril_(const Tensor& x, int64_t diagonal = 0);
void triu_(const Tensor& x, int64_t diagonal = 0);

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
void scatter_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                     ScatterReduce reduce, bool include_self = true);
void index_reduce_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                   ScatterReduce reduce, bool include_self = true);
void masked_fill_(const Tensor& x, const Tensor& mask, Scalar value);
void masked_fill_(const Tensor& x, const Tensor& mask, const Tensor& value);
void masked_scatter_(const Tensor& x, const Tensor& mask, const Tensor& source);

// Fills. What x was has no influence any more: its gradient is zero.
void uniform_(const Tensor& x, double low = 0, double high = 1,
              Generator& generator = default_generator());
void normal_(const Tensor& x, double mean = 0, double std = 1,
             Generator& generator = default_generator());
void exponential_(const Tensor& x, double lambd = 1, Generator& generator = default_generator());
// 1 with probability p, else 0; of any dtype.
void bernoulli_(const Tensor& x, double p = 0.5, Generator& generator = default_generator());
// Whole numbers in [from, to), which x's dtype holds; from 0 to the largest up to which it holds
// all. Of any dtype.
void random_(const Tensor& x, int64_t from, int64_t to, Generator& generator = default_generator());
void random_(const Tensor& x, Generator& generator = default_generator());

}  // namespace adjoint
