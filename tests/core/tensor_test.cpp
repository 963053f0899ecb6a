// Tensors: factories, views, errors.
#include <adjoint/core/error.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace adjoint {
namespace {

// As in PyTorch, one number is a shape, and a list of dimensions.
TEST(Tensor, OneNumberIsAShape) {
  EXPECT_EQ(zeros(3).shape(), (Shape{3}));
  const Tensor x = ones({2, 3});
  EXPECT_EQ(sum(x, 1).to_vector<float>(), (std::vector<float>{3, 3}));
  EXPECT_EQ(sum(x, {}).item(), 6);
  EXPECT_EQ(mean(x, -2, kKeepDim).shape(), (Shape{1, 3}));
  EXPECT_EQ(reshape(x, -1).shape(), (Shape{6}));
  static_assert(!std::is_convertible_v<bool, Shape>);
}

TEST(Tensor, Undefined) {
  const Tensor x;
  EXPECT_FALSE(x.defined());
  EXPECT_THROW(x.shape(), Error);
  EXPECT_THROW(add(x, x), Error);
}

TEST(Tensor, Factories) {
  EXPECT_EQ(zeros({2, 3}).to_vector<float>(), std::vector<float>(6, 0));
  EXPECT_EQ(full({2}, 7, DType::i64).to_vector<int64_t>(), (std::vector<int64_t>{7, 7}));
  EXPECT_EQ(arange(3).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2}));
  EXPECT_EQ(eye(2).to_vector<float>(), (std::vector<float>{1, 0, 0, 1}));
  EXPECT_EQ(scalar(2.5, DType::f64).item(), 2.5);
  EXPECT_EQ(full({1}, true, DType::boolean).to_vector<bool>(), std::vector<bool>{true});
  EXPECT_EQ(empty({0, 3}).numel(), 0);
  EXPECT_THROW(empty({-1}), ShapeError);
  EXPECT_THROW(empty({1LL << 40, 1LL << 40}), ShapeError);
  EXPECT_THROW((empty({1, 1, 1, 1, 1, 1, 1, 1, 1})), ShapeError);
  EXPECT_THROW(tensor<float>({1, 2, 3}, {2, 2}), ShapeError);
}

TEST(Tensor, CopiesShareElements) {
  const Tensor a = zeros({2});
  const Tensor b = a;
  b.mutable_data<float>()[1] = 3;
  EXPECT_EQ(a.to_vector<float>(), (std::vector<float>{0, 3}));
  const Tensor c = a.clone();
  c.mutable_data<float>()[0] = 9;
  EXPECT_EQ(a.to_vector<float>(), (std::vector<float>{0, 3}));
}

TEST(Tensor, VersionsAreNeverRepeated) {
  uint64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const Tensor x = zeros({1});
    EXPECT_NE(x.version(), last);
    last = x.version();
    x.mutable_data<float>();
    EXPECT_NE(x.version(), last);
    last = x.version();
  }
}

TEST(Tensor, DataChecksTheType) {
  const Tensor x = zeros({1});
  EXPECT_THROW(x.data<double>(), DTypeError);
  EXPECT_THROW(zeros({2}).item(), ShapeError);
}

TEST(Tensor, ItemsAreExact) {
  constexpr int64_t kOdd = (int64_t{1} << 53) + 1;  // no double has this value
  EXPECT_EQ(tensor<int64_t>({kOdd}).item<int64_t>(), kOdd);
  EXPECT_EQ(tensor<int64_t>({INT64_MIN + 1}).item<int64_t>(), INT64_MIN + 1);
  EXPECT_EQ(tensor<int64_t>({kOdd}).item(), 0x1p53);
  // To the nearest float at once: by way of a double it would be a tie and go down.
  EXPECT_EQ(tensor<int64_t>({(int64_t{1} << 60) + (int64_t{1} << 36) + 1}).item<float>(),
            0x1.000002p60f);
  EXPECT_EQ(scalar(0.1, DType::f64).item<double>(), 0.1);
  EXPECT_EQ(scalar(0.1).item<float>(), 0.1f);
  EXPECT_EQ(scalar(-2.75).item<int64_t>(), -2);
  EXPECT_EQ(scalar(0.5).item<bool>(), true);
  EXPECT_EQ(scalar(true, DType::boolean).item<bool>(), true);
  EXPECT_EQ(scalar(true, DType::boolean).item<int64_t>(), 1);
  EXPECT_EQ(scalar(false, DType::boolean).item<float>(), 0.0f);
  EXPECT_THROW(arange(2).item<int64_t>(), ShapeError);
}

