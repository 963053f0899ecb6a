// Reduction kernels. See Note [Reduction trees] in reduce.h.
#include "core/kernels/reduce.h"

#include "core/kernels/streams.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// A place in a space of several dimensions, dimension 0 innermost, with its offset in elements.
struct Odometer {
  const int64_t *size, *stride;
  int32_t rank;
  int64_t index[8], offset;

  Odometer(const int64_t* sizes, const int64_t* strides, int32_t dims, int64_t linear)
      : size(sizes), stride(strides), rank(dims), offset(0) {
    for (int d = 0; d < rank; ++d) {
      index[d] = linear % size[d];
      linear /= size[d];
      offset += index[d] * stride[d];
    }
  }
  // Moves on along dimension `from`, which is at its end or about to be.
  ADJOINT_INLINE void carry(int from) {
    for (int d = from; d < rank; ++d) {
      offset += stride[d];
      if (++index[d] < size[d]) return;
      offset -= size[d] * stride[d];
      index[d] = 0;
    }
  }
  ADJOINT_INLINE void next() { carry(0); }
};

// The operations, over accumulators of type A: `map` takes an element and the output's center,
// `combine` two partial results. Merged combines partial results again.
template <class A>
struct SumOf {
  using Merged = SumOf;
  static ADJOINT_INLINE A identity() { return A(0); }
  static ADJOINT_INLINE Vec<A> map(Vec<A> x, Vec<A>) { return x; }
  static ADJOINT_INLINE Vec<A> combine(Vec<A> a, Vec<A> b) { return a + b; }
  static ADJOINT_INLINE A lanes(Vec<A> x) { return reduce_add(x); }
};
template <class A>
struct ProductOf {
  using Merged = ProductOf;
  static ADJOINT_INLINE A identity() { return A(1); }
  static ADJOINT_INLINE Vec<A> map(Vec<A> x, Vec<A>) { return x; }
  static ADJOINT_INLINE Vec<A> combine(Vec<A> a, Vec<A> b) { return a * b; }
  static ADJOINT_INLINE A lanes(Vec<A> x) {
    A lane[Vec<A>::size];
    x.store(lane);
    for (int half = Vec<A>::size / 2; half > 0; half /= 2) {
      for (int i = 0; i < half; ++i) lane[i] = lane[i] * lane[i + half];
    }
    return lane[0];
  }
};
template <class A>
struct SumOfAbsolute : SumOf<A> {
  static ADJOINT_INLINE Vec<A> map(Vec<A> x, Vec<A>) { return abs(x); }
};
template <class A>
struct SquaredDeviations : SumOf<A> {
  static ADJOINT_INLINE Vec<A> map(Vec<A> x, Vec<A> center) {
    const Vec<A> d = x - center;
    return d * d;
  }
};
template <class A>
struct Finite : SumOf<A> {
  static ADJOINT_INLINE Vec<A> map(Vec<A> x, Vec<A>) { return x * Vec<A>(0.0f); }
};
template <class A>
struct MaxOf {
  using Merged = MaxOf;
  static ADJOINT_INLINE A identity() {
    if constexpr (Vec<A>::size > 1 || __is_same(A, float) || __is_same(A, double)) {
      return static_cast<A>(-__builtin_inf());
    } else {
      return __is_same(A, bool) ? A(0) : static_cast<A>(INT64_MIN);
    }
  }
  static ADJOINT_INLINE Vec<A> map(Vec<A> x, Vec<A>) { return x; }
  static ADJOINT_INLINE Vec<A> combine(Vec<A> a, Vec<A> b) { return maximum(a, b); }
  static ADJOINT_INLINE A lanes(Vec<A> x) { return reduce_max(x); }
};
template <class A>
struct MinOf {
  using Merged = MinOf;
  static ADJOINT_INLINE A identity() {
    if constexpr (Vec<A>::size > 1 || __is_same(A, float) || __is_same(A, double)) {
      return static_cast<A>(__builtin_inf());
    } else {
      return __is_same(A, bool) ? A(1) : static_cast<A>(INT64_MAX);
    }
  }
  static ADJOINT_INLINE Vec<A> map(Vec<A> x, Vec<A>) { return x; }
  static ADJOINT_INLINE Vec<A> combine(Vec<A> a, Vec<A> b) { return minimum(a, b); }
  static ADJOINT_INLINE A lanes(Vec<A> x) { return reduce_min(x); }
};

