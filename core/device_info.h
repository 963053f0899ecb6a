// What this machine offers to a process.
#pragma once

#include <cstdint>
#include <string>

namespace adjoint {

// The processors that this process may use: the affinity mask, cut by the cgroup's CPU quota.
int available_processors();

// The second-level cache of one core, in bytes; 512 KiB where the system does not tell.
int64_t l2_cache_bytes();

// The instruction set that the kernels use: "scalar", "avx2", "avx512", "amx", "neon".
std::string instruction_set();

// "0.1.0".
const char* version();

}  // namespace adjoint
