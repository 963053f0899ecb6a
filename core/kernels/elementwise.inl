// Elementwise kernels of two operands and more.
#include "core/kernels/elementwise.h"

#include "core/kernels/streams.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// What a function does with a block of contiguous elements is compiled once for each type that is
// computed in; how blocks are read and written, once for each that is stored. Only what is cheap is
// also compiled for bf16 as it is stored.

struct Add {
  template <class V>
  static ADJOINT_INLINE V apply(V a, V b) {
    return a + b;
  }
};
struct Sub {
  template <class V>
  static ADJOINT_INLINE V apply(V a, V b) {
    return a - b;
  }
};
struct Mul {
  template <class V>
  static ADJOINT_INLINE V apply(V a, V b) {
    return a * b;
  }
};
struct Div {
  template <class V>
  static ADJOINT_INLINE V apply(V a, V b) {
    return a / b;
  }
};
struct Pow {
  template <class V>
  static ADJOINT_INLINE V apply(V a, V b) {
    return pow(a, b);
  }
};
struct Maximum {
  template <class V>
  static ADJOINT_INLINE V apply(V a, V b) {
    return maximum(a, b);
  }
};
struct Minimum {
  template <class V>
  static ADJOINT_INLINE V apply(V a, V b) {
    return minimum(a, b);
  }
};

template <class C, class F>
void binary_block(const C* a, const C* b, C* c, int64_t n) {
  for_vectors<Register<C>::size>(n, [&](int64_t j, int lanes) {
    store(F::apply(load(a + j, lanes), load(b + j, lanes)), c + j, lanes);
  });
}

// Calls f(a, b, c, n) for blocks of operands of T and a result of To.
template <class T, class To = T, template <class> class Held = Computed, class F>
void run_binary(const Exec& exec, const Loop<3>& given, const F& f) {
  if constexpr (__is_same(T, Computed<T>) && __is_same(To, Computed<To>)) {
    if (given.rank == 1 && given.size[0] == 1) {  // what is around it would cost most
      f(static_cast<const T*>(given.data[1]), static_cast<const T*>(given.data[2]),
        static_cast<To*>(given.data[0]), 1);
      return;
    }
  }
  Loop<3> space;
  const Loop<3>& loop = with_long_rows<T>(given, space);
  const bool streamed = streams<To>(exec, loop);
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    Result<To, Held> c(loop.data[0], at[0], loop.stride[0][0], streamed);
    In<T, Held> a(loop.data[1], at[1], loop.stride[1][0], n, loop.number == 1);
    In<T, Held> b(loop.data[2], at[2], loop.stride[2][0], n, loop.number == 2);
    for (int64_t i = 0, m; i < n; i += m) {
      m = c.count(i, n);
      f(a.block(i, m), b.block(i, m), c.block(i), m);
      c.flush(i, m);
    }
  });
}

template <class T, class F>
void binary(const Exec& exec, const Loop<3>& loop) {
  if constexpr (__is_same(T, bfloat16) && !__is_same(F, Pow)) {
    if (converts_in_registers<T>(loop)) {
      run_binary<T, T, AsStored>(exec, loop, &binary_block<T, F>);
      return;
    }
  }
  run_binary<T>(exec, loop, &binary_block<Computed<T>, F>);
}

// c = f(a, b) by a function of two numbers, for what is rarely hot: computed in W, f64 for every
// floating type, and rounded once.
template <class T, class W>
void map(const Exec& exec, const Loop<3>& loop, W (*f)(W, W)) {
  using C = Computed<T>;
  run_binary<T>(exec, loop, [f](const C* a, const C* b, C* c, int64_t n) {
    for (int64_t j = 0; j < n; ++j) {
      c[j] = static_cast<C>(f(static_cast<W>(a[j]), static_cast<W>(b[j])));
    }
  });
}

