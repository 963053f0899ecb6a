// See Note [Attention] in attention.h.
#include "core/kernels/attention_tile.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// --- one query ---

// Registers of columns of a row of the output at a time: 64 elements, or 8 registers.
template <class T>
constexpr int kQueryVectors = 64 / Vec<T>::size < 8 ? 64 / Vec<T>::size : 8;

// Asks for row i of x, n wide: the next to be read, in the order of memory.
template <class K>
ADJOINT_INLINE void fetch_row(const Strided<K>& x, int64_t i, int64_t n) {
  if constexpr (Register<K>::size > 1) {
    const auto* row = reinterpret_cast<const char*>(x.data + i * x.row);
    for (int64_t at = 0; at < n * int64_t{sizeof(K)}; at += kLine) {
      __builtin_prefetch(row + at, 0, 2);
    }
  }
}

// scores[j] = q . k_j scale for the tile's keys, as they lie: the lanes of as many products as a
// register has are turned and added. Asks for the values of the same keys on the way, and in the
// first tile for the next keys.
template <class T, class K>
void query_scores(const Item<T, K>& item, const Tile& t, bool first, T* scores) {
  using V = Vec<T>;
  constexpr int size = V::size;
  const int64_t e = item.op->e;
  const Strided<K> keys = rows_from(item.k, t.k0), values = rows_from(item.v, t.k0);
  alignas(kLine) T products[size * size];
  for (int64_t j = 0; j < t.n; j += size) {
    const int cols = static_cast<int>(min_of(size, t.n - j));
    for (int i = 0; i < cols; ++i) {
      const K* const key = keys.data + (j + i) * keys.row;
      V sum = 0;
      for_vectors<size>(e, [&](int64_t c, int lanes) {
        sum = fma(load(item.q.data + c, lanes), load(key + c, lanes), sum);
      });
      sum.store(products + i * size);
      fetch_row(values, j + i, item.op->ev);
      if (first && j + i + size < t.n) fetch_row(keys, j + i + size, e);
    }
    V turned[size];
    load_transposed(products, size, cols, turned);
#pragma GCC unroll 4
    for (int step = 1; step < size; step *= 2) {
#pragma GCC unroll 16
      for (int i = 0; i < size; i += 2 * step) turned[i] += turned[i + step];
    }
    store(turned[0] * static_cast<T>(item.op->scale), scores + j, cols);
  }
}

// out = p v (+ out where there are tiles before) for columns from c on,
// all of kQueryVectors registers or, unless kWhole, what there is of them. Asks for the keys of the
// next tile on the way.
template <bool kWhole, class T, class K>
void query_columns(const Item<T, K>& item, const Tile& t, bool first, const T* p, int64_t c) {
  using V = Vec<T>;
  constexpr int size = V::size, vectors = kQueryVectors<T>;
  const Attention& op = *item.op;
  const int64_t next = c == 0 ? min_of(t.n, op.s - t.k0 - kKeys) : 0;
  const auto lanes = [&](int v) {
    return kWhole ? size : static_cast<int>(max_of(0, min_of(size, op.ev - c - v * size)));
  };
  V sum[vectors];
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) sum[v] = V(0);
  const K* value = item.v.data + t.k0 * item.v.row + c;
  for (int64_t j = 0; j < t.n; ++j, value += item.v.row) {
    if (j < next) fetch_row(item.k, t.k0 + kKeys + j, op.e);
    const V weight = p[j];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      if (lanes(v) > 0) sum[v] = fma(weight, load(value + v * size, lanes(v)), sum[v]);
    }
  }
  T* const out = mutable_row(item.out, 0) + c;
#pragma GCC unroll 8
  for (int v = 0; v < vectors; ++v) {
    if (lanes(v) == 0) continue;
    const V x = fma(sum[v], V(1), V(0));
    store(first ? x : load(out + v * size, lanes(v)) + x, out + v * size, lanes(v));
  }
}

template <class T, class K>
void query_values(const Item<T, K>& item, const Tile& t, bool first, const T* p) {
  constexpr int64_t kColumns = kQueryVectors<T> * Vec<T>::size;
  for (int64_t c = 0; c < item.op->ev; c += kColumns) {
    const auto columns =
        c + kColumns <= item.op->ev ? query_columns<true, T, K> : query_columns<false, T, K>;
    columns(item, t, first, p, c);
  }
}

