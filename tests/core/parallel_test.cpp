// The thread pool.
#include <adjoint/core/autograd.h>
#include <adjoint/core/error.h>
#include <adjoint/core/parallel.h>
#include <gtest/gtest.h>

#include <atomic>
#include <limits>
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

// Tasks that wait until two threads are at it, so that workers take part.
template <class F>
void on_all_threads(F&& f) {
  std::atomic<int> arrived{0};
  const int wanted = num_threads() > 1 ? 2 : 1;
  parallel_for(8, [&](int64_t task) {
    ++arrived;
    while (arrived < wanted) std::this_thread::yield();
    f(task);
  });
}

TEST_P(Parallel, TasksRecordAsTheCallerDoes) {
  for (const bool enabled : {false, true}) {
    const bool before = grad_enabled();
    set_grad_enabled(enabled);
    std::atomic<int> alike{0};
    on_all_threads([&](int64_t task) {
      if (grad_enabled() == enabled) ++alike;
      // For this task alone: neither the next one nor the caller sees it.
      if (task % 2 == 0) set_grad_enabled(!enabled);
    });
    EXPECT_EQ(alike, 8) << enabled;
    EXPECT_EQ(grad_enabled(), enabled);
    EXPECT_THROW(on_all_threads([&](int64_t) {
                   set_grad_enabled(!enabled);
                   throw std::runtime_error("task");
                 }),
                 std::runtime_error);
    EXPECT_EQ(grad_enabled(), enabled);
    set_grad_enabled(before);
  }
  // What workers keep is their own: nothing of the job before is left.
  std::atomic<int> recording{0};
  on_all_threads([&](int64_t) { recording += grad_enabled() ? 1 : 0; });
  EXPECT_EQ(recording, 8);
}

TEST_P(Parallel, TasksFlushDenormalsOnEveryThread) {
  const volatile float small = std::numeric_limits<float>::min();
  const auto half_is_zero = [&small] { return small * 0.5f == 0; };
  ASSERT_FALSE(half_is_zero());
  std::atomic<int> flushed{0};
  on_all_threads([&](int64_t) { flushed += half_is_zero() ? 1 : 0; });
  EXPECT_EQ(flushed, 8);
  EXPECT_FALSE(half_is_zero()) << "the caller's mode was not restored";
  parallel_for(1, [&](int64_t) { flushed += half_is_zero() ? 1 : 0; });
  EXPECT_EQ(flushed, 9);
  EXPECT_THROW(parallel_for(4, [](int64_t) { throw std::runtime_error("task"); }),
               std::runtime_error);
  EXPECT_FALSE(half_is_zero()) << "the caller's mode was not restored after an exception";
}

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 4));

TEST(ParallelSettings, Errors) {
  EXPECT_THROW(set_num_threads(0), ConfigError);
  EXPECT_THROW(set_num_threads(1025), ConfigError);
  EXPECT_GE(num_threads(), 1);
}

}  // namespace
}  // namespace adjoint
