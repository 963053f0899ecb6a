// Loss scaling, for gradients of f16 that would be too small to be told from 0.
//
//   optim::GradScaler scaler;
//   scaler.scale(loss).backward();
//   optim::clip_grad_norm_(optimizer, 1.0);   // after scaler.unscale_(optimizer), if at all
//   scaler.step(optimizer);
//   scaler.update();
#pragma once

#include <adjoint/core/tensor.h>
#include <adjoint/optim/optimizer.h>

#include <cstdint>
#include <map>

namespace adjoint::optim {

// As torch.amp.GradScaler: Micikevicius et al. 2018, arXiv 1710.03740. bf16 has f32's range and
// does without.
struct GradScalerOptions {
  double init_scale = 65536;
  double growth_factor = 2;
  double backoff_factor = 0.5;
  int64_t growth_interval = 2000;
  bool enabled = true;
};
class GradScaler {
 public:
  struct State {
    double scale = 1;
    int64_t growth_tracker = 0;
  };

  // ConfigError unless growth_factor > 1, 0 < backoff_factor < 1 and growth_interval >= 1.
  explicit GradScaler(const GradScalerOptions& options = {});

  // loss times the scale.
  Tensor scale(const Tensor& loss) const;

  // Takes the scale out of the gradients, without a pass over memory that writes: the optimizer's
  // next step and clip_grad_norm_(optimizer, ...) see them divided by it, the slots do not. Error
  // when called twice between updates.
  void unscale_(Optimizer& optimizer);
  // optimizer.step(), unless a gradient is not finite: then it is skipped. Takes the scale out
  // first where unscale_ did not. Returns whether the step was made.
  bool step(Optimizer& optimizer);
  // After all steps of an iteration: a smaller scale where a gradient was not finite, a larger one
  // after growth_interval iterations without. Error where no optimizer has been seen.
  void update();
  void update(double new_scale);

  double get_scale() const { return options_.enabled ? state_.scale : 1; }
  bool is_enabled() const { return options_.enabled; }

  State state() const { return state_; }
  // ConfigError for a scale that is not above 0, or a tracker below 0.
  void load_state(const State& state);

 private:
  GradScalerOptions options_;
  State state_;
  std::map<const Optimizer*, bool> finite_;  // of the optimizers that were unscaled
};

}  // namespace adjoint::optim
