// Views, orders in memory, iteration and arrangement: what rows of the catalogue do not check.
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include <vector>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::expect_same_bits;
using numeric::message_of;
using numeric::values;

TEST(Views, ShareElements) {
  const Tensor x = arange(24, DType::f32).reshape({2, 3, 4});
  const std::vector<Tensor> views = {
      x.movedim(0, -1), x.unflatten(2, {2, 2}),    x.squeeze(), x.narrow(1, 0, 2),
      x.diagonal(),     x.unfold(2, 2, 1),         x.flatten(), x.expand({5, 2, 3, 4}),
      x.unbind(0)[0],   as_strided(x, {2}, {3}, 0)};
  for (const Tensor& view : views) EXPECT_EQ(view.raw_data(), x.raw_data());
  EXPECT_NE(flip(x, 0).raw_data(), x.raw_data());
  EXPECT_NE(repeat(x, {1, 1, 1}).raw_data(), x.raw_data());
  EXPECT_NE(diag(arange(4, DType::f32).reshape({2, 2})).raw_data(), x.raw_data());
  EXPECT_NE(repeat_interleave(x, 1, 0).raw_data(), x.raw_data());
}

TEST(Views, TOfMatricesOnly) {
  EXPECT_EQ(ones({2, 3}).t().shape(), (Shape{3, 2}));
  EXPECT_EQ(ones({3}).t().shape(), (Shape{3}));
  EXPECT_EQ(ones({}).t().shape(), Shape{});
  EXPECT_EQ(message_of<ShapeError>([] {
              return ones({2, 3, 4}).t();
            }),
            "t: a tensor of shape (2, 3, 4); expected at most two dimensions; use transpose()");
}

TEST(Views, IterationOverTheFirstDimension) {
  const Tensor x = arange(6, DType::f64).reshape({3, 2}).requires_grad_();
  Tensor total = scalar(0, DType::f64);
  double weight = 1;
  for (const Tensor row : x) total = total + row.sum() * weight++;
  total.backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{1, 1, 2, 2, 3, 3}));
  const std::vector<Tensor> rows(x.begin(), x.end());
  EXPECT_EQ(rows.size(), 3u);
  int64_t count = 0;
  for (const Tensor nothing : zeros({0, 3})) count += nothing.numel() + 1;
  EXPECT_EQ(count, 0);
  EXPECT_THROW(scalar(1).end(), ShapeError);
}

TEST(Views, Spans) {
  const Tensor x = arange(6, DType::f32).reshape({2, 3});
  const std::span<const float> all = x.span<float>();
  EXPECT_EQ(all.size(), 6u);
  EXPECT_EQ(all[4], 4);
  const uint64_t before = x.version();
  x.mutable_span<float>()[5] = 9;
  EXPECT_NE(x.version(), before);
  EXPECT_EQ(all[5], 9);
  EXPECT_THROW(x.span<double>(), DTypeError);
  EXPECT_THROW(x.t().span<float>(), ShapeError);
  EXPECT_THROW(x.t().mutable_span<float>(), ShapeError);
}

// --- as_strided ---

// Where elements of x are one in memory, each has an equal part of what that one gets.
TEST(Views, AsStridedOfAnExpandedTensor) {
  const Tensor x = tensor({2.0, 3.0}).requires_grad_();
  const Tensor wide = expand(reshape(x, {2, 1}), {2, 4});
  const Tensor y = as_strided(wide, {3}, {0}, 1);  // the second element, three times
  EXPECT_EQ(values(y), (std::vector<double>{3, 3, 3}));
  (y * tensor({1.0, 2.0, 4.0})).sum().backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{0, 7}));
}

// What another tensor shows of the storage has no influence on x's gradient.
TEST(Views, AsStridedBeyondItsTensor) {
  const Tensor whole = arange(6, DType::f64);
  const Tensor x = slice(whole, 0, 2, 4).requires_grad_();
  const Tensor y = as_strided(x, {4}, {1}, 1);
  EXPECT_EQ(values(y), (std::vector<double>{1, 2, 3, 4}));
  (y * tensor({1.0, 10.0, 100.0, 1000.0})).sum().backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{10, 100}));
  EXPECT_EQ(values(as_strided(x, {2}, {1})), (std::vector<double>{2, 3}));  // its own offset
}

TEST(Views, AsStridedChecksTheStorage) {
  const Tensor x = zeros({4});
  EXPECT_THROW(as_strided(x, {2}, {4}), IndexError);
  EXPECT_THROW(as_strided(x, {2, 2}, {INT64_MAX, INT64_MAX}), IndexError);
  EXPECT_THROW(as_strided(x, {1}, {1}, INT64_MAX), IndexError);
  EXPECT_THROW(as_strided(x, {0}, {1}, 5), IndexError);
  EXPECT_EQ(as_strided(x, {0}, {1}, 4).numel(), 0);
  EXPECT_EQ(as_strided(x, {4, 1 << 20}, {1, 0}).numel(), 4 << 20);
}

