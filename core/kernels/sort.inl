// Kernels that sort rows, by digits of their keys, and that find what stands where in the order.
#include "core/kernels/sort.h"

#include "core/kernels/sort_keys.h"
#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Calls f(row, scratch) for all rows, several at once, each thread's with `bytes` of its own.
// Results are unique, so the number of threads may decide how many that are.
template <class F>
void for_rows_with_scratch(const Exec& exec, int64_t rows, int64_t n, size_t bytes, const F& f) {
  if (rows == 0) return;
  bytes = (bytes + kLine - 1) / kLine * kLine;
  const int64_t worthwhile = ceil_div(rows * n, 4096);
  const int64_t tasks = max_of(1, min_of(worthwhile, min_of(rows, int64_t{4} * exec.threads)));
  auto* memory = static_cast<char*>(exec.acquire(static_cast<size_t>(tasks) * bytes));
  parallel_tasks(exec, tasks, [&](int64_t task) {
    const int64_t last = rows * (task + 1) / tasks;
    for (int64_t row = rows * task / tasks; row < last; ++row) {
      f(row, memory + static_cast<size_t>(task) * bytes);
    }
  });
  exec.release(memory);
}

constexpr int64_t kKeyBlock = 1024;

// Calls f(first, n, keys) for the keys of elements [begin, end) of a row, a block at a time.
template <class K, class F>
ADJOINT_INLINE void for_keys(const Ranking& r, const Keys<K>& keys, int64_t row, int64_t begin,
                             int64_t end, K flip, const F& f) {
  K block[kKeyBlock];
  for (int64_t i = begin; i < end; i += kKeyBlock) {
    const int64_t n = min_of(kKeyBlock, end - i);
    keys.fill(r.x, row * r.n + i, n, flip, block);
    f(i, n, block);
  }
}

template <class K>
ADJOINT_INLINE K flip_of(const Ranking& r) {
  return r.descending ? static_cast<K>(~K(0)) : K(0);
}

// --- whole rows ---

constexpr int64_t kDigits = 256, kMostChunks = 32;

// One row is cut into chunks, of which threads count and move the elements.
ADJOINT_INLINE int64_t chunk_of(int64_t n) { return max_of(65536, ceil_div(n, kMostChunks)); }

// By the digit at `shift`, stably, from `a` to `b`: how many of each digit every chunk has tells
// where it writes them. False, and nothing done, where all have the same digit. `counts`: kDigits
// for each chunk.
template <class K>
bool sort_digit(const Exec& exec, const Pair<K>* a, Pair<K>* b, int64_t n, int shift,
                int64_t* counts) {
  const int64_t chunk = chunk_of(n), chunks = ceil_div(n, chunk);
  parallel_tasks(exec, chunks, [&](int64_t c) {
    int64_t* count = counts + c * kDigits;
    for (int64_t d = 0; d < kDigits; ++d) count[d] = 0;
    const int64_t last = min_of(n, (c + 1) * chunk);
    for (int64_t i = c * chunk; i < last; ++i) ++count[a[i].key >> shift & 255];
  });
  int64_t at = 0;
  for (int64_t d = 0; d < kDigits; ++d) {
    const int64_t first = at;
    for (int64_t c = 0; c < chunks; ++c) {
      const int64_t own = counts[c * kDigits + d];
      counts[c * kDigits + d] = at;
      at += own;
    }
    if (at - first == n) return false;
  }
  parallel_tasks(exec, chunks, [&](int64_t c) {
    int64_t* to = counts + c * kDigits;
    const int64_t last = min_of(n, (c + 1) * chunk);
    for (int64_t i = c * chunk; i < last; ++i) b[to[a[i].key >> shift & 255]++] = a[i];
  });
  return true;
}

// Sorts n pairs in `a`, with as many in `b` to write to; returns where they are then. Digits in
// which no bit of `varying` is set are equal in all keys.
template <class K>
Pair<K>* sort_pairs(const Exec& exec, Pair<K>* a, Pair<K>* b, int64_t n, K varying,
                    int64_t* counts) {
  if (n <= kMerged) return merge_sort(a, b, n);
  for (int shift = 0; shift < 8 * static_cast<int>(sizeof(K)); shift += 8) {
    if ((varying >> shift & 255) == 0 || !sort_digit(exec, a, b, n, shift, counts)) continue;
    Pair<K>* const sorted = b;
    b = a;
    a = sorted;
  }
  return a;
}

ADJOINT_INLINE size_t counts_bytes(int64_t n) {
  return static_cast<size_t>(ceil_div(n, chunk_of(n)) * kDigits) * sizeof(int64_t);
}

