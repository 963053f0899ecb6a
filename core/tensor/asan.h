// Telling AddressSanitizer what may be touched; nothing in other builds.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define ADJOINT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADJOINT_ASAN 1
#endif
#endif
#ifdef ADJOINT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#endif

namespace adjoint {

inline void forbid([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#ifdef ADJOINT_ASAN
  __asan_poison_memory_region(memory, bytes);
#endif
}
inline void allow([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#ifdef ADJOINT_ASAN
  __asan_unpoison_memory_region(memory, bytes);
#endif
}

}  // namespace adjoint
