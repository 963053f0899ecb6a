// Matrix products on tile registers: C = epilogue(A B) from operands rounded to bf16 (one part), or
// as exact as f32's own from f32 split in three (three parts, six products; after Henry, Tang and
// Heinecke, "Leveraging the bfloat16 datatype for higher-precision computations", 2019). For kernel
// sources only.
//
// Written on a class `Tiles` (gemm_amx_tiles.h; the tests have one in plain C++). Each element of C
// is one sum along K in steps of 32, in f32: sums that wait in memory are read back as they were,
// so blocks of K change no bit, nor does any other size here.
#pragma once

#include "core/kernels/gemm_amx_range.h"
#include "core/kernels/gemm_amx_sums.h"
#include "core/kernels/gemm_epilogue.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Steps of the sum in a block: a panel of A, 32 KiB with one part and 36 KiB with three, stays in
// the first cache while panels of B come from the second. From the sizes of caches, not measured;
// with three parts it decides the bits.
template <int kParts>
constexpr int64_t kBlockSteps = kParts == 1 ? 16 : 6;
// The largest blocks of C that share what is packed, and the most that is packed at once.
constexpr int64_t kTileRows = 2048, kTileColumns = 3072, kPackedBytes = 32 << 20;
// A task multiplies at most so many panels with so many; fewer where they overfill the second
// cache.
constexpr int64_t kRegionPanels = 16;
// What a task packs: panels that advance along the sum together, for so many steps.
constexpr int64_t kPackPanels = 4, kPackSteps = 8;

// ---- One product, or a block of it. ----

struct TileProduct {
  const MixedGemm* g;
  Scales scales;
  int parts;
  int64_t a_at, b_at, c_at;  // where this item of the batch begins
  // The block of C, and the length of the sum, that are packed now.
  int64_t i0, j0, k0;
  Panels16 a, b;
  TileSteps steps;
  bool first, last;  // of the sum
  bool pack_a;
  float *packed_a, *packed_b;
  float* partial;  // sums that wait, four tiles for each 32 by 32; or null
  int64_t row_parts, column_parts;
};

// Whether sums can go to C as they are.
ADJOINT_INLINE bool is_plain(const TileProduct& s) {
  const MixedGemm& g = *s.g;
  return !g.c.is_bf16 && !g.accumulate && g.alpha == 1 && g.bias == nullptr &&
         g.activation == Activation::none && g.preactivation == nullptr && s.scales.sum[0] == 1 &&
         s.scales.sum[1] == 1;
}

ADJOINT_INLINE Vec<float> load_result(const float* p, int n) { return load(p, n); }
ADJOINT_INLINE Vec<float> load_result(const uint16_t* p, int n) {
  if (n == Vec<float>::size) return Bf16::widened(p);
  uint16_t some[Vec<float>::size] = {};
  for (int i = 0; i < n; ++i) some[i] = p[i];
  return Bf16::widened(some);
}
ADJOINT_INLINE void store_result(Vec<float> x, float* p, int n) { store(x, p, n); }
ADJOINT_INLINE void store_result(Vec<float> x, uint16_t* p, int n) {
  if (n == Vec<float>::size) {
    store_upper(nearest_bf16(x), p);
    return;
  }
  uint16_t some[Vec<float>::size];
  store_upper(nearest_bf16(x), some);
  for (int i = 0; i < n; ++i) p[i] = some[i];
}

// The epilogue of the rows by cols at (i, j) of C, from sums that lie as four tiles.
template <class Stored, class Function>
void finish_rows(const TileProduct& s, const float* sums, int64_t i, int64_t j, int64_t rows,
                 int64_t cols) {
  using V = Vec<float>;
  const MixedGemm& g = *s.g;
  const V alpha = g.alpha, down0 = s.scales.sum[0], down1 = s.scales.sum[1];
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t at = s.c_at + (i + r) * g.c.row + j;
    Stored* const c = static_cast<Stored*>(g.c.data) + at;
    Stored* const kept =
        g.preactivation != nullptr ? static_cast<Stored*>(g.preactivation) + at : nullptr;
    const float* const line = sums + r / kLines * 2 * kTileFloats + r % kLines * kLines;
    for (int64_t v = 0; v < cols; v += V::size) {
      const int n = static_cast<int>(min_of(V::size, cols - v));
      V x = V::load(line + v / kLines * kTileFloats + v % kLines);
      if (s.parts > 1) x = x * down0 * down1;
      const V bias = g.bias != nullptr ? load(g.bias + j + v, n) : V(0);
      x = fma(x, alpha, bias);
      if (kept != nullptr) store_result(x, kept + v, n);
      x = Function::value(x);
      if (g.accumulate) x = load_result(c + v, n) + x;
      store_result(x, c + v, n);
    }
  }
}

