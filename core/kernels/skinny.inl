// Weights streamed once for a few rows of x. Every thread reads runs of whole panels, which are
// contiguous in memory; the order of a sum is that of the matrix product (gemm.inl).
#include "core/kernels/skinny.h"

#include "core/kernels/gemm_tiles.h"
#include "core/kernels/narrow.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Rows of x at a time: as many accumulators as the registers hold beside a square (as it lies), or
// beside kVectors columns (packed).
#if defined(ADJOINT_ISA_AVX512)
constexpr int kTurnedRows = 8, kPackedRows = 4;
#elif defined(ADJOINT_ISA_AVX2)
constexpr int kTurnedRows = 4, kPackedRows = 3;
#else
constexpr int kTurnedRows = 4, kPackedRows = 4;
#endif
// Registers of columns at a time: chains of their own, enough to hide an fma's latency.
constexpr int kVectors = 4;

// Calls f(first, last) for runs of panels of about `bytes` each, or of as many as keep the threads
// evenly busy. Elements do not depend on the runs.
template <class F>
void for_panels(const Exec& exec, int64_t n, int64_t panel_bytes, int64_t bytes, const F& f) {
  const int64_t panels = ceil_div(n, kPanel), total = panels * panel_bytes;
  // Below, waking a thread costs more than it saves.
  constexpr int64_t kWorthThreads = 1 << 17;
  if (exec.threads == 1 || total < kWorthThreads) {
    f(0, panels);
    return;
  }
  const int64_t even = ceil_div(total / bytes, exec.threads) * exec.threads;
  const int64_t tasks = min_of(panels, max_of(exec.threads, min_of(even, 32 * exec.threads)));
  parallel_tasks(exec, tasks,
                 [&](int64_t task) { f(panels * task / tasks, panels * (task + 1) / tasks); });
}

// --- as it lies ---

// One register of columns of y, j to j + cols, for rows i to i + MR of x. Squares of w are turned
// in registers. `ahead`: what is read next, of which each square fetches its share in the order of
// memory, for the rows of a square are as many streams, too many for the hardware's own fetching;
// or nullptr.
template <class T, int MR>
void turned_columns(const Skinny<T>& p, int64_t i, int64_t j, int cols, const char* ahead) {
  using V = Vec<T>;
  constexpr int size = V::size;
  constexpr int64_t kLines = size * size * static_cast<int64_t>(sizeof(T)) / kLine;  // of a square
  const T* const x = p.x + i * p.x_row;
  const T* const w = p.w + j * p.w_row;
  const int64_t block = max_of(1, KBlocks(p.k).size);
  V total[MR];
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r) total[r] = V(0);
  for (int64_t k0 = 0; k0 < p.k; k0 += block) {
    const int64_t end = min_of(p.k, k0 + block);
    V acc[MR];
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) acc[r] = V(0);
    const auto add = [&](int64_t k, V column) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int r = 0; r < MR; ++r) acc[r] = fma(V(x[r * p.x_row + k * p.x_col]), column, acc[r]);
    };
    int64_t k = k0;
    for (; k + size <= end; k += size) {
      V square[size];
      if (size > 1 && ahead != nullptr) {
#pragma GCC unroll 16
        for (int64_t l = 0; l < kLines; ++l) __builtin_prefetch(ahead + l * kLine, 0, 2);
        ahead += kLines * kLine;
      }
      if (cols == size) [[likely]] {
        load_transposed(w + k, p.w_row, size, square);
      } else {
        load_transposed(w + k, p.w_row, cols, square);
      }
#pragma GCC unroll 16
      for (int c = 0; c < size; ++c) add(k + c, square[c]);
    }
    for (; k < end; ++k) {
      T column[size] = {};
      for (int c = 0; c < cols; ++c) column[c] = w[c * p.w_row + k];
      add(k, V::load(column));
    }
#pragma GCC unroll 8
    for (int r = 0; r < MR; ++r) total[r] = k0 == 0 ? acc[r] : total[r] + acc[r];
  }
  const V bias = p.bias != nullptr ? load(p.bias + j, cols) : V(0);
#pragma GCC unroll 8
  for (int r = 0; r < MR; ++r) {
    store(fma(total[r], V(1), bias), p.y + (i + r) * p.y_row + j, cols);
  }
}

// of[rows - 1].
template <class T>
struct TurnedFunctions {
  void (*of[kTurnedRows])(const Skinny<T>&, int64_t, int64_t, int, const char*);

  constexpr TurnedFunctions() : of() { fill<kTurnedRows>(); }

 private:
  template <int MR>
  constexpr void fill() {
    of[MR - 1] = turned_columns<T, MR>;
    if constexpr (MR > 1) fill<MR - 1>();
  }
};
template <class T>
constexpr TurnedFunctions<T> kTurned;

template <class T>
void streamed(const Exec& exec, const Skinny<T>& p) {
  constexpr int size = Vec<T>::size;
  const int64_t row_bytes = p.w_row * static_cast<int64_t>(sizeof(T));
  for_panels(exec, p.n, kPanel * row_bytes, 1 << 19, [&](int64_t first, int64_t last) {
    const int64_t end = min_of(p.n, last * kPanel);
    for (int64_t j = first * kPanel; j < end; j += size) {
      // Only where rows follow each other without gaps; and nothing beyond this task's own.
      const bool fetches = p.w_row == p.k && j + 2 * size <= end;
      const auto* ahead =
          fetches ? reinterpret_cast<const char*>(p.w + (j + size) * p.w_row) : nullptr;
      const int cols = static_cast<int>(min_of(size, end - j));
      for (int64_t i = 0; i < p.m; i += kTurnedRows) {
        const int64_t rows = min_of(kTurnedRows, p.m - i);
        kTurned<T>.of[rows - 1](p, i, j, cols, i == 0 ? ahead : nullptr);
      }
    }
  });
}

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
const SkinnyTable ADJOINT_TABLE = {.f32 = streamed<float>,
                                   .f64 = streamed<double>,
                                   .pack = {pack_bf16, pack_int8},
                                   .packed = {packed_product<Bf16>, packed_product<Int8>},
                                   .unpack = {unpack<Bf16>, unpack<Int8>},
                                   .scale_columns = scale_columns};

}  // namespace adjoint::kernels::ADJOINT_ISA
