// What the thread pool asks of the processor in its own words: the mode of its floating-point unit
// and a breath while spinning. Another architecture is a matter of this file.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#elif !defined(__aarch64__)
#error "core/tensor/processor.h knows x86-64 and aarch64 only"
#endif

namespace adjoint {

// The calling thread's mode; with these bits set denormal inputs and results count as zero.
#if defined(__x86_64__)
constexpr uint32_t kFlushDenormals = 0x8040;  // MXCSR: FTZ and DAZ
inline uint32_t float_mode() { return _mm_getcsr(); }
inline void set_float_mode(uint32_t mode) { _mm_setcsr(mode); }
inline void spin_pause() { _mm_pause(); }
#elif defined(__aarch64__)
constexpr uint32_t kFlushDenormals = 1U << 24;  // FPCR: FZ
inline uint32_t float_mode() {
  uint64_t mode;
  asm volatile("mrs %0, fpcr" : "=r"(mode));
  return static_cast<uint32_t>(mode);
}
inline void set_float_mode(uint32_t mode) { asm volatile("msr fpcr, %0" ::"r"(uint64_t{mode})); }
inline void spin_pause() { asm volatile("yield"); }
#endif

}  // namespace adjoint