template <class K>
void order_rows(const Exec& exec, const Ranking& r, const Keys<K>& keys, int64_t* indices) {
  const int64_t n = r.n, chunk = chunk_of(n), chunks = ceil_div(n, chunk);
  const size_t bytes = counts_bytes(n) + 2 * static_cast<size_t>(n) * sizeof(Pair<K>);
  for_rows_with_scratch(exec, r.rows, n, bytes, [&](int64_t row, char* scratch) {
    auto* counts = reinterpret_cast<int64_t*>(scratch);
    auto* a = reinterpret_cast<Pair<K>*>(scratch + counts_bytes(n));
    K origin, varying_in[kMostChunks];
    keys.fill(r.x, row * n, 1, flip_of<K>(r), &origin);
    parallel_tasks(exec, chunks, [&](int64_t c) {
      K varying = 0;
      for_keys(r, keys, row, c * chunk, min_of(n, (c + 1) * chunk), flip_of<K>(r),
               [&](int64_t first, int64_t m, const K* block) {
                 for (int64_t j = 0; j < m; ++j) {
                   varying |= block[j] ^ origin;
                   a[first + j] = {block[j], static_cast<K>(first + j)};
                 }
               });
      varying_in[c] = varying;
    });
    K varying = 0;
    for (int64_t c = 0; c < chunks; ++c) varying |= varying_in[c];
    const Pair<K>* sorted = sort_pairs(exec, a, a + n, n, varying, counts);
    parallel_tasks(exec, chunks, [&](int64_t c) {
      for (int64_t i = c * chunk; i < min_of(n, (c + 1) * chunk); ++i) {
        indices[row * n + i] = static_cast<int64_t>(sorted[i].index);
      }
    });
  });
}

// --- the first k ---

// Of a few the best so far are kept in order, each new one put in its place.
constexpr int64_t kInserted = 16;

template <class K>
void top_inserted(const Ranking& r, const Keys<K>& keys, int64_t row, Pair<K>* best) {
  int64_t count = 0;
  for_keys(r, keys, row, 0, r.n, flip_of<K>(r), [&](int64_t first, int64_t m, const K* block) {
    for (int64_t j = 0; j < m; ++j) {
      const K key = block[j];
      if (count == r.k && !(key < best[count - 1].key)) continue;
      int64_t to = count < r.k ? count++ : count - 1;
      for (; to > 0 && key < best[to - 1].key; --to) best[to] = best[to - 1];
      best[to] = {key, static_cast<K>(first + j)};
    }
  });
}

// The first k of `count` pairs, in their order; `keys` is scratch for as many. Returns the last
// key that is in.
template <class K>
K keep_first(Pair<K>* p, int64_t count, int64_t k, K* keys) {
  for (int64_t i = 0; i < count; ++i) keys[i] = p[i].key;
  const K limit = kth_smallest(keys, count, k - 1);
  int64_t equal = k;  // so many of those that are equal to the limit
  for (int64_t i = 0; i < count; ++i) equal -= p[i].key < limit ? 1 : 0;
  int64_t left = 0;
  for (int64_t i = 0; i < count && left < k; ++i) {
    if (p[i].key > limit || (p[i].key == limit && equal-- <= 0)) continue;
    p[left++] = p[i];
  }
  return limit;
}

// Of many, what is better than the worst of the first k so far is gathered until there is no more
// room, and then reduced to k.
template <class K>
void top_gathered(const Ranking& r, const Keys<K>& keys, int64_t row, Pair<K>* p, int64_t room,
                  K* scratch) {
  int64_t count = 0;
  K limit = 0;
  bool full = false;
  for_keys(r, keys, row, 0, r.n, flip_of<K>(r), [&](int64_t first, int64_t m, const K* block) {
    for (int64_t j = 0; j < m; ++j) {
      if (full && block[j] >= limit) continue;
      p[count++] = {block[j], static_cast<K>(first + j)};
      if (count < room) continue;
      limit = keep_first(p, count, r.k, scratch);
      count = r.k;
      full = true;
    }
  });
  if (count > r.k) keep_first(p, count, r.k, scratch);
}

template <class K>
void top_rows(const Exec& exec, const Ranking& r, const Keys<K>& keys, int64_t* indices) {
  if (r.k == 0) return;
  // Room for k more, so that reductions cost a constant for each element.
  const int64_t room = min_of(r.n, max_of(2 * r.k, 512)) + 1;
  const size_t pairs = static_cast<size_t>(room) * sizeof(Pair<K>);
  for_rows_with_scratch(
      exec, r.rows, r.n, counts_bytes(room) + 2 * pairs, [&](int64_t row, char* scratch) {
        auto* counts = reinterpret_cast<int64_t*>(scratch);
        auto* p = reinterpret_cast<Pair<K>*>(scratch + counts_bytes(room));
        auto* other = p + room;
        const Pair<K>* found = p;
        if (r.k <= kInserted) {
          top_inserted(r, keys, row, p);
          if (!r.sorted) {
            for (int64_t i = 0; i < r.k; ++i) p[i].key = p[i].index;
            insertion_sort(p, r.k);
          }
        } else {
          top_gathered(r, keys, row, p, room, reinterpret_cast<K*>(other));
          if (r.sorted) found = sort_pairs(exec, p, other, r.k, static_cast<K>(~K(0)), counts);
        }
        for (int64_t i = 0; i < r.k; ++i) {
          indices[row * r.k + i] = static_cast<int64_t>(found[i].index);
        }
      });
}

// --- one ---

