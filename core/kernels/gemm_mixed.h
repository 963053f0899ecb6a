// Products in mixed precision by widening: for instruction sets without bf16 of their own. For
// kernel sources only.
#pragma once

#include "core/kernels/batch.h"
#include "core/kernels/common.h"
#include "core/kernels/gemm.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The f32 copy of a matrix of `rows` by `cols` for each index of the batch, rounded to bf16.
struct Widen {
  MixedMatrix from;
  const int64_t *batch, *strides;
  int64_t rows, cols;
  float* to;
};

ADJOINT_INLINE float element(const MixedMatrix& x, int64_t at) {
  return x.is_bf16 ? static_cast<float>(static_cast<const bfloat16*>(x.data)[at])
                   : static_cast<const float*>(x.data)[at];
}

// One row, which lies evenly.
ADJOINT_INLINE void widen_row(const MixedMatrix& x, int64_t at, int64_t n, float* out) {
  constexpr int size = Vec<float>::size;
  int64_t j = 0;
  if (x.is_bf16 && x.col == 1) {
    const bfloat16* const p = static_cast<const bfloat16*>(x.data) + at;
    for (; j + size <= n; j += size) Vec<float>::load(p + j).store(out + j);
  }
  for (; j < n; ++j) {
    const float value = element(x, at + j * x.col);
    out[j] = x.is_bf16 ? value : static_cast<float>(bfloat16(value));
  }
}

void widen_task(void* context, int64_t task) {
  const Widen& w = *static_cast<Widen*>(context);
  const int64_t item = task / w.rows, row = task % w.rows;
  widen_row(w.from, batch_offset(w.batch, w.strides, item) + row * w.from.row, w.cols,
            w.to + task * w.cols);
}

// The tasks of a copy are rows: it is memory that they wait for.
ADJOINT_INLINE void widen(const Exec& exec, Widen& w) {
  exec.parallel_for(w.batch[0] * w.batch[1] * w.batch[2] * w.rows, widen_task, &w);
}

// C rounded to bf16 from the f32 that it was computed in.
struct Narrow {
  const MixedGemm* g;
  const float *c, *preactivation;  // (batch, m, n)
};

void narrow_task(void* context, int64_t task) {
  const Narrow& w = *static_cast<Narrow*>(context);
  const MixedGemm& g = *w.g;
  const int64_t item = task / g.m, row = task % g.m;
  const int64_t at = batch_offset(g.batch, g.c_batch, item) + row * g.c.row;
  bfloat16* const out = static_cast<bfloat16*>(g.c.data) + at;
  bfloat16* const kept =
      g.preactivation != nullptr ? static_cast<bfloat16*>(g.preactivation) + at : nullptr;
  for (int64_t j = 0; j < g.n; ++j) {
    const float c = w.c[task * g.n + j];
    out[j] = bfloat16(g.accumulate ? static_cast<float>(out[j]) + c : c);
    if (kept != nullptr) kept[j] = bfloat16(w.preactivation[task * g.n + j]);
  }
}

// Copies of the operands, `product` on them, and C narrowed where it is of bf16.
template <void (*product)(const Exec&, const Gemm<float>&)>
void mixed_product(const Exec& exec, const MixedGemm& g) {
  const int64_t items = g.batch[0] * g.batch[1] * g.batch[2];
  if (items <= 0 || g.m <= 0 || g.n <= 0) return;
  const int64_t a_size = items * g.m * g.k, b_size = items * g.k * g.n, c_size = items * g.m * g.n;
  const bool keep = g.preactivation != nullptr, narrows = g.c.is_bf16;
  const int64_t c_parts = narrows ? (keep ? 2 : 1) : 0;
  float* const scratch = static_cast<float*>(
      exec.acquire(static_cast<size_t>(a_size + b_size + c_parts * c_size) * sizeof(float)));
  float* const b = scratch + a_size;
  float* const c = b + b_size;
  Widen wa{g.a, g.batch, g.a_batch, g.m, g.k, scratch};
  Widen wb{g.b, g.batch, g.b_batch, g.k, g.n, b};
  if (g.k > 0) {
    widen(exec, wa);
    widen(exec, wb);
  }
  Gemm<float> f{};
  f.m = g.m;
  f.n = g.n;
  f.k = g.k;
  f.a = scratch;
  f.a_row = g.k;
  f.a_col = 1;
  f.b = b;
  f.b_row = g.n;
  f.b_col = 1;
  f.c = narrows ? c : static_cast<float*>(g.c.data);
  f.c_row = narrows ? g.n : g.c.row;
  f.alpha = g.alpha;
  f.accumulate = g.accumulate && !narrows;
  f.bias = g.bias;
  f.activation = g.activation;
  f.preactivation = !keep ? nullptr : narrows ? c + c_size : static_cast<float*>(g.preactivation);
  for (int d = 0; d < 3; ++d) {
    int64_t inner = 1;
    for (int e = d + 1; e < 3; ++e) inner *= g.batch[e];
    f.batch[d] = g.batch[d];
    f.a_batch[d] = inner * g.m * g.k;
    f.b_batch[d] = inner * g.k * g.n;
    f.c_batch[d] = narrows ? inner * g.m * g.n : g.c_batch[d];
  }
  product(exec, f);
  if (narrows) {
    Narrow w{&g, c, c + c_size};
    exec.parallel_for(items * g.m, narrow_task, &w);
  }
  exec.release(scratch);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
