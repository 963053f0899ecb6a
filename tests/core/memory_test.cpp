// The caching allocator.
#include <adjoint/core/error.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/tensor/allocator.h"
#include "core/tensor/thread_pool.h"

namespace adjoint {
namespace {

TEST(Memory, BlocksAreAlignedAndApart) {
  struct Block {
    char* memory;
    size_t bytes;
  };
  std::vector<Block> blocks;
  for (size_t bytes = 1; bytes < (size_t{6} << 20); bytes = bytes * 5 / 4 + 1) {
    for (int i = 0; i < 3; ++i) {
      auto* memory = static_cast<char*>(allocate(bytes));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(memory) % 64, 0U) << bytes;
      std::memset(memory, static_cast<int>(blocks.size() & 0x7f), bytes);
      blocks.push_back({memory, bytes});
    }
  }
  for (size_t i = 0; i < blocks.size(); ++i) {
    EXPECT_EQ(blocks[i].memory[0], static_cast<char>(i & 0x7f));
    EXPECT_EQ(blocks[i].memory[blocks[i].bytes - 1], static_cast<char>(i & 0x7f));
    deallocate(blocks[i].memory, blocks[i].bytes);
  }
}

TEST(Memory, FreedMemoryIsReused) {
  const auto cycle = [] {
    for (size_t bytes : {64UL, 1000UL, 100'000UL, 3UL << 20, 9UL << 20}) {
      deallocate(allocate(bytes), bytes);
    }
  };
  cycle();
  const int64_t calls = memory_stats().system_calls;
  for (int i = 0; i < 100; ++i) cycle();
  EXPECT_EQ(memory_stats().system_calls, calls);
}

TEST(Memory, StatsFollowUse) {
  const int64_t before = memory_stats().current;
  reset_peak_memory();
  {
    const Tensor x = empty({1 << 20});
    EXPECT_GE(memory_stats().current - before, int64_t{4} << 20);
  }
  EXPECT_LT(memory_stats().current - before, int64_t{1} << 20);
  EXPECT_GE(memory_stats().peak - before, int64_t{4} << 20);
  EXPECT_GE(memory_stats().reserved, memory_stats().current);
  empty_cache();
}

TEST(Memory, WhatOneThreadFreesAnotherGets) {
  // A producer allocates, this thread frees: the shared lists must feed the producer again.
  const int64_t before = memory_stats().reserved;
  for (int round = 0; round < 50; ++round) {
    std::vector<void*> blocks;
    std::thread producer([&] {
      for (int i = 0; i < 200; ++i) blocks.push_back(allocate(50'000));
    });
    producer.join();
    for (void* block : blocks) deallocate(block, 50'000);
  }
  EXPECT_LT(memory_stats().reserved - before, int64_t{64} << 20);
}

TEST(Memory, LargeBlocksCostWhatTheyHave) {
  const int64_t before = memory_stats().current;
  const size_t bytes = (size_t{9} << 20) / 4;
  void* memory = allocate(bytes);
  EXPECT_GE(memory_stats().current - before, static_cast<int64_t>(bytes));
  EXPECT_LE(memory_stats().current - before, static_cast<int64_t>(bytes) + (32 << 10));
  deallocate(memory, bytes);
  EXPECT_EQ(memory_stats().current, before);
}

TEST(Memory, FreeNeighboursAreJoined) {
  // Nine blocks of 7 MiB fill a region of 64 MiB; freed in any order they make room for one.
  constexpr size_t kPart = size_t{7} << 20, kWhole = size_t{63} << 20;
  empty_cache();
  std::vector<int> order = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  for (int round = 0; round < 20; ++round) {
    std::next_permutation(order.begin(), order.end());
    std::rotate(order.begin(), order.begin() + round % 9, order.end());
    void* parts[9];
    for (void*& part : parts) part = allocate(kPart);
    for (const int i : order) deallocate(parts[i], kPart);
    const int64_t calls = memory_stats().system_calls;
    void* whole = allocate(kWhole);
    EXPECT_EQ(memory_stats().system_calls, calls) << round;
    deallocate(whole, kWhole);
  }
  const int64_t reserved = memory_stats().reserved;
  empty_cache();
  EXPECT_LE(memory_stats().reserved, reserved - static_cast<int64_t>(kWhole));
}

TEST(Memory, TheLastBlockFreedIsTheFirstGiven) {
  constexpr size_t kBytes = size_t{3} << 20;
  void* blocks[3];
  for (void*& block : blocks) block = allocate(kBytes);
  for (void* block : blocks) deallocate(block, kBytes);
  for (int i = 2; i >= 0; --i) EXPECT_EQ(allocate(kBytes), blocks[i]) << i;
  for (void* block : blocks) deallocate(block, kBytes);
}

TEST(Memory, BlocksOfManySizesAndThreadsStayApart) {
  // Every block is filled with a number of its own, which must be there when it is freed, by
  // another thread than the one that took it half of the time.
  struct Held {
    unsigned char* memory;
    size_t bytes;
    unsigned char mark;
  };
  std::mutex mutex;
  std::vector<Held> shared;
  std::atomic<int> wrong{0};
  const auto work = [&](uint32_t seed) {
    std::vector<Held> own;
    const auto drop = [&wrong](const Held& h) {
      for (const size_t at : {size_t{0}, h.bytes / 2, h.bytes - 1}) {
        if (h.memory[at] != h.mark) ++wrong;
      }
      deallocate(h.memory, h.bytes);
    };
    for (int i = 0; i < 2000; ++i) {
      seed = seed * 1664525 + 1013904223;
      const size_t bytes = (size_t{1} << (10 + seed % 14)) + (seed >> 8) % 100'000;
      const auto mark = static_cast<unsigned char>(seed >> 24);
      auto* memory = static_cast<unsigned char*>(allocate(bytes));
      for (const size_t at : {size_t{0}, bytes / 2, bytes - 1}) memory[at] = mark;
      own.push_back({memory, bytes, mark});
      if (i % 2 == 0) {
        const std::lock_guard lock(mutex);
        shared.push_back(own.back());
        own.pop_back();
      }
      if (own.size() > 8) {
        const size_t pick = (seed >> 4) % own.size();
        drop(own[pick]);
        own.erase(own.begin() + static_cast<std::ptrdiff_t>(pick));
      }
      std::unique_lock lock(mutex);
      if (shared.size() > 8) {
        const Held h = shared.front();
        shared.erase(shared.begin());
        lock.unlock();
        drop(h);
      }
    }
    for (const Held& h : own) drop(h);
  };
  const int64_t before = memory_stats().current;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t) threads.emplace_back(work, t + 1);
  for (std::thread& thread : threads) thread.join();
  for (const Held& h : shared) deallocate(h.memory, h.bytes);
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(memory_stats().current, before);
  empty_cache();
}

TEST(Memory, ImpossibleRequestsAreErrors) {
  try {
    allocate(size_t{1} << 61);
    FAIL() << "2^61 bytes were allocated";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("2305843009213693952"), std::string::npos)
        << error.what();
  }
}

// What a kernel does: it is compiled without exceptions, so nothing of its own is undone.
struct MemoryEnds {};
void two_buffers(const kernels::Exec& exec) {
  void* first = exec.acquire(3 << 20);
  std::memset(first, 0, 3 << 20);
  throw MemoryEnds();  // as acquire() does
}

TEST(Memory, ScratchOfAKernelThatThrowsIsFreed) {
  const int64_t before = memory_stats().current;
  {
    const KernelScope outer;
    const kernels::Exec& exec = outer;
    void* kept = exec.acquire(1 << 20);
    const int64_t with_kept = memory_stats().current;
    EXPECT_GE(with_kept - before, 1 << 20);
    EXPECT_THROW(two_buffers(KernelScope()), MemoryEnds);
    EXPECT_EQ(memory_stats().current, with_kept);  // the outer scope's block is still its own
    // Given back in any order, twice over.
    void* blocks[3];
    for (int round = 0; round < 2; ++round) {
      for (void*& block : blocks) block = exec.acquire(4096);
      for (int i : {1, 0, 2}) exec.release(blocks[i]);
    }
    EXPECT_EQ(memory_stats().current, with_kept);
    exec.release(kept);
    exec.release(nullptr);
    exec.acquire(4096);  // left to the scope
  }
  EXPECT_EQ(memory_stats().current, before);
}

}  // namespace
}  // namespace adjoint
