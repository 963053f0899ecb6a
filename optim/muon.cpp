#include <adjoint/core/autograd.h>
#include <adjoint/core/layout.h>
#include <adjoint/core/linalg.h>
#include <adjoint/core/pointwise.h>
#include <adjoint/core/reductions.h>
#include <adjoint/optim/muon.h>

#include <algorithm>
#include <cmath>

#include "optim/common/checks.h"
#include "optim/common/sweep.h"

namespace adjoint::optim {
namespace {

double adjusted(double lr, MuonAdjustLr how, const Tensor& parameter) {
  const auto a = static_cast<double>(parameter.size(0));
  const auto b = static_cast<double>(parameter.size(1));
  switch (how) {
    case MuonAdjustLr::match_rms_adamw:
      return lr * 0.2 * std::sqrt(std::max(a, b));
    case MuonAdjustLr::spectral_unclamped:
      return lr * std::sqrt(a / b);
    case MuonAdjustLr::original:
      break;
  }
  return lr * std::sqrt(std::max(1.0, a / b));
}

void check_matrices(const std::vector<NamedSlot>& slots) {
  for (const NamedSlot& s : slots) {
    check<ConfigError>(s.slot->stored().dim() == 2, "Muon: parameter '", s.name, "' of shape ",
                       s.slot->shape(), "; expected matrices: give the others to AdamW");
  }
}

}  // namespace

void MuonOptions::check() const {
  check_common("Muon", *this);
  check_range("Muon", "momentum", momentum, 0, kNoLimit);
  check_range("Muon", "ns_steps", static_cast<double>(ns_steps), 0, 100);
}

Muon::Muon(std::vector<NamedSlot> slots, const MuonOptions& options)
    : OptimizerOf(std::move(slots), options) {
  check_matrices(this->slots());
}

Muon::Muon(std::vector<ParamGroup<MuonOptions>> groups) : OptimizerOf(std::move(groups)) {
  check_matrices(slots());
}

std::vector<Optimizer::Moment> Muon::moments(size_t, const Tensor& parameter) const {
  return {{"momentum_buffer", parameter, 0}};
}

Tensor orthogonalized(const Tensor& matrix, const MuonOptions& options) {
  check<ShapeError>(matrix.dim() == 2, "orthogonalized: shape ", matrix.shape(),
                    "; expected a matrix");
  const NoGrad guard;
  const auto [a, b, c] = options.ns_coefficients;
  const bool tall = matrix.size(0) > matrix.size(1);
  Tensor x = matrix.detach().to(DType::bf16);
  if (tall) x = x.t();
  x = x / clamp_min(norm(x), options.eps);
  for (int64_t i = 0; i < options.ns_steps; ++i) {
    const Tensor gram = mm(x, x.t());
    x = addmm(x, addmm(gram, gram, gram, b, c), x, a);
  }
  return contiguous(tall ? x.t() : x);
}

void Muon::update(std::span<const Update> updates, double gradient_scale) {
  check_gradients("Muon", updates);
  std::vector<Tensor> scaled;  // gradients
  for (const Update& u : updates) {
    const double scale = signed_scale(gradient_scale, group_options(u.group).maximize);
    const Tensor g = contiguous(u.gradient.detach());
    scaled.push_back(scale == 1 ? g : g * scale);
  }
  size_t at = 0;
  sweep_all(updates, [&](const Update& u) {
    return RuleUpdate<AverageRule>{
        {scaled[at++], kNoGradient, {moment(u.memory.moments[0], u.parameter)}},
        {.weight = 1 - group_options(u.group).momentum}};
  });
  at = 0;
  for (const Update& u : updates) {
    const MuonOptions& o = group_options(u.group);
    Tensor g = std::exchange(scaled[at++], {});
    if (u.parameter.numel() == 0) continue;
    const Tensor& buffer = u.memory.moments[0];
    const Tensor momentum = o.nesterov ? g + (buffer - g) * o.momentum : buffer;
    const Tensor step = orthogonalized(momentum, o).to(computed_in(u.parameter.dtype()));
    sweep(RuleUpdate<AddRule>{{u.parameter, kNoGradient, {&step}},
                              {.decay = 1 - o.lr * o.weight_decay,
                               .factor = -adjusted(o.lr, o.adjust_lr_fn, u.parameter)}});
  }
}

}  // namespace adjoint::optim
