#include <adjoint/core/autograd.h>
#include <adjoint/core/inference_weights.h>
#include <adjoint/core/parallel.h>

#include "core/tensor/thread_pool.h"

namespace adjoint {
namespace {

struct Calls {
  void (*body)(void*, int64_t);
  void* context;
  bool recorded;
  WeightFormat weights;
};

}  // namespace

void detail::parallel_calls(int64_t tasks, void (*body)(void*, int64_t), void* context) {
  const KernelScope flushing;  // on this thread; the pool's always do
  Calls calls{body, context, grad_enabled(), inference_weights()};
  parallel_for(
      tasks,
      [](void* all, int64_t task) {
        const Calls& c = *static_cast<const Calls*>(all);
        const AutoGradMode mode(c.recorded);
        const InferenceWeights weights(c.weights);
        c.body(c.context, task);
      },
      &calls);
}

}  // namespace adjoint
