#include "core/kernels/tile_permission.h"

#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace adjoint::kernels {

bool permit_tiles() {
#if defined(__linux__) && defined(__x86_64__)
  // Linux's Documentation/arch/x86/xstate.rst: ARCH_REQ_XCOMP_PERM for component 18, TILE_DATA.
  constexpr int kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

}  // namespace adjoint::kernels
