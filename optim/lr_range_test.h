// The learning-rate range test: how the loss goes as the rate grows from step to step.
//
//   const auto found = optim::lr_range_test(optimizer, [&](int64_t step) {
//     const Tensor loss = loss_of(batch(step));
//     loss.backward();
//     return loss.item();
//   });
//   optimizer.set_lr(found.steepest_lr);
#pragma once

#include <adjoint/optim/optimizer.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace adjoint::optim {

struct LrRangeTestOptions {
  double start_lr = 1e-7;
  double end_lr = 10;
  int64_t num_iter = 100;
  bool exponential = true;  // or along a line
  double smooth_f = 0.05;   // the part of a new loss in the smoothed one
  double diverge_th = 5;    // ends where the smoothed loss is this many times its least
};
struct LrRangeTest {
  std::vector<double> lr;
  std::vector<double> loss;  // smoothed; as long as it was finite and had not diverged
  double steepest_lr = 0;    // where the loss falls fastest: a rate to train with
  double least_lr = 0;       // where it was least: too large by then
  bool diverged = false;
};

// Smith 2017, arXiv 1506.01186, section 3.3. `step` computes the loss of a batch and its gradients;
// the optimizer's step and zero_grad are done here. Weights, the optimizer's state and rates, and
// what `also` holds (buffers), are then as before, gradients gone; also where `step` throws.
// ConfigError unless 0 < start_lr < end_lr, num_iter >= 2, 0 < smooth_f <= 1 and diverge_th > 1.
LrRangeTest lr_range_test(Optimizer& optimizer, const std::function<double(int64_t)>& step,
                          const LrRangeTestOptions& options = {},
                          const std::vector<NamedSlot>& also = {});

}  // namespace adjoint::optim
