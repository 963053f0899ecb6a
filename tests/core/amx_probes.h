// What the tests of products on tiles share.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/kernels/kernels.h"
#include "tests/core/amx_probe.h"
#include "tests/core/kernel_execs.h"

namespace adjoint::kernels::tiles {

inline constexpr double kEps = std::numeric_limits<float>::epsilon();

struct Probe {
  std::string name;
  const AmxProbe* probe;
};

inline bool has_isa(const std::string& name) {
  for (const std::string& isa : isas()) {
    if (isa == name) return true;
  }
  return false;
}

// Emulated tiles with the vectors of every instruction set, and AMX's where the machine has it.
inline std::vector<Probe> probes() {
  std::vector<Probe> found;
  for (const std::string& isa : isas()) {
    if (isa == "scalar") found.push_back({isa, &scalar::amx_probe_table});
#if defined(__x86_64__)
    if (isa == "avx2") found.push_back({isa, &avx2::amx_probe_table});
    if (isa == "avx512") found.push_back({isa, &avx512::amx_probe_table});
    if (isa == "amx") found.push_back({isa, &amx::amx_probe_table});
#elif defined(__aarch64__)
    if (isa == "neon") found.push_back({isa, &neon::amx_probe_table});
#endif
  }
  return found;
}

// The fastest of those: for what takes long.
inline Probe best_probe() { return probes().back(); }

inline uint32_t bits_of(float x) {
  uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float from_bits(uint32_t bits) {
  float x = 0;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
// To the nearest, ties to even, reckoned another way than the kernels do: by distance.
inline uint16_t bf16_of(float x) {
  const uint32_t bits = bits_of(x);
  const auto down = static_cast<uint16_t>(bits >> 16);
  if (std::isnan(x)) return static_cast<uint16_t>(down | 0x40);
  const uint32_t rest = bits & 0xffff;
  const bool up = rest > 0x8000 || (rest == 0x8000 && (down & 1) != 0);
  return static_cast<uint16_t>(down + (up ? 1 : 0));
}
inline float widened(uint16_t x) { return from_bits(static_cast<uint32_t>(x) << 16); }

using Numbers = std::vector<float>;

inline Numbers uniform(int64_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  Numbers values(static_cast<size_t>(count));
  for (float& x : values) x = static_cast<float>(static_cast<int32_t>(engine())) / 2147483648.0F;
  return values;
}

inline bool same_bits(const Numbers& a, const Numbers& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

}  // namespace adjoint::kernels::tiles
