// The numbers of one optimizer step: plain structs that <adjoint/optim/optimizer.h>'s optimizers
// fill and core's sweep (<adjoint/core/optimizer_sweeps.h>) reads. Bias corrections and the like
// are worked out by whoever fills them; each number is rounded once to what is computed in.
//
// p is the parameter, g its gradient, other letters the moments in the order of kMoments; what is
// left out (momentum 0, no amsgrad) is an undefined tensor.
#pragma once

#include <cstdint>

namespace adjoint {

enum class UpdateRule : int32_t {
  sgd,
  asgd,
  adam,
  adamax,
  lamb,
  rms,
  adadelta,
  rprop,
  lion,
  add,
  average,
};
inline constexpr int kUpdateRules = 11;

// What a sweep may read and write.
inline constexpr int kMaxMoments = 3;
struct UpdateTraits {
  UpdateRule rule;
  int required;           // moments that must be there, of the first
  bool gradient = true;   // reads one
  bool parameter = true;  // writes it
};

// g = scale g + weight_decay p;  b = first ? g : momentum b + keep g (where there is b);
// p -= lr (nesterov ? g + momentum b : b).
struct SgdRule {
  static constexpr UpdateTraits kTraits{UpdateRule::sgd, 0};
  double gradient_scale = 1;
  double lr = 0;
  double momentum = 0;
  double keep = 1;  // 1 - dampening
  double weight_decay = 0;
  bool nesterov = false;
  bool first = false;
};

// g = scale g + weight_decay p;  p = decay p - eta g;  a += mu (p - a).
struct AsgdRule {
  static constexpr UpdateTraits kTraits{UpdateRule::asgd, 1};
  double gradient_scale = 1;
  double weight_decay = 0;
  double decay = 1;
  double eta = 0;
  double mu = 1;
};

// g = scale g + l2 p;  p *= decay;  m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2;
// w = max(w, v) where there is w, v otherwise;
// p -= (step_size m + gradient_step g) / (v_scale sqrt(w) + eps).
struct AdamRule {
  static constexpr UpdateTraits kTraits{UpdateRule::adam, 2};
  double gradient_scale = 1;
  double decay = 1;
  double l2 = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double step_size = 0;
  double gradient_step = 0;
  double v_scale = 1;
  double eps = 0;
};

// g = scale g + weight_decay p;  m += (1 - beta1) (g - m);  u = max(beta2 u, |g| + eps);
// p -= step_size m / u.
struct AdamaxRule {
  static constexpr UpdateTraits kTraits{UpdateRule::adamax, 2};
  double gradient_scale = 1;
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double step_size = 0;
  double eps = 0;
};

// m and v as Adam's of scale g;  r = m_scale m / (v_scale sqrt(v) + eps) + weight_decay p. The
// parameter stays: AddRule adds r when its norm is known.
struct LambRule {
  static constexpr UpdateTraits kTraits{
      .rule = UpdateRule::lamb, .required = 3, .parameter = false};
  double gradient_scale = 1;
  double weight_decay = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double m_scale = 1;
  double v_scale = 1;
  double eps = 0;
};

// g = scale g + weight_decay p;  v = alpha v + rest g^2;  a += (1 - alpha) (g - a) where there is
// a;  d = g / (sqrt(v - a^2) + eps);  b = momentum b + d where there is b;  p -= lr (b or d).
// Moments: v, b, a.
struct RmsRule {
  static constexpr UpdateTraits kTraits{UpdateRule::rms, 1};
  double gradient_scale = 1;
  double weight_decay = 0;
  double alpha = 1;
  double rest = 1;
  double momentum = 0;
  double lr = 0;
  double eps = 0;
};

// g = scale g + weight_decay p;  v = rho v + (1 - rho) g^2;  d = g sqrt(u + eps) / sqrt(v + eps);
// u = rho u + (1 - rho) d^2;  p -= lr d.
struct AdadeltaRule {
  static constexpr UpdateTraits kTraits{UpdateRule::adadelta, 2};
  double gradient_scale = 1;
  double weight_decay = 0;
  double rho = 0.9;
  double lr = 0;
  double eps = 0;
};

// g = scale g;  s = s up where g q > 0, s down where g q < 0, cut to [least, most];  q = g, 0 where
// the sign changed;  p -= sign(q) s. Moments: q, s.
struct RpropRule {
  static constexpr UpdateTraits kTraits{UpdateRule::rprop, 2};
  double gradient_scale = 1;
  double down = 0.5;
  double up = 1.2;
  double least = 0;
  double most = 0;
};

// g = scale g;  p = decay p - lr sign(beta1 m + (1 - beta1) g);  m = beta2 m + (1 - beta2) g.
struct LionRule {
  static constexpr UpdateTraits kTraits{UpdateRule::lion, 1};
  double gradient_scale = 1;
  double beta1 = 0.9;
  double beta2 = 0.99;
  double decay = 1;
  double lr = 0;
};

// p = decay p + factor u.
struct AddRule {
  static constexpr UpdateTraits kTraits{.rule = UpdateRule::add, .required = 1, .gradient = false};
  double decay = 1;
  double factor = 0;
};

// a += weight (p - a).
struct AverageRule {
  static constexpr UpdateTraits kTraits{
      .rule = UpdateRule::average, .required = 1, .gradient = false, .parameter = false};
  double weight = 1;
};

}  // namespace adjoint
