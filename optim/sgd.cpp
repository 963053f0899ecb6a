#include <adjoint/optim/sgd.h>

#include <algorithm>
#include <cmath>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {

void SgdOptions::check() const {
  check_common("Sgd", *this);
  check_range("Sgd", "momentum", momentum, 0, kNoLimit);
  adjoint::check<ConfigError>(!nesterov || (momentum > 0 && dampening == 0),
                              "Sgd: nesterov: momentum ", momentum, " and dampening ", dampening,
                              "; expected momentum > 0 and dampening 0");
}

std::vector<Optimizer::Moment> Sgd::moments(size_t group, const Tensor& parameter) const {
  if (group_options(group).momentum == 0) return {};
  return {{"momentum_buffer", parameter, 0}};
}

void Sgd::update(std::span<const Update> updates, double gradient_scale) {
  sweep_all(updates, [&](const Update& u) {
    const SgdOptions& o = group_options(u.group);
    Tensor& buffer = u.memory.moments[0];
    const bool first = !buffer.defined();
    return RuleUpdate<SgdRule>{
        {u.parameter, u.gradient, {o.momentum != 0 ? moment(buffer, u.parameter) : nullptr}},
        {.gradient_scale = signed_scale(gradient_scale, o.maximize),
         .lr = o.lr,
         .momentum = o.momentum,
         .keep = 1 - o.dampening,
         .weight_decay = o.weight_decay,
         .nesterov = o.nesterov,
         .first = first}};
  });
}

void AsgdOptions::check() const { check_common("Asgd", *this); }

std::vector<Optimizer::Moment> Asgd::moments(size_t, const Tensor& parameter) const {
  return {{"ax", parameter, 0}, {"eta", {}, DType::f64, 1}, {"mu", {}, DType::f64, 2}};
}

void Asgd::update(std::span<const Update> updates, double gradient_scale) {
  sweep_all(updates, [&](const Update& u) {
    const AsgdOptions& o = group_options(u.group);
    auto& [ax, eta, mu] = u.memory.moments;
    const double rate = number(eta, o.lr);
    return RuleUpdate<AsgdRule>{{u.parameter, u.gradient, {moment(ax, u.parameter)}},
                                {.gradient_scale = signed_scale(gradient_scale, o.maximize),
                                 .weight_decay = o.weight_decay,
                                 .decay = 1 - o.lambd * rate,
                                 .eta = rate,
                                 .mu = number(mu, 1)}};
  });
  for (const Update& u : updates) {
    const AsgdOptions& o = group_options(u.group);
    const auto step = static_cast<double>(u.memory.step + 1);
    set_number(u.memory.moments[1], o.lr / std::pow(1 + o.lambd * o.lr * step, o.alpha));
    set_number(u.memory.moments[2], 1 / std::max(1.0, step - o.t0));
  }
}

}  // namespace adjoint::optim
