// See Note [Attention] in attention.h.
#include "core/kernels/attention.h"

#include "core/kernels/philox.h"
#include "core/kernels/tile_product.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// The tile of scores: 64 by 128 floats are 32 KiB. Constants, for they decide the bits.
constexpr int64_t kQueries = 64, kKeys = 128;

template <class T>
Strided<T> rows_from(const Strided<T>& x, int64_t row) {
  return {x.data + row * x.row, x.row, x.col};
}

// Everything about one item of the batch.
template <class T>
struct Item {
  const Attention* op;
  int64_t index;
  Strided<T> q, k, v, out, dout, dq, dk, dv, dmask;
  const char* mask;
  T* logsumexp;
};

template <class T>
Item<T> item_at(const Attention& op, int64_t index) {
  int64_t at[6] = {};
  for (int64_t rest = index, d = op.batch_rank - 1; d >= 0; --d) {
    at[d] = rest % op.batch[d];
    rest /= op.batch[d];
  }
  const auto offset = [&](const Matrices& x) {
    int64_t sum = 0;
    for (int d = 0; d < op.batch_rank; ++d) sum += at[d] * x.batch[d];
    return sum;
  };
  const auto part = [&](const Matrices& x) {
    T* data = static_cast<T*>(x.data);
    return Strided<T>{data != nullptr ? data + offset(x) : nullptr, x.row, x.col};
  };
  const int64_t bytes = op.mask_kind == MaskKind::boolean ? 1 : static_cast<int64_t>(sizeof(T));
  T* logsumexp = static_cast<T*>(op.logsumexp);
  return {&op,
          index,
          part(op.q),
          part(op.k),
          part(op.v),
          part(op.out),
          part(op.dout),
          part(op.dq),
          part(op.dk),
          part(op.dv),
          part(op.dmask),
          op.mask_kind == MaskKind::none
              ? nullptr
              : static_cast<const char*>(op.mask.data) + offset(op.mask) * bytes,
          logsumexp != nullptr ? logsumexp + index * op.l : nullptr};
}

template <class T>
T* mutable_row(const Strided<T>& x, int64_t row) {
  return const_cast<T*>(x.data) + row * x.row;
}

// x[j] of a strided run, gathered unless it is contiguous.
template <class M>
ADJOINT_INLINE const M* run_of(const M* x, int64_t stride, int64_t n, M* space) {
  if (stride == 1) return x;
  for (int64_t j = 0; j < n; ++j) space[j] = x[j * stride];
  return space;
}

// Adds the mask to scores of query i and keys [k0, k0 + n).
template <class T>
void apply_mask(const Item<T>& item, int64_t i, int64_t k0, int64_t n, T* scores) {
  using V = Vec<T>;
  const Matrices& mask = item.op->mask;
  const int64_t at = i * mask.row + k0 * mask.col;
  if (item.op->mask_kind == MaskKind::boolean) {
    bool space[kKeys];
    const bool* allowed = run_of(reinterpret_cast<const bool*>(item.mask) + at, mask.col, n, space);
    for_vectors<V::size>(n, [&](int64_t j, int lanes) {
      const V s = select(Mask<T>::load_bools(allowed + j, lanes), load(scores + j, lanes),
                         V(-infinity<T>()));
      store(s, scores + j, lanes);
    });
  } else if (item.op->mask_kind == MaskKind::additive) {
    T space[kKeys];
    const T* bias = run_of(reinterpret_cast<const T*>(item.mask) + at, mask.col, n, space);
    for_vectors<V::size>(n, [&](int64_t j, int lanes) {
      store(load(scores + j, lanes) + load(bias + j, lanes), scores + j, lanes);
    });
  }
}

// The dropout's factors, 0 or 1 / (1 - p), of query i and keys [k0, k0 + n).
template <class T>
void dropout_factors(const Item<T>& item, int64_t i, int64_t k0, int64_t n, T* factors) {
  const Attention& op = *item.op;
  uint32_t space[philox_space(kKeys)];
  const int64_t first = (item.index * op.l + i) * op.s + k0;
  const uint32_t* words = philox_words(op.dropout.key, first, n, space);
  if constexpr (__is_same(T, float)) {
    for_vectors<Vec<float>::size>(n, [&](int64_t j, int lanes) {
      store(dropout_factor(words + j, lanes, op.dropout.threshold, op.dropout.scale), factors + j,
            lanes);
    });
  } else {
    for (int64_t j = 0; j < n; ++j) {
      factors[j] = words[j] < op.dropout.threshold ? T(0) : static_cast<T>(op.dropout.scale);
    }
  }
}

