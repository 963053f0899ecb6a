// The table of kernels: one function pointer for each loop, chosen at run time by instruction set.
//
// A family (one `.inl` file) fills one `...Table` struct, which holds function pointers only, so
// that a null entry inherits from the next simpler instruction set. See README.md, "Adding a
// kernel".
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/attention.h"
#include "core/kernels/bag.h"
#include "core/kernels/channel_norm.h"
#include "core/kernels/conv.h"
#include "core/kernels/ctc.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/exec.h"
#include "core/kernels/factor.h"
#include "core/kernels/fused_optimizer.h"
#include "core/kernels/gemm.h"
#include "core/kernels/index.h"
#include "core/kernels/loss.h"
#include "core/kernels/norm.h"
#include "core/kernels/pair_loss.h"
#include "core/kernels/pool.h"
#include "core/kernels/random.h"
#include "core/kernels/recurrent.h"
#include "core/kernels/reduce.h"
#include "core/kernels/resample.h"
#include "core/kernels/rotary.h"
#include "core/kernels/scan.h"
#include "core/kernels/skinny.h"
#include "core/kernels/softmax.h"
#include "core/kernels/sort.h"
#include "core/kernels/unary.h"

namespace adjoint::kernels {

// One line a family: X(type of its table, name of its file and member).
// clang-format off
#define ADJOINT_KERNEL_FAMILIES(X)         \
  X(GemmTable, gemm)                       \
  X(SkinnyTable, skinny)                   \
  X(ConvTable, conv)                       \
  X(ElementwiseTable, elementwise)         \
  X(UnaryTable, unary)                     \
  X(ReduceTable, reduce)                   \
  X(ScanTable, scan)                       \
  X(SortTable, sort)                       \
  X(SoftmaxTable, softmax)                 \
  X(NormTable, norm)                       \
  X(LossTable, loss)                       \
  X(PairLossTable, pair_loss)              \
  X(CtcTable, ctc)                         \
  X(AttentionTable, attention)             \
  X(RotaryTable, rotary)                   \
  X(RecurrentTable, recurrent)             \
  X(RandomTable, random)                   \
  X(IndexTable, index)                     \
  X(FactorTable, factor)                   \
  X(PoolTable, pool)                       \
  X(ResampleTable, resample)               \
  X(ChannelNormTable, channel_norm)        \
  X(BagTable, bag)                         \
  X(FusedOptimizerTable, fused_optimizer)
// clang-format on

// All families of one instruction set, merged.
struct KernelTable {
#define ADJOINT_MEMBER(Type, family) Type family;
  ADJOINT_KERNEL_FAMILIES(ADJOINT_MEMBER)
#undef ADJOINT_MEMBER
};

// The table of the best instruction set that this machine has, or of the one that ADJOINT_ISA
// names: read once, at the first call. Throws ConfigError if it names none that this machine has.
// The reference stays valid for ever; safe from any thread.
const KernelTable& kernels();

// "scalar", "avx2", "avx512", "amx" or "neon": the instruction set of kernels().
const char* isa_name();

// The instruction sets that this machine can run, simplest first, and how many there are.
const char* const* runnable_isas(int* count);

// The table of one of them, for tests that compare; throws ConfigError for any other name.
const KernelTable& kernels_for(const char* isa);

}  // namespace adjoint::kernels
