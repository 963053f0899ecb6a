// The thread pool.
#include <adjoint/core/error.h>
#include <adjoint/core/parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

namespace adjoint {
namespace {

class Parallel : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    before_ = num_threads();
    set_num_threads(GetParam());
  }
  void TearDown() override { set_num_threads(before_); }

 private:
  int before_ = 1;
};

TEST_P(Parallel, EveryTaskRunsOnce) {
  for (int64_t tasks : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(tasks));
    parallel_for(tasks, [&](int64_t task) { ++runs[static_cast<size_t>(task)]; });
    for (const auto& count : runs) EXPECT_EQ(count, 1);
  }
}

TEST_P(Parallel, ManyShortJobs) {
  std::atomic<int64_t> total{0};
  for (int i = 0; i < 20'000; ++i) {
    parallel_for(3, [&](int64_t task) { total += task; });
  }
  EXPECT_EQ(total, 60'000);
}

TEST_P(Parallel, NestedJobsRunInline) {
  std::atomic<int> total{0};
  parallel_for(4, [&](int64_t) { parallel_for(5, [&](int64_t) { ++total; }); });
  EXPECT_EQ(total, 20);
}

TEST_P(Parallel, ExceptionsReachTheCaller) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_THROW(parallel_for(100,
                              [](int64_t task) {
                                if (task == 37) throw std::runtime_error("task 37");
                              }),
                 std::runtime_error);
    std::atomic<int> runs{0};
    parallel_for(10, [&](int64_t) { ++runs; });
    EXPECT_EQ(runs, 10);
  }
}

TEST_P(Parallel, CallersFromManyThreads) {
  std::atomic<int64_t> total{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) parallel_for(4, [&](int64_t) { ++total; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(total, 4 * 500 * 4);
}

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 4));

TEST(ParallelSettings, Errors) {
  EXPECT_THROW(set_num_threads(0), ConfigError);
  EXPECT_THROW(set_num_threads(1025), ConfigError);
  EXPECT_GE(num_threads(), 1);
}

}  // namespace
}  // namespace adjoint