// Windows that overlap add up, in bf16 with one rounding: 256 + 1 is 256 there, 258 is itself.
TEST(Views, OverlapsAreRoundedOnce) {
  const Tensor x = zeros({5}, DType::bf16).requires_grad_();
  const Tensor dy = tensor<float>({{0, 0, 1}, {0, 1, 0}, {256, 0, 0}}).to(DType::bf16);
  x.unfold(0, 3, 1).backward({.gradient = dy});
  EXPECT_EQ(values(x.grad()), (std::vector<double>{0, 0, 258, 0, 0}));
}

// The gradients of views are added in place where others are: no sum is lost.
TEST(Views, GradientsOfSeveralViews) {
  const Tensor x = arange(9, DType::f64).reshape({3, 3}).requires_grad_();
  const Tensor y = x * 1.0;
  (y.diagonal().sum() + y.diagonal(1).sum() * 2.0 + y.t().diagonal(1).sum() * 4.0 +
   y.select(0, 0).sum() * 8.0)
      .backward();
  EXPECT_EQ(values(x.grad()), (std::vector<double>{9, 10, 8, 4, 1, 2, 0, 4, 1}));
}

// --- orders in memory ---

const Strides kLast{24, 1, 8, 2};  // of (2, 2, 3, 4) with the channels last

Tensor images() { return contiguous(numeric::wave({2, 2, 3, 4}, 1), MemoryFormat::channels_last); }

TEST(MemoryFormat, ChannelsLast) {
  const Tensor x = numeric::wave({2, 2, 3, 4}, 1), y = x.contiguous(MemoryFormat::channels_last);
  EXPECT_EQ(y.strides(), kLast);
  EXPECT_TRUE(y.is_contiguous(MemoryFormat::channels_last));
  EXPECT_FALSE(y.is_contiguous());
  EXPECT_FALSE(x.is_contiguous(MemoryFormat::channels_last));
  expect_same_bits(x, y);
  EXPECT_EQ(y.contiguous(MemoryFormat::channels_last).raw_data(), y.raw_data());
  EXPECT_EQ(y.contiguous().strides(), x.strides());
  const Tensor volume = zeros({2, 3, 4, 5, 6}).contiguous(MemoryFormat::channels_last_3d);
  EXPECT_EQ(volume.strides(), (Strides{360, 1, 90, 18, 3}));
  EXPECT_FALSE(volume.is_contiguous(MemoryFormat::channels_last));
  // One channel, one pixel: both orders at once.
  EXPECT_TRUE(zeros({2, 1, 3, 4}).is_contiguous(MemoryFormat::channels_last));
  EXPECT_TRUE(zeros({2, 3, 1, 1}).is_contiguous(MemoryFormat::channels_last));
  EXPECT_TRUE(zeros({0, 3, 2, 2}).is_contiguous(MemoryFormat::channels_last));
}

TEST(MemoryFormat, ElementwiseOperatorsKeepIt) {
  const Tensor x = images(), row_major = x.contiguous();
  const Tensor bias = numeric::wave({1, 2, 1, 1}, 3), other = images() * 2.0;
  const auto check = [](const Tensor& y, const Tensor& expected) {
    EXPECT_EQ(y.strides(), kLast);
    expect_same_bits(y, expected);
  };
  check(x + 1.0, row_major + 1.0);
  check(1.0 - x, 1.0 - row_major);
  check(exp(x), exp(row_major));
  check(exp2(x), exp2(row_major));
  check(abs(x) * 2.0 - x, abs(row_major) * 2.0 - row_major);  // temporaries
  check(x * other, row_major * other.contiguous());
  check(x + bias, row_major + bias);
  check(bias - x, bias - row_major);
  check(x + row_major, row_major + row_major);
  check(x > 0.25, row_major > 0.25);
  check(x < bias, row_major < bias);
  check(where(x > 0.0, x, 0.0), where(row_major > 0.0, row_major, 0.0));
  check(atan2(x, bias), atan2(row_major, bias));
  check(x.to(DType::f32), row_major.to(DType::f32));
  check(x.clone(), row_major);
  const Tensor whole = row_major.to(DType::i64) + 3;
  check(remainder(x.to(DType::i64), whole), remainder(row_major.to(DType::i64), whole));
  // As the first one that has the result's shape.
  EXPECT_EQ((row_major + x).strides(), row_major.strides());
}

TEST(MemoryFormat, FactoriesLikeATensor) {
  const Tensor x = images();
  for (const Tensor& y :
       {empty_like(x), zeros_like(x), ones_like(x, DType::f32), full_like(x, 3, DType::i64)}) {
    EXPECT_EQ(y.strides(), kLast);
  }
  EXPECT_EQ(values(full_like(x, 3)), std::vector<double>(48, 3));
  // With gaps, or elements shown twice: row-major.
  EXPECT_TRUE(empty_like(slice(x, 3, 0, 4, 2)).is_contiguous());
  EXPECT_TRUE(empty_like(expand(zeros({3, 1}), {3, 4})).is_contiguous());
  EXPECT_EQ(empty_like(zeros({3, 4}).t()).strides(), (Strides{1, 4}));
}

