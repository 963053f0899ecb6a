// The tile registers of AMX in plain C++, as core/kernels/gemm_amx.h uses them: so its products are
// tested on machines without. For stubs only.
#pragma once

#include "core/kernels/gemm_amx_pack.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// TDPBF16PS after Intel's manual: even and odd elements of the sum each in a chain of fma of its
// own, which begins at 0; the two are added, then that to what was there. Denormals count as zero
// and become zero, whatever the thread's mode is. (The intrinsics guide writes
// one chain for all, begun from what was there; core/kernels/README.md says what that would
// change.)
class EmulatedTiles {
 public:
  EmulatedTiles() {
    for (float& x : data_[0]) x = __builtin_nanf("");
    for (int t = 1; t < 8; ++t) __builtin_memcpy(data_[t], data_[0], sizeof data_[t]);
  }
  template <int t>
  void zero() {
    for (float& x : data_[t]) x = 0;
  }
  template <int t>
  void load(const float* from, int64_t stride) {
    for (int i = 0; i < kLines; ++i) {
      __builtin_memcpy(data_[t] + i * kLines, from + i * stride / 4, 64);
    }
  }
  template <int t>
  void store(float* to, int64_t stride) {
    for (int i = 0; i < kLines; ++i) {
      __builtin_memcpy(to + i * stride / 4, data_[t] + i * kLines, 64);
    }
  }
  template <int c, int a, int b>
  void dot() {
    using V = Vec<float>;
    for (int i = 0; i < kLines; ++i) {
      for (int j = 0; j < kLines; j += V::size) {
        V even = 0, odd = 0;
        for (int p = 0; p < kLines; ++p) {
          const VecU32 x = VecU32::bits_of(V(data_[a][i * kLines + p]));
          const VecU32 y = VecU32::bits_of(V::load(data_[b] + p * kLines + j));
          // Products of bf16 are exact in f32: fma or not, it is the same.
          even = flushed(fma(low(x), low(y), even));
          odd = flushed(fma(high(x), high(y), odd));
        }
        float* const sum = data_[c] + i * kLines + j;
        flushed(flushed(V::load(sum)) + flushed(even + odd)).store(sum);
      }
    }
  }

 private:
  static ADJOINT_INLINE Vec<float> flushed(Vec<float> x) {
    return select(abs(x) < Vec<float>(1.17549435e-38f), copysign(Vec<float>(0), x), x);
  }
  static ADJOINT_INLINE Vec<float> low(VecU32 pair) { return flushed(float_from_bits(pair << 16)); }
  static ADJOINT_INLINE Vec<float> high(VecU32 pair) {
    return flushed(float_from_bits(pair & VecU32(kUpper)));
  }

  float data_[8][kTileFloats];
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
