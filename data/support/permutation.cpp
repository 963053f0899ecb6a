#include "data/support/permutation.h"

#include <adjoint/core/random.h>

#include <utility>

namespace adjoint::data {

// A Feistel network (Luby and Rackoff 1988) permutes the next power of four; what falls outside is
// permuted again until it falls inside.
int64_t shuffled(int64_t index, int64_t count, uint64_t seed, uint64_t pass) {
  constexpr uint64_t kRounds = 4;
  int half = 1;
  while (half < 31 && (int64_t{1} << (2 * half)) < count) ++half;
  const uint64_t mask = (uint64_t{1} << half) - 1;
  auto at = static_cast<uint64_t>(index);
  do {
    uint64_t left = at >> half, right = at & mask;
    for (uint64_t round = 1; round <= kRounds; ++round) {
      const uint64_t mixed = philox(seed, pass, round << 32 | right).word[0];
      left = std::exchange(right, left ^ (mixed & mask));
    }
    at = left << half | right;
  } while (at >= static_cast<uint64_t>(count));
  return static_cast<int64_t>(at);
}

}  // namespace adjoint::data