// A vector of accumulators from elements; Vec<A> has one lane where T is computed otherwise.
template <class A, class T>
ADJOINT_INLINE Vec<A> load_as(const T* p, int n) {
  if constexpr (__is_same(A, Computed<T>)) {
    return n == Vec<A>::size ? Vec<A>::load(p) : Vec<A>::load_n(p, n);
  } else {
    static_cast<void>(n);
    return Vec<A>(narrow<A>(*p));
  }
}

template <class F, class A>
ADJOINT_INLINE A combine_two(A a, A b) {
  // In lane 0 of a register, whose other lanes nobody reads.
  if constexpr (Vec<A>::size == 1) {
    return F::combine(Vec<A>(a), Vec<A>(b)).v;
  } else {
    A lane[Vec<A>::size];
    F::combine(Vec<A>(a), Vec<A>(b)).store(lane);
    return lane[0];
  }
}

// Combines partial results pairwise, as a binary counter carries.
template <class A, class F>
struct Cascade {
  A level[32];
  uint64_t added = 0;

  ADJOINT_INLINE void add(A x) {
    int l = 0;
    for (uint64_t bits = added; (bits & 1) != 0; bits >>= 1, ++l) {
      x = combine_two<F>(level[l], x);
    }
    level[l] = x;
    ++added;
  }
  ADJOINT_INLINE A result() const {
    A x = F::identity();
    bool any = false;
    for (int l = 0; added >> l != 0; ++l) {
      if ((added >> l & 1) == 0) continue;
      x = any ? combine_two<F>(level[l], x) : level[l];
      any = true;
    }
    return x;
  }
};

constexpr int64_t kLeaf = 512, kChunk = 65536;

// Of at most kLeaf bytes of zero and one, eight at a time: each byte of a sum holds at most 64.
ADJOINT_INLINE int64_t count_true(const bool* p, int64_t n) {
  constexpr uint64_t kEven = 0x00ff00ff00ff00ff, kFours = 0x0001000100010001;
  uint64_t sums = 0;
  int64_t i = 0, rest = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, p + i, sizeof(word));
    sums += word;
  }
  for (; i < n; ++i) rest += p[i] ? 1 : 0;
  return static_cast<int64_t>(((sums & kEven) + (sums >> 8 & kEven)) * kFours >> 48) + rest;
}

// A contiguous run of at most kLeaf elements.
template <class T, class A, class F>
ADJOINT_INLINE A leaf(const T* p, int64_t n, Vec<A> center) {
  if constexpr (__is_same(T, bool) && __is_same(F, SumOf<int64_t>)) return count_true(p, n);
  constexpr int kSize = Vec<A>::size, kAccumulators = 8;
  const Vec<A> identity = F::identity();
  Vec<A> sum = identity;
  int64_t i = 0;
  if (n >= kAccumulators * kSize) {
    Vec<A> s[kAccumulators];
    for (int k = 0; k < kAccumulators; ++k) {
      s[k] = F::map(load_as<A>(p + k * kSize, kSize), center);
    }
    for (i = kAccumulators * kSize; i + kAccumulators * kSize <= n; i += kAccumulators * kSize) {
      for (int k = 0; k < kAccumulators; ++k) {
        s[k] = F::combine(s[k], F::map(load_as<A>(p + i + k * kSize, kSize), center));
      }
    }
    for (int half = kAccumulators / 2; half > 0; half /= 2) {
      for (int k = 0; k < half; ++k) s[k] = F::combine(s[k], s[k + half]);
    }
    sum = s[0];
  }
  for (; i + kSize <= n; i += kSize) {
    sum = F::combine(sum, F::map(load_as<A>(p + i, kSize), center));
  }
  if constexpr (kSize > 1) {
    if (i < n) {
      const auto rest = static_cast<int>(n - i);
      const Vec<A> x = F::map(load_as<A>(p + i, rest), center);
      sum = F::combine(sum, select(Vec<A>::iota() < Vec<A>(rest), x, identity));
    }
  }
  return F::lanes(sum);
}