// The output of one block of queries; `kQuery`: of a single one, whose tiles begin at its first
// key.
template <bool kQuery, class T, class K>
void forward_block(const Item<T, K>& item, int64_t q0) {
  const Attention& op = *item.op;
  alignas(64) T scores[kQueries * kKeys];
  T highest[kQueries], total[kQueries];
  const int64_t rows = min_of(kQueries, op.l - q0);
  for (int64_t i = 0; i < rows; ++i) {
    highest[i] = -infinity<T>();
    total[i] = T(0);
  }
  Range keys = keys_of(op, q0, rows);
  if constexpr (kQuery) keys.begin = max_of(0, op.first);
  for (int64_t k0 = keys.begin; k0 < keys.end; k0 += kKeys) {
    const bool first = k0 == keys.begin;
    Tile t = tile_at(op, q0, k0);
    if constexpr (kQuery) {
      t.n = min_of(t.n, keys.end - k0);
      query_scores(item, t, first, scores);
    } else {
      make_scores(item, t, scores);
    }
    for (int64_t i = 0; i < rows; ++i) {
      T* const row = scores + i * kKeys;
      const int64_t hidden = t.hidden(i), visible = t.visible(i), seen = visible - hidden;
      apply_mask(item, q0 + i, k0 + hidden, seen, row + hidden);
      T correction;
      const T sum = exponentials(row, hidden, visible, t.n, highest[i], correction);
      total[i] = total[i] * correction + sum;
      if (!first && correction != T(1)) {
        multiply_row(mutable_row(item.out, q0 + i), op.ev, correction);
      }
      if (op.has_dropout) {
        T factors[kKeys];
        dropout_factors(item, q0 + i, k0 + hidden, seen, factors);
        T* const kept = row + hidden;
        for_vectors<Vec<T>::size>(seen, [&](int64_t j, int lanes) {
          store(load(kept + j, lanes) * load(factors + j, lanes), kept + j, lanes);
        });
      }
    }
    if constexpr (kQuery) {
      query_values(item, t, first, scores);
    } else {
      tile_product<Banded::over_keys>(rows, op.ev, t.n, Strided<T>{scores, kKeys, 1},
                                      rows_from(item.v, k0), mutable_row(item.out, q0),
                                      item.out.row, T(1), !first, t.band);
    }
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
  const int64_t hidden = t.hidden(i), visible = t.visible(i), seen = visible - hidden;
  const int64_t query = t.q0 + i;
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
  fill_zero(p, hidden);
  fill_zero(ds, hidden);
  fill_zero(p + visible, t.n - visible);
  fill_zero(ds + visible, t.n - visible);
  p += hidden;
  ds += hidden;
  apply_mask(item, query, t.k0 + hidden, seen, p);
  T factors[kKeys];
  if (op.has_dropout) dropout_factors(item, query, t.k0 + hidden, seen, factors);
  for_vectors<V::size>(seen, [&](int64_t j, int lanes) {
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
}

// One tile's part of the gradients. The first tile of a row of tiles sets dq, the first of a
// column (`first_k`) sets dk and dv; the others add.
template <class T>
void backward_tile(const Item<T>& item, const Tile& t, bool wants_q, bool wants_kv, bool first_k) {
  const Attention& op = *item.op;
  const T scale = static_cast<T>(op.scale);
  alignas(64) T p[kQueries * kKeys], ds[kQueries * kKeys];
  const Strided<T> q = rows_from(item.q, t.q0), k = rows_from(item.k, t.k0);
  const Strided<T> v = rows_from(item.v, t.k0), dout = rows_from(item.dout, t.q0);
  make_scores(item, t, p);
  tile_product<Banded::scores>(t.rows, t.n, op.ev, dout, transposed(v), ds, kKeys, T(1), false,
                               t.band);
  for (int64_t i = 0; i < t.rows; ++i) backward_row(item, t, i, p + i * kKeys, ds + i * kKeys);
  const Strided<T> probabilities{p, kKeys, 1}, scores{ds, kKeys, 1};
  if (wants_kv && item.dv.data != nullptr) {
    tile_product<Banded::over_queries>(t.n, op.ev, t.rows, transposed(probabilities), dout,
                                       mutable_row(item.dv, t.k0), item.dv.row, T(1), !first_k,
                                       t.band);
  }
  if (wants_kv && item.dk.data != nullptr) {
    tile_product<Banded::over_queries>(t.n, op.e, t.rows, transposed(scores), q,
                                       mutable_row(item.dk, t.k0), item.dk.row, scale, !first_k,
                                       t.band);
  }
  if (wants_kv && item.dmask.data != nullptr) {
    for (int64_t i = 0; i < t.rows; ++i) {
      __builtin_memcpy(mutable_row(item.dmask, t.q0 + i) + t.k0, ds + i * kKeys,
                       static_cast<size_t>(t.n) * sizeof(T));
    }
  }
  if (wants_q) {
    tile_product<Banded::over_keys>(t.rows, op.e, t.n, scores, k, mutable_row(item.dq, t.q0),
                                    item.dq.row, scale, t.k0 > keys_of(op, t.q0, t.rows).begin,
                                    t.band);
  }
}

// All tiles of one block of keys, in the order of the queries.
template <class T>
void backward_keys(const Item<T>& item, int64_t k0, bool wants_q, bool wants_kv) {
  const Attention& op = *item.op;
  const int64_t last_key = min_of(op.s, k0 + kKeys) - 1;
  const int64_t begin = max_of(0, k0 - op.last) / kQueries * kQueries;
  const int64_t end = min_of(op.l, last_key - op.first + 1);
  for (int64_t q0 = begin; q0 < end; q0 += kQueries) {
    backward_tile(item, tile_at(op, q0, k0), wants_q, wants_kv, q0 == begin);
  }
  if (begin < end || !wants_kv) return;
  for (int64_t j = k0; j <= last_key; ++j) {  // keys that nobody sees
    if (item.dk.data != nullptr) fill_zero(mutable_row(item.dk, j), op.e);
    if (item.dv.data != nullptr) fill_zero(mutable_row(item.dv, j), op.ev);
  }
}

// Queries that see no key have no gradient.
template <class T>
void clear_blind_queries(const Item<T>& item, int64_t q0) {
  const Attention& op = *item.op;
  const int64_t rows = min_of(kQueries, op.l - q0);
  const Range keys = keys_of(op, q0, rows);
  if (keys.begin < keys.end) return;
  for (int64_t i = q0; i < q0 + rows; ++i) fill_zero(mutable_row(item.dq, i), op.e);
}

// All tiles of one block of queries, in the order of the keys.
template <class T>
void backward_queries(const Item<T>& item, int64_t q0) {
  const Attention& op = *item.op;
  const Range keys = keys_of(op, q0, min_of(kQueries, op.l - q0));
  for (int64_t k0 = keys.begin; k0 < keys.end; k0 += kKeys) {
    backward_tile(item, tile_at(op, q0, k0), true, false, false);
  }
  clear_blind_queries(item, q0);
}

// Multiplications that are worth a task.
constexpr int64_t kWorthTask = 1 << 16;

// Calls f(item, block) for every item and every block of it, small ones together.
template <class T, class K = T, class F>
void for_blocks(const Exec& exec, const Attention& op, int64_t blocks, int64_t work, const F& f) {
  int64_t items = 1;
  for (int d = 0; d < op.batch_rank; ++d) items *= op.batch[d];
  const int64_t total = items * blocks, group = max_of(1, kWorthTask / max_of(1, work));
  parallel_tasks(exec, ceil_div(total, group), [&](int64_t task) {
    const int64_t last = min_of(total, (task + 1) * group);
    for (int64_t at = task * group; at < last; ++at) {
      f(item_at<T, K>(op, at / blocks), at % blocks);
    }
  });
}

// A token that is generated: what counts is how fast keys and values come from memory.
template <class T, class K>
void forward_query(const Exec& exec, const Attention& op) {
  const int64_t keys = max_of(0, min_of(op.s, op.last + 1) - max_of(0, op.first));
  for_blocks<T, K>(exec, op, 1, keys * (op.e + op.ev),
                   [](const Item<T, K>& item, int64_t) { forward_block<true>(item, 0); });
}

template <class T>
void forward(const Exec& exec, const Attention& op) {
  if (is_query(op)) {
    forward_query<T, T>(exec, op);
    return;
  }
  const int64_t work = min_of(kQueries, op.l) * op.s * (op.e + op.ev);
  for_blocks<T>(exec, op, ceil_div(op.l, kQueries), work, [](const Item<T>& item, int64_t block) {
    forward_block<false>(item, block * kQueries);
  });
}

template <class T>
void backward(const Exec& exec, const Attention& op) {
  int64_t items = 1;
  for (int d = 0; d < op.batch_rank; ++d) items *= op.batch[d];
  const bool dq = op.dq.data != nullptr;
  const bool kv = op.dk.data != nullptr || op.dv.data != nullptr || op.dmask.data != nullptr;
  const int64_t key_blocks = ceil_div(op.s, kKeys), query_blocks = ceil_div(op.l, kQueries);
  // A task for each item makes every tile once. Where that keeps too few threads busy, one pass for
  // dk and dv and one for dq make it twice, by smaller tasks; each sum keeps its order, so the
  // choice leaves the bits alone.
  if (items >= 2 * exec.threads || exec.threads == 1) {
    for_blocks<T>(exec, op, 1, op.l * op.s * 2 * (op.e + op.ev), [&](const Item<T>& item, int64_t) {
      for (int64_t block = 0; block < key_blocks; ++block) {
        backward_keys(item, block * kKeys, dq, kv);
      }
      for (int64_t block = 0; dq && block < query_blocks; ++block) {
        clear_blind_queries(item, block * kQueries);
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
  if (dq) {
    for_blocks<T>(
        exec, op, query_blocks, kQueries * op.s * (op.e + op.ev),
        [](const Item<T>& item, int64_t block) { backward_queries(item, block * kQueries); });
  }
}

}  // namespace

extern const AttentionTable ADJOINT_TABLE;
const AttentionTable ADJOINT_TABLE = {.forward = {forward<float>, forward<double>},
                                      .query_bf16 = forward_query<float, bfloat16>,
                                      .backward = {backward<float>, backward<double>}};

}  // namespace adjoint::kernels::ADJOINT_ISA
