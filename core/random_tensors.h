// Tensors of random numbers: each call takes a stream of the generator, and element i is a function
// of {seed, stream, i}, whatever the number of threads. No gradient.
#pragma once

#include <adjoint/core/random.h>
#include <adjoint/core/tensor.h>

#include <cstdint>
#include <optional>

namespace adjoint {

Tensor rand(const Shape& shape, DType dtype = DType::f32,
            Generator& generator = default_generator());  // [0, 1)
Tensor randn(const Shape& shape, DType dtype = DType::f32,
             Generator& generator = default_generator());
// Whole numbers in [low, high).
Tensor randint(int64_t low, int64_t high, const Shape& shape,
               Generator& generator = default_generator());  // i64
Tensor randint(int64_t low, int64_t high, const Shape& shape, DType dtype,
               Generator& generator = default_generator());
Tensor randperm(int64_t n, Generator& generator = default_generator());
// Of x's shape, and of its dtype if none is given.
Tensor rand_like(const Tensor& x, std::optional<DType> dtype = std::nullopt,
                 Generator& generator = default_generator());
Tensor randn_like(const Tensor& x, std::optional<DType> dtype = std::nullopt,
                  Generator& generator = default_generator());
Tensor randint_like(const Tensor& x, int64_t low, int64_t high,
                    std::optional<DType> dtype = std::nullopt,
                    Generator& generator = default_generator());

// --- distributions ---
Tensor uniform(double low, double high, const Shape& shape, DType dtype = DType::f32,
               Generator& generator = default_generator());  // [low, high)
Tensor normal(double mean, double std, const Shape& shape, DType dtype = DType::f32,
              Generator& generator = default_generator());
// Element by element; the two broadcast.
Tensor normal(const Tensor& mean, const Tensor& std, Generator& generator = default_generator());
Tensor normal(const Tensor& mean, double std, Generator& generator = default_generator());
Tensor normal(double mean, const Tensor& std, Generator& generator = default_generator());
// Of density lambd exp(-lambd x) for x >= 0; and exp(-|x - loc| / scale) / (2 scale).
Tensor exponential(double lambd, const Shape& shape, DType dtype = DType::f32,
                   Generator& generator = default_generator());
Tensor laplace(double loc, double scale, const Shape& shape, DType dtype = DType::f32,
               Generator& generator = default_generator());
// Normal numbers of which those outside [a, b] are left out, by the inverse of their distribution.
Tensor trunc_normal(double mean, double std, double a, double b, const Shape& shape,
                    DType dtype = DType::f32, Generator& generator = default_generator());
// 1 with probability p, else 0, in p's dtype, which is floating; or of x's shape and dtype with one
// probability for all.
Tensor bernoulli(const Tensor& p, Generator& generator = default_generator());
Tensor bernoulli(const Tensor& x, double p, Generator& generator = default_generator());
// The numbers (i64) of num_samples columns of each row of weights (C) or (N, C), drawn with
// probabilities in proportion to the weights; without replacement no column twice.
Tensor multinomial(const Tensor& weights, int64_t num_samples, bool replacement = false,
                   Generator& generator = default_generator());

}  // namespace adjoint