// Elements [first, last) of the reduced space of one output, the first of which is at `data`.
template <class T, class A, class F>
A reduce_row(const void* data, const Reduce& r, int64_t first, int64_t last, A center) {
  const T* const x = static_cast<const T*>(data);
  const int64_t inner = r.reduced_size[0], stride = r.reduced_stride[0];
  const Vec<A> centers = center;
  if (stride == 1 && r.reduced_rank == 1 && last - first <= kLeaf) {
    return leaf<T, A, F>(x + first, last - first, centers);
  }
  Cascade<A, F> cascade;
  Odometer at(r.reduced_size, r.reduced_stride, r.reduced_rank, first);
  T buffer[kLeaf];
  for (int64_t done = first; done < last;) {
    const int64_t run = min_of(inner - at.index[0], last - done);
    const T* p = x + at.offset;
    for (int64_t i = 0; i < run; i += kLeaf) {
      const int64_t n = min_of(kLeaf, run - i);
      if (stride != 1) {
        for (int64_t j = 0; j < n; ++j) buffer[j] = p[(i + j) * stride];
      }
      cascade.add(leaf<T, A, F>(stride == 1 ? p + i : buffer, n, centers));
    }
    done += run;
    at.offset -= at.index[0] * stride;
    at.index[0] = 0;
    at.carry(1);
  }
  return cascade.result();
}

constexpr int64_t kColumns = 512, kLeafRows = 64, kChunkRows = 4096;
constexpr int kLevels = 7;  // of a cascade of kChunkRows / kLeafRows leaves

// What differs between operations and types of elements: the rest is compiled once for each type
// that is accumulated.
template <class A>
struct Steps {
  int64_t bytes;  // of an element
  A identity;
  A (*row)(const void* x, const Reduce& r, int64_t first, int64_t last, A center);
  const A* (*columns)(A (*level)[kColumns], const void* x, const Reduce& r, int64_t first,
                      int64_t last, int64_t n, const A* center);
  void (*merge)(const Exec& exec, const Reduce& r);  // of partial results
};

// Writes chunks of all outputs to scratch through `body(partial)`, then reduces those.
template <class A, class Body>
void reduce_chunks(const Exec& exec, const Reduce& r, const Steps<A>& steps, int64_t chunks,
                   const Body& body) {
  A* partial = static_cast<A*>(exec.acquire(static_cast<size_t>(chunks * r.outputs) * sizeof(A)));
  body(partial);
  Reduce merge = r;
  merge.x = partial;
  merge.center = nullptr;
  merge.count = chunks;
  int64_t step = 1;
  for (int d = 0; d < r.kept_rank; ++d) {
    merge.kept_stride[d] = step;
    step *= r.kept_size[d];
  }
  merge.reduced_rank = 1;
  merge.reduced_size[0] = chunks;
  merge.reduced_stride[0] = r.outputs;
  steps.merge(exec, merge);
  exec.release(partial);
}

template <class A>
void reduce_rows(const Exec& exec, const Reduce& r, const Steps<A>& steps) {
  const auto* x = static_cast<const char*>(r.x);
  const auto* center = static_cast<const A*>(r.center);
  auto* y = static_cast<A*>(r.y);
  const int64_t chunks = ceil_div(r.count, kChunk);
  const auto run = [&](A* partial) {
    const int64_t units = r.outputs * chunks;
    const int64_t group = max_of(1, kGrain / min_of(r.count, kChunk));
    parallel_tasks(exec, ceil_div(units, group), [&](int64_t task) {
      const int64_t begin = task * group, end = min_of(units, begin + group);
      Odometer in(r.kept_size, r.kept_stride, r.kept_rank, begin / chunks);
      Odometer out(r.kept_size, r.out_stride, r.kept_rank, begin / chunks);
      int64_t chunk = begin % chunks;
      for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t first = chunk * kChunk, last = min_of(r.count, first + kChunk);
        const A c = center != nullptr ? center[out.offset] : A(0);
        const A result = steps.row(x + in.offset * steps.bytes, r, first, last, c);
        if (partial != nullptr) {
          partial[chunk * r.outputs + unit / chunks] = result;
        } else {
          y[out.offset] = result;
        }
        if (++chunk == chunks) {
          chunk = 0;
          in.next();
          out.next();
        }
      }
    });
  };
  if (chunks == 1) {
    run(nullptr);
  } else {
    reduce_chunks(exec, r, steps, chunks, run);
  }
}