template <class Stored>
void finish_sums(const TileProduct& s, const float* sums, int64_t i, int64_t j, int64_t rows,
                 int64_t cols) {
  switch (s.g->activation) {
    case Activation::none:
      return finish_rows<Stored, Unchanged>(s, sums, i, j, rows, cols);
    case Activation::relu:
      return finish_rows<Stored, functors::Relu>(s, sums, i, j, rows, cols);
    case Activation::gelu_tanh:
      return finish_rows<Stored, functors::GeluTanh>(s, sums, i, j, rows, cols);
    case Activation::gelu_erf:
      return finish_rows<Stored, functors::GeluErf>(s, sums, i, j, rows, cols);
    case Activation::silu:
      return finish_rows<Stored, functors::Silu>(s, sums, i, j, rows, cols);
  }
}

// to = before + sums, of 32 by 32.
ADJOINT_INLINE void add_sums(const float* before, const float* sums, float* to) {
  using V = Vec<float>;
  for (int64_t i = 0; i < 4 * kTileFloats; i += V::size) {
    (V::load(before + i) + V::load(sums + i)).store(to + i);
  }
}

template <class Tiles, int kParts>
void multiply_region(void* context, int64_t task) {
  const TileProduct& s = *static_cast<TileProduct*>(context);
  const int64_t row = task / s.column_parts, column = task % s.column_parts;
  const int64_t a_end = s.a.panels() * (row + 1) / s.row_parts;
  const int64_t b_begin = s.b.panels() * column / s.column_parts;
  const int64_t b_end = s.b.panels() * (column + 1) / s.column_parts;
  const bool plain = is_plain(s);
  alignas(64) float sums[4 * kTileFloats];
  Tiles tiles;
  for (int64_t block = 0; block < s.steps.blocks; ++block) {
    const int64_t begin = s.steps.begin(block), end = s.steps.begin(block + 1);
    const bool first = s.first && block == 0, last = s.last && block + 1 == s.steps.blocks;
    for (int64_t p = s.a.panels() * row / s.row_parts; p < a_end; ++p) {
      for (int64_t q = b_begin; q < b_end; ++q) {
        const int64_t i = s.i0 + p * kPanel, j = s.j0 + q * kPanel;
        const int64_t rows = min_of(kPanel, s.a.size - p * kPanel);
        const int64_t cols = min_of(kPanel, s.b.size - q * kPanel);
        float* const wait =
            s.partial == nullptr ? nullptr : s.partial + (p * s.b.panels() + q) * 4 * kTileFloats;
        // Of three parts, blocks are added here; of one, each goes on from the last.
        const bool adds = kParts > 1 && !first;
        const bool direct = last && plain && !adds && rows == kPanel && cols == kPanel;
        SumPlace out = four_tiles(last || adds ? sums : wait);
        if (direct) {
          float* const c = static_cast<float*>(s.g->c.data) + s.c_at + i * s.g->c.row + j;
          out = {c, kLines * s.g->c.row, kLines, s.g->c.row};
        }
        kMultiplyPanels<Tiles, kParts>[s.a.tiles_of(p) - 1][s.b.tiles_of(q) - 1](
            tiles, end - begin, s.packed_a + s.a.offset(p, begin, end),
            s.packed_b + s.b.offset(q, begin, end), first || kParts > 1 ? nullptr : wait, out);
        if (adds) add_sums(wait, sums, last ? sums : wait);
        if (!last || direct) continue;
        if (s.g->c.is_bf16) {
          finish_sums<uint16_t>(s, sums, i, j, rows, cols);
        } else {
          finish_sums<float>(s, sums, i, j, rows, cols);
        }
      }
    }
  }
}

