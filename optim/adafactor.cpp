#include <adjoint/core/layout.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/optim/adafactor.h>

#include <algorithm>
#include <cmath>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {
namespace {

// x's shape with one dimension, counted from the end, of size 1.
Shape without(const Tensor& x, int from_end) {
  Shape shape = x.shape();
  shape[shape.rank() - from_end] = 1;
  return shape;
}

// mean += weight (x - mean).
void average(Tensor& mean, const Tensor& x, double weight) {
  if (!mean.defined()) mean = zeros(x.shape(), x.dtype());
  sweep(RuleUpdate<AverageRule>{{x, kNoGradient, {&mean}}, {.weight = weight}});
}

double root_mean_square(const Tensor& x) {
  const Tensor all[] = {x};
  return std::sqrt(sum_of_squares(all) / static_cast<double>(x.numel()));
}

// The estimate of g^2 from its memory, after adding g to it.
Tensor variance_of(const Tensor& g, std::span<Tensor> memory, double weight, double least) {
  const Tensor squares = square(g);
  if (g.dim() < 2) {
    average(memory[0], squares, weight);
    return memory[0];
  }
  Tensor &rows = memory[0], &columns = memory[1];
  average(rows, mean(squares, {-1}, true), weight);
  average(columns, mean(squares, {-2}, true), weight);
  return rows / clamp_min(mean(rows, {-2}, true), least) * columns;
}

}  // namespace

void AdafactorOptions::check() const {
  check_common("Adafactor", *this);
  adjoint::check<ConfigError>(beta2_decay <= 0,
                              "Adafactor: beta2_decay: out of range: ", beta2_decay,
                              "; expected 0 or less");
  check_range("Adafactor", "eps[0]", eps.first.value_or(0), 0, kNoLimit);
  check_range("Adafactor", "eps[1]", eps.second, 0, kNoLimit);
  adjoint::check<ConfigError>(d >= 1, "Adafactor: d: out of range: ", d, "; expected 1 or more");
}

std::vector<Optimizer::Moment> Adafactor::moments(size_t, const Tensor& parameter) const {
  if (parameter.dim() < 2) return {{"variance", parameter, 0}};
  const DType dtype = computed_in(parameter.dtype());
  return {{"row_var", without(parameter, 1), dtype, 0},
          {"col_var", without(parameter, 2), dtype, 1}};
}

void Adafactor::update(std::span<const Update> updates, double gradient_scale) {
  check_gradients("Adafactor", updates);
  for (const Update& u : updates) {
    if (u.parameter.numel() == 0) continue;
    const AdafactorOptions& o = group_options(u.group);
    const auto step = static_cast<double>(u.memory.step + 1);
    const double least = o.eps.first.value_or(epsilon(u.parameter.dtype()));
    const double scale = signed_scale(gradient_scale, o.maximize);
    Tensor g = u.gradient.detach().to(computed_in(u.parameter.dtype()));
    if (scale != 1) g = g * scale;
    const Tensor variance = variance_of(g, u.memory.moments, std::pow(step, o.beta2_decay), least);
    const Tensor direction = contiguous(rsqrt(clamp_min(variance, least * least)) * g);
    const double size = std::max(o.eps.second, root_mean_square(u.parameter));
    const double rate = size * std::min(o.lr, 1 / std::sqrt(step)) /
                        std::max(1.0, root_mean_square(direction) / o.d);
    sweep(RuleUpdate<AddRule>{{u.parameter, kNoGradient, {&direction}},
                              {.decay = 1 - o.lr * o.weight_decay, .factor = -rate}});
  }
}

}  // namespace adjoint::optim