// Adds rows, up to kLeafRows of them, of n <= kColumns neighbouring columns into `sum`.
template <class T, class A, class F>
void column_leaf(A* sum, const T* x, Odometer& at, int64_t rows, int64_t n, const A* center) {
  for (int64_t row = 0; row < rows;) {
    const bool first = row == 0;
    const T* p[4];
    const int64_t together = rows - row >= 4 ? 4 : 1;
    for (int64_t k = 0; k < together; ++k) {
      p[k] = x + at.offset;
      at.next();
    }
    row += together;
    // The stripe of a row is too short for the processor to see what comes next.
    const int64_t ahead = together == 4 ? 4 * (p[1] - p[0]) * static_cast<int64_t>(sizeof(T)) : 0;
    for_vectors<Vec<A>::size>(n, [&](int64_t j, int lanes) {
      if (Vec<A>::size > 1 && together == 4) {
        for (int k = 0; k < 4; ++k) prefetch(p[k] + j, ahead);
      }
      const Vec<A> c = center != nullptr ? load_as<A>(center + j, lanes) : Vec<A>(0);
      Vec<A> v = F::map(load_as<A>(p[0] + j, lanes), c);
      if (together == 4) {
        v = F::combine(v, F::map(load_as<A>(p[1] + j, lanes), c));
        v = F::combine(v, F::combine(F::map(load_as<A>(p[2] + j, lanes), c),
                                     F::map(load_as<A>(p[3] + j, lanes), c)));
      }
      if (!first) v = F::combine(load_as<A>(sum + j, lanes), v);
      v.store_n(sum + j, lanes);
    });
  }
}

template <class A, class F>
ADJOINT_INLINE void combine_columns(A* into, const A* other, int64_t n) {
  for_vectors<Vec<A>::size>(n, [&](int64_t j, int lanes) {
    F::combine(load_as<A>(other + j, lanes), load_as<A>(into + j, lanes)).store_n(into + j, lanes);
  });
}

// Rows [first, last) of n <= kColumns neighbouring columns; the result is in the returned level.
template <class T, class A, class F>
const A* column_chunk(A (*level)[kColumns], const void* data, const Reduce& r, int64_t first,
                      int64_t last, int64_t n, const A* center) {
  const T* const x = static_cast<const T*>(data);
  Odometer at(r.reduced_size, r.reduced_stride, r.reduced_rank, first);
  A* sum = level[kLevels];
  uint64_t added = 0;
  for (int64_t row = first; row < last; row += kLeafRows) {
    column_leaf<T, A, F>(sum, x, at, min_of(kLeafRows, last - row), n, center);
    int l = 0;
    for (uint64_t bits = added; (bits & 1) != 0; bits >>= 1, ++l) {
      combine_columns<A, F>(sum, level[l], n);
    }
    __builtin_memcpy(level[l], sum, static_cast<size_t>(n) * sizeof(A));
    ++added;
  }
  int lowest = 0;
  while ((added >> lowest & 1) == 0) ++lowest;
  for (int l = lowest + 1; added >> l != 0; ++l) {
    if ((added >> l & 1) != 0) combine_columns<A, F>(level[lowest], level[l], n);
  }
  return level[lowest];
}

template <class A>
void reduce_columns(const Exec& exec, const Reduce& r, const Steps<A>& steps) {
  const auto* x = static_cast<const char*>(r.x);
  const auto* center = static_cast<const A*>(r.center);
  auto* y = static_cast<A*>(r.y);
  const int64_t width = r.kept_size[0], outer = r.outputs / width;
  const int64_t blocks = ceil_div(width, kColumns), block = ceil_div(width, blocks);
  const int64_t wanted = ceil_div(kChunk / block, kLeafRows) * kLeafRows;
  const int64_t chunk_rows = min_of(kChunkRows, max_of(kLeafRows, wanted));
  const int64_t chunks = ceil_div(r.count, chunk_rows);
  const auto run = [&](A* partial) {
    const int64_t units = outer * blocks * chunks;
    const int64_t group = max_of(1, kGrain / (block * min_of(chunk_rows, r.count)));
    parallel_tasks(exec, ceil_div(units, group), [&](int64_t task) {
      A level[kLevels + 1][kColumns], centers[kColumns];
      for (int64_t unit = task * group; unit < min_of(units, (task + 1) * group); ++unit) {
        const int64_t chunk = unit % chunks, column = unit / chunks % blocks * block;
        const int64_t place = unit / chunks / blocks, n = min_of(block, width - column);
        const Odometer in(r.kept_size + 1, r.kept_stride + 1, r.kept_rank - 1, place);
        const Odometer out(r.kept_size + 1, r.out_stride + 1, r.kept_rank - 1, place);
        const int64_t step = r.out_stride[0], to = out.offset + column * step;
        if (center != nullptr) {
          for (int64_t j = 0; j < n; ++j) centers[j] = center[to + j * step];
        }
        const int64_t first = chunk * chunk_rows, last = min_of(r.count, first + chunk_rows);
        const A* result = steps.columns(level, x + (in.offset + column) * steps.bytes, r, first,
                                        last, n, center != nullptr ? centers : nullptr);
        if (partial != nullptr) {
          __builtin_memcpy(partial + chunk * r.outputs + place * width + column, result,
                           static_cast<size_t>(n) * sizeof(A));
        } else {
          for (int64_t j = 0; j < n; ++j) y[to + j * step] = result[j];
        }
      }
    });
  };
  if (chunks == 1) {
    run(nullptr);
  } else {
    reduce_chunks(exec, r, steps, chunks, run);
  }
}

