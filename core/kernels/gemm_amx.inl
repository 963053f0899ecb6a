// Products on AMX: f32 ones by splitting and by rounding to bf16, and those in mixed precision.
// What is too small for tiles, or cannot be split, goes to AVX-512's own.
#include "core/kernels/gemm_amx.h"
#include "core/kernels/gemm_amx_tiles.h"

namespace adjoint::kernels::avx512 {
extern const GemmTable gemm_table;
}

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

using OnTiles = TileTable<NativeTiles, &avx512::gemm_table>;

}  // namespace

extern const GemmTable ADJOINT_TABLE;
const GemmTable ADJOINT_TABLE = {.f32 = nullptr,
                                 .f64 = nullptr,
                                 .i64 = nullptr,
                                 .i32 = nullptr,
                                 .u8 = nullptr,
                                 .f32_high = OnTiles::f32_high,
                                 .f32_medium = OnTiles::f32_medium,
                                 .mixed = OnTiles::mixed,
                                 .activation_backward = {}};

}  // namespace adjoint::kernels::ADJOINT_ISA
