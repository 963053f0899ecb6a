// Operators as methods of Tensor.
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

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
Tensor Tensor::expand_as(const Tensor& other) const {
  return adjoint::expand(*this, other.shape());
}
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
Tensor Tensor::repeat(const Shape& sizes) const { return adjoint::repeat(*this, sizes); }
Tensor Tensor::sum() const { return adjoint::sum(*this); }
Tensor Tensor::sum(const Shape& dims, bool keepdim) const {
  return adjoint::sum(*this, dims, keepdim);
}
Tensor Tensor::mean() const { return adjoint::mean(*this); }
Tensor Tensor::mean(const Shape& dims, bool keepdim) const {
  return adjoint::mean(*this, dims, keepdim);
}
Tensor Tensor::max() const { return adjoint::max(*this); }
ValuesAndIndices Tensor::max(int64_t dim, bool keepdim) const {
  return adjoint::max(*this, dim, keepdim);
}
Tensor Tensor::min() const { return adjoint::min(*this); }
ValuesAndIndices Tensor::min(int64_t dim, bool keepdim) const {
  return adjoint::min(*this, dim, keepdim);
}
Tensor Tensor::argmax(int64_t dim, bool keepdim) const {
  return adjoint::argmax(*this, dim, keepdim);
}

}  // namespace adjoint
