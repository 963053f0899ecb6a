#include <adjoint/core/comparisons.h>
#include <adjoint/core/error.h>
#include <adjoint/core/factories.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/data/digits.h>
#include <adjoint/data/image_batches.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

namespace adjoint::data {
namespace {

// Image i is full of i + 1, and its label is i.
ImageSet numbered(int64_t count, int64_t size = 4) {
  ImageSet set{empty({count, 1, size, size}, DType::u8), arange(count), count};
  for (int64_t i = 0; i < count; ++i) {
    uint8_t* const at = set.images.mutable_data<uint8_t>() + i * size * size;
    std::fill(at, at + size * size, static_cast<uint8_t>(i + 1));
  }
  return set;
}

TEST(ImageBatches, APassSeesEveryImageOnceInItsOwnOrder) {
  const ImageBatches batches(numbered(11), {.batch_size = 5, .seed = 3, .shuffle = true});
  EXPECT_EQ(batches.size(), 2);
  std::set<std::vector<int64_t>> orders;
  for (int64_t pass = 0; pass < 4; ++pass) {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < 2; ++i) {
      const ImageBatch batch = batches.at(2 * pass + i);
      EXPECT_TRUE(equal(batch.labels, batches.at(2 * pass + i).labels));
      for (int64_t row = 0; row < 5; ++row) {
        const auto label = static_cast<int64_t>(batch.labels.select(0, row).item());
        order.push_back(label);
        EXPECT_FLOAT_EQ(static_cast<float>(batch.images.select(0, row).max().item()),
                        static_cast<float>(label + 1) / 255);
      }
    }
    EXPECT_EQ(std::set<int64_t>(order.begin(), order.end()).size(), 10U);
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 4U);
  const ImageBatches other(numbered(11), {.batch_size = 5, .seed = 4, .shuffle = true});
  EXPECT_FALSE(equal(other.at(0).labels, batches.at(0).labels));
}

TEST(ImageBatches, InOrderWithAShortLastOne) {
  const ImageBatches batches(numbered(7), {.batch_size = 3});
  EXPECT_EQ(batches.size(), 3);
  EXPECT_TRUE(equal(batches.at(0).labels, arange(3)));
  EXPECT_TRUE(equal(batches.at(2).labels, tensor<int64_t>({6})));
  EXPECT_THROW(batches.at(3), IndexError);
}

TEST(ImageBatches, Normalises) {
  const ImageSet set = numbered(3);
  const ChannelStatistics found = channel_statistics(set.images);
  ASSERT_EQ(found.mean.size(), 1U);
  EXPECT_NEAR(found.mean[0], 2.0 / 255, 1e-12);
  EXPECT_NEAR(found.std[0], std::max(std::sqrt(2.0 / 3), 1.0) / 255, 1e-12);
  const ImageBatches batches(set, {.batch_size = 3, .mean = found.mean, .std = {0.5}});
  EXPECT_NEAR(batches.at(0).images.select(0, 2).mean().item(), 1.0 / 255 / 0.5, 1e-7);
}

// Every shift, flipped or not, comes up, and is what moving the image by hand gives.
TEST(ImageBatches, CropsAndFlips) {
  constexpr int64_t kSize = 3;
  ImageSet set{arange(kSize * kSize).to(DType::u8).view({1, 1, kSize, kSize}) + 1,
               zeros({1}, DType::i64), 1};
  set.images = set.images.to(DType::u8);
  const ImageBatches batches(
      set, {.batch_size = 1, .seed = 5, .shuffle = true, .crop_padding = 1, .flip = true});
  std::map<std::vector<int64_t>, int> seen;
  for (int64_t step = 0; step < 1800; ++step) {
    std::vector<int64_t> pixels;
    for (const double v : (batches.at(step).images * 255).to(DType::f64).to_vector<double>()) {
      pixels.push_back(std::lround(v));
    }
    ++seen[pixels];
  }
  std::set<std::vector<int64_t>> expected;
  for (int64_t down = -1; down <= 1; ++down) {
    for (int64_t right = -1; right <= 1; ++right) {
      for (const bool flip : {false, true}) {
        std::vector<int64_t> pixels;
        for (int64_t y = 0; y < kSize; ++y) {
          for (int64_t x = 0; x < kSize; ++x) {
            const int64_t row = y + down, column = (flip ? kSize - 1 - x : x) + right;
            const bool in = row >= 0 && row < kSize && column >= 0 && column < kSize;
            pixels.push_back(in ? row * kSize + column + 1 : 0);
          }
        }
        expected.insert(pixels);
      }
    }
  }
  ASSERT_EQ(expected.size(), 18U);
  EXPECT_EQ(seen.size(), 18U);
  for (const auto& [pixels, count] : seen) {
    EXPECT_TRUE(expected.contains(pixels));
    EXPECT_NEAR(count, 100, 45);  // 4.6 standard deviations
  }
}

TEST(ImageBatches, SaysWhatIsWrong) {
  EXPECT_THROW(ImageBatches(numbered(3), {.batch_size = 0}), ConfigError);
  EXPECT_THROW(ImageBatches(numbered(3), {.batch_size = 4, .shuffle = true}), ConfigError);
  EXPECT_THROW(ImageBatches(numbered(3), {.batch_size = 2, .mean = {0, 0}, .std = {1, 1}}),
               ConfigError);
  EXPECT_THROW(ImageBatches({zeros({2, 2}), zeros({2}, DType::i64), 2}, {}), ShapeError);
  EXPECT_THROW(split_last(numbered(3), 3), ConfigError);
  const auto [learnt, examined] = split_last(numbered(5), 2);
  EXPECT_EQ(learnt.images.size(0), 3);
  EXPECT_TRUE(equal(examined.labels, tensor<int64_t>({3, 4})));
}

TEST(Digits, AreAFunctionOfSeedAndNumber) {
  const ImageSet some = render_digits(40, 7), more = render_digits(400, 7);
  EXPECT_EQ(more.images.shape(), (Shape{400, 1, 28, 28}));
  EXPECT_TRUE(equal(more.images.narrow(0, 0, 40), some.images));
  EXPECT_TRUE(equal(more.labels.narrow(0, 0, 40), some.labels));
  EXPECT_FALSE(equal(render_digits(40, 8).images, some.images));
  std::map<int64_t, int> counts;
  for (const int64_t label : more.labels.to_vector<int64_t>()) ++counts[label];
  EXPECT_EQ(counts.size(), 10U);
  for (const auto& [digit, count] : counts) EXPECT_NEAR(count, 40, 30) << digit;
  // Ink on a black ground, in every image.
  for (int64_t i = 0; i < 400; ++i) {
    const double ink = more.images.select(0, i).to(DType::f32).mean().item() / 255;
    EXPECT_GT(ink, 0.01) << i;
    EXPECT_LT(ink, 0.4) << i;
  }
}

}  // namespace
}  // namespace adjoint::data
