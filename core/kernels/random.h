// Random kernels: Philox words, uniform and normal numbers, dropout.
#pragma once

#include <cstdint>

#include "core/kernels/dtypes.h"
#include "core/kernels/exec.h"

namespace adjoint::kernels {

// The seed and stream of one operator call; see <adjoint/core/random.h>.
struct RandomKey {
  uint64_t seed, stream;
};

// Element i is kept if word i of the key's stream (word i % 4 of counter i / 4) is >= threshold,
// and then multiplied by scale. The threshold is p 2^32, the scale 1 / (1 - p). REQUIRES: p < 1.
struct Dropout {
  RandomKey key;
  uint32_t threshold;
  double scale;
};

// Note [Dropout elsewhere]
// A kernel that applies dropout inside (attention) calls core/kernels/philox.h, which is ISA code
// to include, or asks the table's `dropout_factors` for a run of elements: element (row, column)
// of a matrix with `columns` columns is number row * columns + column, so a tile of a row is one
// call with first = row * columns + column. Forward and backward call it alike; nothing is stored.
// The mask depends on key and element number alone, on every instruction set.

// Arrays are contiguous. Tables over T are by floating DType.
struct RandomTable {
  // Words [first, first + n) of the stream; on the calling thread.
  void (*words)(const RandomKey&, int64_t first, int64_t n, uint32_t* out);
  // out[i] = low + (high - low) u_i. f32: the upper 24 bits of word i; bf16: the upper 8, f16: the
  // upper 11, which leave [0, 1) below 1; f64: 53 bits of the words 2 i and 2 i + 1.
  void (*uniform[kFloatingPlaces])(const Exec&, const RandomKey&, int64_t n, double low,
                                   double high, void* out);
  // out[i] = mean + std z_i. Box and Muller (1958): elements 2 k and 2 k + 1 are the cosine and
  // sine parts of one pair of uniforms, which are words 2 k and 2 k + 1 (f64: 53 bits each, of
  // words 4 k to 4 k + 3). The radius comes from (w / 2 + 1/2) 2^-31, so |z| is at most 6.7
  // (f64: 8.6). bf16: those of f32, rounded.
  void (*normal[kFloatingPlaces])(const Exec&, const RandomKey&, int64_t n, double mean, double std,
                                  void* out);
  // out[i] = low + floor(b_i range / 2^64), b_i from words 2 i and 2 i + 1: biased by less than
  // range / 2^64. REQUIRES: range >= 1.
  void (*integers)(const Exec&, const RandomKey&, int64_t n, int64_t low, uint64_t range,
                   int64_t* out);
  // y[i] = kept ? x[i] scale : 0 for elements [0, n); y may be x.
  void (*dropout[kFloatingPlaces])(const Exec&, const Dropout&, int64_t n, const void* x, void* y);
  // factors[j] = kept ? scale : 0 for elements first + j; on the calling thread. f32, f64.
  void (*dropout_factors[2])(const Dropout&, int64_t first, int64_t n, void* factors);
};

}  // namespace adjoint::kernels
