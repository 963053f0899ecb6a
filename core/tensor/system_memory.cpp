#include "core/tensor/system_memory.h"

#include <sys/mman.h>

#include <cstdint>

namespace adjoint {

void* system_allocate(size_t bytes) noexcept {
  // One page too many, then the unaligned ends are given back.
  const size_t reserve = bytes + kHugePage;
  if (reserve < bytes) return nullptr;
  void* memory = mmap(nullptr, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  auto* start = static_cast<char*>(memory);
  const size_t head = (kHugePage - reinterpret_cast<uintptr_t>(start) % kHugePage) % kHugePage;
  if (head > 0) munmap(start, head);
  if (head < kHugePage) munmap(start + head + bytes, kHugePage - head);
#ifdef MADV_HUGEPAGE
  madvise(start + head, bytes, MADV_HUGEPAGE);
#endif
  return start + head;
}

void system_free(void* memory, size_t bytes) noexcept { munmap(memory, bytes); }

void system_discard(void* memory, size_t bytes) noexcept {
  const auto from = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t first = (from + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t last = (from + bytes) / kHugePage * kHugePage;
  if (first < last) {
    madvise(static_cast<char*>(memory) + (first - from), last - first, MADV_DONTNEED);
  }
}

}  // namespace adjoint
