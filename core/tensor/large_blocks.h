// Blocks above the size classes: cut out of regions on huge pages, and joined again when they are
// free. See allocator.h.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace adjoint {

// What was taken from the system, and how often it was asked. Safe from any thread.
struct SystemPages {
  std::atomic<int64_t> reserved{0}, calls{0};

  // As system_allocate and system_free; the leak checker is told.
  void* take(size_t bytes) noexcept;
  void give(void* memory, size_t bytes) noexcept;
};

// Note [Large blocks]
// A block is a header of 64 bytes and the memory that is handed out, in granules of 16 KiB: in
// multiples of huge pages the parameters of a 124M model took an eighth more than they have. Blocks
// lie back to back in their region, so a free one is joined with free neighbours; the best fit is
// searched in lists by size. Blocks of a size that caches can hold are first kept as they are, the
// last freed to be handed out first: its lines may still be in the cache.
// Safe from any thread, under one lock: what uses such a block takes a thousand times as long.
class LargeBlocks {
 public:
  explicit LargeBlocks(SystemPages& system) : system_(system) {}

  // The bytes that a block of so many occupies.
  static size_t block_bytes(size_t bytes);
  // nullptr when memory ends. The memory begins at a multiple of 64.
  void* take(size_t bytes) noexcept;
  void give(void* memory) noexcept;
  // Gives the system back what no block is on.
  void release() noexcept;

 private:
  struct Header;
  static constexpr int kBins = 256, kRecent = 32;

  Header* find(size_t granules, bool break_giants = false);
  Header* grow(size_t granules);
  void* cut(Header* block, size_t granules);
  void join(Header* block);
  void flush_recent();
  void insert(Header* block);
  void remove(Header* block);

  SystemPages& system_;
  std::mutex mutex_;
  Header* bins_[kBins] = {};
  uint64_t filled_[kBins / 64] = {};  // a bit for each list that is not empty
  struct Recent {
    Header* block;
    size_t granules;
  };
  Recent recent_[kRecent] = {};  // the last freed at the end
  int recent_count_ = 0;
};

}  // namespace adjoint
