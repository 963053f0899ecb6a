// The table of kernels: one function pointer for each loop, chosen at run time by instruction set.
//
// A family (one `.inl` file) fills one `...Table` struct, which holds function pointers only, so
// that a null entry inherits from the next simpler instruction set. See README.md, "Adding a
// kernel".
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/exec.h"
#include "core/kernels/gemm.h"

namespace adjoint::kernels {

// All families of one instruction set, merged.
struct KernelTable {
  GemmTable gemm;
};

// The table of the best instruction set that this machine has, or of the one that ADJOINT_ISA
// names. The reference stays valid for ever.
const KernelTable& kernels();

// "scalar", "avx2" or "avx512".
const char* isa_name();

}  // namespace adjoint::kernels
