// Results that are written around the caches (core/simd/stream.h) are those that are not: large
// tensors against their own pieces, whose results are small enough to be written the ordinary way.
#include <adjoint/core/activations.h>
#include <adjoint/core/autograd.h>
#include <adjoint/core/dropout.h>
#include <adjoint/core/inplace.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/losses.h>
#include <adjoint/core/normalization.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/random.h>
#include <adjoint/core/random_tensors.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

#include "core/tensor/thread_pool.h"

namespace adjoint {
namespace {

constexpr int64_t kColumns = 1003;  // rows begin anywhere in a line

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.contiguous(), y = b.contiguous();
  return x.shape() == y.shape() && x.dtype() == y.dtype() &&
         std::memcmp(x.raw_data(), y.raw_data(),
                     static_cast<size_t>(x.numel()) * element_size(x.dtype())) == 0;
}

// f of every hundred rows of x is that part of f(x).
void expect_rowwise(const std::string& name, const Tensor& x,
                    const std::function<Tensor(const Tensor&)>& f) {
  const Tensor y = f(x);
  for (int64_t row = 0; row < x.shape()[0]; row += 100) {
    const int64_t n = std::min<int64_t>(100, x.shape()[0] - row);
    ASSERT_TRUE(same_bits(slice(y, 0, row, row + n), f(slice(x, 0, row, row + n))))
        << name << " row " << row;
  }
}

class Streams : public testing::TestWithParam<DType> {
 protected:
  // Whatever the machine's caches are.
  Streams() : stream_bytes_(exchange_stream_bytes(int64_t{8} << 20)) {}
  ~Streams() override { exchange_stream_bytes(stream_bytes_); }

