// Elementwise kernels.
#include "core/kernels/elementwise.h"

#include "core/kernels/streams.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class T, class F>
void unary(const Exec& exec, const Loop<2>& loop) {
  for_rows(exec, loop, [&](const int64_t* at, int64_t n) {
    Out<T> y(loop.data[0], at[0], loop.stride[0][0]);
    In<T> x(loop.data[1], at[1], loop.stride[1][0]);
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t m = min_of(kBlock, n - i);
      T* py = y.block(i);
      const T* px = x.block(i, m);
      for_vectors<Vec<T>::size>(m, [&](int64_t j, int lanes) {
        store(F::value(load(px + j * x.step, lanes)), py + j, lanes);
      });
      y.flush(i, m);
    }
  });
}

template <class T, class F>
void unary_backward(const Exec& exec, const Loop<4>& loop) {
  for_rows(exec, loop, [&](const int64_t* at, int64_t n) {
    Out<T> dx(loop.data[0], at[0], loop.stride[0][0]);
    In<T> x(loop.data[1], at[1], loop.stride[1][0]);
    In<T> y(loop.data[2], at[2], loop.stride[2][0]);
    In<T> dy(loop.data[3], at[3], loop.stride[3][0]);
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t m = min_of(kBlock, n - i);
      T* pdx = dx.block(i);
      const T *px = x.block(i, m), *py = y.block(i, m), *pdy = dy.block(i, m);
      for_vectors<Vec<T>::size>(m, [&](int64_t j, int lanes) {
        const Vec<T> vdy = load(pdy + j * dy.step, lanes);
        Vec<T> vx = vdy, vy = vdy;
        if constexpr (F::kUses == functors::Uses::input || F::kUses == functors::Uses::both) {
          vx = load(px + j * x.step, lanes);
        }
        if constexpr (F::kUses == functors::Uses::output || F::kUses == functors::Uses::both) {
          vy = load(py + j * y.step, lanes);
        }
        store(F::derivative(vx, vy, vdy), pdx + j, lanes);
      });
      dx.flush(i, m);
    }
  });
}

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

