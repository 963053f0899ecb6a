#include <adjoint/optim/adam.h>

#include <cmath>
#include <type_traits>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {
namespace {

template <class Options>
void check_adam(const char* op, const Options& o) {
  check_common(op, o);
  check_betas(op, o.betas);
}

// beta^step of both moments; parameters are mostly at the same step.
struct Powers {
  double beta1 = 0, beta2 = 0;  // of the options
  int64_t step = 0;
  double power1 = 0, power2 = 0;

  const Powers& at(const std::array<double, 2>& betas, int64_t t) {
    if (t != step || betas[0] != beta1 || betas[1] != beta2) {
      const auto n = static_cast<double>(t);
      *this = {betas[0], betas[1], t, std::pow(betas[0], n), std::pow(betas[1], n)};
    }
    return *this;
  }
};

template <class Options>
bool decoupled(const Options& o) {
  if constexpr (std::is_same_v<Options, AdamWOptions>) {
    return true;
  } else {
    return o.decoupled_weight_decay;
  }
}

template <class Options>
bool keeps_maximum(const Options& o) {
  if constexpr (requires { o.amsgrad; }) return o.amsgrad;
  return false;
}

// Each sets the steps of its rule; `product` is NAdam's only.
template <class Options>
void set_steps(AdamRule& rule, const Options& o, const Powers& powers, Tensor&) {
  rule.step_size = o.lr / (1 - powers.power1);
  rule.v_scale = 1 / std::sqrt(1 - powers.power2);
}

// The momentum of step t.
double mu_of(const NAdamOptions& o, int64_t t) {
  return o.betas[0] * (1 - 0.5 * std::pow(0.96, static_cast<double>(t) * o.momentum_decay));
}

void set_steps(AdamRule& rule, const NAdamOptions& o, const Powers& powers, Tensor& product) {
  const double mu = mu_of(o, powers.step), next = mu_of(o, powers.step + 1);
  const double now = number(product, 1) * mu;
  rule.gradient_step = o.lr * (1 - mu) / (1 - now);
  rule.step_size = o.lr * next / (1 - now * next);
  rule.v_scale = 1 / std::sqrt(1 - powers.power2);
}

void set_steps(AdamRule& rule, const RAdamOptions& o, const Powers& powers, Tensor&) {
  const double rest = 1 - powers.power2, longest = 2 / (1 - o.betas[1]) - 1;
  const double length = longest - 2 * static_cast<double>(powers.step) * powers.power2 / rest;
  rule.step_size = o.lr / (1 - powers.power1);
  if (length > 5) {
    const double rectified =
        (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length);
    rule.step_size *= std::sqrt(rectified * rest);
  } else {  // the variance is not known yet: p -= step_size m
    rule.v_scale = 0;
    rule.eps = 1;
  }
}

}  // namespace

void AdamOptions::check() const { check_adam("Adam", *this); }
void AdamWOptions::check() const { check_adam("AdamW", *this); }
void NAdamOptions::check() const {
  check_adam("NAdam", *this);
  check_range("NAdam", "momentum_decay", momentum_decay, 0, kNoLimit);
}
void RAdamOptions::check() const { check_adam("RAdam", *this); }
void AdamaxOptions::check() const { check_adam("Adamax", *this); }

template <class Options>
std::vector<Optimizer::Moment> AdamOf<Options>::moments(size_t group,
                                                        const Tensor& parameter) const {
  std::vector<Moment> all = {{"exp_avg", parameter, 0}, {"exp_avg_sq", parameter, 1}};
  if (keeps_maximum(this->group_options(group))) all.push_back({"max_exp_avg_sq", parameter, 2});
  if (std::is_same_v<Options, NAdamOptions>) all.push_back({"mu_product", {}, DType::f64, 2});
  return all;
}

template <class Options>
void AdamOf<Options>::update(std::span<const Update> updates, double gradient_scale) {
  Powers powers;
  sweep_all(updates, [&](const Update& u) {
    const Options& o = this->group_options(u.group);
    auto& [m, v, third] = u.memory.moments;
    AdamRule rule = {.gradient_scale = signed_scale(gradient_scale, o.maximize),
                     .decay = decoupled(o) ? 1 - o.lr * o.weight_decay : 1,
                     .l2 = decoupled(o) ? 0 : o.weight_decay,
                     .beta1 = o.betas[0],
                     .beta2 = o.betas[1],
                     .eps = o.eps};
    set_steps(rule, o, powers.at(o.betas, u.memory.step + 1), third);
    const Tensor* v_max = keeps_maximum(o) ? moment(third, u.parameter) : nullptr;
    return RuleUpdate<AdamRule>{
        {u.parameter, u.gradient, {moment(m, u.parameter), moment(v, u.parameter), v_max}}, rule};
  });
  if constexpr (std::is_same_v<Options, NAdamOptions>) {
    for (const Update& u : updates) {
      const Tensor& product = u.memory.moments[2];
      const double mu = mu_of(this->group_options(u.group), u.memory.step + 1);
      set_number(product, *product.template data<double>() * mu);
    }
  }
}

template class AdamOf<AdamOptions>;
template class AdamOf<AdamWOptions>;
template class AdamOf<NAdamOptions>;
template class AdamOf<RAdamOptions>;

std::vector<Optimizer::Moment> Adamax::moments(size_t, const Tensor& parameter) const {
  return {{"exp_avg", parameter, 0}, {"exp_inf", parameter, 1}};
}

void Adamax::update(std::span<const Update> updates, double gradient_scale) {
  Powers powers;
  sweep_all(updates, [&](const Update& u) {
    const AdamaxOptions& o = group_options(u.group);
    auto& [m, largest, none] = u.memory.moments;
    return RuleUpdate<AdamaxRule>{
        {u.parameter, u.gradient, {moment(m, u.parameter), moment(largest, u.parameter)}},
        {.gradient_scale = signed_scale(gradient_scale, o.maximize),
         .weight_decay = o.weight_decay,
         .beta1 = o.betas[0],
         .beta2 = o.betas[1],
         .step_size = o.lr / (1 - powers.at(o.betas, u.memory.step + 1).power1),
         .eps = o.eps}};
  });
}

}  // namespace adjoint::optim
