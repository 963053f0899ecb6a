// LAMB: Adam's direction with a length in proportion to each parameter's own, for large batches.
#pragma once

#include <adjoint/optim/optimizer.h>

#include <array>
#include <span>
#include <vector>

namespace adjoint::optim {

// You et al. 2020, arXiv 1904.00962, algorithm 2, with phi(x) = x:
//   r = m^ / (sqrt(v^) + eps) + weight_decay p;  p -= lr (|p| / |r|) r,
// the ratio being 1 where either norm is 0.
struct LambOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-6;
  double weight_decay = 0.01;
  bool maximize = false;
  void check() const;
};
class Lamb final : public OptimizerOf<LambOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  // Keeps r of all parameters while it runs.
  void update(std::span<const Update> updates, double gradient_scale) override;
};
using LAMB = Lamb;

}  // namespace adjoint::optim
