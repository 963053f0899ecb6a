// Weights streamed once for a few rows of x. Every thread reads runs of whole panels, which are
// contiguous in memory; the order of a sum is that of the matrix product (gemm.inl).
#include "core/kernels/skinny.h"

#include "core/kernels/narrow.h"
#include "core/kernels/skinny_rows.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows of x at a time: as many accumulators as the registers hold beside kVectors columns.
#if defined(ADJOINT_ISA_AVX2)
constexpr int kPackedRows = 3;
#else
constexpr int kPackedRows = 4;
#endif
// Registers of columns at a time: chains of their own, enough to hide an fma's latency.
constexpr int kVectors = 4;

// --- packed ---

// How far ahead of its use a packed element is fetched, in bytes.
constexpr int kAhead = 2048;

// kVectors registers of columns of y, from column `at` of the panel on, for rows i to i + MR.
template <class P, int MR, bool kFetches>
void packed_columns(const PackedProduct& p, int64_t i, int64_t panel, int at) {
  using V = Vec<float>;
  using Stored = typename P::Stored;
  const float* const x = p.x + i * p.x_row;
  const Stored* w = static_cast<const Stored*>(p.panels) + panel * kPanel * p.k + at;
  const int64_t block = max_of(1, KBlocks(p.k).size);
  V total[MR][kVectors];
#pragma GCC unroll 4
  for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) total[r][v] = V(0);
  }
  for (int64_t k0 = 0; k0 < p.k; k0 += block) {
    const int64_t end = min_of(p.k, k0 + block);
    V acc[MR][kVectors];
#pragma GCC unroll 4
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) acc[r][v] = V(0);
    }
#pragma GCC unroll 2
    for (int64_t k = k0; k < end; ++k, w += kPanel) {
      if constexpr (kFetches) {
        const auto* line = reinterpret_cast<const char*>(w) + kAhead;
        __builtin_prefetch(line);
        if constexpr (sizeof(Stored) * kPanel > kLine) __builtin_prefetch(line + kLine);
      }
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const V column = P::widened(w + v * V::size);
#pragma GCC unroll 4
        for (int r = 0; r < MR; ++r) {
          acc[r][v] = fma(V(x[r * p.x_row + k * p.x_col]), column, acc[r][v]);
        }
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < MR; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        total[r][v] = k0 == 0 ? acc[r][v] : total[r][v] + acc[r][v];
      }
    }
  }
  for (int v = 0; v < kVectors; ++v) {
    const int64_t j = panel * kPanel + at + v * V::size;
    const int cols = static_cast<int>(max_of(0, min_of(V::size, p.n - j)));
    if (cols == 0) return;
    const V bias = p.bias != nullptr ? load(p.bias + j, cols) : V(0);
    const V scale = p.scales != nullptr ? load(p.scales + j, cols) : V(1);
    for (int r = 0; r < MR; ++r) {
      store(fma(total[r][v], scale, bias), p.y + (i + r) * p.y_row + j, cols);
    }
  }
}

// of[fetches][rows - 1].
template <class P>
struct PackedFunctions {
  void (*of[2][kPackedRows])(const PackedProduct&, int64_t, int64_t, int);

  constexpr PackedFunctions() : of() { fill<kPackedRows>(); }

 private:
  template <int MR>
  constexpr void fill() {
    of[0][MR - 1] = packed_columns<P, MR, false>;
    of[1][MR - 1] = packed_columns<P, MR, true>;
    if constexpr (MR > 1) fill<MR - 1>();
  }
};
template <class P>
constexpr PackedFunctions<P> kPacked;

template <class P>
void packed_product(const Exec& exec, const PackedProduct& p) {
  constexpr int kStep = kVectors * Vec<float>::size;
  static_assert(kPanel % kStep == 0);
  const int64_t panel_bytes = kPanel * p.k * static_cast<int64_t>(sizeof(typename P::Stored));
  for_panels(exec, p.n, panel_bytes, 1 << 16, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      for (int at = 0; at < kPanel && panel * kPanel + at < p.n; at += kStep) {
        for (int64_t i = 0; i < p.m; i += kPackedRows) {
          const int64_t rows = min_of(kPackedRows, p.m - i);
          const int fetches = at == 0 && i == 0 ? 1 : 0;
          kPacked<P>.of[fetches][rows - 1](p, i, panel, at);
        }
      }
    }
  });
}

// --- packing ---

constexpr int64_t kPackTask = 1 << 18;  // bytes