TEST(Tensor, ViewsCountTheirElements) {
  const Tensor one = ones({1, 1});
  try {
    expand(one, {int64_t{1} << 32, int64_t{1} << 32});
    FAIL() << "2^64 elements were shown";
  } catch (const ShapeError& error) {
    EXPECT_NE(std::string(error.what()).find("expand: too many elements"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW(expand(one, {int64_t{1} << 29, int64_t{1} << 29}), ShapeError);
  EXPECT_EQ(expand(one, {int64_t{1} << 29, int64_t{1} << 28}).numel(), int64_t{1} << 57);
  // Nothing is in these, but their strides have no room in 63 bits.
  EXPECT_THROW(reshape(zeros({0}), {0, int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
  EXPECT_THROW(zeros({0, int64_t{1} << 40, int64_t{1} << 40}), ShapeError);
  EXPECT_EQ(zeros({0, int64_t{1} << 40}).numel(), 0);
}

TEST(Tensor, SlicesTakeAnyStep) {
  const Tensor x = to(arange(20), DType::f64).reshape({10, 2});
  for (int64_t step : {int64_t{10}, int64_t{1} << 62, INT64_MAX}) {
    const Tensor first = slice(x, 0, 0, 10, step);
    EXPECT_EQ(first.shape(), (Shape{1, 2})) << step;
    EXPECT_EQ(first.to_vector<double>(), (std::vector<double>{0, 1})) << step;
    EXPECT_EQ(slice(x, 0, 10, 10, step).shape(), (Shape{0, 2})) << step;
  }
  EXPECT_EQ(slice(x, 0, 1, 10, 9).shape(), (Shape{1, 2}));
  EXPECT_EQ(slice(x, 0, 0, 10, 9).to_vector<double>(), (std::vector<double>{0, 1, 18, 19}));
  EXPECT_EQ(slice(x, 0, INT64_MIN, INT64_MAX, 5).shape(), (Shape{2, 2}));
  const Tensor leaf = zeros({3}, DType::f64).requires_grad_();
  slice(leaf, 0, 1, 3, INT64_MAX).sum().backward();
  EXPECT_EQ(leaf.grad().to_vector<double>(), (std::vector<double>{0, 1, 0}));
}

TEST(Tensor, Views) {
  const Tensor x = reshape(arange(24), {2, 3, 4});
  EXPECT_EQ(transpose(x, 0, 2).shape(), (Shape{4, 3, 2}));
  EXPECT_EQ(permute(x, {2, 0, 1}).to_vector<int64_t>()[1], 4);
  EXPECT_EQ(slice(x, 2, 1, 4, 2).to_vector<int64_t>(),
            (std::vector<int64_t>{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23}));
  EXPECT_EQ(slice(x, 0, -1).shape(), (Shape{1, 3, 4}));
  EXPECT_EQ(select(x, 1, -1).to_vector<int64_t>(),
            (std::vector<int64_t>{8, 9, 10, 11, 20, 21, 22, 23}));
  EXPECT_EQ(expand(slice(x, 0, 0, 1), {5, 3, 4}).strides()[0], 0);
  EXPECT_EQ(reshape(x, {-1, 6}).shape(), (Shape{4, 6}));
  EXPECT_EQ(flatten(x, 1).shape(), (Shape{2, 12}));
  EXPECT_EQ(unsqueeze(x, -1).shape(), (Shape{2, 3, 4, 1}));
  EXPECT_EQ(squeeze(unsqueeze(x, 0), 0).shape(), x.shape());
  EXPECT_EQ(view(x, {6, 4}).raw_data(), x.raw_data());
  EXPECT_THROW(view(transpose(x, 0, 2), {24}), ShapeError);
  EXPECT_EQ(reshape(transpose(x, 0, 2), {24}).to_vector<int64_t>()[1], 12);
  EXPECT_THROW(reshape(x, {5, 5}), ShapeError);
  EXPECT_THROW(reshape(x, {-1, -1}), ShapeError);
  EXPECT_THROW(transpose(x, 0, 3), IndexError);
  EXPECT_THROW(permute(x, {0, 0, 1}), ShapeError);
  EXPECT_THROW(select(x, 0, 2), IndexError);
  EXPECT_THROW(expand(x, {2, 5, 4}), ShapeError);
}

TEST(Tensor, ViewsOfSplitDimensionsNeedNoCopy) {
  const Tensor x = reshape(arange(2 * 6 * 4), {2, 6, 4});
  const Tensor heads = transpose(reshape(x, {2, 6, 2, 2}), 1, 2);
  EXPECT_EQ(heads.raw_data(), x.raw_data());
  EXPECT_EQ(heads.to_vector<int64_t>()[2], 4);
  const Tensor back = reshape(transpose(heads, 1, 2), {2, 6, 4});
  EXPECT_EQ(back.raw_data(), x.raw_data());
}

TEST(Tensor, Promotion) {
  const Tensor i = tensor<int64_t>({1, 2});
  EXPECT_EQ((i + 2).dtype(), DType::i64);
  EXPECT_EQ((i + 0.5).dtype(), DType::f32);
  EXPECT_EQ((i / 2).dtype(), DType::f32);
  EXPECT_EQ((tensor<float>({1}) + 0.1).dtype(), DType::f32);
  EXPECT_EQ((tensor<float>({1}) + tensor<double>({1})).dtype(), DType::f64);
  EXPECT_EQ((i > 1).dtype(), DType::boolean);
  EXPECT_EQ((i > 1).to_vector<bool>(), (std::vector<bool>{false, true}));
}

TEST(Tensor, Broadcasting) {
  const Tensor a = tensor<float>({1, 2, 3}), b = reshape(tensor<float>({10, 20}), {2, 1});
  EXPECT_EQ((a + b).to_vector<float>(), (std::vector<float>{11, 12, 13, 21, 22, 23}));
  try {
    add(zeros({2, 3}), zeros({2, 4}));
    FAIL() << "shapes that do not broadcast were added";
  } catch (const ShapeError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("add: "), std::string::npos) << message;
    EXPECT_NE(message.find("(2, 3) and (2, 4)"), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace adjoint