template <class A>
void reduce_any(const Exec& exec, const Reduce& r, const Steps<A>& steps) {
  if (r.outputs == 0) return;
  if (r.count == 0) {
    Odometer out(r.kept_size, r.out_stride, r.kept_rank, 0);
    for (int64_t o = 0; o < r.outputs; ++o, out.next()) {
      static_cast<A*>(r.y)[out.offset] = steps.identity;
    }
    return;
  }
  if (r.kept_stride[0] == 1 && r.kept_size[0] > 1 && r.reduced_stride[0] != 1) {
    reduce_columns(exec, r, steps);
  } else {
    reduce_rows(exec, r, steps);
  }
}

template <class T, class A, class F>
void reduce(const Exec& exec, const Reduce& r) {
  reduce_any<A>(exec, r,
                {sizeof(T), F::identity(), &reduce_row<T, A, F>, &column_chunk<T, A, F>,
                 &reduce<A, A, typename F::Merged>});
}

template <class T>
ADJOINT_INLINE bool same_or_nan(T x, T value) {
  if constexpr (__is_same(T, float) || __is_same(T, double)) {
    return x == value || (x != x && value != value);
  } else {
    return x == value;
  }
}

// Whether any x[j] is values[j], for j < n.
template <class T, class A>
ADJOINT_INLINE bool any_same(const T* x, const A* values, int64_t n) {
  bool any = false;
  for_vectors<Vec<A>::size>(n, [&](int64_t j, int lanes) {
    const Vec<A> a = load_as<A>(x + j, lanes), b = load_as<A>(values + j, lanes);
    Mask<A> same = (a == b) | (is_nan(a) & is_nan(b));
    if constexpr (Vec<A>::size > 1) same = same & (Vec<A>::iota() < Vec<A>(lanes));
    any = any || same.any();
  });
  return any;
}

// The first index of value among n elements.
template <class T, class A>
int64_t find_in_row(const T* x, int64_t stride, int64_t n, A value) {
  int64_t i = 0;
  if (stride == 1 && value == value) {
    constexpr int kSize = Vec<A>::size;
    const Vec<A> wanted = value;
    while (i + kSize <= n && !(Vec<A>::load(x + i) == wanted).any()) i += kSize;
  }
  for (; i < n; ++i) {
    if (same_or_nan(narrow<A>(x[i * stride]), value)) return i;
  }
  return 0;
}