// Calls f(column, k, at) for every register of rows at to at + size of the panel, k by k; rows that
// do not exist are zero.
template <class F>
ADJOINT_INLINE void for_columns(const PackWeight& p, int64_t panel, const F& f) {
  constexpr int size = Vec<float>::size;
  for (int at = 0; at < kPanel; at += size) {
    const int64_t j = panel * kPanel + at;
    const int rows = static_cast<int>(max_of(0, min_of(size, p.n - j)));
    const float* const w = p.w + (rows > 0 ? j : 0) * p.w_row;
    int64_t k = 0;
    for (; k + size <= p.k; k += size) {
      Vec<float> square[size];
      load_transposed(w + k, p.w_row, rows, square);
      for (int c = 0; c < size; ++c) f(square[c], k + c, at);
    }
    for (; k < p.k; ++k) {
      float column[size] = {};
      for (int r = 0; r < rows; ++r) column[r] = w[r * p.w_row + k];
      f(Vec<float>::load(column), k, at);
    }
  }
}

void pack_bf16(const Exec& exec, const PackWeight& p) {
  for_panels(exec, p.n, kPanel * p.k * 2, kPackTask, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      auto* const out = static_cast<uint16_t*>(p.panels) + panel * kPanel * p.k;
      for_columns(p, panel, [&](Vec<float> column, int64_t k, int at) {
        float x[Vec<float>::size];
        column.store(x);
        for (int r = 0; r < Vec<float>::size; ++r) {
          out[k * kPanel + at + r] = Bf16::narrowed(x[r]);
        }
      });
    }
  });
}

// The step of a row's whole numbers: 0 for a row that is taken as zero.
float scale_of(const float* w, int64_t k) {
  using V = Vec<float>;
  V largest = 0;
  for (int64_t c = 0; c < k; c += V::size) {
    largest = maximum(largest, abs(load(w + c, static_cast<int>(min_of(V::size, k - c)))));
  }
  const float top = reduce_max(largest);
  if (!(top <= 3.402823466e38F)) return __builtin_nanf("");
  const float scale = top / 127;
  return scale < 1.17549435e-38F ? 0 : scale;
}

void pack_int8(const Exec& exec, const PackWeight& p) {
  using V = Vec<float>;
  for_panels(exec, p.n, kPanel * p.k, kPackTask, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      auto* const out = static_cast<int8_t*>(p.panels) + panel * kPanel * p.k;
      float scales[kPanel];
      for (int r = 0; r < kPanel; ++r) {
        const int64_t j = panel * kPanel + r;
        scales[r] = 0;
        if (j < p.n) scales[r] = p.scales[j] = scale_of(p.w + j * p.w_row, p.k);
      }
      for_columns(p, panel, [&](V column, int64_t k, int at) {
        const V scale = V::load(scales + at);
        float q[V::size];  // zero also where the scale is NaN
        select(scale > V(0), round_even(column / scale), V(0)).store(q);
        for (int r = 0; r < V::size; ++r) {
          out[k * kPanel + at + r] = static_cast<int8_t>(q[r]);
        }
      });
    }
  });
}

template <class P>
void unpack(const Exec& exec, const UnpackWeight& p) {
  using V = Vec<float>;
  const auto* const panels = static_cast<const typename P::Stored*>(p.panels);
  const int64_t bytes = kPanel * p.k * static_cast<int64_t>(sizeof(float));
  for_panels(exec, p.columns, bytes, kPackTask, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      const auto* in = panels + (p.first / kPanel + panel) * kPanel * p.k;
      float* out = p.out + panel * kPanel;
      const int64_t columns = min_of(kPanel, p.columns - panel * kPanel);
      for (int64_t k = 0; k < p.k; ++k, in += kPanel, out += p.out_row) {
        for (int64_t c = 0; c < columns; c += V::size) {
          store(P::widened(in + c), out + c, static_cast<int>(min_of(V::size, columns - c)));
        }
      }
    }
  });
}

void scale_columns(const Exec& exec, const ScaleColumns& p) {
  using V = Vec<float>;
  const int64_t group = max_of(1, kGrain / max_of(1, p.n));
  parallel_tasks(exec, ceil_div(p.m, group), [&](int64_t task) {
    for (int64_t i = task * group; i < min_of(p.m, (task + 1) * group); ++i) {
      float* const y = p.y + i * p.y_row;
      for (int64_t j = 0; j < p.n; j += V::size) {
        const int lanes = static_cast<int>(min_of(V::size, p.n - j));
        const V bias = p.bias != nullptr ? load(p.bias + j, lanes) : V(0);
        store(fma(load(y + j, lanes), load(p.scales + j, lanes), bias), y + j, lanes);
      }
    }
  });
}

}  // namespace

extern const SkinnyTable ADJOINT_TABLE;
const SkinnyTable ADJOINT_TABLE = {.f32 = streamed<float, float>,
                                   .f64 = streamed<double, double>,
                                   .pack = {pack_bf16, pack_int8},
                                   .packed = {packed_product<Bf16>, packed_product<Int8>},
                                   .unpack = {unpack<Bf16>, unpack<Int8>},
                                   .scale_columns = scale_columns};

}  // namespace adjoint::kernels::ADJOINT_ISA
