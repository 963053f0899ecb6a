// Random kernels.
#include "core/kernels/random.h"

#include "core/kernels/philox.h"
#include "core/kernels/streams.h"
#include "core/simd/math.h"

namespace adjoint::kernels::ADJOINT_ISA {
namespace {

// Words at a time. A multiple of 4, so that blocks start at a counter.
constexpr int64_t kWords = 512;

void words(const RandomKey& key, int64_t first, int64_t n, uint32_t* out) {
  uint32_t space[philox_space(kWords)];
  for (int64_t i = 0; i < n; i += kWords) {
    const int64_t m = min_of(kWords, n - i);
    __builtin_memcpy(out + i, philox_words(key, first + i, m, space),
                     static_cast<size_t>(m) * sizeof(uint32_t));
  }
}

// Calls f(i, m, words) for blocks of m elements from i on, with `each` words an element. A block
// has an even number of elements, but for the last. `streamed`: f writes around the caches.
template <class F>
void for_words(const Exec& exec, const RandomKey& key, int64_t n, int64_t each, const F& f,
               bool streamed = false) {
  parallel_tasks(exec, ceil_div(n, kGrain), [&](int64_t task) {
    uint32_t space[philox_space(kWords)];
    const int64_t end = min_of(n, (task + 1) * kGrain), block = kWords / each;
    for (int64_t i = task * kGrain; i < end; i += block) {
      const int64_t m = min_of(block, end - i);
      // One element more at an odd end: its partner's words are needed too.
      f(i, m, philox_words(key, i * each, (m + (m & 1)) * each, space));
    }
    if (streamed) stream_fence();
  });
}

ADJOINT_INLINE uint64_t bits_of_pair(const uint32_t* w) {
  return static_cast<uint64_t>(w[1]) << 32 | w[0];
}

// The largest T below `high`, where rounding up must not get to; `high` where that is below `low`.
template <class T>
float below(float low, float high) {
  if constexpr (__is_same(T, float16)) {
    float16 x(high);
    if (static_cast<float>(x) >= high) {  // the next one down: by magnitude, after the sign's bit
      const int next = (x.bits & 0x7fff) == 0 ? 0x8001 : high > 0 ? x.bits - 1 : x.bits + 1;
      x.bits = static_cast<uint16_t>(next);
    }
    return static_cast<float>(x) < low ? high : static_cast<float>(x);
  }
  constexpr uint32_t kUlp = __is_same(T, bfloat16) ? 0x10000 : 1;
  uint32_t bits;
  __builtin_memcpy(&bits, &high, sizeof bits);
  const auto value = [](uint32_t word) {
    float x;
    __builtin_memcpy(&x, &word, sizeof x);
    return x;
  };
  bits &= ~(kUlp - 1);  // towards zero
  if (high == 0) {
    bits = 0x80800000;  // minus the smallest normal number
  } else if (!(value(bits) < high)) {
    bits = high > 0 ? bits - kUlp : bits + kUlp;
  }
  return value(bits) < low ? high : value(bits);
}

// As many upper bits of a word as T has of precision: T holds every multiple of that many.
template <class T>
void uniform(const Exec& exec, const RandomKey& key, int64_t n, double low, double high,
             void* out) {
  constexpr int kBits = __is_same(T, bfloat16) ? 8 : __is_same(T, float16) ? 11 : 24;
  constexpr float kUnit = 1.0f / static_cast<float>(1 << kBits);
  const auto from = static_cast<float>(low), width = static_cast<float>(high - low);
  const Vec<float> most = below<T>(from, static_cast<float>(high));
  for_words(exec, key, n, 1, [&](int64_t i, int64_t m, const uint32_t* w) {
    T* to = static_cast<T*>(out) + i;
    for_vectors<Vec<float>::size>(m, [&](int64_t j, int lanes) {
      const Vec<float> u = to_float(VecU32::load_n(w + j, lanes) >> (32 - kBits)) * kUnit;
      min(u * Vec<float>(width) + Vec<float>(from), most).store_n(to + j, lanes);
    });
  });
}

void uniform_f64(const Exec& exec, const RandomKey& key, int64_t n, double low, double high,
                 void* out) {
  for_words(exec, key, n, 2, [&](int64_t i, int64_t m, const uint32_t* w) {
    double* to = static_cast<double*>(out) + i;
    for (int64_t j = 0; j < m; ++j) {
      const double u = static_cast<double>(bits_of_pair(w + 2 * j) >> 11) * 0x1p-53;
      to[j] = u * (high - low) + low;
    }
  });
}

constexpr double kTwoPi = 6.283185307179586476925;

// radius and angle in place of pairs of uniforms, then the normals in their place.
template <class T>
ADJOINT_INLINE void box_muller(T* u, T* v, int64_t pairs, double mean, double std) {
  const Vec<T> scale = std, shift = mean;
  for_vectors<Vec<T>::size>(pairs, [&](int64_t j, int lanes) {
    // Lanes beyond the end read 1, whose logarithm is harmless.
    const Vec<T> inside =
        lanes == Vec<T>::size ? Vec<T>::load(u + j) : Vec<T>::load_n(u + j, lanes);
    const Vec<T> safe = select(inside == Vec<T>(0), Vec<T>(1), inside);
    const Vec<T> radius = sqrt(log(safe) * Vec<T>(-2)) * scale;
    const Vec<T> angle = Vec<T>::load_n(v + j, lanes) * Vec<T>(kTwoPi);
    (radius * cos(angle) + shift).store_n(u + j, lanes);
    (radius * sin(angle) + shift).store_n(v + j, lanes);
  });
}

template <class T, class A>
ADJOINT_INLINE void store_pairs(T* to, int64_t m, const A* u, const A* v) {
  for (int64_t j = 0; j < m / 2; ++j) {
    to[2 * j] = narrow<T>(u[j]);
    to[2 * j + 1] = narrow<T>(v[j]);
  }
  if (m % 2 != 0) to[m - 1] = narrow<T>(u[m / 2]);
}

// f32, and bf16 as its rounding.
template <class T>
void normal(const Exec& exec, const RandomKey& key, int64_t n, double mean, double std, void* out) {
  for_words(exec, key, n, 1, [&](int64_t i, int64_t m, const uint32_t* w) {
    float u[kWords / 2], v[kWords / 2];
    const int64_t pairs = (m + 1) / 2;
    for (int64_t j = 0; j < pairs; ++j) {
      u[j] = (static_cast<float>(static_cast<int32_t>(w[2 * j] >> 1)) + 0.5f) * 0x1p-31f;
      v[j] = static_cast<float>(static_cast<int32_t>(w[2 * j + 1] >> 8)) * 0x1p-24f;
    }
    box_muller(u, v, pairs, mean, std);
    store_pairs(static_cast<T*>(out) + i, m, u, v);
  });
}

void normal_f64(const Exec& exec, const RandomKey& key, int64_t n, double mean, double std,
                void* out) {
  for_words(exec, key, n, 2, [&](int64_t i, int64_t m, const uint32_t* w) {
    double u[kWords / 4], v[kWords / 4];
    const int64_t pairs = (m + 1) / 2;
    for (int64_t j = 0; j < pairs; ++j) {
      u[j] = static_cast<double>((bits_of_pair(w + 4 * j) >> 11) + 1) * 0x1p-53;
      v[j] = static_cast<double>(bits_of_pair(w + 4 * j + 2) >> 11) * 0x1p-53;
    }
    box_muller(u, v, pairs, mean, std);
    store_pairs(static_cast<double*>(out) + i, m, u, v);
  });
}

void integers(const Exec& exec, const RandomKey& key, int64_t n, int64_t low, uint64_t range,
              int64_t* out) {
  __extension__ typedef unsigned __int128 Wide;
  for_words(exec, key, n, 2, [&](int64_t i, int64_t m, const uint32_t* w) {
    for (int64_t j = 0; j < m; ++j) {
      const Wide product = static_cast<Wide>(bits_of_pair(w + 2 * j)) * range;
      out[i + j] =
          static_cast<int64_t>(static_cast<uint64_t>(low) + static_cast<uint64_t>(product >> 64));
    }
  });
}

// f32 and bf16.
template <class T>
void dropout(const Exec& exec, const Dropout& d, int64_t n, const void* x, void* y) {
  const Vec<float> scale = d.scale;
  const bool streamed = streams(exec, n * static_cast<int64_t>(sizeof(T)), x != y);
  const auto run = [&](int64_t i, int64_t m, const uint32_t* w) {
    const T* from = static_cast<const T*>(x) + i;
    T* to = static_cast<T*>(y) + i;
    alignas(kLine) T buffer[kWords];
    T* out = streamed ? buffer : to;
    for_vectors<Vec<float>::size>(m, [&](int64_t j, int lanes) {
      const VecU32 word =
          lanes == VecU32::size ? VecU32::load(w + j) : VecU32::load_n(w + j, lanes);
      const Vec<float> v = load(from + j, lanes) * scale;
      store(select(word < VecU32(d.threshold), Vec<float>(0.0f), v), out + j, lanes);
    });
    if (streamed) stream_copy(to, buffer, m * static_cast<int64_t>(sizeof(T)));
  };
  for_words(exec, d.key, n, 1, run, streamed);
}

void dropout_f64(const Exec& exec, const Dropout& d, int64_t n, const void* x, void* y) {
  for_words(exec, d.key, n, 1, [&](int64_t i, int64_t m, const uint32_t* w) {
    const double* from = static_cast<const double*>(x) + i;
    double* to = static_cast<double*>(y) + i;
    for (int64_t j = 0; j < m; ++j) to[j] = w[j] < d.threshold ? 0.0 : from[j] * d.scale;
  });
}

template <class T>
void dropout_factors(const Dropout& d, int64_t first, int64_t n, void* factors) {
  uint32_t space[philox_space(kWords)];
  T* to = static_cast<T*>(factors);
  for (int64_t i = 0; i < n; i += kWords) {
    const int64_t m = min_of(kWords, n - i);
    const uint32_t* w = philox_words(d.key, first + i, m, space);
    if constexpr (__is_same(T, float)) {
      for_vectors<Vec<float>::size>(m, [&](int64_t j, int lanes) {
        dropout_factor(w + j, lanes, d.threshold, d.scale).store_n(to + i + j, lanes);
      });
    } else {
      for (int64_t j = 0; j < m; ++j) to[i + j] = w[j] < d.threshold ? T(0) : T(d.scale);
    }
  }
}

}  // namespace

extern const RandomTable ADJOINT_TABLE;
constinit const RandomTable ADJOINT_TABLE = {
    .words = &words,
    .uniform = {&uniform<float>, &uniform_f64, &uniform<bfloat16>, &uniform<float16>},
    .normal = {&normal<float>, &normal_f64, &normal<bfloat16>, &normal<float16>},
    .integers = &integers,
    .dropout = {&dropout<float>, &dropout_f64, &dropout<bfloat16>, &dropout<float16>},
    .dropout_factors = {&dropout_factors<float>, &dropout_factors<double>},
};

}  // namespace adjoint::kernels::ADJOINT_ISA
