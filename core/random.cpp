#include <adjoint/core/random.h>

namespace adjoint {

PhiloxBlock philox(uint64_t seed, uint64_t stream, uint64_t index) {
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  uint32_t c0 = static_cast<uint32_t>(index), c1 = static_cast<uint32_t>(index >> 32);
  uint32_t c2 = static_cast<uint32_t>(stream), c3 = static_cast<uint32_t>(stream >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * c0, product1 = uint64_t{0xCD9E8D57} * c2;
    const auto high0 = static_cast<uint32_t>(product0 >> 32);
    const auto high1 = static_cast<uint32_t>(product1 >> 32);
    c0 = high1 ^ c1 ^ key0;
    c1 = static_cast<uint32_t>(product1);
    c2 = high0 ^ c3 ^ key1;
    c3 = static_cast<uint32_t>(product0);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

uint64_t Generator::next_bits() {
  const PhiloxBlock block = philox(seed_, next_stream(), 0);
  return uint64_t{block.word[1]} << 32 | block.word[0];
}

double Generator::next_uniform() { return static_cast<double>(next_bits() >> 11) * 0x1p-53; }

uint64_t Generator::next_below(uint64_t bound) {
  // Rejects the last, incomplete interval of the 2^64 values.
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  while (true) {
    const uint64_t bits = next_bits();
    if (bits < limit) return bits % bound;
  }
}

Generator& default_generator() {
  static thread_local Generator generator;
  return generator;
}

void manual_seed(uint64_t seed) { default_generator().set_state(seed, 0); }

}  // namespace adjoint
