// What tests of kernels run them with: memory of the C library, tasks in several orders and on
// several threads, and the instruction sets of this machine.
#pragma once

#include <cmath>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "core/kernels/kernels.h"

namespace adjoint::kernels {

using Body = void (*)(void*, int64_t);

inline void* acquire(size_t bytes) {
  return bytes == 0 ? nullptr : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
}
inline void release(void* memory) { std::free(memory); }

inline void serial(int64_t tasks, Body body, void* context) {
  for (int64_t i = 0; i < tasks; ++i) body(context, i);
}
inline void reversed(int64_t tasks, Body body, void* context) {
  for (int64_t i = tasks; i-- > 0;) body(context, i);
}
inline void threaded(int64_t tasks, Body body, void* context) {
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 3; ++t) {
    threads.emplace_back([=] {
      for (int64_t i = t; i < tasks; i += 3) body(context, i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

inline std::vector<std::string> isas() {
  int count = 0;
  const char* const* names = runnable_isas(&count);
  return {names, names + count};
}

// Results depend neither on threads nor on the size of a cache.
inline const Exec kSerial{serial, acquire, release, 1, 1 << 20};
inline const Exec kReversed{reversed, acquire, release, 2, 1 << 16};
inline const Exec kThreaded{threaded, acquire, release, 7, 1 << 18};

// An activation by its definition, in f64.
inline double act(Activation activation, double x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x > 0 ? x : 0;
    case Activation::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
    case Activation::gelu_erf:
      return 0.5 * x * std::erfc(-x * 0.7071067811865476);
    case Activation::silu:
      return x / (1 + std::exp(-x));
  }
  return x;
}

}  // namespace adjoint::kernels