template <class K>
void kth_rows(const Exec& exec, const Ranking& r, const Keys<K>& keys, int64_t* indices) {
  const size_t bytes = static_cast<size_t>(r.n) * sizeof(K);
  for_rows_with_scratch(exec, r.rows, r.n, bytes, [&](int64_t row, char* scratch) {
    auto* all = reinterpret_cast<K*>(scratch);
    keys.fill(r.x, row * r.n, r.n, K(0), all);
    int64_t at = 0;
    if (keys.has_nan) {
      while (at < r.n && all[at] != keys.nan) ++at;
    }
    if (!keys.has_nan || at == r.n) {
      const K wanted = kth_smallest(all, r.n, r.k);
      at = -1;
      int64_t i = 0;
      while (at < 0) {
        for_keys(r, keys, row, i, min_of(r.n, i + kKeyBlock), K(0),
                 [&](int64_t first, int64_t m, const K* block) {
                   for (int64_t j = m - 1; j >= 0; --j) at = block[j] == wanted ? first + j : at;
                 });
        i += kKeyBlock;
      }
    }
    indices[row] = at;
  });
}

template <class T>
void order(const Exec& exec, const Ranking& r, int64_t* indices) {
  order_rows(exec, r, keys_for<T>(), indices);
}
template <class T>
void top(const Exec& exec, const Ranking& r, int64_t* indices) {
  top_rows(exec, r, keys_for<T>(), indices);
}
template <class T>
void kth(const Exec& exec, const Ranking& r, int64_t* indices) {
  kth_rows(exec, r, keys_for<T>(), indices);
}

// --- searches and counts ---

// How many of n sorted edges are less than (kRight: or equal to) value; as comparisons are asked,
// NaN comes after all. Each step leaves the larger half, whichever it is, so that how many there
// are is known before and no step waits for a branch.
template <bool kRight, class T>
ADJOINT_INLINE int64_t place_of(const T* edges, int64_t n, T value) {
  const auto is_past = [value](T edge) {
    return static_cast<int64_t>(kRight ? !(edge > value) : !(edge >= value));
  };
  if (n == 0) return 0;
  int64_t place = 0;
  while (n > 1) {
    const int64_t half = n / 2;
    place += half * is_past(edges[place + half - 1]);
    n -= half;
  }
  return place + is_past(edges[place]);
}

template <class T>
void search(const Exec& exec, const Search& s) {
  const auto* edges = static_cast<const T*>(s.edges);
  const auto* values = static_cast<const T*>(s.values);
  const int64_t total = s.rows * s.count;
  constexpr int64_t kValues = kGrain / 8;
  parallel_tasks(exec, ceil_div(total, kValues), [&](int64_t task) {
    const int64_t last = min_of(total, (task + 1) * kValues);
    for (int64_t e = task * kValues; e < last; ++e) {
      const T* own = edges + (s.one_row ? 0 : e / s.count * s.edge_count);
      s.places[e] = s.right ? place_of<true>(own, s.edge_count, values[e])
                            : place_of<false>(own, s.edge_count, values[e]);
    }
  });
}

template <class T>
void histogram(const Exec& exec, const Histogram& h, int64_t* counts) {
  const auto* x = static_cast<const T*>(h.x);
  const T low = static_cast<T>(h.low), high = static_cast<T>(h.high), bins = static_cast<T>(h.bins);
  const int64_t tasks = max_of(1, min_of(exec.threads, ceil_div(h.n, kGrain)));
  auto* own =
      static_cast<int64_t*>(exec.acquire(static_cast<size_t>(tasks * h.bins) * sizeof(int64_t)));
  parallel_tasks(exec, tasks, [&](int64_t task) {
    int64_t* count = own + task * h.bins;
    for (int64_t b = 0; b < h.bins; ++b) count[b] = 0;
    for (int64_t i = h.n * task / tasks; i < h.n * (task + 1) / tasks; ++i) {
      if (!(x[i] >= low && x[i] <= high)) continue;
      const T place = (x[i] - low) * bins / (high - low);
      ++count[place < bins ? static_cast<int64_t>(place) : h.bins - 1];
    }
  });
  for (int64_t b = 0; b < h.bins; ++b) {
    counts[b] = 0;
    for (int64_t task = 0; task < tasks; ++task) counts[b] += own[task * h.bins + b];
  }
  exec.release(own);
}

}  // namespace

extern const SortTable ADJOINT_TABLE;
constinit const SortTable ADJOINT_TABLE = {
    .order = {&order<float>, &order<double>, &order<bfloat16>, &order<float16>, &order<int64_t>,
              &order<int32_t>, &order<uint8_t>, &order<bool>},
    .top = {&top<float>, &top<double>, &top<bfloat16>, &top<float16>, &top<int64_t>, &top<int32_t>,
            &top<uint8_t>, &top<bool>},
    .kth = {&kth<float>, &kth<double>, &kth<bfloat16>, &kth<float16>, &kth<int64_t>, &kth<int32_t>,
            &kth<uint8_t>, &kth<bool>},
    .search = {&search<float>, &search<double>, &search<int64_t>},
    .histogram = {&histogram<float>, &histogram<double>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
