// Threads: one pool for the process.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

namespace adjoint {

// The threads that kernels use, the caller included. By default as many as the process may use
// (affinity mask and cgroup quota), or ADJOINT_THREADS (0: as many). Results do not depend on it.
int num_threads();

// Throws ConfigError unless 1 <= threads <= 1024. Waits for running kernels. Not to be called from
// inside parallel_for.
void set_num_threads(int threads);

namespace detail {
// The pool alone, for kernels, which record nothing and run inside a KernelScope.
void parallel_for(int64_t tasks, void (*body)(void* context, int64_t task), void* context);
// For everyone else: see below.
void parallel_calls(int64_t tasks, void (*body)(void* context, int64_t task), void* context);
}  // namespace detail

// Calls f(task) for every task in [0, tasks), on several threads at once, in any order; returns
// when all are done. Inside a parallel_for, or while another thread uses the pool, it runs on the
// calling thread alone. The first exception thrown by f is thrown again here.
//
// f may call operators: each task starts in the caller's grad mode and with its InferenceWeights,
// and what it makes of them ends with the task; denormals are flushed to zero on all threads, the
// caller included, so that results do not depend on who computes them. The default generator is
// another one on each thread: a task that wants random numbers makes a generator of its own, seeded
// by the task:
//   Generator generator(seed, task);
//   Tensor noise = randn({n}, DType::f32, generator);
template <class F>
void parallel_for(int64_t tasks, F&& f) {
  using Body = std::remove_reference_t<F>;
  detail::parallel_calls(
      tasks, [](void* context, int64_t task) { (*static_cast<Body*>(context))(task); },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

}  // namespace adjoint
