#include <adjoint/core/error.h>
#include <adjoint/core/precision.h>

namespace adjoint {
namespace {

thread_local Precision current = Precision::highest;

constexpr const char* kNames[] = {"highest", "high", "medium"};

}  // namespace

const char* name(Precision precision) { return kNames[static_cast<int>(precision)]; }

Precision precision_from(std::string_view name) {
  for (int i = 0; i < 3; ++i) {
    if (name == kNames[i]) return static_cast<Precision>(i);
  }
  fail<ConfigError>("precision: no such mode: '", name, "'; expected highest, high or medium");
}

Precision float32_matmul_precision() { return current; }
void set_float32_matmul_precision(Precision precision) { current = precision; }

}  // namespace adjoint
