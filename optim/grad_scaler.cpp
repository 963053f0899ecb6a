#include <adjoint/core/error.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/optim/clip.h>
#include <adjoint/optim/grad_scaler.h>

#include <algorithm>
#include <cmath>

namespace adjoint::optim {
namespace {

// The squares of large finite f64 may overflow: then each is looked at.
bool all_gradients_finite(const Optimizer& optimizer) {
  if (std::isfinite(grad_norm(optimizer.slots()))) return true;
  const auto& slots = optimizer.slots();
  return std::all_of(slots.begin(), slots.end(), [](const NamedSlot& s) {
    const Tensor g = s.slot->grad();
    return !g.defined() || all_finite(g.detach());
  });
}

}  // namespace

GradScaler::GradScaler(const GradScalerOptions& options) : options_(options) {
  check<ConfigError>(options.growth_factor > 1,
                     "GradScaler: growth_factor: ", options.growth_factor,
                     "; expected a value above 1");
  check<ConfigError>(options.backoff_factor > 0 && options.backoff_factor < 1,
                     "GradScaler: backoff_factor: ", options.backoff_factor,
                     "; expected a value in (0, 1)");
  check<ConfigError>(options.growth_interval >= 1,
                     "GradScaler: growth_interval: ", options.growth_interval,
                     "; expected 1 or more");
  load_state({.scale = options.init_scale});
}

Tensor GradScaler::scale(const Tensor& loss) const {
  return options_.enabled ? loss * state_.scale : loss;
}

void GradScaler::unscale_(Optimizer& optimizer) {
  if (!options_.enabled) return;
  check(!finite_.contains(&optimizer),
        "GradScaler: unscale_ was called before; expected one call between updates");
  finite_[&optimizer] = all_gradients_finite(optimizer);
  optimizer.scale_gradients_once(1 / state_.scale);
}

bool GradScaler::step(Optimizer& optimizer) {
  if (options_.enabled) {
    if (!finite_.contains(&optimizer)) unscale_(optimizer);
    if (!finite_[&optimizer]) {
      optimizer.take_gradient_scale();  // of a step that is not made
      return false;
    }
  }
  optimizer.step();
  return true;
}

void GradScaler::update() {
  if (!options_.enabled) return;
  check(!finite_.empty(), "GradScaler: update() without an optimizer; expected step() first");
  const bool finite =
      std::all_of(finite_.begin(), finite_.end(), [](const auto& entry) { return entry.second; });
  finite_.clear();
  if (!finite) {
    state_.scale *= options_.backoff_factor;
    state_.growth_tracker = 0;
  } else if (++state_.growth_tracker == options_.growth_interval) {
    // Not beyond what the loss, of f32, can be multiplied by.
    const double larger = state_.scale * options_.growth_factor;
    if (std::isfinite(static_cast<float>(larger))) state_.scale = larger;
    state_.growth_tracker = 0;
  }
}

void GradScaler::update(double new_scale) {
  if (!options_.enabled) return;
  load_state({.scale = new_scale, .growth_tracker = state_.growth_tracker});
  finite_.clear();
}

void GradScaler::load_state(const State& state) {
  check<ConfigError>(std::isfinite(state.scale) && state.scale > 0,
                     "GradScaler: scale: ", state.scale, "; expected a finite value above 0");
  check<ConfigError>(state.growth_tracker >= 0,
                     "GradScaler: growth_tracker: ", state.growth_tracker, "; expected 0 or more");
  state_ = state;
}

}  // namespace adjoint::optim
