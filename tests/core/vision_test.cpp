#include <adjoint/core/layout.h>
#include <adjoint/core/pooling.h>
#include <adjoint/core/vision.h>

#include <limits>

#include "tests/core/numeric.h"

namespace adjoint {
namespace {

using namespace numeric;  // NOLINT(google-build-using-namespace)

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(Interpolate, NearestOfWholeNumbers) {
  const Tensor x = arange(4).to(DType::u8).reshape({1, 1, 2, 2});
  const Tensor y = interpolate(x, {.scale_factor = {2.0}});
  EXPECT_EQ(y.dtype(), DType::u8);
  EXPECT_EQ(values(y), (std::vector<double>{0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3, 2, 2, 3, 3}));
}

// A size that stays gives the elements themselves, in every mode.
TEST(Interpolate, ToTheSameSize) {
  const Tensor x = random({2, 3, 5, 4}, 1);
  for (const InterpolateMode mode :
       {InterpolateMode::nearest, InterpolateMode::nearest_exact, InterpolateMode::bilinear,
        InterpolateMode::bicubic, InterpolateMode::area}) {
    expect_close(interpolate(x, {.size = {5, 4}, .mode = mode}), x, 1e-15);
  }
}

TEST(Interpolate, FloatsFallWherePyTorchsDo) {
  // Places of f32 elements are computed in f32: floor(i 0.3) is now and then one less than in f64.
  const Tensor x = arange(30, DType::f32).reshape({1, 1, 30});
  const Tensor y = interpolate(x, {.size = 100});
  const float step = 30.0f / 100.0f;
  std::vector<double> expected;
  for (int i = 0; i < 100; ++i) {
    expected.push_back(std::floor(static_cast<float>(i) * step));
  }
  EXPECT_EQ(values(y), expected);
}

TEST(GridSample, NoNumbersInTheGrid) {
  const Tensor x = random({1, 1, 3, 3}, 1);
  const Tensor grid = full({1, 1, 1, 2}, kNaN, DType::f64);
  EXPECT_TRUE(std::isnan(values(grid_sample(x, grid))[0]));
  EXPECT_EQ(values(grid_sample(x, grid, {.padding_mode = GridSamplePadding::border}))[0],
            values(x)[0]);
  EXPECT_EQ(values(grid_sample(x, grid, {.mode = GridSampleMode::nearest}))[0], 0);
}

TEST(GridSample, FarOutside) {
  const Tensor x = random({1, 1, 3, 4}, 1);
  for (const double far : {1e30, -1e30, 1e300}) {
    const Tensor grid = full({1, 1, 1, 2}, far, DType::f64);
    EXPECT_EQ(values(grid_sample(x, grid))[0], 0) << far;
    const double corner = far > 0 ? values(x)[11] : values(x)[0];
    EXPECT_EQ(values(grid_sample(x, grid, {.padding_mode = GridSamplePadding::border}))[0], corner);
    EXPECT_FALSE(std::isnan(
        values(grid_sample(x, grid, {.padding_mode = GridSamplePadding::reflection}))[0]));
  }
}

// The identity's grid gives the image back.
TEST(GridSample, OfTheIdentity) {
  const Tensor x = random({2, 3, 4, 5}, 1);
  const Tensor theta = tensor<double>({1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0}, {2, 2, 3});
  for (const bool corners : {false, true}) {
    const Tensor grid = affine_grid(theta, x.shape(), corners);
    for (const GridSampleMode mode :
         {GridSampleMode::bilinear, GridSampleMode::nearest, GridSampleMode::bicubic}) {
      expect_close(grid_sample(x, grid, {.mode = mode, .align_corners = corners}), x, 1e-14);
    }
  }
}

TEST(PixelShuffle, UndoesItself) {
  const Tensor x = random({2, 12, 3, 5}, 1);
  expect_same_bits(pixel_unshuffle(pixel_shuffle(x, 2), 2), x);
  for (const DType dtype : {DType::i64, DType::u8, DType::boolean, DType::bf16}) {
    EXPECT_EQ(pixel_shuffle(x.to(dtype), 2).dtype(), dtype);
    EXPECT_EQ(channel_shuffle(x.to(dtype), 3).dtype(), dtype);
  }
}

}  // namespace
}  // namespace adjoint
