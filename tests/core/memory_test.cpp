// The caching allocator.
#include <adjoint/core/error.h>
#include <adjoint/core/memory.h>
#include <adjoint/core/tensor.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
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