#define ADJOINT_COMPARE(Name, op)                \
  struct Name {                                  \
    template <class V>                           \
    static ADJOINT_INLINE auto apply(V a, V b) { \
      return a op b;                             \
    }                                            \
  };
ADJOINT_COMPARE(Eq, ==)
ADJOINT_COMPARE(Ne, !=)
ADJOINT_COMPARE(Lt, <)
ADJOINT_COMPARE(Le, <=)
ADJOINT_COMPARE(Gt, >)
ADJOINT_COMPARE(Ge, >=)
#undef ADJOINT_COMPARE

template <class C, class F>
void compare_block(const C* a, const C* b, bool* c, int64_t n) {
  for_vectors<Register<C>::size>(n, [&](int64_t j, int lanes) {
    F::apply(load(a + j, lanes), load(b + j, lanes)).store_bools(c + j, lanes);
  });
}

template <class T, class F>
void compare(const Exec& exec, const Loop<3>& loop) {
  if constexpr (__is_same(T, bfloat16)) {
    if (converts_in_registers<T>(loop)) {
      run_binary<T, bool, AsStored>(exec, loop, &compare_block<T, F>);
      return;
    }
  }
  run_binary<T, bool>(exec, loop, &compare_block<Computed<T>, F>);
}

template <class T, template <class> class Held>
void run_where(const Exec& exec, const Loop<4>& given) {
  Loop<4> space;
  const Loop<4>& loop = with_long_rows<T>(given, space);
  const bool streamed = streams<T>(exec, loop);
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    Result<T, Held> y(loop.data[0], at[0], loop.stride[0][0], streamed);
    In<bool> condition(loop.data[1], at[1], loop.stride[1][0], n);
    In<T, Held> a(loop.data[2], at[2], loop.stride[2][0], n);
    In<T, Held> b(loop.data[3], at[3], loop.stride[3][0], n);
    for (int64_t i = 0, m; i < n; i += m) {
      m = y.count(i, n);
      Held<T>* const py = y.block(i);
      const bool* const pc = condition.block(i, m);
      const Held<T>*const pa = a.block(i, m), *const pb = b.block(i, m);
      for_vectors<Register<T>::size>(m, [&](int64_t j, int lanes) {
        const auto mask = Mask<Computed<T>>::load_bools(pc + j, lanes);
        store(select(mask, load(pa + j, lanes), load(pb + j, lanes)), py + j, lanes);
      });
      y.flush(i, m);
    }
  });
}

template <class T>
void where(const Exec& exec, const Loop<4>& loop) {
  if constexpr (__is_same(T, bfloat16)) {
    if (converts_in_registers<T>(loop)) {
      run_where<T, AsStored>(exec, loop);
      return;
    }
  }
  run_where<T, Computed>(exec, loop);
}

// Elements of one value, the longest run that is written at a time.
template <class T>
struct Repeated {
  static constexpr int64_t kCount = 4096 / sizeof(T);
  alignas(kLine) T buffer[kCount];
};

