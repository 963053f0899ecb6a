// What tests/core/amx_test.cpp calls of the products on tiles: one table for each instruction set
// with emulated tiles, and one with AMX's own.
#pragma once

#include <cstdint>

#include "core/kernels/gemm.h"

namespace adjoint::kernels {

struct AmxProbe {
  // On tiles whatever the size; `high` falls back to f32's own product where the operands cannot be
  // split, and `splits` tells whether they can.
  void (*high)(const Exec& exec, const Gemm<float>& gemm);
  void (*bf16)(const Exec& exec, const MixedGemm& gemm);
  bool (*splits)(const Exec& exec, const Gemm<float>& gemm);
  // As the table of AMX has them: on tiles where the size suits them.
  void (*f32_high)(const Exec& exec, const Gemm<float>& gemm);
  void (*f32_medium)(const Exec& exec, const Gemm<float>& gemm);
  void (*mixed)(const Exec& exec, const MixedGemm& gemm);
  // n numbers rounded to bf16, n a multiple of 16.
  void (*round)(const float* x, uint16_t* y, int64_t n);
};

namespace scalar {
extern const AmxProbe amx_probe_table;
}
namespace avx2 {
extern const AmxProbe amx_probe_table;
}
namespace avx512 {
extern const AmxProbe amx_probe_table;
}
namespace neon {
extern const AmxProbe amx_probe_table;
}
namespace amx {
extern const AmxProbe amx_probe_table;
}

}  // namespace adjoint::kernels
