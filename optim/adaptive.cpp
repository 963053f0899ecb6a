#include <adjoint/optim/adaptive.h>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {

// --- Adagrad: RMSprop's rule with a sum in place of the mean ---

void AdagradOptions::check() const {
  check_common("Adagrad", *this);
  check_range("Adagrad", "lr_decay", lr_decay, 0, kNoLimit);
  check_range("Adagrad", "initial_accumulator_value", initial_accumulator_value, 0, kNoLimit);
}

std::vector<Optimizer::Moment> Adagrad::moments(size_t, const Tensor& parameter) const {
  return {{"sum", parameter, 0}};
}

void Adagrad::update(std::span<const Update> updates, double gradient_scale) {
  sweep_all(updates, [&](const Update& u) {
    const AdagradOptions& o = group_options(u.group);
    const Tensor* sum = moment(u.memory.moments[0], u.parameter, o.initial_accumulator_value);
    return RuleUpdate<RmsRule>{{u.parameter, u.gradient, {sum}},
                               {.gradient_scale = signed_scale(gradient_scale, o.maximize),
                                .weight_decay = o.weight_decay,
                                .alpha = 1,
                                .rest = 1,
                                .lr = o.lr / (1 + static_cast<double>(u.memory.step) * o.lr_decay),
                                .eps = o.eps}};
  });
}

// --- Adadelta ---

void AdadeltaOptions::check() const {
  check_common("Adadelta", *this);
  check_range("Adadelta", "rho", rho, 0, 1);
}

std::vector<Optimizer::Moment> Adadelta::moments(size_t, const Tensor& parameter) const {
  return {{"square_avg", parameter, 0}, {"acc_delta", parameter, 1}};
}

void Adadelta::update(std::span<const Update> updates, double gradient_scale) {
  sweep_all(updates, [&](const Update& u) {
    const AdadeltaOptions& o = group_options(u.group);
    auto& [squares, deltas, none] = u.memory.moments;
    return RuleUpdate<AdadeltaRule>{
        {u.parameter, u.gradient, {moment(squares, u.parameter), moment(deltas, u.parameter)}},
        {.gradient_scale = signed_scale(gradient_scale, o.maximize),
         .weight_decay = o.weight_decay,
         .rho = o.rho,
         .lr = o.lr,
         .eps = o.eps}};
  });
}

// --- RMSprop ---

void RMSpropOptions::check() const {
  check_common("RMSprop", *this);
  check_range("RMSprop", "alpha", alpha, 0, kNoLimit);
  check_range("RMSprop", "momentum", momentum, 0, kNoLimit);
}

std::vector<Optimizer::Moment> RMSprop::moments(size_t group, const Tensor& parameter) const {
  const RMSpropOptions& o = group_options(group);
  std::vector<Moment> all = {{"square_avg", parameter, 0}};
  if (o.momentum > 0) all.push_back({"momentum_buffer", parameter, 1});
  if (o.centered) all.push_back({"grad_avg", parameter, 2});
  return all;
}

void RMSprop::update(std::span<const Update> updates, double gradient_scale) {
  sweep_all(updates, [&](const Update& u) {
    const RMSpropOptions& o = group_options(u.group);
    auto& [squares, buffer, mean] = u.memory.moments;
    return RuleUpdate<RmsRule>{
        {u.parameter,
         u.gradient,
         {moment(squares, u.parameter), o.momentum > 0 ? moment(buffer, u.parameter) : nullptr,
          o.centered ? moment(mean, u.parameter) : nullptr}},
        {.gradient_scale = signed_scale(gradient_scale, o.maximize),
         .weight_decay = o.weight_decay,
         .alpha = o.alpha,
         .rest = 1 - o.alpha,
         .momentum = o.momentum,
         .lr = o.lr,
         .eps = o.eps}};
  });
}

// --- Rprop ---

void RpropOptions::check() const {
  check_lr(lr);
  adjoint::check<ConfigError>(0 < etas[0] && etas[0] < 1 && 1 < etas[1], "Rprop: etas: ", etas[0],
                              " and ", etas[1], "; expected 0 < etas[0] < 1 < etas[1]");
  adjoint::check<ConfigError>(0 <= step_sizes[0] && step_sizes[0] <= step_sizes[1],
                              "Rprop: step_sizes: ", step_sizes[0], " and ", step_sizes[1],
                              "; expected 0 <= step_sizes[0] <= step_sizes[1]");
}

std::vector<Optimizer::Moment> Rprop::moments(size_t, const Tensor& parameter) const {
  return {{"prev", parameter, 0}, {"step_size", parameter, 1}};
}

void Rprop::update(std::span<const Update> updates, double gradient_scale) {
  sweep_all(updates, [&](const Update& u) {
    const RpropOptions& o = group_options(u.group);
    auto& [before, steps, none] = u.memory.moments;
    return RuleUpdate<RpropRule>{
        {u.parameter, u.gradient, {moment(before, u.parameter), moment(steps, u.parameter, o.lr)}},
        {.gradient_scale = signed_scale(gradient_scale, o.maximize),
         .down = o.etas[0],
         .up = o.etas[1],
         .least = o.step_sizes[0],
         .most = o.step_sizes[1]}};
  });
}

// --- Lion ---

void LionOptions::check() const {
  check_common("Lion", *this);
  check_betas("Lion", betas);
}

std::vector<Optimizer::Moment> Lion::moments(size_t, const Tensor& parameter) const {
  return {{"exp_avg", parameter, 0}};
}

void Lion::update(std::span<const Update> updates, double gradient_scale) {
  sweep_all(updates, [&](const Update& u) {
    const LionOptions& o = group_options(u.group);
    return RuleUpdate<LionRule>{
        {u.parameter, u.gradient, {moment(u.memory.moments[0], u.parameter)}},
        {.gradient_scale = signed_scale(gradient_scale, o.maximize),
         .beta1 = o.betas[0],
         .beta2 = o.betas[1],
         .decay = 1 - o.lr * o.weight_decay,
         .lr = o.lr}};
  });
}

}  // namespace adjoint::optim
