// The caching allocator under every tensor, graph node and scratch buffer.
//
// Blocks are aligned to 64 bytes. Up to 256 KiB they come in size classes, four to a doubling, from
// caches of the calling thread that spill to shared lists (a loader thread allocates what the main
// thread frees); above, in granules of 16 KiB, cut out of regions on huge pages and joined again
// (see Note [Large blocks]). Nothing goes back to the system until empty_cache(), so a training
// step in steady state asks it for nothing. Safe from any thread, after a thread's caches are gone,
// and in static destruction.
#pragma once

#include <cstddef>

namespace adjoint {

// At least `bytes` bytes, uninitialised. Throws Error naming the request when memory ends.
void* allocate(size_t bytes);

// REQUIRES: memory came from allocate(bytes) with the same number.
void deallocate(void* memory, size_t bytes) noexcept;

// Scratch for the length of a scope.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : memory_(allocate(bytes)), bytes_(bytes) {}
  ~Scratch() { deallocate(memory_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* get() const { return memory_; }

 private:
  void* memory_;
  size_t bytes_;
};

}  // namespace adjoint
