// Matrix products after BLIS (Van Zee and van de Geijn, 2015): panels of A and slivers of B are
// packed once for each block of K, and a register tile runs over them. There are three ways:
// small, skinny and batched products skip the packing of A (gemm_direct.h); in those of middling
// size each task packs for itself (gemm_private.h); large ones share what is packed
// (gemm_shared.h).
//
// The bits of a result depend on K and the instruction set alone: each element is a sum over the
// blocks of K in order, each of them a chain of fma in order; only C is divided between threads.
#include "core/kernels/gemm.h"

#include "core/kernels/gemm_activation.h"
#include "core/kernels/gemm_direct.h"
#include "core/kernels/gemm_mixed.h"
#include "core/kernels/gemm_private.h"
#include "core/kernels/gemm_shared.h"
#include "core/kernels/gemm_whole.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// ---- The choice. ----

// Up to how many columns A is read as it lies.
constexpr int64_t kUnpackedColumns = 256;

// Up to how many rows or columns each thread packs for itself.
constexpr int64_t kPrivate = 512;

// Few rows, or little work: packing A would cost more than it saves. So too where a batch keeps
// the threads busy, up to sizes that stay in the second cache.
template <class T>
bool is_small(const Exec& exec, const Gemm<T>& g, int64_t items) {
  const int64_t work = g.m * g.n * g.k;
  return g.m <= kMr || work <= 1 << 19 || (items >= 4 * exec.threads && work <= 1 << 23);
}

template <class T>
void product(const Exec& exec, const Gemm<T>& g) {
  const int64_t items = g.batch[0] * g.batch[1] * g.batch[2];
  if (items <= 0 || g.m <= 0 || g.n <= 0) return;
  const bool straight = g.activation == Activation::none && g.preactivation == nullptr;
  // Sums wait in C between blocks of K, unless C's old content is still needed at the end.
  T* partial = nullptr;
  if (g.accumulate && !straight && g.k > kKc) {
    partial = static_cast<T*>(exec.acquire(static_cast<size_t>(items * g.m * g.n) * sizeof(T)));
  }
  if (is_small(exec, g, items)) {
    direct(exec, g, items, partial);
  } else {
    // Packing A costs as much as some tens of columns of the product.
    const bool apart = g.a_col == 1 ? rows_apart<T>(g.a_row) : g.a_row == 1;
    const bool pack_a = g.n > kUnpackedColumns || !apart;
    const Direct<T> place{&g, partial, 1, items, 1};
    for (int64_t i = 0; i < items; ++i) {
      const Item<T> item = direct_item(place, i);
      if (min_of(g.m, g.n) <= kPrivate) {
        private_product(exec, g, item, pack_a);
      } else {
        shared_product(exec, g, item, pack_a);
      }
    }
  }
  if (partial != nullptr) exec.release(partial);
}

}  // namespace

extern const GemmTable ADJOINT_TABLE;
const GemmTable ADJOINT_TABLE = {
    .f32 = product<float>,
    .f64 = product<double>,
    .i64 = whole_product<int64_t>,
    .i32 = whole_product<int32_t>,
    .u8 = whole_product<uint8_t>,
    .f32_high = product<float>,
    .f32_medium = product<float>,
    .mixed = mixed_product<product<float>>,
    .activation_backward = {activation_backward<float>, activation_backward<double>,
                            activation_backward<bfloat16>, activation_backward<float16>}};

}  // namespace adjoint::kernels::ADJOINT_ISA
