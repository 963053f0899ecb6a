// A step for each element by its past gradients, or by their signs.
#pragma once

#include <adjoint/optim/optimizer.h>

#include <array>
#include <span>
#include <vector>

namespace adjoint::optim {

// Duchi, Hazan, Singer 2011, as torch.optim.Adagrad.
struct AdagradOptions {
  double lr = 1e-2;
  double lr_decay = 0;
  double weight_decay = 0;
  double initial_accumulator_value = 0;
  double eps = 1e-10;
  bool maximize = false;
  void check() const;
};
class Adagrad final : public OptimizerOf<AdagradOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

// Zeiler 2012, arXiv 1212.5701, as torch.optim.Adadelta.
struct AdadeltaOptions {
  double lr = 1;
  double rho = 0.9;
  double eps = 1e-6;
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};
class Adadelta final : public OptimizerOf<AdadeltaOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

// Hinton 2012, `centered` by Graves 2013 (arXiv 1308.0850), as torch.optim.RMSprop.
struct RMSpropOptions {
  double lr = 1e-2;
  double alpha = 0.99;
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
  bool maximize = false;
  void check() const;
};
class RMSprop final : public OptimizerOf<RMSpropOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

// Resilient propagation (Riedmiller and Braun 1993), as torch.optim.Rprop: for whole batches. `lr`
// is the first step of every element.
struct RpropOptions {
  double lr = 1e-2;
  std::array<double, 2> etas = {0.5, 1.2};
  std::array<double, 2> step_sizes = {1e-6, 50};
  bool maximize = false;
  void check() const;
};
class Rprop final : public OptimizerOf<RpropOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

// Chen et al. 2023, arXiv 2302.06675, program 1: steps of one size, by the sign of a momentum.
struct LionOptions {
  double lr = 1e-4;
  std::array<double, 2> betas = {0.9, 0.99};
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};
class Lion final : public OptimizerOf<LionOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

}  // namespace adjoint::optim
