#include "core/tensor/large_blocks.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/tensor/asan.h"
#include "core/tensor/system_memory.h"

namespace adjoint {
namespace {

constexpr size_t kGranule = size_t{16} << 10;
// What is taken from the system at once at least: pages that nobody touches cost nothing, and what
// lies in one region can be joined.
constexpr size_t kRegion = size_t{64} << 20;
// Once cut, a block above a region's size is seldom whole again: the gradient of a 124M model's
// embedding, freed between two steps, would lose its place to the logits.
constexpr size_t kGiant = kRegion / kGranule;
// Larger blocks than that are not found in a cache again.
constexpr size_t kWarm = (size_t{8} << 20) / kGranule;

constexpr size_t round_up(size_t value, size_t step) { return (value + step - 1) / step * step; }

// Sizes in granules: one list each below 8, then eight to a doubling.
int bin_of(size_t granules) {
  if (granules < 8) return static_cast<int>(granules);
  const int log = static_cast<int>(std::bit_width(granules)) - 1;
  return std::min(8 + (log - 3) * 8 + static_cast<int>(granules >> (log - 3) & 7), 255);
}

}  // namespace

void* SystemPages::take(size_t bytes) noexcept {
  void* memory = system_allocate(bytes);
  calls.fetch_add(1, std::memory_order_relaxed);
  if (memory == nullptr) return nullptr;
  reserved.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed);
#ifdef ADJOINT_ASAN
  __lsan_register_root_region(memory, bytes);
#endif
  return memory;
}

void SystemPages::give(void* memory, size_t bytes) noexcept {
#ifdef ADJOINT_ASAN
  __lsan_unregister_root_region(memory, bytes);
#endif
  allow(memory, bytes);
  system_free(memory, bytes);
  calls.fetch_add(1, std::memory_order_relaxed);
  reserved.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}

struct alignas(64) LargeBlocks::Header {
  size_t granules;
  size_t before;            // the granules of the block before it in the region; 0 for the first
  bool last;                // of the region
  bool free;                // and in a list
  Header *next, *previous;  // in the list

  Header* after() const {
    auto* at = reinterpret_cast<char*>(const_cast<Header*>(this));
    return last ? nullptr : reinterpret_cast<Header*>(at + granules * kGranule);
  }
  Header* neighbour_before() {
    auto* at = reinterpret_cast<char*>(this);
    return before == 0 ? nullptr : reinterpret_cast<Header*>(at - before * kGranule);
  }
  void* memory() { return this + 1; }
  void forbid_memory() { forbid(this + 1, granules * kGranule - sizeof(Header)); }
};

size_t LargeBlocks::block_bytes(size_t bytes) { return round_up(bytes + sizeof(Header), kGranule); }

void* LargeBlocks::take(size_t bytes) noexcept {
  const size_t granules = block_bytes(bytes) / kGranule;
  const std::lock_guard lock(mutex_);
  for (int i = recent_count_ - 1; i >= 0; --i) {
    if (recent_[i].granules != granules) continue;
    Header* block = recent_[i].block;
    std::copy(recent_ + i + 1, recent_ + recent_count_, recent_ + i);
    --recent_count_;
    return block->memory();
  }
  Header* block = find(granules);
  if (block == nullptr && recent_count_ > 0) {
    flush_recent();
    block = find(granules);
  }
  if (block == nullptr) block = grow(granules);
  if (block == nullptr) block = find(granules, true);
  return block == nullptr ? nullptr : cut(block, granules);
}

void LargeBlocks::give(void* memory) noexcept {
  Header* block = static_cast<Header*>(memory) - 1;
  const std::lock_guard lock(mutex_);
  block->forbid_memory();
  if (block->granules > kWarm) {
    join(block);
    return;
  }
  if (recent_count_ == kRecent) {
    join(recent_[0].block);
    std::copy(recent_ + 1, recent_ + kRecent, recent_);
    --recent_count_;
  }
  recent_[recent_count_++] = {block, block->granules};
}

