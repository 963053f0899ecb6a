#include "core/tensor/allocator.h"

#include <adjoint/core/error.h>
#include <adjoint/core/memory.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <mutex>

#include "core/tensor/asan.h"
#include "core/tensor/large_blocks.h"
#include "core/tensor/system_memory.h"

namespace adjoint {
namespace {

constexpr size_t kAlignment = 64;
// Activations of a few hundred KiB belong to the blocks that are joined again: in classes of their
// own they kept 90 MiB of a 124M model's step from its gradients.
constexpr size_t kLargestSmall = size_t{256} << 10;
// 64 bytes to 256 KiB in four classes a doubling: 64 80 96 112 would break the alignment, so
// classes below 256 are multiples of 64.
constexpr int kClasses = 4 + 10 * 4;
// What one thread keeps of one class: bounded in bytes and in blocks.
constexpr size_t kCachedBytes = size_t{4} << 20;
constexpr uint32_t kCachedBlocks = 1024;

// A free block. It lives in the block itself.
struct Block {
  Block* next;
};

int class_of(size_t bytes) {
  if (bytes <= 256) return bytes == 0 ? 0 : static_cast<int>((bytes - 1) / kAlignment);
  const int log = static_cast<int>(std::bit_width(bytes - 1)) - 1;  // 2^log < bytes <= 2^(log + 1)
  const auto quarter = static_cast<int>((bytes - 1) >> (log - 2)) & 3;
  return 4 + (log - 8) * 4 + quarter;
}

// What a thread needs to know of each class, worked out once: a division costs as much as the rest.
struct ClassTable {
  size_t bytes[kClasses];
  uint32_t limit[kClasses];  // the most blocks of it that one thread keeps

  constexpr ClassTable() : bytes(), limit() {
    for (int i = 0; i < kClasses; ++i) {
      const int log = 8 + (i - 4) / 4;
      const size_t quarter = static_cast<size_t>(i < 4 ? 0 : (i - 4) % 4) + 1;
      bytes[i] = i < 4 ? kAlignment * (static_cast<size_t>(i) + 1)
                       : (size_t{1} << log) + (quarter << (log - 2));
      const size_t blocks = kCachedBytes / bytes[i];
      limit[i] = blocks > kCachedBlocks ? kCachedBlocks : static_cast<uint32_t>(blocks);
    }
  }
};
constexpr ClassTable kClassTable;

void poison(void* memory, size_t bytes) {
  forbid(static_cast<char*>(memory) + sizeof(Block), bytes - sizeof(Block));
}
void unpoison(void* memory, size_t block_bytes, size_t bytes) {
  allow(memory, bytes);
  forbid(static_cast<char*>(memory) + bytes, block_bytes - bytes);
}

// What all threads share. Never destroyed: tensors may outlive every static object.
struct Shared {
  struct List {
    std::mutex mutex;
    Block* head = nullptr;
  };
  List lists[kClasses];

  SystemPages system;
  LargeBlocks large{system};

  std::mutex chunk_mutex;
  char* chunk = nullptr;  // the rest of the huge page that small blocks are cut from
  size_t chunk_left = 0;

  std::atomic<int64_t> current{0}, peak{0};

  void count(int64_t bytes) {
    const int64_t now = current.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    int64_t seen = peak.load(std::memory_order_relaxed);
    while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {}
  }

  void* cut(size_t bytes) {
    std::lock_guard lock(chunk_mutex);
    if (chunk_left < bytes) {
      auto* fresh = static_cast<char*>(system.take(kHugePage));
      if (fresh == nullptr) return nullptr;
      chunk = fresh;
      chunk_left = kHugePage;
    }
    void* memory = chunk;
    chunk += bytes;
    chunk_left -= bytes;
    return memory;
  }

  // Takes up to `wanted` blocks of a class; a chain, with its length in `got`.
  Block* take(int index, uint32_t wanted, uint32_t& got) {
    List& list = lists[index];
    std::lock_guard lock(list.mutex);
    Block* head = list.head;
    Block* last = nullptr;
    got = 0;
    for (Block* b = head; b != nullptr && got < wanted; b = b->next, ++got) last = b;
    if (last == nullptr) return nullptr;
    list.head = last->next;
    last->next = nullptr;
    return head;
  }

