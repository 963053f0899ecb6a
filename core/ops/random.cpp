// Random tensors and dropout.
#include <adjoint/core/dropout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random_tensors.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/autograd/op.h"
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
  check<Error>(x.defined(),
               "dropout: input 0 is an undefined tensor; expected a tensor with elements");
  check_floating_dtype("dropout", x.dtype());
  if (!training || p == 0) return x;
  const kernels::RandomKey key = next_key(generator);
  const double threshold = std::floor(p * 0x1p32);
  // So close to 1 that no word would be kept; and 1 / (1 - p) must not be infinite.
  if (threshold >= 0x1p32) return mul(x, 0.0);
  return dropped(x, {key, static_cast<uint32_t>(threshold), 1.0 / (1.0 - p)}, p);
}

Tensor rand(const Shape& shape, DType dtype, Generator& generator) {
  const Op op("rand", kNoInputs, {{"shape", shape}, {"dtype", name(dtype)}});
  check_floating_dtype("rand", dtype);
  Tensor y = make_empty("rand", shape, dtype);
  kernel_table().random.uniform[index(dtype)](KernelScope(), next_key(generator), y.numel(), 0.0,
                                              1.0, y.impl()->bytes());
  return op.no_gradient(y);
}

Tensor randn(const Shape& shape, DType dtype, Generator& generator) {
  const Op op("randn", kNoInputs, {{"shape", shape}, {"dtype", name(dtype)}});
  check_floating_dtype("randn", dtype);
  Tensor y = make_empty("randn", shape, dtype);
  kernel_table().random.normal[index(dtype)](KernelScope(), next_key(generator), y.numel(), 0.0,
                                             1.0, y.impl()->bytes());
  return op.no_gradient(y);
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