template <class T>
void fill_zero(T* x, int64_t n) {
  if (n > 0) __builtin_memset(x, 0, static_cast<size_t>(n) * sizeof(T));
}

// A tile's place: queries [q0, q0 + rows), keys [k0, k0 + n).
struct Tile {
  int64_t q0, rows, k0, n, diagonal;
  // How many of its keys row i sees.
  ADJOINT_INLINE int64_t visible(int64_t i) const { return max_of(0, min_of(n, i + diagonal + 1)); }
};

Tile tile_at(const Attention& op, int64_t q0, int64_t k0) {
  return {q0, min_of(kQueries, op.l - q0), k0, min_of(kKeys, op.s - k0),
          op.causal ? q0 - k0 : kNoDiagonal};
}

// scores = q k^T scale, row i at scores + i kKeys.
template <class T>
void make_scores(const Item<T>& item, const Tile& t, T* scores) {
  tile_product<Causal::scores>(t.rows, t.n, item.op->e, rows_from(item.q, t.q0),
                               transposed(rows_from(item.k, t.k0)), scores, kKeys,
                               static_cast<T>(item.op->scale), false, t.diagonal);
}

// A row of scores becomes exp(score - maximum), zero where the row does not see; the sum is
// returned. `highest` is the running maximum, `correction` what earlier sums are multiplied by.
template <class T>
ADJOINT_INLINE T exponentials(T* scores, int64_t visible, int64_t n, T& highest, T& correction) {
  using V = Vec<T>;
  const V lowest = -infinity<T>();
  V top = lowest;
  for_vectors<V::size>(visible, [&](int64_t j, int lanes) {
    top = max(top, keep(load(scores + j, lanes), lanes, lowest));
  });
  const T found = reduce_max(top);
  const T before = highest;
  if (!(before >= found)) highest = found;  // takes NaN
  correction = T(1);
  if (highest == -infinity<T>()) {
    fill_zero(scores, n);
    return T(0);
  }
  const V shift = highest;
  V sum = 0;
  for_vectors<V::size>(visible, [&](int64_t j, int lanes) {
    const V p = exp(load(scores + j, lanes) - shift);
    store(p, scores + j, lanes);
    sum += keep(p, lanes, V(0));
  });
  fill_zero(scores + visible, n - visible);
  if (highest != before) {
    const V ratio = exp(V(before) - shift);
    ratio.store_n(&correction, 1);
  }
  return reduce_add(sum);
}

template <class T>
ADJOINT_INLINE void multiply_row(T* x, int64_t n, T factor) {
  const Vec<T> f = factor;
  for_vectors<Vec<T>::size>(
      n, [&](int64_t j, int lanes) { store(load(x + j, lanes) * f, x + j, lanes); });
}

// The output of one block of queries.
template <class T>
void forward_block(const Item<T>& item, int64_t q0) {
  const Attention& op = *item.op;
  alignas(64) T scores[kQueries * kKeys];
  T highest[kQueries], total[kQueries];
  const int64_t rows = min_of(kQueries, op.l - q0);
  for (int64_t i = 0; i < rows; ++i) {
    highest[i] = -infinity<T>();
    total[i] = T(0);
  }
  const int64_t keys = op.causal ? min_of(op.s, q0 + rows) : op.s;
  for (int64_t k0 = 0; k0 < keys; k0 += kKeys) {
    const Tile t = tile_at(op, q0, k0);
    make_scores(item, t, scores);
    for (int64_t i = 0; i < rows; ++i) {
      T* const row = scores + i * kKeys;
      const int64_t visible = t.visible(i);
      apply_mask(item, q0 + i, k0, visible, row);
      T correction;
      const T sum = exponentials(row, visible, t.n, highest[i], correction);
      total[i] = total[i] * correction + sum;
      if (k0 > 0 && correction != T(1)) {
        multiply_row(mutable_row(item.out, q0 + i), op.ev, correction);
      }
      if (op.has_dropout) {
        T factors[kKeys];
        dropout_factors(item, q0 + i, k0, visible, factors);
        for_vectors<Vec<T>::size>(visible, [&](int64_t j, int lanes) {
          store(load(row + j, lanes) * load(factors + j, lanes), row + j, lanes);
        });
      }
    }
    tile_product<Causal::over_keys>(rows, op.ev, t.n, Strided<T>{scores, kKeys, 1},
                                    rows_from(item.v, k0), mutable_row(item.out, q0), item.out.row,
                                    T(1), k0 > 0, t.diagonal);
  }
  for (int64_t i = 0; i < rows; ++i) {
    T* const out = mutable_row(item.out, q0 + i);
    if (total[i] != T(0)) {
      multiply_row(out, op.ev, T(1) / total[i]);
    } else {
      fill_zero(out, op.ev);
    }
    if (item.logsumexp == nullptr) continue;
    const Vec<T> sum = Vec<T>(highest[i]) + log(Vec<T>(total[i]));
    sum.store_n(item.logsumexp + q0 + i, 1);
  }
}