// ---- Packing a block, for all tasks. ----

template <int kParts, bool kOfA>
void pack_group(const TileProduct& s, int64_t group, int64_t block, int64_t begin, int64_t end) {
  const MixedGemm& g = *s.g;
  const Panels16& panels = kOfA ? s.a : s.b;
  const MixedMatrix& from = kOfA ? g.a : g.b;
  const int64_t step = kOfA ? from.row : from.col, k_step = kOfA ? from.col : from.row;
  const int64_t at = kOfA ? s.a_at : s.b_at, row0 = kOfA ? s.i0 : s.j0;
  const float scale = kOfA ? s.scales.a : s.scales.b;
  const int64_t first = group * kPackPanels, last = min_of(panels.panels(), first + kPackPanels);
  float* const packed = kOfA ? s.packed_a : s.packed_b;
  const int64_t block_begin = s.steps.begin(block), block_end = s.steps.begin(block + 1);
  if constexpr (kParts == 1) {
    if (from.is_bf16) {
      const TileSide<uint16_t> side{static_cast<const uint16_t*>(from.data) + at, step, k_step, 1};
      pack_panels<1, kOfA>(side, panels, row0, s.k0, g.k, first, last, block_begin, block_end,
                           begin, end, packed);
      return;
    }
  }
  const TileSide<float> side{static_cast<const float*>(from.data) + at, step, k_step, scale};
  pack_panels<kParts, kOfA>(side, panels, row0, s.k0, g.k, first, last, block_begin, block_end,
                            begin, end, packed);
}

ADJOINT_INLINE int64_t pack_parts_of(const TileProduct& s, int64_t block) {
  return ceil_div(s.steps.begin(block + 1) - s.steps.begin(block), kPackSteps);
}

template <int kParts>
void pack_some(void* context, int64_t task) {
  const TileProduct& s = *static_cast<TileProduct*>(context);
  const int64_t b_groups = ceil_div(s.b.panels(), kPackPanels);
  const int64_t groups = b_groups + (s.pack_a ? ceil_div(s.a.panels(), kPackPanels) : 0);
  const int64_t group = task % groups;
  int64_t part = task / groups, block = 0;
  while (part >= pack_parts_of(s, block)) part -= pack_parts_of(s, block++);
  const int64_t begin = s.steps.begin(block) + part * kPackSteps;
  const int64_t end = min_of(s.steps.begin(block + 1), begin + kPackSteps);
  if (group < b_groups) {
    pack_group<kParts, false>(s, group, block, begin, end);
  } else {
    pack_group<kParts, true>(s, group - b_groups, block, begin, end);
  }
}

ADJOINT_INLINE void run_tasks(const Exec& exec, int64_t tasks, void (*body)(void*, int64_t),
                              TileProduct& s) {
  if (exec.threads == 1) {
    for (int64_t task = 0; task < tasks; ++task) body(&s, task);
  } else {
    exec.parallel_for(tasks, body, &s);
  }
}

// ---- The blocks of C and of the sum. ----

// How a product is cut, and what memory it needs.
struct TileBlocks {
  int64_t rows, columns, steps;  // of a block
  int64_t a_floats, b_floats, partial_floats;

  TileBlocks(const MixedGemm& g, int parts, int64_t block_steps) {
    const auto even = [](int64_t size, int64_t most) {
      return ceil_div(ceil_div(size, max_of(1, ceil_div(size, most))), kPanel) * kPanel;
    };
    rows = even(g.m, kTileRows);
    columns = even(g.n, kTileColumns);
    const int64_t all = ceil_div(g.k, kTileK);
    const int64_t at_once = kPackedBytes / ((rows + columns) * 64 * parts * block_steps);
    steps = min_of(all, max_of(1, at_once) * block_steps);
    a_floats = Panels16{rows, parts}.floats(steps);
    b_floats = Panels16{columns, parts}.floats(steps);
    partial_floats = all <= block_steps ? 0 : rows * columns;
  }
  int64_t floats() const { return a_floats + b_floats + partial_floats; }
};