template <class T>
void find(const Exec& exec, const Reduce& r) {
  using A = Computed<T>;
  const auto* x = static_cast<const T*>(r.x);
  const auto* values = static_cast<const A*>(r.center);
  auto* y = static_cast<int64_t*>(r.y);
  const int64_t stride = r.reduced_stride[0], n = r.count;
  if (r.outputs == 0 || n == 0) return;
  const bool columns = r.kept_stride[0] == 1 && stride != 1 && r.kept_size[0] > 1;
  // Neighbouring columns advance together, so that each cache line is read once.
  constexpr int64_t kTogether = 64;
  const int64_t width = columns ? r.kept_size[0] : 1, block = columns ? kTogether : 1;
  const int64_t blocks = ceil_div(width, block), units = r.outputs / width * blocks;
  const int64_t group = max_of(1, kGrain / (n * block));
  const int64_t* size = r.kept_size + (columns ? 1 : 0);
  const int64_t* in_stride = r.kept_stride + (columns ? 1 : 0);
  const int64_t* out_stride = r.out_stride + (columns ? 1 : 0);
  const int32_t rank = r.kept_rank - (columns ? 1 : 0);
  parallel_tasks(exec, ceil_div(units, group), [&](int64_t task) {
    for (int64_t unit = task * group; unit < min_of(units, (task + 1) * group); ++unit) {
      const int64_t column = unit % blocks * block, m = min_of(block, width - column);
      const Odometer in(size, in_stride, rank, unit / blocks);
      const Odometer out(size, out_stride, rank, unit / blocks);
      const T* p = x + in.offset + column;
      const int64_t step = r.out_stride[0], to = out.offset + (columns ? column * step : 0);
      if (!columns) {
        y[to] = find_in_row(p, stride, n, values[to]);
        continue;
      }
      A wanted[kTogether];
      int64_t found[kTogether];
      for (int64_t j = 0; j < m; ++j) {
        wanted[j] = values[to + j * step];
        found[j] = -1;
      }
      int64_t left = m;
      for (int64_t i = 0; i < n && left > 0; ++i) {
        // Few rows hold an extremum: only those are looked at column by column.
        if (!any_same(p + i * stride, wanted, m)) continue;
        for (int64_t j = 0; j < m; ++j) {
          if (found[j] < 0 && same_or_nan(narrow<A>(p[i * stride + j]), wanted[j])) {
            found[j] = i;
            --left;
          }
        }
      }
      for (int64_t j = 0; j < m; ++j) y[to + j * step] = found[j] < 0 ? 0 : found[j];
    }
  });
}

// F over floating elements, which are summed and compared as what they are computed in.
template <template <class> class F>
constexpr void set_floating(ReduceTable& t, Reduction op) {
  auto& row = t.reduce[static_cast<int>(op)];
  row[kF32] = &reduce<float, float, F<float>>;
  row[kF64] = &reduce<double, double, F<double>>;
  row[kBf16] = &reduce<bfloat16, float, F<float>>;
  row[kF16] = &reduce<float16, float, F<float>>;
}

// The same of whole numbers.
template <template <class> class F>
constexpr void set_integer(ReduceTable& t, Reduction op) {
  auto& row = t.reduce[static_cast<int>(op)];
  row[kI64] = &reduce<int64_t, int64_t, F<int64_t>>;
  row[kI32] = &reduce<int32_t, int64_t, F<int64_t>>;
  row[kU8] = &reduce<uint8_t, int64_t, F<int64_t>>;
}

constexpr ReduceTable make_table() {
  ReduceTable t{};
  set_floating<SumOf>(t, Reduction::sum);
  set_floating<ProductOf>(t, Reduction::product);
  set_floating<SumOfAbsolute>(t, Reduction::absolute);
  set_floating<SquaredDeviations>(t, Reduction::squared_deviations);
  set_floating<Finite>(t, Reduction::finite);
  set_floating<MaxOf>(t, Reduction::max);
  set_floating<MinOf>(t, Reduction::min);
  set_integer<SumOf>(t, Reduction::sum);
  set_integer<MaxOf>(t, Reduction::max);
  set_integer<MinOf>(t, Reduction::min);
  t.reduce[static_cast<int>(Reduction::product)][kI64] =
      &reduce<int64_t, int64_t, ProductOf<int64_t>>;
  t.reduce[static_cast<int>(Reduction::sum)][kBool] = &reduce<bool, int64_t, SumOf<int64_t>>;
  t.reduce[static_cast<int>(Reduction::max)][kBool] = &reduce<bool, bool, MaxOf<bool>>;
  t.reduce[static_cast<int>(Reduction::min)][kBool] = &reduce<bool, bool, MinOf<bool>>;
  t.find[kF32] = &find<float>;
  t.find[kF64] = &find<double>;
  t.find[kBf16] = &find<bfloat16>;
  t.find[kF16] = &find<float16>;
  t.find[kI64] = &find<int64_t>;
  t.find[kI32] = &find<int32_t>;
  t.find[kU8] = &find<uint8_t>;
  t.find[kBool] = &find<bool>;
  return t;
}

}  // namespace

extern const ReduceTable ADJOINT_TABLE;
constinit const ReduceTable ADJOINT_TABLE = make_table();

}  // namespace adjoint::kernels::ADJOINT_ISA
