#include <adjoint/core/layout.h>
#include <adjoint/core/pooling.h>

#include <limits>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<int64_t> places(const ValuesAndIndices& r) { return r.indices.to_vector<int64_t>(); }

TEST(MaxPool, TakesTheFirstOfEqualMaxima) {
  const Tensor x = tensor<double>({1, 3, 3, 2, 3, 1, 0, 3, 3}, {1, 3, 3});
  const ValuesAndIndices r = max_pool2d_with_indices(x, 3);
  EXPECT_EQ(places(r), (std::vector<int64_t>{1}));
  const Tensor leaf = x.clone().requires_grad_();
  max_pool2d(leaf, 2, 1).sum().backward();
  EXPECT_EQ(values(leaf.grad()), (std::vector<double>{0, 2, 0, 0, 2, 0, 0, 0, 0}));
}

// Sizes have no names: g++ would take those of {.dilation = 3} for a stride.
template <class T>
concept TakesNames = requires(const T& x) {
  max_pool2d(x, 2, {.dilation = 3});
}
|| requires(const T& x) { avg_pool1d(x, 2, {.padding = 1}); }
|| requires(const T& x) { lp_pool2d(x, 2.0, 2, {.ceil_mode = true}); }
|| requires(const T& x) { max_unpool3d(x, x, 2, {.stride = 2}); }
|| requires(const T& x) { adaptive_avg_pool2d(x, {.output_size = 3}); };
static_assert(!TakesNames<Tensor>);

// As PyTorch: the last NaN of a window.
TEST(MaxPool, NaNWins) {
  const Tensor x = tensor<double>({1, kNaN, 2, kNaN, 5, 6}, {1, 6});
  const ValuesAndIndices r = max_pool1d_with_indices(x, 4, 2);
  EXPECT_TRUE(std::isnan(values(r.values)[0]));
  EXPECT_EQ(places(r), (std::vector<int64_t>{3, 3}));
}

// Padding is not an element, also where it is as large as all that are.
TEST(MaxPool, MinusInfinityStandsInTheInput) {
  const Tensor x = full({1, 1, 4, 4}, -kInfinity, DType::f64);
  const ValuesAndIndices r = max_pool2d_with_indices(x, 2, 2, 1);
  EXPECT_EQ(places(r), (std::vector<int64_t>{0, 1, 3, 4, 5, 7, 12, 13, 15}));
  for (const double v : values(r.values)) EXPECT_EQ(v, -kInfinity);
}

TEST(MaxPool, WholeNumbers) {
  const Tensor x = arange(16).reshape({1, 4, 4});
  for (const DType dtype : {DType::i64, DType::i32, DType::u8}) {
    const Tensor y = max_pool2d(x.to(dtype), 2);
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_EQ(values(y), (std::vector<double>{5, 7, 13, 15}));
  }
  const Tensor least = full({1, 2}, INT64_MIN, DType::i64);
  EXPECT_EQ(places(max_pool1d_with_indices(least, 2, {}, 1)), (std::vector<int64_t>{0, 1}));
  EXPECT_NE(message_of<DTypeError>([] {
              max_pool1d(ones({1, 2}, DType::boolean), 2);
            }).find("max_pool1d: input of dtype bool"),
            std::string::npos);
}

// Widths, strides and windows beyond what is worked on by vectors, against windows that are taken
// one at a time (of i64).
TEST(MaxPool, EveryWidthAndStride) {
  for (const int64_t width : {1, 7, 64, 129, 300}) {
    for (const int64_t kernel : {1, 2, 3, 5, 9, 70}) {
      for (const int64_t stride : {1, 2, 3, 4, 5}) {
        for (const int64_t dilation : {1, 3, 9}) {
          if ((kernel - 1) * dilation + 1 > width) continue;
          const Tensor x = catalog::indices({2, 3, width}, 7);
          for (const int64_t padding : {int64_t{0}, std::min<int64_t>(kernel / 2, 2)}) {
            const ValuesAndIndices expected =
                max_pool2d_with_indices(x, {2, kernel}, {1, stride}, {1, padding}, {1, dilation});
            for (const DType dtype : {DType::f32, DType::f64, DType::bf16}) {
              const ValuesAndIndices got = max_pool2d_with_indices(
                  x.to(dtype), {2, kernel}, {1, stride}, {1, padding}, {1, dilation});
              EXPECT_EQ(values(got.values), values(expected.values));
              EXPECT_EQ(places(got), places(expected));
            }
          }
        }
      }
    }
  }
}

TEST(MaxPool, WindowsWithoutElementsAreErrors) {
  EXPECT_NE(message_of<ShapeError>([] {
              max_pool1d(ones({1, 2}), 2, 1, 1, 3);
            }).find("window 0 along a dimension of size 2 has no element"),
            std::string::npos);
}

TEST(MaxPool, IndicesThatWereWrittenAreNoticed) {
  const Tensor x = random({1, 2, 4, 4}, 1).requires_grad_();
  const auto [y, at] = max_pool2d_with_indices(x, 2);
  at.mutable_data<int64_t>()[0] = 9;
  EXPECT_THROW(y.sum().backward(), AutogradError);
}

TEST(AvgPool, CountsAsPyTorch) {
  const Tensor x = ones({1, 5}, DType::f64);
  EXPECT_EQ(values(avg_pool1d(x, 3, 2, 1)), (std::vector<double>{2.0 / 3, 1, 2.0 / 3}));
  EXPECT_EQ(values(avg_pool1d(x, 3, 2, 1, false, false)), (std::vector<double>{1, 1, 1}));
  // The last window ends beyond the input, and beyond its padding.
  EXPECT_EQ(values(avg_pool1d(x, 2, 2, 0, true)), (std::vector<double>{1, 1, 1}));
  EXPECT_EQ(values(avg_pool2d(x.reshape({1, 1, 5}), {1, 5}, {}, 0, false, true, 10)),
            (std::vector<double>{0.5}));
}

TEST(AdaptivePool, ToNothing) {
  EXPECT_EQ(adaptive_avg_pool2d(ones({2, 3, 4, 5}), 0).shape(), (Shape{2, 3, 0, 0}));
  EXPECT_EQ(adaptive_max_pool2d(ones({2, 3, 4, 5}), {0, 2}).shape(), (Shape{2, 3, 0, 2}));
}

TEST(Unpool, TheLastOfSeveralStays) {
  const Tensor x = tensor<double>({1, 2, 3}, {1, 3}).requires_grad_();
  const Tensor at = tensor<int64_t>({1, 1, 4}, {1, 3});
  const Tensor y = max_unpool1d(x, at, 2);
  EXPECT_EQ(values(y), (std::vector<double>{0, 2, 0, 0, 3, 0}));
  y.backward({.gradient = tensor<double>({0, 1, 2, 3, 4, 5}, {1, 6})});
  EXPECT_EQ(values(x.grad()), (std::vector<double>{0, 1, 4}));
}

TEST(Unpool, UndoesPooling) {
  const Tensor x = random({2, 3, 6, 6}, 1);
  const auto [y, at] = max_pool2d_with_indices(x, 2);
  const Tensor back = max_unpool2d(y, at, 2);
  const auto [again, same] = max_pool2d_with_indices(back, 2);
  // Maxima below 0 lose against the zeros.
  expect_close(again, maximum(y, zeros_like(y)), 0);
}

}  // namespace
}  // namespace adjoint
