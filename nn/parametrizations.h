// The parametrizations of torch.nn.utils.parametrizations.
//
//   nn::Sequential model(nn::utils::weight_norm(nn::Linear(4, 8)), nn::ReLU());
//   nn::utils::spectral_norm(critic.head);
#pragma once

#include <adjoint/nn/parametrize.h>

#include <optional>
#include <string>
#include <utility>

namespace adjoint::nn {

// original1 scaled to the norm original0 in each slice of dim; nullopt: one norm of all. Salimans,
// Kingma 2016, arXiv 1602.07868.
class WeightNorm : public Module<WeightNorm> {
 public:
  explicit WeightNorm(std::optional<int64_t> dim = 0) : dim_(dim) {}
  Tensor forward(const Tensor& g, const Tensor& v) const;
  std::pair<Tensor, Tensor> right_inverse(const Tensor& weight) const;

 private:
  Tensor norms(const Tensor& v) const;

  std::optional<int64_t> dim_;
};

struct SpectralNormOptions {
  int64_t n_power_iterations = 1;   // at each reading in training mode
  double eps = 1e-12;               // of the norms that are divided by
  std::optional<int64_t> dim = {};  // of the outputs; 0, for transposed convolutions 1
};

// The weight, as a matrix of dim by all others, divided by its largest singular value as power
// iteration sees it, with vectors that buffers keep between calls. Of one dimension: by its norm.
// Miyato, Kataoka, Koyama, Yoshida 2018, arXiv 1802.05957.
class SpectralNorm : public Module<SpectralNorm> {
 public:
  explicit SpectralNorm(const Tensor& weight, const SpectralNormOptions& options = {});
  Tensor forward(const Tensor& weight) const;
  void members(Visitor& v) override;

 private:
  Tensor as_matrix(const Tensor& weight) const;
  void iterate(const Tensor& matrix, int64_t times) const;

  Buffer u_, v_;  // (rows), (columns); undefined for one dimension
  int64_t dim_, n_power_iterations_;
  double eps_;
};

enum class OrthogonalMap { matrix_exp, cayley };
struct OrthogonalOptions {
  OrthogonalMap map = OrthogonalMap::matrix_exp;
  bool use_trivialization = true;  // start from the weight as it is, by a base that is not trained
};

// A matrix (..., m, n) with orthonormal columns, or rows where m < n: the exponential or Cayley
// transform of the skew-symmetric matrix that the lower triangle of the original says. Lezcano
// Casado 2019, arXiv 1909.09501.
class Orthogonal : public Module<Orthogonal> {
 public:
  explicit Orthogonal(const Tensor& weight, const OrthogonalOptions& options = {});
  Tensor forward(const Tensor& x) const;
  Tensor right_inverse(const Tensor& weight) const;
  void members(Visitor& v) override { v("base", base_); }

 private:
  OrthogonalMap map_;
  Buffer base_;  // (..., k, k), k = max(m, n); undefined without trivialization
};

namespace utils {

// As torch.nn.utils.parametrizations: parametrize a parameter of the module and return it.
namespace detail {
void add_weight_norm(ModuleBase& module, const std::string& name, std::optional<int64_t> dim);
void add_spectral_norm(ModuleBase& module, const std::string& name,
                       const SpectralNormOptions& options);
void add_orthogonal(ModuleBase& module, const std::string& name, const OrthogonalOptions& options);
}  // namespace detail

template <class M>
M&& weight_norm(M&& module, const std::string& name = "weight", std::optional<int64_t> dim = 0) {
  detail::add_weight_norm(module, name, dim);
  return std::forward<M>(module);
}
template <class M>
M&& spectral_norm(M&& module, const std::string& name = "weight",
                  const SpectralNormOptions& options = {}) {
  detail::add_spectral_norm(module, name, options);
  return std::forward<M>(module);
}
template <class M>
M&& orthogonal(M&& module, const std::string& name = "weight",
               const OrthogonalOptions& options = {}) {
  detail::add_orthogonal(module, name, options);
  return std::forward<M>(module);
}

}  // namespace utils
}  // namespace adjoint::nn
