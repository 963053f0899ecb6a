// Dimensions joined and divided.
#pragma once

#include <adjoint/core/layout.h>
#include <adjoint/nn/module.h>

namespace adjoint::nn {

// Dimensions start_dim to end_dim as one; by default all but the batch.
class Flatten : public Module<Flatten> {
 public:
  explicit Flatten(int64_t start_dim = 1, int64_t end_dim = -1)
      : start_dim_(start_dim), end_dim_(end_dim) {}
  Tensor forward(const Tensor& x) const { return flatten(x, start_dim_, end_dim_); }
  std::string describe() const override;

 private:
  int64_t start_dim_, end_dim_;
};

// Dimension dim as several, one of which may be -1.
class Unflatten : public Module<Unflatten> {
 public:
  Unflatten(int64_t dim, const Shape& unflattened_size)
      : dim_(dim), unflattened_size_(unflattened_size) {}
  Tensor forward(const Tensor& x) const { return unflatten(x, dim_, unflattened_size_); }
  std::string describe() const override;

 private:
  int64_t dim_;
  Shape unflattened_size_;
};

}  // namespace adjoint::nn