// Regions of C for the tasks: as large as the caches allow, for each packed number is read once a
// region, and a few for every thread.
ADJOINT_INLINE void choose_regions(const Exec& exec, int64_t block_steps, TileProduct& s) {
  const int64_t panel_bytes = block_steps * s.parts * 2 * kTileFloats * 4;
  const int64_t columns = max_of(1, min_of(kRegionPanels, exec.l2_bytes / 2 / panel_bytes));
  s.row_parts = ceil_div(s.a.panels(), kRegionPanels);
  s.column_parts = ceil_div(s.b.panels(), columns);
  const int64_t wanted = exec.threads == 1 ? 1 : 4 * exec.threads;
  while (s.row_parts * s.column_parts < wanted) {
    const int64_t tall = s.a.panels() / s.row_parts, wide = s.b.panels() / s.column_parts;
    if (max_of(tall, wide) <= 2) break;
    (tall > wide ? s.row_parts : s.column_parts) *= 2;
  }
}

template <class Tiles, int kParts>
void tile_item(const Exec& exec, const MixedGemm& g, const Scales& scales, const TileBlocks& blocks,
               int64_t item, float* memory) {
  TileProduct s{&g,
                scales,
                kParts,
                batch_offset(g.batch, g.a_batch, item),
                batch_offset(g.batch, g.b_batch, item),
                batch_offset(g.batch, g.c_batch, item),
                0,
                0,
                0,
                {0, kParts},
                {0, kParts},
                {0, 1},
                true,
                true,
                true,
                memory,
                memory + blocks.a_floats,
                blocks.partial_floats > 0 ? memory + blocks.a_floats + blocks.b_floats : nullptr,
                1,
                1};
  const int64_t step_k = max_of(1, blocks.steps) * kTileK;
  const bool a_stays = g.m <= blocks.rows && g.k <= step_k;
  for (s.j0 = 0; s.j0 < g.n; s.j0 += blocks.columns) {
    s.b.size = min_of(blocks.columns, g.n - s.j0);
    for (s.i0 = 0; s.i0 < g.m; s.i0 += blocks.rows) {
      s.a.size = min_of(blocks.rows, g.m - s.i0);
      choose_regions(exec, kBlockSteps<kParts>, s);
      s.pack_a = !a_stays || s.j0 == 0;
      for (s.k0 = 0; s.k0 == 0 || s.k0 < g.k; s.k0 += step_k) {
        s.steps = TileSteps(min_of(step_k, g.k - s.k0), kBlockSteps<kParts>);
        s.first = s.k0 == 0;
        s.last = s.k0 + step_k >= g.k;
        int64_t parts = 0;
        for (int64_t block = 0; block < s.steps.blocks; ++block) parts += pack_parts_of(s, block);
        const int64_t groups = ceil_div(s.b.panels(), kPackPanels) +
                               (s.pack_a ? ceil_div(s.a.panels(), kPackPanels) : 0);
        run_tasks(exec, parts * groups, pack_some<kParts>, s);
        run_tasks(exec, s.row_parts * s.column_parts, multiply_region<Tiles, kParts>, s);
      }
    }
  }
}

// Items of a batch that a task computes by itself.
struct TileBatch {
  const MixedGemm* g;
  const Scales* scales;
  const TileBlocks* blocks;
  float* memory;
  int64_t items, tasks, l2_bytes;
};

template <class Tiles, int kParts>
void batch_task(void* context, int64_t task) {
  const TileBatch& s = *static_cast<TileBatch*>(context);
  const Exec alone{nullptr, nullptr, nullptr, 1, s.l2_bytes};
  for (int64_t i = s.items * task / s.tasks; i < s.items * (task + 1) / s.tasks; ++i) {
    tile_item<Tiles, kParts>(alone, *s.g, *s.scales, *s.blocks, i,
                             s.memory + task * s.blocks->floats());
  }
}

// Up to how much memory each task of a batch may have for itself.
constexpr int64_t kBatchBytes = 4 << 20;

