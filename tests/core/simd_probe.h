// What tests/core/simd_test.cpp calls of core/simd: one table for each instruction set, compiled
// with its flags like a kernel stub.
#pragma once

#include <cstdint>

namespace adjoint::kernels {

enum class SimdUnary : int32_t {
  exp,
  expm1,
  log,
  log1p,
  tanh,
  sigmoid,
  erf,
  erfc,
  ndtr,
  gelu_erf,
  gelu_tanh,
  silu,
  softplus,
  mish,
  tanhshrink,
  sin,
  cos,
  sqrt,
  floor,
  round_even,
  trunc,
  abs,
  neg,
  frexp_mantissa,
  frexp_exponent,
};

template <class T>
struct SimdProbeOf {
  int width;
  // y[i] = op(x[i]) for n values, by masked loads and stores.
  void (*unary)(SimdUnary op, const T* x, T* y, int64_t n);
  // Rows of `width` results: a+b a-b a*b a/b fma(a,b,c) fnma(a,b,c) min max minimum maximum
  // copysign(a,b) select(a<b,a,b) pow(a,b) ldexp_int(a,c), 14 * width values, for one register
  // each.
  void (*many)(const T* a, const T* b, const T* c, T* y);
  // reduce_add, reduce_max, reduce_min of one register.
  void (*reduce)(const T* a, T* y);
  // a == b, !=, <, <=, >, >=, is_nan(a), all as n bytes: 7 * n bytes.
  void (*compare)(const T* a, const T* b, bool* y, int n);
  // y = select(mask from n bytes, a, b), stored n long.
  void (*choose)(const bool* mask, const T* a, const T* b, T* y, int n);
};

struct SimdProbe {
  SimdProbeOf<float> f32;
  SimdProbeOf<double> f64;
  // a+b a-b a^b a&b a|b a<<5 a>>7 mul_lo mul_hi, (a<b) and (a==b) as 0 and 1: 11 * width values.
  void (*integer)(const uint32_t* a, const uint32_t* b, uint32_t* y);
  void (*to_float)(const uint32_t* a, float* y);
};

namespace scalar {
extern const SimdProbe simd_probe_table;
}
namespace avx2 {
extern const SimdProbe simd_probe_table;
}
namespace avx512 {
extern const SimdProbe simd_probe_table;
}
namespace neon {
extern const SimdProbe simd_probe_table;
}

}  // namespace adjoint::kernels
