// Random numbers: counter-based, so that no thread count and no resume changes them.
//
// Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"):
// the key is the generator's seed, the counter is {index / 4, stream}, where `index` is the
// element's place in the tensor and `stream` the generator's offset when the operator was called.
#pragma once

#include <cstdint>

namespace adjoint {

// {seed, offset} is its whole state. Each call of a random operator advances the offset by one.
// Not safe from several threads at once: give each its own.
class Generator {
 public:
  explicit Generator(uint64_t seed = 0, uint64_t offset = 0) : seed_(seed), offset_(offset) {}

  uint64_t seed() const { return seed_; }
  uint64_t offset() const { return offset_; }
  void set_state(uint64_t seed, uint64_t offset) {
    seed_ = seed;
    offset_ = offset;
  }

  // The stream for one operator call.
  uint64_t next_stream() { return offset_++; }

  // One number without a tensor, each a stream of its own: 64 random bits; uniform in [0, 1);
  // uniform in [0, bound) without bias, for bound >= 1.
  uint64_t next_bits();
  double next_uniform();
  uint64_t next_below(uint64_t bound);

 private:
  uint64_t seed_, offset_;
};

// The calling thread's generator, which random operators use unless they are given one. Every
// thread starts with seed 0.
Generator& default_generator();

// Restarts the calling thread's generator.
void manual_seed(uint64_t seed);

// Four independent words: Philox4x32-10 of counter {index, stream} under key `seed`.
struct PhiloxBlock {
  uint32_t word[4];
};
PhiloxBlock philox(uint64_t seed, uint64_t stream, uint64_t index);

}  // namespace adjoint