  void give(int index, Block* first, Block* last) {
    List& list = lists[index];
    std::lock_guard lock(list.mutex);
    last->next = list.head;
    list.head = first;
  }
};

Shared& shared() {
  static auto* instance = new Shared;
  return *instance;
}

// The calling thread's free blocks. Plain data, so it is usable before construction and after
// destruction of other thread-local objects; `Guard` hands the blocks back when the thread ends.
struct Cache {
  struct List {
    Block* head;
    uint32_t count;
  };
  List lists[kClasses];
  int64_t uncounted;  // bytes not yet added to the shared figure
  bool guarded, closed;
};
thread_local Cache cache{};

struct Guard {
  ~Guard() {
    for (int i = 0; i < kClasses; ++i) {
      Block* first = cache.lists[i].head;
      if (first == nullptr) continue;
      Block* last = first;
      while (last->next != nullptr) last = last->next;
      shared().give(i, first, last);
      cache.lists[i] = {};
    }
    shared().count(cache.uncounted);
    cache.uncounted = 0;
    cache.closed = true;
  }
};

[[gnu::noinline]] void guard_thread() {
  cache.guarded = true;
  thread_local Guard guard;
  (void)guard;
}

void count(int64_t bytes) {
  cache.uncounted += bytes;
  if (cache.uncounted > (1 << 16) || cache.uncounted < -(1 << 16) || cache.closed) {
    shared().count(cache.uncounted);
    cache.uncounted = 0;
  }
}

[[gnu::noinline]] Block* refill(int index, size_t bytes) {
  if (!cache.guarded && !cache.closed) guard_thread();
  const uint32_t wanted = cache.closed ? 1 : kClassTable.limit[index] / 2;
  uint32_t got = 0;
  Block* head = shared().take(index, wanted, got);
  if (head == nullptr) {
    void* memory = shared().cut(bytes);
    if (memory == nullptr) return nullptr;
    head = static_cast<Block*>(memory);
    head->next = nullptr;
    got = 1;
  }
  cache.lists[index] = {head->next, got - 1};
  return head;
}

[[gnu::noinline]] void spill(int index) {
  Cache::List& list = cache.lists[index];
  // Keeps the older half: the newer blocks are at the front and go to whoever needs them.
  const uint32_t keep = cache.closed ? 0 : list.count / 2;
  Block* first = list.head;
  Block* last = first;
  for (uint32_t i = 1; i < list.count - keep; ++i) last = last->next;
  list.head = last->next;
  list.count = keep;
  shared().give(index, first, last);
}

}  // namespace

void* allocate(size_t bytes) {
  void* memory = nullptr;
  if (bytes <= kLargestSmall) {
    const int index = class_of(bytes);
    const size_t block_bytes = kClassTable.bytes[index];
    Cache::List& list = cache.lists[index];
    Block* block = list.head;
    if (block != nullptr) {
      list.head = block->next;
      --list.count;
    } else {
      block = refill(index, block_bytes);
    }
    memory = block;
    if (memory != nullptr) {
      unpoison(memory, block_bytes, bytes);
      count(static_cast<int64_t>(block_bytes));
      return memory;
    }
  } else if (bytes <= (size_t{1} << 62)) {
    memory = shared().large.take(bytes);
    if (memory == nullptr) {
      shared().large.release();
      memory = shared().large.take(bytes);
    }
    if (memory != nullptr) {
      allow(memory, bytes);
      count(static_cast<int64_t>(LargeBlocks::block_bytes(bytes)));
      return memory;
    }
  }
  fail<Error>("memory: out of memory: asked for ", bytes, " bytes with ", memory_stats().current,
              " in use; expected enough free memory; use a smaller batch or model");
}

void deallocate(void* memory, size_t bytes) noexcept {
  if (memory == nullptr) return;
  if (bytes > kLargestSmall) {
    shared().large.give(memory);
    count(-static_cast<int64_t>(LargeBlocks::block_bytes(bytes)));
    return;
  }
  const int index = class_of(bytes);
  const size_t block_bytes = kClassTable.bytes[index];
  if (!cache.guarded && !cache.closed) guard_thread();
  unpoison(memory, block_bytes, sizeof(Block));
  auto* block = static_cast<Block*>(memory);
  Cache::List& list = cache.lists[index];
  block->next = list.head;
  list.head = block;
  ++list.count;
  poison(memory, block_bytes);
  count(-static_cast<int64_t>(block_bytes));
  if (list.count > kClassTable.limit[index] || cache.closed) [[unlikely]] {
    spill(index);
  }
}

MemoryStats memory_stats() {
  Shared& s = shared();
  s.count(cache.uncounted);
  cache.uncounted = 0;
  return {s.current.load(), s.peak.load(), s.system.reserved.load(), s.system.calls.load()};
}

void reset_peak_memory() { shared().peak.store(memory_stats().current); }

void empty_cache() { shared().large.release(); }

}  // namespace adjoint