TEST(MemoryFormat, GradientsAreThoseOfRowMajor) {
  for (const DType dtype : {DType::f64, DType::f32, DType::bf16}) {
    Tensor dx[2];
    for (const bool last : {false, true}) {
      const Tensor x = (last ? images() : images().contiguous()).to(dtype).requires_grad_();
      const Tensor y = tanh(x * x + 0.5) * exp(-x);
      y.backward({.gradient = cos(x.detach())});
      dx[last ? 1 : 0] = x.grad();
    }
    expect_same_bits(dx[0], dx[1]);
    EXPECT_TRUE(dx[1].is_contiguous());
  }
}

// Memory that dies is taken over in any order.
TEST(MemoryFormat, Temporaries) {
  Tensor x = images() * 1.0;
  const void* memory = x.raw_data();
  const Tensor y = std::move(x) * 2.0;
  EXPECT_EQ(y.raw_data(), memory);
  EXPECT_EQ(y.strides(), kLast);
  expect_same_bits(y, images().contiguous() * 2.0);
  // Not where the other operand gives the order.
  Tensor z = images() * 1.0;
  const void* other = z.raw_data();
  const Tensor sum = images().contiguous() + std::move(z);
  EXPECT_NE(sum.raw_data(), other);
  EXPECT_TRUE(sum.is_contiguous());
}

// --- arrangement ---

TEST(Arrange, OfAnyDtype) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::i64, DType::i32, DType::u8}) {
    const Tensor x = arange(6, dtype).reshape({2, 3});
    EXPECT_EQ(values(flip(x, 1)), (std::vector<double>{2, 1, 0, 5, 4, 3}));
    EXPECT_EQ(values(roll(x, 1, 1)), (std::vector<double>{2, 0, 1, 5, 3, 4}));
    EXPECT_EQ(values(repeat(x, {1, 2})), (std::vector<double>{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}));
    EXPECT_EQ(values(repeat_interleave(x, tensor<int64_t>({2, 0, 1}), 1)),
              (std::vector<double>{0, 0, 2, 3, 3, 5}));
    EXPECT_EQ(values(pad(x, {1, 0}, PadMode::constant, 7)),
              (std::vector<double>{7, 0, 1, 2, 7, 3, 4, 5}));
    EXPECT_EQ(values(pad(x, {2, 1}, PadMode::reflect)),
              (std::vector<double>{2, 1, 0, 1, 2, 1, 5, 4, 3, 4, 5, 4}));
    EXPECT_EQ(values(diag(x.flatten().narrow(0, 1, 2), -1)),
              (std::vector<double>{0, 0, 0, 1, 0, 0, 0, 2, 0}));
  }
  const Tensor b = tensor<bool>({true, false, false});
  EXPECT_EQ(values(roll(b, -1)), (std::vector<double>{0, 0, 1}));
  EXPECT_EQ(values(pad(b, {0, 1}, PadMode::constant, true)), (std::vector<double>{1, 0, 0, 1}));
}

TEST(Arrange, EightDimensions) {
  const Tensor x = arange(12).reshape({2, 1, 1, 3, 1, 1, 1, 2});
  EXPECT_EQ(repeat(x, {1, 2, 1, 2, 1, 1, 1, 2}).numel(), 96);
  EXPECT_EQ(repeat_interleave(x, 2, 3).shape(), (Shape{2, 1, 1, 6, 1, 1, 1, 2}));
  EXPECT_EQ(flip(x, {0, 3, 7}).to_vector<int64_t>()[0], 11);
  EXPECT_EQ(pad(x, {0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}).shape(),
            (Shape{3, 1, 1, 4, 1, 1, 3, 2}));
  EXPECT_EQ(values(roll(x, {1, 1, 1}, {0, 3, 7}))[0], 11);
}

// Each element's gradient is how often padding shows it.
TEST(Arrange, PaddingGivesEachElementItsSum) {
  const auto counts = [](PadMode mode, const std::vector<int64_t>& pads) {
    const Tensor x = zeros({1, 4}, DType::f64).requires_grad_();
    pad(x, pads, mode).sum().backward();
    return values(x.grad());
  };
  EXPECT_EQ(counts(PadMode::reflect, {3, 2}), (std::vector<double>{1, 3, 3, 2}));
  EXPECT_EQ(counts(PadMode::replicate, {5, 2}), (std::vector<double>{6, 1, 1, 3}));
  EXPECT_EQ(counts(PadMode::circular, {4, 1}), (std::vector<double>{3, 2, 2, 2}));
  EXPECT_EQ(counts(PadMode::constant, {-1, 2}), (std::vector<double>{0, 1, 1, 1}));
  EXPECT_EQ(counts(PadMode::reflect, {2, -3}), (std::vector<double>{1, 1, 1, 0}));
}

}  // namespace
}  // namespace adjoint