// Of row i: p = probabilities (with the dropout's factors), ds = the gradient of the scores, from
// what they hold: scores, and dout v^T.
template <class T>
ADJOINT_INLINE void backward_row(const Item<T>& item, const Tile& t, int64_t i, T* p, T* ds) {
  using V = Vec<T>;
  const Attention& op = *item.op;
  const int64_t visible = t.visible(i), query = t.q0 + i;
  const T logsumexp = item.logsumexp[query];
  if (logsumexp == -infinity<T>()) {
    fill_zero(p, t.n);
    fill_zero(ds, t.n);
    return;
  }
  // sum_j p_j dp_j = dout . out
  V dots = 0;
  const T *dout = item.dout.data + query * item.dout.row,
          *out = item.out.data + query * item.out.row;
  for_vectors<V::size>(op.ev, [&](int64_t j, int lanes) {
    dots = fma(load(dout + j, lanes), load(out + j, lanes), dots);
  });
  const V dot = reduce_add(dots), shift = logsumexp;
  apply_mask(item, query, t.k0, visible, p);
  T factors[kKeys];
  if (op.has_dropout) dropout_factors(item, query, t.k0, visible, factors);
  for_vectors<V::size>(visible, [&](int64_t j, int lanes) {
    const V probability = exp(load(p + j, lanes) - shift);
    V dp = load(ds + j, lanes), dropped = probability;
    if (op.has_dropout) {
      const V f = load(factors + j, lanes);
      dropped = probability * f;
      dp = dp * f;
    }
    store(dropped, p + j, lanes);
    store(probability * (dp - dot), ds + j, lanes);
  });
  fill_zero(p + visible, t.n - visible);
  fill_zero(ds + visible, t.n - visible);
}

// One tile's part of the gradients. The first tile of a row of tiles sets dq, the first of a
// column sets dk and dv; the others add.
template <class T>
void backward_tile(const Item<T>& item, const Tile& t, bool wants_q, bool wants_kv, bool first_k) {
  const Attention& op = *item.op;
  const T scale = static_cast<T>(op.scale);
  alignas(64) T p[kQueries * kKeys], ds[kQueries * kKeys];
  const Strided<T> q = rows_from(item.q, t.q0), k = rows_from(item.k, t.k0);
  const Strided<T> v = rows_from(item.v, t.k0), dout = rows_from(item.dout, t.q0);
  make_scores(item, t, p);
  tile_product<Causal::scores>(t.rows, t.n, op.ev, dout, transposed(v), ds, kKeys, T(1), false,
                               t.diagonal);
  for (int64_t i = 0; i < t.rows; ++i) backward_row(item, t, i, p + i * kKeys, ds + i * kKeys);
  const Strided<T> probabilities{p, kKeys, 1}, scores{ds, kKeys, 1};
  if (wants_kv && item.dv.data != nullptr) {
    tile_product<Causal::over_queries>(t.n, op.ev, t.rows, transposed(probabilities), dout,
                                       mutable_row(item.dv, t.k0), item.dv.row, T(1), !first_k,
                                       t.diagonal);
  }
  if (wants_kv && item.dk.data != nullptr) {
    tile_product<Causal::over_queries>(t.n, op.e, t.rows, transposed(scores), q,
                                       mutable_row(item.dk, t.k0), item.dk.row, scale, !first_k,
                                       t.diagonal);
  }
  if (wants_kv && item.dmask.data != nullptr) {
    for (int64_t i = 0; i < t.rows; ++i) {
      __builtin_memcpy(mutable_row(item.dmask, t.q0 + i) + t.k0, ds + i * kKeys,
                       static_cast<size_t>(t.n) * sizeof(T));
    }
  }
  if (wants_q) {
    tile_product<Causal::over_keys>(t.rows, op.e, t.n, scores, k, mutable_row(item.dq, t.q0),
                                    item.dq.row, scale, t.k0 > 0, t.diagonal);
  }
}

