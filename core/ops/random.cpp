// Random tensors and dropout.
#include <adjoint/core/dropout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/autograd/op.h"
#include "core/ops/defined.h"
#include "core/ops/loops.h"

namespace adjoint {
namespace {

// y = x mask / (1 - p);   dx = dy mask / (1 - p), by the same function of the same stream
Tensor dropped(const Tensor& x, const kernels::Dropout& d, double p) {
  const Op op("dropout", {x}, {{"p", p}});
  const Tensor x0 = packed(x);
  Tensor y = make_empty("dropout", x.shape(), x.dtype());
  kernel_table().random.dropout[index(x.dtype())](KernelScope(), d, x.numel(), x0.impl()->bytes(),
                                                  y.impl()->bytes());
  return op.differentiable(y,
                           [d, p](const Backward& b) -> Grads { return {dropped(b.dy(0), d, p)}; });
}

void check_floating_dtype(const char* op, DType dtype) {
  check<DTypeError>(is_floating_point(dtype), op, ": dtype ", dtype, "; expected a floating dtype");
}

constexpr std::initializer_list<Input> kNoInputs = {};

kernels::RandomKey next_key(Generator& generator) {
  return {generator.seed(), generator.next_stream()};
}

}  // namespace

Tensor dropout(const Tensor& x, double p, bool training, Generator& generator) {
  check<ConfigError>(p >= 0 && p <= 1, "dropout: p is ", p, "; expected a value in [0, 1]");
  check_defined("dropout", x, 0);
  check_floating_dtype("dropout", x.dtype());
  if (!training || p == 0) return x;
  const kernels::RandomKey key = next_key(generator);
  const double threshold = std::floor(p * 0x1p32);
  // So close to 1 that no word would be kept; and 1 / (1 - p) must not be infinite.
  if (threshold >= 0x1p32) return mul(x, 0.0);
  return dropped(x, {key, static_cast<uint32_t>(threshold), 1.0 / (1.0 - p)}, p);
}

namespace {

Tensor uniform_numbers(const Op& op, double low, double high, const Shape& shape, DType dtype,
                       Generator& generator) {
  check_floating_dtype(op.name(), dtype);
  Tensor y = make_empty(op.name(), shape, dtype);
  kernel_table().random.uniform[index(dtype)](KernelScope(), next_key(generator), y.numel(), low,
                                              high, y.impl()->bytes());
  return op.no_gradient(y);
}

Tensor normal_numbers(const Op& op, double mean, double std, const Shape& shape, DType dtype,
                      Generator& generator) {
  check_floating_dtype(op.name(), dtype);
  Tensor y = make_empty(op.name(), shape, dtype);
  kernel_table().random.normal[index(dtype)](KernelScope(), next_key(generator), y.numel(), mean,
                                             std, y.impl()->bytes());
  return op.no_gradient(y);
}

}  // namespace

Tensor rand(const Shape& shape, DType dtype, Generator& generator) {
  const Op op("rand", kNoInputs, {{"shape", shape}, {"dtype", name(dtype)}});
  return uniform_numbers(op, 0, 1, shape, dtype, generator);
}

Tensor randn(const Shape& shape, DType dtype, Generator& generator) {
  const Op op("randn", kNoInputs, {{"shape", shape}, {"dtype", name(dtype)}});
  return normal_numbers(op, 0, 1, shape, dtype, generator);
}

Tensor uniform(double low, double high, const Shape& shape, DType dtype, Generator& generator) {
  const Op op("uniform", kNoInputs, {{"low", low}, {"high", high}, {"shape", shape}});
  op.check<ConfigError>(std::isfinite(high - low) && low <= high, "no numbers in [", low, ", ",
                        high, "); expected finite low <= high");
  return uniform_numbers(op, low, high, shape, dtype, generator);
}

Tensor normal(double mean, double std, const Shape& shape, DType dtype, Generator& generator) {
  const Op op("normal", kNoInputs, {{"mean", mean}, {"std", std}, {"shape", shape}});
  op.check<ConfigError>(std >= 0, "std is ", std, "; expected 0 or more");
  return normal_numbers(op, mean, std, shape, dtype, generator);
}

Tensor randint(int64_t low, int64_t high, const Shape& shape, Generator& generator) {
  const Op op("randint", kNoInputs, {{"low", low}, {"high", high}, {"shape", shape}});
  check<ConfigError>(low < high, "randint: no integers in [", low, ", ", high,
                     "); expected low < high");
  Tensor y = make_empty("randint", shape, DType::i64);
  kernel_table().random.integers(KernelScope(), next_key(generator), y.numel(), low,
                                 static_cast<uint64_t>(high) - static_cast<uint64_t>(low),
                                 y.impl()->data<int64_t>());
  return op.no_gradient(y);
}

Tensor randint(int64_t low, int64_t high, const Shape& shape, DType dtype, Generator& generator) {
  return rounded(randint(low, high, shape, generator), dtype);
}

namespace {

const Tensor& require_defined(const char* op, const Tensor& x) {
  check_defined(op, x, 0);
  return x;
}

}  // namespace

Tensor rand_like(const Tensor& x, std::optional<DType> dtype, Generator& generator) {
  const DType own = dtype.value_or(require_defined("rand_like", x).dtype());
  check_floating_dtype("rand_like", own);
  return rand(x.shape(), own, generator);
}

Tensor randn_like(const Tensor& x, std::optional<DType> dtype, Generator& generator) {
  const DType own = dtype.value_or(require_defined("randn_like", x).dtype());
  check_floating_dtype("randn_like", own);
  return randn(x.shape(), own, generator);
}

Tensor randint_like(const Tensor& x, int64_t low, int64_t high, std::optional<DType> dtype,
                    Generator& generator) {
  const DType own = dtype.value_or(require_defined("randint_like", x).dtype());
  check<ConfigError>(low < high, "randint_like: no integers in [", low, ", ", high,
                     "); expected low < high");
  return randint(low, high, x.shape(), own, generator);
}

// Durstenfeld's form of the shuffle of Fisher and Yates (1964, CACM algorithm 235): step i, from
// the last element down, swaps with element floor(b_i (i + 1) / 2^64), b_i as in `integers`.
Tensor randperm(int64_t n, Generator& generator) {
  const Op op("randperm", kNoInputs, {{"n", n}});
  check<ConfigError>(n >= 0, "randperm: n is ", n, "; expected 0 or more");
  Tensor y = arange(n);
  int64_t* values = y.impl()->data<int64_t>();
  const kernels::RandomKey key = next_key(generator);
  constexpr int64_t kBlock = 256;
  uint32_t words[2 * kBlock];
  for (int64_t done = 0; done < n; done += kBlock) {
    const int64_t m = std::min(kBlock, n - done);
    kernel_table().random.words(key, 2 * done, 2 * m, words);
    for (int64_t k = 0; k < m; ++k) {
      const int64_t i = n - 1 - done - k;
      const uint64_t bits = uint64_t{words[2 * k + 1]} << 32 | words[2 * k];
      __extension__ using Wide = unsigned __int128;
      const auto j = static_cast<int64_t>((Wide{bits} * static_cast<uint64_t>(i + 1)) >> 64);
      std::swap(values[i], values[j]);
    }
  }
  return op.no_gradient(y);
}

}  // namespace adjoint
