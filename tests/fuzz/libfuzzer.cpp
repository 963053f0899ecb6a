// The entry that libFuzzer calls; ADJOINT_FUZZ_TARGET is the function of targets.h.
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  adjoint::fuzz::ADJOINT_FUZZ_TARGET({data, size});
  return 0;
}
