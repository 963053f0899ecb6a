// What forward and backward of attention share: an item of the batch, its mask and dropout, a tile
// of scores and what softmax makes of a row of it. For kernel sources only.
#pragma once

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

// Everything about one item of the batch; keys and values are of K.
template <class T, class K = T>
struct Item {
  const Attention* op;
  int64_t index;
  Strided<T> q;
  Strided<K> k, v;
  Strided<T> out, dout, dq, dk, dv, dmask;
  const char* mask;
  T* logsumexp;
  T slope;  // 0: none
};

template <class T, class K = T>
Item<T, K> item_at(const Attention& op, int64_t index) {
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
  const auto of = [&]<class E>(E* data, const Matrices& x) {
    return Strided<E>{data != nullptr ? data + offset(x) : nullptr, x.row, x.col};
  };
  const auto part = [&](const Matrices& x) { return of(static_cast<T*>(x.data), x); };
  const auto cache = [&](const Matrices& x) { return of(static_cast<K*>(x.data), x); };
  const int64_t bytes = op.mask_kind == MaskKind::boolean ? 1 : static_cast<int64_t>(sizeof(T));
  T* logsumexp = static_cast<T*>(op.logsumexp);
  return {
      &op,
      index,
      part(op.q),
      cache(op.k),
      cache(op.v),
      part(op.out),
      part(op.dout),
      part(op.dq),
      part(op.dk),
      part(op.dv),
      part(op.dmask),
      op.mask_kind == MaskKind::none
          ? nullptr
          : static_cast<const char*>(op.mask.data) + offset(op.mask) * bytes,
      logsumexp != nullptr ? logsumexp + index * op.l : nullptr,
      op.slopes.data == nullptr ? T(0) : static_cast<const T*>(op.slopes.data)[offset(op.slopes)]};
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

// Adds the mask to scores of query i and keys [k0, k0 + n), and what their distance costs.
template <class T, class K>
void apply_mask(const Item<T, K>& item, int64_t i, int64_t k0, int64_t n, T* scores) {
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
  if (item.slope == T(0)) return;
  const V slope = item.slope, first = static_cast<T>(k0 - i - item.op->position);
  for_vectors<V::size>(n, [&](int64_t j, int lanes) {
    const V distance = abs(V::iota() + (first + V(static_cast<T>(j))));
    store(load(scores + j, lanes) - slope * distance, scores + j, lanes);
  });
}

// The dropout's factors, 0 or 1 / (1 - p), of query i and keys [k0, k0 + n).
template <class T, class K>
void dropout_factors(const Item<T, K>& item, int64_t i, int64_t k0, int64_t n, T* factors) {
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
  int64_t q0, rows, k0, n;
  Band band;
  // Row i sees the keys from hidden(i) to before visible(i).
  ADJOINT_INLINE int64_t hidden(int64_t i) const { return max_of(0, min_of(n, i + band.low)); }
  ADJOINT_INLINE int64_t visible(int64_t i) const {
    return max_of(hidden(i), min_of(n, i + band.high + 1));
  }
};

Tile tile_at(const Attention& op, int64_t q0, int64_t k0) {
  return {q0,
          min_of(kQueries, op.l - q0),
          k0,
          min_of(kKeys, op.s - k0),
          {q0 + op.first - k0, q0 + op.last - k0}};
}

// The keys that queries [q0, q0 + rows) see, from the tile's first on.
struct Range {
  int64_t begin, end;
};
Range keys_of(const Attention& op, int64_t q0, int64_t rows) {
  const int64_t first = max_of(0, q0 + op.first), end = min_of(op.s, q0 + rows + op.last);
  return {first < end ? first / kKeys * kKeys : end, end};
}

// scores = q k^T scale, row i at scores + i kKeys.
template <class T>
void make_scores(const Item<T>& item, const Tile& t, T* scores) {
  tile_product<Banded::scores>(t.rows, t.n, item.op->e, rows_from(item.q, t.q0),
                               transposed(rows_from(item.k, t.k0)), scores, kKeys,
                               static_cast<T>(item.op->scale), false, t.band);
}

// A row of scores becomes exp(score - maximum), zero outside [hidden, visible); the sum is
// returned. `highest` is the running maximum, `correction` what earlier sums are multiplied by.
template <class T>
ADJOINT_INLINE T exponentials(T* row, int64_t hidden, int64_t visible, int64_t n, T& highest,
                              T& correction) {
  using V = Vec<T>;
  T* const scores = row + hidden;
  const int64_t seen = visible - hidden;
  const V lowest = -infinity<T>();
  V top = lowest;
  for_vectors<V::size>(seen, [&](int64_t j, int lanes) {
    top = max(top, keep(load(scores + j, lanes), lanes, lowest));
  });
  const T found = reduce_max(top);
  const T before = highest;
  if (!(before >= found)) highest = found;  // takes NaN
  correction = T(1);
  if (highest == -infinity<T>()) {
    fill_zero(row, n);
    return T(0);
  }
  const V shift = highest;
  V sum = 0;
  for_vectors<V::size>(seen, [&](int64_t j, int lanes) {
    const V p = exp(load(scores + j, lanes) - shift);
    store(p, scores + j, lanes);
    sum += keep(p, lanes, V(0));
  });
  fill_zero(row, hidden);
  fill_zero(row + visible, n - visible);
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

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