template <class T, class F>
void binary(const Exec& exec, const Loop<3>& loop) {
  for_rows(exec, loop, [&](const int64_t* at, int64_t n) {
    Out<T> c(loop.data[0], at[0], loop.stride[0][0]);
    In<T> a(loop.data[1], at[1], loop.stride[1][0]);
    In<T> b(loop.data[2], at[2], loop.stride[2][0]);
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t m = min_of(kBlock, n - i);
      T* pc = c.block(i);
      const T *pa = a.block(i, m), *pb = b.block(i, m);
      for_vectors<Vec<T>::size>(m, [&](int64_t j, int lanes) {
        store(F::apply(load(pa + j * a.step, lanes), load(pb + j * b.step, lanes)), pc + j, lanes);
      });
      c.flush(i, m);
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

template <class T, class F>
void compare(const Exec& exec, const Loop<3>& loop) {
  for_rows(exec, loop, [&](const int64_t* at, int64_t n) {
    Out<bool> c(loop.data[0], at[0], loop.stride[0][0]);
    In<T> a(loop.data[1], at[1], loop.stride[1][0]);
    In<T> b(loop.data[2], at[2], loop.stride[2][0]);
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t m = min_of(kBlock, n - i);
      bool* pc = c.block(i);
      const T *pa = a.block(i, m), *pb = b.block(i, m);
      for_vectors<Vec<T>::size>(m, [&](int64_t j, int lanes) {
        F::apply(load(pa + j * a.step, lanes), load(pb + j * b.step, lanes))
            .store_bools(pc + j, lanes);
      });
      c.flush(i, m);
    }
  });
}

template <class T>
void where(const Exec& exec, const Loop<4>& loop) {
  for_rows(exec, loop, [&](const int64_t* at, int64_t n) {
    Out<T> y(loop.data[0], at[0], loop.stride[0][0]);
    In<bool> condition(loop.data[1], at[1], loop.stride[1][0]);
    In<T> a(loop.data[2], at[2], loop.stride[2][0]);
    In<T> b(loop.data[3], at[3], loop.stride[3][0]);
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t m = min_of(kBlock, n - i);
      T* py = y.block(i);
      const bool* pc = condition.block(i, m);
      const T *pa = a.block(i, m), *pb = b.block(i, m);
      for_vectors<Vec<T>::size>(m, [&](int64_t j, int lanes) {
        const Mask<T> mask = Mask<T>::load_bools(pc + j * condition.step, lanes);
        store(select(mask, load(pa + j * a.step, lanes), load(pb + j * b.step, lanes)), py + j,
              lanes);
      });
      y.flush(i, m);
    }
  });
}

template <class From, class To>
void copy(const Exec& exec, const Loop<2>& loop) {
  const int64_t to_stride = loop.stride[0][0], from_stride = loop.stride[1][0];
  for_rows(exec, loop, [&](const int64_t* at, int64_t n) {
    To* to = static_cast<To*>(loop.data[0]) + at[0];
    const From* from = static_cast<const From*>(loop.data[1]) + at[1];
    if (to_stride == 1 && from_stride == 1) {
      if constexpr (__is_same(From, To)) {
        __builtin_memcpy(to, from, static_cast<size_t>(n) * sizeof(To));
      } else {
        for (int64_t j = 0; j < n; ++j) to[j] = narrow<To>(from[j]);
      }
    } else {
      for (int64_t j = 0; j < n; ++j) to[j * to_stride] = narrow<To>(from[j * from_stride]);
    }
  });
}

template <class F>
constexpr void set_binary(ElementwiseTable& t, Binary op) {
  auto& row = t.binary[static_cast<int>(op)];
  row[0] = &binary<float, F>;
  row[1] = &binary<double, F>;
  if constexpr (!__is_same(F, Pow)) {
    row[2] = &binary<int64_t, F>;
    row[3] = &binary<bool, F>;
  }
}

template <class F>
constexpr void set_compare(ElementwiseTable& t, Compare op) {
  auto& row = t.compare[static_cast<int>(op)];
  row[0] = &compare<float, F>;
  row[1] = &compare<double, F>;
  row[2] = &compare<int64_t, F>;
  row[3] = &compare<bool, F>;
}

template <class From>
constexpr void set_copy(void (*(&row)[4])(const Exec&, const Loop<2>&)) {
  row[0] = &copy<From, float>;
  row[1] = &copy<From, double>;
  row[2] = &copy<From, int64_t>;
  row[3] = &copy<From, bool>;
}

constexpr ElementwiseTable make_table() {
  ElementwiseTable t{};
#define ADJOINT_SET(name, functor)                                                                \
  t.unary[static_cast<int>(Unary::name)][0] = &unary<float, functors::functor>;                   \
  t.unary[static_cast<int>(Unary::name)][1] = &unary<double, functors::functor>;                  \
  t.unary_backward[static_cast<int>(Unary::name)][0] = &unary_backward<float, functors::functor>; \
  t.unary_backward[static_cast<int>(Unary::name)][1] = &unary_backward<double, functors::functor>;
  ADJOINT_UNARY_FUNCTIONS(ADJOINT_SET)
#undef ADJOINT_SET
  t.unary[static_cast<int>(Unary::neg)][2] = &unary<int64_t, functors::Neg>;
  t.unary[static_cast<int>(Unary::abs)][2] = &unary<int64_t, functors::Abs>;
  t.unary[static_cast<int>(Unary::square)][2] = &unary<int64_t, functors::Square>;
  set_binary<Add>(t, Binary::add);
  set_binary<Sub>(t, Binary::sub);
  set_binary<Mul>(t, Binary::mul);
  set_binary<Div>(t, Binary::div);
  set_binary<Pow>(t, Binary::pow);
  set_binary<Maximum>(t, Binary::maximum);
  set_binary<Minimum>(t, Binary::minimum);
  set_compare<Eq>(t, Compare::eq);
  set_compare<Ne>(t, Compare::ne);
  set_compare<Lt>(t, Compare::lt);
  set_compare<Le>(t, Compare::le);
  set_compare<Gt>(t, Compare::gt);
  set_compare<Ge>(t, Compare::ge);
  t.where[0] = &where<float>;
  t.where[1] = &where<double>;
  t.where[2] = &where<int64_t>;
  t.where[3] = &where<bool>;
  set_copy<float>(t.copy[0]);
  set_copy<double>(t.copy[1]);
  set_copy<int64_t>(t.copy[2]);
  set_copy<bool>(t.copy[3]);
  return t;
}

}  // namespace

extern const ElementwiseTable ADJOINT_TABLE;
constinit const ElementwiseTable ADJOINT_TABLE = make_table();

}  // namespace adjoint::kernels::ADJOINT_ISA
