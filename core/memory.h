// Memory: what the caching allocator holds.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adjoint {

struct MemoryStats {
  int64_t current;       // bytes in use
  int64_t peak;          // the most bytes ever in use since the last reset_peak_memory()
  int64_t reserved;      // bytes taken from the system, in use or cached
  int64_t system_calls;  // how often the system was asked for memory or given some back
};

// Figures of the whole process. What other threads allocated in the last moments, up to 64 KiB for
// each, may be missing from `current`.
MemoryStats memory_stats();
void reset_peak_memory();

// Gives cached blocks above 256 KiB back to the system. Where blocks in use lie between them only
// their pages go, and the addresses stay counted as reserved.
void empty_cache();

}  // namespace adjoint
