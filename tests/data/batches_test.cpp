#include <adjoint/core/error.h>
#include <adjoint/data/batches.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

namespace adjoint::data {
namespace {

std::vector<Token> counting(int count) {
  std::vector<Token> tokens(static_cast<size_t>(count));
  std::iota(tokens.begin(), tokens.end(), 0);
  return tokens;
}

TEST(RandomBatches, TargetsFollowInputs) {
  const std::vector<Token> tokens = counting(50);
  const RandomBatches batches(tokens, 4, 8, 1);
  for (int64_t step = 0; step < 200; ++step) {
    const Batch batch = batches.at(step);
    ASSERT_EQ(batch.inputs.shape(), (Shape{4, 8}));
    const auto inputs = batch.inputs.to_vector<int64_t>();
    const auto targets = batch.targets.to_vector<int64_t>();
    for (size_t i = 0; i < inputs.size(); ++i) {
      ASSERT_EQ(targets[i], inputs[i] + 1);
      if (i % 8 != 0) {
        ASSERT_EQ(inputs[i], inputs[i - 1] + 1);
      }
      ASSERT_LT(targets[i], 50);
    }
  }
}

TEST(RandomBatches, EveryStartIsEquallyLikely) {
  const std::vector<Token> tokens = counting(10);
  const RandomBatches batches(tokens, 10, 5, 3);  // starts 0 to 4
  std::vector<int> counts(5);
  for (int64_t step = 0; step < 1000; ++step) {
    const auto inputs = batches.at(step).inputs.to_vector<int64_t>();
    for (size_t row = 0; row < 10; ++row) ++counts[static_cast<size_t>(inputs[row * 5])];
  }
  // 10000 draws of probability 1/5: a standard deviation of 40.
  for (const int count : counts) EXPECT_NEAR(count, 2000, 200);
}

// Every piece of a pass comes up once, also where a batch reaches into the next pass.
TEST(RandomBatches, APassSeesEveryTokenOnce) {
  for (const int count : {12, 13, 101, 1000}) {
    const std::vector<Token> tokens = counting(count);
    const int64_t length = 4, windows = (count - length) / length;
    const RandomBatches batches(tokens, 3, length, 9);
    std::vector<int64_t> starts;
    for (int64_t step = 0; step < 5 * windows; ++step) {
      const auto inputs = batches.at(step).inputs.to_vector<int64_t>();
      for (size_t row = 0; row < 3; ++row) starts.push_back(inputs[row * 4]);
    }
    std::set<std::vector<int64_t>> orders;
    for (int64_t pass = 0; pass < 15; ++pass) {
      const auto begin = starts.begin() + pass * windows;
      std::vector<int64_t> own(begin, begin + windows), sorted = own;
      std::sort(sorted.begin(), sorted.end());
      for (size_t i = 1; i < sorted.size(); ++i) ASSERT_EQ(sorted[i], sorted[i - 1] + length);
      orders.insert(own);
    }
    // By chance two passes over two windows are alike; over many they are not.
    EXPECT_GT(orders.size(), windows > 20 ? 14U : 4U);
  }
}

TEST(RandomBatches, AreAFunctionOfSeedAndStep) {
  const std::vector<Token> tokens = counting(1000);
  const auto at = [&](uint64_t seed, int64_t step) {
    return RandomBatches(tokens, 3, 7, seed).at(step).inputs.to_vector<int64_t>();
  };
  EXPECT_EQ(at(1, 5), at(1, 5));
  EXPECT_NE(at(1, 5), at(1, 6));
  EXPECT_NE(at(1, 5), at(2, 5));
}

TEST(RandomBatches, NeedALongerTextThanTheContext) {
  const std::vector<Token> tokens = counting(8);
  EXPECT_NO_THROW(RandomBatches(tokens, 1, 7, 0).at(0));
  try {
    RandomBatches(tokens, 1, 8, 0);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("a context of 8 tokens is longer than the text"),
              std::string::npos);
  }
  EXPECT_THROW(RandomBatches(tokens, 0, 4, 0), ConfigError);
  EXPECT_THROW(RandomBatches(tokens, 1, 0, 0), ConfigError);
}

TEST(SequentialBatches, EveryTokenIsATargetOnce) {
  for (int count = 2; count < 40; ++count) {
    const std::vector<Token> tokens = counting(count);
    for (int64_t batch_size : {1, 2, 3}) {
      for (int64_t seq_len : {1, 4, 5, 64}) {
        const SequentialBatches batches(tokens, batch_size, seq_len);
        std::vector<int64_t> targets;
        for (int64_t i = 0; i < batches.size(); ++i) {
          const Batch batch = batches.at(i);
          const auto inputs = batch.inputs.to_vector<int64_t>();
          const auto next = batch.targets.to_vector<int64_t>();
          for (size_t j = 0; j < next.size(); ++j) ASSERT_EQ(next[j], inputs[j] + 1);
          targets.insert(targets.end(), next.begin(), next.end());
        }
        std::vector<int64_t> expected(static_cast<size_t>(count - 1));
        std::iota(expected.begin(), expected.end(), 1);
        ASSERT_EQ(targets, expected) << count << " " << batch_size << " " << seq_len;
        ASSERT_EQ(batches.targets(), count - 1);
        ASSERT_THROW(batches.at(batches.size()), IndexError);
      }
    }
  }
  const std::vector<Token> one = counting(1);
  EXPECT_THROW(SequentialBatches(one, 1, 1), ConfigError);
}

}  // namespace
}  // namespace adjoint::data
