// Attention: out = softmax(q k^T scale + mask) v, and its gradients.
#pragma once

#include <cstdint>

#include "core/kernels/exec.h"
#include "core/kernels/random.h"

namespace adjoint::kernels {

// A batch of matrices: element (i, j) of item (b0, b1, ...) lies at data + sum of b . batch
// + i row + j col.
struct Matrices {
  void* data;
  int64_t row, col;
  int64_t batch[6];
};

enum class MaskKind : int32_t { none, boolean, additive };

// Note [Attention]
// Scores exist a tile at a time: kQueries rows by kKeys columns, with a running maximum and sum for
// each row (Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135). What
// stays is `logsumexp`, one number a query, from which the backward makes the probabilities again:
// memory grows with l + s, not with l s. Tiles that no query sees a key of are skipped. A row
// without any key has logsumexp -infinity, output 0 and gradients 0. Each output element is summed
// over tiles in a fixed order, by one thread: bits depend on shapes alone.
struct Attention {
  int64_t l, s, e, ev;  // queries, keys, their width, the values' width
  int32_t batch_rank;
  int64_t batch[6];
  double scale;
  // Query i sees keys j with i + first <= j <= i + last, at least -kEveryKey and at most kEveryKey.
  int64_t first, last;
  Matrices q, k, v;    // (l, e), (s, e), (s, ev)
  Matrices out;        // (l, ev), col 1
  MaskKind mask_kind;  // boolean: bool, true takes part; additive: of q's dtype
  Matrices mask;       // (l, s)
  // One number of an item, of q's dtype: score (i, j) loses it times |i + position - j|. May be
  // null.
  Matrices slopes;
  int64_t position;
  bool has_dropout;  // of probabilities; element (item, i, j) is number (item l + i) s + j
  Dropout dropout;
  void* logsumexp;  // (items, l); forward: may be null
  // Backward only. Null data where no gradient is wanted. dmask: of the mask, or of scale q k^T.
  Matrices dout;        // (l, ev), col 1
  Matrices dq, dk, dv;  // as q, k, v, with col 1
  Matrices dmask;       // (l, s), col 1
};

constexpr int64_t kEveryKey = int64_t{1} << 40;

// A single query. Its keys and values are read as they lie.
[[gnu::always_inline]] constexpr bool is_query(const Attention& op) {
  return op.l == 1 && op.q.col == 1 && op.k.col == 1 && op.v.col == 1;
}

// Indexed by f32, f64.
struct AttentionTable {
  void (*forward[2])(const Exec&, const Attention&);
  // As forward of f32, with k and v of bf16. REQUIRES: is_query.
  void (*query_bf16)(const Exec&, const Attention&);
  void (*backward[2])(const Exec&, const Attention&);
};

}  // namespace adjoint::kernels
