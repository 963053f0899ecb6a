// Matrix products: C = epilogue(A B).
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

enum class Activation : int32_t { none, relu, gelu_tanh, gelu_erf, silu };

// C[b, i, j] = act(sum_k A[b, i, k] B[b, k, j] * alpha + bias[j]) (+ C where accumulate), for every
// b in the batch. Strides are in elements and may be anything (0 to broadcast, transposed,
// negative); C's column stride is 1 and its rows do not overlap. K = 0 gives zeros (plus epilogue).
template <class T>
struct Gemm {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row;
  T alpha;                // usually 1
  bool accumulate;        // add to what C holds, instead of replacing it
  const T* bias;          // n values, or nullptr
  Activation activation;  // after the bias
  T* preactivation;       // where to keep act's argument, laid out as C; or nullptr
  // The batch: up to three dimensions, each with a size and a stride for A, B, C.
  // REQUIRES: different batch indices write different parts of C.
  int64_t batch[3], a_batch[3], b_batch[3], c_batch[3];
  // Added after the bias, laid out as C and apart from it; or nullptr. REQUIRES where it is there:
  // neither accumulate nor an activation nor what keeps its argument; not for f32_high and
  // f32_medium, which may leave it out.
  const T* residual = nullptr;
};

// A matrix of f32 or of bf16 (the upper halves of f32, 16 bits each), strides in elements.
struct MixedMatrix {
  void* data;
  bool is_bf16;
  int64_t row, col;
};

// As Gemm<float>, in mixed precision: the operands are rounded to bf16 where they are not (to the
// nearest, ties to even), sums are of f32, and C is rounded once, at its end. C's columns are
// contiguous; `preactivation` has C's type and layout. The bias is of f32.
struct MixedGemm {
  int64_t m, n, k;
  MixedMatrix a, b, c;
  float alpha;
  bool accumulate;
  const float* bias;
  Activation activation;
  void* preactivation;
  int64_t batch[3], a_batch[3], b_batch[3], c_batch[3];
};

// What precedes the products in the backward of act(x W^T + bias), for packed rows of n elements:
// dx = dy act'(.), which may be written over dy, and its sums over the rows, the bias's gradient.
// With Activation::none dx is dy and not written.
struct ActivationBackward {
  int64_t rows, n;
  Activation activation;
  const void* kept;  // act's argument; relu's result; not looked at for none
  const void* dy;
  void* dx;
  void* sums;  // n of what dy is computed in (f32 for bf16), or nullptr
};

struct GemmTable {
  void (*f32)(const Exec& exec, const Gemm<float>& gemm);
  void (*f64)(const Exec& exec, const Gemm<double>& gemm);
  // Of whole numbers, which wrap around. REQUIRES: alpha is 1; of the epilogue at most a bias.
  void (*i64)(const Exec& exec, const Gemm<int64_t>& gemm);
  void (*i32)(const Exec& exec, const Gemm<int32_t>& gemm);
  void (*u8)(const Exec& exec, const Gemm<uint8_t>& gemm);
  // Products of f32 by other means, where the instruction set has faster ones: with errors at or
  // below those of f32's own (Precision::high), and with operands rounded to bf16 (medium).
  void (*f32_high)(const Exec& exec, const Gemm<float>& gemm);
  void (*f32_medium)(const Exec& exec, const Gemm<float>& gemm);
  void (*mixed)(const Exec& exec, const MixedGemm& gemm);
  void (*activation_backward[kFloatingPlaces])(const Exec& exec, const ActivationBackward& work);
};

}  // namespace adjoint::kernels
