// How operators call kernels: threads, scratch memory and the floating-point mode of the call.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"

namespace adjoint {

// Lives for the length of one kernel call and converts to the Exec that the kernel takes:
//   kernels().gemm.f32(KernelScope(), gemm);
// While it lives, the calling thread flushes denormals, as the pool's threads always do: otherwise
// one and two threads would give different bits, and softmax tails would crawl.
//
// Scratch that the kernel did not give back, because memory ended half way, is freed with the
// scope.
class KernelScope {
 public:
  struct Block;  // of scratch

  KernelScope();
  ~KernelScope();
  KernelScope(const KernelScope&) = delete;
  KernelScope& operator=(const KernelScope&) = delete;
  // NOLINTNEXTLINE(google-explicit-constructor): a scope stands for its Exec.
  operator const kernels::Exec&() const;

 private:
  Block* outer_blocks_;
  uint32_t saved_mode_;
};

// From how many bytes on this thread's results go around the caches; returns what it was. For
// tests.
int64_t exchange_stream_bytes(int64_t bytes);

}  // namespace adjoint