void LargeBlocks::release() noexcept {
  const std::lock_guard lock(mutex_);
  flush_recent();
  for (Header*& bin : bins_) {
    for (Header* block = bin; block != nullptr;) {
      Header* const next = block->next;
      const size_t bytes = block->granules * kGranule;
      if (block->before == 0 && block->last) {
        remove(block);
        system_.give(block, bytes);
      } else if (bytes > kHugePage) {
        // Its region has others: the pages go and the addresses stay.
        system_discard(block->memory(), bytes - sizeof(Header));
        system_.calls.fetch_add(1, std::memory_order_relaxed);
      }
      block = next;
    }
  }
}

// The smallest free block of so many granules or more: lists are in the order of sizes. A giant is
// for another giant, unless memory ends.
LargeBlocks::Header* LargeBlocks::find(size_t granules, bool break_giants) {
  for (int bin = bin_of(granules); bin < kBins; ++bin) {
    const uint64_t rest = filled_[bin / 64] >> (bin % 64);
    if (rest == 0) {
      bin |= 63;
      continue;
    }
    bin += std::countr_zero(rest);
    Header* best = nullptr;
    for (Header* block = bins_[bin]; block != nullptr; block = block->next) {
      if (block->granules < granules) continue;
      if (block->granules > kGiant && granules < block->granules / 2 && !break_giants) continue;
      if (best == nullptr || block->granules < best->granules) best = block;
    }
    if (best != nullptr) {
      remove(best);
      return best;
    }
  }
  return nullptr;
}

// A region with one block.
LargeBlocks::Header* LargeBlocks::grow(size_t granules) {
  const size_t least = round_up(granules * kGranule, kHugePage);
  size_t bytes = std::max(least, kRegion);
  void* memory = system_.take(bytes);
  if (memory == nullptr && bytes > least) memory = system_.take(bytes = least);
  if (memory == nullptr) return nullptr;
  auto* block = static_cast<Header*>(memory);
  *block = {bytes / kGranule, 0, true, false, nullptr, nullptr};
  block->forbid_memory();
  return block;
}

// Hands out the front of a block that is in no list, and puts the rest into one.
void* LargeBlocks::cut(Header* block, size_t granules) {
  if (block->granules > granules) {
    auto* rest = reinterpret_cast<Header*>(reinterpret_cast<char*>(block) + granules * kGranule);
    allow(rest, sizeof(Header));
    *rest = {block->granules - granules, granules, block->last, false, nullptr, nullptr};
    if (Header* after = rest->after()) after->before = rest->granules;
    block->granules = granules;
    block->last = false;
    insert(rest);
  }
  return block->memory();
}

void LargeBlocks::join(Header* block) {
  if (Header* after = block->after(); after != nullptr && after->free) {
    remove(after);
    block->granules += after->granules;
    block->last = after->last;
  }
  if (Header* before = block->neighbour_before(); before != nullptr && before->free) {
    remove(before);
    before->granules += block->granules;
    before->last = block->last;
    block = before;
  }
  if (Header* after = block->after()) after->before = block->granules;
  block->forbid_memory();
  insert(block);
}

void LargeBlocks::flush_recent() {
  for (int i = 0; i < recent_count_; ++i) join(recent_[i].block);
  recent_count_ = 0;
}

void LargeBlocks::insert(Header* block) {
  const int bin = bin_of(block->granules);
  block->free = true;
  block->previous = nullptr;
  block->next = bins_[bin];
  if (block->next != nullptr) block->next->previous = block;
  bins_[bin] = block;
  filled_[bin / 64] |= uint64_t{1} << (bin % 64);
}

void LargeBlocks::remove(Header* block) {
  const int bin = bin_of(block->granules);
  block->free = false;
  if (block->next != nullptr) block->next->previous = block->previous;
  (block->previous != nullptr ? block->previous->next : bins_[bin]) = block->next;
  if (bins_[bin] == nullptr) filled_[bin / 64] &= ~(uint64_t{1} << (bin % 64));
}

}  // namespace adjoint
