// Pages from the operating system; another system is a matter of this one file and its twin.
#pragma once

#include <cstddef>

namespace adjoint {

inline constexpr size_t kHugePage = size_t{2} << 20;

// `bytes` (a multiple of kHugePage) of zeroed memory aligned to kHugePage, on huge pages where the
// system grants them; nullptr when there is no more.
void* system_allocate(size_t bytes) noexcept;
void system_free(void* memory, size_t bytes) noexcept;

// Gives back the huge pages that lie wholly inside; the addresses stay, their contents do not.
void system_discard(void* memory, size_t bytes) noexcept;

}  // namespace adjoint
