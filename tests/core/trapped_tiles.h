// AMX's own instructions on a machine without them: each traps, and is carried out from its bytes.
// Slow, and exact to the bit after Intel's manual; what it shows is that the compiled kernels
// configure, address, order and release their registers as they should.
#pragma once

#include <string>

namespace adjoint::kernels {

// For all threads while it lives; one at a time.
class TrappedTiles {
 public:
  TrappedTiles();
  ~TrappedTiles();
  TrappedTiles(const TrappedTiles&) = delete;
  TrappedTiles& operator=(const TrappedTiles&) = delete;

  // Where this can be: Linux on x86-64.
  static bool available();
  // What a processor would have refused, or empty: a use without a configuration, one it would not
  // take.
  std::string misuse() const;
  // How many products of tiles were carried out, and how many threads have not let go of their
  // registers.
  long products() const;
  long held() const;
};

}  // namespace adjoint::kernels
