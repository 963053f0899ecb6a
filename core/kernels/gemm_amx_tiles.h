// The tile registers of AMX, as the products of gemm_amx.h see them. For kernel sources only.
//
// tests/core/emulated_tiles.h has the same in plain C++, for machines without.
#pragma once

#include <cstdint>

#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Eight registers of 16 rows by 64 bytes, configured while it lives: a thread that goes on without
// them would have them saved, 8 KiB, whenever it is interrupted.
//
// Written as assembly: the headers' macros take a register's number as text only, their loads are
// not ordered after the stores before them, and g++ 12's configuration reads 8 of its 64 bytes.
class NativeTiles {
 public:
  NativeTiles() {
    alignas(64) Configuration configuration = {};
    configuration.palette = 1;
    for (int t = 0; t < 8; ++t) {
      configuration.row_bytes[t] = 64;
      configuration.rows[t] = 16;
    }
    asm volatile("ldtilecfg %0" ::"m"(configuration));
  }
  ~NativeTiles() { asm volatile("tilerelease"); }
  NativeTiles(const NativeTiles&) = delete;
  NativeTiles& operator=(const NativeTiles&) = delete;

  template <int t>
  ADJOINT_INLINE void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(t));
  }
  // 16 rows of 64 bytes, `stride` bytes apart.
  template <int t>
  ADJOINT_INLINE void load(const float* from, int64_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(stride), "i"(t) : "memory");
  }
  template <int t>
  ADJOINT_INLINE void store(float* to, int64_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(stride), "i"(t) : "memory");
  }
  // c[i][j] += sum over k of a[i][k] b[k / 2][j][k % 2], for 16 by 16 f32 and 32 bf16 each.
  template <int c, int a, int b>
  ADJOINT_INLINE void dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(c), "i"(a), "i"(b));
  }

 private:
  struct Configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
  };
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
