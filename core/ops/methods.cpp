// Operators as methods of Tensor.
#include <adjoint/core/activations.h>
#include <adjoint/core/aliases.h>
#include <adjoint/core/error.h>
#include <adjoint/core/indexing.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/core/scans.h>
#include <adjoint/core/sorting.h>

namespace adjoint {

Tensor Tensor::clone() const { return adjoint::clone(*this); }
Tensor Tensor::contiguous(MemoryFormat format) const { return adjoint::contiguous(*this, format); }
Tensor Tensor::to(DType dtype) const { return adjoint::to(*this, dtype); }
Tensor Tensor::reshape(const Shape& shape) const { return adjoint::reshape(*this, shape); }
Tensor Tensor::view(const Shape& shape) const { return adjoint::view(*this, shape); }
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const {
  return adjoint::flatten(*this, start_dim, end_dim);
}
Tensor Tensor::unflatten(int64_t dim, const Shape& sizes) const {
  return adjoint::unflatten(*this, dim, sizes);
}
Tensor Tensor::transpose(int64_t a, int64_t b) const { return adjoint::transpose(*this, a, b); }
Tensor Tensor::t() const {
  check<ShapeError>(dim() <= 2, "t: a tensor of shape ", shape(),
                    "; expected at most two dimensions; use transpose()");
  return dim() < 2 ? *this : adjoint::transpose(*this, 0, 1);
}
Tensor Tensor::permute(const Shape& dims) const { return adjoint::permute(*this, dims); }
Tensor Tensor::movedim(const Shape& source, const Shape& destination) const {
  return adjoint::movedim(*this, source, destination);
}
Tensor Tensor::squeeze() const { return adjoint::squeeze(*this); }
Tensor Tensor::squeeze(const Shape& dims) const { return adjoint::squeeze(*this, dims); }
Tensor Tensor::unsqueeze(int64_t dim) const { return adjoint::unsqueeze(*this, dim); }
Tensor Tensor::expand(const Shape& shape) const { return adjoint::expand(*this, shape); }
Tensor Tensor::slice(int64_t dim, int64_t start, int64_t end, int64_t step) const {
  return adjoint::slice(*this, dim, start, end, step);
}
Tensor Tensor::narrow(int64_t dim, int64_t start, int64_t length) const {
  return adjoint::narrow(*this, dim, start, length);
}
Tensor Tensor::select(int64_t dim, int64_t index) const {
  return adjoint::select(*this, dim, index);
}
Tensor Tensor::diagonal(int64_t offset, int64_t dim1, int64_t dim2) const {
  return adjoint::diagonal(*this, offset, dim1, dim2);
}
Tensor Tensor::unfold(int64_t dim, int64_t size, int64_t step) const {
  return adjoint::unfold_dim(*this, dim, size, step);
}
std::vector<Tensor> Tensor::split(int64_t split_size, int64_t dim) const {
  return adjoint::split(*this, split_size, dim);
}
std::vector<Tensor> Tensor::chunk(int64_t chunks, int64_t dim) const {
  return adjoint::chunk(*this, chunks, dim);
}
std::vector<Tensor> Tensor::unbind(int64_t dim) const { return adjoint::unbind(*this, dim); }
Tensor Tensor::reshape_as(const Tensor& other) const { return adjoint::reshape_as(*this, other); }
Tensor Tensor::view_as(const Tensor& other) const { return adjoint::view_as(*this, other); }
Tensor Tensor::expand_as(const Tensor& other) const { return adjoint::expand_as(*this, other); }
Tensor Tensor::broadcast_to(const Shape& shape) const {
  return adjoint::broadcast_to(*this, shape);
}
Tensor Tensor::type_as(const Tensor& other) const { return adjoint::type_as(*this, other); }
Tensor Tensor::mT() const {
  check<ShapeError>(dim() >= 2, "mT: a tensor of shape ", shape(),
                    "; expected two dimensions or more");
  return adjoint::transpose(*this, -2, -1);
}
Tensor Tensor::operator[](int64_t index) const { return adjoint::select(*this, 0, index); }
Tensor Tensor::repeat(const Shape& sizes) const { return adjoint::repeat(*this, sizes); }
Tensor Tensor::flip(const Shape& dims) const { return adjoint::flip(*this, dims); }
Tensor Tensor::roll(const Shape& shifts, const Shape& dims) const {
  return adjoint::roll(*this, shifts, dims);
}
Tensor Tensor::tril(int64_t diagonal) const { return adjoint::tril(*this, diagonal); }
Tensor Tensor::triu(int64_t diagonal) const { return adjoint::triu(*this, diagonal); }

Tensor Tensor::index_select(int64_t dim, const Tensor& index) const {
  return adjoint::index_select(*this, dim, index);
}
Tensor Tensor::gather(int64_t dim, const Tensor& index) const {
  return adjoint::gather(*this, dim, index);
}
Tensor Tensor::scatter(int64_t dim, const Tensor& index, const Tensor& src) const {
  return adjoint::scatter(*this, dim, index, src);
}
Tensor Tensor::scatter(int64_t dim, const Tensor& index, Scalar value) const {
  return adjoint::scatter(*this, dim, index, value);
}
Tensor Tensor::scatter_add(int64_t dim, const Tensor& index, const Tensor& src) const {
  return adjoint::scatter_add(*this, dim, index, src);
}
Tensor Tensor::masked_fill(const Tensor& mask, Scalar value) const {
  return adjoint::masked_fill(*this, mask, value);
}
Tensor Tensor::masked_select(const Tensor& mask) const {
  return adjoint::masked_select(*this, mask);
}
Tensor Tensor::nonzero() const { return adjoint::nonzero(*this); }
Tensor Tensor::where(const Tensor& condition, const Tensor& other) const {
  return adjoint::where(condition, *this, other);
}
Tensor Tensor::where(const Tensor& condition, Scalar other) const {
  return adjoint::where(condition, *this, other);
}
ValuesAndIndices Tensor::sort(int64_t dim, bool descending) const {
  return adjoint::sort(*this, dim, descending);
}
Tensor Tensor::argsort(int64_t dim, bool descending) const {
  return adjoint::argsort(*this, dim, descending);
}
ValuesAndIndices Tensor::topk(int64_t k, int64_t dim, bool largest, bool sorted) const {
  return adjoint::topk(*this, k, dim, largest, sorted);
}

Tensor Tensor::sum() const { return adjoint::sum(*this); }
Tensor Tensor::sum(const Shape& dims, bool keepdim) const {
  return adjoint::sum(*this, dims, keepdim);
}
Tensor Tensor::mean() const { return adjoint::mean(*this); }
Tensor Tensor::mean(const Shape& dims, bool keepdim) const {
  return adjoint::mean(*this, dims, keepdim);
}
Tensor Tensor::prod() const { return adjoint::prod(*this); }
Tensor Tensor::prod(int64_t dim, bool keepdim) const { return adjoint::prod(*this, dim, keepdim); }
Tensor Tensor::var() const { return adjoint::var(*this); }
Tensor Tensor::var(const Shape& dims, double correction, bool keepdim) const {
  return adjoint::var(*this, dims, correction, keepdim);
}
Tensor Tensor::std() const { return adjoint::std(*this); }
Tensor Tensor::std(const Shape& dims, double correction, bool keepdim) const {
  return adjoint::std(*this, dims, correction, keepdim);
}
Tensor Tensor::norm(double p) const { return adjoint::norm(*this, p); }
Tensor Tensor::norm(double p, const Shape& dims, bool keepdim) const {
  return adjoint::norm(*this, p, dims, keepdim);
}
Tensor Tensor::logsumexp(const Shape& dims, bool keepdim) const {
  return adjoint::logsumexp(*this, dims, keepdim);
}
Tensor Tensor::cumsum(int64_t dim) const { return adjoint::cumsum(*this, dim); }
Tensor Tensor::cumprod(int64_t dim) const { return adjoint::cumprod(*this, dim); }
Tensor Tensor::amax(const Shape& dims, bool keepdim) const {
  return adjoint::amax(*this, dims, keepdim);
}
Tensor Tensor::amin(const Shape& dims, bool keepdim) const {
  return adjoint::amin(*this, dims, keepdim);
}
Tensor Tensor::max() const { return adjoint::max(*this); }
ValuesAndIndices Tensor::max(int64_t dim, bool keepdim) const {
  return adjoint::max(*this, dim, keepdim);
}
Tensor Tensor::min() const { return adjoint::min(*this); }
ValuesAndIndices Tensor::min(int64_t dim, bool keepdim) const {
  return adjoint::min(*this, dim, keepdim);
}
Tensor Tensor::argmax() const { return adjoint::argmax(*this); }
Tensor Tensor::argmax(int64_t dim, bool keepdim) const {
  return adjoint::argmax(*this, dim, keepdim);
}
Tensor Tensor::argmin() const { return adjoint::argmin(*this); }
Tensor Tensor::argmin(int64_t dim, bool keepdim) const {
  return adjoint::argmin(*this, dim, keepdim);
}
bool Tensor::any() const { return adjoint::any(*this); }
Tensor Tensor::any(const Shape& dims, bool keepdim) const {
  return adjoint::any(*this, dims, keepdim);
}
bool Tensor::all() const { return adjoint::all(*this); }
Tensor Tensor::all(const Shape& dims, bool keepdim) const {
  return adjoint::all(*this, dims, keepdim);
}

Tensor Tensor::neg() const { return adjoint::neg(*this); }
Tensor Tensor::abs() const { return adjoint::abs(*this); }
Tensor Tensor::sign() const { return adjoint::sign(*this); }
Tensor Tensor::exp() const { return adjoint::exp(*this); }
Tensor Tensor::log() const { return adjoint::log(*this); }
Tensor Tensor::log1p() const { return adjoint::log1p(*this); }
Tensor Tensor::sqrt() const { return adjoint::sqrt(*this); }
Tensor Tensor::rsqrt() const { return adjoint::rsqrt(*this); }
Tensor Tensor::square() const { return adjoint::square(*this); }
Tensor Tensor::reciprocal() const { return adjoint::reciprocal(*this); }
Tensor Tensor::sin() const { return adjoint::sin(*this); }
Tensor Tensor::cos() const { return adjoint::cos(*this); }
Tensor Tensor::tanh() const { return adjoint::tanh(*this); }
Tensor Tensor::sigmoid() const { return adjoint::sigmoid(*this); }
Tensor Tensor::relu() const { return adjoint::relu(*this); }
Tensor Tensor::erf() const { return adjoint::erf(*this); }
Tensor Tensor::floor() const { return adjoint::floor(*this); }
Tensor Tensor::ceil() const { return adjoint::ceil(*this); }
Tensor Tensor::round() const { return adjoint::round(*this); }
Tensor Tensor::isnan() const { return adjoint::isnan(*this); }
Tensor Tensor::isfinite() const { return adjoint::isfinite(*this); }
Tensor Tensor::logical_not() const { return adjoint::logical_not(*this); }
Tensor Tensor::clamp(std::optional<Scalar> min, std::optional<Scalar> max) const {
  return adjoint::clamp(*this, min, max);
}
Tensor Tensor::clamp_min(Scalar min) const { return adjoint::clamp_min(*this, min); }
Tensor Tensor::clamp_max(Scalar max) const { return adjoint::clamp_max(*this, max); }
Tensor Tensor::softmax(int64_t dim) const { return adjoint::softmax(*this, dim); }
Tensor Tensor::log_softmax(int64_t dim) const { return adjoint::log_softmax(*this, dim); }
Tensor Tensor::add(const Tensor& other) const { return adjoint::add(*this, other); }
Tensor Tensor::add(Scalar other) const { return adjoint::add(*this, other); }
Tensor Tensor::sub(const Tensor& other) const { return adjoint::sub(*this, other); }
Tensor Tensor::sub(Scalar other) const { return adjoint::sub(*this, other); }
Tensor Tensor::mul(const Tensor& other) const { return adjoint::mul(*this, other); }
Tensor Tensor::mul(Scalar other) const { return adjoint::mul(*this, other); }
Tensor Tensor::div(const Tensor& other) const { return adjoint::div(*this, other); }
Tensor Tensor::div(Scalar other) const { return adjoint::div(*this, other); }
Tensor Tensor::pow(const Tensor& exponent) const { return adjoint::pow(*this, exponent); }
Tensor Tensor::pow(Scalar exponent) const { return adjoint::pow(*this, exponent); }
Tensor Tensor::eq(const Tensor& other) const { return adjoint::eq(*this, other); }
Tensor Tensor::eq(Scalar other) const { return adjoint::eq(*this, other); }
Tensor Tensor::ne(const Tensor& other) const { return adjoint::ne(*this, other); }
Tensor Tensor::ne(Scalar other) const { return adjoint::ne(*this, other); }
Tensor Tensor::lt(const Tensor& other) const { return adjoint::lt(*this, other); }
Tensor Tensor::lt(Scalar other) const { return adjoint::lt(*this, other); }
Tensor Tensor::le(const Tensor& other) const { return adjoint::le(*this, other); }
Tensor Tensor::le(Scalar other) const { return adjoint::le(*this, other); }
Tensor Tensor::gt(const Tensor& other) const { return adjoint::gt(*this, other); }
Tensor Tensor::gt(Scalar other) const { return adjoint::gt(*this, other); }
Tensor Tensor::ge(const Tensor& other) const { return adjoint::ge(*this, other); }
Tensor Tensor::ge(Scalar other) const { return adjoint::ge(*this, other); }

Tensor Tensor::matmul(const Tensor& other) const { return adjoint::matmul(*this, other); }
Tensor Tensor::mm(const Tensor& other) const { return adjoint::mm(*this, other); }
Tensor Tensor::bmm(const Tensor& other) const { return adjoint::bmm(*this, other); }
Tensor Tensor::dot(const Tensor& other) const { return adjoint::dot(*this, other); }

const Tensor& Tensor::add_(const Tensor& other) const {
  adjoint::add_(*this, other);
  return *this;
}
const Tensor& Tensor::add_(Scalar other) const {
  adjoint::add_(*this, other);
  return *this;
}
const Tensor& Tensor::sub_(const Tensor& other) const {
  adjoint::sub_(*this, other);
  return *this;
}
const Tensor& Tensor::sub_(Scalar other) const {
  adjoint::sub_(*this, other);
  return *this;
}
const Tensor& Tensor::mul_(const Tensor& other) const {
  adjoint::mul_(*this, other);
  return *this;
}
const Tensor& Tensor::mul_(Scalar other) const {
  adjoint::mul_(*this, other);
  return *this;
}
const Tensor& Tensor::div_(const Tensor& other) const {
  adjoint::div_(*this, other);
  return *this;
}
const Tensor& Tensor::div_(Scalar other) const {
  adjoint::div_(*this, other);
  return *this;
}
const Tensor& Tensor::operator+=(const Tensor& other) const { return add_(other); }
const Tensor& Tensor::operator+=(Scalar other) const { return add_(other); }
const Tensor& Tensor::operator-=(const Tensor& other) const { return sub_(other); }
const Tensor& Tensor::operator-=(Scalar other) const { return sub_(other); }
const Tensor& Tensor::operator*=(const Tensor& other) const { return mul_(other); }
const Tensor& Tensor::operator*=(Scalar other) const { return mul_(other); }
const Tensor& Tensor::operator/=(const Tensor& other) const { return div_(other); }
const Tensor& Tensor::operator/=(Scalar other) const { return div_(other); }
const Tensor& Tensor::copy_(const Tensor& source) const {
  adjoint::copy_(*this, source);
  return *this;
}
const Tensor& Tensor::fill_(Scalar value) const {
  adjoint::fill_(*this, value);
  return *this;
}
const Tensor& Tensor::zero_() const {
  adjoint::zero_(*this);
  return *this;
}
const Tensor& Tensor::clamp_(std::optional<Scalar> min, std::optional<Scalar> max) const {
  adjoint::clamp_(*this, min, max);
  return *this;
}
const Tensor& Tensor::masked_fill_(const Tensor& mask, Scalar value) const {
  adjoint::masked_fill_(*this, mask, value);
  return *this;
}
const Tensor& Tensor::operator&=(const Tensor& other) const {
  bitwise_and_(*this, other);
  return *this;
}
const Tensor& Tensor::operator|=(const Tensor& other) const {
  bitwise_or_(*this, other);
  return *this;
}
const Tensor& Tensor::operator^=(const Tensor& other) const {
  bitwise_xor_(*this, other);
  return *this;
}
const Tensor& Tensor::relu_() const {
  adjoint::relu_(*this);
  return *this;
}
const Tensor& Tensor::exp_() const {
  adjoint::exp_(*this);
  return *this;
}
const Tensor& Tensor::sqrt_() const {
  adjoint::sqrt_(*this);
  return *this;
}
const Tensor& Tensor::neg_() const {
  adjoint::neg_(*this);
  return *this;
}
const Tensor& Tensor::pow_(Scalar exponent) const {
  adjoint::pow_(*this, exponent);
  return *this;
}
const Tensor& Tensor::uniform_(double low, double high) const {
  adjoint::uniform_(*this, low, high);
  return *this;
}
const Tensor& Tensor::normal_(double mean, double std) const {
  adjoint::normal_(*this, mean, std);
  return *this;
}
const Tensor& Tensor::index_add_(int64_t dim, const Tensor& index, const Tensor& source) const {
  adjoint::index_add_(*this, dim, index, source);
  return *this;
}
const Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, const Tensor& src) const {
  adjoint::scatter_(*this, dim, index, src);
  return *this;
}
const Tensor& Tensor::scatter_(int64_t dim, const Tensor& index, Scalar value) const {
  adjoint::scatter_(*this, dim, index, value);
  return *this;
}
const Tensor& Tensor::scatter_add_(int64_t dim, const Tensor& index, const Tensor& src) const {
  adjoint::scatter_add_(*this, dim, index, src);
  return *this;
}

}  // namespace adjoint
