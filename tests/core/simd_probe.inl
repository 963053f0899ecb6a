#include "core/kernels/activation_functors.h"
#include "core/kernels/functors.h"
#include "core/simd/math_activations.h"
#include "tests/core/simd_probe.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

template <class V>
V apply(SimdUnary op, V x) {
  V e = 0;
  switch (op) {
    case SimdUnary::exp:
      return exp(x);
    case SimdUnary::expm1:
      return expm1(x);
    case SimdUnary::log:
      return log(x);
    case SimdUnary::log1p:
      return log1p(x);
    case SimdUnary::tanh:
      return tanh(x);
    case SimdUnary::sigmoid:
      return sigmoid(x);
    case SimdUnary::erf:
      return erf(x);
    case SimdUnary::erfc:
      return erfc(x);
    case SimdUnary::ndtr:
      return ndtr(x);
    case SimdUnary::gelu_erf:
      return functors::GeluErf::value(x);
    case SimdUnary::gelu_tanh:
      return functors::GeluTanh::value(x);
    case SimdUnary::silu:
      return functors::Silu::value(x);
    case SimdUnary::softplus:
      return softplus(x);
    case SimdUnary::mish:
      return functors::Mish::value(x);
    case SimdUnary::tanhshrink:
      return tanhshrink(x);
    case SimdUnary::sin:
      return sin(x);
    case SimdUnary::cos:
      return cos(x);
    case SimdUnary::sqrt:
      return sqrt(x);
    case SimdUnary::floor:
      return floor(x);
    case SimdUnary::round_even:
      return round_even(x);
    case SimdUnary::trunc:
      return trunc(x);
    case SimdUnary::abs:
      return abs(x);
    case SimdUnary::neg:
      return -x;
    case SimdUnary::frexp_mantissa:
      return frexp_int(x, e);
    case SimdUnary::frexp_exponent:
      frexp_int(x, e);
      return e;
  }
  return x;
}

template <class T>
void unary(SimdUnary op, const T* x, T* y, int64_t n) {
  constexpr int size = Vec<T>::size;
  for (int64_t i = 0; i < n; i += size) {
    const int count = n - i < size ? static_cast<int>(n - i) : size;
    apply(op, Vec<T>::load_n(x + i, count)).store_n(y + i, count);
  }
}

template <class T>
void many(const T* pa, const T* pb, const T* pc, T* y) {
  using V = Vec<T>;
  const V a = V::load(pa), b = V::load(pb), c = V::load(pc);
  const V results[] = {a + b,         a - b,          a * b,          a / b,
                       fma(a, b, c),  fnma(a, b, c),  min(a, b),      max(a, b),
                       minimum(a, b), maximum(a, b),  copysign(a, b), select(a < b, a, b),
                       pow(a, b),     ldexp_int(a, c)};
  for (V v : results) {
    v.store(y);
    y += V::size;
  }
}

template <class T>
void reduce(const T* pa, T* y) {
  const Vec<T> a = Vec<T>::load(pa);
  y[0] = reduce_add(a);
  y[1] = reduce_max(a);
  y[2] = reduce_min(a);
}

template <class T>
void compare(const T* pa, const T* pb, bool* y, int n) {
  const Vec<T> a = Vec<T>::load_n(pa, n), b = Vec<T>::load_n(pb, n);
  const Mask<T> results[] = {a == b, a != b, a<b, a <= b, a> b, a >= b, is_nan(a)};
  for (Mask<T> m : results) {
    m.store_bools(y, n);
    y += n;
  }
}

template <class T>
void choose(const bool* mask, const T* a, const T* b, T* y, int n) {
  select(Mask<T>::load_bools(mask, n), Vec<T>::load_n(a, n), Vec<T>::load_n(b, n)).store_n(y, n);
}

void integer(const uint32_t* pa, const uint32_t* pb, uint32_t* y) {
  const VecU32 a = VecU32::load(pa), b = VecU32::load(pb);
  const VecU32 results[] = {a + b,  a - b,  a ^ b,        a & b,       a | b,
                            a << 5, a >> 7, mul_lo(a, b), mul_hi(a, b)};
  for (VecU32 v : results) {
    v.store(y);
    y += VecU32::size;
  }
  const Mask<float> masks[] = {a < b, a == b};
  for (Mask<float> m : masks) {
    bool bools[VecU32::size];
    m.store_bools(bools, VecU32::size);
    for (bool set : bools) *y++ = set ? 1 : 0;
  }
}

void to_float_probe(const uint32_t* a, float* y) { to_float(VecU32::load(a)).store(y); }

}  // namespace

extern const SimdProbe simd_probe_table;
const SimdProbe simd_probe_table = {
    {Vec<float>::size, unary<float>, many<float>, reduce<float>, compare<float>, choose<float>},
    {Vec<double>::size, unary<double>, many<double>, reduce<double>, compare<double>,
     choose<double>},
    integer,
    to_float_probe,
};

}  // namespace adjoint::kernels::ADJOINT_ISA
