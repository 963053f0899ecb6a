// How exactly products of f32 matrices are computed.
//
// A mode is a permission: a machine without the instructions for it computes with f32's own fused
// multiply-add, which satisfies every mode. Each mode gives the same bits on any number of threads.
#pragma once

#include <cstdint>
#include <string_view>

namespace adjoint {

enum class Precision : uint8_t {
  highest,  // fused multiply-add in f32
  high,     // errors no larger than those: each f32 as the sum of three bf16, six products on AMX
  medium,   // operands rounded to bf16 (8 bits), sums in f32, on AMX
};

// "highest", "high", "medium".
const char* name(Precision precision);
// The mode of that name; ConfigError for any other.
Precision precision_from(std::string_view name);

// The mode of this thread's products, `highest` to begin with. Read when an operator is called: its
// backward uses the same.
Precision float32_matmul_precision();
void set_float32_matmul_precision(Precision precision);

// Products of f32 are computed so while it lives, on this thread. Restores what was before.
class PrecisionGuard {
 public:
  explicit PrecisionGuard(Precision precision) : before_(float32_matmul_precision()) {
    set_float32_matmul_precision(precision);
  }
  ~PrecisionGuard() { set_float32_matmul_precision(before_); }
  PrecisionGuard(const PrecisionGuard&) = delete;
  PrecisionGuard& operator=(const PrecisionGuard&) = delete;

 private:
  Precision before_;
};

}  // namespace adjoint
