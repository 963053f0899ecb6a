#include "core/kernels/gemm_amx.h"
#include "tests/core/amx_probe.h"
#if defined(ADJOINT_ISA_AMX)
#include "core/kernels/gemm_amx_tiles.h"
#define ADJOINT_PARENT avx512
#else
#include "tests/core/emulated_tiles.h"
#define ADJOINT_PARENT ADJOINT_ISA
#endif

namespace adjoint::kernels::ADJOINT_PARENT {
extern const GemmTable gemm_table;
}

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

#if defined(ADJOINT_ISA_AMX)
using ProbeTiles = NativeTiles;
#else
using ProbeTiles = EmulatedTiles;
#endif
using TableOfTiles = TileTable<ProbeTiles, &ADJOINT_PARENT::gemm_table>;

void high(const Exec& exec, const Gemm<float>& g) {
  high_product<ProbeTiles>(exec, g, ADJOINT_PARENT::gemm_table.f32);
}

void bf16(const Exec& exec, const MixedGemm& g) { bf16_product<ProbeTiles>(exec, g); }

bool splits(const Exec& exec, const Gemm<float>& g) { return scales_for(exec, g).possible; }

void round_all(const float* x, uint16_t* y, int64_t n) {
  for (int64_t i = 0; i < n; i += Vec<float>::size) {
    store_upper(nearest_bf16(Vec<float>::load(x + i)), y + i);
  }
}

}  // namespace

extern const AmxProbe amx_probe_table;
const AmxProbe amx_probe_table = {
    high,     bf16, splits, TableOfTiles::f32_high, TableOfTiles::f32_medium, TableOfTiles::mixed,
    round_all};

}  // namespace adjoint::kernels::ADJOINT_ISA
