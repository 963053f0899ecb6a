// Adafactor: Adam's second moment in two vectors instead of a matrix.
#pragma once

#include <adjoint/optim/optimizer.h>

#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace adjoint::optim {

// Shazeer and Stern 2018, arXiv 1804.04235, as torch.optim.Adafactor. A parameter of two or more
// dimensions keeps the means of its squared gradients along its last two (`row_var`, `col_var`),
// any other all of them (`variance`). Steps are relative to the parameter's own size.
struct AdafactorOptions {
  double lr = 1e-2;
  double beta2_decay = -0.8;
  // The least mean square of a gradient, and of a parameter's norm. The first is the dtype's
  // epsilon unless given.
  std::pair<std::optional<double>, double> eps = {std::nullopt, 1e-3};
  double d = 1;
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};
class Adafactor final : public OptimizerOf<AdafactorOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

}  // namespace adjoint::optim
