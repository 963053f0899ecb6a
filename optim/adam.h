// Adam and what grew from it.
#pragma once

#include <adjoint/optim/optimizer.h>

#include <array>
#include <span>
#include <vector>

namespace adjoint::optim {

// Adam (Kingma and Ba 2015, arXiv 1412.6980, algorithm 1), as torch.optim.Adam: weight decay is
// added to the gradient. `amsgrad`: Reddi et al. 2018, arXiv 1904.09237.
struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;
  bool maximize = false;
  bool decoupled_weight_decay = false;
  void check() const;
};

// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2), as
// torch.optim.AdamW: p -= lr weight_decay p comes first.
struct AdamWOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  bool maximize = false;
  void check() const;
};

// Adam with Nesterov's momentum (Dozat 2016), as torch.optim.NAdam.
struct NAdamOptions {
  double lr = 2e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  double momentum_decay = 4e-3;
  bool decoupled_weight_decay = false;
  bool maximize = false;
  void check() const;
};

// Adam with a rectified second moment (Liu et al. 2020, arXiv 1908.03265), as torch.optim.RAdam.
struct RAdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;
  bool maximize = false;
  void check() const;
};

// Adam by the largest gradient (Kingma and Ba 2015, algorithm 2), as torch.optim.Adamax.
struct AdamaxOptions {
  double lr = 2e-3;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;
  bool maximize = false;
  void check() const;
};

// What they have in common: two moments and one step over them.
template <class Options>
class AdamOf : public OptimizerOf<Options> {
 public:
  using OptimizerOf<Options>::OptimizerOf;

 protected:
  using typename Optimizer::Moment;
  using typename Optimizer::Update;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};
extern template class AdamOf<AdamOptions>;
extern template class AdamOf<AdamWOptions>;
extern template class AdamOf<NAdamOptions>;
extern template class AdamOf<RAdamOptions>;

class Adam final : public AdamOf<AdamOptions> {
 public:
  using AdamOf::AdamOf;
};
class AdamW final : public AdamOf<AdamWOptions> {
 public:
  using AdamOf::AdamOf;
};
class NAdam final : public AdamOf<NAdamOptions> {
 public:
  using AdamOf::AdamOf;
};
class RAdam final : public AdamOf<RAdamOptions> {
 public:
  using AdamOf::AdamOf;
};

class Adamax final : public OptimizerOf<AdamaxOptions> {
 public:
  using OptimizerOf::OptimizerOf;

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

}  // namespace adjoint::optim
