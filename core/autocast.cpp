#include <adjoint/core/autocast.h>
#include <adjoint/core/error.h>

#include <utility>

namespace adjoint {
namespace {

thread_local bool enabled_here = false;

}  // namespace

bool autocast_enabled() { return enabled_here; }

Autocast::Autocast(bool enabled) : before_(std::exchange(enabled_here, enabled)) {}

Autocast::Autocast(DType dtype) : Autocast(true) {
  check<ConfigError>(dtype == DType::bf16, "autocast: dtype ", dtype, "; expected bf16");
}

Autocast::~Autocast() { enabled_here = before_; }

}  // namespace adjoint