template <class Tiles, int kParts>
void tile_product(const Exec& exec, const MixedGemm& g, const Scales& scales) {
  const int64_t items = g.batch[0] * g.batch[1] * g.batch[2];
  if (items <= 0 || g.m <= 0 || g.n <= 0) return;
  const TileBlocks blocks(g, kParts, kBlockSteps<kParts>);
  const bool shared = items < 2 * exec.threads || blocks.floats() * 4 > kBatchBytes;
  const int64_t tasks = shared || exec.threads == 1 ? 1 : min_of(items, 4 * exec.threads);
  float* const memory = static_cast<float*>(
      exec.acquire(static_cast<size_t>(max_of(1, tasks * blocks.floats())) * sizeof(float)));
  if (tasks > 1) {
    TileBatch batch{&g, &scales, &blocks, memory, items, tasks, exec.l2_bytes};
    exec.parallel_for(tasks, batch_task<Tiles, kParts>, &batch);
  } else {
    for (int64_t i = 0; i < items; ++i) {
      tile_item<Tiles, kParts>(exec, g, scales, blocks, i, memory);
    }
  }
  exec.release(memory);
}

// ---- The entries of the table. ----

inline MixedGemm mixed_of(const Gemm<float>& g) {
  MixedGemm x{g.m,
              g.n,
              g.k,
              {const_cast<float*>(g.a), false, g.a_row, g.a_col},
              {const_cast<float*>(g.b), false, g.b_row, g.b_col},
              {g.c, false, g.c_row, 1},
              g.alpha,
              g.accumulate,
              g.bias,
              g.activation,
              g.preactivation,
              {},
              {},
              {},
              {}};
  for (int d = 0; d < 3; ++d) {
    x.batch[d] = g.batch[d];
    x.a_batch[d] = g.a_batch[d];
    x.b_batch[d] = g.b_batch[d];
    x.c_batch[d] = g.c_batch[d];
  }
  return x;
}

// Where packing costs more than tiles win. With one part tiles save about 0.04 cycles for each of
// m n k, and packing takes 0.5 for each of (m + n) k; with three, 0.024 and 0.7. Reckoned from the
// units' widths, not measured. A sum below one step wastes the rest of it, and with three parts a
// short one gains no accuracy from what tiles add up exactly.
template <int kParts, class G>
bool suits_tiles(const G& g) {
  constexpr int64_t kGain = kParts == 1 ? 12 : 30;
  return g.m >= kLines && g.n >= kLines && g.k >= kTileK && g.m * g.n >= kGain * (g.m + g.n);
}

inline Scales scales_for(const Exec& exec, const Gemm<float>& g) {
  const Range a = range_of(exec, g.a, g.m, g.k, g.a_row, g.a_col, g.batch, g.a_batch);
  if (!a.finite) return {false};
  const Range b = range_of(exec, g.b, g.k, g.n, g.b_row, g.b_col, g.batch, g.b_batch);
  return scales_of(a, b, g.k);
}

// With errors at or below those of `plain`, f32's own product, which does what cannot be split.
template <class Tiles>
void high_product(const Exec& exec, const Gemm<float>& g,
                  void (*plain)(const Exec&, const Gemm<float>&)) {
  const Scales scales = scales_for(exec, g);
  if (scales.possible) {
    tile_product<Tiles, 3>(exec, mixed_of(g), scales);
  } else {
    plain(exec, g);
  }
}

template <class Tiles>
void bf16_product(const Exec& exec, const MixedGemm& g) {
  tile_product<Tiles, 1>(exec, g, Scales{true});
}

// The entries of the table; `kPlain` does what is too small for tiles.
template <class Tiles, const GemmTable* kPlain>
struct TileTable {
  static void f32_high(const Exec& exec, const Gemm<float>& g) {
    if (suits_tiles<3>(g)) {
      high_product<Tiles>(exec, g, kPlain->f32);
    } else {
      kPlain->f32(exec, g);
    }
  }
  static void f32_medium(const Exec& exec, const Gemm<float>& g) {
    if (suits_tiles<1>(g)) {
      bf16_product<Tiles>(exec, mixed_of(g));
    } else {
      kPlain->f32(exec, g);
    }
  }
  static void mixed(const Exec& exec, const MixedGemm& g) {
    if (suits_tiles<1>(g)) {
      bf16_product<Tiles>(exec, g);
    } else {
      kPlain->mixed(exec, g);
    }
  }
};

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
