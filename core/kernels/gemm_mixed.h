// Products in mixed precision by widening: for instruction sets without bf16 of their own. For
// kernel sources only.
#pragma once

#include "core/kernels/batch.h"
#include "core/kernels/gemm.h"
#include "core/kernels/skinny_rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The f32 copy of an operand, rounded to bf16: of each matrix of the batch once, in lines as they
// lie in memory, which are its columns where it is `turned`.
struct Widen {
  MixedMatrix from;
  const int64_t* strides;                  // of the batch
  int64_t batch[3];                        // its sizes, 1 where the operand repeats
  int64_t lines, length, line_step, step;  // of a matrix of `from`
  bool turned;
  float* to;

  Widen(const MixedMatrix& x, int64_t rows, int64_t cols, const int64_t* sizes,
        const int64_t* batch_strides)
      : from(x),
        strides(batch_strides),
        lines(rows),
        length(cols),
        line_step(x.row),
        step(x.col),
        turned(rows > 1 && (cols == 1 || (x.row == 1 && x.col != 1))),
        to(nullptr) {
    for (int d = 0; d < 3; ++d) batch[d] = strides[d] == 0 ? min_of(1, sizes[d]) : sizes[d];
    if (!turned) return;
    lines = cols;
    length = rows;
    line_step = x.col;
    step = x.row;
  }
  int64_t all_lines() const { return batch[0] * batch[1] * batch[2] * lines; }
  int64_t floats() const { return all_lines() * length; }
  int64_t row() const { return turned ? 1 : length; }
  int64_t col() const { return turned ? length : 1; }
  // Of the copy, along dimension d of the batch.
  int64_t stride(int d) const {
    if (strides[d] == 0) return 0;
    int64_t inner = lines * length;
    for (int e = d + 1; e < 3; ++e) inner *= batch[e];
    return inner;
  }
};

template <class T>
void widen_line(const Widen& w, int64_t at, float* out) {
  using V = Vec<float>;
  In<T> in(w.from.data, at, w.step, w.length);
  for (int64_t i = 0; i < w.length; i += kBlock) {
    const int64_t n = min_of(kBlock, w.length - i);
    const float* const p = in.block(i, n);
    for_vectors<V::size>(n, [&](int64_t j, int lanes) {
      const V x = load(p + j, lanes);
      store(__is_same(T, float) ? nearest_bf16(x) : x, out + i + j, lanes);
    });
  }
}

// Calls f(line) for all lines of n elements: it is memory that they wait for.
template <class F>
ADJOINT_INLINE void for_lines(const Exec& exec, int64_t lines, int64_t n, const F& f) {
  const int64_t group = max_of(1, kGrain / max_of(1, n));
  parallel_tasks(exec, ceil_div(lines, group), [&](int64_t task) {
    for (int64_t i = task * group; i < min_of(lines, (task + 1) * group); ++i) f(i);
  });
}

inline void widen(const Exec& exec, const Widen& w) {
  for_lines(exec, w.all_lines(), w.length, [&](int64_t line) {
    const int64_t at =
        batch_offset(w.batch, w.strides, line / w.lines) + line % w.lines * w.line_step;
    float* const out = w.to + line * w.length;
    w.from.is_bf16 ? widen_line<bfloat16>(w, at, out) : widen_line<float>(w, at, out);
  });
}

// C rounded to bf16 from the f32 that it was computed in: c and preactivation are (batch, m, n).
inline void narrow(const Exec& exec, const MixedGemm& g, const float* c,
                   const float* preactivation) {
  using V = Vec<float>;
  for_lines(exec, g.batch[0] * g.batch[1] * g.batch[2] * g.m, g.n, [&](int64_t line) {
    const int64_t at = batch_offset(g.batch, g.c_batch, line / g.m) + line % g.m * g.c.row;
    bfloat16* const out = static_cast<bfloat16*>(g.c.data) + at;
    auto* const kept = static_cast<bfloat16*>(g.preactivation);
    for_vectors<V::size>(g.n, [&](int64_t j, int lanes) {
      const V x = load(c + line * g.n + j, lanes);
      store(g.accumulate ? load(out + j, lanes) + x : x, out + j, lanes);
      if (kept != nullptr) store(load(preactivation + line * g.n + j, lanes), kept + at + j, lanes);
    });
  });
}

