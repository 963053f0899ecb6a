// A random order that is never written down.
#pragma once

#include <cstdint>

namespace adjoint::data {

// Where element `index` of [0, count) stands in a random order of its own for each (seed, pass).
int64_t shuffled(int64_t index, int64_t count, uint64_t seed, uint64_t pass);

}  // namespace adjoint::data