  const int64_t stream_bytes_;
  const int64_t rows_ = 10400 / element_size(GetParam());  // 10 MB
  const NoGrad guard_;
  Generator generator_{7};
  const Tensor x_ = to(randn({rows_, kColumns}, DType::f32, generator_), GetParam());
};

TEST_P(Streams, Elementwise) {
  const Tensor bias = slice(x_, 0, 0, 1);
  expect_rowwise("exp", x_, [](const Tensor& x) { return exp(x); });
  expect_rowwise("mul", x_, [](const Tensor& x) { return x * 1.5; });
  expect_rowwise("add", x_, [&](const Tensor& x) { return x + bias; });
  expect_rowwise("where", x_, [&](const Tensor& x) { return where(x > 0.0, x, bias); });
  expect_rowwise("clone", x_, [](const Tensor& x) { return clone(x); });
  expect_rowwise("cast", x_, [](const Tensor& x) { return to(x, DType::i64); });
  expect_rowwise("expand", slice(x_, 1, 0, 1), [](const Tensor& x) {
    return clone(expand(x, {x.shape()[0], kColumns}));
  });
}

TEST_P(Streams, Softmax) {
  for (int64_t n : {kColumns, int64_t{300}, int64_t{6000}}) {
    const Tensor x = slice(x_.reshape({-1}), 0, 0, rows_ * kColumns / n * n).reshape({-1, n});
    expect_rowwise("softmax", x, [](const Tensor& t) { return softmax(t, -1); });
    expect_rowwise("log_softmax", x, [](const Tensor& t) { return log_softmax(t, -1); });
  }
}

// The gradient of f's input, for -x as its output's: one that is held, whose place nothing takes,
// or one that is given away.
Tensor gradient(const Tensor& x, bool given, const std::function<Tensor(const Tensor&)>& f) {
  const AutoGradMode mode(true);
  const Tensor leaf = x.detach().requires_grad_();
  const Tensor y = f(leaf);
  Tensor dy = y.dim() == 0 ? Tensor() : neg(x);
  const Tensor held = given ? Tensor() : dy;
  y.backward({.gradient = std::move(dy)});
  return leaf.grad();
}

TEST_P(Streams, GradientsOfRows) {
  const Tensor weight = select(x_, 0, 0), bias = select(x_, 0, 1);
  for (const bool given : {false, true}) {
    const auto expect = [&](const char* name, const std::function<Tensor(const Tensor&)>& f) {
      expect_rowwise(name, x_, [&](const Tensor& x) { return gradient(x, given, f); });
    };
    expect("softmax", [](const Tensor& x) { return softmax(x, -1); });
    expect("log_softmax", [](const Tensor& x) { return log_softmax(x, -1); });
    expect("layer_norm", [&](const Tensor& x) { return layer_norm(x, {kColumns}, weight, bias); });
    expect("rms_norm", [&](const Tensor& x) { return rms_norm(x, {kColumns}, weight); });
  }
}

TEST_P(Streams, Norms) {
  const Tensor weight = select(x_, 0, 0), bias = select(x_, 0, 1);
  expect_rowwise("layer_norm", x_,
                 [&](const Tensor& x) { return layer_norm(x, {kColumns}, weight, bias); });
  expect_rowwise("rms_norm", x_, [&](const Tensor& x) { return rms_norm(x, {kColumns}, weight); });
  for (int64_t n : {kColumns, int64_t{6000}}) {  // the longer rows of f64 do not stay near
    const Tensor x = slice(x_.reshape({-1}), 0, 0, rows_ * kColumns / n * n).reshape({-1, n});
    const auto both = [&](const Tensor& t) { return add_layer_norm(t, t * 0.5, {n}); };
    expect_rowwise("sum", x, [&](const Tensor& t) { return both(t).sum; });
    expect_rowwise("normalized", x, [&](const Tensor& t) { return both(t).normalized; });
  }
}

TEST_P(Streams, Losses) {
  const Tensor target = randint(0, kColumns, {rows_}, generator_);
  const Tensor dy = gradient(x_, false, [&](const Tensor& x) {
    return cross_entropy(x, target, {.reduction = Reduction::sum, .label_smoothing = 0.25});
  });
  for (int64_t row = 0; row < rows_; row += 100) {
    const Tensor part = gradient(slice(x_, 0, row, row + 100), false, [&](const Tensor& x) {
      return cross_entropy(x, slice(target, 0, row, row + 100),
                           {.reduction = Reduction::sum, .label_smoothing = 0.25});
    });
    ASSERT_TRUE(same_bits(slice(dy, 0, row, row + 100), part)) << "cross_entropy row " << row;
  }
  expect_rowwise("mse_loss", x_, [](const Tensor& x) {
    return gradient(x, false,
                    [&](const Tensor& t) { return mse_loss(t, x * 0.5, Reduction::sum); });
  });
}

TEST_P(Streams, Fill) {
  const Tensor y = full({rows_, kColumns}, 2.5, GetParam());
  EXPECT_EQ(min(y).item(), 2.5);
  EXPECT_EQ(max(y).item(), 2.5);
  const Tensor z = zeros({rows_, kColumns}, GetParam());
  EXPECT_EQ(max(abs(z)).item(), 0);
}

TEST_P(Streams, IntoAViewThatBeginsAnywhere) {
  const Tensor y = full({rows_ * kColumns + 9}, -1, GetParam());
  const Tensor flat = x_.reshape({-1});
  for (int64_t offset : {1, 5}) {
    const Tensor part = slice(y, 0, offset, offset + rows_ * kColumns);
    copy_(part, flat);
    EXPECT_TRUE(same_bits(part, flat)) << offset;
    EXPECT_EQ(select(y, 0, 0).item(), -1);
    EXPECT_EQ(select(y, 0, offset + rows_ * kColumns).item(), -1);
  }
}

TEST_P(Streams, Transposed) {
  const Tensor y = clone(transpose(x_, 0, 1));
  for (int64_t row : {int64_t{0}, int64_t{31}, int64_t{32}, int64_t{517}, kColumns - 1}) {
    EXPECT_TRUE(same_bits(select(y, 0, row), select(x_, 1, row))) << row;
  }
  EXPECT_TRUE(same_bits(clone(transpose(y, 0, 1)), x_));
}

TEST_P(Streams, Dropout) {
  Generator whole(3), again(3);
  const Tensor y = dropout(x_, 0.25, true, whole);
  const Tensor mask = dropout(ones_like(x_), 0.25, true, again);
  EXPECT_TRUE(same_bits(y, where(mask > 0.0, x_ * (1 / 0.75), 0.0)));
}

INSTANTIATE_TEST_SUITE_P(Core, Streams, testing::Values(DType::f32, DType::f64, DType::bf16),
                         [](const auto& instance) { return std::string(name(instance.param)); });

}  // namespace
}  // namespace adjoint
