#include <adjoint/optim/lamb.h>

#include <cmath>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {

void LambOptions::check() const {
  check_common("Lamb", *this);
  check_betas("Lamb", betas);
}

std::vector<Optimizer::Moment> Lamb::moments(size_t, const Tensor& parameter) const {
  return {{"exp_avg", parameter, 0}, {"exp_avg_sq", parameter, 1}};
}

void Lamb::update(std::span<const Update> updates, double gradient_scale) {
  std::vector<Tensor> steps, parameters;
  for (const Update& u : updates) {
    steps.push_back(empty(u.parameter.shape(), computed_in(u.parameter.dtype())));
    parameters.push_back(u.parameter);
  }
  size_t at = 0;
  sweep_all(updates, [&](const Update& u) {
    const LambOptions& o = group_options(u.group);
    auto& [m, v, none] = u.memory.moments;
    const auto t = static_cast<double>(u.memory.step + 1);
    return RuleUpdate<LambRule>{
        {u.parameter, u.gradient, {moment(m, u.parameter), moment(v, u.parameter), &steps[at++]}},
        {.gradient_scale = signed_scale(gradient_scale, o.maximize),
         .weight_decay = o.weight_decay,
         .beta1 = o.betas[0],
         .beta2 = o.betas[1],
         .m_scale = 1 / (1 - std::pow(o.betas[0], t)),
         .v_scale = 1 / std::sqrt(1 - std::pow(o.betas[1], t)),
         .eps = o.eps}};
  });
  const std::vector<double> of_steps = sums_of_squares(steps);
  const std::vector<double> of_parameters = sums_of_squares(parameters);
  at = 0;
  sweep_all(updates, [&](const Update& u) {
    const double p = of_parameters[at], r = of_steps[at];
    const double ratio = p > 0 && r > 0 ? std::sqrt(p / r) : 1;
    return RuleUpdate<AddRule>{{u.parameter, kNoGradient, {&steps[at++]}},
                               {.factor = -group_options(u.group).lr * ratio}};
  });
}

}  // namespace adjoint::optim
