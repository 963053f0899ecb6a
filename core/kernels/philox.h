// Philox4x32-10 on vectors: the words of core/random.cpp, bit for bit, on every instruction set.
// For kernel sources only.
#pragma once

#include "core/kernels/random.h"
#include "core/simd/vec.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Words are made for as many counters at a time as VecU32 has lanes.
constexpr int64_t kWordsAtOnce = 4 * VecU32::size;

// Four vectors of words, lane l of word[k] being word k of counter + l. REQUIRES: the low half of
// the counter does not overflow within the lanes.
struct PhiloxVectors {
  VecU32 word[4];
};

ADJOINT_INLINE PhiloxVectors philox_vectors(const RandomKey& key, uint64_t counter) {
  auto key0 = static_cast<uint32_t>(key.seed), key1 = static_cast<uint32_t>(key.seed >> 32);
  VecU32 c0 = VecU32(static_cast<uint32_t>(counter)) + VecU32::iota();
  VecU32 c1 = static_cast<uint32_t>(counter >> 32);
  VecU32 c2 = static_cast<uint32_t>(key.stream), c3 = static_cast<uint32_t>(key.stream >> 32);
  const VecU32 multiplier0 = 0xD2511F53u, multiplier1 = 0xCD9E8D57u;
  for (int round = 0; round < 10; ++round) {
    const VecU32 high0 = mul_hi(c0, multiplier0), low0 = mul_lo(c0, multiplier0);
    const VecU32 high1 = mul_hi(c2, multiplier1), low1 = mul_lo(c2, multiplier1);
    c0 = high1 ^ c1 ^ VecU32(key0);
    c1 = low1;
    c2 = high0 ^ c3 ^ VecU32(key1);
    c3 = low0;
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// The four words of each counter side by side.
ADJOINT_INLINE void store_interleaved(const PhiloxVectors& v, uint32_t* out) {
#if defined(ADJOINT_ISA_AVX512)
  VecU32::store_interleaved(v.word[0], v.word[1], v.word[2], v.word[3], out);
#else
  if constexpr (VecU32::size % 4 != 0) {
    for (int k = 0; k < 4; ++k) {
      uint32_t lanes[VecU32::size];
      v.word[k].store(lanes);
      for (int l = 0; l < VecU32::size; ++l) out[4 * l + k] = lanes[l];
    }
  } else {
    typedef uint32_t Four __attribute__((vector_size(16), aligned(4)));
    uint32_t rows[4][VecU32::size];
    for (int k = 0; k < 4; ++k) v.word[k].store(rows[k]);
    for (int l = 0; l < VecU32::size; l += 4) {
      Four a, b, c, d;
      __builtin_memcpy(&a, &rows[0][l], 16);
      __builtin_memcpy(&b, &rows[1][l], 16);
      __builtin_memcpy(&c, &rows[2][l], 16);
      __builtin_memcpy(&d, &rows[3][l], 16);
      const Four ab0 = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      const Four ab1 = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const Four cd0 = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      const Four cd1 = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      const Four result[4] = {__builtin_shufflevector(ab0, cd0, 0, 1, 4, 5),
                              __builtin_shufflevector(ab0, cd0, 2, 3, 6, 7),
                              __builtin_shufflevector(ab1, cd1, 0, 1, 4, 5),
                              __builtin_shufflevector(ab1, cd1, 2, 3, 6, 7)};
      __builtin_memcpy(out + 4 * l, result, 64);
    }
  }
#endif
}

// The space that philox_words needs for n words.
constexpr int64_t philox_space(int64_t n) { return n + 3 + kWordsAtOnce; }

// Words [first, first + n) of the stream: the returned pointer into `space`, which has room for
// philox_space(n).
ADJOINT_INLINE const uint32_t* philox_words(const RandomKey& key, int64_t first, int64_t n,
                                            uint32_t* space) {
  uint64_t counter = static_cast<uint64_t>(first) / 4;
  const int64_t skip = first % 4;
  for (int64_t i = 0; i < skip + n; i += kWordsAtOnce) {
    // Lanes beyond an overflow of the low half are made again with the next high half.
    const uint64_t left = (uint64_t{1} << 32) - (counter & 0xffffffffu);
    store_interleaved(philox_vectors(key, counter), space + i);
    if (left < static_cast<uint64_t>(VecU32::size)) [[unlikely]] {
      uint32_t again[kWordsAtOnce];
      store_interleaved(philox_vectors(key, ((counter >> 32) + 1) << 32), again);
      const auto kept = static_cast<int64_t>(4 * left);
      __builtin_memcpy(space + i + kept, again,
                       static_cast<size_t>(kWordsAtOnce - kept) * sizeof(uint32_t));
    }
    counter += static_cast<uint64_t>(VecU32::size);
  }
  return space + skip;
}

// The factors, scale or 0, of up to Vec<float>::size elements from their words.
ADJOINT_INLINE Vec<float> dropout_factor(const uint32_t* words, int lanes, uint32_t threshold,
                                         Vec<float> scale) {
  const VecU32 w = lanes == VecU32::size ? VecU32::load(words) : VecU32::load_n(words, lanes);
  return select(w < VecU32(threshold), Vec<float>(0.0f), scale);
}

}  // namespace
}  // namespace adjoint::kernels::ADJOINT_ISA