// A transposed copy: rows of the result lie across the rows of the source. Squares of lines, so
// that each line that is read or written is used whole while it is near.
template <class T>
void transpose_copy(const Exec& exec, const Loop<2>& loop) {
  constexpr int64_t kSide = 2 * kLine / static_cast<int64_t>(sizeof(T));
  const int64_t columns = loop.size[0], rows = loop.size[1];
  const int64_t to_step = loop.stride[0][1], from_step = loop.stride[1][0];
  const int64_t across = ceil_div(columns, kSide), down = ceil_div(rows, kSide);
  const bool streamed = streams<T>(exec, loop);
  int64_t planes = 1;
  for (int d = 2; d < loop.rank; ++d) planes *= loop.size[d];
  // A task is a strip of squares along the source's rows, which are the result's columns.
  parallel_tasks(exec, planes * across, [&](int64_t task) {
    const int64_t column = task % across * kSide, width = min_of(kSide, columns - column);
    int64_t plane = task / across;
    T* to = static_cast<T*>(loop.data[0]) + column;
    const T* from = static_cast<const T*>(loop.data[1]) + column * from_step;
    for (int d = 2; d < loop.rank; ++d) {
      const int64_t i = plane % loop.size[d];
      plane /= loop.size[d];
      to += i * loop.stride[0][d];
      from += i * loop.stride[1][d];
    }
    alignas(kLine) T square[kSide][kSide];
    for (int64_t block = 0; block < down; ++block) {
      const int64_t row = block * kSide, height = min_of(kSide, rows - row);
      for (int64_t c = 0; c < width; ++c) {
        const T* p = from + c * from_step + row;
        for (int64_t r = 0; r < height; ++r) square[r][c] = p[r];
      }
      const int64_t bytes = width * static_cast<int64_t>(sizeof(T));
      for (int64_t r = 0; r < height; ++r) {
        T* line = to + (row + r) * to_step;
        if (streamed) {
          stream_copy(line, square[r], bytes);
        } else {
          __builtin_memcpy(line, square[r], static_cast<size_t>(bytes));
        }
      }
    }
    if (streamed) stream_fence();
  });
}

// A row of n elements; `streamed`: around the caches.
template <class From, class To>
void copy_row(void* out, int64_t to_stride, const void* in, int64_t from_stride, int64_t n,
              bool streamed) {
  To* to = static_cast<To*>(out);
  const From* from = static_cast<const From*>(in);
  constexpr auto kBytes = static_cast<int64_t>(sizeof(To));
  const auto put = [streamed](To* p, const To* q, int64_t count) {
    if (streamed) {
      stream_copy(p, q, count * kBytes);
    } else {
      __builtin_memcpy(p, q, static_cast<size_t>(count * kBytes));
    }
  };
  if (to_stride == 1 && from_stride == 0) {
    Repeated<To> value;
    const int64_t m = min_of(n, value.kCount);
    for (int64_t j = 0; j < m; ++j) value.buffer[j] = narrow<To>(*from);
    for (int64_t j = 0; j < n; j += m) put(to + j, value.buffer, min_of(m, n - j));
  } else if (to_stride == 1 && from_stride == 1) {
    if constexpr (__is_same(From, To)) {
      put(to, from, n);
    } else if constexpr (__is_same(Computed<From>, Computed<To>)) {
      for_vectors<Register<To>::size>(
          n, [&](int64_t j, int lanes) { store(load(from + j, lanes), to + j, lanes); });
    } else {
      for (int64_t j = 0; j < n; ++j) to[j] = narrow<To>(from[j]);
    }
  } else {
    for (int64_t j = 0; j < n; ++j) to[j * to_stride] = narrow<To>(from[j * from_stride]);
  }
}

// The loop over the rows is compiled once for all pairs of types.
struct Elements {
  int64_t to_bytes, from_bytes;
  void (*row)(void*, int64_t, const void*, int64_t, int64_t, bool);
};
void copy_rows(const Exec& exec, const Loop<2>& loop, bool streamed, const Elements& e) {
  for_rows(exec, loop, streamed, [&](const int64_t* at, int64_t n) {
    e.row(static_cast<char*>(loop.data[0]) + at[0] * e.to_bytes, loop.stride[0][0],
          static_cast<const char*>(loop.data[1]) + at[1] * e.from_bytes, loop.stride[1][0], n,
          streamed);
  });
}

template <class From, class To>
void copy(const Exec& exec, const Loop<2>& loop) {
  if constexpr (__is_same(From, To)) {
    constexpr int64_t kFew = 16;
    if (loop.rank > 1 && loop.stride[0][0] == 1 && loop.stride[1][1] == 1 &&
        loop.stride[1][0] > 1 && loop.size[0] >= kFew && loop.size[1] >= kFew) {
      transpose_copy<To>(exec, loop);
      return;
    }
  }
  copy_rows(exec, loop, streams<To>(exec, loop), {sizeof(To), sizeof(From), &copy_row<From, To>});
}