// Whether B is a weight that is read once, where it lies; one of f32 is rounded for every four rows
// then, which does not pay for many. Sums that begin with what C holds are left to the product that
// begins so.
ADJOINT_INLINE bool streams_weight(const MixedGemm& g) {
  const bool few =
      g.b.is_bf16 ? few_rows(g.m, g.k, sizeof(float)) && g.b.col % 2 == 0 : g.m <= kFewRows;
  return few && g.k > 0 && g.b.row == 1 && g.b.col >= g.k && g.alpha == 1 &&
         (!g.accumulate || g.c.is_bf16) && g.batch[0] * g.batch[1] * g.batch[2] == 1;
}

// The product f with such a weight for its B. REQUIRES: not f.accumulate.
template <class W>
void stream_weight(const Exec& exec, const Gemm<float>& f, const void* w, int64_t w_row) {
  const bool straight = f.activation == Activation::none && f.preactivation == nullptr;
  const int64_t row = straight ? f.c_row : ceil_div(f.n, 16) * 16;  // in whole registers
  float* sums = f.c;
  if (!straight) {
    sums = static_cast<float*>(exec.acquire(static_cast<size_t>(f.m * row) * sizeof(float)));
  }
  streamed<float, W>(exec, {f.m, f.n, f.k, f.a, f.a_row, f.a_col, static_cast<const W*>(w), w_row,
                            sums, row, f.bias});
  if (straight) return;
  const int64_t pieces = ceil_div(f.n, kGrain);  // of a row: tiles count their columns in an int
  parallel_tasks(exec, f.m * pieces, [&](int64_t task) {
    const int64_t i = task / pieces, j = task % pieces * kGrain, at = i * f.c_row + j;
    const auto cols = static_cast<int>(min_of(kGrain, f.n - j));
    activate_tile(f, sums + i * row + j, 0, 1, cols, f.c + at,
                  f.preactivation != nullptr ? f.preactivation + at : nullptr);
  });
  exec.release(sums);
}

// Copies of the operands, `product` on them, and C narrowed where it is of bf16.
template <void (*product)(const Exec&, const Gemm<float>&)>
void mixed_product(const Exec& exec, const MixedGemm& g) {
  const int64_t items = g.batch[0] * g.batch[1] * g.batch[2];
  if (items <= 0 || g.m <= 0 || g.n <= 0) return;
  const bool keep = g.preactivation != nullptr, narrows = g.c.is_bf16,
             streams_b = streams_weight(g);
  const int64_t c_size = items * g.m * g.n, c_parts = narrows ? (keep ? 2 : 1) : 0;
  Widen a(g.a, g.m, g.k, g.batch, g.a_batch), b(g.b, g.k, g.n, g.batch, g.b_batch);
  const int64_t b_size = streams_b ? 0 : b.floats();
  a.to = static_cast<float*>(
      exec.acquire(static_cast<size_t>(a.floats() + b_size + c_parts * c_size) * sizeof(float)));
  b.to = a.to + a.floats();
  float* const c = b.to + b_size;
  if (g.k > 0) widen(exec, a);
  if (g.k > 0 && !streams_b) widen(exec, b);
  Gemm<float> f{};
  f.m = g.m;
  f.n = g.n;
  f.k = g.k;
  f.a = a.to;
  f.a_row = a.row();
  f.a_col = a.col();
  f.b = b.to;
  f.b_row = b.row();
  f.b_col = b.col();
  f.c = narrows ? c : static_cast<float*>(g.c.data);
  f.c_row = narrows ? g.n : g.c.row;
  f.alpha = g.alpha;
  f.accumulate = g.accumulate && !narrows;
  f.bias = g.bias;
  f.activation = g.activation;
  f.preactivation = !keep ? nullptr : narrows ? c + c_size : static_cast<float*>(g.preactivation);
  for (int d = 0; d < 3; ++d) {
    int64_t inner = g.m * g.n;
    for (int e = d + 1; e < 3; ++e) inner *= g.batch[e];
    f.batch[d] = g.batch[d];
    f.a_batch[d] = a.stride(d);
    f.b_batch[d] = b.stride(d);
    f.c_batch[d] = narrows ? inner : g.c_batch[d];
  }
  if (streams_b) {
    const auto stream = g.b.is_bf16 ? stream_weight<bfloat16> : stream_weight<RoundedFloat>;
    stream(exec, f, g.b.data, g.b.col);
  } else {
    product(exec, f);
  }
  if (narrows) narrow(exec, g, c, c + c_size);
  exec.release(a.to);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
