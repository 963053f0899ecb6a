// Muon: momentum whose singular values are made equal, for the matrices of hidden layers.
#pragma once

#include <adjoint/optim/optimizer.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace adjoint::optim {

// How a step's size follows the parameter's shape (A, B): sqrt(max(1, A / B)) (Jordan 2024),
// 0.2 sqrt(max(A, B)) (Liu et al. 2025, arXiv 2502.16982), sqrt(A / B) (Bernstein 2025).
enum class MuonAdjustLr : uint8_t { original, match_rms_adamw, spectral_unclamped };

// Jordan et al. 2024, as torch.optim.Muon: parameters of two dimensions only; biases, norms and
// embeddings want another optimizer. The iteration of Newton and Schulz is carried out in bf16.
struct MuonOptions {
  double lr = 1e-3;
  double weight_decay = 0.1;
  double momentum = 0.95;
  bool nesterov = true;
  std::array<double, 3> ns_coefficients = {3.4445, -4.7750, 2.0315};
  double eps = 1e-7;
  int64_t ns_steps = 5;
  MuonAdjustLr adjust_lr_fn = MuonAdjustLr::original;
  bool maximize = false;
  void check() const;
};
class Muon final : public OptimizerOf<MuonOptions> {
 public:
  // ConfigError for a parameter that is no matrix.
  explicit Muon(std::vector<NamedSlot> slots, const MuonOptions& options = {});
  explicit Muon(std::vector<ParamGroup<MuonOptions>> groups);

 private:
  std::vector<Moment> moments(size_t group, const Tensor& parameter) const override;
  void update(std::span<const Update> updates, double gradient_scale) override;
};

// What Muon makes of a matrix of any floating dtype, as a new one of bf16: its singular vectors
// with singular values between about 0.7 and 1.2, by ns_steps of X = a X + (b X X' + c (X X')^2) X.
Tensor orthogonalized(const Tensor& matrix, const MuonOptions& options = {});

}  // namespace adjoint::optim