template <class F>
constexpr void set_binary(ElementwiseTable& t, Binary op) {
  auto& row = t.binary[static_cast<int>(op)];
  row[kF32] = &binary<float, F>;
  row[kF64] = &binary<double, F>;
  row[kBf16] = &binary<bfloat16, F>;
  row[kF16] = &binary<float16, F>;
  if constexpr (!__is_same(F, Pow)) {
    row[kI64] = &binary<int64_t, F>;
    row[kI32] = &binary<int32_t, F>;
    row[kU8] = &binary<uint8_t, F>;
    row[kBool] = &binary<bool, F>;
  }
}

template <class F>
constexpr void set_compare(ElementwiseTable& t, Compare op) {
  auto& row = t.compare[static_cast<int>(op)];
  row[kF32] = &compare<float, F>;
  row[kF64] = &compare<double, F>;
  row[kBf16] = &compare<bfloat16, F>;
  row[kF16] = &compare<float16, F>;
  row[kI64] = &compare<int64_t, F>;
  row[kI32] = &compare<int32_t, F>;
  row[kU8] = &compare<uint8_t, F>;
  row[kBool] = &compare<bool, F>;
}

template <class From>
constexpr void set_copy(void (*(&row)[kPlaces])(const Exec&, const Loop<2>&)) {
  row[kF32] = &copy<From, float>;
  row[kF64] = &copy<From, double>;
  row[kBf16] = &copy<From, bfloat16>;
  row[kF16] = &copy<From, float16>;
  row[kI64] = &copy<From, int64_t>;
  row[kI32] = &copy<From, int32_t>;
  row[kU8] = &copy<From, uint8_t>;
  row[kBool] = &copy<From, bool>;
}

constexpr ElementwiseTable make_table() {
  ElementwiseTable t{};
  set_binary<Add>(t, Binary::add);
  set_binary<Sub>(t, Binary::sub);
  set_binary<Mul>(t, Binary::mul);
  set_binary<Div>(t, Binary::div);
  set_binary<Pow>(t, Binary::pow);
  set_binary<Maximum>(t, Binary::maximum);
  set_binary<Minimum>(t, Binary::minimum);
  t.map[kF32] = &map<float, double>;
  t.map[kF64] = &map<double, double>;
  t.map[kBf16] = &map<bfloat16, double>;
  t.map[kF16] = &map<float16, double>;
  t.map_integers = &map<int64_t, int64_t>;
  set_compare<Eq>(t, Compare::eq);
  set_compare<Ne>(t, Compare::ne);
  set_compare<Lt>(t, Compare::lt);
  set_compare<Le>(t, Compare::le);
  set_compare<Gt>(t, Compare::gt);
  set_compare<Ge>(t, Compare::ge);
  t.where[kF32] = &where<float>;
  t.where[kF64] = &where<double>;
  t.where[kBf16] = &where<bfloat16>;
  t.where[kF16] = &where<float16>;
  t.where[kI64] = &where<int64_t>;
  t.where[kI32] = &where<int32_t>;
  t.where[kU8] = &where<uint8_t>;
  t.where[kBool] = &where<bool>;
  set_copy<float>(t.copy[kF32]);
  set_copy<double>(t.copy[kF64]);
  set_copy<bfloat16>(t.copy[kBf16]);
  set_copy<float16>(t.copy[kF16]);
  set_copy<int64_t>(t.copy[kI64]);
  set_copy<int32_t>(t.copy[kI32]);
  set_copy<uint8_t>(t.copy[kU8]);
  set_copy<bool>(t.copy[kBool]);
  return t;
}

}  // namespace

extern const ElementwiseTable ADJOINT_TABLE;
constinit const ElementwiseTable ADJOINT_TABLE = make_table();

}  // namespace adjoint::kernels::ADJOINT_ISA
