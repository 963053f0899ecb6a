// Stochastic gradient descent: with momentum, and averaged.
#pragma once

#include <adjoint/optim/optimizer.h>

#include <span>
#include <vector>

namespace adjoint::optim {

// As torch.optim.SGD:
//   g += weight_decay p;  m = momentum m + (1 - dampening) g (m = g at first);
//   p -= lr (nesterov ? g + momentum m : m).
struct SgdOptions {
  double lr = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool maximize = false;
  void check() const;
};
class Sgd final : public OptimizerOf<SgdOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};
using SGD = Sgd;

// Averaged gradient descent (Polyak and Juditsky 1992), as torch.optim.ASGD: the mean of the
// parameters from step t0 on is in the state, `ax`.
struct AsgdOptions {
  double lr = 1e-2;
  double lambd = 1e-4;
  double alpha = 0.75;
  double t0 = 1e6;
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};
class Asgd final : public OptimizerOf<AsgdOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};
using ASGD = Asgd;

}  // namespace adjoint::optim