// All tiles of one block of keys, in the order of the queries.
template <class T>
void backward_keys(const Item<T>& item, int64_t k0, bool wants_q, bool wants_kv) {
  const Attention& op = *item.op;
  const int64_t begin = op.causal ? k0 / kQueries * kQueries : 0;
  for (int64_t q0 = begin; q0 < op.l; q0 += kQueries) {
    backward_tile(item, tile_at(op, q0, k0), wants_q, wants_kv, q0 == begin);
  }
  if (begin < op.l || !wants_kv) return;
  for (int64_t j = k0; j < min_of(op.s, k0 + kKeys); ++j) {  // keys that nobody sees
    if (item.dk.data != nullptr) fill_zero(mutable_row(item.dk, j), op.e);
    if (item.dv.data != nullptr) fill_zero(mutable_row(item.dv, j), op.ev);
  }
}

// All tiles of one block of queries, in the order of the keys.
template <class T>
void backward_queries(const Item<T>& item, int64_t q0) {
  const Attention& op = *item.op;
  const int64_t rows = min_of(kQueries, op.l - q0);
  const int64_t keys = op.causal ? min_of(op.s, q0 + rows) : op.s;
  for (int64_t k0 = 0; k0 < keys; k0 += kKeys) {
    backward_tile(item, tile_at(op, q0, k0), true, false, false);
  }
}

// Multiplications that are worth a task.
constexpr int64_t kWorthTask = 1 << 16;

// Calls f(item, block) for every item and every block of it, small ones together.
template <class T, class F>
void for_blocks(const Exec& exec, const Attention& op, int64_t blocks, int64_t work, const F& f) {
  int64_t items = 1;
  for (int d = 0; d < op.batch_rank; ++d) items *= op.batch[d];
  const int64_t total = items * blocks, group = max_of(1, kWorthTask / max_of(1, work));
  parallel_tasks(exec, ceil_div(total, group), [&](int64_t task) {
    const int64_t last = min_of(total, (task + 1) * group);
    for (int64_t at = task * group; at < last; ++at) {
      f(item_at<T>(op, at / blocks), at % blocks);
    }
  });
}

template <class T>
void forward(const Exec& exec, const Attention& op) {
  const int64_t work = min_of(kQueries, op.l) * op.s * (op.e + op.ev);
  for_blocks<T>(exec, op, ceil_div(op.l, kQueries), work,
                [](const Item<T>& item, int64_t block) { forward_block(item, block * kQueries); });
}

template <class T>
void backward(const Exec& exec, const Attention& op) {
  int64_t items = 1;
  for (int d = 0; d < op.batch_rank; ++d) items *= op.batch[d];
  const bool dq = op.dq.data != nullptr;
  const bool kv = op.dk.data != nullptr || op.dv.data != nullptr || op.dmask.data != nullptr;
  const int64_t key_blocks = ceil_div(op.s, kKeys), query_blocks = ceil_div(op.l, kQueries);
  if (dq && op.s == 0) {
    for_blocks<T>(exec, op, op.l, op.e, [&](const Item<T>& item, int64_t row) {
      fill_zero(mutable_row(item.dq, row), op.e);
    });
  }
  // A task for each item makes every tile once. Where that keeps too few threads busy, one pass for
  // dk and dv and one for dq make it twice, by smaller tasks; each sum keeps its order, so the
  // choice leaves the bits alone.
  if (items >= 2 * exec.threads || exec.threads == 1) {
    for_blocks<T>(exec, op, 1, op.l * op.s * 2 * (op.e + op.ev), [&](const Item<T>& item, int64_t) {
      for (int64_t block = 0; block < key_blocks; ++block) {
        backward_keys(item, block * kKeys, dq, kv);
      }
    });
    return;
  }
  if (kv) {
    for_blocks<T>(exec, op, key_blocks, op.l * kKeys * (op.e + op.ev),
                  [](const Item<T>& item, int64_t block) {
                    backward_keys(item, block * kKeys, false, true);
                  });
  }
  if (dq && key_blocks > 0) {
    for_blocks<T>(
        exec, op, query_blocks, kQueries * op.s * (op.e + op.ev),
        [](const Item<T>& item, int64_t block) { backward_queries(item, block * kQueries); });
  }
}

}  // namespace

extern const AttentionTable ADJOINT_TABLE;
const AttentionTable ADJOINT_TABLE = {.forward = {forward<float>, forward<double>},
                                      .backward = {backward<float>, backward<double>}};

}  // namespace adjoint::kernels::ADJOINT_ISA
