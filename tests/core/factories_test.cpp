// Tensors of given numbers and of rules, and tensors compared: what rows do not check.
#include <adjoint/core/comparisons.h>
#include <adjoint/core/error.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/reductions.h>

#include <cmath>
#include <memory>
#include <vector>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using numeric::message_of;
using numeric::values;

TEST(Factories, NestedLists) {
  const Tensor x = tensor<float>({{1, 2, 3}, {4, 5, 6}});
  EXPECT_EQ(x.shape(), (Shape{2, 3}));
  EXPECT_EQ(x.dtype(), DType::f32);
  EXPECT_EQ(values(x), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(tensor<int64_t>({{1}, {2}}).shape(), (Shape{2, 1}));
  EXPECT_EQ(tensor<double>({{{1, 2}}, {{3, 4}}, {{5, 6}}}).shape(), (Shape{3, 1, 2}));
  EXPECT_EQ(tensor<float>({}).shape(), (Shape{0}));
  EXPECT_EQ(tensor<float>({{}, {}}).shape(), (Shape{2, 0}));
  EXPECT_EQ(tensor<bool>({{true}, {false}}).dtype(), DType::boolean);
  EXPECT_EQ(tensor({1.5, 2.5}).dtype(), DType::f64);
  EXPECT_EQ(message_of<ShapeError>([] {
              return tensor<float>({{1, 2}, {3}});
            }),
            "tensor: a list of 1 at depth 1 beside one of 2; expected lists of one length");
  EXPECT_THROW(tensor<float>({{1, 2}, 3}), ShapeError);
  EXPECT_THROW(tensor<float>({1, {2, 3}}), ShapeError);
}

TEST(Factories, VectorsAreTakenNotCopied) {
  std::vector<float> numbers(5000, 2);
  const float* memory = numbers.data();
  Tensor x = from_vector(std::move(numbers), {50, 100});
  EXPECT_EQ(x.raw_data(), memory);
  EXPECT_EQ(x.shape(), (Shape{50, 100}));
  const Tensor view = slice(x, 0, 49);
  x = Tensor();
  EXPECT_EQ(view.sum().item(), 200);
  const std::vector<double> kept(1000, 1);
  EXPECT_NE(from_vector(kept).raw_data(), kept.data());
  EXPECT_THROW(from_vector(std::vector<float>(5000), {3, 4}), ShapeError);
  EXPECT_EQ(from_vector(std::vector<int64_t>{1, 2}).to_vector<int64_t>()[1], 2);
  EXPECT_EQ(from_vector(std::vector<float>()).shape(), (Shape{0}));
}

TEST(Factories, BlobsLiveAsLongAsTheirTensors) {
  auto owner = std::make_shared<std::vector<double>>(std::vector<double>{1, 2, 3, 4});
  const std::weak_ptr<std::vector<double>> watch = owner;
  Tensor x = from_blob(owner->data(), {2, 2}, DType::f64, owner);
  (*owner)[3] = 9;
  owner = nullptr;
  EXPECT_EQ(values(x), (std::vector<double>{1, 2, 3, 9}));
  Tensor row = select(x, 0, 1);
  x = Tensor();
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(values(row * 2.0), (std::vector<double>{6, 18}));
  row = Tensor();
  EXPECT_TRUE(watch.expired());
  EXPECT_EQ(from_blob(nullptr, {0, 3}, DType::f32, nullptr).numel(), 0);
  EXPECT_THROW(from_blob(nullptr, {3}, DType::f32, nullptr), Error);
  EXPECT_THROW(from_blob(nullptr, {-3}, DType::f32, nullptr), ShapeError);
}

TEST(Factories, RangesOfAnyDtype) {
  EXPECT_EQ(arange(3).dtype(), DType::i64);
  EXPECT_EQ(arange(2.5).dtype(), DType::f32);
  EXPECT_EQ(values(arange(2.5)), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(arange(0, 1, 0.25).dtype(), DType::f32);
  for (const DType dtype :
       {DType::f64, DType::f32, DType::bf16, DType::f16, DType::i64, DType::i32, DType::u8}) {
    const Tensor x = arange(2, 11, 4, dtype);
    EXPECT_EQ(x.dtype(), dtype);
    EXPECT_EQ(values(x), (std::vector<double>{2, 6, 10}));
    EXPECT_EQ(values(linspace(0, 8, 5, dtype)), (std::vector<double>{0, 2, 4, 6, 8}));
    EXPECT_EQ(values(eye(2, 3, dtype)), (std::vector<double>{1, 0, 0, 0, 1, 0}));
  }
  // Exact where doubles are not, and where differences do not fit.
  constexpr int64_t kFar = (int64_t{1} << 60) + 1;
  EXPECT_EQ(arange(kFar, kFar + 3).to_vector<int64_t>(),
            (std::vector<int64_t>{kFar, kFar + 1, kFar + 2}));
  EXPECT_EQ(arange(INT64_MIN, INT64_MAX, INT64_MAX).to_vector<int64_t>(),
            (std::vector<int64_t>{INT64_MIN, -1, INT64_MAX - 1}));
  EXPECT_THROW(arange(INT64_MIN, INT64_MAX), ShapeError);
  EXPECT_THROW(arange(0, 1, 1e-300), ShapeError);
  EXPECT_THROW(arange(0, 4, 0.5, DType::i64), ConfigError);
  // Both ends are exact.
  const std::vector<double> ends = values(linspace(0.1, 0.7, 7, DType::f64));
  EXPECT_EQ(ends.front(), 0.1);
  EXPECT_EQ(ends.back(), 0.7);
}

TEST(Factories, LikeWithAnotherDtype) {
  const Tensor x = zeros({2, 3});
  EXPECT_EQ(ones_like(x, DType::i64).dtype(), DType::i64);
  EXPECT_EQ(zeros_like(x).dtype(), DType::f32);
  EXPECT_EQ(values(full_like(x, 2.5, DType::f64)), std::vector<double>(6, 2.5));
}

// --- comparisons ---

TEST(Comparisons, OfSpecialValues) {
  const double nan = std::nan(""), inf = HUGE_VAL;
  const Tensor a = tensor({nan, inf, -inf, 0.0}), b = tensor({nan, inf, inf, -0.0});
  EXPECT_EQ(values(isclose(a, b)), (std::vector<double>{0, 1, 0, 1}));
  EXPECT_EQ(values(isclose(a, b, 1e-5, 1e-8, true)), (std::vector<double>{1, 1, 0, 1}));
  EXPECT_FALSE(equal(a, a));
  EXPECT_TRUE(equal(slice(a, 0, 1), slice(a, 0, 1)));
  EXPECT_FALSE(allclose(a, a));
  EXPECT_TRUE(allclose(a, a, 1e-5, 1e-8, true));
  EXPECT_FALSE(isclose(tensor({1.0}), tensor({inf}), 1.0).item<bool>());
  // Relative to the second, as PyTorch.
  EXPECT_TRUE(allclose(tensor({1.0}), tensor({2.0}), 0.5, 0.0));
  EXPECT_FALSE(allclose(tensor({2.0}), tensor({1.0}), 0.5, 0.0));
  EXPECT_TRUE(allclose(zeros({2, 3}), zeros({3})));
  EXPECT_FALSE(equal(zeros({2, 3}), zeros({3})));
  constexpr int64_t kLarge = (int64_t{1} << 62) + 1;
  EXPECT_FALSE(equal(tensor<int64_t>({kLarge}), tensor<int64_t>({kLarge + 1})));
  EXPECT_TRUE(equal(tensor({0.1}).to(DType::bf16), tensor({0.1001}).to(DType::bf16)));
}

}  // namespace
}  // namespace adjoint
